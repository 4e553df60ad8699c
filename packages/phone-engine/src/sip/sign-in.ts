/**
 * Owns the answer to a server's 401 and 407 (RFC 3261 section 22 with RFC 7616 and RFC 8760): MD5 and SHA-256, several challenges, several realms,
 * a proxy and the server behind it. Stands in for sip.js's own (shortcoming 16), which knows MD5 and the first challenge only and gives up on the
 * server's challenge once a proxy has had one. Must never answer the same realm twice for the same credential, unless the server calls the nonce
 * stale: a wrong password that is sent again and again locks accounts and fills the server's list of attackers.
 */
import type { Dialog } from 'sip.js/lib/core/dialogs/dialog.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import type { OutgoingRequestMessage } from 'sip.js/lib/core/messages/outgoing-request-message.js';
import type { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
import { UserAgentClient } from 'sip.js/lib/core/user-agents/user-agent-client.js';
import { md5, sha256 } from './digest.ts';
import { type Challenge, challenge } from './grammar/challenges.ts';
import { Scanner } from './grammar/scanner.ts';
import { offered } from './message-mending.ts';

export interface Secret {
  /** The authentication id; need not be the extension. */
  readonly username: string;
  readonly password: string;
}

/** What a challenge names → its hash; the strongest first. A name may end in `-SESS`. */
const hashes: ReadonlyMap<string, (text: string) => string> = new Map([
  ['SHA-256', sha256],
  ['MD5', md5],
]);
const strongest = [...hashes.keys()];
/** Stale nonces in a row; more is a server that has lost its way. */
const mostStale = 2;

const places = [
  ['www-authenticate', 'authorization'],
  ['proxy-authenticate', 'proxy-authorization'],
] as const;

/** One header field that is sent, and where it came from. */
interface Answer {
  readonly header: (typeof places)[number][1];
  readonly value: string;
  stale: number;
}

/** Every Digest challenge of a header, in the server's order; what cannot be read is passed over. */
function challengesIn(lines: readonly string[]): Challenge[] {
  return lines.flatMap((line) => {
    try {
      const first = challenge(new Scanner(line));
      return [first, ...(first.others ?? [])];
    } catch {
      return [];
    }
  });
}

const strengthOf = ({ algorithm = 'MD5' }: Challenge): number => strongest.indexOf(algorithm.replace(/-SESS$/, ''));

/** The strongest that can be answered, for each realm (RFC 8760 section 2.4). */
function chosen(challenges: readonly Challenge[]): Challenge[] {
  const best = new Map<string, Challenge>();
  for (const one of challenges) {
    const { realm, nonce, qop } = one;
    if (realm === undefined || nonce === undefined || strengthOf(one) < 0) continue;
    if (qop && !qop.includes('auth') && !qop.includes('auth-int')) continue;
    const known = best.get(realm);
    if (!known || strengthOf(one) < strengthOf(known)) best.set(realm, one);
  }
  return [...best.values()];
}

const escaped = (text: string): string => text.replace(/["\\]/g, '\\$&');

/**
 * The header value that answers a challenge.
 * @param count how many requests carried this nonce, this one included
 */
export function digestAnswer(
  { realm = '', nonce = '', opaque, algorithm = 'MD5', qop }: Challenge,
  { username, password }: Secret,
  request: { readonly method: string; readonly uri: string; readonly body: string },
  cnonce: string,
  count = 1,
): string {
  const hash = hashes.get(algorithm.replace(/-SESS$/, '')) ?? md5;
  const protection = qop && (qop.includes('auth') ? 'auth' : 'auth-int');
  const nc = count.toString(16).padStart(8, '0');
  const secret = hash(`${username}:${realm}:${password}`);
  const ours = algorithm.endsWith('-SESS') ? hash(`${secret}:${nonce}:${cnonce}`) : secret;
  const theirs = hash(`${request.method}:${request.uri}${protection === 'auth-int' ? `:${hash(request.body)}` : ''}`);
  const response = hash([ours, nonce, ...(protection ? [nc, cnonce, protection] : []), theirs].join(':'));
  const parts = [
    `algorithm=${algorithm.replace('-SESS', '-sess')}`,
    `username="${escaped(username)}"`,
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    `uri="${request.uri}"`,
    `response="${response}"`,
  ];
  if (opaque !== undefined) parts.push(`opaque="${opaque}"`);
  if (protection) parts.push(`qop=${protection}`, `cnonce="${cnonce}"`, `nc=${nc}`);
  return `Digest ${parts.join(', ')}`;
}

const random = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** What of sip.js's client the guard below needs; `init` sends the request once more, in a new transaction. */
interface Challenged {
  readonly core: UserAgentCore;
  readonly message: OutgoingRequestMessage;
  init(): void;
}

const secrets = new WeakMap<UserAgentCore, () => Secret>();
const given = new WeakMap<object, Map<string, Answer>>();

/** From now on this core answers challenges here. `secret` is asked each time, so that a renewed credential counts at once. */
export function answerChallenges(core: UserAgentCore, secret: () => Secret): void {
  secrets.set(core, secret);
}

// sip.js leaves no other way in: its credentials see one parsed challenge, never the response that it came with.
const guard = UserAgentClient.prototype as unknown as {
  authenticationGuard(this: Challenged, response: IncomingResponseMessage, dialog?: Dialog): boolean;
};
const theirs = guard.authenticationGuard;
guard.authenticationGuard = function (response, dialog) {
  const secret = secrets.get(this.core);
  if (!secret) return theirs.call(this, response, dialog);
  if (response.statusCode !== 401 && response.statusCode !== 407) return true;
  return !signIn(this, response, secret(), dialog);
};

/** Sends the request again with answers. False: there is nothing to answer, or it was answered and refused. */
function signIn(client: Challenged, response: IncomingResponseMessage, secret: Secret, dialog?: Dialog): boolean {
  const { message } = client;
  const answers = given.get(client) ?? new Map<string, Answer>();
  let fresh = false;
  for (const [asks, header] of places) {
    for (const asked of chosen(challengesIn(response.getHeaders(offered + asks)))) {
      const key = `${header} ${asked.realm}`;
      const before = answers.get(key);
      if (before && (asked.stale !== true || before.stale >= mostStale)) return false;
      const request = { method: message.method, uri: message.ruri.toRaw(), body: message.body?.body ?? '' };
      const value = digestAnswer(asked, secret, request, random());
      answers.set(key, { header, value, stale: before ? before.stale + 1 : 0 });
      fresh = true;
    }
  }
  if (!fresh) return false;
  given.set(client, answers);
  message.cseq += 1;
  if (dialog?.localSequenceNumber) {
    dialog.incrementLocalSequenceNumber();
    message.cseq = dialog.localSequenceNumber;
  }
  message.setHeader('cseq', `${message.cseq} ${message.method}`);
  for (const [, header] of places) {
    const values = [...answers.values()].filter((answer) => answer.header === header).map(({ value }) => value);
    if (values.length > 0) message.setHeader(header, values);
  }
  client.init();
  return true;
}
