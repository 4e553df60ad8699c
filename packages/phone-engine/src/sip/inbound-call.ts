/**
 * Owns how a call to us begins: it rings, is answered, declined, cancelled, or taken by another device.
 * Must never call itself answered before the caller has acknowledged the answer (RFC 3261 section 13.3.1.4).
 */
import type { CallId, Party } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import type { Cancel } from 'sip.js/lib/api/cancel.js';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { DeclineCode } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import type { EndedBy } from './call-surroundings.ts';
import { answersAfter, assertedAddress, diversion, tellableCallId, verification } from './caller-headers.ts';
import { callerOf, wantsPrivacy } from './party.ts';
import { reasonText, saysElsewhere } from './reason.ts';
import { ReliableRinging } from './reliable-ringing.ts';
import { SipCall } from './sip-call.ts';

/** A ringing call whose line does not come back is over: its CANCEL could not reach us. */
const lostLineMs = 5_000;

export class InboundCall extends SipCall {
  readonly direction = 'inbound';
  readonly #invitation: Invitation;
  /** The call this one takes the place of, once it is connected. */
  readonly #replaced: SipCall | undefined;
  #acknowledged = false;
  #reliably: ReliableRinging | undefined;
  #lostTimer: unknown;

  constructor(id: CallId, invitation: Invitation, replaced: SipCall | undefined, around: ActingSurroundings) {
    super(id, around);
    this.#invitation = invitation;
    this.#replaced = replaced;
    // sip.js would hang up the old call by itself, and fail this one when that is no longer possible.
    invitation._replacee = undefined;
    invitation.delegate = {
      ...this.sharedDelegate,
      onCancel: (cancel: Cancel) => this.#onCancel(cancel),
      onAck: () => {
        this.#acknowledged = true;
        this.markAnswered();
      },
    };
    // Of a caller who hung up and never acknowledged: sip.js would end the session a second time, and throw in its timer where nobody catches.
    const open = invitation as unknown as OpenInvitation;
    const unacknowledged = open.onAckTimeout.bind(invitation);
    open.onAckTimeout = () => {
      if (invitation.state !== SessionState.Terminated) unacknowledged();
    };
    this.adopt(invitation);
    this.identify(this.from, true);
    this.dialog?.heard(invitation.request);
  }

