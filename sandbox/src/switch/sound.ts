/**
 * Everything audible in the switch: 20 ms frames of 16-bit sound at 8 kHz, tones and melodies that make them,
 * and the ear that measures them. Must never know SIP, RTP or who is talking.
 */

export const SAMPLE_RATE = 8000;
export const FRAME_MS = 20;
export const FRAME_SAMPLES = 160;

/** 'tones': every voice is one pure sine, so that a test can tell them apart. 'pleasant': for people. */
export type SoundStyle = 'pleasant' | 'tones';

/** A source of sound: fills one frame of 160 samples each time it is asked. */
export type Voice = { fill(frame: Int16Array): void };

/** The tone a held far side hears instead of music when the style is 'tones'. */
export const HOLD_TONE_HZ = 380;
/** Early media and ringing, heard before a far side answers (European ringing tone). */
export const RINGING_TONE_HZ = 425;

const KEYS = '0123456789*#ABCD';

/** The tone an announcement plays back for a pressed key: 1400 Hz for `0`, 1500 for `1`, … 2900 for `D`. */
export function keyToneHz(key: string): number {
  return 1400 + 100 * Math.max(0, KEYS.indexOf(key.toUpperCase()));
}

const DERIVED_TONES = [650, 700, 750, 800, 900, 950, 1050, 1100, 1150, 1250, 1300, 1350];

/** The tone of a person who is not in the directory: always the same for the same number. */
export function toneOfNumber(number: string): number {
  let hash = 7;
  for (const digit of number.replace(/\D/g, '')) hash = (hash * 31 + digit.charCodeAt(0)) >>> 0;
  return DERIVED_TONES[hash % DERIVED_TONES.length] ?? 650;
}

/** A steady sine; `level` is its amplitude as a part of full scale. */
export function tone(hz: number, level = 0.25): Voice {
  let at = 0;
  return {
    fill(frame) {
      for (let index = 0; index < frame.length; index += 1, at += 1) {
        frame[index] = Math.round(32767 * level * Math.sin((2 * Math.PI * hz * at) / SAMPLE_RATE));
      }
      // Start again after a whole second: integer frequencies stay in phase and the argument stays exact.
      at %= SAMPLE_RATE;
    },
  };
}

/** A sine that is on and off in turn, for ringing. */
export function cadence(hz: number, onMs: number, offMs: number): Voice {
  const source = tone(hz, 0.15);
  let elapsed = 0;
  return {
    fill(frame) {
      source.fill(frame);
      if (elapsed % (onMs + offMs) >= onMs) frame.fill(0);
      elapsed += FRAME_MS;
    },
  };
}

type Note = { hz: number; beats: number };

// A soft pluck: fundamental and two overtones that die away, so that a melody is kind to a headset.
function melody(notes: readonly Note[], beatMs: number, level: number): Voice {
  let note = 0;
  let at = 0;
  return {
    fill(frame) {
      for (let index = 0; index < frame.length; index += 1) {
        const current = notes[note] ?? { hz: 0, beats: 1 };
        const seconds = at / SAMPLE_RATE;
        const phase = 2 * Math.PI * current.hz * seconds;
        const envelope = Math.min(1, seconds / 0.01) * Math.exp(-3 * seconds);
        const sound = Math.sin(phase) + 0.4 * Math.sin(2 * phase) + 0.15 * Math.sin(3 * phase);
        frame[index] = current.hz === 0 ? 0 : Math.round(32767 * level * 0.6 * envelope * sound);
        at += 1;
        if (at >= (current.beats * beatMs * SAMPLE_RATE) / 1000) {
          at = 0;
          note = (note + 1) % notes.length;
        }
      }
    },
  };
}

const semitone = (steps: number): number => 440 * 2 ** (steps / 12);
const notes = (steps: readonly (number | undefined)[], beats = 1): Note[] =>
  steps.map((step) => ({ hz: step === undefined ? 0 : semitone(step), beats }));

/** What a held far side hears. */
export function holdMusic(style: SoundStyle): Voice {
  if (style === 'tones') return tone(HOLD_TONE_HZ);
  return melody(
    notes([-9, -5, -2, 3, -2, -5, -12, -5, -2, 3, -2, -5, -14, -7, -4, 0, -4, -7, -10, -7, -2, 2, -2, -7]),
    320,
    0.25,
  );
}

