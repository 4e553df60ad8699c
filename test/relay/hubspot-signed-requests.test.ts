/** Requests that HubSpot signed for a person who chose path, query and body: what they reach, and what they must not, through the real relay. */
import { createHmac, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { RecordRef, ToCall } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';

const secret = 'the-client-secret-of-the-app-in-tests';
const pbxSecret = 'the-secret-of-the-phone-system-in-tests-01';
const pbx = { settleMs: 0, signedInSettleMs: 0, groupMs: 0, asterisk: { secret: pbxSecret } } as const;
const [acmes, shared] = ['1234567', '7654321'];
/** Users of HubSpot: ada and sue (a supervisor) of acme, eve of the first and fay of the second customer of one portal; uma has no phone. */
const [ada, sue, eve, fay, uma] = [42, 43, 51, 52, 60];
const contact: RecordRef = { crm: 'hubspot', object: 'contact', id: '501', name: 'Grace Hopper' };
const here = { objectTypeId: '0-1', objectId: '501' };

/** What the account is asked; a test holds its answers back. */
const crm = {
  owner: '9001',
  users: new Map([
    ['9001', `${ada}`],
    ['9051', `${eve}`],
    ['9052', `${fay}`],
  ]),
  urgent: [] as unknown[],
  waits: null as Promise<void> | null,
};
let one: RelayInTest;
let panel: Panel;
let tokens: Readonly<Record<string, string>>;

beforeAll(async () => {
  const asked = async <T>(answer: T, options?: { readonly urgent?: boolean }): Promise<T> => {
    crm.urgent.push(options?.urgent);
    await crm.waits;
    return answer;
  };
  const connected = {
    ...createMemoryRelay(),
    numbersOf: (_record: RecordRef, options?: object) => asked([{ number: '+14155550101', label: 'Mobile' }], options),
    describeRecord: (_record: RecordRef, options?: object) =>
      asked({ name: 'Grace Hopper', ownerId: crm.owner }, options),
    userOfOwner: (owner: string, options?: object) => asked(crm.users.get(owner) ?? null, options),
  };
  const account = { kind: 'hubspot', appId: 99, clientId: 'client', clientSecret: secret } as const;
  const hubspot = (portalId: string) => ({ ...account, portalId, refreshToken: 'refresh' });
  const agent = (id: string, user: number, extension: string, role: 'agent' | 'supervisor' = 'agent') => ({
    ...{ id, name: id, extension, role },
    crmUserId: `${user}`,
  });
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          crm: hubspot(acmes),
          callRecords: pbx,
          agents: [agent('ada', ada, '1001'), agent('bob', 44, '1002'), agent('sue', sue, '1003', 'supervisor')],
        }),
        testTenant({
          id: 'east',
          crm: { ...hubspot(shared), cardRecordings: 'all' },
          callRecords: pbx,
          agents: [agent('eve', eve, '1001'), agent('ben', 53, '1002')],
        }),
        testTenant({ id: 'west', crm: hubspot(shared), callRecords: pbx, agents: [agent('fay', fay, '1001')] }),
      ],
    }),
    { connectCrm: () => connected },
  );
  const token = async (of: string, tenant: string) => (await one.signIn(of, randomUUID(), tenant)).token;
  tokens = { ada: await token('ada', 'acme'), eve: await token('eve', 'east'), fay: await token('fay', 'west') };
  panel = await one.connect(tokens.ada ?? '');
});
afterAll(() => one.closed());
beforeEach(() => {
  crm.owner = '9001';
  crm.urgent.length = 0;
  crm.waits = null;
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}
/** Sends `uri` and `body` with the signature of whatever HubSpot was made to sign. Not by `fetch`, which gives a GET no body. */
function send(
  method: 'GET' | 'POST',
  uri: string,
  body = '',
  signed = `${method}${one.relay.url}${uri}${body}`,
  at = Date.now(),
): Promise<Answer> {
  const signature = createHmac('sha256', secret).update(`${signed}${at}`).digest('base64');
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...{ host: '127.0.0.1', port: one.relay.port, method, path: uri },
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'x-hubspot-signature-v3': signature,
          'x-hubspot-request-timestamp': String(at),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    request.on('error', reject).end(body);
  });
}
/** What `hubspot.fetch` appends. */
const named = (user: number, portal = acmes): string => `userId=${user}&portalId=${portal}&userEmail=e&appId=99`;
const card = (path: string, body: object, user = ada, portal = acmes): Promise<Answer> =>
  send('POST', `/v1/hubspot/${path}?${named(user, portal)}`, JSON.stringify(body));
