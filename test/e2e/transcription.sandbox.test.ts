/**
 * What is said in a call is read by everybody who may: real sound from both sides through Chromium and the sandbox switch, services that speak their
 * providers' protocols, every syllable in its place. And the page may be loaded anew in the middle of it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { textOf } from './mouths.ts';
import { untilWhole, wordsOnceSaid } from './said-whole.ts';
import { type SpeakingSwitch, startSpeakingSwitch } from './speaking-switch.ts';
import { openSpokenStage, patience, type SpokenStage, type Words } from './spoken-calls.ts';
import { keptInHubSpot, keptInSalesforce, onRecordPage, transcriptsInSalesforce } from './spoken-logs.ts';

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

test('HubSpot, heard by Deepgram: panel, supervisor and the call in the portal have every syllable, each side its own', async () => {
  const [agent, farSide] = [textOf('near', 70, 1), textOf('far', 70, 2)];
  const text: Words = { agent: agent.join(' '), 'far-side': farSide.join(' ') };
  await untilWhole(text, async () => {
    const supervisor = await it.supervise();
    const call = await it.call(it.hubspot, board.caller);
    await call.say(agent, farSide);
    const read = await wordsOnceSaid(text, call.inPanel);
    await expect.poll(supervisor.words, polled).toEqual(read);
    supervisor.close();
    const before = it.stage.hubspot.transcripts.all().length;
    await call.finish();
    expect(await keptInHubSpot(it.stage, before)).toEqual(read);
    return read;
  });
}, 300_000);

test('Salesforce, heard by a Vosk of one’s own: panel, record page and the call in the org have every syllable, each side its own', async () => {
  const [agent, farSide] = [textOf('near', 30, 3), textOf('far', 30, 4)];
  const text: Words = { agent: agent.join(' '), 'far-side': farSide.join(' ') };
  await untilWhole(text, async () => {
    const call = await it.call(it.salesforce, board.caller);
    await call.say(agent, farSide);
    const read = await wordsOnceSaid(text, call.inPanel);
    await expect.poll(() => onRecordPage(call), polled).toEqual(read);
    const before = transcriptsInSalesforce(it.stage).length;
    await call.finish();
    expect(await keptInSalesforce(it.stage, before)).toEqual(read);
    return read;
  });
}, 300_000);

test('a page that is loaded anew goes on with the same transcript, and says what nobody heard', async () => {
  const supervisor = await it.supervise();
  const call = await it.call(it.hubspot, board.caller);
  const [before, after] = [
    [textOf('near', 12, 5), textOf('far', 12, 6)],
    [textOf('near', 12, 7), textOf('far', 12, 8)],
  ] as const;
  const words = (...parts: readonly (typeof before)[]): Words => ({
    agent: parts.flatMap(([agent]) => agent).join(' '),
    'far-side': parts.flatMap(([, farSide]) => farSide).join(' '),
  });
  await call.say(...before);
  await expect.poll(supervisor.words, polled).toEqual(words(before));
  const last = Math.max(...supervisor.lines().map(({ endMs }) => endMs));

  await call.page.reload();
  await (await call.panel()).getByRole('timer').waitFor({ timeout: patience });
  await call.open();
  await call.say(...after);
  await expect.poll(supervisor.words, polled).toEqual(words(before, after));
  await expect.poll(call.inPanel, polled).toEqual(words(after));
  await (await call.panel()).locator('.transcript-gap').waitFor();

  const lines = supervisor.lines();
  const gaps = lines.filter(({ gap }) => gap !== undefined);
  expect(gaps).toMatchObject([{ gap: 'lost', final: true, text: '' }]);
  const [gap] = gaps;
  // Everything is either before the reload or after it, and nothing is in between.
  expect(gap?.startMs).toBeGreaterThanOrEqual(last);
  for (const line of lines)
    expect(
      line === gap || line.endMs <= (gap?.startMs ?? 0) || line.startMs >= (gap?.endMs ?? 0),
      JSON.stringify(line),
    ).toBe(true);
  for (const speaker of ['agent', 'far-side'] as const) {
    const numbers = lines.filter((line) => line.speaker === speaker).map(({ line }) => line);
    expect(numbers, `numbers of ${speaker}`).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at));
  }
  supervisor.close();
  await call.finish();
});
