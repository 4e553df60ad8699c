/** Card numbers, their codes and customers' shapes in transcripts: what is told while they are said, and what stays. */
import type { TranscriptLine } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallRedaction, type Redacted } from '../../../server/src/transcripts/redaction.ts';
import { shapeProblem } from '../../../server/src/transcripts/shapes.ts';
import { cardNumbers, phoneNumbers, seeded } from '../../attack/card-samples.ts';

type Change = Partial<TranscriptLine>;
const line = (number: number, text: string, change: Change = {}): TranscriptLine => ({
  line: number,
  speaker: 'far-side',
  text,
  startMs: number * 2_000,
  endMs: number * 2_000 + 1_500,
  final: true,
  ...change,
});

/** Says lines to the end of the call; the last word on each. */
function said(texts: readonly string[], language = 'en', shapes: readonly string[] = []): readonly string[] {
  const redaction = new CallRedaction(language, shapes);
  const told = texts.flatMap((text, index) => redaction.take(line(index, text), index));
  return lastWords([...told, ...redaction.release()]);
}

function lastWords(told: readonly Redacted[]): readonly string[] {
  const last = new Map<number, string>();
  for (const { line: one } of told) last.set(one.line, one.text);
  return [...last].sort(([a], [b]) => a - b).map(([, text]) => text);
}

const digitsIn = (texts: readonly string[]): string => texts.join(' ').replace(/\D/g, '');
const english = 'zero one two three four five six seven eight nine'.split(' ');

