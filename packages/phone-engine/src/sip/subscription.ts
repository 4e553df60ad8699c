/**
 * Owns one subscription (RFC 6665): SUBSCRIBE, the NOTIFYs that belong to it, refreshing it, and trying again when it ends or is refused. Written
 * over the user agent's core: sip.js's own refreshes by a timer that a hidden page loses, and stays on the connection it began on.
 * Must never know what a body means.
 */
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import { newTag } from 'sip.js/lib/core/messages/utils.js';
import type { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
import type { SubscribeUserAgentClient } from 'sip.js/lib/core/user-agents/subscribe-user-agent-client.js';
import type { NameAddrHeader } from 'sip.js/lib/grammar/name-addr-header.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort } from '../ports.ts';
import { retryAfterMs } from './back-off.ts';

export interface SubscriptionOptions {
  readonly core: UserAgentCore;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly target: URI;
  readonly event: 'dialog' | 'message-summary';
  readonly accept: string;
  /** A body; never empty, never longer than `longestBody`. */
  readonly onBody: (body: string) => void;
  /** In plain words why nothing is told; empty when it is again. */
  readonly onTrouble: (reason: string) => void;
  /** The first answer to the first SUBSCRIBE is there, or will not come. */
  readonly onSettled: () => void;
}

const expiresSeconds = 600;
const shortestExpiresSeconds = 30;
/**
 * From the 2xx to the first NOTIFY, which RFC 6665 section 4.2.1.2 wants at once. FreeSWITCH accepts and never sends one to a browser unless its
 * administrator has set aggressive-nat-detection.
 */
const firstNotifyMs = 5_000;
const answerMs = 10_000;
const againMs = 30_000;
const refusedAgainMs = 10 * 60_000;
const longestBody = 64_000;
/** Room for the numbers that answers to challenges take. */
const numbersEach = 10;

interface Peer {
  readonly tag: string;
  readonly target: URI;
  readonly routes: string[];
  notifyNumber: number;
}

export class Subscription {
  readonly #options: SubscriptionOptions;
  #callId = '';
  #tag = '';
  #number = 1 - numbersEach;
  #peer: Peer | undefined;
  #timer: unknown;
  #deadline: unknown;
  #stopped = false;
  #settled = false;
  #trouble = '';

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  /** Subscribes anew: at the beginning, and after the line was lost, when the server may know only the dead connection. */
  start(): void {
    if (this.#stopped) return;
    this.#forget();
    this.#settled = false;
    this.#callId = crypto.randomUUID();
    this.#tag = newTag();
    this.#number = 1 - numbersEach;
    this.#options.core.subscribers.set(this.#key, this as unknown as SubscribeUserAgentClient);
    this.#subscribe(expiresSeconds);
  }

  /** Ends it; what the server still sends is answered until it has heard. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#clearTimers();
    if (this.#peer) this.#send(0, () => {});
    this.#settle();
    const { core, clock } = this.#options;
    const key = this.#key;
    clock.setTimeout(() => core.subscribers.delete(key), answerMs);
  }

  /** sip.js hands over every NOTIFY that names this subscription. */
  onNotify(uas: {
    message: IncomingRequestMessage;
    accept(): void;
    reject(options: { statusCode: number }): void;
  }): void {
    const { message } = uas;
    const state = readState(message.getHeader('subscription-state'));
    const contact = message.parseHeader('contact') as NameAddrHeader | undefined;
    const refusal = this.#refusal(message);
    if (refusal !== null || state === null || contact?.uri === undefined) {
      uas.reject({ statusCode: refusal ?? 400 });
      return;
    }
    uas.accept();
    if (this.#stopped) return;
    this.#peer ??= {
      tag: message.fromTag,
      target: contact.uri,
      routes: message.getHeaders('record-route'),
      notifyNumber: 0,
    };
    this.#peer.notifyNumber = message.cseq;
    this.#options.clock.clearTimeout(this.#deadline);
    this.#deadline = undefined;
    this.#settle();
    if (message.body !== '' && message.body.length <= longestBody) this.#options.onBody(message.body);
    if (state.over) this.#ended(state);
    else {
      this.#tell('');
      if (state.seconds !== null) this.#refreshWithin(state.seconds);
    }
  }

  /** A SUBSCRIBE may have forked: one notifier is enough, the others end by 481 (RFC 6665 section 4.1.4). */
  #refusal({ fromTag, cseq }: IncomingRequestMessage): number | null {
    if (this.#peer === undefined) return null;
    if (this.#peer.tag !== fromTag) return 481;
    return cseq <= this.#peer.notifyNumber ? 500 : null;
  }

  get #key(): string {
    return this.#callId + this.#tag + this.#options.event;
  }

  #subscribe(seconds: number): void {
    this.#send(seconds, (answer) => {
      if (answer === null) return this.#failed('The phone system does not answer', againMs);
      const code = answer.statusCode ?? 0;
      if (code < 300) return this.#accepted(Number(answer.getHeader('expires') ?? seconds));
      // The dialog is gone over there (RFC 6665 section 4.1.2.2): a new one may do.
      if (this.#peer !== undefined && (code === 481 || code === 408)) return this.start();
      const wait =
        retryAfterMs(Number.parseInt(answer.getHeader('retry-after') ?? '', 10)) ||
        (code >= 500 ? againMs : refusedAgainMs);
      this.#failed(`The phone system does not let it be watched (${code} ${answer.reasonPhrase ?? ''})`, wait);
    });
  }

  #accepted(seconds: number): void {
    this.#refreshWithin(seconds);
    if (this.#peer !== undefined) return;
    const { clock } = this.#options;
    this.#deadline ??= clock.setTimeout(() => {
      this.#deadline = undefined;
      this.#settle();
      this.#tell(
        'The phone system accepts the subscription and then tells nothing. On FreeSWITCH the administrator has to set aggressive-nat-detection',
      );
    }, firstNotifyMs);
  }

  /** A notifier may end a subscription so that it begins anew elsewhere, or for good (RFC 6665 section 4.1.3). */
  #ended({ reason, retryMs }: { readonly reason: string; readonly retryMs: number }): void {
    this.#forget();
    if (reason === 'rejected' || reason === 'noresource' || reason === 'invariant')
      this.#failed('The phone system does not let it be watched', refusedAgainMs);
    else this.#again(retryMs || (reason === 'deactivated' || reason === 'timeout' ? this.#soon() : againMs));
  }

  /** A server that was restarted ends everybody's at the same moment. */
  #soon(): number {
    return 500 + this.#options.random() * 2_000;
  }

  #failed(reason: string, ms: number): void {
    this.#settle();
    this.#tell(reason);
    this.#again(ms);
  }

  #again(ms: number): void {
    const { clock } = this.#options;
    this.#clearTimers();
    this.#timer = clock.setTimeout(() => this.start(), ms);
  }

  #refreshWithin(seconds: number): void {
    const { clock, random } = this.#options;
    if (!Number.isFinite(seconds) || seconds <= 0) return;
    clock.clearTimeout(this.#timer);
    const ms = Math.max(seconds, shortestExpiresSeconds / 2) * 1_000 * (0.75 + random() * 0.1);
    this.#timer = clock.setTimeout(() => this.#subscribe(expiresSeconds), ms);
  }

  #send(seconds: number, onAnswer: (answer: IncomingResponseMessage | null) => void): void {
    const { core, clock, target, event, accept } = this.#options;
    const { aor, contact } = core.configuration;
    const peer = this.#peer;
    this.#number += numbersEach;
    let answered = false;
    const answer = (message: IncomingResponseMessage | null): void => {
      if (answered) return;
      answered = true;
      clock.clearTimeout(deadline);
      if (!this.#stopped && callId === this.#callId) onAnswer(message);
    };
    const callId = this.#callId;
    const deadline = clock.setTimeout(() => answer(null), answerMs);
    const final = ({ message }: { message: IncomingResponseMessage }) => answer(message);
    try {
      const message = core.makeOutgoingRequestMessage(
        'SUBSCRIBE',
        peer?.target ?? target,
        aor,
        target,
        {
          callId,
          fromTag: this.#tag,
          cseq: this.#number,
          ...(peer ? { toTag: peer.tag, routeSet: peer.routes } : {}),
        },
        [`Event: ${event}`, `Accept: ${accept}`, `Expires: ${seconds}`, `Contact: ${contact.toString()}`],
      );
      core.request(message, { onAccept: final, onRedirect: final, onReject: final });
    } catch {
      // The connection went away between the look and the act; the deadline tells.
    }
  }

  #tell(reason: string): void {
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#options.onTrouble(reason);
  }

  #settle(): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#options.onSettled();
  }

  #forget(): void {
    this.#clearTimers();
    this.#options.core.subscribers.delete(this.#key);
    this.#peer = undefined;
  }

  #clearTimers(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#deadline);
    this.#timer = this.#deadline = undefined;
  }
}

interface NotifyState {
  readonly over: boolean;
  readonly seconds: number | null;
  readonly reason: string;
  readonly retryMs: number;
}

/** The Subscription-State header (RFC 6665 section 8.4); null when there is none that can be read. */
function readState(header: string | undefined): NotifyState | null {
  const [state = '', ...parameters] = (header ?? '').toLowerCase().split(';');
  const of = (name: string): string =>
    parameters
      .map((it) => it.trim())
      .find((it) => it.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? '';
  if (!/^\s*(active|pending|terminated)\s*$/.test(state)) return null;
  const seconds = Number.parseInt(of('expires'), 10);
  return {
    over: state.trim() === 'terminated',
    seconds: seconds > 0 ? seconds : null,
    reason: of('reason'),
    retryMs: Math.min(Number.parseInt(of('retry-after'), 10) || 0, 3_600) * 1_000,
  };
}
