/**
 * Owns the REGISTER requests of one account (RFC 3261 section 10, outbound RFC 5626, GRUU RFC 5627). One request at a time, each with a deadline.
 * Written over the user agent's core instead of sip.js's Registerer (shortcoming 10): that one refreshes at 99 % of the expiry by a timer nobody
 * can move, leaves rejected promises uncaught, and stays "in progress" for 32 s when an answer is lost with its connection.
 * Must never decide what a refusal means for the line.
 */

import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import type { OutgoingRequestDelegate } from 'sip.js/lib/core/messages/outgoing-request.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort } from '../ports.ts';

export type RegisterOutcome =
  | {
      readonly kind: 'accepted';
      readonly seconds: number;
      /** What the server wants as keep-alive interval (RFC 5626 section 10), in seconds. */
      readonly flowTimerSeconds: number | null;
    }
  | { readonly kind: 'refused'; readonly code: number; readonly reason: string; readonly retryAfterMs: number }
  | { readonly kind: 'silent' };

export interface RegistrationOptions {
  readonly userAgent: UserAgent;
  readonly registrar: URI;
  readonly instance: string;
  readonly seconds: number;
  readonly clock: ClockPort;
}

const answerMs = 10_000;
const allowed = 'ACK, BYE, CANCEL, INFO, INVITE, MESSAGE, NOTIFY, OPTIONS, PRACK, REFER';

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #callId = crypto.randomUUID();
  #seconds: number;
  #cseq = 0;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#seconds = options.seconds;
  }

  /** Registers or refreshes. Resolves in at most 10 s; never rejects. */
  async register(): Promise<RegisterOutcome> {
    const outcome = await this.#send(this.#seconds);
    if (outcome.kind !== 'refused' || outcome.code !== 423 || outcome.retryAfterMs <= this.#seconds * 1_000)
      return outcome;
    // 423: the server wants a longer interval and says which (RFC 3261 section 10.2.8).
    this.#seconds = outcome.retryAfterMs / 1_000;
    return this.#send(this.#seconds);
  }

  /** Removes the binding. Resolves when the server answered or the deadline passed. */
  async unregister(): Promise<void> {
    await this.#send(0);
  }

  #send(seconds: number): Promise<RegisterOutcome> {
    const { userAgent, registrar, instance, clock } = this.#options;
    return new Promise((resolve) => {
      const core = userAgent.userAgentCore;
      // Shortcoming 11: with reg-id and +sip.instance the server replaces our old flow and hands out a GRUU that outlives the connection.
      const contact = `${userAgent.contact.toString({ register: true })};reg-id=1;+sip.instance="<urn:uuid:${instance}>";expires=${seconds}`;
      const aor = core.configuration.aor;
      const message = core.makeOutgoingRequestMessage(
        'REGISTER',
        registrar,
        aor,
        aor,
        { callId: this.#callId, cseq: this.#cseq + 1 },
        [`Contact: ${contact}`, `Expires: ${seconds}`, `Allow: ${allowed}`],
      );
      let settled = false;
      const settle = (outcome: RegisterOutcome) => {
        if (settled) return;
        settled = true;
        clock.clearTimeout(deadline);
        // The answer to a challenge took a number of its own.
        this.#cseq = message.cseq;
        resolve(outcome);
      };
      const deadline = clock.setTimeout(() => settle({ kind: 'silent' }), answerMs);
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
    const seconds = Number.parseInt(message.getHeader(code === 423 ? 'min-expires' : 'retry-after') ?? '', 10);
    return {
      kind: 'refused',
      code,
      reason: message.reasonPhrase ?? '',
      retryAfterMs: seconds > 0 ? seconds * 1_000 : 0,
    };
  }
}

interface ContactHeader {
  readonly uri: URI;
  getParam(name: string): string | undefined;
}
