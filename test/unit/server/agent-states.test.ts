/** What an agent’s phone says of itself, on the way to a board and to webhooks; what a phone system says of a mailbox, on the same way. */
import { randomUUID } from 'node:crypto';
import { type PhoneEvent, toEnvelope } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventStream } from '../../relay/event-stream.ts';
import { startReceiver } from './http-receiver.ts';
import { phoneKey, type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';
import { wavOf } from './wav-samples.ts';

/** For what follows by itself, on a machine that may be busy. */
const patient = { timeout: 20_000 };

const secret = 'the-secret-of-the-phone-system-in-tests-01';
let one: RelayInTest;
let hook: Awaited<ReturnType<typeof startReceiver>>;
let board: EventStream;
beforeAll(async () => {
  hook = await startReceiver();
  const webhooks = [
    {
      url: hook.url,
      secret: `whsec_${Buffer.from('a secret of these tests alone').toString('base64')}`,
      allowPrivate: true,
    },
  ];
  const [ada] = testTenant().agents;
  if (ada === undefined) throw new Error('the configuration of tests has an agent');
  const agents = [ada, { id: 'sue', name: 'Sue', extension: '1003', crmUserId: '3', role: 'supervisor' as const }];
  one = await startRelayInTest(
    testConfig({ tenants: [testTenant({ webhooks, agents, callRecords: { asterisk: { secret } } })] }),
  );
  const { token } = await one.signIn('sue');
  const url = `${one.relay.url}/v1/live/events`;
  board = await EventStream.open(url, phoneKey.headers({ method: 'GET', url, token }));
});
afterAll(async () => {
  board.close();
  await one.closed();
  await hook.close();
});

const onBoard = (name: string) => board.events.filter(({ event }) => event.type === `dev.patchcord.${name}.v1`);
const hooked = (name: string) =>
  hook.received
    .map(({ body }) => JSON.parse(body) as { type: string; data: unknown })
    .filter(({ type }) => type === `dev.patchcord.${name}.v1`);

it('where an agent’s calls go reaches boards and webhooks, each change once', async () => {
  const panel = await one.connect((await one.signIn('ada')).token);
  const tell = async (n: number, event: Pick<PhoneEvent, 'name' | 'data'>): Promise<void> => {
    const id = `agent-${n}`;
    panel.publish(toEnvelope({ ...event, at: Date.now() } as PhoneEvent, id, '/device'));
    expect(await panel.acknowledged()).toEqual([id]);
  };
  await tell(1, { name: 'agent.unavailable', data: { reason: 'Lunch' } });
  await tell(2, { name: 'forwarding.changed', data: { to: '1002' } });
  await tell(2, { name: 'forwarding.changed', data: { to: '1002' } });
  await tell(3, { name: 'forwarding.changed', data: { to: null } });
  await board.until(() => onBoard('forwarding.changed').length === 2);
  expect(onBoard('forwarding.changed').map(({ event }) => event.data)).toEqual([{ to: '1002' }, { to: null }]);
  expect(onBoard('forwarding.changed')[0]?.event.source).toContain('/agents/ada/');
  expect(onBoard('agent.unavailable').map(({ event }) => event.data)).toEqual([{ reason: 'Lunch' }]);
  await expect.poll(() => hooked('forwarding.changed'), patient).toHaveLength(2);
});

it('a phone cannot say that a mailbox has a message: only the relay can', async () => {
  const panel = await one.connect((await one.signIn('ada')).token);
  const data = { voicemail: randomUUID(), mailbox: '1001', from: { number: '1' }, durationMs: 1 };
  panel.publish(toEnvelope({ name: 'voicemail.received', at: Date.now(), data }, 'made-up', '/device'));
  const refused = await panel.next((message) => message.type === 'refused');
  expect(refused).toMatchObject({ id: 'made-up' });
  const form = new FormData();
  form.set('message', JSON.stringify({ id: '1', mailbox: '1001', number: '1002', at: 1_790_000_000 }));
  form.set('sound', new Blob([new Uint8Array(wavOf([440]))]), 'message.wav');
  const headers = { authorization: `Bearer ${secret}` };
  expect((await one.fetch('/v1/voicemails/acme/asterisk', { method: 'POST', body: form, headers })).status).toBe(201);
  await board.until(() => onBoard('voicemail.received').length === 1);
  expect(onBoard('voicemail.received')[0]?.event.data).toMatchObject({ mailbox: '1001', from: { number: '1002' } });
});
