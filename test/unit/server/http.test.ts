import { createHmac, randomUUID } from 'node:crypto';
import {
  CredentialsSchema,
  ErrorBodySchema,
  HistorySchema,
  MatchesSchema,
  ProfileSchema,
  SessionSchema,
} from '@patchcord/call-protocol';
import { checkConfig } from '@patchcord/server';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentPolicy } from '../../../server/src/http/panel-pages.ts';
import {
  adminToken,
  type RelayInTest,
  sipSecret,
  startRelayInTest,
  testConfig,
  testTenant,
  turnSecret,
} from './relay-in-test.ts';

let one: RelayInTest;
beforeAll(async () => {
  one = await startRelayInTest();
});
afterAll(() => one.closed());

async function errorOf(response: Response): Promise<string> {
  return v.parse(ErrorBodySchema, await response.json()).error.code;
}

describe('sessions', () => {
  it('opens one for a pairing code, and the code works once', async () => {
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const proof = { kind: 'pairing-code', code: code.toLowerCase().replace('-', ' ') };
    const response = await one.fetch('/v1/sessions', { json: { device: randomUUID(), proof } });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const session = v.parse(SessionSchema, await response.json());
    expect(session.agent).toEqual({ id: 'ada', tenant: 'acme', name: 'Ada Byron', extension: '1001' });
    expect(Buffer.from(session.token.split('.')[1] ?? '', 'base64url').length * 8).toBeGreaterThanOrEqual(192);
    const again = await one.fetch('/v1/sessions', { json: { device: randomUUID(), proof } });
    expect(again.status).toBe(403);
    expect(await errorOf(again)).toBe('identity.refused');
  });

  it('refuses a code that is too old', async () => {
    let now = Date.now();
    const later = await startRelayInTest(testConfig(), { now: () => now });
    try {
      const { code } = await later.relay.createPairingCode('acme', 'ada');
      now += 5 * 60_000 + 1;
      const response = await later.fetch('/v1/sessions', {
        json: { device: randomUUID(), proof: { kind: 'pairing-code', code } },
      });
      expect(response.status).toBe(403);
    } finally {
      await later.closed();
    }
  });

  it('ends an access token after a quarter of an hour', async () => {
    let now = Date.now();
    const later = await startRelayInTest(testConfig(), { now: () => now });
    try {
      const { token } = await later.signIn();
      now += 15 * 60_000 - 1;
      expect((await later.fetch('/v1/profile', { token })).status).toBe(200);
      now += 1;
      expect((await later.fetch('/v1/profile', { token })).status).toBe(401);
    } finally {
      await later.closed();
    }
  });

  it('stops an address that guesses, and tells it to wait', async () => {
    const guessed = await startRelayInTest();
    try {
      const statuses: number[] = [];
      for (let guess = 0; guess < 25; guess += 1) {
        const code = `2345678${'ABCDEFGHJKMNPQRSTVWXYZ2345'.charAt(guess)}`;
        const response = await guessed.fetch('/v1/sessions', {
          json: { device: randomUUID(), proof: { kind: 'pairing-code', code } },
        });
        statuses.push(response.status);
        if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      expect(statuses.filter((status) => status === 403)).toHaveLength(20);
      expect(statuses.at(-1)).toBe(429);
    } finally {
      await guessed.closed();
    }
  });

  it.each([
    ['no body', undefined],
    ['a device that is no UUID', { device: 'x', proof: { kind: 'pairing-code', code: 'A' } }],
    ['an unknown proof', { device: randomUUID(), proof: { kind: 'magic' } }],
  ])('names what is wrong with %s', async (_what, json) => {
    const response = await one.fetch('/v1/sessions', json === undefined ? { method: 'POST' } : { json });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toBe('request.invalid');
  });

  it('refuses what is no JSON and what is too large', async () => {
    const headers = { 'content-type': 'application/json' };
    const broken = await one.fetch('/v1/sessions', { method: 'POST', headers, body: '{"device":' });
    expect(broken.status).toBe(400);
    expect(await errorOf(broken)).toBe('request.invalid');
    const large = await one.fetch('/v1/sessions', { method: 'POST', headers, body: `"${'x'.repeat(20_000)}"` });
    expect(large.status).toBe(413);
  });

  it.each(['/v1/profile', '/v1/calls', '/v1/matches?number=%2B14155550101'])(
    'wants a token and its proof for %s, and takes none from the URL',
    async (path) => {
      const { token } = await one.signIn();
      expect((await one.fetch(path)).status).toBe(401);
      expect((await one.fetch(path, { token: 'nonsense' })).status).toBe(401);
      const inUrl = `${path}${path.includes('?') ? '&' : '?'}token=${token}&access_token=${token}`;
      const response = await one.fetch(inUrl);
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('DPoP algs="ES256", Bearer');
      expect((await one.fetch(path, { token })).status).toBe(200);
    },
  );
});

describe('an agent', () => {
  it('gets a profile without a secret in it', async () => {
    const { token } = await one.signIn();
    const text = await (await one.fetch('/v1/profile', { token })).text();
    const profile = v.parse(ProfileSchema, JSON.parse(text));
    expect(profile).toMatchObject({
      tenant: { id: 'acme', name: 'Acme', crm: 'memory' },
      sip: {
        domain: 'sip.example.com',
        servers: ['wss://sip.example.com:8443'],
        registerSeconds: 120,
        candidates: 'first-host',
      },
      iceTransportPolicy: 'all',
    });
    // The countries that share the code of the tenant's, and no others: all of them would be a megabyte.
    const countries = Object.keys(profile.numbers.metadata.countries as object);
    expect(countries).toContain('US');
    expect(countries.filter((country) => ['DE', 'GB', 'FR'].includes(country))).toEqual([]);
    for (const secret of [sipSecret, turnSecret, adminToken]) expect(text).not.toContain(secret);
  });

  it('gets SIP and TURN credentials that the servers can check by themselves', async () => {
    const { token } = await one.signIn();
    const response = await one.fetch('/v1/credentials', { method: 'POST', token });
    expect(response.status).toBe(201);
    const { sip, iceServers } = v.parse(CredentialsSchema, await response.json());
    const [expires, extension] = sip.username.split(':');
    expect(extension).toBe('1001');
    expect(Number(expires) * 1_000).toBe(sip.expiresAt);
    expect(sip.expiresAt - Date.now()).toBeGreaterThan(595_000);
    expect(sip.expiresAt - Date.now()).toBeLessThanOrEqual(600_000);
    expect(sip.password).toBe(createHmac('sha256', sipSecret).update(sip.username).digest('base64'));
    const [turn] = iceServers;
    expect(turn?.urls).toEqual(['turn:turn.example.com:3478']);
    expect(turn?.credential).toBe(
      createHmac('sha1', turnSecret)
        .update(turn?.username ?? '')
        .digest('base64'),
    );
  });

  it('gets a credential of its own for every device, even in the same second', async () => {
    const tokens = await Promise.all(Array.from({ length: 5 }, async () => (await one.signIn('bob')).token));
    const minted = await Promise.all(
      tokens.map(async (token) =>
        v.parse(CredentialsSchema, await (await one.fetch('/v1/credentials', { method: 'POST', token })).json()),
      ),
    );
    expect(new Set(minted.map(({ sip }) => sip.username)).size).toBe(5);
  });

  it('finds records by number, with the plus escaped or not', async () => {
    const { token } = await one.signIn();
    for (const number of ['%2B14155550101', '+14155550101']) {
      const response = await one.fetch(`/v1/matches?number=${number}`, { token });
      const { matches } = v.parse(MatchesSchema, await response.json());
      expect(matches.map(({ record }) => record.name)).toEqual(['Grace Hopper']);
    }
    const wrong = await one.fetch('/v1/matches?number=5551234567', { token });
    expect(wrong.status).toBe(400);
    expect(await errorOf(wrong)).toBe('number.invalid');
  });

  it('sees an empty history before the first call', async () => {
    const { token } = await one.signIn('bob');
    expect(v.parse(HistorySchema, await (await one.fetch('/v1/calls?limit=nonsense', { token })).json()).calls).toEqual(
      [],
    );
  });
});

describe('the administrator', () => {
  it('makes pairing codes with the admin token only', async () => {
    const json = { tenant: 'acme', agent: 'ada' };
    expect((await one.fetch('/v1/admin/pairing-codes', { json })).status).toBe(401);
    const { token } = await one.signIn();
    expect((await one.fetch('/v1/admin/pairing-codes', { json, token })).status).toBe(403);
    const response = await one.fetch('/v1/admin/pairing-codes', { json, token: adminToken });
    expect(response.status).toBe(201);
    expect(((await response.json()) as { code: string }).code).toMatch(/^[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}$/);
    const unknown = await one.fetch('/v1/admin/pairing-codes', {
      json: { tenant: 'acme', agent: 'eve' },
      token: adminToken,
    });
    expect(unknown.status).toBe(400);
  });

  it('finds no admin routes where no admin token is configured', async () => {
    const { adminToken: _none, ...config } = testConfig();
    const closed = await startRelayInTest(config);
    try {
      const response = await closed.fetch('/v1/admin/pairing-codes', {
        json: { tenant: 'acme', agent: 'ada' },
        token: adminToken,
      });
      expect(response.status).toBe(404);
    } finally {
      await closed.closed();
    }
  });
});

describe('the pages', () => {
  it('are fenced by the origins of the tenants who use that CRM', async () => {
    const panel = {
      files: new Map([
        ['panel-page-0123456789ab.js', Buffer.from('1')],
        ['panel-0123456789ab.css', Buffer.from('a{}')],
      ]),
    };
    const hubspot = {
      kind: 'hubspot',
      portalId: 1,
      appId: 2,
      clientId: 'c',
      clientSecret: 's',
      refreshToken: 'r',
    } as const;
    const paged = await startRelayInTest(
      testConfig({
        tenants: [
          testTenant(),
          testTenant({ id: 'two', crm: hubspot, hostOrigins: ['https://app.hubspot.com', 'https://*.hubspot.com'] }),
        ],
      }),
      { panel },
    );
    try {
      const page = await paged.fetch('/page/?sfdcIframeOrigin=x');
      expect(page.status).toBe(200);
      const policy = page.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain('frame-ancestors https://crm.example.com;');
      expect(policy).toContain('wss://sip.example.com:8443');
      expect(policy).toContain(paged.relay.url.replace('http', 'ws'));
      for (const absent of ['x-frame-options', 'cross-origin-opener-policy', 'cross-origin-embedder-policy']) {
        expect(page.headers.get(absent)).toBeNull();
      }
      expect(page.headers.get('permissions-policy')).toContain('microphone=(self)');
      const html = await page.text();
      expect(html).toContain(
        `<html lang="en" data-host-origins="https://crm.example.com" data-relay="${paged.relay.url}"`,
      );
      const hub = (await paged.fetch('/hubspot/')).headers.get('content-security-policy');
      expect(hub).toContain('frame-ancestors https://app.hubspot.com https://*.hubspot.com;');
      // nobody uses Salesforce here
      const salesforce = (await paged.fetch('/salesforce/')).headers.get('content-security-policy');
      expect(salesforce).toContain("frame-ancestors 'none'");

      const script = await paged.fetch('/assets/panel-page-0123456789ab.js');
      expect(script.headers.get('content-type')).toContain('text/javascript');
      expect(script.headers.get('cache-control')).toContain('immutable');
      expect((await paged.fetch('/assets/..%2Fpackage.json')).status).toBe(404);
      const redirect = await paged.fetch('/hubspot?a=1', { redirect: 'manual' });
      expect(redirect.headers.get('location')).toBe('/hubspot/?a=1');
    } finally {
      await paged.closed();
    }
  });

  it('let Salesforce’s script come from the hosts that serve it, and from nowhere else', () => {
    const acme = { ...testTenant(), hostOrigins: ['https://acme.lightning.force.com', 'https://*.force.com'] };
    const tenant = checkConfig(testConfig({ tenants: [acme] })).tenants;
    const policy = contentPolicy('salesforce', tenant, 'https://phone.example.com');
    expect(policy).toContain("script-src 'self' https://acme.my.salesforce.com https://acme.lightning.force.com;");
  });

  it('let WebAssembly be compiled only where an agent may have RNNoise', () => {
    const policyOf = (noiseSuppression: 'off' | 'browser' | 'rnnoise') =>
      contentPolicy(
        'page',
        checkConfig(testConfig({ tenants: [{ ...testTenant(), media: { noiseSuppression } }] })).tenants,
        'https://phone.example.com',
      );
    expect(policyOf('rnnoise')).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policyOf('browser')).toContain("script-src 'self';");
    expect(policyOf('off')).toContain("script-src 'self';");
    expect(contentPolicy('page', checkConfig(testConfig()).tenants, 'https://phone.example.com')).not.toContain('wasm');
  });

  it('say so when the panel is not built', async () => {
    const response = await one.fetch('/page/');
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('npm run build');
  });

  it('are the only ones that may be framed', async () => {
    const response = await one.fetch('/healthz');
    expect(response.headers.get('x-frame-options')).toBe('DENY');
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(response.headers.get('x-powered-by')).toBeNull();
  });
});

