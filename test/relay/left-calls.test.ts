/** Calls whose phone is gone and that nobody takes up, and calls that another device did take up: a relay, its sockets, a stand-in for the edge. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeEdge } from '../unit/server/fake-edge.ts';
import {
  adminToken,
  envelopes,
  type Life,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const second = 1_000;
let edge: FakeEdge;
let ahead = 0;
const now = () => Date.now() + ahead;
let one: RelayInTest;
let begun: number;
let sipCallId: string;
let callId: string;
let phones: Panel[] = [];

beforeAll(async () => {
  edge = await FakeEdge.start();
  const tenant = (id: string, recovery: { readonly endAfterSeconds?: number }) => {
    const agents = [{ id: 'ada', name: 'Ada Byron', extension: id === 'acme' ? '1001' : '2001', crmUserId: 'ada' }];
    const { sip, ...rest } = testTenant({ id, agents });
    return { ...rest, sip: { ...sip, recovery, revocation: { kamailioRpcUrl: edge.url } } };
  };
  one = await startRelayInTest(testConfig({ tenants: [tenant('acme', {}), tenant('never', { endAfterSeconds: 0 })] }), {
    now,
  });
});
afterAll(async () => {
  await one.closed();
  await edge.stop();
});
beforeEach(() => {
  begun = now();
  sipCallId = `${randomUUID()}@browser`;
  callId = randomUUID();
});
afterEach(async () => {
  for (const { socket } of phones) socket.terminate();
  phones = [];
  edge.away = false;
  edge.refused.clear();
  edge.registered.clear();
  // Whatever a test left open is over by the rule for silence.
  ahead += 13 * 3_600 * second;
  await one.relay.sweep();
  edge.table('brake_call').clear();
  edge.table('brake_end').clear();
  edge.asked.length = 0;
});

/** An outbound call that is up since a second after it began; from there on nothing is said. */
const talking = (): readonly Life[] => [
  { name: 'call.started', at: begun, data: { direction: 'outbound', farSide: { number: '+14155550101' }, sipCallId } },
  { name: 'call.answered', at: begun + second, data: {} },
];

/** The call as the edge has it. */
function callAtEdge(): string {
  const hex = (text: string): string => Buffer.from(text).toString('hex');
  const seconds = Math.floor(begun / 1_000);
  const party = hex('sip:somebody@sip.example.com');
  return ['1001', '14155550101', seconds, seconds, 0, 'a,b', party, party, party, 'sip:hop', party].join('|');
}

interface Owner {
  readonly panel: Panel;
  readonly token: string;
  readonly device: string;
  readonly epoch: number;
}

async function phone(device: string = randomUUID(), tenant = 'acme'): Promise<Omit<Owner, 'epoch'>> {
  const { token } = await one.signIn('ada', device, tenant);
  const panel = await one.connect(token);
  phones.push(panel);
  return { panel, token, device };
}

/** A phone that has the line and tells of calls. */
async function owner(device?: string, take = false, tenant?: string): Promise<Owner> {
  const it = await phone(device, tenant);
  it.panel.send({ type: 'line.ask', epoch: null, take });
  const { epoch } = await it.panel.next<{ type: 'line.yours'; epoch: number; forMs: number; kept: string | null }>(
    ({ type }) => type === 'line.yours',
  );
  return { ...it, epoch };
}

async function tell(panel: Panel, life: readonly Life[], from = 1): Promise<void> {
  panel.publish(...envelopes(callId, life, from));
  await panel.acknowledged();
}

/** The socket ends; resolves when the relay has given up waiting for it to come back. */
async function dies({ panel }: Pick<Owner, 'panel'>): Promise<void> {
  const lost = async (): Promise<number> =>
    Number(
      /^patchcord_lines_total\{result="lost"\} (\d+)$/m.exec(await (await one.fetch('/metrics')).text())?.[1] ?? 0,
    );
  const before = await lost();
  panel.socket.terminate();
  await expect.poll(lost, { timeout: 10_000, interval: 50 }).toBe(before + 1);
}

async function logOfCall({ token }: Pick<Owner, 'token'>): Promise<Record<string, unknown> | undefined> {
  const { calls } = (await (await one.fetch('/v1/calls?limit=50', { token })).json()) as {
    calls: Record<string, unknown>[];
  };
  return calls.find((call) => call.callId === callId);
}
/** The relay has seen to what there is at this time; it looks by itself as well, and a look that has begun is not begun anew. */
async function looked(): Promise<void> {
  await one.relay.sweep();
  await one.relay.sweep();
}
const logsInCrm = () => one.crm.logs().filter((log) => log.callId === callId);
const byes = (): number => edge.asked.filter((one) => one.startsWith('tm.t_uac_start BYE')).length;

