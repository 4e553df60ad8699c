/**
 * What a customer wants taken out of transcripts besides card numbers, as shapes: `#` is a digit, `@` a letter, everything else itself; blanks and
 * hyphens are left out in comparing, digits may be spoken. Owns that language. It is no regular expression on purpose: a shape has one length, so
 * that no text makes it slow.
 */
import type { Spoken } from './spoken-digits.ts';

const longest = 64;
/** A shape this long is begun when the end of an unfinished line looks like so much of it. */
const begunWith = 3;

/** What is wrong with a shape, for whoever wrote it; null: nothing. */
export function shapeProblem(shape: string): string | null {
  const elements = elementsOf(shape);
  if (shape.length > longest) return `must not be longer than ${longest} characters`;
  if (/[^\p{L}\p{Nd}#@ ./_-]/u.test(shape)) {
    return 'must be a shape: "#" is a digit, "@" a letter; besides these only letters, digits, blanks and - . / _';
  }
  if (elements.length < 4) return 'is too short: a shape needs four characters at least';
  return null;
}

/** Finds shapes in a line. Spans are of its text. */
export interface Shapes {
  in(text: string, spoken: readonly Spoken[]): readonly Span[];
  /** Where something begins at the end of the text that may become one. */
  begunIn(text: string, spoken: readonly Spoken[]): Span | null;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** @param shapes Each without a problem */
export function compileShapes(shapes: readonly string[]): Shapes {
  if (shapes.length === 0) return { in: () => [], begunIn: () => null };
  const compiled = shapes.map((shape) => {
    const elements = elementsOf(shape);
    const first = elements[0] ?? '';
    const last = elements.at(-1) ?? '';
    const whole = new RegExp(`${before(first)}${elements.join(' ?')}${behind(last)}`, 'giu');
    const [head, tail] = [elements.slice(0, begunWith), elements.slice(begunWith)];
    const more = tail.reduceRight((rest, element) => `(?: ?${element}${rest})?`, '');
    return { whole, begun: new RegExp(`${before(first)}${head.join(' ?')}${more} ?$`, 'iu') };
  });
  return {
    in: (text, spoken) => {
      const plain = plainOf(text, spoken);
      return compiled.flatMap(({ whole }) =>
        [...plain.text.matchAll(whole)].map(({ 0: found, index }) => plain.span(index, index + found.length)),
      );
    },
    begunIn: (text, spoken) => {
      const plain = plainOf(text, spoken);
      for (const { begun } of compiled) {
        const found = begun.exec(plain.text);
        if (found !== null) return plain.span(found.index, plain.text.trimEnd().length);
      }
      return null;
    },
  };
}

/** Each as a piece of a regular expression that takes exactly one character. */
function elementsOf(shape: string): readonly string[] {
  return [...shape]
    .filter((character) => !/[ ./_-]/.test(character))
    .map((character) =>
      character === '#' ? '[0-9]' : character === '@' ? '\\p{L}' : character.replace(/[^\p{L}\p{Nd}]/u, '\\$&'),
    );
}

const before = (element: string): string => (element === '[0-9]' ? '(?<![0-9] ?)' : '(?<![\\p{L}0-9])');
const behind = (element: string): string => (element === '[0-9]' ? '(?! ?[0-9])' : '(?![\\p{L}0-9])');

/** The text with its digits as digits and one blank for whatever stands between; knows where each character came from. */
function plainOf(
  text: string,
  spoken: readonly Spoken[],
): { readonly text: string; span(start: number, end: number): Span } {
  let plain = '';
  const from: Span[] = [];
  let end = 0;
  for (const one of spoken) {
    if (one.start > end && plain !== '') {
      plain += ' ';
      from.push({ start: end, end: one.start });
    }
    if (one.digit === null) {
      for (let at = one.start; at < one.end; at += 1) {
        plain += text[at] ?? '';
        from.push({ start: at, end: at + 1 });
      }
    } else {
      plain += String(one.digit);
      from.push({ start: one.start, end: one.end });
    }
    end = Math.max(end, one.end);
  }
  return {
    text: plain,
    span: (first, last) => ({ start: from[first]?.start ?? 0, end: from[last - 1]?.end ?? text.length }),
  };
}
