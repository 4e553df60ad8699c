/**
 * Owns how a call to us begins: it rings, is answered, declined, cancelled, or taken by another device.
 * Must never call itself answered before the caller has acknowledged the answer (RFC 3261 section 13.3.1.4).
 */
import type { CallId, Party } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import type { Cancel } from 'sip.js/lib/api/cancel.js';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import { callerOf, wantsPrivacy } from './party.ts';
import { type CallSurroundings, type EndedBy, reasonText, SipCall, tellableCallId } from './sip-call.ts';

/** A ringing call whose line does not come back is over: its CANCEL could not reach us. */
const lostLineMs = 5_000;

export class InboundCall extends SipCall {
  readonly direction = 'inbound';
  readonly #invitation: Invitation;
  /** The call this one takes the place of, once it is connected. */
  readonly #replaced: SipCall | undefined;
  #acknowledged = false;
  #lostTimer: unknown;

  constructor(id: CallId, invitation: Invitation, replaced: SipCall | undefined, around: CallSurroundings) {
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
    this.adopt(invitation);
  }

  get from(): Party {
    const { request, remoteIdentity, assertedIdentity } = this.#invitation;
    const address = (header: { displayName: string; uri: { user: string | undefined; host: string } }) => ({
      displayName: header.displayName,
      user: header.uri.user,
      host: header.uri.host,
    });
    return callerOf(
      assertedIdentity ? address(assertedIdentity) : undefined,
      address(remoteIdentity),
      wantsPrivacy(request.getHeader('privacy')),
    );
  }
  get sipCallId(): string {
    return tellableCallId(this.#invitation.request.callId);
  }

  answer(): void {
    void this.#answer();
  }

  decline(code: 486 | 603 | 480): void {
    if (this.ended || this.established) return;
    this.#reject(code);
    this.finish('agent', code, '');
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
      await Promise.all([microphone, this.#invitation.accept()]);
    } catch (error) {
      if (this.ended) return;
      this.around.log('warn', 'call.not-answered', { call: this.id, code: errorCode(error) });
      this.giveUp();
      this.finish('network', 480, error instanceof Error ? error.message : 'The call could not be answered.');
    }
  }

  #reject(statusCode: number): void {
    const { state } = this.#invitation;
    if (state === SessionState.Initial || state === SessionState.Establishing)
      void this.#invitation.reject({ statusCode }).catch(() => {});
  }

  #onCancel(cancel: Cancel): void {
    const reason = cancel.request.getHeader('reason');
    // RFC 3326: the PBX says that somebody else picked up.
    const elsewhere = /\bcause\s*=\s*200\b/i.test(reason ?? '');
    this.finish('far-side', 0, reasonText(reason), elsewhere);
  }
}
