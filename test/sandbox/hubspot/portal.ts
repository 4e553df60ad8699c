/** Owns a running HubSpot sandbox with a token, for the tests of its REST surface. */
import {
  type HubSpotSandbox,
  type HubSpotSandboxOptions,
  startHubSpotSandbox,
} from '../../../sandbox/src/hubspot/sandbox.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

export interface TestPortal {
  readonly sandbox: HubSpotSandbox;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  token(form?: Record<string, string>): Promise<Answer>;
}

export async function startPortal(options: Partial<HubSpotSandboxOptions> = {}): Promise<TestPortal> {
  const sandbox = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'test-client-secret',
    appId: 99,
    ...options,
  });
  const token = async (form: Record<string, string> = {}): Promise<Answer> =>
    answerOf(
      await fetch(`${sandbox.apiUrl}/oauth/v1/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: sandbox.oauth.clientId,
          client_secret: sandbox.oauth.clientSecret,
          refresh_token: sandbox.oauth.refreshToken,
          ...form,
        }),
      }),
    );
  const bearer = ((await token()).body as { access_token: string }).access_token;
  return {
    sandbox,
    token,
    call: async (method, path, body) =>
      answerOf(
        await fetch(`${sandbox.apiUrl}${path}`, {
          method,
          headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      ),
  };
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
}
