/**
 * Owns what becomes of a call whose far side asks it to go somewhere else (REFER): whether it goes, its successor on the way, and what the far side
 * is told of it. Must never dial where the profile or `transfer-request.ts` does not let it.
 */
import type { Referral } from 'sip.js/lib/api/referral.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { CallSurroundings, Following, SentCall } from './call-surroundings.ts';
import { readTransferRequest, reporter } from './transfer-request.ts';

export class SentOn {
  readonly #call: SentCall;
  readonly #around: CallSurroundings;
  #following: Following | undefined;

  constructor(call: SentCall, around: CallSurroundings) {
    this.#call = call;
    this.#around = around;
  }

  /** A successor is on its way. */
  get underWay(): boolean {
    return this.#following !== undefined;
  }

  /**
   * Shortcoming 18: without a delegate sip.js would dial wherever a stranger's REFER points.
   * @param dialog of the call while it is connected
   */
  take(referral: Referral, dialog: SessionDialog | undefined): void {
    const { account, userAgent } = this.#around;
    const { request } = referral;
    const target = account.followTransfers ? readTransferRequest(request, account.domain) : null;
    if (!target || !dialog || this.#following) {
      void referral.reject({ statusCode: 603 }).catch(() => {});
      return;
    }
    // RFC 4488: the far side may want no reports.
    const quiet = /^\s*false\b/i.test(request.getHeader('refer-sub') ?? '');
    void referral.accept({ statusCode: 202, extraHeaders: quiet ? ['Refer-Sub: false'] : [] }).catch(() => {});
    const report = reporter(dialog, userAgent.contact.toString(), !quiet);
    report('100 Trying', false);
    this.#following = this.#around.follow(this.#call, {
      ...target,
      report: (status, final) => {
        if (final) this.#following = undefined;
        report(status, final);
      },
    });
    if (!this.#following) report('503 Service Unavailable', true);
  }

  /** The far side hung up: from here on the successor is all that counts. */
  farSideLeft(): void {
    this.#following?.farSideLeft();
  }

  giveUp(): void {
    this.#following?.giveUp();
  }
}
