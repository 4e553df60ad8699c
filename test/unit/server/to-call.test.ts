/** An agent's call-backs and dial list through the real relay: whose they are, what may stand in them, who hears of a change. */
import { randomUUID } from 'node:crypto';
import type { ToCall, ToCallList } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

let one: RelayInTest;
let ada: string;
let bob: string;
let stranger: string;

beforeAll(async () => {
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant(),
        testTenant({
          id: 'globex',
          name: 'Globex',
          hostOrigins: ['https://crm.globex.example.com'],
          agents: [{ id: 'ada', name: 'Ada of Globex', extension: '1001', crmUserId: '005000000000009' }],
        }),
      ],
    }),
  );
  ada = (await one.signIn()).token;
  bob = (await one.signIn('bob')).token;
  stranger = (await one.signIn('ada', randomUUID(), 'globex')).token;
});
afterAll(() => one.closed());

const entryOf = (change: object = {}) => ({
  id: randomUUID(),
  kind: 'call-back',
  number: '(415) 555-0101',
  name: 'Grace Hopper',
  note: 'wants the new prices',
  dueAt: Date.now() + 60_000,
  ...change,
});
const add = (token: string, body: object) => one.fetch('/v1/to-call', { token, json: body });
const change = (token: string, id: string, body: object) =>
  one.fetch(`/v1/to-call/${id}`, { token, json: body, method: 'PATCH' });
async function list(token: string): Promise<readonly ToCall[]> {
  return ((await (await one.fetch('/v1/to-call', { token })).json()) as ToCallList).entries;
}

describe('a wish to dial', () => {
  it('is taken by the first phone of the agent that asks, and by nobody else’s in its place', async () => {
    const wish = randomUUID();
    const claim = async (token: string, of: string = wish) => {
      const response = await one.fetch(`/v1/dial-wishes/${of}/claim`, { token, json: {} });
      return response.status === 200 ? ((await response.json()) as { granted: boolean }).granted : response.status;
    };
    const second = (await one.signIn()).token;
    const answers = await Promise.all([claim(ada), claim(second), claim(ada)]);
    expect(answers.filter((granted) => granted === true)).toHaveLength(1);
    expect(await claim(ada, wish.toUpperCase())).toBe(false);
    // Who claims what was not asked of them takes it from nobody.
    expect(await claim(bob)).toBe(true);
    expect(await claim(stranger)).toBe(true);
    expect(await claim(ada, 'no-uuid')).toBe(400);
  });
});

describe('what an agent has to call', () => {
  it('is added once however often it is sent, and told to every frame of the agent and to nobody else', async () => {
    const frames = [await one.connect(ada), await one.connect(ada)];
    const others = [await one.connect(bob), await one.connect(stranger)];
    const heard: unknown[] = [];
    for (const { socket } of others) socket.on('message', (raw) => heard.push(JSON.parse(String(raw))));
    const entry = entryOf();
    const first = await add(ada, entry);
    expect(first.status).toBe(201);
    const { id, kind, number, name, note, dueAt } = entry as unknown as ToCall;
    expect(await first.json()).toEqual({
      ...{ id, kind, number, name, note, dueAt },
      record: null,
      askedBy: 'Ada Byron',
      createdAt: expect.any(Number),
      doneAt: null,
    });
    for (const frame of frames) expect((await frame.event('to-call.changed')).subject).toBeUndefined();
    expect((await add(ada, { ...entry, note: 'sent again' })).status).toBe(200);
    expect(await list(ada)).toMatchObject([{ id, note }]);
    // Whatever Bob and the stranger were told came before their own change is.
    await add(bob, entryOf());
    await others[0]?.event('to-call.changed');
    expect(heard).toHaveLength(1);
    expect(await list(stranger)).toEqual([]);
  });

  it('is postponed, done and undone, also said twice', async () => {
    const { id } = (await (await add(bob, entryOf({ kind: 'dial-list', dueAt: null }))).json()) as ToCall;
    const later = Date.now() + 900_000;
    expect(await (await change(bob, id, { dueAt: later })).json()).toMatchObject({ kind: 'call-back', dueAt: later });
    const done = (await (await change(bob, id, { done: true })).json()) as ToCall;
    expect(done.doneAt).toEqual(expect.any(Number));
    expect(await (await change(bob, id, { done: true })).json()).toEqual(done);
    expect((await list(bob)).some((entry) => entry.id === id)).toBe(false);
    expect(await (await change(bob, id, { done: false })).json()).toMatchObject({ doneAt: null });
    expect((await list(bob)).some((entry) => entry.id === id)).toBe(true);
  });

  it('can’t be seen, changed or taken by another agent, nor handed to one', async () => {
    const entry = entryOf();
    await add(ada, entry);
    for (const token of [bob, stranger]) {
      expect((await change(token, entry.id, { done: true })).status).toBe(400);
      expect((await list(token)).some(({ id }) => id === entry.id)).toBe(false);
    }
    expect((await add(bob, entry)).status).toBe(400);
    // Another customer's ids are another customer's.
    expect((await add(stranger, entry)).status).toBe(201);
    const handed = entryOf({ agent: 'bob', askedBy: 'Bob Moog', tenant: 'globex', doneAt: 5 });
    expect(await (await add(ada, handed)).json()).toMatchObject({ askedBy: 'Ada Byron', doneAt: null });
    expect((await list(bob)).some(({ id }) => id === handed.id)).toBe(false);
    expect((await one.fetch('/v1/to-call')).status).toBe(401);
  });

  it('holds no card number, and nothing that is not a number, a time or a record of the customer’s CRM', async () => {
    const kept = await (await add(ada, entryOf({ note: 'card 4111 1111 1111 1111, code 123' }))).json();
    expect(JSON.stringify(kept)).not.toContain('4111 1111');
    for (const bad of [
      { number: '\u0000\u0007' },
      { number: ' ' },
      { number: 'x'.repeat(129) },
      { number: '<script>' },
      { dueAt: null },
      { dueAt: Date.now() + 3 * 365 * 86_400_000 },
      { dueAt: Date.now() - 2 * 86_400_000 },
      { dueAt: 'tomorrow' },
      { kind: 'task' },
      { id: 'no uuid' },
      { note: 'x'.repeat(2_001) },
      { record: { crm: 'hubspot', object: 'contact', id: '501' } },
    ])
      expect([bad, (await add(ada, entryOf(bad))).status]).toEqual([bad, 400]);
    const { id } = entryOf();
    expect((await change(ada, id, { done: true })).status).toBe(400);
    expect((await change(ada, 'x'.repeat(80), { done: true })).status).toBe(400);
  });
});
