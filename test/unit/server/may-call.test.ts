/** Whether an agent may call a number: by the records that have it, by the tenant's own list, and when nobody can say in time. */
import { type Match, MayCallSchema } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { adminToken, type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

/** For what follows by itself, on a machine that may be busy. */
const patient = { timeout: 20_000 };

const pat = '+14155550110';
let one: RelayInTest;
/** The same customers at a relay that waits for nobody. */
let hasty: RelayInTest;
/** Held back as long as it is there: a CRM that does not answer. */
let silence: Promise<void> | null = null;
let asked = 0;

beforeAll(async () => {
  const memory = createMemoryRelay({
    records: [
      { object: 'Contact', id: 'grace', name: 'Grace Hopper', numbers: ['(415) 555-0101'] },
      { object: 'Contact', id: 'pat', name: 'Pat Quiet', numbers: ['(415) 555-0110'], doNotCall: true },
      { object: 'Lead', id: 'shared', name: 'Ada Shared', numbers: ['(415) 555-0110'] },
    ],
  });
  const crm = {
    ...memory,
    findByNumber: async (...wanted: Parameters<typeof memory.findByNumber>): Promise<readonly Match[]> => {
      asked += 1;
      if (silence !== null) await silence;
      return await memory.findByNumber(...wanted);
    },
  };
  const customer = (id: string, doNotCall: 'off' | 'ask' | 'refuse') =>
    testTenant({
      id,
      features: { doNotCall },
      agents: [
        { id: 'ada', name: 'Ada', extension: '1001', crmUserId: '1' },
        { id: 'zoe', name: 'Zoe', extension: '1002', crmUserId: '2', role: 'admin' },
      ],
    });
  const tenants = [customer('acme', 'ask'), customer('strict', 'refuse'), customer('free', 'off')];
  const forgetful = testTenant({
    id: 'forgetful',
    crm: {
      ...{ kind: 'hubspot', portalId: 1, appId: 2, clientId: 'c', clientSecret: 'the-secret-of-the-app-in-tests' },
      refreshToken: 'r',
    },
    features: { doNotCall: 'refuse' },
  });
  const start = (mayCallWithinMs: number) =>
    startRelayInTest(testConfig({ tenants: [...tenants, forgetful] }), { connectCrm: () => crm, mayCallWithinMs });
  one = await start(20_000);
  hasty = await start(20);
});
afterAll(() => Promise.all([one.closed(), hasty.closed()]));
beforeEach(() => {
  silence = null;
});

async function verdict(tenant: string, number: string, relay = one) {
  const { token } = await relay.signIn('ada', undefined, tenant);
  const response = await relay.fetch(`/v1/may-call?number=${encodeURIComponent(number)}`, { token });
  expect(response.status).toBe(200);
  return v.parse(MayCallSchema, await response.json());
}
const list = (tenant: string, path = '', json?: object, token: string = adminToken) =>
  one.fetch(`/v1/admin/tenants/${tenant}/do-not-call${path}`, { token, ...(json === undefined ? {} : { json }) });

describe('a number', () => {
  it('whose record says so is asked about, refused or let go, as the tenant’s rule is', async () => {
    expect(await verdict('acme', '(415) 555-0110')).toEqual({
      verdict: 'ask',
      reason: 'Pat Quiet must not be called: the contact in the CRM says so.',
      record: { crm: 'memory', object: 'Contact', id: 'pat', name: 'Pat Quiet' },
    });
    expect(await verdict('strict', pat)).toMatchObject({ verdict: 'no', record: { id: 'pat' } });
    expect(await verdict('free', pat)).toEqual({ verdict: 'yes', reason: '' });
    expect(await verdict('acme', '+14155550101')).toEqual({ verdict: 'yes', reason: '' });
  });

  it('is no telephone number: an extension, a feature code and an emergency call go out, and nobody is asked', async () => {
    const before = asked;
    for (const dialled of ['1002', '*97', '911', '112', 'sip:front-desk'])
      expect(await verdict('strict', dialled)).toEqual({ verdict: 'yes', reason: '' });
    expect(asked).toBe(before);
  });

  it('is let go when the CRM does not answer, but asked about where the tenant refuses', async () => {
    let speak = () => {};
    silence = new Promise((resolve) => {
      speak = resolve;
    });
    expect(await verdict('acme', '+14155550133', hasty)).toEqual({ verdict: 'yes', reason: '' });
    expect(await verdict('strict', '+14155550133', hasty)).toMatchObject({
      verdict: 'ask',
      reason: expect.stringContaining('could not be checked in time'),
    });
    speak();
    silence = null;
    // The answer that came too late for the first is there for the next.
    await expect.poll(async () => (await verdict('strict', '+14155550133', hasty)).verdict, patient).toBe('yes');
  });

  it('is not asked of a HubSpot that has no property for it', async () => {
    const { token } = await one.signIn('ada', undefined, 'forgetful');
    const before = asked;
    const response = await one.fetch(`/v1/may-call?number=%2B14155550110`, { token });
    expect([await response.json(), asked - before]).toEqual([{ verdict: 'yes', reason: '' }, 0]);
  });

  it('must be one, and short', async () => {
    const { token } = await one.signIn('ada');
    for (const query of ['', '?number=', `?number=${'1'.repeat(200)}`])
      expect((await one.fetch(`/v1/may-call${query}`, { token })).status).toBe(400);
  });
});

describe('the tenant’s own list', () => {
  it('counts as well as a record does, until the number is taken off it', async () => {
    const added = await list('strict', '', { numbers: ['(415) 555-0144', '415-555-0144'], reason: 'by letter' });
    expect(added.status).toBe(201);
    const { numbers } = (await added.json()) as { numbers: { id: string; number: string }[] };
    expect(numbers).toMatchObject([{ number: '+14155550144', reason: 'by letter', addedBy: 'admin' }]);
    expect(await verdict('strict', '+14155550144')).toEqual({
      verdict: 'no',
      reason: 'This number is on your company’s list of numbers not to call (by letter).',
    });
    expect(await verdict('acme', '+14155550144')).toMatchObject({ verdict: 'yes' });
    expect(await (await list('strict')).json()).toMatchObject({ numbers: [{ number: '+14155550144' }], more: false });
    expect(await (await list('strict', '/remove', { number: '+1 415 555 0144' })).json()).toEqual({ removed: true });
    expect(await (await list('strict', '/remove', { id: numbers[0]?.id })).json()).toEqual({ removed: false });
    expect(await verdict('strict', '+14155550144')).toMatchObject({ verdict: 'yes' });
  });

  it('takes all numbers or none, and leaves who changed it in the audit, without the numbers', async () => {
    const half = await list('acme', '', { numbers: ['+14155550155', '12'] });
    expect([half.status, await half.text()]).toEqual([400, expect.stringContaining('none was added')]);
    expect(await (await list('acme')).json()).toEqual({ numbers: [], more: false });
    const { token } = await one.signIn('zoe', undefined, 'acme');
    expect((await list('acme', '', { numbers: ['+14155550155', '+14155550156'] }, token)).status).toBe(201);
    const audit = await (await one.fetch('/v1/admin/audit?tenant=acme&limit=100', { token: adminToken })).text();
    expect(audit).toMatch(/"actor":"agent:zoe","act":"do-not-call\.added".{0,60}"data":\{"numbers":2\}/);
    expect(audit).not.toContain('0155');
  });

  it('is no business of an agent, nor of another customer’s administrator', async () => {
    const [ada, zoe] = [await one.signIn('ada', undefined, 'acme'), await one.signIn('zoe', undefined, 'strict')];
    for (const { token } of [ada, zoe]) {
      expect((await list('acme', '', undefined, token)).status).toBe(403);
      expect((await list('acme', '', { numbers: ['+14155550177'] }, token)).status).toBe(403);
      expect((await list('acme', '/remove', { number: '+14155550155' }, token)).status).toBe(403);
    }
  });
});
