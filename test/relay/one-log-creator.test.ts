/** Exactly one log of a call, whoever makes it: the decision, what phones and the CRM tell of it, and what nobody tells, through the real relay. */
import { createHmac, randomUUID } from 'node:crypto';
import { type CallSummary, PatchcordError } from '@patchcord/call-protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPageCrm, type Operation, type PageCrm } from '../unit/server/page-crm.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const clientSecret = 'the-client-secret-of-the-app-in-tests';
const pbxSecret = 'the-secret-of-a-phone-system-in-tests-0001';
const graceMs = 60_000;
const hubspot = {
  kind: 'hubspot',
  portalId: 1_234_567,
  appId: 99,
  clientId: 'client',
  clientSecret,
  refreshToken: 'refresh',
} as const;
const agents = [
  { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '71' },
  { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '72' },
];
const callRecords = { asterisk: { secret: pbxSecret }, settleMs: 50, signedInSettleMs: 50, groupMs: 50 };

/** The clock of the relay runs on by itself; a test may put it forward. */
let ahead = 0;
const now = () => Date.now() + ahead;

let one: RelayInTest;
let crm: PageCrm;
let token: string;
let bob: string;
let panel: Panel;

beforeAll(async () => {
  crm = createPageCrm();
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({ crm: hubspot, agents, callRecords }),
        testTenant({ id: 'alone', crm: { ...hubspot, portalId: 2, logsMadeBy: 'relay' } }),
        testTenant({ id: 'plain' }),
      ],
    }),
    { connectCrm: ({ id, crm: { kind } }) => (kind === 'memory' || id === 'plain' ? createPlainCrm() : crm), now },
  );
  ({ token } = await one.signIn());
  bob = (await one.signIn('bob')).token;
  panel = await one.connect(token);
});
afterAll(() => one.closed());
beforeEach(() => {
  crm.asked.length = 0;
});

/** One that has no page of its own. */
function createPlainCrm() {
  const {
    findPageLogs: _find,
    isLogOf: _is,
    removeSecondLog: _remove,
    reportUnseenCall: _report,
    ...plain
  } = createPageCrm();
  return plain;
}

function ask(callId: string, by = token): Promise<Response> {
  return one.fetch(`/v1/calls/${callId}/log-creator`, { method: 'PUT', json: {}, token: by });
}
async function creator(callId: string, by = token): Promise<unknown> {
  return await (await ask(callId, by)).json();
}
async function publish(callId: string, life: readonly Life[], from = 1, by = panel): Promise<void> {
  by.publish(...envelopes(callId, life, from, now() - 60_000));
  await by.acknowledged();
}
const begins = answeredCall.slice(0, 3);
const ends = answeredCall.slice(3);
const made = (logId: string): Life => ({ name: 'log.created', data: { logId } });
const notMade: Life = { name: 'log.not-created', data: { reason: 'HubSpot refused.', certain: true } };

async function entry(callId: string, by = token): Promise<CallSummary | undefined> {
  const { calls } = (await (await one.fetch('/v1/calls?limit=200', { token: by })).json()) as { calls: CallSummary[] };
  return calls.find((call) => call.callId === callId);
}
async function saved(callId: string, by = token): Promise<void> {
  await expect.poll(async () => (await entry(callId, by))?.log, { timeout: 10_000, interval: 20 }).toBe('saved');
}
/** Resolves when the relay has looked at what it was told: nothing of the call is waiting to be delivered. */
async function settled(callId: string): Promise<void> {
  await expect
    .poll(async () => (await entry(callId))?.log, { timeout: 10_000, interval: 20 })
    .toSatisfy((state) => state !== 'waiting');
}
async function alerts(
  kind: string,
): Promise<readonly { readonly message: string; readonly data: Record<string, unknown> }[]> {
  const answer = await one.fetch('/v1/admin/alerts?tenant=acme', { token: adminToken });
  const body = (await answer.json()) as { alerts: { kind: string; message: string; data: Record<string, unknown> }[] };
  return body.alerts.filter((alert) => alert.kind === kind);
}
/** Puts the clock forward by so much that nobody is signed in any more. */
async function later(ms: number): Promise<void> {
  ahead += ms + 1_000;
  ({ token } = await one.signIn());
  bob = (await one.signIn('bob')).token;
  panel = await one.connect(token);
}
let serial = 0;
async function webhook(logId: string, callId: string): Promise<Response> {
  serial += 1;
  const body = JSON.stringify([
    {
      eventId: serial,
      portalId: hubspot.portalId,
      subscriptionType: 'object.propertyChange',
      objectId: Number(logId),
      objectTypeId: '0-48',
      propertyName: 'hs_call_external_id',
      propertyValue: callId,
    },
  ]);
  const path = '/v1/hubspot/webhooks';
  const at = now();
  const signature = createHmac('sha256', clientSecret)
    .update(`POST${one.relay.url}${path}${body}${at}`)
    .digest('base64');
  return await one.fetch(path, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signature,
      'x-hubspot-request-timestamp': String(at),
    },
  });
}

