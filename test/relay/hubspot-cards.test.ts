/** What HubSpot's cards, settings page and workflows ask, signed, through the real relay; and what a person who forges any of it gets. */
import { createHmac, randomUUID } from 'node:crypto';
import { type Envelope, PatchcordError, type Profile, type RecordRef, type ToCall } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  answeredCall,
  envelopes,
  Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';

const secrets = { acme: 'the-client-secret-of-the-app-in-tests', globex: 'the-client-secret-of-another-app-in-tests' };
const portals = { acme: 1_234_567, globex: 7_654_321 };
const pbxSecret = 'the-secret-of-the-phone-system-in-tests-01';
const ada = 42;
const bob = 43;
const carol = 44;
const contact: RecordRef = { crm: 'hubspot', object: 'contact', id: '501', name: 'Grace Hopper' };
const here = { objectTypeId: '0-1', objectId: '501' };

/** What the CRM answers; a test changes it. */
const crm = {
  numbers: [] as { number: string; label: string }[],
  owner: '9001' as string | null,
  users: new Map<string, string>(),
  apps: new Map<string, 'ours' | 'other'>() as ReadonlyMap<string, 'ours' | 'other'> | PatchcordError,
  fails: null as Error | null,
  asked: 0,
};
let one: RelayInTest;
let panel: Panel;
let token: string;
let bobs: string;

beforeAll(async () => {
  const connected = {
    ...createMemoryRelay(),
    numbersOf: () => asked(crm.numbers),
    describeRecord: () => asked({ name: 'Grace Hopper', ownerId: crm.owner }),
    userOfOwner: (owner: string) => asked(crm.users.get(owner) ?? null),
    callingApps: () => (crm.apps instanceof PatchcordError ? Promise.reject(crm.apps) : asked(crm.apps)),
    checkSetUp: () => asked([{ id: 'property', title: 'The account', verdict: 'good', found: 'It answers.' }] as const),
  };
  const hubspot = (of: 'acme' | 'globex') =>
    ({
      kind: 'hubspot',
      portalId: portals[of],
      appId: 99,
      clientId: 'client',
      clientSecret: secrets[of],
      refreshToken: 'refresh',
      ...(of === 'globex' ? { cardCalls: 'own' as const } : {}),
    }) as const;
  const agent = (id: string, name: string, user: number, extension: string, role: 'agent' | 'admin' = 'agent') => ({
    ...{ id, name, extension, role },
    crmUserId: `${user}`,
  });
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          crm: hubspot('acme'),
          wrapUpSeconds: 20,
          dispositions: [{ value: 'reached', label: 'Reached somebody' }],
          transcripts: { keep: true },
          callRecords: { settleMs: 0, signedInSettleMs: 0, groupMs: 0, asterisk: { secret: pbxSecret } },
          agents: [agent('ada', 'Ada Byron', ada, '1001', 'admin'), agent('bob', 'Bob Moog', bob, '1002')],
        }),
        testTenant({
          id: 'globex',
          crm: hubspot('globex'),
          agents: [agent('ada', 'Ada of Globex', ada, '1001'), agent('bob', 'Bob of Globex', bob, '1002')],
        }),
      ],
    }),
    { connectCrm: () => connected },
  );
  token = (await one.signIn()).token;
  bobs = (await one.signIn('bob')).token;
  panel = await one.connect(token);
});
afterAll(() => one.closed());
beforeEach(() => {
  crm.numbers = [
    { number: '(415) 555-0101', label: 'Mobile' },
    { number: '+14155550102', label: 'Phone' },
  ];
  crm.owner = '9001';
  crm.users = new Map([
    ['9001', `${ada}`],
    ['9002', `${bob}`],
    ['9003', `${carol}`],
  ]);
  crm.apps = new Map();
  crm.fails = null;
});

async function asked<T>(answer: T): Promise<T> {
  crm.asked += 1;
  if (crm.fails !== null) throw crm.fails;
  return await Promise.resolve(answer);
}

interface Sending {
  readonly user?: number;
  readonly of?: 'acme' | 'globex';
  readonly portal?: number;
  readonly app?: number;
  readonly secret?: string;
  readonly at?: number;
}

