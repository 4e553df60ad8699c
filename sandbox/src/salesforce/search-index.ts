/**
 * Owns what the search index of the emulated org makes of a text, and when a search term meets it. A phone field is indexed by its words, and
 * by its digits with the punctuation looked through; country codes and trunk zeros are part of the digits and are never bridged (the Salesforce
 * contract, section 3.4). Where an org's index is not documented (slashes between numbers, digits of other scripts) the sandbox finds rather
 * than misses, because what it finds is checked again. Must never decide whether two numbers are the same.
 */

export interface Indexed {
  /** Letters and digits between everything else, lower case, in their order. */
  readonly words: readonly string[];
  /** Digits with the punctuation looked through: of the whole text, and of each stretch without letters. */
  readonly numbers: readonly string[];
}

/** One term of a search: `*` and `?` that stand for something are wildcards, everything else is text. */
export interface Term {
  readonly characters: readonly { readonly text: string; readonly wildcard: boolean }[];
}

export function indexed(text: string): Indexed {
  const folded = asciiDigits(text).toLowerCase();
  const stretches = folded.split(/[\p{L}/,;|]+/u).map(digitsOf);
  return {
    words: folded.match(/[\p{L}\d]+/gu) ?? [],
    numbers: [digitsOf(folded), ...stretches].filter((number) => number !== ''),
  };
}

/** Whether a term finds a text: one of its words, one of its numbers, or, for a phrase, its words side by side. */
export function meets({ words, numbers }: Indexed, term: Term): boolean {
  const plain = term.characters.map(({ text }) => asciiDigits(text)).join('');
  const parts = split(term);
  const isNumber = !/\p{L}/u.test(plain);
  if (isNumber) {
    const whole = pattern(term.characters.filter(({ text, wildcard }) => wildcard || /\d/.test(asciiDigits(text))));
    if (numbers.some((number) => whole.test(number))) return true;
  }
  if (parts.length === 0) return false;
  return words.some((_, start) => parts.every((part, offset) => part.test(words[start + offset] ?? '')));
}

/** The words of a term, each as a pattern. */
function split(term: Term): readonly RegExp[] {
  const parts: (readonly { text: string; wildcard: boolean }[])[] = [];
  let part: { text: string; wildcard: boolean }[] = [];
  for (const character of term.characters) {
    if (character.wildcard || /[\p{L}\p{Nd}]/u.test(character.text)) part.push(character);
    else if (part.length > 0) {
      parts.push(part);
      part = [];
    }
  }
  if (part.length > 0) parts.push(part);
  return parts.map(pattern);
}

function pattern(characters: readonly { readonly text: string; readonly wildcard: boolean }[]): RegExp {
  const source = characters.map(({ text, wildcard }) =>
    wildcard
      ? text === '*'
        ? '.*'
        : '.'
      : asciiDigits(text)
          .toLowerCase()
          .replace(/[^\p{L}\d]/gu, '\\$&'),
  );
  return new RegExp(`^${source.join('')}$`, 'u');
}

function digitsOf(text: string): string {
  return text.replace(/\D/g, '');
}

/** Digits of any script as ASCII: every decimal digit of Unicode stands nine places at most behind its zero. */
function asciiDigits(text: string): string {
  return text.normalize('NFKC').replace(/\p{Nd}/gu, (digit) => {
    if (/\d/.test(digit)) return digit;
    let value = 0;
    const code = digit.codePointAt(0) ?? 0;
    while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
    return String(value);
  });
}