describe('who makes the log of a call', () => {
  it('is answered before a word of the call has arrived, and the same for ever', async () => {
    const callId = randomUUID();
    expect(await creator(callId)).toEqual({ creator: 'page', logId: null });
    const answers = await Promise.all(Array.from({ length: 8 }, () => creator(callId)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(
      new Set([JSON.stringify({ creator: 'page', logId: null })]),
    );
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins, made(object.id), ...ends]);
    await saved(callId);
    expect(await creator(callId)).toEqual({ creator: 'page', logId: object.id });
  });

  it('is the relay where the customer wants it, where the CRM has no such page, and of a call that is over', async () => {
    const alone = (await one.signIn('ada', randomUUID(), 'alone')).token;
    expect(await creator(randomUUID(), alone)).toEqual({ creator: 'relay', logId: null });
    const plain = (await one.signIn('ada', randomUUID(), 'plain')).token;
    expect(await creator(randomUUID(), plain)).toEqual({ creator: 'relay', logId: null });
    const callId = randomUUID();
    await publish(callId, answeredCall);
    await saved(callId);
    expect(await creator(callId)).toEqual({ creator: 'relay', logId: crm.live(callId)[0]?.id });
  });

  it('is nobody else’s to decide: not for a colleague’s call, not for one of a phone system, not without an end', async () => {
    const callId = randomUUID();
    await publish(callId, begins);
    expect((await ask(callId, bob)).status).toBe(403);
    expect(await creator(callId)).toEqual({ creator: 'page', logId: null });
    expect((await ask(callId.replace(/^(.{14})./, '$18'))).status).toBe(400);
    expect((await ask('no-id')).status).toBe(400);
    expect((await one.fetch(`/v1/calls/${callId}/log-creator`, { method: 'PUT', json: {} })).status).toBe(401);
    // A colleague who was first to name an id has decided nothing for the call.
    const squatted = randomUUID();
    const other = (await one.signIn('ada', randomUUID(), 'alone')).token;
    expect(await creator(squatted, other)).toMatchObject({ creator: 'relay' });
    expect(await creator(squatted)).toEqual({ creator: 'page', logId: null });
    const statuses = new Set<number>();
    for (let again = 0; again < 130; again += 1) statuses.add((await ask(randomUUID(), bob)).status);
    expect(statuses).toEqual(new Set([200, 429]));
  });
});

