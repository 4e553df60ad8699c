/** Looks for a number in bytes, however it is written there: for tests of what must be nowhere. Owns the forms; knows nobody who stores. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Digits in a row that nobody may find: more than stay for a person to know their card by, fewer than chance puts together. */
const together = 8;

export interface Place {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Every file below a folder, as it is on disk now. */
export function filesIn(folder: string): readonly Place[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, bytes: readFileSync(name) }));
}

/** Where a text is, as it is. */
export const holding = (places: readonly Place[], text: string): readonly string[] =>
  places.filter(({ bytes }) => bytes.includes(text)).map(({ name }) => name);

/**
 * Where any eight digits of a number are that stand together in it, but its last four: as numerals, with blanks or signs between, as words, and all of
 * that in base64 (wherever it began), in hexadecimal and in UTF-16.
 */
export function digitsIn(
  places: readonly Place[],
  number: string,
  inWords: (number: string) => readonly string[],
): readonly string[] {
  const windows = Array.from({ length: number.length - 4 - together + 1 }, (_, at) => number.slice(at, at + together));
  const found: string[] = [];
  for (const { name, bytes } of places) {
    const text = bytes.toString('latin1');
    for (const digits of windows) {
      const separated = new RegExp([...digits].join('[ ._-]{0,2}'));
      const words = inWords(digits);
      const spoken = new RegExp(words.join('[^a-z0-9]{1,3}'), 'i');
      if (separated.test(text)) found.push(`${digits} in ${name}`);
      if (spoken.test(text)) found.push(`${words.join(' ')} in ${name}`);
      for (const plain of [digits, [...digits].join(' '), words.join(' ')])
        if (encoded(plain).some((form) => text.includes(form))) found.push(`${plain}, encoded, in ${name}`);
    }
  }
  return found;
}

function encoded(plain: string): readonly string[] {
  const bytes = Buffer.from(plain);
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].flatMap((before) => {
    // the characters at both ends hold bits of their neighbours
    const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    const inner = whole.slice(before === 0 ? 0 : before + 1, (bytes.length + before) % 3 === 0 ? whole.length : -1);
    return [inner, inner.replaceAll('-', '+').replaceAll('_', '/')];
  });
  const wide = Buffer.from(plain, 'utf16le').toString('latin1');
  return [hex, hex.toUpperCase(), ...base64, wide];
}
