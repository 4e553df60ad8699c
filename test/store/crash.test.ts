/** The promise of the relay: exactly one log per call, whatever dies and whatever the CRM answers. Real processes, real kills, both databases. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { startHubSpotSandbox, startSalesforceSandbox } from '@patchcord/sandbox';
import { afterAll, beforeAll, describe, it, type TestContext } from 'vitest';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { answeredCall, envelopes, type Panel } from '../unit/server/relay-in-test.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { newDevice, type RelayProcess, relayProcess } from './relay-process.ts';

interface Crm {
  readonly tenant: RelayConfigInput['tenants'][number];
  /** The call id of every log in the CRM. */
  logs(): readonly string[];
  /** Requests that write. */
  writes(): number;
  /** The next writes meet this, one each. */
  trouble(...kinds: ('error' | 'busy' | 'answer-lost' | 'slow')[]): void;
  close(): Promise<void>;
}

const common = {
  country: 'US',
  hostOrigins: ['http://127.0.0.1:1'],
  sip: {
    domain: 'sip.example.com',
    servers: ['wss://sip.example.com'],
    credential: { kind: 'kamailio-ephemeral', secret: 'a-sip-secret-that-only-tests-know-0001' },
  },
} as const;

async function salesforce(): Promise<Crm> {
  const org = await startSalesforceSandbox({ panelUrl: 'http://127.0.0.1:1/salesforce/' });
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  org.connectedApp.registerConnectedApp(keys.publicKey);
  const integration = org.users.find((user) => user.email.startsWith('relay@'));
  const agent = org.users.find((user) => user !== integration);
  if (integration === undefined || agent === undefined) throw new Error('the sandbox org lacks users');
  const names = { error: 'server-error', busy: 'request-limit', 'answer-lost': 'answer-lost', slow: 'slow' };
  return {
    tenant: {
      ...common,
      id: 'acme',
      name: 'Acme',
      crm: {
        kind: 'salesforce',
        loginUrl: org.org.loginUrl,
        clientId: org.connectedApp.clientId,
        privateKey: keys.privateKey,
        username: integration.username,
        instanceUrl: org.instanceUrl,
        orgId: org.org.id,
        assertionPublicKey: org.org.signingCertificatePem,
      },
      agents: [{ id: 'ada', name: agent.name, extension: '1001', crmUserId: agent.id }],
    },
    logs: () =>
      org.records.Task.map((task) =>
        String(org.records.Patchcord_Call__c.find((call) => call.Task_Id__c === task.Id)?.Call_Key__c),
      ),
    writes: () => org.requests().filter(({ method, path }) => method === 'POST' && path.endsWith('/composite')).length,
    trouble: (...kinds) => {
      for (const kind of kinds) {
        const message =
          kind === 'busy' ? { message: 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.' } : {};
        org.faults.add({ fault: names[kind], on: 'POST */composite', delayMs: 400, ...message });
      }
    },
    close: () => org.close(),
  };
}

async function hubspot(): Promise<Crm> {
  const portal = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:1/hubspot/',
    relayUrl: 'http://127.0.0.1:1',
    clientSecret: 'a-client-secret-for-this-test',
    appId: 99,
  });
  const [owner] = portal.owners;
  if (owner === undefined) throw new Error('the sandbox portal has no owner');
  const names = { error: 'server-error', busy: 'rate-limited', 'answer-lost': 'answer-lost', slow: 'slow' };
  return {
    tenant: {
      ...common,
      id: 'acme',
      name: 'Acme',
      crm: {
        kind: 'hubspot',
        apiUrl: portal.apiUrl,
        portalId: portal.portalId,
        appId: 99,
        clientId: portal.oauth.clientId,
        clientSecret: portal.oauth.clientSecret,
        refreshToken: portal.oauth.refreshToken,
      },
      agents: [{ id: 'ada', name: 'Robin Avery', extension: '1001', crmUserId: String(owner.userId) }],
    },
    logs: () => portal.records.calls.map(({ properties }) => String(properties.patchcord_call_id)),
    writes: () => portal.requests().filter(({ path }) => /\/objects\/calls/.test(path)).length,
    trouble: (...kinds) => {
      for (const kind of kinds)
        portal.faults.add({ fault: names[kind], on: '* /crm/*/objects/calls*', delayMs: 400, retryAfterSeconds: 1 });
    },
    close: () => portal.close(),
  };
}

const delivery = { leaseMs: 600, firstRetryMs: 20, longestRetryMs: 200, attempts: 100 };

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

async function stage(
  database: string,
  openCrm: () => Promise<Crm>,
  { onTestFinished, onTestFailed }: TestContext,
): Promise<{ crm: Crm; relay: RelayProcess }> {
  const crm = await openCrm();
  onTestFinished(() => crm.close());
  const relay = await relayProcess({
    tenants: [crm.tenant],
    delivery,
    ...(database === 'PostgreSQL' ? { databaseUrl: await postgres.createDatabase() } : {}),
  });
  onTestFinished(() => relay.remove());
  // What the relay said is the only witness of what went wrong.
  onTestFailed(() => console.error(relay.output().slice(-20_000)));
  await relay.start();
  return { crm, relay };
}

