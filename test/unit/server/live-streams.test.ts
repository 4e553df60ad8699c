import { randomUUID } from 'node:crypto';
import type { CallEvents } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { EventStream } from '../../relay/event-stream.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from './relay-in-test.ts';

let cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  cleanups = [];
});

async function relay(options: Parameters<typeof startRelayInTest>[1] = {}): Promise<RelayInTest> {
  const one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          agents: [
            { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '005000000000001' },
            { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '005000000000002' },
            { id: 'eve', name: 'Eve Lead', extension: '1003', crmUserId: '005000000000003', role: 'supervisor' },
          ],
        }),
      ],
    }),
    options,
  );
  cleanups.push(() => one.closed());
  return one;
}

async function stream(one: RelayInTest, token: string, lastEventId = ''): Promise<EventStream> {
  const url = `http://127.0.0.1:${one.relay.port}/v1/live/events`;
  const headers = phoneKey.headers({ method: 'GET', url: `${one.relay.url}/v1/live/events`, token });
  const opened = await EventStream.open(url, headers, lastEventId);
  cleanups.push(() => opened.close());
  return opened;
}

const savedType = 'dev.patchcord.log.saved.v1';
const saved = (opened: EventStream): (string | undefined)[] =>
  opened.events.filter(({ event }) => event.type === savedType).map(({ event }) => event.subject);
const seqs = (opened: EventStream, call: string): (number | null)[] =>
  opened.events.filter(({ event }) => event.subject === call).map(({ seq }) => seq);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);
const ids = (opened: EventStream): string[] => opened.events.map(({ event }) => event.id);

describe('an event stream', () => {
  it('shows a supervisor every call of the tenant, an agent only their own, in order and numbered', async () => {
    const one = await relay();
    const ada = await one.signIn('ada');
    const [board, bobs] = [
      await stream(one, (await one.signIn('eve')).token),
      await stream(one, (await one.signIn('bob')).token),
    ];
    const panel = await one.connect(ada.token);
    const bob = await one.connect((await one.signIn('bob')).token);
    const [first, second] = [randomUUID(), randomUUID()];
    panel.publish(...envelopes(first, answeredCall));
    await panel.event('log.saved');
    bob.publish(...envelopes(second, answeredCall));
    await bob.event('log.saved');
    await board.until(() => saved(board).length === 2);
    await bobs.until(() => saved(bobs).length === 1);
    for (const call of [first, second]) expect(seqs(board, call)).toEqual(upTo(seqs(board, call).length));
    expect(new Set(board.events.map(({ event }) => event.subject))).toEqual(new Set([first, second]));
    expect(new Set(bobs.events.map(({ event }) => event.subject))).toEqual(new Set([second]));
    expect(seqs(bobs, second)).toEqual(seqs(board, second));
  });

  it('goes on where it was left, without a gap or a repeat, while calls are written', async () => {
    const one = await relay();
    const panel = await one.connect((await one.signIn('ada')).token);
    const { token } = await one.signIn('eve');
    const seen: string[] = [];
    const logs: unknown[] = [];
    let at = '';
    const calls = Array.from({ length: 20 }, () => randomUUID());
    for (const [index, call] of calls.entries()) {
      if (index % 5 === 1) {
        const opened = await stream(one, token, at);
        await opened.until(() => opened.events.length >= 2);
        opened.close();
        await opened.ended;
        seen.push(...ids(opened));
        logs.push(...saved(opened));
        at = opened.lastId;
      } else if (index === 0) {
        at = (await stream(one, token)).lastId;
      }
      panel.publish(...envelopes(call, answeredCall));
      await panel.acknowledged();
    }
    const last = await stream(one, token, at);
    await last.until(() => logs.length + saved(last).length === calls.length);
    const all = [...seen, ...ids(last)];
    expect(new Set(all).size).toBe(all.length);
    expect(new Set([...logs, ...saved(last)])).toEqual(new Set(calls));
    for (const call of calls)
      expect(all.filter((id) => id.startsWith(call)).slice(0, 4)).toEqual([1, 2, 3, 4].map((n) => `${call}:${n}`));
  });

  it.each([
    ['is still to come here', (id: string) => id.replace(/^\w+\.\w+/, 'zzzzzzz.zzzzzzz')],
    ['the version before gave, and is still to come', () => 'zzzzzzz.zzzzzzz'],
    ['is of another database', (id: string) => `0.0.${id.split('.')[2] === '00000000' ? '1' : '00000000'}`],
  ])('begins with what is new when it is asked for a place that %s', async (_, placeOf) => {
    const one = await relay();
    const panel = await one.connect((await one.signIn('ada')).token);
    const { token } = await one.signIn('eve');
    panel.publish(...envelopes(randomUUID(), answeredCall));
    await panel.event('log.saved');
    const board = await stream(one, token, placeOf((await stream(one, token)).lastId));
    const call = randomUUID();
    panel.publish(...envelopes(call, answeredCall));
    await board.until(() => saved(board).length === 1);
    expect(new Set(board.events.map(({ event }) => event.subject))).toEqual(new Set([call]));
  });

  it('ends when the agent is revoked, and when the relay stops', async () => {
    const one = await relay();
    const bobs = await stream(one, (await one.signIn('bob')).token);
    const board = await stream(one, (await one.signIn('eve')).token);
    const revoked = await one.fetch('/v1/admin/agents/acme/bob/revoke', { json: {}, token: adminToken });
    expect(revoked.status).toBe(200);
    expect(await bobs.ended).toEqual({ code: 4403, reason: 'revoked' });
    expect(bobs.events.map(({ event }) => event.type)).toEqual(['dev.patchcord.credential.revoked.v1']);
    void one.relay.close();
    expect(await board.ended).toMatchObject({ code: 1012 });
  });

  it('is refused without a session and with a place that we never gave', async () => {
    const one = await relay();
    expect((await one.fetch('/v1/live/events')).status).toBe(401);
    const { token } = await one.signIn('ada');
    const answer = await one.fetch('/v1/live/events', { token, headers: { 'last-event-id': '../../x' } });
    expect(answer.status).toBe(400);
  });
});

