/** An org that is connected by its OAuth page: how it is connected, what is kept of it, how its tokens are renewed, how it ends. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Matches, newCallId, type Unlogged } from '@patchcord/call-protocol';
import { type SalesforceSandbox, startSalesforceSandbox } from '@patchcord/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { choose, comeBack } from '../attack/sign-in-window.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

let org: SalesforceSandbox;
let folder = '';
let one: RelayInTest;
let two: RelayInTest;
/** How far the relays' clocks are ahead. */
let passedMs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-connection-'));
  org = await startSalesforceSandbox({ host: '127.0.0.1', panelUrl: 'http://127.0.0.1:9/salesforce/' });
  one = await start();
  two = await start();
  org.connectedApp.requiresSecret = true;
});
afterAll(async () => {
  await two.closed();
  await one.closed();
  await org.close();
  await rm(folder, { recursive: true, force: true });
});

function start(encryptionKeys?: RelayConfigInput['encryptionKeys']): Promise<RelayInTest> {
  const tenant = (id: string, crm: object): RelayConfigInput['tenants'][number] =>
    testTenant({
      id,
      crm: {
        kind: 'salesforce',
        loginUrl: org.org.loginUrl,
        clientId: org.connectedApp.clientId,
        clientSecret: org.connectedApp.clientSecret,
        orgId: org.org.id,
        assertionPublicKey: org.org.signingCertificatePem,
        ...crm,
      },
      agents: [{ id: 'ada', name: 'Ada', extension: '1001', crmUserId: org.users[0]?.id ?? '' }],
    });
  const config = testConfig({
    ...(encryptionKeys === undefined ? {} : { encryptionKeys }),
    tenants: [
      tenant('force', {}),
      tenant('elsewhere', { orgId: '00D000000000009' }),
      tenant('keyed', { privateKey: aKey(), username: 'relay@acme.example' }),
    ],
  });
  return startRelayInTest(config, { configuredCrm: true, folder, now: () => Date.now() + passedMs });
}

const admin = { token: adminToken } as const;
const user = (): string => org.users[0]?.id ?? '';
const number = (): string => {
  const { Phone } = org.records.Contact.find((row) => typeof row.Phone === 'string' && row.Phone !== '') ?? {};
  return String(Phone);
};
async function begin(tenant: string): Promise<URL> {
  const begun = await one.fetch(`/v1/admin/connect/${tenant}`, { method: 'POST', ...admin });
  expect(begun.status).toBe(201);
  return new URL(((await begun.json()) as { url: string }).url);
}
async function lookUp(relay: RelayInTest, tenant = 'force'): Promise<Response> {
  const { token } = await relay.signIn('ada', undefined, tenant);
  const { toE164 } = await import('@patchcord/crm-adapters/relay');
  const e164 = toE164(number(), 'US') ?? '';
  return await relay.fetch(`/v1/matches?number=${encodeURIComponent(e164)}`, { token });
}
const found = async (relay: RelayInTest): Promise<number> => {
  const response = await lookUp(relay);
  const body = (await response.json()) as Matches;
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body.matches.length;
};

it('begins with PKCE and a state that works once, for an administrator only, and where there is no key', async () => {
  const url = await begin('force');
  expect(url.origin).toBe(new URL(org.org.loginUrl).origin);
  expect(url.searchParams.get('code_challenge')).toMatch(/^[\w-]{43}$/);
  expect(url.searchParams.get('code_challenge_method')).toBe('S256');
  expect((await begin('force')).searchParams.get('state')).not.toBe(url.searchParams.get('state'));
  expect((await one.fetch('/v1/admin/connect/force', { method: 'POST' })).status).toBe(401);
  for (const method of ['POST', 'DELETE']) {
    expect((await one.fetch('/v1/admin/connect/keyed', { method, ...admin })).status).toBe(400);
    expect((await one.fetch('/v1/admin/connect/nobody', { method, ...admin })).status).toBe(400);
  }
});

it('tells what to do as long as it is not connected', async () => {
  const response = await lookUp(one);
  expect(response.status).toBeGreaterThanOrEqual(500);
  expect(await response.text()).toContain('POST /v1/admin/connect');
});

it('refuses another org, keeps nothing of it, and tells when nobody said yes', async () => {
  const back = await comeBack(await choose(await begin('elsewhere'), user()), '');
  expect(back.status).toBe(403);
  expect(back.html).toContain('another Salesforce organisation');
  expect(await (await lookUp(one, 'elsewhere')).text()).toContain('not connected yet');
  expect((await comeBack(await choose(await begin('force'), 'nobody'), '')).status).toBe(403);
  const address = await choose(await begin('force'), user());
  address.searchParams.set('code', 'made-up');
  const made = await comeBack(address, '');
  expect(made.status).toBe(403);
  expect(made.html).toContain('Salesforce refused to connect the org');
});