/** A request as HubSpot signs it; the returned function sends it, and sends it again. */
function signed(path: string, body: object, sending: Sending = {}, query?: string): () => Promise<Response> {
  const { user = ada, of = 'acme', at = Date.now() } = sending;
  const named =
    query ??
    `?userId=${user}&portalId=${sending.portal ?? portals[of]}&userEmail=a%40example.com&appId=${sending.app ?? 99}`;
  const text = JSON.stringify(body);
  const url = `/v1/hubspot/${path}${named}`;
  const signature = createHmac('sha256', sending.secret ?? secrets[of])
    .update(`POST${one.relay.url}${url.replace('%40', '@')}${text}${at}`)
    .digest('base64');
  const headers = {
    'content-type': 'application/json',
    'x-hubspot-signature-v3': signature,
    'x-hubspot-request-timestamp': String(at),
  };
  return () => one.fetch(url, { method: 'POST', body: text, headers });
}
async function card<T = Record<string, unknown>>(path: string, body: object, sending: Sending = {}): Promise<T> {
  const response = await signed(`card/${path}`, body, sending)();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
const status = async (path: string, body: object, sending: Sending = {}): Promise<number> =>
  (await signed(`card/${path}`, body, sending)()).status;
async function toCallOf(of: string): Promise<readonly ToCall[]> {
  return ((await (await one.fetch('/v1/to-call', { token: of })).json()) as { entries: ToCall[] }).entries;
}

interface CallsAnswer {
  readonly calls: readonly Record<string, unknown>[];
  readonly more: boolean;
  readonly toCall: ToCall | null;
  readonly phone: { readonly agent: string | null; readonly online: boolean };
}

describe('the calls of a record', () => {
  async function call(record: RecordRef, about?: RecordRef, from = 1_790_000_000_000): Promise<string> {
    const callId = randomUUID();
    const life = [
      ...answeredCall,
      { name: 'record.chosen', data: { record, by: 'agent' } },
      ...(about === undefined ? [] : [{ name: 'record.associated', data: { record: about } } as const]),
      { name: 'wrap-up.submitted', data: { note: 'wants a quote', disposition: 'reached' } },
    ] as const;
    panel.publish(...envelopes(callId, life, 1, from));
    await panel.acknowledged();
    return callId;
  }

  it('are those with it and about it, newest first, page by page, with what the agent wrote', async () => {
    const deal: RecordRef = { crm: 'hubspot', object: 'deal', id: '801' };
    const [first, second] = [await call(contact, deal), await call(contact, undefined, 1_790_000_100_000)];
    await call({ ...contact, id: '502' });
    const { calls, more, phone } = await card<CallsAnswer>('calls', here);
    expect(calls.map(({ callId }) => callId)).toEqual([second, first]);
    expect(calls[0]).toMatchObject({
      direction: 'inbound',
      outcome: 'answered',
      farSide: { number: '+14155550101', name: 'Grace Hopper' },
      agent: 'Ada Byron',
      note: 'wants a quote',
      disposition: 'Reached somebody',
      recording: null,
      transcript: null,
    });
    expect(more).toBe(false);
    expect(phone).toEqual({ agent: 'Ada Byron', online: true });
    const before = calls[0]?.startedAt as number;
    expect((await card<CallsAnswer>('calls', { ...here, before })).calls).toHaveLength(1);
    const about = await card<CallsAnswer>('calls', { objectTypeId: '0-3', objectId: '801' });
    expect(about.calls.map(({ callId }) => callId)).toEqual([first]);
    const page = { crm: 'hubspot', object: 'ticket', id: '77' } as const;
    for (let index = 0; index < 21; index += 1) await call(page, undefined, 1_790_000_000_000 + index * 60_000);
    const many = await card<CallsAnswer>('calls', { objectTypeId: '0-5', objectId: '77' });
    expect([many.calls.length, many.more]).toEqual([20, true]);
  });

  it('are shown to colleagues and to people without a phone, but to no other customer, and to each their own where the customer wants it', async () => {
    expect((await card<CallsAnswer>('calls', here, { user: bob })).calls).toHaveLength(2);
    const guest = await card<CallsAnswer>('calls', here, { user: carol });
    expect(guest.calls).toHaveLength(2);
    expect(guest.phone).toEqual({ agent: null, online: false });
    const foreign = await card<CallsAnswer>('calls', here, { of: 'globex' });
    expect(foreign.calls).toEqual([]);
    const elsewhere = await one.connect((await one.signIn('ada', randomUUID(), 'globex')).token);
    const callId = randomUUID();
    const life = [...answeredCall, { name: 'record.chosen', data: { record: contact, by: 'agent' } } as const];
    elsewhere.publish(...envelopes(callId, life));
    await elsewhere.acknowledged();
    expect((await card<CallsAnswer>('calls', here, { of: 'globex' })).calls).toHaveLength(1);
    expect((await card<CallsAnswer>('calls', here, { of: 'globex', user: bob })).calls).toEqual([]);
    expect((await card<CallsAnswer>('calls', here, { of: 'globex', user: carol })).calls).toEqual([]);
    expect((await card<CallsAnswer>('calls', here)).calls).toHaveLength(2);
  });
});

describe('what can be heard and read of a call', () => {
  it('is there for whoever had the call, and not for colleagues or people without a phone', async () => {
    const callId = randomUUID();
    const life = [
      ...answeredCall,
      { name: 'record.chosen', data: { record: { ...contact, id: '507' }, by: 'agent' } } as const,
    ];
    panel.publish(...envelopes(callId, life));
    await panel.acknowledged();
    const line = { line: 0, speaker: 'far-side', text: 'Hello there', startMs: 500, endMs: 900, final: true } as const;
    one.relay.transcript.tell('acme', 'ada', callId, line);
    const put = await one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=agent,far-side`, {
      method: 'PUT',
      body: wavOf([440, 880]) as Buffer<ArrayBuffer>,
      headers: { authorization: `Bearer ${pbxSecret}`, 'content-type': 'audio/wav' },
    });
    expect(put.status).toBeLessThan(300);
    const there = { objectTypeId: '0-1', objectId: '507' };
    const shown = async (user: number) => (await card<CallsAnswer>('calls', there, { user })).calls[0];
    await expect
      .poll(() => shown(ada))
      .toMatchObject({
        transcript: [
          { speaker: 'far-side', speakerName: 'Grace Hopper', text: 'Hello there', startMs: expect.any(Number) },
        ],
        recording: { url: expect.stringContaining('/v1/recording-files/'), durationMs: expect.any(Number) },
      });
    for (const user of [bob, carol])
      expect(await shown(user)).toMatchObject({ callId, transcript: null, recording: null });
  });
});

describe('calling from a card', () => {
  it('tells every phone of the agent once, with the record, however often HubSpot sends it', async () => {
    const wish = randomUUID();
    const second = await one.connect(token);
    const other = await one.connect(bobs);
    const heard: Envelope[] = [];
    for (const { socket } of [second, other])
      socket.on('message', (raw) => {
        const { event } = JSON.parse(String(raw)) as { event?: Envelope };
        if (event?.type.includes('dial.asked')) heard.push(event);
      });
    const send = signed('card/dial', { wish, ...here, number: '(415) 555-0101' });
    const answers = await Promise.all([send(), send()]);
    const bodies = await Promise.all(answers.map((answer) => answer.json()));
    expect(bodies[0]).toEqual({ state: 'sent' });
    expect(bodies[1]).toEqual(bodies[0]);
    // The same wish in another request: HubSpot's second try of a click.
    expect(await card('dial', { wish, ...here, number: '(415) 555-0101' })).toEqual({ state: 'sent' });
    expect((await panel.event('dial.asked')).data).toEqual({
      ...{ wish, number: '(415) 555-0101', country: 'US' },
      record: { crm: 'hubspot', object: 'contact', id: '501' },
    });
    await card('dial', { wish: randomUUID(), ...here, number: '415-555-0102' });
    expect((await panel.event('dial.asked')).data).toMatchObject({ number: '415-555-0102', record: { id: '501' } });
    expect(heard.map(({ data }) => (data as { wish: string }).wish)[0]).toBe(wish);
    expect(heard).toHaveLength(2);
  });

  it('puts a number that the record does not have on no record, and refuses what may not be called', async () => {
    await card('dial', { wish: randomUUID(), ...here, number: '+14155550177' });
    expect((await panel.event('dial.asked')).data).not.toHaveProperty('record');
    for (const number of ['+8821612345678', '+19005550123', '+37255512345', '*21*0123456789#'])
      expect([number, await status('dial', { wish: randomUUID(), ...here, number })]).toEqual([number, 400]);
    expect(await status('dial', { wish: randomUUID(), ...here })).toBe(400);
  });

  it('says so when no phone of the agent is open, or when there is none', async () => {
    const asked = { wish: randomUUID(), ...here, number: '+14155550101' };
    expect(await card('dial', asked, { of: 'globex', user: bob })).toEqual({ state: 'no-phone-open' });
    expect(await status('dial', asked, { user: carol })).toBe(403);
  });

  it('takes a frame beside a calling window for no phone, until it holds the line', async () => {
    const { token: globexs } = await one.signIn('bob', undefined, 'globex');
    const number = '+14155550101';
    const dialled = () => card('dial', { wish: randomUUID(), ...here, number }, { of: 'globex', user: bob });
    const mirror = await Panel.open(one.relay);
    mirror.send({ ...one.authentication(globexs), mirror: true });
    await mirror.next(({ type }) => type === 'authenticated');
    expect(await dialled()).toMatchObject({ state: 'no-phone-open' });
    expect(await card('calls', here, { of: 'globex', user: bob })).toMatchObject({ phone: { online: false } });
    mirror.publish();
    await expect.poll(dialled).toMatchObject({ state: 'sent' });
    expect(await card('calls', here, { of: 'globex', user: bob })).toMatchObject({ phone: { online: true } });
    mirror.socket.terminate();
    await expect.poll(dialled).toMatchObject({ state: 'no-phone-open' });
  });
});

describe('a call-back from a card', () => {
  const asked = (change: object = {}) => ({
    id: randomUUID(),
    kind: 'call-back',
    number: '+14155550101',
    name: 'Grace Hopper',
    record: { crm: 'hubspot', object: 'contact', id: '501' },
    dueAt: Date.now() + 60_000,
    ...change,
  });

  it('is added once, shown on its record, changed by its agent alone', async () => {
    const body = asked();
    const send = signed('card/call-backs', body);
    const [first, again] = [await send(), await send()];
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(await again.json()).toEqual(await first.json());
    await card('call-backs', body);
    expect((await toCallOf(token)).filter(({ id }) => id === body.id)).toMatchObject([{ name: 'Grace Hopper' }]);
    expect((await card<CallsAnswer>('calls', here)).toCall?.id).toBe(body.id);
    // A colleague sees it, and has one of their own in front of it.
    expect((await card<CallsAnswer>('calls', here, { user: bob })).toCall?.id).toBe(body.id);
    expect(await status('call-backs/change', { id: body.id, done: true }, { user: bob })).toBe(400);
    const own = asked({ dueAt: Date.now() + 600_000 });
    await card('call-backs', own, { user: bob });
    expect((await card<CallsAnswer>('calls', here, { user: bob })).toCall?.id).toBe(own.id);
    const later = Date.now() + 900_000;
    expect(await card('call-backs/change', { id: body.id, dueAt: later })).toMatchObject({ dueAt: later });
    expect(await card('call-backs/change', { id: body.id, done: true })).toMatchObject({ doneAt: expect.any(Number) });
    expect(await card('call-backs/change', { id: body.id, done: false })).toMatchObject({ doneAt: null });
    await panel.event('to-call.changed');
  });

  it('is not taken back by a request that HubSpot repeats after a newer one', async () => {
    const { id } = await card<ToCall>('call-backs', asked());
    const [earlier, later] = [Date.now() + 600_000, Date.now() + 900_000];
    const first = signed('card/call-backs/change', { id, dueAt: earlier });
    const before = await (await first()).json();
    await card('call-backs/change', { id, dueAt: later });
    expect(await (await first()).json()).toEqual(before);
    expect((await toCallOf(token)).find((entry) => entry.id === id)?.dueAt).toBe(later);
  });

  it('is for the person who signed, whatever the body says', async () => {
    const body = asked({ agent: 'bob', userId: bob, user: bob, askedBy: 'Bob Moog', tenant: 'globex' });
    await card('call-backs', body);
    expect((await toCallOf(token)).find(({ id }) => id === body.id)).toMatchObject({ askedBy: 'Ada Byron' });
    expect((await toCallOf(bobs)).some(({ id }) => id === body.id)).toBe(false);
    expect(await status('call-backs', asked(), { user: carol })).toBe(403);
    expect(await status('call-backs', asked({ record: null }))).toBe(400);
    expect(await status('call-backs', asked({ kind: 'dial-list' }))).toBe(400);
    // An id of another customer is nobody's here.
    expect(await status('call-backs/change', { id: body.id, done: true }, { of: 'globex' })).toBe(400);
  });
});

describe('a request that is not what it says', () => {
  it('gets nothing: forged, old, of another app or account, without a person', async () => {
    const bodies: readonly (readonly [string, object])[] = [
      ['card/calls', here],
      ['card/dial', { wish: randomUUID(), ...here }],
      ['card/call-backs', {}],
      ['card/call-backs/change', {}],
      ['card/settings', {}],
      ['card/settings/change', { id: 'wrap-up-seconds', value: '60' }],
      ['workflow/call-back', {}],
      ['workflow/dial-list', {}],
    ];
    for (const [path, body] of bodies) {
      const tries: Sending[] = [{ secret: 'guessed' }, { at: Date.now() - 301_000 }, { at: Date.now() + 301_000 }];
      // Globex signs, and names Acme's account.
      if (path.startsWith('card')) tries.push({ of: 'globex', portal: portals.acme }, { app: 98 }, { portal: 1 });
      for (const sending of tries)
        expect([path, sending, (await signed(path, body, sending)()).status]).toEqual([path, sending, 403]);
      const unsigned = await one.fetch(`/v1/hubspot/${path}?userId=${ada}&portalId=${portals.acme}&appId=99`, {
        json: body,
      });
      expect(unsigned.status).toBe(403);
      const asAgent = await one.fetch(`/v1/hubspot/${path}`, { json: body, token });
      expect(asAgent.status).toBe(403);
    }
    for (const query of [
      '',
      `?portalId=${portals.acme}&appId=99`,
      `?userId=42x&portalId=${portals.acme}&appId=99`,
      `?userId=42&userId=43&portalId=${portals.acme}&appId=99`,
    ])
      expect((await signed('card/calls', here, {}, query)()).status).toBe(403);
  });

  it('is refused when it is signed and has the wrong shape', async () => {
    for (const bad of [
      { ...here, objectTypeId: '0-48' },
      { ...here, objectId: '../1' },
      { ...here, objectId: 501 },
      { ...here, before: 'now' },
      [],
    ])
      expect(await status('calls', bad)).toBe(400);
    expect(await status('dial', { ...here, wish: 'again' })).toBe(400);
    expect(await status('call-backs/change', { id: 'x', done: true })).toBe(400);
    expect((await one.fetch('/v1/hubspot/card/calls', { method: 'POST', body: 'x'.repeat(2_000_000) })).status).toBe(
      413,
    );
  });
});

interface SettingsAnswer {
  readonly connection: { readonly state: string; readonly text: string };
  readonly you: Record<string, unknown>;
  readonly agents: readonly Record<string, unknown>[];
  readonly policies: readonly { id: string; value: string; text: string; options: { value: string }[] }[];
  readonly selfTest: readonly { id: string; verdict: string }[];
}

describe('the settings page', () => {
  const policy = (answer: SettingsAnswer, id: string) => answer.policies.find((one) => one.id === id);
  const profile = async (): Promise<Profile> => (await (await one.fetch('/v1/profile', { token })).json()) as Profile;

  it('shows connection, agents and policies in words, and the self-test after it ran', async () => {
    crm.apps = new Map([
      [`${ada}`, 'ours'],
      [`${bob}`, 'other'],
    ]);
    const answer = await card<SettingsAnswer>('settings', {});
    expect(answer).toMatchObject({
      tenant: { name: 'Acme' },
      connection: { state: 'connected' },
      you: { agent: 'Ada Byron', extension: '1001', role: 'admin', mayChange: true },
      agents: [
        { name: 'Ada Byron', crmUserId: '42', signedIn: true, provider: 'ours' },
        { name: 'Bob Moog', extension: '1002', provider: 'other' },
      ],
      selfTest: [],
    });
    expect(policy(answer, 'wrap-up-seconds')).toMatchObject({
      value: '20',
      options: expect.arrayContaining([{ value: '30', label: '30 seconds' }]),
    });
    expect(JSON.stringify(answer)).not.toMatch(/refresh|secret/);
    const tested = await card<SettingsAnswer>('settings', { run: true });
    expect(Object.fromEntries(tested.selfTest.map(({ id, verdict }) => [id, verdict]))).toEqual({
      property: 'good',
      address: 'bad',
      framing: 'unsure',
      clock: 'good',
    });
    expect((await card<SettingsAnswer>('settings', {})).selfTest).toEqual(tested.selfTest);
    expect((await card<SettingsAnswer>('settings', {}, { of: 'globex' })).selfTest).toEqual([]);
  });

  it('says when the account is not reached, and does not take a missing scope for that', async () => {
    crm.apps = new PatchcordError('crm.invalid', 'The app lacks a scope.');
    expect(await card<SettingsAnswer>('settings', {})).toMatchObject({
      connection: { state: 'connected' },
      agents: [{ provider: 'unknown' }, {}],
    });
    crm.apps = new PatchcordError('crm.not-authentic', 'HubSpot refused the token.');
    expect((await card<SettingsAnswer>('settings', {})).connection).toEqual({
      state: 'broken',
      text: 'HubSpot refused the token.',
    });
  });

  it('changes a policy for every phone of the customer, tells them, and gives the file’s value back', async () => {
    const other = await one.connect(bobs);
    const changed = await card<SettingsAnswer>('settings/change', { id: 'wrap-up-seconds', value: '45' });
    expect(policy(changed, 'wrap-up-seconds')).toMatchObject({
      value: '45',
      text: 'Changed by Ada Byron. In the configuration: 20 seconds.',
    });
    await panel.event('profile.changed');
    await other.event('profile.changed');
    expect(await profile()).toMatchObject({ wrapUpSeconds: 45, screenPop: { inbound: 'ring' } });
    await card('settings/change', { id: 'screen-pop.inbound', value: 'answer' });
    expect(await profile()).toMatchObject({ wrapUpSeconds: 45, screenPop: { inbound: 'answer', outbound: 'never' } });
    expect(policy(await card<SettingsAnswer>('settings', {}, { of: 'globex' }), 'screen-pop.inbound')).toMatchObject({
      value: 'ring',
    });
    for (const id of ['wrap-up-seconds', 'screen-pop.inbound']) await card('settings/change', { id, value: 'reset' });
    expect(await profile()).toMatchObject({ wrapUpSeconds: 20, screenPop: { inbound: 'ring' } });
  });

  it('lets nobody but an admin change anything, and takes no value that means nothing', async () => {
    for (const user of [bob, carol])
      expect(await status('settings/change', { id: 'wrap-up-seconds', value: '60' }, { user })).toBe(403);
    const wishes = [
      ['wrap-up-seconds', '3601'],
      ['wrap-up-seconds', '-1'],
      ['wrap-up-seconds', 'never'],
      ['screen-pop.inbound', 'dial'],
      ['screen-pop.unknown', 'nothing'],
      ['adminToken', 'mine'],
      ['__proto__', 'x'],
    ];
    for (const [id, value] of wishes) expect([id, await status('settings/change', { id, value })]).toEqual([id, 400]);
    expect(await profile()).toMatchObject({ wrapUpSeconds: 20 });
  });
});

describe('a workflow', () => {
  const action = (change: object = {}, inputFields: object = {}) => ({
    callbackId: `ap-${randomUUID()}`,
    origin: { portalId: portals.acme, actionDefinitionId: 5 },
    context: { source: 'WORKFLOWS', workflowId: 192 },
    object: { objectId: 501, objectType: 'CONTACT' },
    inputFields,
    ...change,
  });
  async function run(kind: 'call-back' | 'dial-list', body: object): Promise<Record<string, string>> {
    const response = await signed(`workflow/${kind}`, body, {}, '')();
    if (response.status !== 200) return { status: `${response.status}` };
    return ((await response.json()) as { outputFields: Record<string, string> }).outputFields;
  }

  it('gives the record’s owner a call-back, once however often HubSpot asks, also when the owner changed meanwhile', async () => {
    const body = action({}, { in_hours: '2', note: 'Renewal', due_at: '' });
    const first = await run('call-back', body);
    expect(first).toMatchObject({ hs_execution_state: 'SUCCESS', call_back_id: expect.any(String) });
    crm.owner = '9002';
    expect(await run('call-back', body)).toEqual(first);
    const mine = (await toCallOf(token)).filter(({ id }) => id === first.call_back_id);
    expect(mine).toMatchObject([
      {
        kind: 'call-back',
        number: '(415) 555-0101',
        name: 'Grace Hopper',
        note: 'Renewal',
        askedBy: 'HubSpot workflow 192',
        record: { crm: 'hubspot', object: 'contact', id: '501' },
      },
    ]);
    expect((mine[0]?.dueAt ?? 0) - Date.now()).toBeGreaterThan(7_100_000);
    expect((await toCallOf(bobs)).some(({ id }) => id === first.call_back_id)).toBe(false);
  });

  it('puts a record on the dial list of whoever is named, with the number it is given', async () => {
    const body = action({ object: { objectId: '801', objectType: '0-3' } }, { owner: '9002', number: '+14155550108' });
    const { entry_id: id } = await run('dial-list', body);
    expect((await toCallOf(bobs)).find((entry) => entry.id === id)).toMatchObject({
      kind: 'dial-list',
      number: '+14155550108',
      dueAt: null,
      record: { object: 'deal', id: '801' },
    });
    const dueAt = Date.now() + 86_400_000;
    const timed = await run('call-back', action({}, { owner: 9001, due_at: dueAt }));
    expect((await toCallOf(token)).find((entry) => entry.id === timed.call_back_id)?.dueAt).toBe(dueAt);
  });

  it('goes on with a reason when it can’t, and is asked again when that may pass', async () => {
    const failed = (why: string) => ({ hs_execution_state: 'FAIL_CONTINUE', why: expect.stringContaining(why) });
    expect(await run('call-back', action({}, { owner: '9003' }))).toEqual(failed('has no phone here'));
    expect(await run('call-back', action({}, { owner: '77' }))).toEqual(failed('no owner'));
    expect(await run('call-back', action({}, { number: '+8821612345678' }))).toEqual(failed('satellite'));
    expect(await run('call-back', action({ object: { objectId: 1, objectType: 'PRODUCT' } }))).toEqual(
      failed('Only contacts'),
    );
    expect(await run('call-back', action({ callbackId: '' }))).toEqual(failed('callbackId'));
    expect(await run('call-back', action({}, { note: 'x'.repeat(2_001) }))).toEqual(failed('note'));
    crm.numbers = [];
    expect(await run('dial-list', action())).toEqual(failed('no telephone number'));
    crm.owner = null;
    expect(await run('dial-list', action({}, { number: '+14155550101' }))).toEqual(failed('has no owner'));
    crm.fails = new PatchcordError('crm.not-found', 'HubSpot has no such record.');
    expect(await run('call-back', action())).toEqual(failed('no such record'));
    crm.fails = new PatchcordError('crm.rate-limited', 'Too much.', { retryable: true });
    const later = action();
    expect(await run('call-back', later)).toEqual({ status: '503' });
    crm.fails = null;
    crm.owner = '9001';
    crm.numbers = [{ number: '+14155550101', label: 'Phone' }];
    expect(await run('call-back', later)).toMatchObject({ hs_execution_state: 'SUCCESS' });
  });

  it('works for the account that signed it, whatever account it names', async () => {
    expect(await run('call-back', action({ origin: { portalId: portals.globex } }))).toEqual({ status: '403' });
    expect(await run('call-back', action({ origin: {} }))).toEqual({ status: '403' });
    expect((await signed('workflow/call-back', action(), { of: 'globex' }, '')()).status).toBe(403);
  });
});