describe('the events of a call', () => {
  it('are given after a number, to its agent and to supervisors, and to nobody else', async () => {
    const one = await relay();
    const ada = await one.signIn('ada');
    const panel = await one.connect(ada.token);
    const call = randomUUID();
    panel.publish(...envelopes(call, answeredCall));
    await panel.event('log.saved');
    const ask = async (token: string, query = ''): Promise<CallEvents> =>
      (await (await one.fetch(`/v1/calls/${call}/events${query}`, { token })).json()) as CallEvents;
    const { events: all } = await ask(ada.token);
    expect(all.map(({ seq }) => seq)).toEqual(upTo(all.length));
    const { events, more } = await ask((await one.signIn('eve')).token, `?after=${all.length - 1}`);
    expect(more).toBe(false);
    expect(events).toEqual(all.slice(-1));
    expect(events).toMatchObject([{ event: { type: savedType, subject: call } }]);
    const bob = (await one.signIn('bob')).token;
    expect((await one.fetch(`/v1/calls/${call}/events`, { token: bob })).status).toBe(404);
    expect((await one.fetch(`/v1/calls/${randomUUID()}/events`, { token: ada.token })).status).toBe(404);
    expect((await one.fetch('/v1/calls/x/events', { token: ada.token })).status).toBe(404);
    expect((await one.fetch(`/v1/calls/${call}/events?after=-1`, { token: ada.token })).status).toBe(400);
  });
});

it('tells a log with its number in the call', async () => {
  const one = await relay();
  const panel = await one.connect((await one.signIn('ada')).token);
  panel.publish(...envelopes(randomUUID(), answeredCall));
  const message = await panel.next((said) => said.type === 'event');
  expect(message).toMatchObject({ seq: expect.any(Number) as number, event: { type: savedType } });
});