/** A recorded announcement: three rising chimes and a pause, or the caller's tone. */
export function announcement(style: SoundStyle, hz: number): Voice {
  if (style === 'tones') return tone(hz);
  return melody([...notes([3, 7, 10]), { hz: semitone(15), beats: 3 }, { hz: 0, beats: 3 }], 260, 0.3);
}

/**
 * A person: in 'pleasant' style a hummed voice around the person's pitch, in syllables with pauses between phrases;
 * in 'tones' style the person's tone.
 */
export function person(style: SoundStyle, hz: number): Voice {
  if (style === 'tones') return tone(hz);
  const pitch = 90 + (hz % 130);
  let at = 0;
  let phase = 0;
  return {
    fill(frame) {
      for (let index = 0; index < frame.length; index += 1, at += 1) {
        const seconds = at / SAMPLE_RATE;
        const speaking = seconds % 5 < 3.4;
        const syllable = Math.max(0, Math.sin(2 * Math.PI * 3.1 * seconds)) ** 0.6;
        const glide = 1 + 0.07 * Math.sin(2 * Math.PI * 0.43 * seconds) + 0.01 * Math.sin(2 * Math.PI * 5.2 * seconds);
        phase += (2 * Math.PI * pitch * glide) / SAMPLE_RATE;
        const vowel = 0.5 + 0.5 * Math.sin(2 * Math.PI * 0.77 * seconds);
        let sound = 0;
        for (let overtone = 1; overtone <= 9; overtone += 1) {
          // Two wandering resonances are what makes a buzz sound like a throat.
          const frequency = pitch * overtone;
          const first = Math.exp(-(((frequency - 380 - 350 * vowel) / 160) ** 2));
          const second = 0.5 * Math.exp(-(((frequency - 1700 + 700 * vowel) / 220) ** 2));
          sound += (0.08 + first + second) * Math.sin(phase * overtone);
        }
        frame[index] = speaking ? Math.round(32767 * 0.3 * syllable * Math.max(-2, Math.min(2, sound)) * 0.5) : 0;
      }
    },
  };
}

const BLOCK_SAMPLES = 800;

/**
 * How loud one frequency is in the samples: its amplitude as a part of full scale, 0 to 1. Goertzel over blocks of
 * 100 ms, because a single lost packet shifts the phase and would make one long block cancel itself out. Tells tones
 * apart that are 30 Hz or more from each other.
 */
export function levelAt(samples: Int16Array, hz: number): number {
  const blocks = Math.max(1, Math.floor(samples.length / BLOCK_SAMPLES));
  const length = Math.floor(samples.length / blocks);
  if (length === 0) return 0;
  let power = 0;
  for (let block = 0; block < blocks; block += 1) {
    power += blockLevel(samples.subarray(block * length, (block + 1) * length), hz) ** 2;
  }
  return Math.sqrt(power / blocks);
}

function blockLevel(samples: Int16Array, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE);
  let previous = 0;
  let beforePrevious = 0;
  samples.forEach((sample, index) => {
    // A Hann window keeps a loud tone from leaking into the others.
    const window = 1 - Math.cos((2 * Math.PI * (index + 0.5)) / samples.length);
    const current = (sample / 32768) * window + coefficient * previous - beforePrevious;
    beforePrevious = previous;
    previous = current;
  });
  const power = previous ** 2 + beforePrevious ** 2 - coefficient * previous * beforePrevious;
  return (2 * Math.sqrt(Math.max(0, power))) / samples.length;
}

/** Root mean square of the samples as a part of full scale, 0 to 1. */
export function rms(samples: Int16Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += (sample / 32768) ** 2;
  return Math.sqrt(sum / samples.length);
}

/** What one party has received, the last ten seconds of it. Silence counts: a frame is due every 20 ms. */
export class Ear {
  readonly #kept = new Int16Array(SAMPLE_RATE * 10);
  #total = 0;

  hear(frame: Int16Array): void {
    for (const sample of frame) {
      this.#kept[this.#total % this.#kept.length] = sample;
      this.#total += 1;
    }
  }

  /** The last `windowMs` of sound, shorter when less has been heard; at most ten seconds. */
  last(windowMs: number): Int16Array {
    const wanted = Math.min(Math.round((windowMs * SAMPLE_RATE) / 1000), this.#kept.length, this.#total);
    const samples = new Int16Array(wanted);
    for (let index = 0; index < wanted; index += 1) {
      samples[index] = this.#kept[(this.#total - wanted + index) % this.#kept.length] ?? 0;
    }
    return samples;
  }
}
