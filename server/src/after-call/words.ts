/**
 * Words as they are compared: of a line that was heard, and of a phrase that a rule looks for. Owns what counts as the same word. Pure. Must never
 * find a word inside what was taken out of a line: "[card …1111]" is no talk of a card.
 */
import { isInflected, type Language } from './endings.ts';

/** Letters that carry a stroke or are two in one: no accent that could be taken off. */
const plainLetters: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
  ς: 'σ',
};
/** Accents of Latin, Greek and Cyrillic letters; vowel points of Hebrew and Arabic, which are seldom written. Other scripts keep their marks. */
const accents = /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]/g;
/** What stands for words that were taken out, a word, or one character of a script that writes no blanks between words. */
const token =
  /\[[^\]\n]{0,120}\]|[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]|(?:(?![\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}])[\p{L}\p{M}\p{N}])+/gu;
/** Equal to no word. */
const takenOut = '[]';
/** Words that a lone "*" in a phrase stands for, at most. */
const widestGap = 3;
/** Each multiplies the ways in which a phrase may lie. */
const mostGaps = 4;

/** One spelling for capitals, accents and kinds of the same letter. */
export function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFKD')
    .replace(accents, '')
    .normalize('NFC')
    .replace(/[ßæœøłđðþıς]/g, (letter) => plainLetters[letter] ?? letter);
}

/** The words of a line, folded, in order. "don't" is one word, "l'appel" are two. */
export function wordsOf(text: string): readonly string[] {
  const joined = folded(text).replace(/['’](?=\p{L}{1,2}(?!\p{L}))/gu, '');
  return (joined.match(token) ?? []).map((word) => (word.startsWith('[') ? takenOut : word));
}

/** A word of a phrase. `open`: words that begin so. */
type PhraseWord = { readonly gap: false; readonly word: string; readonly open: boolean } | { readonly gap: true };
export type Phrase = readonly PhraseWord[];

/** A phrase as a rule writes it: words, "word*" for whatever begins so, a lone "*" for none to three words. Null where it can't be looked for. */
export function readPhrase(text: string): Phrase | null {
  const phrase = text
    .split(/\s+/)
    .filter((part) => part !== '')
    .flatMap((part): PhraseWord[] => {
      if (part === '*') return [{ gap: true }];
      const words = wordsOf(part);
      const open = part.endsWith('*');
      return words.map((word, index) => ({ gap: false, word, open: open && index === words.length - 1 }));
    });
  const hasWords = phrase.some((one) => !one.gap && one.word !== takenOut);
  const ends = [phrase[0], phrase.at(-1)];
  const gaps = phrase.filter(({ gap }) => gap).length;
  return hasWords && gaps <= mostGaps && ends.every((one) => one?.gap === false) ? phrase : null;
}

/** How many words a phrase spans at most. */
export function reachOf(phrase: Phrase): number {
  return phrase.reduce((sum, { gap }) => sum + (gap ? widestGap : 1), 0);
}

/** Where a phrase stands among words, first to beyond last; the first place that ends after `after`. Null where there is none. */
export function placeOf(
  phrase: Phrase,
  words: readonly string[],
  after: number,
  language: Language | undefined,
): { readonly from: number; readonly to: number } | null {
  for (let from = 0; from < words.length; from += 1) {
    const to = endOf(phrase, 0, words, from, after, language);
    if (to !== null) return { from, to };
  }
  return null;
}

function endOf(
  phrase: Phrase,
  index: number,
  words: readonly string[],
  at: number,
  after: number,
  language: Language | undefined,
): number | null {
  const part = phrase[index];
  if (part === undefined) return at > after ? at : null;
  if (part.gap) {
    for (let skipped = 0; skipped <= widestGap; skipped += 1) {
      const end = endOf(phrase, index + 1, words, at + skipped, after, language);
      if (end !== null) return end;
    }
    return null;
  }
  const word = words[at];
  return word !== undefined && fits(part, word, language)
    ? endOf(phrase, index + 1, words, at + 1, after, language)
    : null;
}

function fits(
  { word, open }: { readonly word: string; readonly open: boolean },
  heard: string,
  language: Language | undefined,
): boolean {
  if (heard === takenOut) return false;
  if (heard === word || (open && heard.startsWith(word))) return true;
  return language !== undefined && isInflected(word, heard, language);
}
