/**
 * The SIP edge's control port: JSON-RPC over HTTP to Kamailio. Owns the two acts of a revocation there: refuse every credential an extension
 * holds, and forget its registrations. Repeating them does no harm. Must never log the token.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';

const timeoutMs = 5_000;
/** A denial only has to outlast the credentials; the rest is for clocks that disagree. */
const keepSeconds = 300;

/**
 * Refuses what expires at or before `until` (epoch s) and removes the registrations of the extension.
 * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable
 */
export async function revokeAtEdge(tenant: TenantConfig, extension: string, until: number, now: number): Promise<void> {
  await denyAtEdge(tenant, extension, until, now);
  if (tenant.sip.revocation !== undefined)
    await call(tenant.sip.revocation, 'ul.rm', ['location', extension], /not found/i);
}

/** The first half alone: told again and again, since the edge forgets its denials when it restarts. */
export async function denyAtEdge(tenant: TenantConfig, extension: string, until: number, now: number): Promise<void> {
  if (tenant.sip.revocation === undefined) return;
  const seconds = Math.max(1, until - Math.floor(now / 1_000)) + keepSeconds;
  await call(tenant.sip.revocation, 'htable.setxi', ['denied_until', extension, until, seconds]);
}

async function call(
  edge: { readonly kamailioRpcUrl: string; readonly kamailioRpcToken?: string | undefined },
  method: string,
  params: readonly (string | number)[],
  /** An error whose message says this is what we want: nothing was registered. */
  accepted?: RegExp,
): Promise<void> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(edge.kamailioRpcUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(edge.kamailioRpcToken === undefined ? {} : { authorization: edge.kamailioRpcToken }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw new PatchcordError(
      'sip.unreachable',
      `The control port of the SIP edge did not answer ${method}. Check sip.revocation.kamailioRpcUrl and that the edge runs.`,
      { retryable: true, cause },
    );
  }
  const answer = readAnswer(text);
  if (answer === null) {
    throw new PatchcordError(
      'sip.refused',
      `The control port of the SIP edge answered ${method} with ${status} and no JSON-RPC. Check sip.revocation: URL (it ends in /RPC), token, and that the edge lets this address in.`,
      { retryable: true },
    );
  }
  const { error } = answer;
  if (error === undefined || accepted?.test(String(error.message))) return;
  throw new PatchcordError(
    'sip.refused',
    `The SIP edge refused ${method} (${Number(error.code)}). Check that it runs deploy/kamailio, with its table "denied_until".`,
    { retryable: true },
  );
}

function readAnswer(text: string): { readonly error?: { readonly code?: unknown; readonly message?: unknown } } | null {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : null;
  } catch {
    return null;
  }
}
