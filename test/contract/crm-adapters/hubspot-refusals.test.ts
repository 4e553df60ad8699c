/**
 * Every refusal that HubSpot documents for what the relay does, through the real client: what becomes of the log, and what a person reads who
 * finds it unlogged. Must never look at the adapter's inside.
 */
import { type CallLog, type E164, PatchcordError } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultOrder } from '../../../sandbox/src/http.ts';
import { finishedCall } from './call-log-fixture.ts';
import { answer, startTestPortal, type TestPortal } from './hubspot-portal.ts';

let test: TestPortal;
beforeAll(async () => {
  test = await startTestPortal();
});
afterAll(() => test.close());
afterEach(() => {
  test.hubspot.faults.clear();
  test.notices.length = 0;
});

const refusalOf = async (work: Promise<unknown>): Promise<PatchcordError> => {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof PatchcordError)) throw new Error(`It was not refused: ${String(error)}`);
  return error;
};
const write = (relay: CrmRelay, log: CallLog = finishedCall(), logId: string | null = null): Promise<string> =>
  relay.writeLog(log, test.robin, logId);
const refused = (relay = test.freshRelay()): Promise<PatchcordError> => refusalOf(write(relay));
const onWrites = { on: 'POST */calls/batch/upsert', times: 100 } as const;
const creating = /POST .*\/calls\/batch\/upsert/;
/** Answers the creation of a call with this. */
const answered = (status: number, body: unknown, headers: Record<string, string> = {}): CrmRelay =>
  test.freshRelay({ fetch: test.answering(creating, () => answer(status, body, headers)) });
const logged = (log: CallLog) => {
  const found = test.hubspot.records.calls.filter(({ properties }) => properties.patchcord_call_id === log.callId);
  expect(found.length).toBeLessThanOrEqual(1);
  return found[0];
};

describe('a refusal that ends by itself is tried again', () => {
  it.each<[string, FaultOrder, string, number | undefined, RegExp]>([
    ['too many in ten seconds', { fault: 'rate-limited', retryAfterSeconds: 4 }, 'crm.rate-limited', 4_000, /again/],
    [
      'too many in a second, without a time',
      { fault: 'search-limited' },
      'crm.rate-limited',
      1_000,
      /SECONDLY|secondly/,
    ],
    ['the day’s requests, without a time', { fault: 'daily-limited' }, 'crm.rate-limited', 3_600_000, /of the day/],
    [
      'the day’s, with one',
      { fault: 'daily-limited', retryAfterSeconds: 900 },
      'crm.rate-limited',
      900_000,
      /of the day/,
    ],
    ['a locked record', { fault: 'locked' }, 'crm.unavailable', 2_000, /locked/],
    ['an account that moves', { fault: 'migrating' }, 'crm.unavailable', 3_600_000, /another data centre/],
    ['for a day', { fault: 'migrating', retryAfterSeconds: 86_400 }, 'crm.unavailable', 86_400_000, /data centre/],
    ['500', { fault: 'server-error' }, 'crm.unavailable', 1_000, /INTERNAL_ERROR/],
    ['502', { fault: 'bad-gateway' }, 'crm.unavailable', 1_000, /502 a web page instead of data/],
    ['503', { fault: 'unavailable' }, 'crm.unavailable', 1_000, /SERVICE_UNAVAILABLE/],
    ['504', { fault: 'gateway-timeout' }, 'crm.unavailable', 1_000, /504/],
    ['521', { fault: 'edge-down' }, 'crm.unavailable', 1_000, /521/],
    ['524', { fault: 'edge-timeout' }, 'crm.unavailable', 1_000, /524/],
    ['a page instead of JSON, and no error', { fault: 'html' }, 'crm.unavailable', 30_000, /no data/],
    ['a connection that breaks', { fault: 'reset' }, 'crm.unavailable', undefined, /did not answer/],
  ])('%s', async (_name, order, code, retryAfterMs, message) => {
    test.hubspot.faults.add({ ...onWrites, ...order });
    const log = finishedCall();
    const relay = test.freshRelay();
    const error = await refusalOf(write(relay, log));
    expect(error).toMatchObject({ code, retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/<html|<!DOCTYPE/i);
    // The outbox writes it again, and there is one.
    test.hubspot.faults.clear();
    await write(relay, log);
    expect(logged(log)).toBeDefined();
  });

  it.each([
    [429, { policyName: 'TEN_SECONDLY_ROLLING' }, 10_000],
    [429, { errorType: 'RATE_LIMIT' }, 10_000],
    [522, '<html>', 1_000],
    [523, '<html>', 1_000],
    [408, {}, 1_000],
    [409, { category: 'CONFLICT', message: 'Two writes met.' }, 2_000],
  ])('%i %o, without a word of when', async (status, body, retryAfterMs) => {
    expect(await refused(answered(status, body))).toMatchObject({ retryable: true, retryAfterMs });
  });

  it('a date instead of seconds, and never longer than a day', async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
    const { retryAfterMs } = await refused(answered(503, {}, { 'retry-after': inAnHour }));
    expect(retryAfterMs).toBeGreaterThan(3_590_000);
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000);
    const longest = await refused(answered(477, {}, { 'retry-after': '999999999' }));
    expect(longest.retryAfterMs).toBe(86_400_000);
  });

  it('a locked record is left alone for two seconds at least', async () => {
    expect(await refused(answered(423, {}, { 'retry-after': '0' }))).toMatchObject({ retryAfterMs: 2_000 });
  });

  it('an empty answer is none', async () => {
    expect(await refused(answered(200, undefined))).toMatchObject({
      code: 'crm.unavailable',
      retryable: true,
      message: expect.stringContaining('with nothing'),
    });
  });

  it('no answer in time, and an answer that was lost: one log', async () => {
    const log = finishedCall();
    test.hubspot.faults.add({ ...onWrites, fault: 'slow', delayMs: 300, times: 1 });
    expect(await refusalOf(write(test.freshRelay({ timeoutMs: 100 }), log))).toMatchObject({
      code: 'crm.unavailable',
      retryable: true,
    });
    test.hubspot.faults.add({ ...onWrites, fault: 'answer-lost', times: 1 });
    await refusalOf(write(test.freshRelay(), log));
    await write(test.freshRelay(), log);
    expect(logged(log)).toBeDefined();
  });
});