describe('a log that the page made', () => {
  it('is gone on in, and no other is made', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins, made(object.id), ...ends]);
    await saved(callId);
    await publish(callId, [{ name: 'wrap-up.submitted', data: { note: 'sold' } }], 20);
    await expect.poll(() => object.log?.note).toBe('sold');
    expect(crm.live(callId)).toEqual([object]);
    expect(object.log).toMatchObject({ outcome: 'answered', stage: 'final' });
  });

  it('is gone on in although nobody asked first', async () => {
    const callId = randomUUID();
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins, made(object.id), ...ends]);
    await saved(callId);
    expect(crm.live(callId)).toEqual([object]);
  });

  it('is waited for while the page may still tell, and taken the moment it does', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, answeredCall);
    const object = crm.pageMakes(callId, true);
    await publish(callId, [made(object.id)], 20);
    await saved(callId);
    expect(crm.live(callId)).toEqual([object]);
    expect(crm.asked).not.toContain('findPageLogs');
  });

  it('is found when its window was closed before it could tell', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    await publish(callId, answeredCall);
    expect(await entry(callId)).toMatchObject({ log: 'waiting' });
    expect(crm.asked).toEqual([]);
    ahead += graceMs + 1_000;
    await saved(callId);
    expect(crm.live(callId)).toEqual([object]);
    expect(crm.asked).toEqual(['findPageLogs', 'writeLog']);
  });

  it('is told by the CRM as well as by the phone', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, begins);
    const object = crm.pageMakes(callId, true);
    expect(await (await webhook(object.id, callId)).json()).toEqual({ taken: 1 });
    await publish(callId, ends, 10);
    await saved(callId);
    expect(crm.live(callId)).toEqual([object]);
  });

  it('is finished when its window was killed in the call and nobody comes back, and corrected when somebody does', async () => {
    const gone = await one.signIn('ada');
    const killed = await one.connect(gone.token);
    const callId = randomUUID();
    await creator(callId, gone.token);
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins, made(object.id)], 1, killed);
    killed.socket.terminate();
    ahead += 13 * 3_600_000;
    expect(await one.relay.sweep()).toBeGreaterThanOrEqual(1);
    await expect.poll(() => object.log?.outcome, { timeout: 10_000 }).toBe('answered');
    expect(object.log).toMatchObject({ stage: 'ended', endedByRule: true });
    ({ token } = await one.signIn());
    bob = (await one.signIn('bob')).token;
    panel = await one.connect(token);
    await publish(callId, ends, 20);
    await expect.poll(() => object.log?.endedByRule).toBeUndefined();
    expect(crm.live(callId)).toEqual([object]);
  });

  it('is one, wherever a request of the delivery was lost', async () => {
    const operations: readonly Operation[] = ['isLogOf', 'findPageLogs', 'writeLog'];
    for (const when of ['before', 'after'] as const)
      for (const operation of operations) {
        const callId = randomUUID();
        await creator(callId);
        const object = crm.pageMakes(callId);
        crm.fail(operation, when);
        await publish(callId, [...begins, ...(operation === 'findPageLogs' ? [notMade] : [made(object.id)]), ...ends]);
        await saved(callId);
        expect(crm.live(callId), `${operation} ${when}`).toEqual([object]);
      }
  });
});

describe('a page that only said nothing', () => {
  const silent: Life = { name: 'log.not-created', data: { reason: 'No answer within 10 s.', certain: false } };

  it('keeps its time, and is gone on in when it made the log all the same', async () => {
    for (const [life, isOld] of [
      [silent, false],
      // As a phone of before says it.
      [{ name: 'log.not-created', data: { reason: 'No answer within 10 s.' } } satisfies Life, true],
    ] as const) {
      const callId = randomUUID();
      await creator(callId);
      crm.asked.length = 0;
      await publish(callId, [...begins, life, ...ends]);
      expect(await entry(callId)).toMatchObject({ log: 'waiting' });
      // The panel tells it after the end, as it does with a note: still nobody takes over.
      await publish(callId, [{ name: 'wrap-up.submitted', data: { note: 'sold' } }], 20);
      expect(crm.asked, String(isOld)).toEqual([]);
      const object = crm.pageMakes(callId);
      ahead += graceMs + 1_000;
      await saved(callId);
      expect(crm.live(callId)).toEqual([object]);
    }
  });

  it('is taken at its word when it says after that that it made none', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, [...begins, silent, notMade, ...ends]);
    await saved(callId);
    expect(crm.live(callId)).toMatchObject([{ madeBy: 'relay' }]);
  });
});

