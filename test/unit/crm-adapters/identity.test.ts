import { createHmac, generateKeyPairSync } from 'node:crypto';
import { errorCode } from '@patchcord/call-protocol';
import { verifyHubSpotSignature, verifySalesforceAssertion } from '@patchcord/crm-adapters/relay';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';

const orgId = '00DPc0000000001MAA';
const audience = 'https://relay.example.com';
const now = 1_790_000_000_000;
const seconds = now / 1000;
const org = generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicKeyPem = org.publicKey.export({ type: 'spki', format: 'pem' }).toString();

const claims = {
  iss: orgId,
  sub: '005Pc0000000001IAA',
  aud: audience,
  iat: seconds,
  exp: seconds + 120,
  jti: 'c0ffee',
  username: 'robin@northlight.example',
  name: 'Robin Avery',
  email: 'robin@northlight.example',
};
const sign = (change: Record<string, unknown> = {}, key = org.privateKey): Promise<string> => {
  const given = Object.fromEntries(Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined));
  return new SignJWT(given).setProtectedHeader({ alg: 'RS256' }).sign(key);
};
const check = (assertion: string, change: Record<string, unknown> = {}) =>
  verifySalesforceAssertion({ assertion, audience, orgId, publicKeyPem, now, ...change });
const refusal = async (assertion: string, change: Record<string, unknown> = {}): Promise<string> =>
  check(assertion, change).then(
    () => 'accepted',
    (error: unknown) =>
      errorCode(error) === 'identity.refused' ? (error as Error).message : `wrong code ${errorCode(error)}`,
  );

describe('the assertion of Salesforce', () => {
  it('says who the agent is', async () => {
    expect(await check(await sign())).toEqual({
      crmUserId: '005Pc0000000001IAA',
      name: 'Robin Avery',
      email: 'robin@northlight.example',
      username: 'robin@northlight.example',
      orgId,
      jti: 'c0ffee',
      expiresAt: now + 120_000,
    });
  });

  it('takes the 15-character form of the org id, and no iat', async () => {
    expect(await check(await sign({ iss: orgId.slice(0, 15), iat: undefined }))).toMatchObject({ orgId });
  });

  it('refuses a forged one', async () => {
    expect(await refusal(await sign({}, stranger.privateKey))).toContain('signature is not from this Salesforce org');
    expect(await refusal(new UnsecuredJWT(claims).encode())).toContain('refused');
    const hmac = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(publicKeyPem));
    expect(await refusal(hmac)).toContain('RS256');
    const ps = await new SignJWT(claims).setProtectedHeader({ alg: 'PS256' }).sign(org.privateKey);
    expect(await refusal(ps)).toContain('RS256');
    const [head, body, signature] = (await sign()).split('.');
    const other = Buffer.from(JSON.stringify({ ...claims, sub: '005Pc0000000002IAA' })).toString('base64url');
    expect(await refusal(`${head}.${other}.${signature}`)).toContain('signature');
    expect(await refusal(`${head}.${body}.`)).toContain('refused');
    for (const junk of ['', 'x', 'a.b.c', `${head}.${body}`]) expect(await refusal(junk), junk).toContain('refused');
  });

  it('refuses one for another relay, from another org, or of no user', async () => {
    expect(await refusal(await sign({ aud: 'https://elsewhere.example' }))).toContain('another relay');
    expect(await refusal(await sign({ iss: '00DPc0000000002MAA' }))).toContain('another Salesforce org');
    expect(await refusal(await sign({ iss: '' }))).toContain('another Salesforce org');
    expect(await refusal(await sign({ sub: '003Pc0000000001IAA' }))).toContain('does not name a Salesforce user');
    for (const claim of ['iss', 'sub', 'aud', 'exp', 'jti'])
      expect(await refusal(await sign({ [claim]: undefined })), claim).toContain('refused');
    expect(await refusal(await sign({ jti: '' }))).toContain('identifier');
  });

  it('refuses one that is too old, too young or too long-lived', async () => {
    expect(await refusal(await sign(), { now: now + 131_000 })).toContain('has expired');
    expect(await refusal(await sign({ exp: seconds + 3_600 }))).toContain('longer than five minutes');
    expect(await refusal(await sign({ iat: seconds + 60 }))).toContain('refused');
    expect(await refusal(await sign({ iat: seconds - 400 }))).toContain('older than five minutes');
    expect(await refusal(await sign({ nbf: seconds + 60 }))).toContain('refused');
  });

  it('says that the configured key is wrong, not the assertion', async () => {
    const assertion = await sign();
    await expect(check(assertion, { publicKeyPem: 'not a key' })).rejects.toMatchObject({ code: 'config.invalid' });
  });
});