describe('a call whose phone is gone', () => {
  it('is ended at the edge when nobody took it up within half a minute, and its log has that moment', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    desk.panel.send({ type: 'line.keep', epoch: desk.epoch, kept: 'what it can be taken with' });
    await dies(desk);
    ahead += 25 * second;
    await looked();
    expect(byes()).toBe(0);
    ahead += 10 * second;
    await looked();
    const endedAt = now();
    expect(edge.table('brake_end').has(sipCallId)).toBe(true);
    expect(byes()).toBeGreaterThanOrEqual(2);
    const log = await logOfCall(desk);
    expect(log).toMatchObject({ outcome: 'answered' });
    expect(Math.abs(Number(log?.talkMs) - (endedAt - begun - second))).toBeLessThan(20 * second);
    // Nothing is left for the next one, and the other rule finds nothing more to end.
    expect(await owner()).toBeDefined();
    ahead += 600 * second;
    await looked();
  });

  it('has the end its phone tells, whenever that comes back, and one log', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    await dies(desk);
    ahead += 40 * second;
    await looked();
    const back = await phone(desk.device);
    const end = { outcome: 'answered', reason: 'The far side hung up', by: 'far-side' } as const;
    await tell(back.panel, [{ name: 'call.ended', at: begun + 9 * second, data: end }], 7);
    expect(await logOfCall(back)).toMatchObject({ talkMs: 8 * second });
    await expect.poll(logsInCrm).toMatchObject([{ callId, seconds: 8 }]);
  });

  it('is asked for again while the edge does not answer, and its log ends when the phone was seen last', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.away = true;
    ahead += 60 * second;
    await dies(desk);
    const seenLast = now();
    ahead += 40 * second;
    await looked();
    expect(await logOfCall(desk)).toMatchObject({ outcome: null });
    ahead += 200 * second;
    await looked();
    const talkMs = Number((await logOfCall(desk))?.talkMs);
    expect(Math.abs(talkMs - (seenLast - begun - second))).toBeLessThan(20 * second);
  });

  it('is left alone while its phone is registered at the edge, and ended once it is not, though its log ended before', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    edge.registered.set('1001', [{ device: desk.device }]);
    await dies(desk);
    for (let minute = 0; minute < 4; minute += 1) {
      ahead += 60 * second;
      await looked();
    }
    expect(await logOfCall(desk)).toMatchObject({ outcome: null });
    for (let minute = 0; minute < 10; minute += 1) {
      ahead += 60 * second;
      await looked();
    }
    expect(await logOfCall(desk)).toMatchObject({ outcome: 'answered' });
    expect(byes()).toBe(0);
    // The colleague beside it, and what the edge has not cleared away yet, are not the phone.
    edge.registered.set('1001', [{ device: randomUUID() }, { device: desk.device, expires: 'deleted' }]);
    ahead += 30 * second;
    await looked();
    expect(byes()).toBeGreaterThanOrEqual(2);
  });

  it('is left alone at an edge that does not say who is registered, for ten minutes', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    edge.refused.add('ul.lookup');
    await dies(desk);
    for (let minute = 0; minute < 10; minute += 1) {
      ahead += 60 * second;
      await looked();
    }
    expect(byes()).toBe(0);
    expect(await logOfCall(desk)).toMatchObject({ outcome: 'answered' });
    ahead += 60 * second;
    await looked();
    expect(byes()).toBeGreaterThanOrEqual(2);
  });

  it('goes on with the device that took it up, which tells the rest in the same log', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    const laptop = await owner(undefined, true);
    const recovered = { way: 'resume', peer: 'Asterisk PBX', afterMs: 900 } as const;
    await tell(laptop.panel, [{ name: 'call.recovered', at: begun + 10 * second, data: recovered }]);
    desk.panel.socket.terminate();
    for (let minute = 0; minute < 15; minute += 1) {
      ahead += 60 * second;
      laptop.panel.send({ type: 'line.ask', epoch: laptop.epoch, take: false });
      await laptop.panel.next(({ type }) => type === 'line.yours');
      await looked();
    }
    expect(byes()).toBe(0);
    const end = { outcome: 'answered', reason: 'You hung up', by: 'agent' } as const;
    await tell(laptop.panel, [{ name: 'call.ended', at: begun + 700 * second, data: end }], 2);
    expect(await logOfCall(await one.signIn())).toMatchObject({ talkMs: 699 * second });
    await expect.poll(logsInCrm).toMatchObject([{ callId, seconds: 699 }]);
  });

  it('is ended when the device that took it up is gone as well, though the first one is there', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    const laptop = await owner(undefined, true);
    const recovered = { way: 'replaces', peer: 'Asterisk PBX', afterMs: 900 } as const;
    await tell(laptop.panel, [{ name: 'call.recovered', at: begun + 10 * second, data: recovered }]);
    await dies(laptop);
    ahead += 35 * second;
    await looked();
    expect(byes()).toBeGreaterThanOrEqual(2);
  });

  it('is left alone while its phone is connected, though it says nothing of the line', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    ahead += 120 * second;
    await looked();
    expect(await logOfCall(desk)).toMatchObject({ outcome: null });
  });

  it('is left to the older rule where the configuration says never', async () => {
    const desk = await owner(undefined, false, 'never');
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    await dies(desk);
    for (let minute = 0; minute < 4; minute += 1) {
      ahead += 60 * second;
      await looked();
    }
    for (let minute = 0; minute < 3; minute += 1) {
      ahead += 60 * second;
      await looked();
    }
    expect(await logOfCall(desk)).toMatchObject({ outcome: 'answered', talkMs: 0 });
    expect(byes()).toBe(0);
  });

  it('is not ended because access was taken away: that has rules of its own', async () => {
    const desk = await owner();
    await tell(desk.panel, talking());
    edge.table('brake_call').set(sipCallId, callAtEdge());
    const path = '/v1/admin/agents/acme/ada/revoke';
    expect((await one.fetch(path, { json: {}, token: adminToken })).status).toBe(200);
    await desk.panel.closed;
    ahead += 60 * second;
    await looked();
    expect(byes()).toBe(0);
  });
});
