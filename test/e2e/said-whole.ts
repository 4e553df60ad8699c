/**
 * What was said in a call against what everybody read of it. Owns how a busy processor is told from a word that got lost on its way: it tears a syllable
 * now and then in the browser or at the far side, before anybody could hear it. Must never make up for more than that.
 */
import { expect } from 'vitest';
import { patience, type Words } from './spoken-calls.ts';

/** Of a whole text of one side. */
const mostTorn = 2;
const mostCalls = 3;
const sides = ['agent', 'far-side'] as const;

/** Levenshtein's distance of what is left of both texts, from each pair of words on. */
function distances(text: readonly string[], read: readonly string[]): readonly (readonly number[])[] {
  const rows: number[][] = [];
  for (let said = text.length; said >= 0; said -= 1) {
    const row: number[] = [];
    const below = rows[said + 1];
    for (let at = read.length; at >= 0; at -= 1) {
      const added = row[at + 1] ?? Number.POSITIVE_INFINITY;
      const missed = below?.[at] ?? Number.POSITIVE_INFINITY;
      const other = (below?.[at + 1] ?? Number.POSITIVE_INFINITY) + (text[said] === read[at] ? 0 : 1);
      row[at] = said === text.length && at === read.length ? 0 : Math.min(added + 1, missed + 1, other);
    }
    rows[said] = row;
  }
  return rows;
}

/** How what was read differs from the text: one stretch that is missing, words, and every other difference. */
export function comparedWith(
  text: readonly string[],
  read: readonly string[],
): { readonly missing: number; readonly misheard: number } {
  const after = distances(text, read);
  const before = distances(text.toReversed(), read.toReversed());
  let best = { missing: 0, misheard: Number.POSITIVE_INFINITY };
  for (let at = 0; at <= read.length; at += 1)
    for (let from = 0; from <= text.length; from += 1)
      for (let to = from; to <= text.length; to += 1) {
        const misheard = (before[text.length - from]?.[read.length - at] ?? 0) + (after[to]?.[at] ?? 0);
        if (misheard < best.misheard) best = { missing: to - from, misheard };
      }
  return best;
}

const torn = (text: Words, read: Words): number =>
  Math.max(...sides.map((side) => distances(text[side].split(' '), read[side].split(' '))[0]?.[0] ?? 0));

/**
 * What stands there once all of the text does, or all but what was torn. @throws AssertionError when more than that is missing for {@link patience}
 * @param reads looked at again and again
 */
export async function wordsOnceSaid(text: Words, reads: () => Promise<Words> | Words): Promise<Words> {
  let read = await reads();
  const until = Date.now() + patience;
  // Words may still be on their way.
  let [nearly, nearlySince] = ['', 0];
  while (torn(text, read) > 0) {
    const now = JSON.stringify(read);
    if (torn(text, read) > mostTorn || now !== nearly) [nearly, nearlySince] = [now, Date.now()];
    else if (Date.now() - nearlySince > patience / 4) break;
    if (Date.now() > until) expect(read).toEqual(text);
    await new Promise((resolve) => setTimeout(resolve, 200));
    read = await reads();
  }
  return read;
}

/**
 * Makes the call again, twice at most, while a syllable of it was torn: one of them must be whole.
 * @param make one call from its beginning to its end; resolves to what was read, the same everywhere, which it has seen to itself
 */
export async function untilWhole(text: Words, make: () => Promise<Words>): Promise<void> {
  for (let calls = 1; ; calls += 1) {
    const read = await make();
    if (torn(text, read) === 0) return;
    if (calls === mostCalls) expect(read).toEqual(text);
  }
}