const said = <T>({ status, body }: Answer): T => {
  expect([status, body.slice(0, 300)]).toEqual([expect.toBeOneOf([200, 201]), expect.any(String)]);
  return JSON.parse(body) as T;
};
interface CallsAnswer {
  readonly calls: readonly {
    readonly callId: string;
    readonly startedAt: number;
    readonly note: string;
    readonly recording: unknown;
    readonly transcript: unknown;
  }[];
  readonly more: boolean;
  readonly phone: { readonly agent: string | null };
}

async function call(by: Panel, record: RecordRef, options: { from?: number; note?: string } = {}): Promise<string> {
  const callId = randomUUID();
  const life = [
    ...answeredCall,
    { name: 'record.chosen', data: { record, by: 'agent' } },
    ...(options.note === undefined
      ? []
      : [{ name: 'wrap-up.submitted', data: { note: options.note, disposition: 'x' } } as const]),
  ] as const;
  by.publish(...envelopes(callId, life, 1, options.from));
  await by.acknowledged();
  return callId;
}
async function recorded(callId: string, tenant = 'acme'): Promise<void> {
  const put = await one.fetch(`/v1/recordings/${tenant}/asterisk/calls/${callId}?channels=agent,far-side`, {
    method: 'PUT',
    body: wavOf([440, 880]) as Buffer<ArrayBuffer>,
    headers: { authorization: `Bearer ${pbxSecret}`, 'content-type': 'audio/wav' },
  });
  expect(put.status).toBe(201);
}
const action = (change: object = {}): object => ({
  callbackId: `ap-${randomUUID()}`,
  origin: { portalId: acmes },
  object: { objectId: 501, objectType: 'CONTACT' },
  inputFields: {},
  ...change,
});
async function toCallOf(of: string): Promise<readonly string[]> {
  const { entries } = (await (await one.fetch('/v1/to-call', { token: tokens[of] ?? '' })).json()) as {
    entries: ToCall[];
  };
  return entries.map(({ id }) => id);
}

describe('what HubSpot asks of itself', () => {
  const recordings = '/v1/hubspot/recordings';
  const asked = 'appId=99&externalAccountId=acme';

  it('is answered to HubSpot, and to no person who names the same path', async () => {
    const callId = await call(panel, contact);
    await recorded(callId);
    expect(said<object>(await send('GET', `${recordings}/${callId}?${asked}`))).toHaveProperty('authenticatedUrl');
    for (const query of [
      `${asked}&${named(eve, shared)}`,
      `${asked}&userId=51&portalId=7654321`,
      `${asked}&portalId=7654321`,
      `${asked}&userEmail=e`,
      `${asked}&userId=`,
      `${asked}&%75serId=51`,
      `${asked}&USERID=51`,
      `${asked}&appId=99`,
      `${asked}&x=1`,
      `${asked}#`,
      `${asked}#?userId=51`,
      'externalAccountId=acme',
    ])
      expect([query, (await send('GET', `${recordings}/${callId}?${query}`)).status]).toEqual([query, 403]);
    for (const path of ['workflow/call-back', 'workflow/dial-list']) {
      expect((await card(path, action())).status).toBe(403);
      expect((await send('POST', `/v1/hubspot/${path}?x=1`, JSON.stringify(action()))).status).toBe(403);
      expect((await send('POST', `/v1/hubspot/${path}?`, JSON.stringify(action()))).status).toBe(403);
      said(await send('POST', `/v1/hubspot/${path}`, JSON.stringify(action())));
    }
    const gone = [{ portalId: acmes, subscriptionType: 'object.deletion', objectTypeId: '0-48', objectId: 1 }];
    expect((await card('webhooks', gone, eve, shared)).status).toBe(403);
    said(await send('POST', '/v1/hubspot/webhooks', JSON.stringify(gone)));
  });

  it('is not what a person’s request becomes when address and body are cut elsewhere', async () => {
    const callId = await call(panel, contact);
    await recorded(callId);
    // A signature has no boundary between the two: what stands after the cut is the body.
    const read = `${recordings}/${callId}?${asked}`;
    const rest = `&${named(eve, shared)}`;
    expect((await send('GET', read, rest, `GET${one.relay.url}${read}${rest}`)).status).toBe(403);
    expect((await send('GET', read, '{}')).status).toBe(403);
    for (const path of ['/v1/hubspot/workflow/call-back', '/v1/hubspot/webhooks'])
      for (const moved of [`?${named(ada)}{}`, `?{}`, ' {}', '"?userId=1"', `[1]?${named(ada)}{}`, '7'])
        expect([moved, (await send('POST', path, moved)).status]).toEqual([moved, 400]);
    // The other way round: HubSpot names Eve, who has named Ada before.
    const calls = `/v1/hubspot/card/calls?${named(ada)}`;
    expect((await send('POST', calls, `&${named(eve, shared)}${JSON.stringify(here)}`)).status).toBe(400);
    const pairing = `/v1/hubspot/pairing-codes?${named(ada)}`;
    expect((await send('POST', pairing, `&${named(eve, shared)}{}`)).status).toBe(400);
  });

  it('names each of person, account and app once, where a card asks', async () => {
    for (const more of ['userId=42', 'portalId=1234567', 'appId=99', '%75serId=42'])
      for (const path of ['card/calls', 'card/settings', 'pairing-codes'])
        expect([
          more,
          path,
          (await send('POST', `/v1/hubspot/${path}?${more}&${named(ada)}`, JSON.stringify(here))).status,
        ]).toEqual([more, path, 403]);
    said(await card('card/calls', here));
  });
});

