/** A HubSpot account that is connected by its OAuth page: what is asked for, what is kept, what is given back, and what is said when it ends there. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Matches } from '@patchcord/call-protocol';
import { type HubSpotSandbox, startHubSpotSandbox } from '@patchcord/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { choose, comeBack } from '../attack/sign-in-window.ts';
import {
  adminToken,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

let portal: HubSpotSandbox;
let folder = '';
let relay: RelayInTest;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-hubspot-connection-'));
  portal = await startHubSpotSandbox({
    host: '127.0.0.1',
    panelUrl: 'http://127.0.0.1:9/hubspot/',
    relayUrl: 'http://127.0.0.1:9',
    clientSecret: 'connection-client-secret',
    appId: 99,
  });
  const tenant = (id: string, portalId: number) =>
    testTenant({
      id,
      crm: {
        kind: 'hubspot',
        apiUrl: portal.apiUrl,
        uiUrl: portal.apiUrl,
        portalId,
        appId: 99,
        clientId: portal.oauth.clientId,
        clientSecret: portal.oauth.clientSecret,
      },
      agents: [{ id: 'ada', name: 'Ada', extension: '1001', crmUserId: String(portal.owners[0]?.userId) }],
    });
  const config = testConfig({ tenants: [tenant('hub', portal.portalId), tenant('elsewhere', 123)] });
  relay = await startRelayInTest(config, { configuredCrm: true, folder });
});
afterAll(async () => {
  await relay.closed();
  await portal.close();
  await rm(folder, { recursive: true, force: true });
});

const admin = { token: adminToken } as const;
const user = (): string => String(portal.owners[0]?.userId);
async function begin(tenant: string): Promise<URL> {
  const begun = await relay.fetch(`/v1/admin/connect/${tenant}`, { method: 'POST', ...admin });
  expect(begun.status).toBe(201);
  return new URL(((await begun.json()) as { url: string }).url);
}
const connect = async (tenant = 'hub'): Promise<number> =>
  (await comeBack(await choose(await begin(tenant), user()), '')).status;
async function lookUp(tenant = 'hub'): Promise<Response> {
  const { token } = await relay.signIn('ada', undefined, tenant);
  return await relay.fetch(`/v1/matches?number=${encodeURIComponent('+14155550101')}`, { token });
}
const revoked = (): number => portal.requests().filter(({ path }) => path.endsWith('/token/revoke')).length;

it('asks for little, and for what only makes something better as optional', async () => {
  const url = await begin('hub');
  expect(url.searchParams.get('scope')?.split(' ')).toEqual([
    'oauth',
    'crm.objects.contacts.read',
    'crm.objects.contacts.write',
    'crm.objects.companies.read',
    'crm.objects.owners.read',
  ]);
  expect(url.searchParams.get('optional_scope')?.split(' ')).toContain('crm.schemas.contacts.write');
});

it('keeps nothing of another account, and gives back there what it got', async () => {
  const before = revoked();
  expect(await connect('elsewhere')).toBe(403);
  expect(revoked() - before).toBe(1);
  expect(await (await lookUp('elsewhere')).text()).toContain('not connected yet');
});

it('keeps what the account gives sealed, and puts no token into an address', async () => {
  expect(await connect()).toBe(200);
  const found = await lookUp();
  expect(found.status).toBe(200);
  expect(((await found.json()) as Matches).matches.map(({ record }) => record.name)).toEqual(['Elena Marchetti']);
  let bytes = '';
  for (const name of await readdir(folder)) bytes += await readFile(join(folder, name), 'latin1');
  expect(bytes).toContain('hubspot-tokens');
  expect(bytes).not.toContain('na1-');
  expect(bytes).not.toContain('sandbox-');
  expect(portal.requests().filter(({ path }) => /na1-|sandbox-/.test(path))).toEqual([]);
});

it('goes on with a fresh token when the account no longer takes the old one', async () => {
  portal.oauth.expireTokens();
  expect((await lookUp()).status).toBe(200);
});

it('gives back what a new connection replaces, and nothing else', async () => {
  const before = revoked();
  expect(await connect()).toBe(200);
  expect(revoked() - before).toBe(1);
  expect((await lookUp()).status).toBe(200);
});

it('tells an administrator when the app was uninstalled in HubSpot', async () => {
  portal.oauth.uninstall();
  const refused = await lookUp();
  expect(refused.status).toBeGreaterThanOrEqual(500);
  expect(await refused.text()).toContain('crm.not-authentic');
  const alerts = (): Promise<string> => relay.fetch('/v1/admin/alerts?tenant=hub', admin).then((one) => one.text());
  await expect.poll(alerts).toContain('Nothing goes into HubSpot');
});

it('ends here and there, or says that HubSpot was not told', async () => {
  expect(await connect()).toBe(200);
  const end = async (): Promise<unknown> =>
    (await relay.fetch('/v1/admin/connect/hub', { method: 'DELETE', ...admin })).json();
  const before = revoked();
  expect(await end()).toEqual({ tenant: 'hub', connected: true, givenBack: true });
  expect(revoked() - before).toBe(1);
  expect(await (await lookUp()).text()).toContain('not connected yet');
  expect(await end()).toEqual({ tenant: 'hub', connected: false, givenBack: false });
  expect(await connect()).toBe(200);
  portal.faults.add({ fault: 'unavailable', on: 'POST */token/revoke' });
  expect(await end()).toEqual({ tenant: 'hub', connected: true, givenBack: false });
});
