/**
 * The control port of the Kamailio edge: JSON-RPC over HTTP. Owns its words and what both Kamailio drivers tell it: forget where somebody is,
 * end what they are in. Repeating any of it does no harm. Must never log the token.
 */
import { type DeviceId, PatchcordError } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';

const timeoutMs = 5_000;
const tries = 3;

/** Where the control port is. */
export interface EdgeControl {
  readonly url: string;
  readonly token: string | undefined;
}

/** Null when none is configured. One edge has one URL, however its tenants spell it. */
export function edgeControl(tenant: TenantConfig): EdgeControl | null {
  const { kamailioRpcUrl: url, kamailioRpcToken: token } = tenant.sip.revocation;
  return url === undefined ? null : { url: new URL(url).href.replace(/\/+$/, ''), token };
}

/**
 * One call.
 * @param accepted An error whose message says that this is what we want; then the answer is null
 * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable
 */
export async function callEdge(
  edge: EdgeControl,
  method: string,
  params: readonly (string | number)[],
  accepted?: RegExp,
): Promise<unknown> {
  const { status, text } = await ask(edge, method, params);
  const answer = readAnswer(text);
  if (answer === null) {
    throw new PatchcordError(
      'sip.refused',
      `The control port of the SIP edge answered ${method} with ${status} and no JSON-RPC. Check sip.revocation: URL (it ends in /RPC), token, and that the edge lets this address in.`,
      { retryable: true },
    );
  }
  const { error } = answer;
  if (error === undefined) return answer.result;
  if (accepted?.test(String(error.message))) return null;
  throw new PatchcordError(
    'sip.refused',
    `The SIP edge refused ${method} (${Number(error.code)}). Check that it runs deploy/kamailio with the modules and settings that sip.credential.kind needs.`,
    { retryable: true },
  );
}

/** Everything asked here may be asked twice, so a connection that Kamailio closed just now costs one more try. */
async function ask(
  edge: EdgeControl,
  method: string,
  params: readonly (string | number)[],
): Promise<{ readonly status: number; readonly text: string }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(edge.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(edge.token === undefined ? {} : { authorization: edge.token }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      if (attempt < tries && (cause as { cause?: { code?: unknown } }).cause?.code === 'UND_ERR_SOCKET') continue;
      throw new PatchcordError(
        'sip.unreachable',
        `The control port of the SIP edge did not answer ${method}. Check sip.revocation.kamailioRpcUrl and that the edge runs.`,
        { retryable: true, cause },
      );
    }
  }
}

/** What this edge can't do at a revocation, in plain words: it follows only the calls that its call rules count. */
export function limitsOfEdge({ sip: { revocation } }: TenantConfig): string | null {
  return revocation.calls === 'keep'
    ? null
    : 'The Kamailio edge ends the calls to outside that a revoked agent began. A call that came in, an internal one, and those of a single revoked device go on until somebody hangs up.';
}

/** Nothing rings at this extension any more. */
export async function forgetExtension(edge: EdgeControl, extension: string): Promise<void> {
  await callEdge(edge, 'ul.rm', ['location', extension], /not found/i);
}

/** Nothing rings on this device any more; others of the extension are left alone. */
export async function forgetDevice(edge: EdgeControl, extension: string, device: DeviceId): Promise<void> {
  for (const contact of await contactsAt(edge, extension, device))
    await callEdge(edge, 'ul.rm_contact', ['location', extension, contact.address], /not found/i);
}

/** Whether the edge would ring this device now. It drops a contact with the WebSocket it came over (`handle_lost_tcp`). */
export async function hasDevice(edge: EdgeControl, extension: string, device: DeviceId): Promise<boolean> {
  return (await contactsAt(edge, extension, device)).some(({ isOver }) => !isOver);
}

async function contactsAt(edge: EdgeControl, extension: string, device: DeviceId): Promise<readonly EdgeContact[]> {
  const found = await callEdge(edge, 'ul.lookup', ['location', extension], /not found/i);
  return contactsOf(found).filter(({ instance }) => instance?.includes(device));
}

interface EdgeContact {
  readonly address: string;
  readonly instance: string | undefined;
  /** It waits to be cleared away. */
  readonly isOver: boolean;
}

/** The contacts in the answer of `ul.lookup`, whatever lies around them. */
function contactsOf(answer: unknown): readonly EdgeContact[] {
  if (typeof answer !== 'object' || answer === null) return [];
  const {
    Address: address,
    Instance: instance,
    Expires: expires,
  } = answer as {
    readonly Address?: unknown;
    readonly Instance?: unknown;
    readonly Expires?: unknown;
  };
  if (typeof address === 'string') {
    const isOver = expires === 'expired' || expires === 'deleted';
    return [{ address, instance: typeof instance === 'string' ? instance : undefined, isOver }];
  }
  return Object.values(answer).flatMap(contactsOf);
}

function readAnswer(text: string): {
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
} | null {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : null;
  } catch {
    return null;
  }
}
