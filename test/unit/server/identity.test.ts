import { createHmac, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type ErrorBody, ErrorBodySchema } from '@patchcord/call-protocol';
import { type JWTPayload, SignJWT } from 'jose';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

const publicUrl = 'https://phone.example.com';
const orgId = '00D000000000001AAA';
const keys = generateKeyPairSync('rsa', { modulusLength: 2_048 });
/** The org is renewing its certificate: it may sign with either. */
const renewed = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const clientSecret = 'a-hubspot-client-secret';

let one: RelayInTest;
beforeAll(async () => {
  one = await startRelayInTest(
    testConfig({
      publicUrl,
      tenants: [
        testTenant({
          crm: {
            kind: 'salesforce',
            loginUrl: 'https://login.salesforce.com',
            clientId: 'consumer-key',
            privateKey: 'not used here',
            username: 'relay@acme.example',
            orgId,
            assertionPublicKeys: [keys, renewed].map(({ publicKey }) =>
              publicKey.export({ type: 'spki', format: 'pem' }).toString(),
            ),
          },
        }),
        testTenant({
          id: 'hub',
          crm: { kind: 'hubspot', portalId: 1_234_567, appId: 99, clientId: 'c', clientSecret, refreshToken: 'r' },
          agents: [{ id: 'grace', name: 'Grace Hopper', extension: '2001', crmUserId: '42' }],
        }),
      ],
    }),
  );
});
afterAll(() => one.closed());

async function refusalOf(response: Response): Promise<ErrorBody['error']> {
  return v.parse(ErrorBodySchema, await response.json()).error;
}

