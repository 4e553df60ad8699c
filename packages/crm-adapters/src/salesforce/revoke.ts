/**
 * Owns giving a connection back: the org is told that a refresh token is not wanted any more, and takes every access token that came from it
 * (RFC 7009; Salesforce help, "Revoke OAuth Tokens"). Must never log a token.
 */
import { PatchcordError } from '@patchcord/call-protocol';

/** @throws PatchcordError `crm.unavailable` (retryable) when the org did not say that it is done; a token it no longer knows is done */
export async function revokeSalesforceToken(options: {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  readonly token: string;
  /** Deadline, ms. Default 10,000. */
  readonly timeoutMs?: number;
}): Promise<void> {
  let status = 0;
  try {
    const answer = await fetch(new URL('/services/oauth2/revoke', options.loginUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token: options.token }),
      redirect: 'error',
      signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
    });
    await answer.body?.cancel();
    status = answer.status;
  } catch (cause) {
    throw notDone('it could not be reached', cause);
  }
  // 400 is what it says of a token that is none (any more).
  if (status !== 200 && status !== 400) throw notDone(`it answered ${status}`);
}

function notDone(why: string, cause?: unknown): PatchcordError {
  return new PatchcordError(
    'crm.unavailable',
    `Salesforce was not told that the connection has ended: ${why}. An administrator of the org ends it in Setup, under Connected Apps OAuth Usage.`,
    { retryable: true, ...(cause === undefined ? {} : { cause }) },
  );
}
