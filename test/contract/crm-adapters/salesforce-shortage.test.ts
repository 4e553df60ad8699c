/**
 * What becomes of look-ups and logs in a Salesforce org when little may be asked or seen: the day's API calls are nearly used up, users are
 * hidden, fields are closed, one record is refused. Through the real jsforce. Must never look at the adapter's inside.
 */
import { PatchcordError, toE164 } from '@patchcord/call-protocol';
import type { CrmAgent, CrmRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { GatedRequest, RequestGate } from '../../../packages/crm-adapters/src/request-gate.ts';
import { finishedCall } from './call-log-fixture.ts';
import { startTestOrg, type TestOrg } from './salesforce-org.ts';

let test: TestOrg;
beforeAll(async () => {
  test = await startTestOrg();
});
afterAll(() => test.close());
afterEach(() => {
  vi.useRealTimers();
  test.org.faults.clear();
  test.org.rights.clear();
  test.org.setActive(usernameOf(test.robin), true);
  test.notices.length = 0;
});

const number = toE164('+14155550101');
const usernameOf = (agent: CrmAgent): string =>
  test.org.users.find(({ id }) => id === agent.crmUserId)?.username ?? 'nobody';
const find = (relay: CrmRelay, agent = test.robin) => relay.findByNumber(number, 'US', { agent });
const logged = (callId: string) => ({
  task: test.org.records.Task.find((one) => one.CallObject === callId),
  call: test.org.records.Patchcord_Call__c.find((one) => one.Call_Key__c === callId),
});
const pathsOf = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const before = test.org.requests().length;
  await work();
  return test.org
    .requests()
    .slice(before)
    .map(({ path }) => path.replace(/^\/services\/data\/v66\.0/, ''));
};

function gateFor(mayPass: (request: GatedRequest) => boolean): RequestGate {
  return {
    pass: (request) =>
      mayPass(request)
        ? Promise.resolve(() => {})
        : Promise.reject(new PatchcordError('crm.rate-limited', 'The day is used up.', { retryable: true })),
  };
}

describe('late in the API day', () => {
  it('callers are found by a relay that knows neither the org nor the agent: a person waits', async () => {
    const relay = test.freshRelay({ gate: gateFor(({ urgent }) => urgent === true) });
    expect(await find(relay)).toHaveLength(1);
    expect(await relay.relatedTo?.(test.record('Priya Raman'), test.robin)).toBeDefined();
    await expect(relay.writeLog(finishedCall(), test.robin, null)).rejects.toMatchObject({ code: 'crm.rate-limited' });
    await expect(relay.findByNumber(number, 'US', { urgent: false, agent: test.robin })).rejects.toMatchObject({
      code: 'crm.rate-limited',
    });
  });

  it('what was known of the org and of the agent serves on when it cannot be asked again', async () => {
    let isFull = false;
    const gate = gateFor(({ search }) => !isFull || search === true);
    const relay = test.freshRelay({ gate, describeForMs: 60_000 });
    expect(await find(relay)).toHaveLength(1);
    isFull = true;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
    expect(await find(relay)).toHaveLength(1);
  });
});

describe('an agent whom the integration user does not see', () => {
  const hide = () =>
    test.org.rights.deny({ user: test.integration.crmUserId, object: 'User', id: test.robin.crmUserId });

  it('owns the log all the same where Salesforce lets them', async () => {
    // Hidden while the users are read, the first request of all; a user who may own a record although nobody showed them.
    const show = hide();
    const relay = test.freshRelay({ gate: { pass: () => Promise.resolve(show) } });
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(logged(log.callId).task).toMatchObject({ OwnerId: test.robin.crmUserId });
    expect(logged(log.callId).call).toMatchObject({ OwnerId: test.robin.crmUserId, Agent__c: test.robin.crmUserId });
    expect(logged(log.callId).task?.Description).not.toContain('Taken by');
  });

  it('owns it a few minutes after they were shown, and looks up then', async () => {
    const relay = test.freshRelay();
    const show = hide();
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    expect(logged(log.callId).task).toMatchObject({ OwnerId: test.integration.crmUserId });
    await expect(find(relay)).rejects.toThrow(/View All Users/);
    show();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 301_000 });
    expect(await find(relay)).toHaveLength(1);
    await relay.writeLog({ ...log, stage: 'final' }, test.robin, id);
    const { task, call } = logged(log.callId);
    expect([task?.OwnerId, call?.OwnerId, call?.Agent__c]).toEqual(Array(3).fill(test.robin.crmUserId));
  });

  it('is logged for where the integration user may read no user at all', async () => {
    const relay = test.freshRelay();
    test.org.rights.deny({ user: test.integration.crmUserId, object: 'User' });
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(logged(log.callId).task?.CreatedById).toBe(test.integration.crmUserId);
    expect(logged(log.callId).task?.Description).toContain(`Taken by ${test.robin.name}`);
    expect(test.notices.filter((text) => text.includes(`writes the calls of ${test.robin.name}`))).toHaveLength(1);
    // Nor is it asked for again with every log.
    const next = await pathsOf(() => relay.writeLog(finishedCall(), test.robin, null));
    expect(next.filter((path) => path !== '/composite')).toEqual([]);
  });
});

