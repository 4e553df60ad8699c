/**
 * Cards in digits that were said: one after the other, with words in between, over several lines, with a digit misheard. Owns which digits are told,
 * and what stands in their place. Pure; must know no line but by its name.
 */
import { beginsAsCard, cardsAmong } from '../call-log/card-numbers.ts';

/** Words between two digits of one number: "four one one one, then, uh, one one one one". */
export const mostBetween = 3;
/** A number of so many digits that begins as a card and is none: one of them was misheard. */
const misheard = { fewest: 14, most: 19 };

export const hidden = '…';
export const digitsRemoved = '[digits]';

/** The line that a digit stands in, as its owner has it. */
export type SaidIn = object;

/** A digit as it was said, perhaps over several lines. */
export interface Digit {
  readonly value: number;
  readonly begins: boolean;
  /** Words since the digit before. */
  readonly wordsBefore: number;
  /** Null: in a line that was told before anybody knew. */
  readonly line: SaidIn | null;
  readonly start: number;
  readonly end: number;
}

/** What is told in the place of a digit. */
export type Covered = ReadonlyMap<Digit, string>;

/** Digits that are a card's: its last four are shown, unless some of it was told before. */
export function coveredBy(digits: readonly Digit[]): Covered {
  const covered = new Map<Digit, string>();
  for (const run of runsOf(digits)) {
    // A digit alone between words may be none of the number: "one moment".
    const sure = run.filter((digit, at) => at === 0 || digit.wordsBefore === 0 || run[at + 1]?.wordsBefore === 0);
    for (const tried of sure.length === run.length ? [run] : [run, sure]) {
      const begins = (index: number): boolean => tried[index]?.begins ?? true;
      for (const { start, length } of cardsAmong(
        tried.map(({ value }) => value),
        begins,
      )) {
        const card = tried.slice(start, start + length);
        if (card.some((digit) => covered.has(digit))) continue;
        const isWhole = card.every(({ line }) => line !== null);
        const four = card.slice(-4).map(({ value }) => value);
        for (const digit of card) covered.set(digit, isWhole ? `[card ${hidden}${four.join('')}]` : '[card]');
      }
    }
    for (const part of runsOf(run, 0)) {
      const { fewest, most } = misheard;
      if (part.length < fewest || part.length > most || !looksLikeCard(part)) continue;
      for (const digit of part) if (!covered.has(digit)) covered.set(digit, digitsRemoved);
    }
  }
  return covered;
}

/** Digits that may be one number. */
function runsOf(digits: readonly Digit[], between = mostBetween): readonly (readonly Digit[])[] {
  const runs: Digit[][] = [];
  for (const digit of digits) {
    const run = runs.at(-1);
    if (run === undefined || digit.wordsBefore > between) runs.push([digit]);
    else run.push(digit);
  }
  return runs;
}

/** Whether these are the first digits of a card, as far as they go. */
export function looksLikeCard(digits: readonly Digit[]): boolean {
  const [first] = digits;
  return first?.begins === true && beginsAsCard(digits.map(({ value }) => value));
}