describe('an operator', () => {
  it('sees that the relay lives, is ready, and what it counts', async () => {
    expect((await one.fetch('/healthz')).status).toBe(200);
    expect(await (await one.fetch('/readyz')).json()).toMatchObject({
      ready: true,
      state: 'ok',
      outbox: { waiting: 0, dead: 0 },
    });
    const metrics = await (await one.fetch('/metrics')).text();
    for (const name of [
      'patchcord_events_total',
      'patchcord_outbox_effects',
      'patchcord_credential_mint_seconds',
      'patchcord_sockets',
    ]) {
      expect(metrics).toContain(name);
    }
    expect(metrics).toContain('route="/v1/sessions"');
    // Names and labels; a value may be any number.
    expect(metrics.replace(/ \S+$/gm, '')).not.toMatch(/1001|\bada\b|4155550101/);
  });

  it('shows metrics to nobody behind an undeclared proxy, and to the bearer of the metrics token', async () => {
    expect((await one.fetch('/metrics', { headers: { 'x-forwarded-for': '203.0.113.9' } })).status).toBe(401);
    const metricsToken = 'a-metrics-token-for-this-test';
    const guarded = await startRelayInTest(testConfig({ metricsToken }));
    try {
      expect((await guarded.fetch('/metrics')).status).toBe(401);
      expect((await guarded.fetch('/metrics', { token: metricsToken })).status).toBe(200);
    } finally {
      await guarded.closed();
    }
  });

  it('gives a scanner 404s, and soon not even those', async () => {
    const scanned = await startRelayInTest();
    try {
      const statuses = new Set<number>();
      for (let page = 0; page < 70; page += 1) statuses.add((await scanned.fetch(`/wp-admin/${page}`)).status);
      expect([...statuses]).toEqual([404, 429]);
      expect((await scanned.fetch('/healthz')).status).toBe(200);
    } finally {
      await scanned.closed();
    }
  });

  it('is told why a relay cannot start on a port that is taken', async () => {
    await expect(startRelayInTest(testConfig({ port: one.relay.port }))).rejects.toThrow(/EADDRINUSE.*set PORT/);
  });
});