describe('an owner by default', () => {
  const later = () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_700_000 });

  it('is corrected by a later write once the agent can own the log', async () => {
    const relay = test.freshRelay();
    test.org.setActive(usernameOf(test.robin), false);
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    expect(logged(log.callId).task?.OwnerId).toBe(test.integration.crmUserId);
    test.org.setActive(usernameOf(test.robin), true);
    later();
    await relay.writeLog({ ...log, note: 'Call back', stage: 'final' }, test.robin, id);
    const { task, call } = logged(log.callId);
    expect([task?.OwnerId, call?.OwnerId]).toEqual([test.robin.crmUserId, test.robin.crmUserId]);
    expect(task?.Description).toContain('Call back');
    expect(task?.Description).not.toContain('Taken by');
  });

  it('stays whom a person made it', async () => {
    const relay = test.freshRelay();
    test.org.setActive(usernameOf(test.robin), false);
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    test.org.store.update('Task', id, { OwnerId: test.sam.crmUserId }, test.sam.crmUserId);
    test.org.setActive(usernameOf(test.robin), true);
    later();
    await relay.writeLog({ ...log, note: 'Call back', stage: 'final' }, test.robin, id);
    expect(logged(log.callId).task?.OwnerId).toBe(test.sam.crmUserId);
    expect(logged(log.callId).task?.Description).toContain('Call back');
  });
});

describe('what an agent may not see', () => {
  it('is left out after one refusal, without describing the org in their name', async () => {
    const relay = test.freshRelay();
    await relay.findByNumber(number, 'US');
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact', field: 'HomePhone' });
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Lead' });
    const first = await pathsOf(async () => expect(await find(relay)).toHaveLength(1));
    expect(first.filter((path) => path.includes('describe'))).toEqual([]);
    expect(first.filter((path) => path.startsWith('/search'))).toHaveLength(3);
    expect(await pathsOf(() => find(relay))).toHaveLength(1);
    // Nobody else goes without it.
    const ofSam = await pathsOf(() => find(relay, test.sam));
    expect(ofSam.filter((path) => path.startsWith('/search'))).toHaveLength(1);
  });
});

describe('one refused record', () => {
  it('is brought up to date by the integration user, and the agent’s next call is their own', async () => {
    const relay = test.freshRelay();
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Task', id, deeds: ['edit'] });
    await relay.writeLog({ ...log, note: 'Call back', stage: 'final' }, test.robin, id);
    expect(logged(log.callId).task?.Description).toContain('Call back');
    const next = finishedCall();
    await relay.writeLog(next, test.robin, null);
    expect(logged(next.callId).task?.CreatedById).toBe(test.robin.crmUserId);
    expect(test.notices.join()).toContain(`brought a call of ${test.robin.name} up to date`);
    expect(test.notices.join()).not.toContain('writes the calls of');
  });
});

describe('a country in the record', () => {
  it('says how a number without a country code is read', async () => {
    const plant = (LastName: string, Phone: string, more: object = {}): string =>
      test.org.store.plant('Contact', { LastName, Phone, ...more });
    const ids = [
      plant('Jansen', '06 12345678', { MailingCountry: 'Nederland' }),
      plant('Dubois', '06 12 34 56 78', { MailingCountry: 'France' }),
      plant('Local', '581-2345'),
      plant('Olsen', '22 33 44 55', { MailingCountry: 'Norway' }),
    ];
    try {
      const names = async (caller: string): Promise<readonly (string | null | undefined)[]> =>
        (await test.relay.findByNumber(toE164(caller), 'US', { agent: test.robin })).map(({ record }) => record.name);
      expect(await names('+31612345678')).toEqual(['Jansen']);
      expect(await names('+33612345678')).toEqual(['Dubois']);
      expect(await names('+3545812345')).toEqual([]);
      expect(await names('+4722334455')).toEqual(['Olsen']);
    } finally {
      for (const id of ids) test.org.store.remove('Contact', id);
    }
  });
});
