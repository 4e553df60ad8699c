/**
 * Where somebody speaks, by loudness: for services that want speech in pieces. Owns the cutting only; times are ms of sound since it began. The
 * floor of noise is followed, so that a noisy line is not one long word.
 */
import { bytesPerMs } from './socket-session.ts';

export interface SpeechPiece {
  readonly startMs: number;
  readonly endMs: number;
  /** PCM16, 16 kHz. */
  readonly pcm: Uint8Array;
}

export interface VoiceActivity {
  /** Returns the pieces that ended in this sound. */
  push(pcm: Uint8Array): readonly SpeechPiece[];
  /** The piece that is still being spoken. */
  flush(): SpeechPiece | null;
  /** Up to where nothing is spoken that was not handed out, ms. */
  readonly quietMs: number;
}

const stepMs = 20;
const stepBytes = stepMs * bytesPerMs;
/** Kept before the first loud moment: words begin quietly. */
const beforeMs = 240;
/** Shorter noises are no words. */
const leastLoudMs = 60;
const pauseMs = 500;
/** A piece is cut at its quietest moment when it has become so long. */
const longestMs = 15_000;
const cutWithinMs = 3_000;
const loudOverFloor = 10 ** (9 / 20);
/** 16-bit units (RMS): -55 dBFS. What is quieter is no voice on any line. */
const quietest = 32_768 * 10 ** (-55 / 20);
/** How fast the floor follows a louder noise: 1.5 dB a second. */
const floorRise = 10 ** ((1.5 * stepMs) / 20_000);

/** Cuts sound into what was spoken between pauses. */
export function createVoiceActivity(): VoiceActivity {
  let rest: Uint8Array = new Uint8Array(0);
  let atMs = 0;
  let floor = quietest / 4;
  /** The piece, or before one begins the last moments. */
  let steps: { readonly pcm: Uint8Array; readonly level: number }[] = [];
  let startMs = 0;
  let speaking = false;
  let loudMs = 0;
  let pausedMs = 0;

  const take = (count: number): SpeechPiece => {
    const taken = steps.slice(0, count);
    const piece = {
      startMs,
      endMs: startMs + count * stepMs,
      pcm: Buffer.concat(taken.map((step) => step.pcm)),
    };
    steps = steps.slice(count);
    startMs = piece.endMs;
    return piece;
  };
  const cutLong = (): SpeechPiece => {
    const from = steps.length - cutWithinMs / stepMs;
    let quiet = from;
    for (let index = from; index < steps.length; index++)
      if ((steps[index]?.level ?? 0) < (steps[quiet]?.level ?? 0)) quiet = index;
    return take(quiet + 1);
  };
  const rested = (): void => {
    speaking = false;
    loudMs = 0;
    pausedMs = 0;
    const extra = steps.length - beforeMs / stepMs;
    if (extra > 0) {
      steps.splice(0, extra);
      startMs += extra * stepMs;
    }
  };
  const step = (pcm: Uint8Array): SpeechPiece | null => {
    const level = loudness(pcm);
    // samples of nothing but zeros are no line's noise: somebody left it out
    if (level >= 1) floor = level < floor ? level : Math.min(floor * floorRise, level);
    const isLoud = level > quietest && level > floor * loudOverFloor;
    steps.push({ pcm, level });
    atMs += stepMs;
    loudMs += isLoud ? stepMs : 0;
    pausedMs = isLoud ? 0 : pausedMs + stepMs;
    if (!speaking && loudMs >= leastLoudMs) speaking = true;
    if (speaking && pausedMs >= pauseMs) {
      const piece = take(steps.length);
      rested();
      return piece;
    }
    if (speaking) return steps.length * stepMs >= longestMs ? cutLong() : null;
    // a short noise is forgotten when it is followed by a pause
    if (loudMs === 0 || pausedMs >= beforeMs) rested();
    return null;
  };

  return {
    push(pcm) {
      const all = rest.byteLength === 0 ? pcm : Buffer.concat([rest, pcm]);
      const pieces: SpeechPiece[] = [];
      let from = 0;
      for (; from + stepBytes <= all.byteLength; from += stepBytes) {
        const piece = step(all.subarray(from, from + stepBytes));
        if (piece !== null) pieces.push(piece);
      }
      rest = all.subarray(from);
      return pieces;
    },
    flush() {
      if (!speaking || steps.length === 0) return null;
      const piece = take(steps.length);
      rested();
      return piece;
    },
    get quietMs() {
      return speaking || loudMs > 0 ? startMs : Math.max(startMs, atMs - beforeMs);
    },
  };
}

/** Root of the mean square, in 16-bit units. */
function loudness(pcm: Uint8Array): number {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  let sum = 0;
  for (let at = 0; at + 1 < pcm.byteLength; at += 2) sum += view.getInt16(at, true) ** 2;
  return Math.sqrt(sum / Math.max(1, pcm.byteLength / 2));
}
