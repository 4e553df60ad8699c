import { randomUUID } from 'node:crypto';
import type { Devices, Session } from '@patchcord/call-protocol';
import {
  type OpenIdSandbox,
  startHubSpotSandbox,
  startOpenIdSandbox,
  startSalesforceSandbox,
} from '@patchcord/sandbox';
import { generateProof } from 'dpop';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { choose, comeBack, openWindow, signInThrough } from '../attack/sign-in-window.ts';
import {
  adminToken,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

describe('a session', () => {
  let now = Date.now();
  let one: RelayInTest;
  beforeAll(async () => {
    one = await startRelayInTest(testConfig(), { now: () => now });
  });
  afterAll(() => one.closed());
  const resume = (refresh?: string, headers: Record<string, string> = {}) =>
    one.fetch('/v1/sessions/resume', { json: refresh === undefined ? {} : { refresh }, headers });

  it('takes a proof that another library made', async () => {
    const key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const url = `${one.relay.url}/v1/sessions`;
    const opened = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', dpop: await generateProof(key, url, 'POST') },
      body: JSON.stringify({ device: randomUUID(), proof: { kind: 'pairing-code', code } }),
    });
    expect(opened.status).toBe(201);
    const { token } = (await opened.json()) as Session;
    const profile = `${one.relay.url}/v1/profile`;
    const dpop = await generateProof(key, profile, 'GET', undefined, token);
    expect((await fetch(profile, { headers: { authorization: `DPoP ${token}`, dpop } })).status).toBe(200);
  });

  it('goes on with new tokens, and gives the same pair to two who ask at once', async () => {
    const first = await one.signIn();
    const [left, right] = await Promise.all([resume(first.refresh), resume(first.refresh)]);
    const pairs = (await Promise.all([left?.json(), right?.json()])) as Session[];
    expect(pairs[0]?.token).toBe(pairs[1]?.token);
    expect(pairs[0]?.refresh).toBe(pairs[1]?.refresh);
    // Frames that still hold the first access token go on until its end.
    expect((await one.fetch('/v1/profile', { token: first.token })).status).toBe(200);
    expect((await one.fetch('/v1/profile', { token: pairs[0]?.token ?? '' })).status).toBe(200);
  });

  it('goes on when an answer was lost, however long the line was away, and still tells a copy afterwards', async () => {
    const first = await one.signIn();
    const lost = (await (await resume(first.refresh)).json()) as Session;
    now += 20 * 60_000;
    const [left, right] = await Promise.all([resume(first.refresh), resume(first.refresh)]);
    expect([left?.status, right?.status]).toEqual([200, 200]);
    const found = (await left?.json()) as Session;
    expect([found.token, found.refresh]).toEqual([lost.token, lost.refresh]);
    expect(found.expiresAt).toBe(now + 15 * 60_000);
    expect((await one.fetch('/v1/profile', { token: found.token })).status).toBe(200);
    const next = (await (await resume(found.refresh)).json()) as Session;
    now += 61_000;
    // Nothing of the newest pair was used yet, but this is not what it was exchanged for.
    expect((await resume(first.refresh)).status).toBe(401);
    expect((await one.fetch('/v1/profile', { token: next.token })).status).toBe(401);
  });

  it('ends when a refresh token comes back after what it was exchanged for was used', async () => {
    const first = await one.signIn();
    const next = (await (await resume(first.refresh)).json()) as Session;
    expect((await one.fetch('/v1/profile', { token: next.token })).status).toBe(200);
    now += 61_000;
    expect((await resume(first.refresh)).status).toBe(401);
    expect((await one.fetch('/v1/profile', { token: next.token })).status).toBe(401);
    const audit = await one.fetch('/v1/admin/audit?tenant=acme&limit=1000', { token: adminToken });
    expect(await audit.text()).toContain('session.reuse-stopped');
  });

  it('is kept in a partitioned cookie when the page asks for it, and ends with it', async () => {
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const json = { device: randomUUID(), remember: true, proof: { kind: 'pairing-code', code } };
    const opened = await one.fetch('/v1/sessions', { json });
    const set = opened.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^__Host-patchcord-[\w-]{16}=/);
    for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=None', 'Partitioned'])
      expect(set).toContain(attribute);
    const cookie = set.split(';')[0] ?? '';
    const resumed = await resume(undefined, { cookie });
    expect(resumed.status).toBe(200);
    const { token } = (await resumed.json()) as Session;
    const left = await one.fetch('/v1/sessions/current', { method: 'DELETE', token });
    expect(left.status).toBe(204);
    expect(left.headers.get('set-cookie')).toContain('Max-Age=0');
    const again = resumed.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await resume(undefined, { cookie: again })).status).toBe(401);
  });

  it('ends after its hours, whatever was renewed', async () => {
    const session = await one.signIn();
    now = session.endsAt - 1_000;
    const next = (await (await resume(session.refresh)).json()) as Session;
    expect(next.expiresAt).toBe(session.endsAt);
    now = session.endsAt;
    expect((await resume(next.refresh)).status).toBe(401);
    expect((await one.fetch('/v1/profile', { token: next.token })).status).toBe(401);
  });
});

