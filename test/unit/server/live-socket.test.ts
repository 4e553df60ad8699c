import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { answeredCall, envelopes, type RelayInTest, startRelayInTest } from './relay-in-test.ts';

let running: RelayInTest[] = [];
async function relay(...options: Parameters<typeof startRelayInTest>): Promise<RelayInTest> {
  const one = await startRelayInTest(...options);
  running.push(one);
  return one;
}
afterEach(async () => {
  await Promise.all(running.map((one) => one.closed()));
  running = [];
});

it('acknowledges a published call, writes its log into the CRM and says so', async () => {
  const one = await relay();
  const { token } = await one.signIn();
  const panel = await one.connect(token);
  const callId = randomUUID();
  const events = envelopes(callId, answeredCall);
  panel.publish(...events);
  expect(new Set(await panel.acknowledged())).toEqual(new Set(events.map((event) => event.id)));
  const saved = await panel.event('log.saved');
  expect(saved.subject).toBe(callId);
  expect(one.crm.logs()).toHaveLength(1);
  const history = (await (await one.fetch('/v1/calls', { token })).json()) as { calls: unknown[] };
  expect(history.calls).toMatchObject([
    { callId, direction: 'inbound', talkMs: 1_000, outcome: 'answered', log: 'saved' },
  ]);
});
