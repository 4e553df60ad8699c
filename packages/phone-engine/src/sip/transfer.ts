/**
 * Owns a transfer in progress: the REFER (RFC 3515), the NOTIFYs about it, and the deadlines. sip.js shortcoming 13: it sends the REFER and leaves
 * the rest to its user, ending nothing. Must never end a call: it tells what became of the transfer, the call decides.
 */
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { Session as Dialog } from 'sip.js/lib/core/session/session.js';
import type { ClockPort } from '../ports.ts';

export interface TransferOutcome {
  onRinging(): void;
  onDone(): void;
  onRefused(reason: string): void;
  /** It was taken back here, and the target answered all the same. */
  onDoneAfterAll(): void;
}

/** The far side should accept or refuse the REFER itself within this. */
const acceptMs = 10_000;
/** After 202: how long without any NOTIFY. A PBX that never reports has to be assumed not to have done it. */
const firstNotifyMs = 30_000;
/** How long the target may ring. */
const ringingMs = 90_000;

export class Transfer {
  readonly #clock: ClockPort;
  readonly #outcome: TransferOutcome;
  #accepted = false;
  #settled = false;
  #takenBack = false;
  /** The target rings, as far as we were told. */
  #targetRings = false;
  #deadline: unknown;

  constructor(clock: ClockPort, outcome: TransferOutcome) {
    this.#clock = clock;
    this.#outcome = outcome;
  }

  /** True once the far side said it will try. */
  get accepted(): boolean {
    return this.#accepted;
  }
  get settled(): boolean {
    return this.#settled;
  }

  /** Sends the REFER. `referTo` is the whole header value. */
  start(dialog: Dialog, referTo: string, referredBy: string, contact: string): void {
    this.#wait(acceptMs, 'The far side did not answer the transfer request.');
    const refuse = (code: number, phrase: string) => this.#refuse(refusal(code, phrase));
    try {
      dialog.refer(
        {
          onAccept: () => {
            if (this.#settled) return;
            this.#accepted = true;
            this.#wait(firstNotifyMs, 'The PBX accepted the transfer but never said what became of it.');
          },
          onReject: ({ message }) => refuse(message.statusCode ?? 0, message.reasonPhrase ?? ''),
          onRedirect: ({ message }) => refuse(message.statusCode ?? 0, message.reasonPhrase ?? ''),
        },
        { extraHeaders: [`Refer-To: ${referTo}`, `Referred-By: <${referredBy}>`, `Contact: ${contact}`] },
      );
    } catch {
      this.#refuse('The transfer request could not be sent.');
    }
  }

  /** Takes a NOTIFY of this call; answers it in any case. */
  take(notification: Notification): void {
    void notification.accept().catch(() => {});
    const event = notification.request.getHeader('event') ?? '';
    if (this.#settled || !/^\s*refer\b/i.test(event)) return;
    const status = readSipfrag(notification.request.body);
    const state = notification.request.getHeader('subscription-state') ?? '';
    // Some phones call the subscription terminated with every report, also with "100 Trying". Only a reason other than "all was said" ends it.
    const lastWord =
      /^\s*terminated\b/i.test(state) &&
      (status === null || /;\s*reason\s*=\s*(?:timeout|giveup|rejected|deactivated|probation)\b/i.test(state));
    if (lastWord && (status === null || status.code < 200)) {
      this.#refuse('The phone system stopped reporting, so nobody knows what became of the transfer.');
      return;
    }
    if (status === null) return;
    if (status.code < 200) {
      if (status.code > 100) {
        this.#targetRings = true;
        if (!this.#takenBack) this.#outcome.onRinging();
      }
      this.#wait(ringingMs, 'The target did not answer.');
    } else if (status.code < 300) this.#done();
    else this.#refuse(refusal(status.code, status.phrase));
  }

  /**
   * The far side hung up while we waited. One that accepted the transfer and reported nothing has left to make it; one that hung up while the
   * target rang has given up.
   */
  farSideLeft(): void {
    if (this.#accepted && !this.#targetRings) this.#done();
    else this.cancel();
  }

  /**
   * The agent wants the call back. No request takes a REFER back (RFC 3515 and RFC 5589 know none), so this is said as it is: the call is the
   * agent's again, unless the target answers.
   */
  takeBack(): void {
    if (this.#settled || this.#takenBack) return;
    this.#outcome.onRefused(
      this.#accepted
        ? 'The far side cannot be told to stop. The call is yours again, and ends only if the target still answers.'
        : 'The transfer had already been asked for. The call is yours again, and ends only if the target still answers.',
    );
    this.#takenBack = true;
  }

  cancel(): void {
    this.#settled = true;
    this.#clock.clearTimeout(this.#deadline);
  }

  #done(): void {
    if (this.#settled) return;
    this.cancel();
    if (this.#takenBack) this.#outcome.onDoneAfterAll();
    else this.#outcome.onDone();
  }

  #refuse(reason: string): void {
    if (this.#settled) return;
    this.cancel();
    if (!this.#takenBack) this.#outcome.onRefused(reason);
  }

  #wait(ms: number, otherwise: string): void {
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = this.#clock.setTimeout(() => this.#refuse(otherwise), ms);
  }
}

/** The status line inside a message/sipfrag body (RFC 3420), or null. */
export function readSipfrag(body: string): { readonly code: number; readonly phrase: string } | null {
  const match = /^\s*SIP\/2\.0\s+([1-6]\d\d)\b[ \t]*([^\r\n]*)/i.exec(body);
  return match ? { code: Number(match[1]), phrase: (match[2] ?? '').trim().slice(0, 80) } : null;
}

/**
 * A Refer-To value that makes the target replace its dialog with us (RFC 3891 section 3, RFC 5589 section 7). The tags are named from the
 * target's point of view: its own tag is our remote one.
 */
export function referToReplacing(dialog: Pick<Dialog, 'remoteTarget' | 'callId' | 'remoteTag' | 'localTag'>): string {
  const replaces = `${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`;
  return `<${dialog.remoteTarget.toString()}?Replaces=${encodeURIComponent(replaces)}>`;
}

function refusal(code: number, phrase: string): string {
  if (code === 486 || code === 600) return 'The target is busy.';
  if (code === 404 || code === 604) return 'The PBX does not know this target.';
  if (code === 480 || code === 408 || code === 487) return 'The target did not answer.';
  if (code === 603) return 'The target declined the call.';
  if (code === 501 || code === 405) return 'The far side cannot transfer calls.';
  return `The transfer was refused (${code}${phrase === '' ? '' : ` ${phrase}`}).`;
}