describe('devices and roles', () => {
  let one: RelayInTest;
  beforeAll(async () => {
    const { agents = [], ...rest } = testTenant();
    const boss = { id: 'zoe', name: 'Zoe', extension: '1009', crmUserId: 'zoe', role: 'admin' } as const;
    one = await startRelayInTest(
      testConfig({
        tenants: [
          { ...rest, agents: [...agents, boss] },
          testTenant({ id: 'other', agents: [{ id: 'bob', name: 'Bob', extension: '1', crmUserId: 'b' }] }),
        ],
      }),
    );
  });
  afterAll(() => one.closed());

  it('show an agent where they are signed in, and end one device without the others', async () => {
    const [phone, laptop] = [await one.signIn('bob'), await one.signIn('bob')];
    const socket = await one.connect(laptop.token);
    const list = (await (await one.fetch('/v1/devices', { token: phone.token })).json()) as Devices;
    expect(list.devices.map(({ id, current }) => [id, current])).toEqual(
      expect.arrayContaining([
        [phone.device, true],
        [laptop.device, false],
      ]),
    );
    const ended = await one.fetch(`/v1/devices/${laptop.device}`, { method: 'DELETE', token: phone.token });
    expect(ended.status).toBe(204);
    expect(await socket.closed).toMatchObject({ code: 4403 });
    expect((await one.fetch('/v1/profile', { token: laptop.token })).status).toBe(401);
    expect((await one.fetch('/v1/profile', { token: phone.token })).status).toBe(200);
  });

  it('let an administrator work in their own tenant and in no other', async () => {
    const { token } = await one.signIn('zoe');
    const bob = await one.signIn('bob');
    const path = '/v1/admin/agents/acme/bob/devices';
    expect((await one.fetch(path, { token })).status).toBe(200);
    expect((await one.fetch(path, { token: bob.token })).status).toBe(403);
    expect((await one.fetch('/v1/admin/agents/other/bob/devices', { token })).status).toBe(403);
    expect((await one.fetch('/v1/admin/audit?tenant=acme', { token })).status).toBe(200);
    for (const wrong of ['?tenant=other', '', '?tenant=acme&tenant=other']) {
      expect((await one.fetch(`/v1/admin/audit${wrong}`, { token })).status).toBe(403);
    }
    const code = (tenant: string) => one.fetch('/v1/admin/pairing-codes', { token, json: { tenant, agent: 'bob' } });
    expect((await code('acme')).status).toBe(201);
    expect((await code('other')).status).toBe(403);
    expect((await one.fetch(`${path}/${bob.device}`, { method: 'DELETE', token })).status).toBe(204);
    expect((await one.fetch('/v1/profile', { token: bob.token })).status).toBe(401);
  });
});