  /** Lets the caller hear that it rings; acknowledged where the caller insists on it (RFC 3262). */
  ring(): void {
    const { request } = this.#invitation;
    const insists = request.getHeaders('require').some((tags) => /(^|[\s,])100rel\b/i.test(tags));
    if (!insists) {
      void this.#invitation.progress().catch(() => {});
      return;
    }
    // Without an offer the first acknowledged response must bring one (RFC 3262 section 5), and with it the microphone: 100 has to do.
    if (request.body === '') return;
    // Kept private by sip.js, whose own way answers the offer, and opens the microphone for it, while it rings.
    const { incomingInviteRequest } = this.#invitation as unknown as OpenInvitation;
    this.#reliably = new ReliableRinging({
      clock: this.around.clock,
      random: this.around.random,
      sequence: request.cseq,
      send: (extraHeaders) => {
        if (this.#invitation.state === SessionState.Initial)
          incomingInviteRequest.progress({ statusCode: 180, extraHeaders });
      },
      onSilence: () => {
        if (this.ended || this.established) return;
        this.#reject(504);
        this.finish('network', 504, 'The caller never acknowledged that it rings.');
      },
    });
  }

  override take(request: IncomingRequest): void {
    if (request.message.method === 'PRACK' && this.#reliably) this.#reliably.take(request);
    else super.take(request);
  }

  get from(): Party {
    const { request, remoteIdentity } = this.#invitation;
    const address = (header: { displayName: string; uri: { user: string | undefined; host: string } }) => ({
      displayName: header.displayName,
      user: header.uri.user,
      host: header.uri.host,
    });
    return callerOf(assertedAddress(request), address(remoteIdentity), wantsPrivacy(request.getHeader('privacy')));
  }
  get number(): string {
    return this.from.number;
  }
  get sipCallId(): string {
    return tellableCallId(this.#invitation.request.callId);
  }

  /** What the INVITE says beside who calls, as it stands in the signal. */
  get particulars(): {
    diverted?: NonNullable<ReturnType<typeof diversion>>;
    verified?: 'passed' | 'failed';
    answersAfterMs?: number;
  } {
    const { request } = this.#invitation;
    const diverted = diversion(request);
    const verified = verification(request);
    const answersAfterMs = answersAfter(request);
    return {
      ...(diverted && { diverted }),
      ...(verified && { verified }),
      ...(answersAfterMs !== undefined && { answersAfterMs }),
    };
  }

  answer(): void {
    void this.#answer();
  }

  decline(code: DeclineCode): void {
    if (this.ended || this.established) return;
    this.#reject(code);
    this.finish('agent', code, '');
  }

  /** The caller shall call there instead (RFC 3261 section 21.3.3). */
  redirect(to: URI): void {
    if (this.ended || this.established) return;
    this.#reject(302, [`Contact: <${to.toString()}>`]);
    this.finish('agent', 302, '');
  }

  lineLost(): void {
    if (this.ended || this.established) return;
    this.#lostTimer ??= this.around.clock.setTimeout(() => {
      if (this.ended || this.established) return;
      this.giveUp();
      this.finish('network', 0, 'The connection to the PBX was lost while the call was ringing.');
    }, lostLineMs);
  }

  protected lineCameBack(): void {
    // The answer travels over the new connection; the PBX matches it by its branch.
    this.around.clock.clearTimeout(this.#lostTimer);
    this.#lostTimer = undefined;
  }

  protected giveUp(): void {
    // Only this device refuses (480); 603 would silence the agent's other phones too.
    this.#reject(480);
  }

  protected onEstablished(): void {
    this.around.clock.clearTimeout(this.#lostTimer);
    this.#replaced?.giveWay();
    if (this.#acknowledged) this.markAnswered();
  }

  protected explainEnd(): { by: EndedBy; code: number; reason: string } {
    if (this.#acknowledged) return { by: 'network', code: 0, reason: 'The call broke off.' };
    return this.established
      ? { by: 'network', code: 408, reason: 'The caller never acknowledged the answer (no ACK).' }
      : { by: 'network', code: 480, reason: 'The call was not answered in time.' };
  }

  async #answer(): Promise<void> {
    if (this.ended || this.#invitation.state !== SessionState.Initial) return;
    try {
      // Started before the description is worked out, awaited inside it.
      const microphone = this.media.openMicrophone();
      const extraHeaders = this.timer.answer(this.#invitation.request).headers;
      this.#reliably?.stop();
      await Promise.all([microphone, this.#invitation.accept({ extraHeaders })]);
    } catch (error) {
      if (this.ended) return;
      this.around.log('warn', 'call.not-answered', { call: this.id, code: errorCode(error) });
      this.giveUp();
      this.finish('network', 480, error instanceof Error ? error.message : 'The call could not be answered.');
    }
  }

  #reject(statusCode: number, extraHeaders: string[] = []): void {
    this.#reliably?.stop();
    const { state } = this.#invitation;
    if (state === SessionState.Initial || state === SessionState.Establishing)
      void this.#invitation.reject({ statusCode, extraHeaders }).catch(() => {});
  }

  #onCancel(cancel: Cancel): void {
    this.#reliably?.stop();
    const reason = cancel.request.getHeaders('reason').join(',');
    // The PBX says that somebody else picked up.
    this.finish('far-side', 0, reasonText(reason), saysElsewhere(reason));
  }
}

interface OpenInvitation {
  onAckTimeout(): void;
  readonly incomingInviteRequest: {
    progress(options: { statusCode: number; extraHeaders: string[] }): unknown;
  };
}