describe('a Salesforce assertion', () => {
  function sign(claims: JWTPayload = {}, key: KeyObject = keys.privateKey): Promise<string> {
    const seconds = Math.floor(Date.now() / 1_000);
    return new SignJWT({
      iss: orgId.slice(0, 15),
      sub: '005000000000001AAA',
      aud: publicUrl,
      iat: seconds,
      exp: seconds + 120,
      jti: randomUUID(),
      name: 'Ada Byron',
      email: 'ada@acme.example',
      username: 'ada@acme.example',
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .sign(key);
  }
  const signInWith = (assertion: string) =>
    one.fetch('/v1/sessions', { json: { device: randomUUID(), proof: { kind: 'salesforce-assertion', assertion } } });

  it('signs its user in, by 15 or 18 characters, once', async () => {
    const assertion = await sign();
    const response = await signInWith(assertion);
    expect(response.status).toBe(201);
    expect(await response.json()).toMatchObject({ agent: { id: 'ada', tenant: 'acme', extension: '1001' } });
    const again = await signInWith(assertion);
    expect(again.status).toBe(403);
    expect((await refusalOf(again)).message).toContain('used before');
    expect((await signInWith(await sign({ sub: '005000000000002' }))).status).toBe(201);
  });

  it('signs in whoever comes with either certificate of an org that renews it', async () => {
    expect((await signInWith(await sign({}, renewed.privateKey))).status).toBe(201);
    // The reason is that of the key it is signed with.
    const late = await signInWith(await sign({ exp: Math.floor(Date.now() / 1_000) - 60 }, renewed.privateKey));
    expect((await refusalOf(late)).message).toContain('it has expired');
  });

  it('signs in one of two that come with the same assertion at once', async () => {
    const assertion = await sign();
    const responses = await Promise.all([signInWith(assertion), signInWith(assertion)]);
    expect(responses.map(({ status }) => status).sort()).toEqual([201, 403]);
  });

  it.each<[string, () => Promise<string>]>([
    ['is made out to another audience', () => sign({ aud: 'https://phone.example.org' })],
    ['has expired', () => sign({ exp: Math.floor(Date.now() / 1_000) - 60 })],
    ['comes from another organisation', () => sign({ iss: '00D000000000009' })],
    ['names a user who is no agent', () => sign({ sub: '005000000000009AAA' })],
    ['names nobody', () => sign({ sub: '' })],
    ['has no identifier', () => sign({ jti: '' })],
    ['is signed by another key', () => sign({}, generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey)],
    [
      'is not signed',
      async () => {
        const [, payload] = (await sign()).split('.');
        return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
      },
    ],
    [
      'is signed with the public key as a shared secret',
      async () => {
        const [, payload] = (await sign()).split('.');
        const head = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${payload}`;
        const pem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();
        return `${head}.${createHmac('sha256', pem).update(head).digest('base64url')}`;
      },
    ],
    ['is nonsense', () => Promise.resolve('a.b.c')],
  ])('that %s is refused', async (_why, make) => {
    const response = await signInWith(await make());
    expect(response.status).toBe(403);
    expect((await refusalOf(response)).code).toBe('identity.refused');
  });
});

describe('a request that HubSpot signed', () => {
  function request(
    change: {
      query?: string;
      secret?: string;
      at?: number;
      body?: string;
      path?: string;
      spell?: (signature: string) => string;
    } = {},
  ): Promise<Response> {
    const path =
      change.path ??
      `/v1/hubspot/pairing-codes?${change.query ?? 'userId=42&portalId=1234567&userEmail=grace%40acme.example&appId=99'}`;
    const body = change.body ?? '{"a": 1}';
    const at = String(change.at ?? Date.now());
    const signed = `POST${publicUrl}${path.replaceAll('%40', '@')}${body}${at}`;
    const signature = createHmac('sha256', change.secret ?? clientSecret)
      .update(signed)
      .digest('base64');
    return one.fetch(path, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'x-hubspot-signature-v3': change.spell?.(signature) ?? signature,
        'x-hubspot-request-timestamp': at,
      },
    });
  }

  it('gives its user a code that signs in', async () => {
    const response = await request();
    expect(response.status).toBe(201);
    const { code } = (await response.json()) as { code: string };
    const session = await one.fetch('/v1/sessions', {
      json: { device: randomUUID(), proof: { kind: 'pairing-code', code } },
    });
    expect(await session.json()).toMatchObject({ agent: { id: 'grace', tenant: 'hub' } });
  });

  it('gives one code, however often it is sent and its signature is spelt', async () => {
    const at = Date.now() - 2_000;
    const first = await request({ at });
    expect(first.status).toBe(201);
    const code = await first.json();
    expect(await (await request({ at })).json()).toEqual(code);
    for (const spell of [
      (signature: string) => signature.replace(/=+$/, ''),
      (signature: string) => `${signature}=`,
      (signature: string) => Buffer.from(signature, 'base64').toString('base64url'),
    ]) {
      const again = await request({ at, spell });
      expect(await again.json()).toEqual(code);
    }
  });

  it.each([
    ['signed with another secret', { secret: 'x' }],
    ['too old', { at: Date.now() - 400_000 }],
    ['from the future', { at: Date.now() + 400_000 }],
    ['of a user who is no agent', { query: 'userId=43&portalId=1234567&userEmail=a%40b.c&appId=99' }],
    ['of another account', { query: 'userId=42&portalId=7654321&userEmail=a%40b.c&appId=99' }],
    ['of another app', { query: 'userId=42&portalId=1234567&userEmail=a%40b.c&appId=98' }],
    ['without an account', { path: '/v1/hubspot/pairing-codes' }],
  ])('is refused when it is %s', async (_why, change) => {
    const response = await request(change);
    expect(response.status).toBe(403);
    expect((await refusalOf(response)).code).toBe('identity.refused');
  });

  it('is refused without a signature, and the names in a body count for nothing', async () => {
    const path = '/v1/hubspot/pairing-codes?userId=42&portalId=1234567&userEmail=a%40b.c&appId=99';
    expect((await one.fetch(path, { json: { userId: 42, portalId: 1_234_567 } })).status).toBe(403);
  });
});
