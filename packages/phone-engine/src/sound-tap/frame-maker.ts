/**
 * Makes frames of two channels of sound, as they come from the audio thread's clock: brings both to 16 kHz, 16 bit, and measures how loud they are.
 * Owns the frame that is being filled and those that are free. Must never wait and, once made, allocate nothing: without a free frame the sound of one is lost.
 */
import { soundRate } from '@patchcord/call-protocol';
import { Resampler } from './resampler.ts';
import { type TapFrame, tapSamples } from './tap-frame.ts';

const quantumMost = 1_024;
/** Loudness is measured over 10 ms. */
const block = soundRate / 100;

export class FrameMaker {
  readonly #agent: Resampler;
  readonly #farSide: Resampler;
  readonly #rate: number;
  readonly #agentOut: Float32Array;
  readonly #farSideOut: Float32Array;
  readonly #free: TapFrame[] = [];
  readonly #done: (frame: TapFrame) => void;
  #frame: TapFrame | undefined;
  #filled = 0;
  #agentPower = 0;
  #farSidePower = 0;

  /** @param rate of what comes in, Hz @param done takes a full frame; it comes back by `give` */
  constructor(rate: number, done: (frame: TapFrame) => void) {
    this.#rate = rate;
    this.#done = done;
    this.#agent = new Resampler(rate, soundRate);
    this.#farSide = new Resampler(rate, soundRate);
    const room = Math.ceil((quantumMost * soundRate) / rate) + 1;
    this.#agentOut = new Float32Array(room);
    this.#farSideOut = new Float32Array(room);
  }

  /** A frame that may be filled. */
  give(frame: TapFrame): void {
    this.#free.push(frame);
  }

  /** The next stretch of both sides; null: silence. @param time of its first sample, seconds @param count samples, at most 1,024 */
  take(agent: Float32Array | null, farSide: Float32Array | null, count: number, time: number): void {
    const made = this.#agent.push(agent, count, this.#agentOut);
    this.#farSide.push(farSide, count, this.#farSideOut);
    for (let n = 0; n < made; n += 1) {
      if (this.#filled === 0) this.#begin(time + (n * count) / (made * this.#rate));
      this.#add(this.#agentOut[n] as number, this.#farSideOut[n] as number);
    }
  }

  #begin(time: number): void {
    const frame = this.#free.pop();
    this.#frame = frame;
    if (!frame) return;
    frame.time[0] = time;
    frame.levels[0] = 0;
    frame.levels[1] = 0;
  }

  #add(agent: number, farSide: number): void {
    const frame = this.#frame;
    const at = this.#filled;
    if (frame) {
      frame.agent[at] = pcm(agent);
      frame.farSide[at] = pcm(farSide);
    }
    this.#agentPower += agent * agent;
    this.#farSidePower += farSide * farSide;
    this.#filled += 1;
    if (this.#filled % block === 0) this.#measure(frame);
    if (this.#filled < tapSamples) return;
    this.#filled = 0;
    this.#frame = undefined;
    if (frame) this.#done(frame);
  }

  #measure(frame: TapFrame | undefined): void {
    if (frame) {
      frame.levels[0] = Math.max(frame.levels[0] as number, this.#agentPower / block);
      frame.levels[1] = Math.max(frame.levels[1] as number, this.#farSidePower / block);
    }
    this.#agentPower = 0;
    this.#farSidePower = 0;
  }
}

function pcm(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
}