describe('a card number', () => {
  it('is taken out as numerals, but for its last four', () => {
    expect(said(['it is 4111 1111 1111 1111, thank you so much'])).toEqual(['it is [card …1111], thank you so much']);
  });

  it.each([
    ['en', 'four one one one one one one one one one one one one one one one'],
    ['en', 'four triple one, double one double one, double one, double one, uh, one one one, one'],
    ['en', 'forty-one eleven eleven eleven eleven eleven eleven eleven'],
    ['en-GB', 'four one one one and then one one one one okay one one one one one one one one'],
    ['de', 'vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins'],
    ['de-DE', 'einundvierzig elf elf elf elf elf elf elf'],
    ['fr', 'quarante et un onze onze onze onze onze onze onze'],
    ['fr-FR', 'quatre un un un un un un un un un un un un un un un'],
    ['es', 'cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno'],
    ['es-MX', 'cuarenta y uno once once once once once once once'],
    ['pt-BR', 'quatro um um um um um um um um um um um um um um um'],
    ['it', 'quarantuno undici undici undici undici undici undici undici'],
    ['nl', 'eenenveertig elf elf elf elf elf elf elf'],
    ['nl-NL', 'vier één één één één één één één één één één één één één één één'],
    ['ja', 'four eins un uno um een one one one one one one one one one one'],
  ])('is taken out in words (%s): %s', (language, words) => {
    const [text = ''] = said([`${words} voilà merci beaucoup`], language);
    expect(text).toBe('[card …1111] voilà merci beaucoup');
  });

  it('is taken out of as many lines as it takes to say it, and none of them is told before', () => {
    const redaction = new CallRedaction('en', []);
    const texts = ['my card is four one one one', 'yes one one one one', '1111', 'uh one one one one'];
    const told = texts.flatMap((text, index) => redaction.take(line(index, text), index));
    expect(told.map(({ line: { text, final }, decided }) => [text, final, decided])).toEqual([
      ['my card is …', false, false],
      ['yes …', false, false],
      ['…', false, false],
      ['my card is [card …1111]', true, true],
      ['yes [card …1111]', true, true],
      ['[card …1111]', true, true],
      ['uh [card …1111]', true, true],
    ]);
  });

  it('is not told in pieces while its line goes on', () => {
    const redaction = new CallRedaction('en', []);
    const words = 'well my card is 4111 1111 1111 1111'.split(' ');
    const told = words.map((_, index) =>
      redaction
        .take(line(0, words.slice(0, index + 1).join(' '), { final: false }), index)
        .map(({ line: { text } }) => text),
    );
    expect(told.flat()).toEqual([
      'well',
      'well my',
      'well my card',
      'well my card is',
      'well my card is …',
      'well my card is …',
      'well my card is …',
      'well my card is [card …1111]',
    ]);
  });

  it('stays out when the other side speaks in between, and when it is read back', () => {
    const redaction = new CallRedaction('en', []);
    const far = (number: number, text: string) => redaction.take(line(number, text), number);
    const near = (number: number, text: string) => redaction.take(line(number, text, { speaker: 'agent' }), number);
    const told = [
      ...far(0, 'four one one one one one one one'),
      ...near(0, 'mhm'),
      ...far(1, 'one one one one one one one one'),
      ...near(1, 'so that is four one one one one one one one one one one one one one one one'),
      ...redaction.release(),
    ];
    expect(told.map(({ line: { text } }) => text).join(' ')).not.toMatch(/one|four/);
  });

  it('leaves nothing of its rest when its beginning had to be told', () => {
    const redaction = new CallRedaction('en', []);
    redaction.take(line(0, 'four one one one one one'), 0);
    const first = redaction.due(60_000);
    expect(first.map(({ line: { text, final } }) => [text, final])).toEqual([['four one one one one one', true]]);
    const rest = [
      ...redaction.take(line(4, 'one one one one one one one one one one'), 60_001),
      ...redaction.release(),
    ];
    expect(lastWords(rest)).toEqual(['[card]']);
  });

  it('is not told when most of it was said and the rest is waited for too long', () => {
    const redaction = new CallRedaction('en', []);
    redaction.take(line(0, 'so 4111 1111 1111'), 0);
    expect(redaction.due(5_000)).toEqual([]);
    expect(redaction.due(15_000).map(({ line: { text } }) => text)).toEqual(['so [digits]']);
    expect(redaction.holds).toBe(false);
  });

  it('is out when a digit was misheard, too', () => {
    expect(said(['it is 4111 1111 1111 1112 and thank you very much'])).toEqual([
      'it is [digits] and thank you very much',
    ]);
  });

  it('recall: of 20,000 generated ones at least 99.9 %, as numerals, in words, and over lines', () => {
    const random = seeded(7);
    const cards = cardNumbers(20_000, 12);
    let missed = 0;
    for (const { digits, text } of cards) {
      const way = random();
      const words = [...digits].map((digit) => english[Number(digit)]).join(' ');
      const cut = 1 + Math.floor(random() * (digits.length - 2));
      const spoken = words.split(' ');
      const texts =
        way < 0.4
          ? [`my card is ${text} thanks a lot then`]
          : way < 0.7
            ? [`my card is ${words} thanks a lot then`]
            : [`my card is ${spoken.slice(0, cut).join(' ')}`, `${spoken.slice(cut).join(' ')} thanks a lot then`];
      const left = said(texts).join(' ');
      const numerals = english.reduce((all, word, digit) => all.replaceAll(word, String(digit)), left);
      if (digitsIn([numerals]).length > 10) missed += 1;
    }
    expect(missed / cards.length).toBeLessThanOrEqual(0.001);
  });

  it('false alarms: telephone numbers stay, all but one in a hundred', () => {
    const phones = phoneNumbers(5_000, 3);
    const changed = phones.filter(
      (phone) => said([`call me on ${phone} if you like to`]).join() !== `call me on ${phone} if you like to`,
    );
    expect(changed.length / phones.length).toBeLessThanOrEqual(0.01);
  });
});

describe('other numbers', () => {
  it('are told at once where more than a few words follow, and after four seconds where nothing does', () => {
    const redaction = new CallRedaction('en', []);
    const full = 'call 212 555 0101 after lunch if you please';
    expect(redaction.take(line(0, full), 0)).toEqual([{ line: line(0, full), decided: true }]);
    const [held] = redaction.take(line(1, 'my number is 212 555 0101'), 100);
    expect(held).toMatchObject({ decided: false, line: { text: 'my number is …', final: false } });
    expect(redaction.due(4_000)).toEqual([]);
    expect(redaction.due(4_100)).toEqual([{ line: line(1, 'my number is 212 555 0101'), decided: true }]);
  });

  it('are told as soon as the speaker goes on with something else, before that line', () => {
    const redaction = new CallRedaction('en', []);
    redaction.take(line(1, 'my number is 415 555 0101'), 0);
    const told = redaction.take(line(2, 'but I am away until', { final: false }), 1);
    expect(told.map(({ line: { line: number, text, final } }) => [number, text, final])).toEqual([
      [1, 'my number is 415 555 0101', true],
      [2, 'but I am away until', false],
    ]);
  });

  it('of a line that is told again are held once', () => {
    const redaction = new CallRedaction('en', []);
    redaction.take(line(1, 'it is 415 555 0101'), 0);
    redaction.take(line(1, 'it is 415 555 0101'), 1);
    expect(redaction.release()).toHaveLength(1);
  });
});