describe('signing in at a provider', () => {
  let provider: OpenIdSandbox;
  let salesforce: Awaited<ReturnType<typeof startSalesforceSandbox>>;
  let portal: Awaited<ReturnType<typeof startHubSpotSandbox>>;
  let one: RelayInTest;
  const origin = 'https://crm.example.com';
  beforeAll(async () => {
    const claims = { email: 'ada@acme.example', email_verified: true, groups: ['staff', 'phone-leads'] };
    provider = await startOpenIdSandbox({ people: [{ id: 'ada', name: 'Ada', claims }] });
    salesforce = await startSalesforceSandbox({ panelUrl: 'http://127.0.0.1:9/salesforce/', host: '127.0.0.1' });
    const panelUrl = 'http://127.0.0.1:9/hubspot/';
    const clientSecret = 'a-hubspot-client-secret';
    portal = await startHubSpotSandbox({
      panelUrl,
      relayUrl: 'http://127.0.0.1:9',
      clientSecret,
      appId: 99,
      host: '127.0.0.1',
    });
    one = await startRelayInTest(
      testConfig({
        tenants: [
          testTenant({
            agents: [{ id: 'ada', name: 'Ada', extension: '1001', crmUserId: 'a', email: 'Ada@acme.example' }],
            signIn: {
              oidc: {
                issuer: provider.issuer,
                clientId: provider.clientId,
                clientSecret: provider.clientSecret,
                label: 'Sign in with Acme',
                role: { claim: 'groups', supervisor: ['phone-leads'] },
              },
            },
          }),
          testTenant({
            id: 'force',
            crm: {
              kind: 'salesforce',
              loginUrl: salesforce.org.loginUrl,
              clientId: salesforce.connectedApp.clientId,
              privateKey: 'not used here',
              username: 'relay@acme.example',
              orgId: salesforce.org.id,
              assertionPublicKey: salesforce.org.signingCertificatePem,
            },
            signIn: { crm: true },
            agents: [{ id: 'sam', name: 'Sam', extension: '2', crmUserId: salesforce.users[0]?.id ?? '' }],
          }),
          testTenant({
            id: 'hub',
            crm: {
              kind: 'hubspot',
              apiUrl: portal.apiUrl,
              uiUrl: portal.apiUrl,
              portalId: portal.portalId,
              appId: 99,
              clientId: portal.oauth.clientId,
              clientSecret: portal.oauth.clientSecret,
            },
            signIn: { crm: true },
            agents: [{ id: 'hugo', name: 'Hugo', extension: '3', crmUserId: String(portal.owners[0]?.userId) }],
          }),
        ],
      }),
    );
  });
  afterAll(async () => {
    await one.closed();
    await Promise.all([provider.close(), salesforce.close(), portal.close()]);
  });

  it('is offered to pages of that tenant only', async () => {
    const ways = async (query: Record<string, string>) => {
      const response = await one.fetch(`/v1/sign-in/ways?${new URLSearchParams(query)}`);
      return ((await response.json()) as { ways: { path: string; label: string }[] }).ways;
    };
    expect(await ways({ host: 'page', origin })).toEqual([
      { path: '/v1/sign-in/acme/oidc', label: 'Sign in with Acme' },
    ]);
    expect(await ways({ host: 'page', origin: 'https://crm.example.org' })).toEqual([]);
    expect(await ways({ host: 'hubspot', origin, audience: `hubspot:${portal.portalId}:1` })).toHaveLength(1);
    expect(await ways({ host: 'hubspot', origin, audience: 'hubspot:1:1' })).toEqual([]);
  });

  it('opens a session by OpenID Connect, with the role the provider says', async () => {
    const opened = await signInThrough(one.relay.url, '/v1/sign-in/acme/oidc', 'ada');
    expect(opened.agent.id).toBe('ada');
  });

  it('opens a session by Salesforce’s own page', async () => {
    const user = salesforce.users[0]?.id ?? '';
    expect((await signInThrough(one.relay.url, '/v1/sign-in/force/salesforce', user)).agent.id).toBe('sam');
  });

  it('is not taken from an office by pictures in somebody’s page, nor by proofs that nobody could guess', async () => {
    const picture = { headers: { 'sec-fetch-dest': 'image' } };
    for (let n = 0; n < 130; n += 1) {
      const path = n % 2 === 0 ? '/v1/sign-in/callback?state=x' : `/v1/sign-in/acme/oidc?challenge=${'x'.repeat(43)}`;
      expect((await one.fetch(path, picture)).status).toBe(400);
    }
    // A browser that does not say what it asks for sends no cookie of ours with a picture.
    for (let n = 0; n < 25; n += 1) {
      expect((await one.fetch('/v1/sign-in/callback?state=x')).status).toBe(403);
      const proof = { kind: 'sign-in', claim: 'c'.repeat(43), verifier: 'v'.repeat(43) };
      expect((await one.fetch('/v1/sessions', { json: { device: randomUUID(), proof } })).status).toBe(403);
    }
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const json = { device: randomUUID(), proof: { kind: 'pairing-code', code } };
    expect((await one.fetch('/v1/sessions', { json })).status).toBe(201);
    expect((await signInThrough(one.relay.url, '/v1/sign-in/acme/oidc', 'ada')).agent.id).toBe('ada');
  });

  it('says in words why nobody was signed in', async () => {
    const opened = await openWindow(one.relay.url, '/v1/sign-in/acme/oidc');
    const { status, html } = await comeBack(await choose(opened.provider, 'nobody'), opened.cookie);
    expect(status).toBe(403);
    expect(html).toContain('You did not allow the sign-in');
  });

  it('connects a HubSpot account and works with its rotating tokens, kept sealed', async () => {
    const begun = await one.fetch('/v1/admin/connect/hub', { method: 'POST', token: adminToken });
    expect(begun.status).toBe(201);
    const { url } = (await begun.json()) as { url: string };
    const back = await comeBack(await choose(new URL(url), String(portal.owners[0]?.userId)), '');
    expect(back.html).toContain('The CRM is connected');
    expect((await one.fetch('/v1/admin/connect/acme', { method: 'POST', token: adminToken })).status).toBe(400);
    expect((await one.fetch('/v1/admin/connect/hub', { method: 'POST' })).status).toBe(401);
    expect(phoneKey.thumbprint).toHaveLength(43);
  });
});
