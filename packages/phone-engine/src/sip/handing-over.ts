/**
 * Owns how one call is handed over to somebody else: the REFER that asks for it, the consult call that goes first where it cannot be joined, taking
 * it back, and what is told of it. Must never leave the agent without the call when the transfer fails.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { SipSignal } from '../state.ts';
import type { CallSurroundings } from './call-surroundings.ts';
import { ownTarget } from './redirection.ts';
import { referToReplacing, Transfer } from './transfer.ts';

/** What handing over needs of a call. */
export interface HandedCall {
  readonly id: CallId;
  /** The confirmed dialog; undefined when the call is not connected. */
  readonly connectedDialog: SessionDialog | undefined;
  signal(signal: SipSignal): void;
  farSupports(option: string): boolean;
  /** The others talk without us: hangs up if they do not within a moment. */
  leaveAfterTransfer(): void;
  /** Ends the call so that its far side is free. Resolves when the far side has said so, at the latest after two seconds. */
  makeRoom(reason: string): Promise<void>;
}

export class HandingOver {
  readonly #call: HandedCall;
  readonly #around: CallSurroundings;
  #transfer: Transfer | undefined;
  /** The consult call is on its way out; the REFER has not left yet. */
  #making: 'room' | undefined;
  #stopped = false;

  constructor(call: HandedCall, around: CallSurroundings) {
    this.#call = call;
    this.#around = around;
  }

  /** The far side is on its way elsewhere, and may be silent meanwhile. */
  get underWay(): boolean {
    return this.#making !== undefined || (this.#transfer !== undefined && !this.#transfer.settled);
  }

  /** The far side goes to this address. */
  blind(to: string): void {
    const dialog = this.#ready();
    if (dialog) this.#refer(dialog, `<${to}>`, () => {});
  }

  /** The far side takes our place in `consult` (RFC 5589 section 7), or calls its far side where that cannot be replaced. */
  attended(consult: HandedCall): void {
    const second = consult.connectedDialog;
    if (!second) {
      this.#refuse('The second call is not connected; wait for its answer or transfer without consulting.');
      return;
    }
    const dialog = this.#ready();
    if (!dialog) return;
    // Both must know the header: baresip, told to replace, calls the target a second time.
    if (consult.farSupports('replaces') && this.#call.farSupports('replaces')) {
      this.#refer(dialog, referToReplacing(second), () => consult.leaveAfterTransfer());
      return;
    }
    const { account } = this.#around;
    const target = ownTarget(`sip:${second.remoteURI.user ?? ''}@${account.domain}`, account.domain);
    if (!target) {
      this.#refuse('The second call came from somewhere that no call can be sent to.');
      return;
    }
    this.#making = 'room';
    void consult.makeRoom('The second call ended so that the first one can be sent there.').then(() => {
      if (this.#making !== 'room' || this.#stopped) return;
      this.#making = undefined;
      const still = this.#ready();
      if (still) this.#refer(still, `<${target.toString()}>`, () => {});
    });
  }

  /** The agent wants the call back. */
  takeBack(): void {
    if (this.#making) {
      this.#making = undefined;
      this.#refuse('The transfer was taken back; the second call had already ended.');
    } else if (this.#transfer && !this.#transfer.settled) this.#transfer.takeBack();
    else this.#refuse('There is no transfer to take back.');
  }

  /** Takes a NOTIFY of the call; answers it in any case. */
  notify(notification: Notification): void {
    if (this.#transfer) this.#transfer.take(notification);
    else void notification.accept().catch(() => {});
  }

  farSideLeft(): void {
    this.#transfer?.farSideLeft();
  }

  stop(): void {
    this.#stopped = true;
    this.#transfer?.cancel();
  }

  #ready(): SessionDialog | undefined {
    const dialog = this.#call.connectedDialog;
    if (!dialog || !this.#around.connected()) this.#refuse('The call or the line is not connected.');
    else if (this.underWay)
      this.#refuse('A transfer of this call is already under way; wait until the far side says what became of it.');
    else return dialog;
    return undefined;
  }

  #refer(dialog: SessionDialog, referTo: string, alsoLeave: () => void): void {
    const { userAgent, clock } = this.#around;
    const call = this.#call;
    const done = () => {
      call.signal({ type: 'sip.transferred', call: call.id });
      call.leaveAfterTransfer();
      alsoLeave();
    };
    this.#transfer = new Transfer(clock, {
      onRinging: () => call.signal({ type: 'sip.transfer-ringing', call: call.id }),
      onDone: done,
      onDoneAfterAll: done,
      onRefused: (reason) => this.#refuse(reason),
    });
    this.#transfer.start(dialog, referTo, userAgent.configuration.uri.toString(), userAgent.contact.toString());
  }

  #refuse(reason: string): void {
    this.#call.signal({ type: 'sip.transfer-refused', call: this.#call.id, reason });
  }
}