describe('a log that its page made late, without a word of anybody', () => {
  const tenMinutes = 600_000;
  const looks = (callId: string) => crm.lookedFor.filter((one) => one === callId).length;

  it('is found ten minutes later and taken away beside the relay’s own, and nothing else is touched', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, answeredCall);
    ahead += graceMs + 1_000;
    await saved(callId);
    const [own] = crm.live(callId);
    const twin = crm.pageMakes(callId);
    const another = crm.pageMakes(randomUUID());
    await later(tenMinutes);
    await expect.poll(() => twin.archived, { timeout: 10_000 }).toBe(true);
    expect(crm.live(callId)).toEqual([own]);
    expect(another.archived).toBe(false);
    await settled(callId);
    expect((await entry(callId))?.log).toBe('saved');
  });

  it('is found six hours later where the page had refused first and the index was slow', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, [...begins, notMade, ...ends]);
    await saved(callId);
    const [own] = crm.live(callId);
    await later(tenMinutes);
    await expect.poll(() => looks(callId), { timeout: 10_000 }).toBe(2);
    const twin = crm.pageMakes(callId);
    await later(6 * 3_600_000);
    await expect.poll(() => twin.archived, { timeout: 10_000 }).toBe(true);
    expect(crm.live(callId)).toEqual([own]);
  });

  it('is taken away also where the call got no log', async () => {
    const callId = randomUUID();
    await creator(callId);
    const elsewhere = { outcome: 'answered-elsewhere', reason: 'Answered elsewhere', by: 'network' } as const;
    await publish(callId, [...begins.slice(0, 2), { name: 'call.ended', data: elsewhere }]);
    ahead += graceMs + 1_000;
    await expect.poll(() => looks(callId), { timeout: 10_000 }).toBe(1);
    const object = crm.pageMakes(callId);
    await later(tenMinutes);
    await expect.poll(() => object.archived, { timeout: 10_000 }).toBe(true);
    expect(crm.live(callId)).toEqual([]);
  });

  it('is looked for twice and no more, and never where the log was the relay’s to make', async () => {
    const [asked, notAsked] = [randomUUID(), randomUUID()];
    await creator(asked);
    await publish(asked, [...begins, notMade, ...ends]);
    await publish(notAsked, answeredCall);
    for (const callId of [asked, notAsked]) await saved(callId);
    for (const [ms, times] of [
      [tenMinutes, 2],
      [6 * 3_600_000, 3],
      [24 * 3_600_000, 3],
    ] as const) {
      await later(ms);
      await expect.poll(() => looks(asked), { timeout: 10_000 }).toBe(times);
    }
    await publish(notAsked, [{ name: 'wrap-up.submitted', data: { note: 'sold' } }], 20);
    await expect.poll(() => crm.live(notAsked)[0]?.log?.note, { timeout: 10_000 }).toBe('sold');
    expect([looks(asked), looks(notAsked)]).toEqual([3, 0]);
  });
});

describe('several logs that the page made for one call', () => {
  it('become one: the first is gone on in, the others go', async () => {
    const callId = randomUUID();
    await creator(callId);
    const objects = [1, 2, 3].map(() => crm.pageMakes(callId));
    await publish(callId, answeredCall);
    ahead += graceMs + 1_000;
    await saved(callId);
    expect(objects.map(({ archived }) => archived)).toEqual([false, true, true]);
    expect(crm.live(callId)).toMatchObject([{ log: { outcome: 'answered' } }]);
  });
});

