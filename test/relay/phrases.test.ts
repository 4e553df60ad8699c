/** Phrases that a customer's rules look for, from a line of the transcript through the real relay to those who watch, the store and the log. */
import { type Envelope, newCallId, type RelayMessage, type TranscriptLine, toEnvelope } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../unit/server/http-receiver.ts';
import {
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { EventStream } from './event-stream.ts';

const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
let one: RelayInTest;
let hook: Receiver;
let panel: Panel;
beforeAll(async () => {
  hook = await startReceiver();
  const rules = [
    {
      id: 'notice',
      label: 'Recording notice',
      severity: 'critical',
      by: 'agent',
      tell: 'not-said',
      withinSeconds: 30,
      phrases: ['call * recorded'],
    },
    { id: 'thanks', label: 'Thanks', by: 'agent', tell: 'not-said', phrases: ['thank you'] },
    {
      id: 'leaving',
      label: 'Wants to leave',
      severity: 'warning',
      by: 'far-side',
      phrases: ['cancel', 'close * account'],
    },
    { id: 'card', label: 'Card number', phrases: ['4111', '1111', 'card'] },
  ] as const;
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          agents: [
            ...testTenant().agents,
            { id: 'sue', name: 'Sue', extension: '1003', crmUserId: '3', role: 'supervisor' },
          ],
          transcripts: { settleMs: 0 },
          spotting: { language: 'en', rules: rules.map((rule) => ({ ...rule, phrases: [...rule.phrases] })) },
          webhooks: [{ url: hook.url, secret, allowPrivate: true }],
        }),
        testTenant({ id: 'quiet', transcripts: { settleMs: 0 } }),
      ],
    }),
  );
  panel = await one.connect((await one.signIn()).token);
});
afterAll(async () => {
  await one?.closed();
  await hook?.close();
});

const line = (change: Partial<TranscriptLine>): TranscriptLine => ({
  ...{ line: 1, speaker: 'agent', text: 'Good morning', startMs: 0, endMs: 900, final: true },
  ...change,
});
const say = (call: string, change: Partial<TranscriptLine>): void =>
  one.relay.transcript.tell('acme', 'ada', call, line(change));
const eventsOf = async (call: string): Promise<string> =>
  (await one.fetch(`/v1/calls/${call}/events`, { token: (await one.signIn()).token })).text();
/** A minute of talk. */
const begun = answeredCall.slice(0, 3);
const over: readonly Life[] = [
  { name: 'call.ended', data: { outcome: 'answered', reason: 'You hung up', by: 'agent' }, at: 1_790_000_064_000 },
];
async function begin(): Promise<string> {
  const call = newCallId();
  panel.publish(...envelopes(call, begun));
  await panel.acknowledged();
  return call;
}
async function end(call: string): Promise<void> {
  panel.publish(...envelopes(call, over, 4));
  await panel.acknowledged();
}
const isPhrase = (call: string) => (message: RelayMessage) =>
  message.type === 'event' && message.event.subject === call && message.event.type.startsWith('dev.patchcord.phrase.');
const nextPhrase = async (reader: Panel, call: string): Promise<Envelope> =>
  (await reader.next<Extract<RelayMessage, { type: 'event' }>>(isPhrase(call))).event;
const noteOf = (call: string): string => one.crm.logs().find(({ callId }) => callId === call)?.note ?? '';

it('tells agent, supervisor and board of a phrase as it is said, keeps it and writes it into the log', async () => {
  const sue = await one.signIn('sue');
  const url = `${one.relay.url}/v1/live/events`;
  const board = await EventStream.open(
    url,
    phoneKey.headers({ method: 'GET', url, token: sue.token, now: Date.now() }),
  );
  const supervisor = await one.connect(sue.token);
  try {
    const call = await begin();
    say(call, { text: 'Good morning, this call is being recorded', startMs: 2_000, endMs: 4_000 });
    say(call, {
      speaker: 'far-side',
      text: 'I want to cancel, close my account please',
      startMs: 8_000,
      endMs: 11_000,
      line: 3,
    });
    for (const reader of [panel, supervisor]) {
      expect((await nextPhrase(reader, call)).data).toMatchObject({ rule: 'notice', awaited: true, speaker: 'agent' });
      expect(await nextPhrase(reader, call)).toMatchObject({
        type: 'dev.patchcord.phrase.spotted.v1',
        data: { rule: 'leaving', severity: 'warning', speaker: 'far-side', phrase: 'cancel', line: 3, startMs: 8_000 },
      });
    }
    await end(call);
    const missed = await nextPhrase(supervisor, call);
    expect(missed).toMatchObject({ type: 'dev.patchcord.phrase.missed.v1', data: { rule: 'thanks', by: 'agent' } });
    expect(await nextPhrase(panel, call)).toEqual(missed);
    await expect.poll(() => noteOf(call), { timeout: 20_000 }).toContain('Not heard: Thanks (agent, until the end)');
    expect(noteOf(call).split('\n')).toEqual([
      'From +14155550101 to 1001',
      'Not heard: Thanks (agent, until the end)',
      'Heard: Wants to leave (far side, 0:08)',
      'Said: Recording notice (agent, 0:02)',
    ]);
    // A board has them from the store, once each, under the names they were told by.
    const phrases = (): readonly Envelope[] =>
      board.events
        .map(({ event }) => event)
        .filter(({ subject, type }) => subject === call && type.includes('phrase.'));
    await board.until(() => phrases().length === 3);
    expect(new Set(phrases().map(({ id }) => id)).size).toBe(3);
    // Nothing of what was said is in any of it.
    expect(JSON.stringify(phrases())).not.toContain('account please');
    await expect
      .poll(() => hook.received.filter(({ body }) => body.includes('phrase.') && body.includes(call)).length, {
        timeout: 20_000,
      })
      .toBe(3);
  } finally {
    board.close();
  }
});

