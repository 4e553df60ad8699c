/**
 * The SIP edge's control port: JSON-RPC over HTTP to Kamailio. Owns the two acts of a revocation there: refuse every credential an extension
 * holds, and forget its registrations. Repeating them does no harm. Must never log the token.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';

const timeoutMs = 5_000;

/** Refuses what expires at or before `until` (epoch s) and removes the bindings of the extension. */
export async function revokeAtEdge(tenant: TenantConfig, extension: string, until: number): Promise<void> {
  const revocation = tenant.sip.revocation;
  if (revocation === undefined) return;
  await call(revocation, 'htable.seti', ['denied_until', extension, until]);
  // 404: nothing is registered, which is what we want
  await call(revocation, 'ul.rm', ['location', `${extension}@${tenant.sip.domain}`], [404]);
}

async function call(
  edge: { readonly kamailioRpcUrl: string; readonly kamailioRpcToken?: string | undefined },
  method: string,
  params: readonly (string | number)[],
  accepted: readonly number[] = [],
): Promise<void> {
  let answer: unknown;
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
    answer = await response.json();
  } catch (cause) {
    throw new PatchcordError(
      'sip.unreachable',
      `The control port of the SIP edge did not answer ${method}. Check sip.revocation.kamailioRpcUrl and that the edge runs.`,
      { retryable: true, cause },
    );
  }
  const error = typeof answer === 'object' && answer !== null && 'error' in answer ? answer.error : undefined;
  if (error === undefined) return;
  const code = typeof error === 'object' && error !== null && 'code' in error ? Number(error.code) : 0;
  if (accepted.includes(code)) return;
  throw new PatchcordError(
    'sip.refused',
    `The SIP edge refused ${method} (${code}). Check that it runs deploy/kamailio, with its table "denied_until".`,
    { retryable: true },
  );
}
