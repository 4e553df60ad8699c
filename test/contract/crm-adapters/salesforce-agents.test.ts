/**
 * In whose name the relay works in a Salesforce org, through the real jsforce: the agents', the integration user's, or that of the person who
 * connected the org on its own page.
 */
import { createHash, randomBytes } from 'node:crypto';
import { toE164 } from '@patchcord/call-protocol';
import {
  type CrmAgent,
  createSalesforceRelay,
  exchangeSalesforceCode,
  refreshSalesforceToken,
  salesforceAuthorizeUrl,
} from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { finishedCall } from './call-log-fixture.ts';
import { startTestOrg, type TestOrg } from './salesforce-org.ts';

let test: TestOrg;
beforeAll(async () => {
  test = await startTestOrg();
});
afterAll(() => test.close());
afterEach(() => {
  const { org } = test;
  org.faults.clear();
  org.rights.clear();
  org.connectedApp.rotatesRefreshTokens = false;
  org.connectedApp.requiresSecret = false;
  for (const { username } of org.users) {
    org.connectedApp.setApproval(username, 'approved');
    org.setActive(username, true);
  }
  test.notices.length = 0;
});

const number = toE164('+14155550101');
const usernameOf = (agent: CrmAgent): string => {
  const user = test.org.users.find(({ id }) => id === agent.crmUserId);
  if (user === undefined) throw new Error(agent.name);
  return user.username;
};
const tokens = (): number => test.org.requests().filter(({ path }) => path === '/services/oauth2/token').length;
const callOf = (callId: string) => {
  const task = test.org.records.Task.find((one) => one.CallObject === callId);
  const call = test.org.records.Patchcord_Call__c.find((one) => one.Call_Key__c === callId);
  return { task, createdBy: task?.CreatedById, owner: task?.OwnerId, calls: call === undefined ? 0 : 1 };
};

