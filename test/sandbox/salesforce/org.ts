/** Owns a running Salesforce sandbox with a connected app and a token, for the tests of its REST surface. */
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import {
  type SalesforceSandbox,
  type SalesforceSandboxOptions,
  startSalesforceSandbox,
} from '../../../sandbox/src/salesforce/sandbox.ts';

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
  /** The same door for another user, with a token of their own. */
  as(username: string): Promise<TestOrg['call']>;
  /** A search, as the first user; answers the names that were found. Anything but a 200 is thrown. */
  search(sosl: string): Promise<readonly unknown[]>;
  /** A query, as the first user. */
  query(soql: string): Promise<Answer>;
}

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

export async function startOrg(options: Partial<SalesforceSandboxOptions> = {}): Promise<TestOrg> {
  const sandbox = await startSalesforceSandbox({ panelUrl: 'http://localhost:1/salesforce/', ...options });
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
  const as: TestOrg['as'] = async (username) => {
    const granted = await token({ sub: username });
    const bearer = (granted.body as { access_token: string }).access_token;
    return async (method, path, body) =>
      answerOf(
        await fetch(`${sandbox.instanceUrl}/services/data/v66.0${path}`, {
          method,
          headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      );
  };
  const call = await as(sandbox.users[0]?.username ?? '');
  return {
    sandbox,
    token,
    as,
    call,
    query: (soql) => call('GET', `/query?q=${encodeURIComponent(soql)}`),
    async search(sosl) {
      const answer = await call('GET', `/search?q=${encodeURIComponent(sosl)}`);
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      return (answer.body as { searchRecords: { Name: unknown }[] }).searchRecords.map(({ Name }) => Name);
    },
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