describe('a token', () => {
  it('that lapsed is renewed once, without a word', async () => {
    const log = finishedCall();
    test.hubspot.faults.add({ fault: 'expired-token', on: 'POST */calls/batch/upsert' });
    await write(test.freshRelay(), log);
    expect(logged(log)).toBeDefined();
  });

  it('that is refused for good stops nothing for ever: an administrator is told what to do', async () => {
    test.hubspot.faults.add({ fault: 'revoked-token', on: '* /crm/*', times: 1_000 });
    expect(await refused()).toMatchObject({
      code: 'crm.not-authentic',
      retryable: false,
      message: expect.stringMatching(/uninstalled.*connects HubSpot again/s),
    });
  });
});

describe('a refusal that somebody must see to names what to do', () => {
  const invalid = (errors: readonly unknown[], more: object = {}) => ({
    status: 'error',
    category: 'VALIDATION_ERROR',
    message: 'Property values were not valid for +1 (415) 555-0101.',
    correlationId: 'c0ffee',
    errors,
    ...more,
  });
  const complaint = (name: string, code: string) => ({ message: 'x', code, context: { propertyName: [name] } });

  it.each<[string, number, unknown, RegExp]>([
    [
      'a property that an administrator requires',
      400,
      invalid([complaint('billing_code', 'REQUIRED_PROPERTY_MISSING')], {
        subCategory: 'CRM.MISSING_REQUIRED_PROPERTY',
      }),
      /billing_code.*mandatory.*Settings > Properties/s,
    ],
    [
      'required properties in the message alone',
      400,
      {
        category: 'VALIDATION_ERROR',
        message: `Property values were not valid: ${JSON.stringify([{ isValid: false, error: 'REQUIRED_PROPERTY_MISSING', name: 'billing_code' }])}`,
      },
      /billing_code.*mandatory/s,
    ],
    [
      'the right to associate',
      400,
      invalid([], { subCategory: 'crm.associations.USER_LACKS_PERMISSION' }),
      /Edit associations/,
    ],
    [
      'a missing scope, by its name',
      403,
      {
        category: 'MISSING_SCOPES',
        message: 'This app has not been granted all required scopes.',
        errors: [{ message: 'One or more are required.', context: { requiredScopes: ['crm.objects.contacts.write'] } }],
      },
      /scope crm\.objects\.contacts\.write.*connect HubSpot again/s,
    ],
    ['a 403 without a scope', 403, { category: 'FORBIDDEN', message: 'no' }, /permissions in HubSpot/],
    [
      'a bare 400',
      400,
      { status: 'error', message: 'There was a problem with the request.' },
      /does not say what is wrong/,
    ],
    ['an unknown category', 400, { category: 'INVALID_AUDIENCE', message: 'no' }, /INVALID_AUDIENCE/],
  ])('%s', async (_name, status, body, message) => {
    const error = await refused(answered(status, body));
    expect(error).toMatchObject({ code: 'crm.invalid', retryable: false });
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/ask for this log again/);
    expect(error.message).not.toMatch(/555/);
  });

  it('the emulator’s own: a scope and a validation', async () => {
    test.hubspot.faults.add({ ...onWrites, fault: 'missing-scope', times: 1 });
    expect((await refused()).message).toContain('crm.objects.contacts.write');
    test.hubspot.faults.add({ ...onWrites, fault: 'invalid', times: 1 });
    expect(await refused()).toMatchObject({ code: 'crm.invalid', retryable: false });
  });

  it('the record that a call may not be put on: the call itself is there, and is put there once it may', async () => {
    const [elena] = test.hubspot.records.contacts;
    const log = finishedCall({ record: { crm: 'hubspot', object: 'contact', id: elena?.id ?? '' } });
    let forbidden = true;
    const relay = test.freshRelay({
      fetch: test.answering(/associat/, () =>
        forbidden
          ? answer(400, {
              category: 'VALIDATION_ERROR',
              subCategory: 'crm.associations.FORBIDDEN',
              message: 'The user lacks Edit Associations.',
            })
          : null,
      ),
    });
    const error = await refusalOf(write(relay, log));
    expect(error).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringMatching(/put the call on its record.*"Edit associations"/s),
    });
    forbidden = false;
    const id = await write(relay, log);
    expect(logged(log)?.id).toBe(id);
    expect(test.hubspot.portal.associated('calls', id, 'contacts').map(({ toId }) => toId)).toEqual([elena?.id]);
  });

  it('a unique property that keeps nothing apart', async () => {
    const listing = test.answering(/GET .*\/properties\/calls$/, () =>
      answer(200, {
        results: [
          { name: 'hs_call_title', groupName: 'g' },
          { name: 'patchcord_call_id', hasUniqueValue: false },
          { name: 'patchcord_last_written' },
        ],
      }),
    );
    expect(await refused(test.freshRelay({ fetch: listing }))).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('require unique values'),
    });
  });
});