describe('two customers of one portal', () => {
  it('are told apart by the agent, by the account a call names, and by whose log it is', async () => {
    for (const [user, agent] of [
      [eve, 'eve'],
      [fay, 'fay'],
    ] as const) {
      expect(said<CallsAnswer>(await card('card/calls', here, user, shared)).phone.agent).toBe(agent);
      const { code } = said<{ code: string }>(await card('pairing-codes', {}, user, shared));
      const session = await one.fetch('/v1/sessions', {
        json: { device: randomUUID(), proof: { kind: 'pairing-code', code } },
      });
      expect(await session.json()).toMatchObject({ agent: { id: agent } });
    }
    for (const [tenant, of, owner] of [
      ['east', 'eve', '9051'],
      ['west', 'fay', '9052'],
    ] as const) {
      const callId = await call(await one.connect(tokens[of] ?? ''), contact);
      await recorded(callId, tenant);
      const asked = `/v1/hubspot/recordings/${callId}?appId=99&externalAccountId=${tenant}`;
      expect(said<object>(await send('GET', asked))).toHaveProperty('authenticatedUrl');
      crm.owner = owner;
      const body = JSON.stringify(action({ origin: { portalId: shared } }));
      const first = said<{ outputFields: { entry_id: string } }>(
        await send('POST', '/v1/hubspot/workflow/dial-list', body),
      );
      expect(await toCallOf(of)).toContain(first.outputFields.entry_id);
      // Asked again after the record changed hands: it stays where it is.
      crm.owner = '9051';
      expect(said<object>(await send('POST', '/v1/hubspot/workflow/dial-list', body))).toEqual(first);
    }
  });
});

describe('workflows that thousands of records enter', () => {
  it('stand behind whoever waits for a caller’s name, a few at a time; the others are asked again', async () => {
    let release = (): void => {};
    crm.waits = new Promise((resolve) => {
      release = resolve;
    });
    const run = () => send('POST', '/v1/hubspot/workflow/dial-list', JSON.stringify(action()));
    const many = Array.from({ length: 12 }, run);
    const first = await Promise.race(many);
    expect(first.status).toBe(429);
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(0);
    // The account of somebody else is not held up.
    const other = send(
      'POST',
      '/v1/hubspot/workflow/dial-list',
      JSON.stringify(action({ origin: { portalId: shared }, inputFields: { owner: '9051', number: '+14155550101' } })),
    );
    await expect.poll(() => crm.urgent.length).toBeGreaterThanOrEqual(9);
    release();
    const answers = (await Promise.all(many)).map(({ status }) => status);
    expect(answers.filter((status) => status === 200)).toHaveLength(4);
    expect(answers.filter((status) => status === 429)).toHaveLength(8);
    expect((await other).status).toBe(200);
    expect(new Set(crm.urgent)).toEqual(new Set([false]));
    crm.waits = null;
    expect((await run()).status).toBe(200);
  });
});

