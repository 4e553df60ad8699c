/** One call, one log: what panels and phone systems tell of the same call through the real relay, in any order, with gaps and wrong clocks. */
import { randomUUID } from 'node:crypto';
import type { CallSummary } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
import { wavOf } from '../unit/server/wav-samples.ts';

const secret = 'the-secret-of-a-phone-system-in-tests-0001';
const settleMs = 250;
const records = { asterisk: { secret }, kamailio: { secret }, settleMs, signedInSettleMs: settleMs, groupMs: settleMs };

let one: RelayInTest;
let token: string;
let panel: Panel;
let serial = 0;

beforeAll(async () => {
  const agents = [
    { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '005000000000001' },
    { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '005000000000002' },
    { id: 'cyd', name: 'Cyd Charisse', extension: '1010', crmUserId: '005000000000003' },
  ];
  one = await startRelayInTest(testConfig({ tenants: [testTenant({ callRecords: records, agents })] }));
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(() => one.closed());

interface Leg {
  readonly sipCallId: string;
  readonly number: string;
}
function newLeg(): Leg {
  serial += 1;
  return { sipCallId: `${randomUUID()}@pbx`, number: `+1415555${String(1_000 + serial)}` };
}

const began = 1_790_000_000_000;

function report(leg: Leg, change: Record<string, unknown> = {}): Record<string, unknown> {
  const { state = 'ended', shift = 0, ...rest } = change as { state?: string; shift?: number };
  const at = (seconds: number): string => String((began + shift) / 1_000 + seconds);
  return {
    id: `${leg.sipCallId}-${state}`,
    state,
    sipCallId: encodeURIComponent(leg.sipCallId),
    conversation: `c-${leg.sipCallId}`,
    extension: '1001',
    direction: 'inbound',
    number: encodeURIComponent(leg.number),
    started: at(0),
    answered: state === 'started' ? '' : at(4),
    ended: state === 'ended' ? at(34) : '',
    cause: state === 'ended' ? '16' : '',
    ...rest,
  };
}
async function tell(records: unknown, pbx = 'asterisk', shown: string | null = secret): Promise<Response> {
  return await one.fetch(`/v1/call-records/acme/${pbx}?uuid=a_1`, {
    method: 'POST',
    body: JSON.stringify(records),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(shown === null ? {} : { authorization: `Bearer ${shown}` }),
    },
  });
}
function life(leg: Leg): Life[] {
  const at = (seconds: number): number => began + seconds * 1_000;
  return [
    {
      name: 'call.started',
      at: at(0),
      data: { direction: 'inbound', farSide: { number: leg.number }, sipCallId: leg.sipCallId },
    },
    { name: 'call.ringing', at: at(0.1), data: { sipCallId: leg.sipCallId } },
    { name: 'call.answered', at: at(4), data: {} },
    {
      name: 'call.ended',
      at: at(34),
      data: { outcome: 'answered', reason: 'You hung up', by: 'agent', sipCallId: leg.sipCallId },
    },
    { name: 'wrap-up.submitted', at: at(40), data: { note: 'sold' } },
  ];
}
function logsOf(leg: Leg) {
  return one.crm.logs().filter(({ note, title }) => note.includes(leg.number) || title.includes(leg.number));
}
async function historyOf(leg: Leg, of = token): Promise<CallSummary[]> {
  const answer = (await (await one.fetch('/v1/calls?limit=200', { token: of })).json()) as { calls: CallSummary[] };
  return answer.calls.filter(({ farSide }) => farSide.number === leg.number);
}
/** Resolves when nothing of this leg waits any more. */
async function settled(leg: Leg, of = token): Promise<CallSummary[]> {
  await expect
    .poll(async () => (await historyOf(leg, of)).map(({ log }) => log), { timeout: 10_000, interval: 20 })
    .toSatisfy((states: string[]) => states.length > 0 && states.every((state) => state !== 'waiting'));
  return await historyOf(leg, of);
}

describe('a call that only the phone system saw', () => {
  it('is a missed log of its agent, once, however often it is reported', async () => {
    const leg = newLeg();
    const missed = report(leg, { answered: '', ended: String(began / 1_000 + 20) });
    for (let again = 0; again < 3; again += 1) {
      const answer = await tell(missed);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toEqual({ stored: 1, ignored: 0, refused: [] });
    }
    expect(await settled(leg)).toMatchObject([{ outcome: 'missed', log: 'saved', talkMs: 0 }]);
    expect(logsOf(leg)).toMatchObject([{ outcome: 'missed', owner: '005000000000001' }]);
  });

  it('is a call with its talk when a desk phone took it', async () => {
    const leg = newLeg();
    await tell([report(leg, { state: 'answered' }), report(leg)]);
    expect(await settled(leg)).toMatchObject([{ outcome: 'answered', talkMs: 30_000, startedAt: began }]);
  });

  it.each([
    ['before its log was written', 3_600_000],
    ['after', settleMs],
  ])(
    'says that the phone system recorded it, also in the phone’s call that comes %s, where it is heard',
    async (_when, restMs) => {
      const waits = { ...records, settleMs: restMs, signedInSettleMs: restMs };
      const relay = await startRelayInTest(testConfig({ tenants: [testTenant({ callRecords: waits })] }));
      try {
        const { token: own } = await relay.signIn();
        const ada = await relay.connect(own);
        const leg = newLeg();
        const told = await relay.fetch('/v1/call-records/acme/asterisk', { token: secret, json: report(leg) });
        expect(told.status).toBe(200);
        const noteOf = () => relay.crm.logs().map(({ note }) => note);
        if (restMs === settleMs) await expect.poll(noteOf, { timeout: 10_000 }).toHaveLength(1);
        const address = `/v1/recordings/acme/asterisk/sip/${encodeURIComponent(leg.sipCallId)}?channels=agent,far-side`;
        const body = wavOf([440, 880]) as Buffer<ArrayBuffer>;
        const taken = await relay.fetch(address, {
          method: 'PUT',
          body,
          headers: { authorization: `Bearer ${secret}` },
        });
        expect(taken.status).toBe(201);
        const callId = randomUUID();
        expect(((await taken.json()) as { callId: string }).callId).not.toBe(callId);
        ada.publish(...envelopes(callId, life(leg)));
        await ada.acknowledged();
        await expect.poll(() => noteOf().map((note) => note.includes('sold')), { timeout: 10_000 }).toEqual([true]);
        expect(noteOf()[0]).toContain('Recorded by the phone system.');
        const heard = await relay.fetch(`/v1/calls/${callId}/recording`, { token: own });
        expect([heard.status, await heard.json()]).toMatchObject([200, { state: 'ready', channels: 2 }]);
      } finally {
        await relay.closed();
      }
    },
  );

  it('goes up in the phone’s call when the journal of an offline browser comes after its log', async () => {
    const leg = newLeg();
    await tell(report(leg));
    await settled(leg);
    const [before] = logsOf(leg);
    const callId = randomUUID();
    panel.publish(...envelopes(callId, life(leg)));
    await panel.acknowledged();
    await expect.poll(() => logsOf(leg).map(({ note }) => note.includes('sold'))).toEqual([true]);
    expect(logsOf(leg).map(({ id }) => id)).toEqual([before?.id]);
    expect(await settled(leg)).toMatchObject([{ callId, log: 'saved' }]);
    panel.publish(
      ...envelopes(callId, [{ name: 'wrap-up.submitted', at: began + 50_000, data: { note: 'sold twice' } }], 9),
    );
    await panel.acknowledged();
    await expect.poll(() => logsOf(leg).map(({ note }) => note.includes('sold twice'))).toEqual([true]);
  });

  it('goes up in the phone’s call also when the CRM lost the answer to its first write', async () => {
    const leg = newLeg();
    const { PatchcordError } = await import('@patchcord/call-protocol');
    one.crm.fail({
      when: 'after',
      error: new PatchcordError('crm.unavailable', 'The answer was lost.', { retryable: true }),
      times: 3,
    });
    await tell(report(leg));
    await expect.poll(() => logsOf(leg).length).toBe(1);
    panel.publish(...envelopes(randomUUID(), life(leg)));
    await panel.acknowledged();
    await expect.poll(() => logsOf(leg).map(({ note }) => note.includes('sold')), { timeout: 10_000 }).toEqual([true]);
    await settled(leg);
    expect(logsOf(leg)).toHaveLength(1);
  });
});

describe('a call that the phone told in part', () => {
  it('ends as the phone system says when the tab crashed in it, by the phone’s own clock', async () => {
    const leg = newLeg();
    const callId = randomUUID();
    panel.publish(...envelopes(callId, life(leg).slice(0, 2)));
    await panel.acknowledged();
    await tell(report(leg, { shift: -77_000 }));
    expect(await settled(leg)).toMatchObject([
      { callId, outcome: 'answered', talkMs: 30_000, startedAt: began, log: 'saved' },
    ]);
    expect(logsOf(leg)).toHaveLength(1);
  });
});

describe('the legs of one conversation', () => {
  it('leave one missed log when a ring group rings out, with the first extension', async () => {
    const shared = newLeg();
    const legs = ['1010', '1002', '1001'].map((extension) =>
      report(
        { ...newLeg(), number: shared.number },
        { extension, conversation: shared.sipCallId, answered: '', id: `${shared.sipCallId} ${extension}` },
      ),
    );
    await tell(legs);
    await settled(shared);
    const others = await Promise.all(['bob', 'cyd'].map(async (agent) => (await one.signIn(agent)).token));
    for (const other of others)
      expect(await settled(shared, other)).toMatchObject([{ outcome: 'missed', log: 'none' }]);
    expect(logsOf(shared)).toMatchObject([{ owner: '005000000000001', outcome: 'missed' }]);
  });

  it('leave no missed log for those who rang while a colleague answered', async () => {
    const shared = newLeg();
    const leg = (extension: string, change: Record<string, unknown>) =>
      report(
        { ...newLeg(), number: shared.number },
        { extension, conversation: shared.sipCallId, id: `${shared.sipCallId} ${extension}`, ...change },
      );
    await tell([
      leg('1001', { answered: '', ended: String(began / 1_000 + 4) }),
      leg('1002', {}),
      leg('1010', { answered: '', cause: '26' }),
    ]);
    const bob = (await one.signIn('bob')).token;
    expect(await settled(shared, bob)).toMatchObject([{ outcome: 'answered', log: 'saved' }]);
    expect(await settled(shared)).toMatchObject([{ log: 'none' }]);
    expect(logsOf(shared)).toMatchObject([{ owner: '005000000000002', outcome: 'answered' }]);
  });

  it('keep the agent’s second leg, opened by a reload, out of the CRM', async () => {
    const leg = newLeg();
    panel.publish(...envelopes(randomUUID(), life(leg)));
    await panel.acknowledged();
    const second = { ...newLeg(), number: leg.number };
    await tell([report(leg, { conversation: leg.sipCallId }), report(second, { conversation: leg.sipCallId })]);
    await settled(leg);
    expect(logsOf(leg)).toHaveLength(1);
  });

  it('are two logs after a transfer: of the agent who had the call and of the one who got it', async () => {
    const leg = newLeg();
    panel.publish(...envelopes(randomUUID(), life(leg)));
    await panel.acknowledged();
    const target = { ...newLeg(), number: leg.number };
    await tell([
      report(leg, { conversation: leg.sipCallId }),
      report(target, { extension: '1002', conversation: leg.sipCallId, shift: 30_000 }),
    ]);
    const bob = (await one.signIn('bob')).token;
    expect(await settled(leg, bob)).toMatchObject([{ outcome: 'answered', log: 'saved' }]);
    await settled(leg);
    expect(
      logsOf(leg)
        .map(({ owner }) => owner)
        .sort(),
    ).toEqual(['005000000000001', '005000000000002']);
  });
});

describe('a call that the agent’s desk phone took while a browser of theirs rang', () => {
  const rang = (leg: Leg, outcome: 'missed' | 'answered-elsewhere'): Life[] => [
    ...life(leg).slice(0, 2),
    {
      name: 'call.ended',
      at: began + 4_000,
      data: { outcome, reason: 'It stopped ringing', by: 'far-side', sipCallId: leg.sipCallId },
    },
  ];
  const publish = async (...events: Life[]): Promise<void> => {
    panel.publish(...envelopes(randomUUID(), events));
    await panel.acknowledged();
  };
  const answered = async (leg: Leg): Promise<void> => {
    await expect
      .poll(() => logsOf(leg), { timeout: 10_000, interval: 20 })
      .toMatchObject([{ outcome: 'answered', seconds: 30 }]);
    await settled(leg);
    expect(logsOf(leg)).toMatchObject([{ outcome: 'answered', seconds: 30 }]);
  };

  for (const outcome of ['missed', 'answered-elsewhere'] as const) {
    it(`is logged once, as answered, when each had a leg of its own and the browser said ${outcome}`, async () => {
      const leg = newLeg();
      await publish(...rang(leg, outcome));
      await tell([
        report(leg, { conversation: leg.sipCallId, answered: '', ended: String(began / 1_000 + 4), cause: '26' }),
        report({ ...newLeg(), number: leg.number }, { conversation: leg.sipCallId }),
      ]);
      await answered(leg);
    });

    it(`is logged once, as answered, when a proxy forked it and the browser said ${outcome}`, async () => {
      const before = newLeg();
      await publish(...rang(before, outcome));
      await tell([report(before, { state: 'answered' }), report(before)]);
      await answered(before);
      const after = newLeg();
      await tell(report(after, { state: 'answered' }));
      await publish(...rang(after, outcome));
      await tell(report(after));
      await answered(after);
    });
  }

  it('is the log that said missed, from the moment the phone system knows better', async () => {
    const leg = newLeg();
    await publish(...rang(leg, 'missed'));
    await expect.poll(() => logsOf(leg), { timeout: 10_000 }).toMatchObject([{ outcome: 'missed' }]);
    await settled(leg);
    const [missed] = logsOf(leg);
    await tell(report(leg));
    await answered(leg);
    expect(logsOf(leg).map(({ id }) => id)).toEqual([missed?.id]);
  });

  it('belongs to the browser all the same when another one of them took it', async () => {
    const leg = newLeg();
    await publish(...rang(leg, 'answered-elsewhere'));
    await tell([report(leg, { state: 'answered' }), report(leg)]);
    await publish(...life(leg));
    await answered(leg);
    expect((await settled(leg)).filter(({ log }) => log === 'saved')).toHaveLength(1);
    expect(logsOf(leg)).toMatchObject([{ note: expect.stringContaining('sold') as string }]);
  });
});

it('logs a call that rang in two browsers once where no phone system reports, whoever speaks first and while the other writes', async () => {
  const plain = await startRelayInTest();
  try {
    const [first, second] = [
      await plain.connect((await plain.signIn()).token),
      await plain.connect((await plain.signIn()).token),
    ];
    for (const outcomes of [
      ['missed', 'missed'],
      ['missed', 'declined'],
    ] as const) {
      const leg = newLeg();
      const [small = '', large = ''] = [randomUUID(), randomUUID()].sort();
      const ended = (outcome: string): Life => ({
        name: 'call.ended',
        at: began + 20_000,
        data: { outcome, reason: 'Nobody answered', by: 'far-side', sipCallId: leg.sipCallId },
      });
      let begun = (): void => {};
      const writing = new Promise<void>((resolve) => {
        begun = resolve;
      });
      let release = (): void => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const writeLog = plain.crm.writeLog;
      Object.assign(plain.crm, {
        writeLog: async (...args: Parameters<typeof writeLog>) => {
          begun();
          await held;
          return writeLog.apply(plain.crm, args);
        },
      });
      // The one with the larger id speaks first, and its write is under way when the other one ends.
      first.publish(...envelopes(large, [...life(leg).slice(0, 2), ended(outcomes[0])]));
      second.publish(...envelopes(small, life(leg).slice(0, 2)));
      await Promise.all([first.acknowledged(), second.acknowledged()]);
      await writing;
      second.publish(...envelopes(small, [ended(outcomes[1])], 3));
      await second.acknowledged();
      release();
      const { token: of } = await plain.signIn();
      const states = async () => {
        const { calls } = (await (await plain.fetch('/v1/calls', { token: of })).json()) as { calls: CallSummary[] };
        return calls.filter(({ callId }) => callId === small || callId === large).map(({ log }) => log);
      };
      await expect.poll(async () => [...(await states())].sort(), { timeout: 10_000 }).toEqual(['none', 'saved']);
      Object.assign(plain.crm, { writeLog });
      const logs = plain.crm.logs().filter(({ callId }) => callId === small || callId === large);
      expect(logs).toMatchObject([{ callId: large }]);
    }
  } finally {
    await plain.closed();
  }
}, 30_000);

it('logs a call that rang in two browsers of one agent once', async () => {
  const leg = newLeg();
  const missed: Life[] = [
    ...life(leg).slice(0, 2),
    { name: 'call.ended', at: began + 20_000, data: { outcome: 'missed', reason: 'Nobody answered', by: 'far-side' } },
  ];
  const second = await one.connect((await one.signIn()).token);
  panel.publish(...envelopes(randomUUID(), missed));
  second.publish(...envelopes(randomUUID(), missed));
  await Promise.all([panel.acknowledged(), second.acknowledged()]);
  await settled(leg);
  expect(logsOf(leg)).toHaveLength(1);
});

it('makes the same one log of any order, repetition and loss of what panel and phone systems say, with clocks 90 s apart', async () => {
  const facts = fc.record({
    shift: fc.integer({ min: -90_000, max: 90_000 }),
    edgeShift: fc.integer({ min: -90_000, max: 90_000 }),
    /** What of the call's middle and of the reports is lost; what is left still tells who, when and how it ended. */
    lost: fc.subarray(['panel 0', 'panel 1', 'panel 2', 'pbx started', 'pbx answered', 'edge ended']),
    lostEnd: fc.constantFrom('panel 3', 'pbx ended', 'none'),
    order: fc.array(fc.nat({ max: 1_000 }), { minLength: 9, maxLength: 9 }),
    repeats: fc.array(fc.nat({ max: 8 }), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(facts, async ({ shift, edgeShift, lost, lostEnd, order, repeats }) => {
      const leg = newLeg();
      const callId = randomUUID();
      const events = envelopes(callId, life(leg));
      const say: Record<string, () => Promise<unknown>> = {};
      for (const [index, event] of events.entries()) {
        say[`panel ${index}`] = async () => {
          panel.publish(event);
          await panel.acknowledged();
        };
      }
      for (const state of ['started', 'answered', 'ended'])
        say[`pbx ${state}`] = () => tell(report(leg, { state, shift }));
      say['edge ended'] = () => tell(report(leg, { shift: edgeShift, id: 'edge' }), 'kamailio');
      // Without its beginning the call needs its end by the phone's clock, and somebody who says who called whom.
      const gone = new Set<string>([...lost, lostEnd].filter((name) => name !== 'panel 0' || lostEnd === 'none'));
      // Somebody must know of the answer.
      if (['pbx answered', 'pbx ended', 'edge ended'].every((name) => gone.has(name))) gone.delete('panel 2');
      const said = Object.keys(say).filter((name) => !gone.has(name));
      const names = [...said, ...repeats.flatMap((index) => said[index] ?? [])];
      const shuffled = names
        .map((name, index) => ({ name, at: order[index % order.length] ?? 0 }))
        .sort((a, b) => a.at - b.at);
      for (const { name } of shuffled) await say[name]?.();
      await expect
        .poll(() => logsOf(leg).map(({ note }) => note.includes('sold')), { timeout: 10_000, interval: 20 })
        .toEqual([true]);
      const [entry, ...more] = await settled(leg);
      expect(more).toEqual([]);
      expect(entry).toMatchObject({ callId, startedAt: began, talkMs: 30_000, outcome: 'answered', log: 'saved' });
      expect(logsOf(leg)).toMatchObject([{ seconds: 30, outcome: 'answered', direction: 'inbound' }]);
    }),
    { numRuns: 25 },
  );
}, 120_000);

describe('the door for call records', () => {
  it('opens to the secret alone, and is not there for anybody else', async () => {
    const leg = newLeg();
    expect((await tell(report(leg), 'asterisk', 'another-secret-that-is-long-enough-000')).status).toBe(401);
    expect((await tell(report(leg), 'asterisk', null)).status).toBe(401);
    expect((await tell(report(leg), 'freeswitch')).status).toBe(401);
    expect((await tell(report(leg), 'constructor')).status).toBe(401);
    expect(await historyOf(leg)).toEqual([]);
  });

  it('refuses what it can’t read without holding the rest back', async () => {
    const leg = newLeg();
    expect((await tell({ id: 'x' })).status).toBe(400);
    const answer = await tell([{ id: 'x' }, null, [], 'no', report(leg), report(newLeg(), { extension: '9' })]);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { stored: number; ignored: number; refused: { index: number }[] };
    expect(body).toMatchObject({ stored: 1, ignored: 1 });
    expect(body.refused.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    await settled(leg);
  });

  it('lets no panel speak as a call made from reports', async () => {
    const leg = newLeg();
    await tell(report(leg));
    const [call] = await settled(leg);
    panel.publish(...envelopes(call?.callId ?? '', [{ name: 'call.answered', data: {} }]));
    const refused = await panel.next((message) => message.type === 'refused');
    expect(refused).toMatchObject({ message: expect.stringContaining('a phone system reported') });
  });
});

it('tells agent and admin which calls are not logged and why, and tries again when asked', async () => {
  const { PatchcordError } = await import('@patchcord/call-protocol');
  const leg = newLeg();
  one.crm.fail({ when: 'before', error: new PatchcordError('crm.invalid', 'The field Call_Type__c does not exist.') });
  panel.publish(...envelopes(randomUUID(), life(leg)));
  await panel.acknowledged();
  const [call] = await settled(leg);
  expect(call).toMatchObject({ log: 'failed', logReason: 'The field Call_Type__c does not exist.' });
  const wanted = {
    calls: [
      {
        callId: call?.callId,
        agent: 'ada',
        logReason: 'The field Call_Type__c does not exist.',
        advice: expect.stringContaining('Try again'),
      },
    ],
  };
  expect(await (await one.fetch('/v1/unlogged', { token })).json()).toMatchObject(wanted);
  expect(await (await one.fetch('/v1/admin/unlogged?tenant=acme', { token: adminToken })).json()).toMatchObject(wanted);
  const bob = (await one.signIn('bob')).token;
  expect(await (await one.fetch('/v1/unlogged', { token: bob })).json()).toEqual({ calls: [] });
  const again = (of: string) => one.fetch(`/v1/calls/${call?.callId}/log/retry`, { method: 'POST', token: of });
  expect((await again(bob)).status).toBe(404);
  expect((await one.fetch('/v1/team/unlogged', { token })).status).toBe(403);
  const answer = await again(token);
  expect(answer.status).toBe(202);
  expect(await answer.json()).toEqual({ callId: call?.callId, log: 'waiting' });
  expect(await settled(leg)).toMatchObject([{ log: 'saved' }]);
  expect(logsOf(leg)).toHaveLength(1);
});
