/** Card and telephone numbers made up for tests: no real ones. Owns how people write them. */
import { getCountries, getCountryCallingCode, getExampleNumber } from 'libphonenumber-js';
import examples from 'libphonenumber-js/mobile/examples';

/** A small seeded generator (mulberry32): the same seed, the same samples. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const schemes: readonly (readonly [first: string, length: number])[] = [
  ['4', 16],
  ['4', 19],
  ['51', 16],
  ['55', 16],
  ['2221', 16],
  ['2719', 16],
  ['34', 15],
  ['37', 15],
  ['6011', 16],
  ['65', 16],
  ['36', 14],
  ['3528', 16],
  ['3589', 16],
  ['62', 16],
  ['6304', 18],
  ['2200', 16],
  ['81', 16],
];

/** Valid numbers of every scheme, written as people write them. */
export function cardNumbers(
  count: number,
  seed: number,
): readonly { readonly digits: string; readonly text: string }[] {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  return Array.from({ length: count }, () => {
    const [first, length] = pick(schemes);
    let body: string = first;
    while (body.length < length - 1) body += Math.floor(random() * 10);
    const digits = body + checkDigit(body);
    const groups = length === 15 ? [4, 6, 5] : length === 14 ? [4, 6, 4] : [4, 4, 4, 4, 4];
    const between = pick(['', '', ' ', '-', '.', ' - ', '\u00a0']);
    const parts: string[] = [];
    for (let at = 0, group = 0; at < digits.length; group += 1) {
      parts.push(digits.slice(at, at + (groups[group] ?? 4)));
      at += groups[group] ?? 4;
    }
    return { digits, text: parts.join(between) };
  });
}

/** Telephone numbers of every country: in E.164, national, with an exit code, with an extension. */
export function phoneNumbers(count: number, seed: number): readonly string[] {
  const random = seeded(seed);
  const countries = getCountries();
  return Array.from({ length: count }, () => {
    const country = countries[Math.floor(random() * countries.length)] as (typeof countries)[number];
    const national = getExampleNumber(country, examples)?.nationalNumber ?? '4155550101';
    // The example's length and first digits, its last digits at random.
    const kept = national.slice(0, Math.max(3, national.length - 6));
    const changed =
      kept + Array.from({ length: national.length - kept.length }, () => Math.floor(random() * 10)).join('');
    const code = getCountryCallingCode(country);
    const grouped = changed.replace(/(\d{3})(?=\d)/g, '$1 ');
    const forms = [
      `+${code}${changed}`,
      `+${code} ${grouped}`,
      `00${code} ${grouped}`,
      `${code}${changed}`,
      `0${grouped}`,
      `011 ${code} ${grouped}`,
      `+${code} ${grouped} ext 1234`,
    ];
    return forms[Math.floor(random() * forms.length)] as string;
  });
}

function checkDigit(body: string): number {
  let sum = 0;
  for (const [index, digit] of [...body].reverse().entries()) {
    const doubled = index % 2 === 0 ? Number(digit) * 2 : Number(digit);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return (10 - (sum % 10)) % 10;
}
