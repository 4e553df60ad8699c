/**
 * What must not be lost, and what must not be kept: the relay is killed in the middle of calls, and card numbers are read out before, in and after a
 * pause. Real sound from both sides through Chromium and the sandbox switch.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenUntil } from '../browser/chromium.ts';
import { syllables } from '../speech/tone-alphabet.ts';
import { opener, syllableMs, textOf } from './mouths.ts';
import { comparedWith } from './said-whole.ts';
import { type SpeakingSwitch, startSpeakingSwitch } from './speaking-switch.ts';
import { cardNumber, inSyllables, inWords, spokenEnglish } from './speech-ears.ts';
import { openSpokenStage, patience, type SpokenCall, type SpokenStage, type Words } from './spoken-calls.ts';
import { keptInHubSpot } from './spoken-logs.ts';
import { digitsIn, filesIn, holding, type Place } from './stored-bytes.ts';
import { until } from './telephony.ts';

let board: SpeakingSwitch;
let it: SpokenStage;
beforeAll(async () => {
  board = await startSpeakingSwitch();
  it = await openSpokenStage(board.telephony);
}, 120_000);
afterAll(async () => {
  await it?.close();
  await board?.close();
});

const polled = { timeout: patience, interval: 200 };
/** The phone keeps 30 s. */
const longMs = 33_000;

test('a relay that is killed and back soon has lost nothing; one that stays away longer has lost what it says', async () => {
  const call = await it.call(it.hubspot, board.caller);
  const many = Math.ceil((longMs + 15_000) / syllableMs);
  const [agent, farSide] = [textOf('near', many, 9), textOf('far', many, 10)];
  const heard = it.ears.heard.length;
  const saying = call.say(agent, farSide);
  await until(
    'both in the middle of a sentence',
    () => (it.ears.heard.length > heard + 12 ? true : undefined),
    patience,
  );
  await it.relay.kill();
  await it.stage.restartRelay();
  // A moment after it wrote down how far it is: what it says later is missing from there on. What opened the call does not count.
  const stay = (by: TranscriptLine['speaker']): boolean =>
    call.told().some(({ speaker, final, text }) => speaker === by && final && text.includes(' '));
  await until('words of both that stay', () => (stay('agent') && stay('far-side') ? true : undefined), patience);
  const before = call.settled();
  await until('these written down', () => (call.settled() > before ? true : undefined), patience);

  await it.relay.kill();
  const awayFrom = board.caller.heardMs;
  await until('more than the phone keeps', () => (board.caller.heardMs > awayFrom + longMs ? true : undefined), 60_000);
  await it.stage.restartRelay();
  await saying;
  await until(
    'the end of both texts',
    async () => {
      const words = await call.inPanel();
      return words.agent.endsWith(agent.slice(-9).join(' ')) && words['far-side'].endsWith(farSide.slice(-9).join(' '))
        ? true
        : undefined;
    },
    patience,
  );
  const panel = await call.panel();
  expect(await panel.locator('.transcript-gap').count()).toBe(1);
  const told = call.told().filter(({ final }) => final);
  const gaps = told.filter((line) => line.gap !== undefined);
  expect(gaps).toMatchObject([{ gap: 'lost' }]);
  const [gap] = gaps as [TranscriptLine];
  const inPanel = await call.inPanel();
  const others = it.stage.hubspot.transcripts.all().length;
  await call.finish();
  const kept = await keptInHubSpot(it.stage, others);
  const heardTo: number[] = [];
  for (const [speaker, text] of [
    ['agent', agent],
    ['far-side', farSide],
  ] as const) {
    const words = kept[speaker];
    // All but one stretch, and that is as long as the transcript says. Processors may be busy, and then the sound itself stumbles over a word.
    const { missing, misheard } = comparedWith(text, words.split(' '));
    expect(misheard, `${words}, said as: ${text.join(' ')}`).toBeLessThanOrEqual(2);
    // Each side lost what the gap says, from its own last line before it, but for the syllables at the edges.
    const own = told.filter((line) => line.speaker === speaker && line.startMs < gap.startMs);
    const lastMs = Math.max(gap.startMs, ...own.map(({ endMs }) => endMs));
    const lostMs = missing * syllableMs;
    expect(Math.abs(gap.endMs - lastMs - lostMs), `lost ${lostMs} ms: ${JSON.stringify(gap)}`).toBeLessThan(
      2 * syllableMs,
    );
    heardTo.push(lastMs);
  }
  // And it begins no earlier than what one of them lost.
  expect(Math.min(...heardTo) - gap.startMs).toBeLessThan(2 * syllableMs);
  expect(inPanel).toEqual(kept);
}, 180_000);

/** A busy processor tore a digit before anybody could hear it: then it is no card number. */
class Torn extends Error {}