describe('a log that the page did not make', () => {
  it('is made by the relay at once when the page says so, after a look', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, [...begins, notMade, ...ends]);
    await saved(callId);
    expect(crm.live(callId)).toMatchObject([{ madeBy: 'relay', log: { outcome: 'answered' } }]);
    expect(crm.asked).toEqual(['findPageLogs', 'writeLog']);
    expect(await creator(callId)).toMatchObject({ creator: 'relay' });
  });

  it('is made by the relay when nobody said anything, and a late twin that nobody edited goes', async () => {
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, answeredCall);
    ahead += graceMs + 1_000;
    await saved(callId);
    const [own] = crm.live(callId);
    expect(own).toMatchObject({ madeBy: 'relay' });
    const twin = crm.pageMakes(callId);
    await publish(callId, [made(twin.id)], 20);
    await expect.poll(() => twin.archived).toBe(true);
    expect(crm.live(callId)).toEqual([own]);
    // Told again by the CRM, it is not looked at again.
    await settled(callId);
    crm.asked.length = 0;
    await webhook(twin.id, callId);
    await settled(callId);
    expect(crm.asked).not.toContain('removeSecondLog');
  });

  it('leaves a late twin that somebody edited, and says so to an administrator', async () => {
    const callId = randomUUID();
    await publish(callId, answeredCall);
    await saved(callId);
    const [own] = crm.live(callId);
    const twin = crm.pageMakes(callId);
    twin.edited = true;
    expect(await (await webhook(twin.id, callId)).json()).toEqual({ taken: 1 });
    await expect
      .poll(async () => (await alerts('log.second')).map(({ data }) => data))
      .toContainEqual({
        callId,
        logId: twin.id,
        keptLogId: own?.id,
      });
    expect(crm.live(callId)).toEqual([own, twin]);
    expect(twin.log).toBeNull();
  });

  it('keeps the only log there is when a person deleted the other', async () => {
    const callId = randomUUID();
    await publish(callId, answeredCall);
    await saved(callId);
    const [own] = crm.live(callId);
    if (own === undefined) throw new Error('nothing was logged');
    own.archived = true;
    const twin = crm.pageMakes(callId);
    await webhook(twin.id, callId);
    const ofTwin = async () => (await alerts('log.second')).filter(({ data }) => data.logId === twin.id);
    await expect.poll(async () => (await ofTwin()).length).toBe(1);
    // There are no two to compare any more.
    expect((await ofTwin())[0]?.message).toContain('the only one left');
    expect(twin.archived).toBe(false);
  });

  it('is logged all the same where the app may not delete a twin', async () => {
    const callId = randomUUID();
    await publish(callId, answeredCall);
    await saved(callId);
    const twin = crm.pageMakes(callId);
    crm.fail('removeSecondLog', 'before', new PatchcordError('crm.invalid', 'The app lacks a scope.'));
    await publish(callId, [made(twin.id), { name: 'wrap-up.submitted', data: { note: 'kept' } }], 20);
    await expect.poll(() => crm.live(callId).map(({ log }) => log?.note)).toEqual(['kept', undefined]);
    await expect.poll(async () => (await alerts('log.second')).map(({ data }) => data.logId)).toContain(twin.id);
  });
});

