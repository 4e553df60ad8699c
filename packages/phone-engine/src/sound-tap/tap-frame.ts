/**
 * The memory that a stretch of sound travels in from the audio thread and back: one buffer, filled there and read here. Owns its layout. It goes to
 * and fro instead of being made anew, so that the audio thread makes nothing.
 */

/** `soundFrameMs` at `soundRate`; a number of its own, so that a panel that never listens carries nothing of it. */
export const tapSamples = 1_600;
/** How many go to and fro: a page that is busy for so many times 100 ms loses nothing. */
export const tapFrames = 50;
const headBytes = 16;

export interface TapFrame {
  readonly buffer: ArrayBuffer;
  /** [0]: when its first sample was heard, on the clock of the audio context, seconds. */
  readonly time: Float64Array<ArrayBuffer>;
  /** The loudest 10 ms of each channel, mean square, 1 for full scale. */
  readonly levels: Float32Array<ArrayBuffer>;
  readonly agent: Int16Array<ArrayBuffer>;
  readonly farSide: Int16Array<ArrayBuffer>;
}

/** A frame over this memory; a new one without. */
export function tapFrame(buffer = new ArrayBuffer(headBytes + tapSamples * 4)): TapFrame {
  return {
    buffer,
    time: new Float64Array(buffer, 0, 1),
    levels: new Float32Array(buffer, 8, 2),
    agent: new Int16Array(buffer, headBytes, tapSamples),
    farSide: new Int16Array(buffer, headBytes + tapSamples * 2, tapSamples),
  };
}