/** A call in which the cards are read out before, in and after a pause, and what is left of them looked at. @throws {@link Torn} */
async function cardsReadOut(
  call: SpokenCall,
  [first, second, third]: readonly [string, string, string],
): Promise<void> {
  const panel = await call.panel();
  const say = async (card: string): Promise<Record<'near' | 'far', readonly string[]>> => {
    const far = [opener.far, ...inSyllables('far', `my card is ${card} thanks`)];
    const near = [opener.near, ...inSyllables('near', `is ${card} please`)];
    await call.say([], far);
    await call.say(near, []);
    return { near, far };
  };
  const readOut = async (card: string): Promise<void> => {
    const from = it.ears.heard.length;
    const said = await say(card);
    for (const side of ['near', 'far'] as const) {
      const own = (): readonly string[] =>
        it.ears.heard.slice(from).filter((syllable) => syllables(side).includes(syllable));
      const isWhole = (): true | undefined => (own().join(' ') === said[side].join(' ') ? true : undefined);
      await until('the whole sentence', isWhole, 10_000).catch(() => {
        throw new Torn(`${side}: ${own().join(' ')} instead of ${said[side].join(' ')}`);
      });
    }
  };
  /** What is left of each side: its words, the end of its cards, and nothing between them. */
  const left = (words: Words, ...cards: readonly string[]): void => {
    const masked = cards.map((card) => `[card …${card.slice(-4)}]`);
    for (const side of [words.agent, words['far-side']]) {
      expect(side.match(/\[.*?\]/g), side).toEqual(masked);
      expect(inWords('0123456789').filter((digit) => side.includes(digit))).toEqual([]);
    }
    expect(words.agent.match(/is|please/g)).toEqual(cards.flatMap(() => ['is', 'please']));
    expect(words['far-side'].match(/my|is|thanks/g)).toEqual(cards.flatMap(() => ['my', 'is', 'thanks']));
  };
  const read = async (times: number): Promise<Words> =>
    until(
      'the ends of both sentences',
      async () => {
        const words = await call.inPanel();
        const ends = [words.agent.match(/please/g), words['far-side'].match(/thanks/g)];
        return ends.every((found) => found?.length === times) ? words : undefined;
      },
      patience,
    );
  await readOut(first);
  left(await read(1), first);

  const region = panel.getByRole('region', { name: 'Transcript' });
  await region.getByRole('button', { name: 'Pause', exact: true }).click();
  await region.getByText('no sound leaves').waitFor();
  const heard = it.ears.heard.length;
  await say(second);
  await listenUntil(panel, 'the end of it', ({ rms }) => rms < 0.001);
  expect(it.ears.heard.slice(heard), 'heard in the pause').toEqual([]);
  await region.getByRole('button', { name: 'Go on' }).click();
  await region.getByText('no sound leaves').waitFor({ state: 'detached' });

  await readOut(third);
  left(await read(2), first, third);
  await expect.poll(() => panel.locator('.transcript-gap').allTextContents(), polled).toHaveLength(1);
  const before = it.stage.hubspot.transcripts.all().length;
  await call.finish();
  left(await keptInHubSpot(it.stage, before), first, third);
}

test('a card number is nowhere, and what was said in a pause was never heard', async () => {
  it.ears.words = spokenEnglish;
  const cards = [cardNumber(1), cardNumber(2), cardNumber(3)] as const;
  const [first, second, third] = cards;
  for (let calls = 1; ; calls += 1) {
    const call = await it.call(it.hubspot, board.caller);
    try {
      await cardsReadOut(call, cards);
      break;
    } catch (error) {
      if (!(error instanceof Torn) || calls === 3) throw error;
      await call.finish();
    }
  }

  const { hubspot, salesforce } = it.stage;
  const place = (name: string, what: unknown): Place => ({
    name,
    bytes: Buffer.from(typeof what === 'string' ? what : JSON.stringify(what)),
  });
  const places = [
    ...filesIn(it.relay.dataDir),
    place('the log', it.relay.output()),
    place('HubSpot', [hubspot.records, hubspot.transcripts.all(), hubspot.hostMessages()]),
    place('Salesforce', [salesforce.records, salesforce.hostMessages()]),
  ];
  for (const card of [first, second, third]) expect(digitsIn(places, card, inWords)).toEqual([]);
  // The search finds what is there: the lines of this call on the disk and in the portal, and a number that somebody hid.
  const lines = holding(places, `[card …${third.slice(-4)}]`);
  expect(lines).toContain('HubSpot');
  expect(lines.some((name) => name.startsWith(it.relay.dataDir))).toBe(true);
  for (const form of [
    `x${second}y`,
    second.match(/.{4}/g)?.join(' ') ?? '',
    inWords(second).join(', '),
    Buffer.from(`it is ${inWords(second).join(' ')}.`).toString('base64'),
    Buffer.from(`${second}.`).toString('hex'),
  ])
    expect(digitsIn([place('hidden', form)], second, inWords).length, form).toBeGreaterThan(0);
}, 300_000);
