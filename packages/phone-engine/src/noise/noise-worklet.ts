/**
 * The script of the audio thread that suppresses noise: RNNoise's own processor, and one beside it that looks at what goes in, what comes out and
 * whether the thread keeps up. A file of its own, which the page loads by its address (`addresses.ts`). The look changes no sound and never waits.
 */
import '@sapphi-red/web-noise-suppressor/rnnoiseWorklet.js';

/** What an `AudioWorkletGlobalScope` has beside the language (Web Audio API, section 1.32.2). */
declare const sampleRate: number;
declare const currentFrame: number;
declare function registerProcessor(name: string, processor: new () => object): void;
declare const AudioWorkletProcessor: new () => { readonly port: MessagePort };

/** Ten reports a second. */
const perReport = sampleRate / 10;

class NoiseWatch extends AudioWorkletProcessor {
  #watches = true;
  #dry = 0;
  #wet = 0;
  #next = currentFrame + perReport;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#watches = false;
    };
  }

  /** Called by the browser, 128 samples at a time. @returns whether it wants more */
  process([dry, wet]: readonly (readonly Float32Array[])[]): boolean {
    this.#dry = peak(dry?.[0], this.#dry);
    this.#wet = peak(wet?.[0], this.#wet);
    if (currentFrame >= this.#next) {
      this.#next += perReport;
      // This thread has no other clock of the wall.
      this.port.postMessage([this.#dry, this.#wet, Date.now(), (currentFrame / sampleRate) * 1_000]);
      this.#dry = 0;
      this.#wet = 0;
    }
    return this.#watches;
  }
}

function peak(samples: Float32Array | undefined, before: number): number {
  let highest = before;
  if (samples) for (const sample of samples) highest = Math.max(highest, Math.abs(sample));
  return highest;
}

registerProcessor('patchcord-noise-watch', NoiseWatch);
