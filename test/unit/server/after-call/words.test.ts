import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isInflected, languages } from '../../../../server/src/after-call/endings.ts';
import { placeOf, readPhrase, wordsOf } from '../../../../server/src/after-call/words.ts';

function isIn(phrase: string, line: string, language?: (typeof languages)[number]): boolean {
  const read = readPhrase(phrase);
  if (read === null) throw new Error(`"${phrase}" can't be looked for`);
  return placeOf(read, wordsOf(line), 0, language) !== null;
}

describe('a phrase is found', () => {
  it.each([
    ['whatever the capitals', 'This call is Recorded', 'THIS CALL IS RECORDED.'],
    ['whatever the accents', 'resiliation', 'Je demande la résiliation'],
    ['with accents in the rule and none in the line', 'Kündigung', 'eine kundigung bitte'],
    ['in letters without a plain form of their own', 'Straße 5 øre', 'die STRASSE 5 ore'],
    ['across punctuation', 'yes please', 'Well, yes – please!'],
    ['with a final sigma', 'λόγος', 'ΛΟΓΟΣ'],
    ['with a Turkish dotless i', 'ısınma', 'ISINMA ısınma'],
    ['with either apostrophe', "don't call", 'Please don’t call me'],
    ['behind an elision', 'accord', 'c’est l’accord final'],
    ['in a script without blanks', '录音', '这个电话会被录音的'],
    ['with Arabic vowel points', 'تسجيل', 'تَسْجِيل'],
    ['with any ending, where the rule says so', 'cancel*', 'the cancellation'],
    ['with a few words between', 'call * recorded', 'this call is being recorded'],
    ['with no word between', 'call * recorded', 'this call recorded'],
  ])('%s', (_what, phrase, line) => {
    expect(isIn(phrase, line)).toBe(true);
  });
});

describe('a phrase is not found', () => {
  it.each([
    ['inside another word', 'record', 'recorder'],
    ['in another order', 'recorded call', 'call recorded'],
    ['with too many words between', 'call * recorded', 'call one two three four recorded'],
    ['with another word between, unless the rule allows it', 'call recorded', 'call being recorded'],
    ['in what was taken out of a line', 'card', 'it is [card …1111], thanks'],
    ['across what was taken out', 'is thanks', 'it is [card …1111] thanks'],
    ['as another Japanese sound', 'か', 'が'],
    ['with an ending, when no language is given', 'refund', 'refunds'],
  ])('%s', (_what, phrase, line) => {
    expect(isIn(phrase, line)).toBe(false);
  });
});

it.each([
  ['en', 'refund', ['refunds', 'refunded', 'refunding']],
  ['en', 'cancel', ['cancelled', 'canceled', 'cancelling']],
  ['en', 'charge', ['charges', 'charged', 'charging']],
  ['en', 'policy', ['policies']],
  ['de', 'kündigen', ['kündige', 'kündigst', 'kündigt', 'kündigte', 'kündigten']],
  ['de', 'Vertrag', ['Vertrags', 'Vertrages', 'Vertrage']],
  ['es', 'cancelar', ['cancelo', 'cancela', 'cancelado', 'cancelando']],
  ['fr', 'annuler', ['annule', 'annulez', 'annulé', 'annulée']],
] as const)('%s: %s is also meant by its grammatical forms', (language, word, forms) => {
  for (const form of forms) expect([form, isIn(word, form, language)]).toEqual([form, true]);
});

it.each([
  ['en', 'custom', 'customer'],
  ['en', 'contract', 'contractor'],
  ['en', 'contract', 'contrast'],
  ['en', 'card', 'cardiac'],
  ['en', 'sue', 'sued'],
  ['de', 'Kunde', 'kundig'],
  ['de', 'Rate', 'Ratgeber'],
  ['fr', 'compte', 'compteur'],
] as const)('%s: %s is not meant by %s', (language, word, other) => {
  expect(isIn(word, other, language)).toBe(false);
});

it('refuses what can’t be looked for, and what could be looked for for ever', () => {
  for (const text of ['', '  ', '*', '…!', '* word', 'word *', '[card]', 'a * b * c * d * e * f'])
    expect(readPhrase(text)).toBeNull();
  expect(readPhrase('a * b * c * d * e')).not.toBeNull();
});

it('takes any line, finds every phrase in itself, and never finds one that is inflected only by itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.constantFrom(...languages), (text, language) => {
      const phrase = readPhrase(text.replace(/[*[\]]/g, ' '));
      if (phrase === null) return;
      expect(placeOf(phrase, wordsOf(text.replace(/[*[\]]/g, ' ')), 0, language)).not.toBeNull();
      for (const word of wordsOf(text)) expect(isInflected(word, word, language)).toBe(false);
    }),
    { numRuns: 500 },
  );
});

it('looks at the longest line with the widest phrases within a moment’s work', () => {
  const phrase = readPhrase('a * a * a * a * b');
  if (phrase === null) throw new Error();
  // 4 ways at each of 4 gaps from each of 2,000 places; without the limit on gaps it would never end.
  expect(placeOf(phrase, wordsOf('a '.repeat(2_000)), 0, undefined)).toBeNull();
});
