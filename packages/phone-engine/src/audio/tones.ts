/**
 * Owns the tones an agent hears from the phone itself, synthesised: no files to load, nothing to license. Cadences belong to no country.
 * Must never sound two at once; the same tone asked for twice goes on undisturbed.
 */
import type { Tone } from '../ports.ts';

interface Cadence {
  /** Frequencies in Hz. */
  readonly frequencies: readonly number[];
  /** Sound and silence in turn, in seconds; repeated unless `once`. */
  readonly pattern: readonly number[];
  readonly once?: true;
  readonly level: number;
}

const cadences: Readonly<Record<Exclude<Tone, 'none'>, Cadence>> = {
  ring: { frequencies: [523.25, 659.25], pattern: [0.4, 0.2, 0.4, 2], level: 0.25 },
  ringback: { frequencies: [425], pattern: [1, 4], level: 0.08 },
  'call-waiting': { frequencies: [425], pattern: [0.2, 0.2, 0.2, 5], level: 0.06 },
  'auto-answer': { frequencies: [880], pattern: [0.16, 0.16, 0.16, 0.16, 0.16, 0], level: 0.12, once: true },
};

/** Ramps instead of steps: a tone that starts at full level clicks. */
const rampSeconds = 0.01;
/** How far ahead the cadence is written into the audio clock. Longer than a throttled timer's longest gap in a background tab would need minutes. */
const aheadSeconds = 90;

export class Tones {
  readonly #context: () => AudioContext;
  readonly #output: (context: AudioContext, tone: Exclude<Tone, 'none'>) => AudioNode;
  #current: Tone = 'none';
  #stop: (() => void) | undefined;

  /**
   * @param context the audio context, created when the first tone is wanted.
   * @param output where a tone goes: the ring to the ringer, the others to the speaker.
   */
  constructor(context: () => AudioContext, output: (context: AudioContext, tone: Exclude<Tone, 'none'>) => AudioNode) {
    this.#context = context;
    this.#output = output;
  }

  get current(): Tone {
    return this.#current;
  }

  set(tone: Tone): void {
    if (tone === this.#current) return;
    this.#current = tone;
    this.#stop?.();
    this.#stop = undefined;
    if (tone !== 'none') this.#stop = this.#play(tone);
  }

  #play(tone: Exclude<Tone, 'none'>): () => void {
    const cadence = cadences[tone];
    const context = this.#context();
    const gain = context.createGain();
    gain.gain.value = 0;
    gain.connect(this.#output(context, tone));
    const oscillators = cadence.frequencies.map((frequency) => {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = frequency;
      oscillator.connect(gain);
      oscillator.start();
      return oscillator;
    });
    const level = cadence.level / cadence.frequencies.length;
    let written = context.currentTime + 0.02;
    const rounds = cadence.once ? 1 : Number.POSITIVE_INFINITY;
    let round = 0;
    const write = () => {
      while (round < rounds && written < context.currentTime + aheadSeconds) {
        round += 1;
        cadence.pattern.forEach((seconds, index) => {
          if (index % 2 === 0) {
            gain.gain.setValueAtTime(0, written);
            gain.gain.linearRampToValueAtTime(level, written + rampSeconds);
            gain.gain.setValueAtTime(level, written + seconds - rampSeconds);
            gain.gain.linearRampToValueAtTime(0, written + seconds);
          }
          written += seconds;
        });
      }
    };
    write();
    const timer = setInterval(write, (aheadSeconds * 1_000) / 3);
    return () => {
      clearInterval(timer);
      for (const oscillator of oscillators) oscillator.stop();
      gain.disconnect();
    };
  }
}
