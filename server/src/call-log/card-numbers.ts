/**
 * Card numbers that somebody types into a note: removed before the note reaches the store, the CRM, a webhook or a log. Owns what looks like a
 * card (ISO/IEC 7812: a scheme's first digits, its length, the check digit of Luhn) and a security code beside it (PCI DSS 4.0 requirements 3.3
 * and 3.4: the code is never kept, of a number the last four digits may stay). Must leave telephone numbers alone: they are what notes are for.
 */
import type { WireEvent } from '@patchcord/call-protocol';

/** First digits and lengths of the schemes in use. Thirteen digits and fewer are left out: no scheme issues them, and telephones have them. */
const schemes: readonly { readonly first: RegExp; readonly lengths: readonly number[] }[] = [
  // Visa
  { first: /^4/, lengths: [16, 18, 19] },
  // Mastercard, Maestro
  { first: /^(?:5[0-9]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|6[0-9])/, lengths: [16, 17, 18, 19] },
  // American Express
  { first: /^3[47]/, lengths: [15] },
  // Diners Club
  { first: /^3(?:0[0-59]|[689])/, lengths: [14, 16, 17, 18, 19] },
  // JCB, Mir, UnionPay and RuPay beyond 60-69, Troy
  { first: /^(?:35(?:2[89]|[3-8])|220[0-4]|8[12]|9792)/, lengths: [16, 17, 18, 19] },
];
const longest = 19;
const shortest = 14;

/** Digits in any of the scripts people type them in, with what stands between groups of them. */
const digitRun = /(?<![\p{L}\p{Nd}_])\+?\p{Nd}(?:[\s.·/_–-]{0,3}\p{Nd}){13,}(?![\p{L}\p{Nd}_])/gu;
const securityCode =
  /\b(cvv2?|cvc2?|cvn|cid|csc|security code|card verification(?: value| code)?|Prüfziffer|Prüfnummer|cryptogramme|código de seguridad)(\P{Nd}{0,12})(?<!\p{Nd})\p{Nd}{3,4}(?!\p{Nd})/giu;

/** A text without card numbers and security codes: `[card …1111]`, `CVV [removed]`. */
export function redactCards(text: string): string {
  return text.replace(digitRun, redactRun).replace(securityCode, '$1$2[removed]');
}

/** An event whose note, if it has one, holds no card. */
export function withoutCards(event: WireEvent): WireEvent {
  const { note } = event.data as { readonly note?: unknown };
  return typeof note === 'string'
    ? ({ ...event, data: { ...event.data, note: redactCards(note) } } as WireEvent)
    : event;
}

/** A run may hold more than a card: a date before it, its expiry and code behind it, another card. Cards begin and end where a group does. */
function redactRun(run: string): string {
  const digits = [...run.matchAll(/\p{Nd}/gu)].map(([text], index, all) => ({
    at: all[index]?.index ?? 0,
    length: text.length,
    value: digitValue(text),
  }));
  const beginsGroup = (index: number): boolean => {
    const before = digits[index - 1];
    return before === undefined || before.at + before.length !== digits[index]?.at;
  };
  let redacted = '';
  let kept = 0;
  // An international telephone number begins with "+"; a card never does.
  let start = run.startsWith('+') ? 1 : 0;
  while (start + shortest <= digits.length) {
    const card = beginsGroup(start) ? cardAt(digits, start, beginsGroup) : 0;
    const first = digits[start];
    const last = digits[start + card - 1];
    if (card === 0 || first === undefined || last === undefined) {
      start += 1;
      continue;
    }
    const four = digits.slice(start + card - 4, start + card).map(({ value }) => value);
    redacted += `${run.slice(kept, first.at)}[card …${four.join('')}]`;
    kept = last.at + last.length;
    start += card;
  }
  const rest = run.slice(kept);
  // Three or four digits at the end, behind a card and its date, are its code.
  return redacted + (kept === 0 ? rest : rest.replace(/(?<=^|\P{Nd})\p{Nd}{3,4}$/u, '[removed]'));
}

/**
 * Cards among digits that follow each other, whatever stood between them: where each begins and how long it is.
 * @param begins Whether a card may begin at this digit, or end before it
 */
export function cardsAmong(
  digits: readonly number[],
  begins: (index: number) => boolean,
): readonly { readonly start: number; readonly length: number }[] {
  const values = digits.map((value) => ({ value }));
  const found: { start: number; length: number }[] = [];
  for (let start = 0; start + shortest <= digits.length; ) {
    const length = begins(start) ? cardAt(values, start, begins) : 0;
    if (length > 0) found.push({ start, length });
    start += Math.max(1, length);
  }
  return found;
}

/** Whether digits begin as a card's do, long enough to tell it from other numbers. */
export function beginsAsCard(digits: readonly number[]): boolean {
  const text = digits.join('');
  return schemes.some(({ first }) => first.test(text));
}

/** How many digits the card has that begins here; 0 for none. The longest is taken: rather a date too much than a digit too little. */
function cardAt(
  digits: readonly { readonly value: number }[],
  start: number,
  beginsGroup: (index: number) => boolean,
): number {
  for (let length = Math.min(longest, digits.length - start); length >= shortest; length -= 1) {
    const end = start + length;
    if (end < digits.length && !beginsGroup(end)) continue;
    if (isCard(digits.slice(start, end).map(({ value }) => value))) return length;
  }
  return 0;
}

function isCard(digits: readonly number[]): boolean {
  const text = digits.join('');
  return luhn(digits) && schemes.some(({ first, lengths }) => lengths.includes(digits.length) && first.test(text));
}

/** ISO/IEC 7812-1 annex B. */
function luhn(digits: readonly number[]): boolean {
  let sum = 0;
  for (const [index, digit] of [...digits].reverse().entries()) {
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Every script has its ten digits in a row that begins at a multiple of sixteen, or six beyond one. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  const low = code & 0xf;
  return low >= 6 && code > 0x39 ? low - 6 : low;
}