describe('a batch of which some failed', () => {
  it('207: each call is settled for itself', async () => {
    const [poisoned, ...good] = [finishedCall({ startedAt: Number.NaN }), finishedCall(), finishedCall()];
    const relay = test.freshRelay();
    const written = await relay.writeLogs?.(
      [poisoned, ...good].map((log) => ({ log: log as CallLog, agent: test.robin, logId: null })),
    );
    expect(written?.map((one) => ('error' in one ? one.error.code : 'logged'))).toEqual([
      'crm.invalid',
      'logged',
      'logged',
    ]);
    for (const log of good) expect(logged(log)).toBeDefined();
  });

  it('an outage in the middle of it is told of each that is not done, and repeating leaves one log each', async () => {
    const logs = [finishedCall(), finishedCall()];
    const relay = test.freshRelay();
    const batch = logs.map((log) => ({ log, agent: test.robin, logId: null }));
    test.hubspot.faults.add({ ...onWrites, fault: 'bad-gateway', times: 1 });
    const first = await Promise.resolve(relay.writeLogs?.(batch)).catch((error: unknown) => error);
    const codes = Array.isArray(first)
      ? first.map((one) => ('error' in one ? one.error.retryable : true))
      : [(first as PatchcordError).retryable];
    expect(codes.every((retryable) => retryable === true)).toBe(true);
    await relay.writeLogs?.(batch);
    for (const log of logs) expect(logged(log)).toBeDefined();
  });
});