describe('the signature of HubSpot', () => {
  const secret = 'test-client-secret';
  const timestamp = '1790000001000';
  const vectors = [
    [
      'POST',
      'https://relay.example.test/v1/dial?userId=42&portalId=1234567&userEmail=agent%40example.com&appId=99',
      '{"to":"+14155550123","objectId":501}',
      '/+WJ2ocjzHzg2HbheZ02++1+yZcEhIQ/81sLsGgE9mI=',
    ],
    [
      'GET',
      'https://relay.example.test/v1/calls?userId=42&portalId=1234567&userEmail=agent%40example.com&appId=99',
      '',
      '3jL1e74QjhV9E+qCDPLsCgYbHopvU+4KQc/VKcOVylA=',
    ],
  ] as const;
  const verify = (
    [method, url, body, signature]: readonly [string, string, string, string],
    change: { now?: number; headers?: Record<string, string | string[] | undefined>; secret?: string } = {},
  ) =>
    verifyHubSpotSignature({
      method,
      url,
      body: Buffer.from(body, 'utf8'),
      headers: {
        'x-hubspot-signature-v3': signature,
        'x-hubspot-request-timestamp': timestamp,
        ...change.headers,
      },
      clientSecret: change.secret ?? secret,
      now: change.now ?? Number(timestamp),
    });
  const signed = (method: string, url: string, body: string): readonly [string, string, string, string] => {
    const plain = url.replace(/%40/g, '@');
    return [
      method,
      url,
      body,
      createHmac('sha256', secret)
        .update(method + plain + body + timestamp)
        .digest('base64'),
    ];
  };

  it('accepts the published vectors and reads the person from the query', () => {
    for (const vector of vectors)
      expect(verify(vector)).toEqual({
        userId: '42',
        portalId: '1234567',
        userEmail: 'agent@example.com',
        appId: '99',
      });
  });

  it('undoes twelve escapes and no others', () => {
    // Right signature, but nobody is named: so it gets as far as that.
    expect(() =>
      verify([
        'POST',
        'https://relay.example.test/v1/dial?note=a%20b%26c&userEmail=x%2By%40e.com',
        '{"n":"café"}',
        '4My2/gGzJvhoZmBFxtSTr0kiIu8hEQ/QahwpWln60/o=',
      ]),
    ).toThrow('does not name a user');
  });

  it('refuses whatever was changed on the way', () => {
    const [method, url, body, signature] = vectors[0];
    for (const changed of [
      ['GET', url, body, signature],
      [method, url.replace('userId=42', 'userId=43'), body, signature],
      [method, url.replace('https:', 'http:'), body, signature],
      [method, url, `${body} `, signature],
      [method, url, body, signature.replace('/', 'A')],
      [method, url, body, ''],
      [method, url, body, 'short'],
    ] as const)
      expect(() => verify(changed), changed.join(' ')).toThrow(expect.objectContaining({ code: 'identity.refused' }));
    expect(() => verify(vectors[0], { secret: 'another' })).toThrow('signature is wrong');
    expect(() => verify(vectors[0], { secret: '' })).toThrow('no signature');
  });

  it('refuses a request without its headers, or with one twice', () => {
    for (const headers of [
      { 'x-hubspot-signature-v3': undefined },
      { 'x-hubspot-request-timestamp': undefined },
      { 'x-hubspot-signature-v3': [vectors[0][3], vectors[0][3]] },
    ])
      expect(() => verify(vectors[0], { headers })).toThrow('no signature');
  });

  it('refuses a request that is old, or from the future, or without a time', () => {
    expect(verify(vectors[0], { now: Number(timestamp) + 300_000 })).toMatchObject({ userId: '42' });
    expect(() => verify(vectors[0], { now: Number(timestamp) + 300_001 })).toThrow('five minutes');
    expect(() => verify(vectors[0], { now: Number(timestamp) - 300_001 })).toThrow('five minutes');
    for (const time of ['', 'now', '1e13', '-1790000001000', '1790000001000 '])
      expect(() => verify(vectors[0], { headers: { 'x-hubspot-request-timestamp': time } }), time).toThrow(
        expect.objectContaining({ code: 'identity.refused' }),
      );
  });

  it('signs the query in the order in which it came', () => {
    const [method, , body] = vectors[0];
    const url = 'https://relay.example.test/v1/dial?userId=42&portalId=1234567&appId=99';
    const [, , , signature] = signed(method, url, body);
    expect(verify([method, url, body, signature])).toMatchObject({ userId: '42', appId: '99' });
    const turned = 'https://relay.example.test/v1/dial?portalId=1234567&userId=42&appId=99';
    expect(() => verify([method, turned, body, signature])).toThrow('signature is wrong');
  });

  it('does not choose when a person is named twice', () => {
    expect(() => verify(signed('GET', 'https://r.example/x?userId=42&portalId=1&userId=43', ''))).toThrow(
      'userId twice',
    );
    expect(() => verify(signed('GET', 'https://r.example/x?userId=42', ''))).toThrow('does not name');
    expect(() => verify(signed('GET', 'https://r.example/x?userId=abc&portalId=1', ''))).toThrow('does not name');
  });
});
