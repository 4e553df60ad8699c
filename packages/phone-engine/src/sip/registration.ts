/**
 * Owns the REGISTER requests of one account (RFC 3261 section 10, outbound RFC 5626, GRUU RFC 5627). One request at a time, each with a deadline.
 * Written over the user agent's core instead of sip.js's Registerer (shortcoming 10): that one refreshes at 99 % of the expiry by a timer nobody
 * can move, leaves rejected promises uncaught, and stays "in progress" for 32 s when an answer is lost with its connection.
 * Must never decide what a refusal means for the line.
 */

import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import type { OutgoingRequestDelegate } from 'sip.js/lib/core/messages/outgoing-request.js';
import { AllowedMethods } from 'sip.js/lib/core/user-agent-core/allowed-methods.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort } from '../ports.ts';
import { retryAfterMs } from './back-off.ts';

export type RegisterOutcome =
  | {
      readonly kind: 'accepted';
      readonly seconds: number;
      /** What the server wants as keep-alive interval (RFC 5626 section 10), in seconds. */
      readonly flowTimerSeconds: number | null;
    }
  | {
      readonly kind: 'refused';
      readonly code: number;
      readonly reason: string;
      readonly retryAfterMs: number;
      /** With a 423: what the server wants at least; 0 when it does not say. */
      readonly minSeconds: number;
    }
  | { readonly kind: 'silent' };

export interface RegistrationOptions {
  readonly userAgent: UserAgent;
  readonly registrar: URI;
  readonly instance: string;
  readonly seconds: number;
  readonly clock: ClockPort;
}

/** RFC 5626 section 4.4.1: the same time that a keep-alive has. */
const answerMs = 10_000;
/** Each answer to a challenge takes a number of its own, and a request that nobody answers must not share one with the next. */
const numbersEach = 10;
/** No server means a longer interval seriously. */
const longestSeconds = 7 * 86_400;

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #callId = crypto.randomUUID();
  #seconds: number;
  #cseq = 1 - numbersEach;
  /** Someone on the way to the registrar cannot do outbound (RFC 5626 section 11.6). */
  #plain = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#seconds = options.seconds;
  }

  /**
   * Registers or refreshes. Never rejects.
   * @param withinMs how long each of its requests may wait for an answer
   */
  async register(withinMs = answerMs): Promise<RegisterOutcome> {
    const outcome = await this.#send(this.#seconds, withinMs);
    if (outcome.kind !== 'refused') return outcome;
    if (outcome.code === 439 && !this.#plain) this.#plain = true;
    // 423: the server wants a longer interval and says which (RFC 3261 section 10.2.8).
    else if (outcome.code === 423 && outcome.minSeconds > this.#seconds && outcome.minSeconds <= longestSeconds)
      this.#seconds = outcome.minSeconds;
    else return outcome;
    return this.#send(this.#seconds, withinMs);
  }

  /** Removes the binding. Resolves when the server answered or the deadline passed. */
  async unregister(): Promise<void> {
    await this.#send(0, answerMs);
  }

  #send(seconds: number, withinMs: number): Promise<RegisterOutcome> {
    const { userAgent, registrar, instance, clock } = this.#options;
    return new Promise((resolve) => {
      const core = userAgent.userAgentCore;
      // Shortcoming 11: with reg-id and +sip.instance the server replaces our old flow and hands out a GRUU that outlives the connection.
      // It stays the same number on every server: where several servers share their bindings the newest connection is the one that counts.
      const flow = this.#plain ? '' : ';reg-id=1';
      const contact = `${userAgent.contact.toString({ register: true })}${flow};+sip.instance="<urn:uuid:${instance}>";expires=${seconds}`;
      this.#cseq += numbersEach;
      const { aor, supportedOptionTags } = core.configuration;
      const tags = [...supportedOptionTags, 'path', 'gruu'].filter((tag) => !this.#plain || tag !== 'outbound');
      const message = core.makeOutgoingRequestMessage(
        'REGISTER',
        registrar,
        aor,
        aor,
        { callId: this.#callId, cseq: this.#cseq, optionTags: tags },
        [`Contact: ${contact}`, `Expires: ${seconds}`, `Allow: ${AllowedMethods.join(', ')}`],
      );
      let settled = false;
      const settle = (outcome: RegisterOutcome) => {
        if (settled) return;
        settled = true;
        clock.clearTimeout(deadline);
        resolve(outcome);
      };
      const deadline = clock.setTimeout(() => settle({ kind: 'silent' }), withinMs);
      const refuse = (response: { message: IncomingResponseMessage }) => settle(this.#refusal(response.message));
      const delegate: OutgoingRequestDelegate = {
        onAccept: (response) => settle(this.#acceptance(response.message, seconds)),
        onReject: refuse,
        onRedirect: refuse,
      };
      try {
        core.register(message, delegate);
      } catch {
        settle({ kind: 'silent' });
      }
    });
  }

  #acceptance(message: IncomingResponseMessage, asked: number): RegisterOutcome {
    const { userAgent } = this.#options;
    let granted = Number(message.getHeader('expires') ?? asked);
    for (let index = 0; index < message.getHeaders('contact').length; index += 1) {
      const contact = message.parseHeader('contact', index) as ContactHeader | undefined;
      if (!contact || contact.uri.user !== userAgent.contact.uri.user) continue;
      granted = Number(contact.getParam('expires') ?? granted);
      const gruu = contact.getParam('pub-gruu')?.replace(/"/g, '');
      // In-dialog requests follow the GRUU to our newest connection; without it a far side's BYE dies with the old one.
      userAgent.contact.pubGruu = gruu ? UserAgent.makeURI(gruu) : undefined;
    }
    const flowTimer = Number(message.getHeader('flow-timer'));
    return {
      kind: 'accepted',
      seconds: granted > 0 ? granted : asked,
      flowTimerSeconds: flowTimer > 0 ? flowTimer : null,
    };
  }

  #refusal(message: IncomingResponseMessage): RegisterOutcome {
    const code = message.statusCode ?? 0;
    const seconds = (name: string): number => Number.parseInt(message.getHeader(name) ?? '', 10) || 0;
    return {
      kind: 'refused',
      code,
      reason: message.reasonPhrase ?? '',
      retryAfterMs: retryAfterMs(seconds('retry-after')),
      minSeconds: seconds('min-expires'),
    };
  }
}

interface ContactHeader {
  readonly uri: URI;
  getParam(name: string): string | undefined;
}