describe('what changed in the account meanwhile', () => {
  /** Refuses whatever sends this property with this value. */
  const blaming = (property: string, code: string, isBad: (value: string) => boolean = () => true) =>
    test.answering(creating, (body) => {
      const [input] = (JSON.parse(body) as { inputs: { properties: Record<string, string> }[] }).inputs;
      const value = input?.properties[property];
      if (value === undefined || !isBad(value)) return null;
      return answer(400, {
        category: 'VALIDATION_ERROR',
        message: 'Property values were not valid',
        errors: [{ message: 'x', code, context: { propertyName: [property] } }],
      });
    });

  it('a property that is gone is left out, the call is logged, and it is said once', async () => {
    const relay = test.freshRelay({ fetch: blaming('hs_call_external_account_id', 'PROPERTY_DOESNT_EXIST') });
    for (const log of [finishedCall(), finishedCall()]) {
      await write(relay, log);
      expect(logged(log)?.properties.hs_call_title).toContain('Call to');
      expect(logged(log)?.properties.hs_call_external_account_id ?? null).toBeNull();
    }
    expect(test.notices.filter((text) => text.includes('hs_call_external_account_id'))).toHaveLength(1);
  });

  it('an outcome that is gone: the call is logged without it', async () => {
    const log = finishedCall();
    await write(test.freshRelay({ fetch: blaming('hs_call_disposition', 'INVALID_OPTION') }), log);
    expect(logged(log)?.properties.hs_call_disposition ?? null).toBeNull();
  });

  it('an owner who left: the call is logged without one, and an administrator is told', async () => {
    const log = finishedCall();
    const relay = test.freshRelay({ fetch: blaming('hubspot_owner_id', 'INVALID_OWNER_ID') });
    await write(relay, log);
    expect(logged(log)).toBeDefined();
    expect(logged(log)?.properties.hubspot_owner_id ?? null).toBeNull();
    expect(test.notices.join()).toContain('Robin Avery');
  });

  it('a user who owns nothing: logged without an owner, and nobody is bothered', async () => {
    const log = finishedCall();
    await test.freshRelay().writeLog(log, { crmUserId: '999999', name: 'No Seat' }, null);
    expect(logged(log)?.properties.hubspot_owner_id ?? null).toBeNull();
    expect(test.notices).toEqual([]);
  });

  it('a property that a call cannot do without is refused, not left out', async () => {
    const relay = test.freshRelay({ fetch: blaming('hs_timestamp', 'PROPERTY_DOESNT_EXIST') });
    expect(await refused(relay)).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('hs_timestamp'),
    });
  });

  it('in a batch as for one', async () => {
    const relay = test.freshRelay({ fetch: blaming('hs_call_external_account_id', 'PROPERTY_DOESNT_EXIST') });
    const logs = [finishedCall(), finishedCall()];
    const written = await relay.writeLogs?.(logs.map((log) => ({ log, agent: test.robin, logId: null })));
    expect(written?.every((one) => 'logId' in one)).toBe(true);
    for (const log of logs) expect(logged(log)).toBeDefined();
  });

  it('a call that a person deleted stays deleted, and its log is no failure', async () => {
    const log = finishedCall();
    const relay = test.freshRelay();
    const id = await write(relay, log);
    test.hubspot.portal.archive('calls', id);
    expect(await write(relay, { ...log, note: 'later' }, id)).toBe(id);
    expect(logged(log)).toBeUndefined();
  });

  it('outcomes come from the older list where the property has no options', async () => {
    const own = { label: 'Interested', id: '11111111-2222-3333-4444-555555555555', deleted: false };
    let sent = '';
    const relay = test.freshRelay({
      fetch: async (input, init) => {
        const path = String(input);
        if (path.endsWith('/calling/v1/dispositions')) return answer(200, [own]);
        if (creating.test(`${init?.method} ${path}`)) {
          sent = String(init?.body);
          return answer(503, {});
        }
        const response = await fetch(input, init);
        if (!path.endsWith('/properties/calls')) return response;
        const body = (await response.json()) as { results: { name: string }[] };
        return answer(200, {
          results: body.results.map((one) => (one.name === 'hs_call_disposition' ? { ...one, options: [] } : one)),
        });
      },
    });
    await refusalOf(write(relay, finishedCall({ disposition: 'Interested' })));
    expect(sent).toContain(own.id);
  });
});

describe('a search for a caller', () => {
  const find = (relay: CrmRelay) => relay.findByNumber('+14155550101' as E164, 'US', { agent: test.robin });

  it('that is refused without a reason goes on without what the account does not know, once learned', async () => {
    let searches = 0;
    const relay = test.freshRelay({
      fetch: test.answering(/POST .*\/contacts\/search/, (body) => {
        searches += 1;
        const unknown = body.includes('international_mobile');
        return unknown ? answer(400, { status: 'error', message: 'There was a problem with the request.' }) : null;
      }),
    });
    const first = await find(relay);
    expect(first.map(({ record }) => record.name)).toEqual(['Elena Marchetti']);
    const before = searches;
    expect(await find(relay)).toEqual(first);
    expect(searches - before).toBe(1);
  });

  it('of which nothing is taken is refused, and forgets nothing', async () => {
    let broken = true;
    const relay = test.freshRelay({
      fetch: test.answering(/POST .*\/contacts\/search/, () =>
        broken ? answer(400, { status: 'error', message: 'There was a problem with the request.' }) : null,
      ),
    });
    expect(await refusalOf(find(relay))).toMatchObject({ code: 'crm.invalid' });
    broken = false;
    expect(await find(relay)).toHaveLength(1);
  });

  it.each([
    ['html', 30_000],
    ['search-limited', 1_000],
    ['edge-down', 1_000],
  ])('that meets %s says so instead of finding nobody', async (fault, retryAfterMs) => {
    test.hubspot.faults.add({ fault, on: 'POST */search', times: 4 });
    expect(await refusalOf(find(test.freshRelay()))).toMatchObject({ retryable: true, retryAfterMs });
  });
});