describe('in the agent’s name', () => {
  it('writes each log as its agent, singly and in a batch', async () => {
    const relay = test.freshRelay();
    const logs = [finishedCall(), finishedCall(), finishedCall(), finishedCall()];
    const [first, second, third, fourth] = logs;
    if (first === undefined || second === undefined || third === undefined || fourth === undefined) throw new Error();
    await relay.writeLog(first, test.robin, null);
    const written = await relay.writeLogs?.([
      { log: second, agent: test.robin, logId: null },
      { log: third, agent: test.sam, logId: null },
      { log: fourth, agent: test.robin, logId: null },
    ]);
    expect(written?.map((one) => 'logId' in one && one.logId)).toEqual(
      [second, third, fourth].map((log) => callOf(log.callId).task?.Id),
    );
    for (const [log, agent] of [
      [first, test.robin],
      [second, test.robin],
      [third, test.sam],
      [fourth, test.robin],
    ] as const)
      expect(callOf(log.callId)).toMatchObject({ createdBy: agent.crmUserId, owner: agent.crmUserId });
  });

  it('finds only what the agent may see', async () => {
    const relay = test.freshRelay();
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact', id: test.record('Elena Marchetti').id });
    expect(await relay.findByNumber(number, 'US', { agent: test.robin })).toEqual([]);
    expect(await relay.findByNumber(number, 'US', { agent: test.sam })).toHaveLength(1);
    expect(await relay.findByNumber(number, 'US')).toHaveLength(1);
  });

  it('searches without a field or an object that this agent may not see', async () => {
    const relay = test.freshRelay();
    await relay.findByNumber(number, 'US');
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact', field: 'HomePhone' });
    test.org.rights.deny({ user: test.sam.crmUserId, object: 'Lead' });
    expect(await relay.findByNumber(number, 'US', { agent: test.robin })).toHaveLength(1);
    expect(await relay.findByNumber(number, 'US', { agent: test.sam })).toHaveLength(1);
  });

  it('signs each agent in once, and again when the session ended', async () => {
    const relay = test.freshRelay();
    const before = tokens();
    for (let time = 1; time <= 3; time += 1) await relay.writeLog(finishedCall(), test.robin, null);
    expect(tokens() - before).toBe(2);
    test.org.connectedApp.expireSessions(usernameOf(test.robin));
    await Promise.all([1, 2].map(() => relay.writeLog(finishedCall(), test.robin, null)));
    expect(tokens() - before).toBe(3);
  });

  it('an agent whom nobody approved: the look-up says what to do, the log is written for them, and it is said once', async () => {
    for (const approval of ['not-approved', 'not-admin-approved'] as const) {
      test.notices.length = 0;
      test.org.connectedApp.setApproval(usernameOf(test.robin), approval);
      const relay = test.freshRelay();
      await expect(relay.findByNumber(number, 'US', { agent: test.robin })).rejects.toMatchObject({
        code: 'crm.not-authentic',
        retryable: false,
        message: expect.stringMatching(/Nothing was looked up.*pre-authorized/s),
      });
      const log = finishedCall();
      const id = await relay.writeLog(log, test.robin, null);
      await relay.writeLog({ ...log, note: 'later' }, test.robin, id);
      await relay.writeLog(finishedCall(), test.robin, null);
      expect(callOf(log.callId)).toMatchObject({
        createdBy: test.integration.crmUserId,
        owner: test.robin.crmUserId,
      });
      expect(test.notices).toHaveLength(1);
      expect(test.notices[0]).toContain(test.robin.name);
      // Nobody else is touched by it.
      expect(await relay.findByNumber(number, 'US', { agent: test.sam })).toHaveLength(1);
    }
  });

  it('an inactive agent: the log is the integration user’s and says whose call it was', async () => {
    test.org.setActive(usernameOf(test.robin), false);
    const relay = test.freshRelay();
    await expect(relay.findByNumber(number, 'US', { agent: test.robin })).rejects.toThrow(/not an active user/);
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(callOf(log.callId)).toMatchObject({ owner: test.integration.crmUserId });
    expect(callOf(log.callId).task?.Description).toContain(`Taken by ${test.robin.name}`);
  });

  it('an agent who is no user of the org: logged all the same, and told', async () => {
    const relay = test.freshRelay();
    const log = finishedCall();
    const stranger = { crmUserId: '005000000000ZZZAAA', name: 'Alex Far' };
    await relay.writeLog(log, stranger, null);
    expect(callOf(log.callId)).toMatchObject({ owner: test.integration.crmUserId });
    expect(test.notices.join()).toContain('Alex Far is no user of this Salesforce org');
  });

  it('an agent without the right to write our object, or without the API: the integration user writes', async () => {
    for (const order of ['create', 'api'] as const) {
      test.org.rights.clear();
      if (order === 'create')
        test.org.rights.deny({ user: test.robin.crmUserId, object: 'Patchcord_Call__c', deeds: ['create'] });
      else
        test.org.faults.add({
          fault: 'api-disabled',
          on: '* /services/data/*',
          times: 100,
          when: { user: usernameOf(test.robin) },
        });
      const relay = test.freshRelay();
      const [one, two] = [finishedCall(), finishedCall()];
      await relay.writeLog(one, test.robin, null);
      await relay.writeLogs?.([
        { log: two, agent: test.robin, logId: null },
        { log: finishedCall(), agent: test.sam, logId: null },
      ]);
      for (const log of [one, two])
        expect(callOf(log.callId), order).toMatchObject({
          createdBy: test.integration.crmUserId,
          owner: test.robin.crmUserId,
          calls: 1,
        });
    }
  });

  it('a refused validation is not got round by the integration user', async () => {
    test.org.faults.add({
      fault: 'validation-rule',
      on: 'POST */composite*',
      times: 100,
      when: { user: usernameOf(test.robin) },
    });
    const log = finishedCall();
    await expect(test.freshRelay().writeLog(log, test.robin, null)).rejects.toMatchObject({ code: 'crm.invalid' });
    expect(callOf(log.callId).task).toBeUndefined();
  });

  it('a log that somebody else owns now, out of the agent’s sight, is still brought up to date', async () => {
    const relay = test.freshRelay();
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    test.org.store.update('Task', id, { OwnerId: test.sam.crmUserId }, test.sam.crmUserId);
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Task', id });
    await relay.writeLog({ ...log, note: 'Call back on Monday', stage: 'final' }, test.robin, id);
    await relay.writeLog({ ...log, note: 'Call back on Tuesday', stage: 'final' }, test.robin, null);
    expect(callOf(log.callId)).toMatchObject({ owner: test.sam.crmUserId, calls: 1 });
    expect(callOf(log.callId).task?.Description).toContain('Tuesday');
    expect(test.notices).toEqual([]);
    const next = finishedCall();
    await relay.writeLog(next, test.robin, null);
    expect(callOf(next.callId).createdBy).toBe(test.robin.crmUserId);
  });

  it('an outage says nothing of the agent: it is tried again, and nobody is told', async () => {
    test.org.faults.add({ fault: 'unavailable', on: 'POST /services/oauth2/token' });
    const relay = test.freshRelay();
    await expect(relay.writeLog(finishedCall(), test.robin, null)).rejects.toMatchObject({ retryable: true });
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(callOf(log.callId).createdBy).toBe(test.robin.crmUserId);
    expect(test.notices).toEqual([]);
  });
});

describe('as the integration user', () => {
  it('writes and finds everything as one user, with the agent as owner', async () => {
    const relay = test.freshRelay({ actAs: 'integration' });
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact' });
    expect(await relay.findByNumber(number, 'US', { agent: test.robin })).toHaveLength(1);
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(callOf(log.callId)).toMatchObject({ createdBy: test.integration.crmUserId, owner: test.robin.crmUserId });
  });
});

