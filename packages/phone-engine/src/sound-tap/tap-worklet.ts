/**
 * The script of the audio thread that listens along: both sides of a call in, nothing to be heard out. A file of its own, which the page loads by its address
 * (`worklet-address.ts`). Must never change a sound, and never wait.
 */
import { nearlyNothing } from '../audio/awake.ts';
import { FrameMaker } from './frame-maker.ts';
import { tapFrame } from './tap-frame.ts';

/** What an `AudioWorkletGlobalScope` has beside the language (Web Audio API, section 1.32.2). */
declare const sampleRate: number;
declare const currentTime: number;
declare function registerProcessor(name: string, processor: new () => object): void;
declare const AudioWorkletProcessor: new () => { readonly port: MessagePort };

class TapProcessor extends AudioWorkletProcessor {
  readonly #transfer: ArrayBuffer[] = [];
  readonly #frames = new FrameMaker(sampleRate, ({ buffer }) => {
    this.#transfer[0] = buffer;
    this.port.postMessage(buffer, this.#transfer);
  });
  #listens = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ArrayBuffer | null>) => {
      if (data === null) this.#listens = false;
      else this.#frames.give(tapFrame(data));
    };
  }

  /** Called by the browser, 128 samples at a time. @returns whether it wants more */
  process(
    [agent, farSide]: readonly (readonly Float32Array[])[],
    [out]: readonly (readonly Float32Array[])[],
  ): boolean {
    out?.[0]?.fill(nearlyNothing);
    const one = agent?.[0] ?? null;
    const other = farSide?.[0] ?? null;
    this.#frames.take(one, other, one?.length ?? other?.length ?? 128, currentTime);
    return this.#listens;
  }
}

registerProcessor('patchcord-tap', TapProcessor);
