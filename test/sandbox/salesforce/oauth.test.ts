import { createHash, createHmac, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startOrg, type TestOrg } from './org.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startOrg();
});
afterAll(() => org.sandbox.close());
afterEach(() => {
  Object.assign(org.sandbox.connectedApp, {
    callbackUrls: [],
    rotatesRefreshTokens: false,
    requiresPkce: true,
    requiresSecret: false,
  });
  for (const { username } of org.sandbox.users) {
    org.sandbox.connectedApp.setApproval(username, 'approved');
    org.sandbox.setActive(username, true);
  }
});

const callback = 'https://relay.example/connect/done';
const sam = () => org.sandbox.users[1]?.username ?? '';
const post = async (path: string, form: Record<string, string>) => {
  const body = new URLSearchParams(form);
  const answer = await fetch(`${org.sandbox.instanceUrl}/services/oauth2/${path}`, {
    method: 'POST',
    body,
    redirect: 'manual',
  });
  const text = await answer.text();
  return {
    status: answer.status,
    location: answer.headers.get('location'),
    body: (text.startsWith('{') ? JSON.parse(text) : text) as Record<string, string>,
  };
};

/** What the relay does: a verifier, and the address it sends the administrator to. */
function attempt(more: Record<string, string> = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const asked = {
    response_type: 'code',
    client_id: org.sandbox.connectedApp.clientId,
    redirect_uri: callback,
    scope: 'api refresh_token',
    state: 'a-state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  };
  const url = `${org.sandbox.instanceUrl}/services/oauth2/authorize?${new URLSearchParams(asked)}`;
  return { verifier, asked, url };
}

async function allowed(verifierGiven?: string) {
  const { verifier, asked } = attempt();
  const answer = await post('authorize', { ...asked, login_as: sam(), decision: 'allow' });
  const code = new URL(answer.location ?? '').searchParams.get('code') ?? '';
  return {
    code,
    exchange: {
      grant_type: 'authorization_code',
      code,
      client_id: org.sandbox.connectedApp.clientId,
      redirect_uri: callback,
      code_verifier: verifierGiven ?? verifier,
    },
  };
}
const refresh = (token: string) =>
  post('token', {
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: org.sandbox.connectedApp.clientId,
  });
const whoIs = async (accessToken: string) => {
  const answer = await fetch(`${org.sandbox.instanceUrl}/services/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  return answer.status === 200 ? ((await answer.json()) as { preferred_username: string }).preferred_username : null;
};

describe('the JWT bearer grant', () => {
  it('acts for any user who is active and approved', async () => {
    for (const { username } of org.sandbox.users) {
      const granted = await org.token({ sub: username });
      expect(await whoIs((granted.body as { access_token: string }).access_token)).toBe(username);
    }
  });

  it('refuses an assertion that another key has signed', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: org.sandbox.connectedApp.clientId,
      sub: sam(),
      aud: org.sandbox.org.loginUrl,
      exp: Math.floor(Date.now() / 1000) + 60,
    };
    const assertion = `${part({ alg: 'RS256' })}.${part(claims)}.${randomBytes(256).toString('base64url')}`;
    const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
    expect(await post('token', { grant_type: grant, assertion })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant', error_description: 'invalid assertion signature' },
    });
  });

  it.each([
    ['who never approved the app', 'not-approved', 'invalid_grant', "user hasn't approved this consumer"],
    ['whom no administrator approved', 'not-admin-approved', 'invalid_app_access', 'user is not admin approved'],
  ] as const)('refuses a user %s', async (_who, approval, error, words) => {
    org.sandbox.connectedApp.setApproval(sam(), approval);
    expect(await org.token({ sub: sam() })).toMatchObject({
      status: 400,
      body: { error, error_description: expect.stringContaining(words) },
    });
  });

  it('refuses a user who has left, and ends what they had', async () => {
    const before = (await org.token({ sub: sam() })).body as { access_token: string };
    org.sandbox.setActive(sam(), false);
    expect(await org.token({ sub: sam() })).toMatchObject({ body: { error: 'inactive_user' } });
    expect(await whoIs(before.access_token)).toBeNull();
  });
});

describe('the web-server flow', () => {
  it('shows a page with Allow and Deny, and goes back with a code or with a refusal', async () => {
    const { url, asked } = attempt();
    const page = await fetch(url);
    expect(await page.text()).toMatch(/Allow<\/button>.*Deny<\/button>/s);
    const denied = await post('authorize', { ...asked, login_as: sam(), decision: 'deny' });
    expect(denied.location).toBe(
      `${callback}?error=access_denied&error_description=end-user+denied+authorization&state=a-state`,
    );
    const allowed = await post('authorize', { ...asked, login_as: sam(), decision: 'allow' });
    expect(allowed.location).toMatch(/^https:\/\/relay\.example\/connect\/done\?code=aPrx[^&]+&state=a-state$/);
  });

  it('exchanges the code once, for tokens of the user who allowed it', async () => {
    const { exchange } = await allowed();
    const { body, status } = await post('token', exchange);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', instance_url: org.sandbox.instanceUrl });
    expect(await whoIs(body.access_token ?? '')).toBe(sam());
    const signature = createHmac('sha256', org.sandbox.connectedApp.clientSecret)
      .update(`${body.id}${body.issued_at}`)
      .digest('base64');
    expect(body.signature).toBe(signature);
    const identity = await fetch(body.id ?? '', { headers: { authorization: `Bearer ${body.access_token}` } });
    expect(await identity.json()).toMatchObject({ username: sam(), organization_id: org.sandbox.org.id });
    expect(await post('token', exchange)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('refuses a wrong verifier, another address, an unknown code and a wrong secret', async () => {
    const wrong = await allowed('another-verifier');
    expect((await post('token', wrong.exchange)).body).toMatchObject({ error_description: 'invalid code verifier' });
    const moved = await allowed();
    expect((await post('token', { ...moved.exchange, redirect_uri: 'https://evil.example/' })).body).toMatchObject({
      error: 'redirect_uri_mismatch',
    });
    const { exchange } = await allowed();
    expect((await post('token', { ...exchange, client_secret: 'no' })).body).toMatchObject({ error: 'invalid_client' });
    expect((await post('token', { ...exchange, client_id: 'no' })).body).toMatchObject({ error: 'invalid_client_id' });
    org.sandbox.connectedApp.requiresSecret = true;
    expect((await post('token', exchange)).body).toMatchObject({ error: 'invalid_client' });
    const { clientSecret } = org.sandbox.connectedApp;
    expect((await post('token', { ...exchange, client_secret: clientSecret })).status).toBe(200);
  });

  it('gives no code to an address that is not registered, nor without PKCE', async () => {
    org.sandbox.connectedApp.callbackUrls = ['https://other.example/'];
    expect((await fetch(attempt().url, { redirect: 'manual' })).status).toBe(400);
    org.sandbox.connectedApp.callbackUrls = [callback];
    const { asked } = attempt();
    const { code_challenge: _challenge, ...bare } = asked;
    const answer = await post('authorize', { ...bare, login_as: sam(), decision: 'allow' });
    expect(answer.location).toContain('missing+required+code+challenge');
  });
});

describe('refresh tokens', () => {
  const granted = async () => (await post('token', (await allowed()).exchange)).body;

  it('stay as they are without rotation', async () => {
    const { refresh_token: token = '' } = await granted();
    const again = await refresh(token);
    expect(again.body).not.toHaveProperty('refresh_token');
    expect(await whoIs(again.body.access_token ?? '')).toBe(sam());
    expect((await refresh(token)).status).toBe(200);
  });

  it('are new each time with rotation, and one that is used again ends them all', async () => {
    org.sandbox.connectedApp.rotatesRefreshTokens = true;
    const { refresh_token: first = '' } = await granted();
    const { body } = await refresh(first);
    expect(body.refresh_token).not.toBe(first);
    expect((await refresh(first)).body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'expired access/refresh token',
    });
    expect((await refresh(body.refresh_token ?? '')).status).toBe(400);
    expect(await whoIs(body.access_token ?? '')).toBeNull();
  });

  it('end when they are revoked, with the sessions that came from them', async () => {
    const { refresh_token: token = '', access_token: access = '' } = await granted();
    expect((await post('revoke', { token })).status).toBe(200);
    expect(await whoIs(access)).toBeNull();
    expect((await refresh(token)).status).toBe(400);
    expect((await post('revoke', { token })).status).toBe(400);
    const next = await granted();
    org.sandbox.connectedApp.revokeRefreshTokens(sam());
    expect((await refresh(next.refresh_token ?? '')).status).toBe(400);
  });
});
