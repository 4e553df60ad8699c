/**
 * Grammatical endings by language, so that "refund" also finds "refunds" and "refunded". Owns the tables and nothing else. Only inflection (number,
 * case, person, tense), never derivation: "custom" must not find "customer". The word of a rule is the basic form, at least four letters long:
 * shorter words have too many neighbours. Vowels that change ("sing", "sang") and prefixes ("ge-") are not covered: the rule names them, or uses "*".
 */

export const languages = ['de', 'en', 'es', 'fr'] as const;
export type Language = (typeof languages)[number];

/** Without accents: words are compared without. */
interface Endings {
  /** May follow the word. */
  readonly after: readonly string[];
  /** May take the place of the word's own ending. */
  readonly instead: readonly (readonly [own: RegExp, endings: readonly string[]])[];
}

const fewestLetters = 4;

const tables: Readonly<Record<Language, Endings>> = {
  en: {
    after: ['s', 'es', 'ed', 'd', 'ing'],
    instead: [
      [/(?<=[^aeiou])y$/, ['ies', 'ied']],
      [/e$/, ['ing']],
    ],
  },
  de: {
    after: ['e', 'en', 'n', 'er', 'es', 'em', 's', 't', 'te', 'st'],
    instead: [
      [/en$/, ['e', 'st', 't', 'te', 'ten', 'test', 'tet', 'et', 'end']],
      [/e$/, ['er', 'es', 'em']],
    ],
  },
  es: {
    after: ['s', 'es', 'a', 'as', 'os'],
    instead: [
      [/ar$/, ['o', 'as', 'a', 'amos', 'ais', 'an', 'e', 'aron', 'ado', 'ada', 'ando', 'aba', 'are', 'ara', 'en']],
      [/[ei]r$/, ['o', 'es', 'e', 'emos', 'imos', 'en', 'i', 'io', 'ieron', 'ido', 'ida', 'iendo', 'ia', 'a', 'an']],
      [/o$/, ['a', 'as', 'os']],
      [/z$/, ['ces']],
    ],
  },
  fr: {
    after: ['s', 'e', 'es', 'x', 'ent'],
    instead: [
      [/er$/, ['e', 'es', 'ons', 'ez', 'ent', 'ee', 'ees', 'ait', 'ais', 'aient', 'era', 'erai', 'ant']],
      [/re$/, ['s', 't', 'ons', 'ez', 'ent', 'u', 'ue', 'us', 'ait', 'ais', 'ra', 'rai']],
      [/al$/, ['aux']],
    ],
  },
};

/** Whether `heard` is `word` with another ending. Both folded (`words.ts`). */
export function isInflected(word: string, heard: string, language: Language): boolean {
  if (word.length < fewestLetters || heard.length < fewestLetters) return false;
  const { after, instead } = tables[language];
  if (heard.startsWith(word)) {
    const rest = heard.slice(word.length);
    // "cancel", "cancelled"
    const last = word.at(-1) ?? '';
    if (after.includes(rest)) return true;
    if (language === 'en' && /[^aeiouwxy]/.test(last) && (rest === `${last}ed` || rest === `${last}ing`)) return true;
  }
  return instead.some(([own, endings]) => {
    const stem = word.replace(own, '');
    return (
      stem !== word &&
      stem.length >= fewestLetters - 1 &&
      heard.startsWith(stem) &&
      endings.includes(heard.slice(stem.length))
    );
  });
}