describe('what a card shows of a call', () => {
  it('is its sound and words to whoever had it and to supervisors, and to colleagues where the customer wants it', async () => {
    const record = { ...contact, id: '601' };
    const there = { ...here, objectId: '601' };
    const callId = await call(panel, record);
    const line = { line: 0, speaker: 'far-side', text: 'Hello', startMs: 500, endMs: 900, final: true } as const;
    one.relay.transcript.tell('acme', 'ada', callId, line);
    await recorded(callId);
    const heard = async (user: number, portal = acmes) => {
      const [shown] = said<CallsAnswer>(await card('card/calls', there, user, portal)).calls;
      return shown === undefined ? null : shown.recording !== null;
    };
    await expect.poll(() => heard(ada)).toBe(true);
    expect([await heard(sue), await heard(44), await heard(uma)]).toEqual([true, false, false]);
    await recorded(await call(await one.connect(tokens.eve ?? ''), record), 'east');
    await expect.poll(() => heard(eve, shared)).toBe(true);
    expect(await heard(53, shared)).toBe(true);
  });

  it('holds no number and no name of a record that was only named', async () => {
    const wish = randomUUID();
    expect(said<object>(await card('card/dial', { wish, ...here, number: '+14155550101' }))).toEqual({ state: 'sent' });
    expect((await panel.event('dial.asked')).data).toMatchObject({ record: { id: '501' } });
    expect((await card('card/dial', { wish: randomUUID(), ...here })).status).toBe(400);
    const asked = {
      ...{ id: randomUUID(), kind: 'call-back', number: '+14155550101', dueAt: Date.now() + 60_000 },
      record: { crm: 'hubspot', object: 'contact', id: '777' },
    };
    expect(said<ToCall>(await card('card/call-backs', asked)).name).toBeNull();
    const withName = { ...asked, id: randomUUID(), name: 'Grace' };
    expect(said<ToCall>(await card('card/call-backs', withName)).name).toBe('Grace');
  });

  it('stays within what HubSpot takes, in bytes', async () => {
    const record = { ...contact, id: '602' };
    for (let index = 0; index < 20; index += 1)
      await call(panel, record, { from: 1_790_000_000_000 + index * 60_000, note: '語'.repeat(18_000) });
    const answer = await card('card/calls', { ...here, objectId: '602' });
    expect(Buffer.byteLength(answer.body)).toBeLessThan(1_000_000);
    const { calls } = said<CallsAnswer>(answer);
    expect(calls).toHaveLength(20);
    for (const { note } of calls) expect(note).toMatch(/^語{1000,}…$/);
  });

  it('loses no call that began in the same millisecond as the last of a page', async () => {
    const record = { ...contact, id: '603' };
    const made: string[] = [];
    for (let index = 0; index < 23; index += 1) made.push(await call(panel, record, { from: 1_790_000_000_000 }));
    const there = { ...here, objectId: '603' };
    const first = said<CallsAnswer>(await card('card/calls', there));
    const last = first.calls.at(-1);
    const next = { ...there, before: last?.startedAt, beforeCall: last?.callId };
    const second = said<CallsAnswer>(await card('card/calls', next));
    expect([first.more, second.more]).toEqual([true, false]);
    expect([...first.calls, ...second.calls].map(({ callId }) => callId).sort()).toEqual(made.sort());
  });
});

describe('a pairing code', () => {
  it('is the same for the same request, which HubSpot repeats when an answer got lost', async () => {
    const at = Date.now() - 1_000;
    const uri = `/v1/hubspot/pairing-codes?${named(ada)}`;
    const ask = () => send('POST', uri, '{}', undefined, at);
    const [first, again] = await Promise.all([ask(), ask()]);
    expect(said<object>(first)).toEqual(said<object>(again));
    expect(said<object>(await ask())).toEqual(said<object>(first));
    expect(said<object>(await send('POST', uri, '{}'))).not.toEqual(said<object>(first));
  });
});