describe('a phone that names a log which is not its call’s', () => {
  it('never gets a colleague’s log overwritten', async () => {
    const victim = randomUUID();
    const theirs = crm.pageMakes(victim);
    const callId = randomUUID();
    await creator(callId);
    await publish(callId, [...begins, made(theirs.id), ...ends]);
    expect(await entry(callId)).toMatchObject({ log: 'waiting' });
    ahead += graceMs + 1_000;
    await saved(callId);
    expect(theirs.log).toBeNull();
    expect(crm.live(callId)).toMatchObject([{ madeBy: 'relay' }]);
    expect((await alerts('log.foreign')).map(({ data }) => data)).toContainEqual({ callId, logId: theirs.id });
  });

  it('never gets one taken away, or typed notes of a person taken for a call', async () => {
    const theirs = crm.pageMakes(randomUUID());
    const typed = crm.pageMakes('');
    const callId = randomUUID();
    await publish(callId, [...begins, ...ends]);
    await saved(callId);
    const others = [theirs, typed, crm.pageMakes(randomUUID()), crm.pageMakes(randomUUID())];
    await publish(
      callId,
      others.map(({ id }) => made(id)),
      20,
    );
    const told = async () => (await alerts('log.foreign')).filter(({ data }) => data.callId === callId).length;
    await settled(callId);
    // It may be on its way to be: nobody is blamed before the page had its time.
    expect(await told()).toBe(0);
    ahead += graceMs + 1_000;
    await expect.poll(told, { timeout: 10_000 }).toBe(4);
    expect([theirs, typed].map(({ archived, log }) => [archived, log])).toEqual([
      [false, null],
      [false, null],
    ]);
    expect(crm.live(callId)).toHaveLength(1);
  });

  it('is believed once the log has become its call’s, however long the CRM took to say so', async () => {
    const callId = randomUUID();
    await publish(callId, answeredCall);
    await saved(callId);
    const [own] = crm.live(callId);
    const [soon, late] = [crm.pageMakes(''), crm.pageMakes('')];
    await publish(callId, [made(soon.id), made(late.id)], 20);
    await settled(callId);
    soon.callId = callId;
    ahead += graceMs + 1_000;
    await expect.poll(() => soon.archived, { timeout: 10_000 }).toBe(true);
    await expect
      .poll(async () => (await alerts('log.foreign')).map(({ data }) => data.logId), { timeout: 10_000 })
      .toContain(late.id);
    late.callId = callId;
    await webhook(late.id, callId);
    await expect.poll(() => late.archived, { timeout: 10_000 }).toBe(true);
    expect(crm.live(callId)).toEqual([own]);
  });

  it('is not blamed when a person deleted the log before anything was written in it', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    object.archived = true;
    await publish(callId, [...begins, made(object.id), ...ends]);
    ahead += graceMs + 1_000;
    await saved(callId);
    expect(crm.live(callId)).toMatchObject([{ madeBy: 'relay' }]);
    const blamed = await alerts('log.foreign');
    expect(blamed.map(({ data }) => data.logId)).not.toContain(object.id);
  });
});

describe('a call that gets no log', () => {
  const elsewhere: Life = {
    name: 'call.ended',
    data: { outcome: 'answered-elsewhere', reason: 'Answered elsewhere', by: 'network' },
  };

  it('loses the one that its page made', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins.slice(0, 2), made(object.id), elsewhere]);
    await expect.poll(() => object.archived).toBe(true);
    expect((await entry(callId))?.log).toBe('none');
  });

  it('loses it also when the page never told of it', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    await publish(callId, [...begins.slice(0, 2), elsewhere]);
    ahead += graceMs + 1_000;
    await expect.poll(() => object.archived, { timeout: 10_000 }).toBe(true);
  });

  it('keeps one that somebody edited, finished', async () => {
    const callId = randomUUID();
    await creator(callId);
    const object = crm.pageMakes(callId);
    object.edited = true;
    await publish(callId, [...begins.slice(0, 2), made(object.id), elsewhere]);
    await expect.poll(() => object.log?.outcome).toBe('answered-elsewhere');
    expect(object.archived).toBe(false);
  });

  it('rang in two browsers whose pages both made one: one stays', async () => {
    const other = await one.connect((await one.signIn('ada')).token);
    const sipCallId = `${randomUUID()}@pbx`;
    const rang = (answered: boolean): Life[] => [
      { name: 'call.started', data: { direction: 'inbound', farSide: { number: '+14155550177' }, sipCallId } },
      ...(answered ? [{ name: 'call.answered', data: {} } as const] : []),
      {
        name: 'call.ended',
        data: { outcome: answered ? 'answered' : 'missed', reason: '', by: 'far-side', sipCallId },
      },
    ];
    const [took, rangOnly] = [randomUUID(), randomUUID()];
    const objects = [took, rangOnly].map((callId) => crm.pageMakes(callId));
    for (const callId of [took, rangOnly]) await creator(callId);
    await publish(rangOnly, [...rang(false), made(objects[1]?.id ?? '')], 1, other);
    await publish(took, [...rang(true), made(objects[0]?.id ?? '')]);
    await saved(took);
    await expect.poll(() => objects.map(({ archived }) => archived), { timeout: 10_000 }).toEqual([false, true]);
  });
});