describe('a code', () => {
  it('is taken out behind its name, in any line of either side for half a minute', () => {
    expect(said(['the security code is four five six'])).toEqual(['the security code is [removed]']);
    const redaction = new CallRedaction('en', []);
    const told = [
      ...redaction.take(line(0, 'order 4711, and the CVV please?', { speaker: 'agent' }), 0),
      ...redaction.take(line(1, 'one two', { final: false }), 1),
      ...redaction.take(line(1, 'one two three'), 2),
      ...redaction.take(line(40, 'we are four people'), 3),
    ];
    expect(told.map(({ line: { text } }) => text)).toEqual([
      'order 4711, and the CVV please?',
      '[removed]',
      '[removed]',
      'we are four people',
    ]);
  });

  it('is taken out behind a card', () => {
    expect(said(['4111 1111 1111 1111', 'and then it says one two three here'])).toEqual([
      '[card …1111]',
      'and then it says [removed] here',
    ]);
  });
});

describe('shapes of a customer', () => {
  const policy = ['PN-######', '@@ ## ## ## @'];
  it('are taken out, typed or spelled, with digits in words or not', () => {
    expect(said(['policy pn 123456 please now okay'], 'en', policy)).toEqual(['policy [removed] please now okay']);
    expect(said(['P N one two three four five six is it'], 'en', policy)).toEqual(['[removed] is it']);
    expect(said(['insured as AB 12 34 56 C since then'], 'en', policy)).toEqual(['insured as [removed] since then']);
    expect(said(['pn 1234567 is another number altogether'], 'en', policy)[0]).toContain('1234567');
  });

  it('are hidden while they are begun', () => {
    const redaction = new CallRedaction('en', ['PN-######']);
    const [begun] = redaction.take(line(0, 'it is PN 12', { final: false }), 0);
    expect(begun?.line.text).toBe('it is …');
  });

  it('say what is wrong with them', () => {
    expect(shapeProblem('PN-######')).toBeNull();
    expect(shapeProblem('(a+)+$')).toContain('must be a shape');
    expect(shapeProblem('##')).toContain('too short');
    expect(shapeProblem('#'.repeat(65))).toContain('64');
  });

  it('are fast on the worst of texts', () => {
    const redaction = new CallRedaction(
      'en',
      Array.from({ length: 50 }, () => '#'.repeat(64)),
    );
    const { length } = redaction.take(line(0, '1 '.repeat(2_000)), 0);
    expect(length).toBeGreaterThan(0);
  });
});

it('gaps and lines without a word pass as they are', () => {
  const gap = line(3, '', { gap: 'lost' });
  expect(new CallRedaction('en', []).take(gap, 0)).toEqual([{ line: gap, decided: true }]);
});

it('what is held and was to be forgotten is gone', () => {
  const redaction = new CallRedaction('en', []);
  redaction.take(line(1, 'it is 4111 1111'), 0);
  expect(redaction.forget(1_000)).toMatchObject([{ decided: true, line: { line: 1, text: '', final: false } }]);
  expect(redaction.release()).toEqual([]);
});

it('every final line that is taken gets a last word, once, whatever is said', () => {
  const word = fc.constantFrom('four', '1111', 'one', 'hello', 'cvv', '…', 'double', 'PN', '4111111111111111', '');
  const spoken = fc.record({ words: fc.array(word, { maxLength: 12 }), far: fc.boolean(), final: fc.boolean() });
  fc.assert(
    fc.property(fc.array(spoken, { maxLength: 20 }), (lines) => {
      const redaction = new CallRedaction('en', ['PN-######']);
      const told = lines.flatMap(({ words, far, final }, index) =>
        redaction.take(line(index, words.join(' '), { speaker: far ? 'far-side' : 'agent', final }), index * 700),
      );
      const decided = [...told, ...redaction.due(9_000), ...redaction.release()].filter((one) => one.decided);
      const wanted = lines.flatMap(({ final }, index) => (final ? [index] : []));
      expect(decided.map((one) => one.line.line).sort((a, b) => a - b)).toEqual(wanted);
      expect(decided.every((one) => one.line.final)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
