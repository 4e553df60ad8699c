/**
 * Owns the re-INVITEs of one call: one after another, glare (RFC 3261 section 14.1) resolved by waiting and trying again, each wait bounded.
 * Must never know why a new offer is made; holding, resuming and mending a broken path look the same from here.
 */
import { errorCode } from '@patchcord/call-protocol';
import { RequestPendingError } from 'sip.js/lib/api/exceptions/request-pending.js';
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import { TransactionState } from 'sip.js/lib/core/transactions/transaction-state.js';
import type { ClockPort } from '../ports.ts';
import type { HeaderSource } from './caller-headers.ts';

export type RenegotiationOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: number; readonly reason: string };

export interface RenegotiationOptions {
  readonly session: Session;
  readonly clock: ClockPort;
  readonly random: () => number;
  /** Who sent the first INVITE waits longer after glare. */
  readonly weCalled: boolean;
  /** What else stands in the re-INVITE. */
  readonly headers: () => string[];
  readonly onAgreed: (response: HeaderSource) => void;
  /** 422: true when another try may do (RFC 4028 section 7.4). */
  readonly tooShort: (response: HeaderSource) => boolean;
  /** Why the answer that was just agreed to could not be used; undefined when it could. */
  readonly unusable: () => string | undefined;
  /** Undoes an offer that never left. */
  readonly rollBack: () => Promise<void>;
}

const tries = 4;
/** Past sip.js's own 32 s, which it does not always reach (a redirected re-INVITE is never reported). */
const answerMs = 35_000;

export class Renegotiation {
  readonly #options: RenegotiationOptions;
  #last: Promise<unknown> = Promise.resolve();
  #abandoned = false;
  #inDoubt = false;

  constructor(options: RenegotiationOptions) {
    this.#options = options;
  }

  /** An answer of the far side may have been lost, and nothing was agreed upon since: it may go by an offer that failed here. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** Runs `prepare` when its turn comes, then offers. Never rejects. */
  run(prepare: () => Promise<void> | void): Promise<RenegotiationOutcome> {
    const turn = this.#last.then(() => this.#offer(prepare));
    this.#last = turn;
    return turn;
  }

  /**
   * The connection that an offer left over is gone, and its answer with it: the offer is made again over the new one. Nobody knows whether the far side
   * has answered; the ACK that it would otherwise wait for, and refuse every other offer meanwhile, is sent in any case.
   */
  abandon(): void {
    const dialog = this.#options.session.dialog as SessionDialog | undefined;
    const client = dialog?.reinviteUserAgentClient as unknown as OpenClient | undefined;
    const transaction = client?.transaction;
    if (!dialog || !transaction || !unanswered.has(transaction.state)) return;
    this.#abandoned = true;
    transaction.onTransportError(new Error('The connection is gone.'));
    const { transport } = dialog.userAgentCore;
    const ack = dialog.createOutgoingRequestMessage('ACK', { cseq: transaction.request.cseq });
    ack.setViaHeader(`z9hG4bK${crypto.randomUUID()}`, transport.protocol);
    transport.send(ack.toString()).catch(() => {});
  }

  async #offer(prepare: () => Promise<void> | void): Promise<RenegotiationOutcome> {
    try {
      await prepare();
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await this.#once();
        const glare = !outcome.ok && (outcome.code === 491 || (outcome.code === 500 && outcome.reason === 'glare'));
        const abandoned = !outcome.ok && this.#abandoned;
        this.#abandoned = false;
        this.#inDoubt = !outcome.ok && (this.#inDoubt || abandoned || outcome.code === 408);
        const again = abandoned || glare || (!outcome.ok && outcome.code === 422 && outcome.reason === 'too short');
        if (!again || attempt === tries) return outcome;
        if (glare) await this.#pauseAfterGlare();
        if (abandoned) await prepare();
        if (this.#options.session.state !== SessionState.Established) return over;
      }
    } catch (error) {
      return { ok: false, code: 0, reason: error instanceof Error ? error.message : 'the offer could not be made' };
    }
  }

  #once(): Promise<RenegotiationOutcome> {
    const { session, clock, rollBack, headers, onAgreed, tooShort, unusable } = this.#options;
    if (session.state !== SessionState.Established) return Promise.resolve(over);
    return new Promise((resolve) => {
      const settle = (outcome: RenegotiationOutcome) => {
        clock.clearTimeout(deadline);
        session.stateChange.removeListener(watch);
        resolve(outcome);
      };
      const watch = (state: SessionState) => {
        if (state === SessionState.Terminated) settle(over);
      };
      const deadline = clock.setTimeout(
        () => settle({ ok: false, code: 408, reason: 'the far side did not answer' }),
        answerMs,
      );
      session.stateChange.addListener(watch);
      session
        .invite({
          requestOptions: { extraHeaders: headers() },
          requestDelegate: {
            onAccept: ({ message }) => {
              if (session.state !== SessionState.Established) return settle(over);
              onAgreed(message);
              const reason = unusable();
              settle(reason === undefined ? { ok: true } : { ok: false, code: 0, reason });
            },
            onReject: ({ message }) => {
              const code = message.statusCode ?? 0;
              // A server busy with our or the far side's previous re-INVITE says 500 with Retry-After (RFC 3261 section 14.2).
              const glare = code === 500 && message.getHeader('retry-after') !== undefined;
              if (code === 422 && tooShort(message)) settle({ ok: false, code, reason: 'too short' });
              else
                settle({ ok: false, code, reason: glare ? 'glare' : `${code} ${message.reasonPhrase ?? ''}`.trim() });
            },
          },
        })
        .catch((error: unknown) => {
          // Nothing left: another INVITE of either side is under way, which is glare seen from inside.
          const pending = error instanceof RequestPendingError;
          const undo = pending ? Promise.resolve() : rollBack().catch(() => {});
          // An error of our own media (no address, call closing) does not pass by waiting.
          const code = errorCode(error) === 'internal' ? 491 : 0;
          void undo.then(() =>
            settle({ ok: false, code, reason: error instanceof Error ? error.message : 'not possible now' }),
          );
        });
    });
  }

  #pauseAfterGlare(): Promise<void> {
    const { clock, random, weCalled } = this.#options;
    const ms = weCalled ? 2_100 + Math.floor(random() * 190) * 10 : Math.floor(random() * 200) * 10;
    return new Promise((resolve) => clock.setTimeout(resolve, ms));
  }
}

const unanswered: ReadonlySet<TransactionState> = new Set([TransactionState.Calling, TransactionState.Proceeding]);

/** Guarded by sip.js as protected; there is no other way to it. */
interface OpenClient {
  readonly transaction: {
    readonly state: TransactionState;
    readonly request: { readonly cseq: number };
    onTransportError(error: Error): void;
  };
}

const over: RenegotiationOutcome = { ok: false, code: 0, reason: 'the call is over' };