describe('an org connected on its own page', () => {
  const verifier = randomBytes(32).toString('base64url');
  const redirectUri = 'https://relay.example/v1/connect/salesforce';
  const app = () => ({ loginUrl: test.org.org.loginUrl, clientId: test.org.connectedApp.clientId });

  /** What the browser does: the page, the consent, the way back with a code. */
  async function consent(): Promise<string> {
    const url = salesforceAuthorizeUrl({
      ...app(),
      redirectUri,
      state: 'state-1',
      codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
    });
    expect(url.searchParams.get('scope')).toBe('api refresh_token');
    url.searchParams.set('login_as', test.integration.crmUserId);
    const answer = await fetch(url, { redirect: 'manual' });
    const back = new URL(answer.headers.get('location') ?? '');
    expect(back.searchParams.get('state')).toBe('state-1');
    return back.searchParams.get('code') ?? '';
  }
  const exchange = (code: string, codeVerifier = verifier) =>
    exchangeSalesforceCode({ ...app(), code, codeVerifier, redirectUri, timeoutMs: 5_000 });

  it('gives the relay a token for a code with its verifier, and says which org and who', async () => {
    const given = await exchange(await consent());
    expect(given).toMatchObject({
      orgId: test.org.org.id,
      userId: test.integration.crmUserId,
      instanceUrl: test.org.instanceUrl,
    });
    expect(given.refreshToken).not.toBe('');
  });

  it('refuses a code with a wrong verifier, and one that is used again', async () => {
    await expect(exchange(await consent(), 'wrong'.repeat(10))).rejects.toMatchObject({ code: 'crm.not-authentic' });
    const code = await consent();
    await exchange(code);
    await expect(exchange(code)).rejects.toMatchObject({ code: 'crm.not-authentic', retryable: false });
  });

  it('works with the relay’s own tokens, and asks for a new one only when one is refused', async () => {
    const given = await exchange(await consent());
    const asked: (string | null)[] = [];
    let kept = { token: given.accessToken, instanceUrl: given.instanceUrl };
    const relay = createSalesforceRelay({
      loginUrl: test.org.org.loginUrl,
      accessToken: async (refused) => {
        asked.push(refused);
        if (refused === kept.token) {
          const fresh = await refreshSalesforceToken({ ...app(), refreshToken: given.refreshToken });
          kept = { token: fresh.accessToken, instanceUrl: fresh.instanceUrl };
        }
        return kept;
      },
    });
    const log = finishedCall();
    await relay.writeLog(log, test.robin, null);
    expect(callOf(log.callId)).toMatchObject({ createdBy: test.integration.crmUserId, owner: test.robin.crmUserId });
    expect(new Set(asked)).toEqual(new Set([null]));
    test.org.connectedApp.expireSessions();
    expect(await relay.findByNumber(number, 'US', { agent: test.robin })).toHaveLength(1);
    expect(new Set(asked)).toEqual(new Set([null, given.accessToken]));
  });

  it('takes the rotated refresh token, and says when the connection was revoked', async () => {
    const given = await exchange(await consent());
    test.org.connectedApp.rotatesRefreshTokens = true;
    const renewed = await refreshSalesforceToken({ ...app(), refreshToken: given.refreshToken });
    expect(renewed.refreshToken).not.toBe(given.refreshToken);
    test.org.connectedApp.revokeRefreshTokens();
    await expect(refreshSalesforceToken({ ...app(), refreshToken: renewed.refreshToken })).rejects.toMatchObject({
      code: 'crm.not-authentic',
      retryable: false,
      message: expect.stringContaining('connects it again'),
    });
  });

  it('tries again later when the org is away, and gives up waiting', async () => {
    test.org.faults.add({ fault: 'unavailable', on: 'POST /services/oauth2/token' });
    const refresh = (timeoutMs: number) => refreshSalesforceToken({ ...app(), refreshToken: 'x', timeoutMs });
    await expect(refresh(5_000)).rejects.toMatchObject({ code: 'crm.unavailable', retryable: true });
    test.org.faults.add({ fault: 'slow', on: 'POST /services/oauth2/token', delayMs: 300 });
    await expect(refresh(50)).rejects.toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('needs the secret where the app asks for it', async () => {
    test.org.connectedApp.requiresSecret = true;
    const code = await consent();
    const wrong = exchangeSalesforceCode({ ...app(), clientSecret: 'no', code, codeVerifier: verifier, redirectUri });
    await expect(wrong).rejects.toMatchObject({
      code: 'crm.not-authentic',
      message: expect.not.stringContaining(verifier),
    });
  });

  it('sends no token to an address that is none of Salesforce', async () => {
    const relay = createSalesforceRelay({
      loginUrl: 'https://login.salesforce.com',
      accessToken: () => Promise.resolve({ token: 'secret', instanceUrl: test.org.instanceUrl }),
    });
    const asked = test.org.requests().length;
    await expect(relay.findByNumber(number, 'US')).rejects.toMatchObject({ code: 'crm.not-authentic' });
    expect(test.org.requests()).toHaveLength(asked);
  });
});
