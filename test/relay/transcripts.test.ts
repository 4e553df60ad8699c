/** Lines of a live transcript: who hears them, and that nothing of them stays. */
import { type Envelope, newCallId, type RelayMessage, type TranscriptLine, toEnvelope } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../unit/server/http-receiver.ts';
import {
  answeredCall,
  envelopes,
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
let asking: Receiver;
let silent: Receiver;
beforeAll(async () => {
  [asking, silent] = await Promise.all([startReceiver(), startReceiver()]);
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          agents: [
            ...testTenant().agents,
            { id: 'sue', name: 'Sue', extension: '1003', crmUserId: '3', role: 'supervisor' },
          ],
          webhooks: [
            { url: asking.url, secret, allowPrivate: true, events: ['transcript.final', 'call.ended'] },
            { url: silent.url, secret, allowPrivate: true },
          ],
        }),
      ],
    }),
  );
});
afterAll(async () => {
  await one.closed();
  await Promise.all([asking.close(), silent.close()]);
});

const line = (change: Partial<TranscriptLine> = {}): TranscriptLine => ({
  line: 1,
  speaker: 'far-side',
  text: 'Good morning',
  startMs: 0,
  endMs: 900,
  final: false,
  ...change,
});
const isLine = (message: RelayMessage): boolean =>
  message.type === 'event' && message.event.type.startsWith('dev.patchcord.transcript.');
const nextLine = async (panel: Panel): Promise<Envelope> =>
  (await panel.next<Extract<RelayMessage, { type: 'event' }>>(isLine)).event;

it('reaches the frames of the agent and a supervisor once each, and no other agent', async () => {
  const call = newCallId();
  const [frame, second, other, supervisor] = await Promise.all(
    ['ada', 'ada', 'bob', 'sue'].map(async (agent) => one.connect((await one.signIn(agent)).token)),
  );
  if (frame === undefined || second === undefined || other === undefined || supervisor === undefined) throw new Error();
  const board = await EventStream.open(
    `${one.relay.url}/v1/live/events`,
    phoneKey.headers({
      method: 'GET',
      url: `${one.relay.url}/v1/live/events`,
      token: (await one.signIn('sue')).token,
      now: Date.now(),
    }),
  );
  try {
    one.relay.transcript.tell('acme', 'ada', call, line());
    one.relay.transcript.tell('acme', 'ada', call, line({ text: 'Good morning, Ada', final: true }));
    for (const panel of [frame, second, supervisor]) {
      expect(await nextLine(panel)).toMatchObject({
        type: 'dev.patchcord.transcript.partial.v1',
        subject: call,
        data: { line: 1, text: 'Good morning', final: false },
      });
      expect((await nextLine(panel)).type).toBe('dev.patchcord.transcript.final.v1');
    }
    await board.until(() => board.events.filter(({ event }) => event.subject === call).length === 2);
    // What the other agent hears next is their own: nothing of this came before it.
    one.relay.transcript.tell('acme', 'bob', newCallId(), line({ text: 'For Bob' }));
    expect((await nextLine(other)).data).toMatchObject({ text: 'For Bob' });
    // Once each: of a supervisor's own call, too.
    one.relay.transcript.tell('acme', 'sue', call, line({ line: 7 }));
    one.relay.transcript.tell('acme', 'sue', call, line({ line: 8 }));
    const heard: unknown[] = [];
    while (heard.at(-1) !== 8) heard.push(((await nextLine(supervisor)).data as { line: number }).line);
    expect(heard.filter((number) => number === 7)).toHaveLength(1);
  } finally {
    board.close();
  }
});

it('is stored nowhere and sent to no webhook that did not ask for it by name', async () => {
  const call = newCallId();
  const panel = await one.connect((await one.signIn()).token);
  one.relay.transcript.tell('acme', 'ada', call, line({ text: 'a partial secret' }));
  one.relay.transcript.tell('acme', 'ada', call, line({ text: 'a final secret', final: true }));
  panel.publish(...envelopes(call, answeredCall));
  await panel.acknowledged();
  const bodies = (receiver: Receiver, name: string): readonly string[] =>
    receiver.received.map(({ body }) => body).filter((body) => body.includes(`${name}.v1`) && body.includes(call));
  await expect.poll(() => bodies(asking, 'call.ended').length, { timeout: 20_000 }).toBe(1);
  await expect.poll(() => bodies(silent, 'call.ended').length, { timeout: 20_000 }).toBe(1);
  await expect.poll(() => bodies(asking, 'transcript.final').length, { timeout: 20_000 }).toBe(1);
  expect(bodies(asking, 'transcript.partial')).toEqual([]);
  expect(silent.received.filter(({ body }) => body.includes('transcript'))).toEqual([]);
  const kept = await (await one.fetch(`/v1/calls/${call}/events`, { token: (await one.signIn()).token })).text();
  expect(kept).toContain('call.ended');
  expect(kept).not.toContain('transcript');
});

it('can’t be made by a phone, nor be of a shape or an agent nobody knows, and holds no card number', async () => {
  const call = newCallId();
  const panel = await one.connect((await one.signIn()).token);
  panel.publish(
    toEnvelope({ name: 'transcript.final', at: 1, call, data: line({ final: true }) }, `${call}:1`, '/somewhere'),
  );
  const refused = await panel.next<Extract<RelayMessage, { type: 'refused' }>>(({ type }) => type === 'refused');
  expect(refused.message).toContain('Only the relay');
  const { tell } = one.relay.transcript;
  expect(() => tell('acme', 'ada', 'no call', line())).toThrow(/The line was not told/);
  expect(() => tell('acme', 'nobody', call, line())).toThrow(/The line was not told/);
  expect(() => tell('acme', 'ada', call, line({ line: -1 }))).toThrow(/The line was not told/);
  tell('acme', 'ada', call, line({ text: 'it is 4111 1111 1111 1111, thank you' }));
  expect((await nextLine(panel)).data).toMatchObject({ text: 'it is [card …1111], thank you' });
});