describe('a call that a desk phone took after the panel had logged it as missed', () => {
  it('goes on in the log that the page made, which stays as the desk phone’s', async () => {
    const callId = randomUUID();
    const sipCallId = `${randomUUID()}@pbx`;
    await creator(callId);
    const object = crm.pageMakes(callId);
    const began = now() - 60_000;
    await publish(callId, [
      { name: 'call.started', data: { direction: 'inbound', farSide: { number: '+14155550188' }, sipCallId } },
      made(object.id),
      { name: 'call.ended', data: { outcome: 'missed', reason: '', by: 'far-side', sipCallId } },
    ]);
    await saved(callId);
    expect(object.log?.outcome).toBe('missed');
    const record = {
      id: `desk-${callId}`,
      state: 'ended',
      sipCallId: encodeURIComponent(sipCallId),
      conversation: '',
      extension: '1001',
      direction: 'inbound',
      number: encodeURIComponent('+14155550188'),
      started: String(began / 1_000),
      answered: String(began / 1_000 + 3),
      ended: String(began / 1_000 + 33),
      cause: '16',
    };
    const answer = await one.fetch('/v1/call-records/acme/asterisk?uuid=a_1', {
      method: 'POST',
      body: JSON.stringify([record]),
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${pbxSecret}` },
    });
    expect(answer.status).toBe(200);
    await expect.poll(() => object.log?.outcome, { timeout: 10_000 }).toBe('answered');
    await expect.poll(async () => (await entry(callId))?.log, { timeout: 10_000 }).not.toBe('waiting');
    // Told once more, the panel's call leaves the log alone.
    await publish(callId, [made(object.id)], 20);
    await settled(callId);
    expect(object).toMatchObject({ archived: false, log: { outcome: 'answered' } });
    expect((await alerts('log.second')).map(({ data }) => data.logId)).not.toContain(object.id);
  });
});

describe('a call that no phone saw', () => {
  let number = 0;
  function record(extension: string, change: Record<string, unknown> = {}) {
    number += 1;
    const started = Math.floor(now() / 1_000) - 100;
    return {
      id: `r-${number}`,
      state: 'ended',
      sipCallId: `${randomUUID()}%40pbx`,
      conversation: '',
      extension,
      direction: 'inbound',
      number: encodeURIComponent(`+1415555${2_000 + number}`),
      started: String(started),
      answered: '',
      ended: String(started + 20),
      cause: '16',
      ...change,
    };
  }
  async function tell(records: unknown): Promise<void> {
    const answer = await one.fetch('/v1/call-records/acme/asterisk?uuid=a_1', {
      method: 'POST',
      body: JSON.stringify(records),
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${pbxSecret}` },
    });
    expect(answer.status).toBe(200);
  }
  const reported = () => crm.objects.filter(({ madeBy }) => madeBy === 'report');

  it('is reported to the CRM once, with everybody it rang for', async () => {
    const conversation = randomUUID();
    const before = reported().length;
    const legs = [record('1001', { conversation }), record('1002', { conversation })];
    await tell(legs);
    await tell(legs);
    await expect.poll(() => reported().length, { timeout: 10_000 }).toBe(before + 1);
    expect(crm.candidates.map(({ crmUserId }) => crmUserId).sort()).toEqual(['71', '72']);
    expect(crm.reports.at(-1)).toBe(0);
    expect(reported().at(-1)?.log).toMatchObject({ outcome: 'missed', direction: 'inbound' });
  });

  it('is said to be a repeat when an earlier report may have gone out, and is one', async () => {
    const before = reported().length;
    crm.fail('reportUnseenCall', 'after');
    await tell(record('1001'));
    await expect.poll(() => crm.reports.at(-1), { timeout: 10_000 }).toBe(1);
    expect(reported().length).toBe(before + 1);
  });

  it('is written like any other when it was placed, not received', async () => {
    await tell(record('1001', { direction: 'outbound' }));
    await expect.poll(() => crm.asked.filter((operation) => operation === 'writeLog').length).toBe(1);
    expect(crm.asked).not.toContain('reportUnseenCall');
  });
});
