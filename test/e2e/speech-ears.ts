/**
 * How the speech services of these tests understand sound: both alphabets, whichever side a session is of, so that a word of the other side would be
 * seen. Owns what was heard, and what a syllable means; must know no protocol.
 */
import type { Decode, DecodedWord, Decoder } from '../speech/decode.ts';
import { syllables, toneDecoder } from '../speech/tone-alphabet.ts';
import { syllableTimes } from './mouths.ts';

export class SpeechEars {
  /** Every syllable that reached a service, over all sessions, as it came; sound that is sent again is heard again. */
  readonly heard: string[] = [];
  /** Syllable → what the service makes of it. Absent: itself. */
  words: ReadonlyMap<string, string> = new Map();

  readonly decode: Decode = (rate) => {
    const ears = [wholeSyllables(toneDecoder('near')(rate)), wholeSyllables(toneDecoder('far')(rate))];
    const understand = (words: readonly DecodedWord[]): DecodedWord[] =>
      words.map((word) => {
        this.heard.push(word.text);
        return { ...word, text: this.words.get(word.text) ?? word.text };
      });
    return {
      push: (samples) => understand(ears.flatMap((ear) => ear.push(samples))),
      flush: () => understand(ears.flatMap((ear) => ear.flush())),
    };
  };
}

/**
 * A browser whose processor is busy puts some ms of silence into a tone. What follows closer than two syllables do, and is the same, is the rest of it:
 * nobody says one twice in a row.
 */
function wholeSyllables(decoder: Decoder): Decoder {
  let last: DecodedWord | undefined;
  const whole = (words: readonly DecodedWord[]): readonly DecodedWord[] =>
    words.filter((word) => {
      const isRest = last?.text === word.text && word.startMs - last.endMs < syllableTimes.gapMs - 10;
      last = word;
      return !isRest;
    });
  return { push: (samples) => whole(decoder.push(samples)), flush: () => whole(decoder.flush()) };
}

const digits = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
/** Of both sides, by the place of a syllable in its alphabet. */
const english = ['hello', ...digits, 'my', 'card', 'is', 'thanks', 'please'];

/** What syllables mean where cards are read out. */
export const spokenEnglish: ReadonlyMap<string, string> = new Map(
  (['near', 'far'] as const).flatMap((side) =>
    syllables(side).map((syllable, at) => [syllable, english[at] ?? ''] as const),
  ),
);

/** A sentence of that English as syllables of one side; digits stand for themselves. @throws RangeError for a word that it does not have */
export function inSyllables(side: 'near' | 'far', sentence: string): readonly string[] {
  return (sentence.match(/[a-z]+|\d/g) ?? []).map((word) => {
    const at = english.indexOf(digits[Number(word)] ?? word);
    const syllable = syllables(side)[at];
    if (syllable === undefined) throw new RangeError(`Nobody can say "${word}" here.`);
    return syllable;
  });
}

/** A number as its digits are said: "four one one". */
export const inWords = (number: string): readonly string[] => [...number].map((digit) => digits[Number(digit)] ?? '');

/** A card number (16 digits, ISO/IEC 7812) that is nobody's, no digit twice in a row, another one for each seed. */
export function cardNumber(seed: number): string {
  for (let number = seed; ; number += 1) {
    let state = number >>> 0;
    const body = [4];
    while (body.length < 15) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const digit = (state >>> 16) % 10;
      if (digit !== body.at(-1)) body.push(digit);
    }
    const sum = body.reduce((all, digit, at) => {
      const weighed = at % 2 === 0 ? digit * 2 : digit;
      return all + (weighed > 9 ? weighed - 9 : weighed);
    }, 0);
    const check = (10 - (sum % 10)) % 10;
    if (check !== body.at(-1)) return [...body, check].join('');
  }
}