it('does not hear a card number: what is taken out of a line is not there', async () => {
  const call = await begin();
  say(call, { text: 'it is 4111 1111 1111 1111 and thank you', startMs: 1_000, endMs: 2_000 });
  expect((await nextPhrase(panel, call)).data).toMatchObject({ rule: 'thanks' });
  await end(call);
  expect((await nextPhrase(panel, call)).data).toMatchObject({ rule: 'notice' });
  await expect.poll(() => noteOf(call), { timeout: 20_000 }).toContain('Not heard: Recording notice');
  expect(noteOf(call)).not.toContain('Card number');
});

it('a line that comes twice, and partial words, are not heard twice, nor kept twice', async () => {
  const call = await begin();
  const said = { speaker: 'far-side', text: 'cancel', startMs: 5_000, endMs: 6_000, line: 2 } as const;
  say(call, { ...said, final: false });
  say(call, said);
  say(call, said);
  say(call, { text: 'thank you', startMs: 7_000, endMs: 8_000 });
  expect((await nextPhrase(panel, call)).data).toMatchObject({ rule: 'leaving' });
  expect((await nextPhrase(panel, call)).data).toMatchObject({ rule: 'thanks' });
  await end(call);
  await expect.poll(() => noteOf(call), { timeout: 20_000 }).toContain('Not heard: Recording notice');
  expect(noteOf(call)).toContain('Heard: Wants to leave (far side, 0:05)\n');
});

it('tells how much nobody listened to', async () => {
  const call = await begin();
  say(call, { text: 'thank you', startMs: 1_000, endMs: 2_000 });
  say(call, { text: '', gap: 'lost', startMs: 10_000, endMs: 14_000, line: 2 });
  // Kept beside the call: here the end is not waited with until that is done.
  await expect.poll(() => eventsOf(call), { timeout: 20_000 }).toContain('transcript-gap');
  await end(call);
  await expect
    .poll(() => noteOf(call), { timeout: 20_000 })
    .toContain('Not heard: Recording notice (agent, in the first 30 s; 4 s of it were not listened to)');
});

it('says nothing of what was not said in a call that nobody listened to', async () => {
  const [silent, heard] = [await begin(), await begin()];
  say(heard, { text: 'thank you', startMs: 1_000, endMs: 2_000 });
  await end(silent);
  await end(heard);
  await expect.poll(() => noteOf(heard), { timeout: 20_000 }).toContain('Not heard: Recording notice');
  await expect.poll(() => noteOf(silent), { timeout: 20_000 }).not.toBe('');
  expect(noteOf(silent)).not.toContain('heard');
});

it('keeps what was heard of a call that came to be known later', async () => {
  const call = newCallId();
  say(call, { text: 'this call is recorded, thank you', startMs: 1_000, endMs: 2_000 });
  expect((await nextPhrase(panel, call)).data).toMatchObject({ rule: 'notice' });
  panel.publish(...envelopes(call, begun));
  await panel.acknowledged();
  await expect.poll(() => eventsOf(call), { timeout: 20_000 }).toContain('phrase-thanks');
  await end(call);
  await expect.poll(() => noteOf(call), { timeout: 20_000 }).toContain('Said: Thanks');
  expect(noteOf(call)).not.toContain('Not heard');
});

it('can’t be made up by a phone, nor reach another customer’s call', async () => {
  const call = await begin();
  const data = {
    rule: 'thanks',
    label: 'x',
    severity: 'info',
    speaker: 'agent',
    phrase: 'x',
    line: 1,
    startMs: 0,
  } as const;
  panel.publish(toEnvelope({ name: 'phrase.spotted', at: 1, call, data }, `${call}:9`, '/somewhere'));
  const refused = await panel.next<Extract<RelayMessage, { type: 'refused' }>>(({ type }) => type === 'refused');
  expect(refused.message).toContain('Only the relay');
  one.relay.transcript.tell('quiet', 'ada', call, line({ text: 'thank you', startMs: 1_000, endMs: 2_000 }));
  await end(call);
  await expect.poll(() => noteOf(call), { timeout: 20_000 }).not.toBe('');
  const events = await (await one.fetch(`/v1/calls/${call}/events`, { token: (await one.signIn()).token })).text();
  expect(events).not.toContain('phrase.');
});
