/**
 * Questions that need no login of the CLI: which host serves the Open CTI script, and whether the External Client App lets the relay in as an
 * agent. Reads a private key, sends only what it signed.
 */
import { createSign } from 'node:crypto';
import { apiVersion, isRow, text } from './sf-cli.ts';
import type { Finding } from './smoke-org.ts';

const patienceMs = 15_000;

/** Asks the hosts of a My Domain for the script, as the panel does. */
export async function scriptHosts(origins: readonly string[], fetcher: typeof fetch = fetch): Promise<Finding> {
  const seen: string[] = [];
  let served = false;
  for (const origin of origins) {
    const path = `/support/api/${apiVersion}/lightning/opencti_min.js`;
    try {
      const answer = await fetcher(`${origin}${path}`, { redirect: 'manual', signal: AbortSignal.timeout(patienceMs) });
      const body = await answer.text();
      const script = answer.ok && body.includes('opencti') && !body.trimStart().startsWith('<');
      served ||= script;
      seen.push(`${origin}: ${script ? 'serves it' : `HTTP ${answer.status}, no script`}`);
    } catch (error) {
      seen.push(`${origin}: ${error instanceof Error ? error.message : 'no answer'}`);
    }
  }
  return {
    question: 'A host of the org serves the Open CTI script to a page outside Salesforce',
    verdict: served ? 'good' : 'bad',
    seen: seen.join(' · '),
  };
}

export interface JwtTrial {
  readonly loginUrl: string;
  readonly clientId: string;
  readonly privateKeyPem: string;
  /** User name of an agent. */
  readonly username: string;
}

/** Signs the relay in as an agent, as it does for every log. The token is dropped at once. */
export async function agentSignsIn(
  trial: JwtTrial,
  now: number = Date.now(),
  fetcher: typeof fetch = fetch,
): Promise<Finding> {
  const question = 'The relay may sign in as an agent (JWT bearer, pre-authorised by the permission set)';
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: trial.clientId, sub: trial.username, aud: trial.loginUrl, exp: Math.floor(now / 1000) + 180 };
  const unsigned = `${part({ alg: 'RS256' })}.${part(claims)}`;
  try {
    const assertion = `${unsigned}.${createSign('RSA-SHA256').update(unsigned).sign(trial.privateKeyPem, 'base64url')}`;
    const answer = await fetcher(`${trial.loginUrl}/services/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
      signal: AbortSignal.timeout(patienceMs),
    });
    const body: unknown = await answer.json();
    const said = isRow(body) ? `${text(body.error)} ${text(body.error_description)}`.trim() : '';
    const good = answer.ok && isRow(body) && text(body.access_token) !== '';
    return {
      question,
      verdict: good ? 'good' : 'bad',
      seen: good ? `as ${trial.username}` : `HTTP ${answer.status} ${said}`,
    };
  } catch (error) {
    return { question, verdict: 'bad', seen: error instanceof Error ? error.message : 'no answer' };
  }
}