it('works as the user who connected it, on all relays, with tokens that are sealed', async () => {
  const address = await choose(await begin('force'), user());
  expect((await comeBack(address, '')).html).toContain('The CRM is connected');
  expect((await comeBack(address, '')).status).toBe(403);
  expect(await found(one)).toBeGreaterThan(0);
  expect(await found(two)).toBeGreaterThan(0);
  let bytes = '';
  for (const name of await readdir(one.folder)) bytes += await readFile(join(one.folder, name), 'latin1');
  expect(bytes).toContain('salesforce-tokens');
  expect(bytes).not.toContain('5Aep861');
  expect(bytes).not.toContain(`${org.org.id.slice(0, 15)}!`);
});

it('renews once for all relays when the org no longer takes a token, also where refresh tokens are good once', async () => {
  org.connectedApp.rotatesRefreshTokens = true;
  for (let round = 0; round < 3; round += 1) {
    org.connectedApp.expireSessions();
    const before = refreshes();
    const counts = await Promise.all([found(one), found(two), found(one), found(two)]);
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(refreshes() - before).toBe(1);
  }
});

it('ends with a word of the administrator, here or there, and can be connected again', async () => {
  org.connectedApp.revokeRefreshTokens();
  const refused = await lookUp(one);
  expect(refused.status).toBeGreaterThanOrEqual(500);
  expect(await refused.text()).toContain('crm.not-authentic');
  expect((await comeBack(await choose(await begin('force'), user()), '')).status).toBe(200);
  expect(await found(one)).toBeGreaterThan(0);
  expect(await found(two)).toBeGreaterThan(0);
  const ended = await one.fetch('/v1/admin/connect/force', { method: 'DELETE', ...admin });
  expect(await ended.json()).toEqual({ tenant: 'force', connected: true, givenBack: true });
  for (const relay of [one, two]) expect(await (await lookUp(relay)).text()).toContain('not connected yet');
  expect(await (await one.fetch('/v1/admin/connect/force', { method: 'DELETE', ...admin })).json()).toEqual({
    tenant: 'force',
    connected: false,
    givenBack: false,
  });
});

it('gives back what a new connection replaces, and nothing else', async () => {
  const connect = async (): Promise<void> => {
    expect((await comeBack(await choose(await begin('force'), user()), '')).status).toBe(200);
  };
  const revoked = (): number => org.requests().filter(({ path }) => path.includes('/oauth2/revoke')).length;
  const before = revoked();
  await connect();
  expect(revoked() - before).toBe(0);
  expect(await found(two)).toBeGreaterThan(0);
  await connect();
  expect(revoked() - before).toBe(1);
  // The old session ended with it, and the new one is another.
  for (const relay of [one, two]) expect(await found(relay)).toBeGreaterThan(0);
});

it('ends on all relays within a minute, also where the org could not be told', async () => {
  for (const relay of [one, two]) expect(await found(relay)).toBeGreaterThan(0);
  org.faults.add({ fault: 'unavailable', on: 'POST /services/oauth2/revoke' });
  const ended = await one.fetch('/v1/admin/connect/force', { method: 'DELETE', ...admin });
  expect(await ended.json()).toEqual({ tenant: 'force', connected: true, givenBack: false });
  expect(await (await lookUp(one)).text()).toContain('not connected yet');
  passedMs += 60_000;
  const asked = org.requests().length;
  const refused = await lookUp(two);
  expect(await refused.json()).toMatchObject({
    error: { code: 'crm.not-authentic', message: expect.stringContaining('POST /v1/admin/connect') as string },
  });
  expect(org.requests()).toHaveLength(asked);
});

it('lets logs wait while the key of its tokens is missing, and writes them when it is back', async () => {
  expect((await comeBack(await choose(await begin('force'), user()), '')).status).toBe(200);
  await one.closed();
  await two.closed();
  const old = { id: 'local', key: await readFile(join(folder, 'vault.key'), 'utf8') };
  const fresh = { id: 'new', key: randomBytes(32).toString('base64') };
  one = await start([fresh]);
  const call = newCallId();
  const panel = await one.connect((await one.signIn('ada', undefined, 'force')).token);
  panel.publish(...envelopes(call, answeredCall));
  await panel.acknowledged();
  const unlogged = async (): Promise<Unlogged['calls']> => {
    const answer = await one.fetch('/v1/admin/unlogged?tenant=force', admin);
    return ((await answer.json()) as Unlogged).calls;
  };
  passedMs += 130_000;
  await expect.poll(async () => (await unlogged())[0]?.logReason, { timeout: 20_000 }).toContain('sealed with the key');
  expect(await unlogged()).toMatchObject([{ callId: call, log: 'waiting' }]);
  await one.closed();
  passedMs += 900_000;
  one = await start([fresh, old]);
  await expect.poll(async () => (await unlogged()).length, { timeout: 20_000 }).toBe(0);
  two = await start([fresh, old]);
});

function aKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function refreshes(): number {
  return org.requests().filter((request) => JSON.stringify(request).includes('refresh_token')).length;
}
