/** Owns a running Salesforce sandbox with a connected app and a token, for the tests of its REST surface. */
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { type SalesforceSandbox, startSalesforceSandbox } from '../../../sandbox/src/salesforce/sandbox.ts';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

export interface TestOrg {
  readonly sandbox: SalesforceSandbox;
  /** `path` from `/services/data/v66.0` on. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  token(claims?: Record<string, unknown>): Promise<Answer>;
}

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

export async function startOrg(): Promise<TestOrg> {
  const sandbox = await startSalesforceSandbox({ panelUrl: 'http://localhost:1/salesforce/' });
  sandbox.connectedApp.registerConnectedApp(keys.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const token = async (claims: Record<string, unknown> = {}): Promise<Answer> => {
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: signed({
        iss: sandbox.connectedApp.clientId,
        sub: sandbox.users[0]?.username,
        aud: sandbox.org.loginUrl,
        exp: Math.floor(Date.now() / 1000) + 180,
        jti: randomUUID(),
        ...claims,
      }),
    });
    return answerOf(await fetch(`${sandbox.instanceUrl}/services/oauth2/token`, { method: 'POST', body }));
  };
  const first = await token();
  const bearer = (first.body as { access_token: string }).access_token;
  return {
    sandbox,
    token,
    call: async (method, path, body) =>
      answerOf(
        await fetch(`${sandbox.instanceUrl}/services/data/v66.0${path}`, {
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

function signed(claims: Record<string, unknown>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg: 'RS256' })}.${part(claims)}`;
  return `${head}.${createSign('RSA-SHA256').update(head).sign(keys.privateKey).toString('base64url')}`;
}
