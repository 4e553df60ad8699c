/** How a service in tests understands sound: the hook that it is started with, and what becomes of the words: utterances, as services have them. */

export interface DecodedWord {
  readonly text: string;
  /** ms of sound since the decoder began. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Hears one stream of PCM16, mono. */
export interface Decoder {
  /** Returns the words that ended in this sound. */
  push(samples: Int16Array): readonly DecodedWord[];
  /** The word that was still being spoken. */
  flush(): readonly DecodedWord[];
}

/** @param rate Samples a second, as the service's protocol has them */
export type Decode = (rate: number) => Decoder;

export interface UtteranceSaid {
  readonly index: number;
  readonly words: readonly DecodedWord[];
  readonly final: boolean;
}

export interface Utterances {
  /** Returns what is new to tell, in order. */
  push(samples: Int16Array): readonly UtteranceSaid[];
  /** Makes final what is open. */
  flush(): readonly UtteranceSaid[];
  readonly soundMs: number;
  /** Up to here there is no word that was not made final. */
  readonly quietMs: number;
}

/**
 * Words as utterances: told with every new word, final after `pauseMs` without one, or when they last `longestMs`.
 */
export function createUtterances(decode: Decode, rate: number, pauseMs = 300, longestMs = 6_000): Utterances {
  const decoder = decode(rate);
  let heard = 0;
  let index = 0;
  let words: DecodedWord[] = [];
  const close = (): UtteranceSaid[] => {
    if (words.length === 0) return [];
    const said = { index: index++, words, final: true };
    words = [];
    return [said];
  };
  const add = (more: readonly DecodedWord[]): UtteranceSaid[] =>
    more.flatMap((word) => {
      const before = word.startMs - (words.at(-1)?.endMs ?? word.startMs) >= pauseMs ? close() : [];
      words.push(word);
      const isLong = word.endMs - (words[0]?.startMs ?? 0) >= longestMs;
      return [...before, { index, words: [...words], final: false }, ...(isLong ? close() : [])];
    });
  return {
    push(samples) {
      heard += samples.length;
      const told = add(decoder.push(samples));
      const last = words.at(-1);
      const isOver = last !== undefined && this.soundMs - last.endMs >= pauseMs + 160;
      return isOver ? [...told, ...close()] : told;
    },
    flush: () => [...add(decoder.flush()), ...close()],
    get soundMs() {
      return (heard * 1_000) / rate;
    },
    get quietMs() {
      // a word that is being spoken is not known yet
      return words[0]?.startMs ?? Math.max(0, this.soundMs - 300);
    },
  };
}

/** The text of words. */
export const textOf = (words: readonly DecodedWord[]): string => words.map((word) => word.text).join(' ');

/** PCM16 as it came over a wire, as samples. */
export function toSamples(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.byteLength >> 1 }, (_, at) => view.getInt16(at * 2, true));
}

/** Samples as bytes, little-endian. */
export function toBytes(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  samples.forEach((sample, at) => {
    view.setInt16(at * 2, sample, true);
  });
  return bytes;
}