const until = { timeout: 60_000, interval: 100 };

// Side by side: each has a relay, a database and a CRM of its own, and waits for them most of the time.
describe.concurrent.each(['SQLite', 'PostgreSQL'])('with %s', (database) => {
  describe.each([
    ['Salesforce', salesforce],
    ['HubSpot', hubspot],
  ] as const)('and %s', (_name, openCrm) => {
    it('a relay killed between the acknowledgement and the CRM write leaves exactly one log, through 500, 429 and a lost answer', async (test) => {
      const { expect } = test;
      const { crm, relay } = await stage(database, openCrm, test);
      const device = newDevice();
      const callId = randomUUID();
      const panel = await relay.connect(await relay.signIn('acme', 'ada', device));
      // Nothing gets through before the kill.
      crm.trouble('error', 'error', 'error', 'error', 'error');
      panel.publish(...envelopes(callId, answeredCall));
      await panel.acknowledged();
      await relay.kill();
      expect(crm.logs()).toEqual([]);

      crm.trouble('error', 'busy', 'answer-lost');
      await relay.start();
      const token = await relay.signIn('acme', 'ada', device);
      await expect.poll(() => relay.history(token), until).toMatchObject([{ callId, log: 'saved' }]);
      expect(crm.logs()).toEqual([callId]);

      // The panel did not hear everything: it sends again, and adds a note.
      const again = await relay.connect(token);
      again.publish(
        ...envelopes(callId, [...answeredCall, { name: 'wrap-up.submitted', data: { note: 'after all that' } }]),
      );
      await again.event('log.saved');
      expect(crm.logs()).toEqual([callId]);
    });

    it('a relay killed while the CRM is writing leaves exactly one log', async (test) => {
      const { expect } = test;
      const { crm, relay } = await stage(database, openCrm, test);
      const callId = randomUUID();
      const token = await relay.signIn('acme', 'ada', newDevice());
      const panel = await relay.connect(token);
      crm.trouble('slow', 'slow', 'slow', 'slow', 'slow', 'slow');
      const before = crm.writes();
      panel.publish(...envelopes(callId, answeredCall));
      await panel.acknowledged();
      for (let kills = 0; kills < 3; kills += 1) {
        const seen = crm.writes();
        // The emulator notes a request when it has answered it: by then the next one is on its way.
        await expect.poll(() => crm.writes() > seen || crm.logs().length > 0, until).toBe(true);
        await relay.kill();
        await relay.start();
      }
      expect(crm.writes()).toBeGreaterThan(before);
      await expect.poll(() => relay.history(token), until).toMatchObject([{ callId, log: 'saved' }]);
      expect(crm.logs()).toEqual([callId]);
    });
  });

  it('many calls through many kills and faults: every one logged, none twice', async (test) => {
    const { expect } = test;
    const { crm, relay } = await stage(database, salesforce, test);
    const device = newDevice();
    const token = await relay.signIn('acme', 'ada', device);
    const callIds = Array.from({ length: 40 }, () => randomUUID());
    const unsent = new Set(callIds);
    const faults = ['error', 'answer-lost', 'slow', 'answer-lost'] as const;
    crm.trouble('busy');
    for (let life = 0; life < 8; life += 1) {
      for (let n = 0; n < 6; n += 1) crm.trouble(faults[(life + n) % faults.length] ?? 'error');
      const panel = await relay.connect(token);
      await publishSome(panel, unsent, 5);
      await relay.kill();
      await relay.start();
    }
    const panel = await relay.connect(token);
    await publishSome(panel, unsent, 40);
    await expect
      .poll(async () => (await relay.history(token)).filter(({ log }) => log === 'saved').length, until)
      .toBe(callIds.length);
    expect([...crm.logs()].sort()).toEqual([...callIds].sort());
  }, 300_000);
});

/** Publishes up to `count` calls; a call leaves `unsent` once it was acknowledged whole. */
async function publishSome(panel: Panel, unsent: Set<string>, count: number): Promise<void> {
  for (const callId of [...unsent].slice(0, count)) {
    panel.publish(...envelopes(callId, answeredCall));
    await panel.acknowledged();
    unsent.delete(callId);
  }
}

it('a PostgreSQL that crashes and comes back costs no acknowledged call', async (test) => {
  const { expect } = test;
  const { crm, relay } = await stage('PostgreSQL', salesforce, test);
  const device = newDevice();
  const token = await relay.signIn('acme', 'ada', device);
  const panel = await relay.connect(token);
  const first = randomUUID();
  crm.trouble('error', 'error');
  panel.publish(...envelopes(first, answeredCall));
  await panel.acknowledged();
  await postgres.crash();
  const second = randomUUID();
  panel.publish(...envelopes(second, answeredCall));
  expect(await panel.next(({ type }) => type === 'error')).toMatchObject({ code: 'store.unavailable' });
  await postgres.start();
  panel.publish(...envelopes(second, answeredCall));
  await panel.acknowledged();
  await expect
    .poll(async () => (await relay.history(token)).filter(({ log }) => log === 'saved').length, until)
    .toBe(2);
  expect([...crm.logs()].sort()).toEqual([first, second].sort());
});
