/**
 * Owns the calls of an earlier owner on their way back: what becomes of each by the stage it was in (docs/adr/0016), and calls whose connection went
 * where the phone system can't follow. Loaded when there is one.
 * Must never tell a call's end twice, and never let one wait for ever.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { KeptDialog } from '../ports.ts';
import type { RecoveryWay } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import { cancelLost } from './lost-invite.ts';
import type { OutboundCall } from './outbound-call.ts';
import { Recovery } from './recovery.ts';
import { recoveryWays } from './recovery-way.ts';
import { ResumedCall } from './resumed-call.ts';
import type { SipCall } from './sip-call.ts';

export interface TakingUpOptions {
  readonly around: ActingSurroundings;
  microphoneGranted(): boolean;
  /** Knows a call that is on its way, without making it the one of its id. */
  place(call: OutboundCall): void;
  /** Makes a call the one of its id. */
  takeOver(call: SipCall): void;
}

export class TakingUp {
  readonly #options: TakingUpOptions;
  /** What waits for the line. */
  readonly #waiting = new Set<() => void>();
  readonly #moving = new Map<SipCall, Recovery>();
  #ready = false;

  constructor(options: TakingUpOptions) {
    this.#options = options;
  }

  /** Takes up what is up, and cancels what was being placed; others are not its business. Returns at once. */
  take(kept: KeptDialog): void {
    if (kept.stage === 'inviting')
      this.#cancel(kept, () =>
        this.#over(kept.call, 'The page of the phone went away while the call was being placed.'),
      );
    else if (kept.stage === 'confirmed') this.#resume(kept);
  }

  /** Takes it up only to end it. */
  end(kept: KeptDialog): void {
    if (kept.stage === 'inviting') this.#cancel(kept, () => {});
    if (kept.stage !== 'confirmed') return;
    const { around, takeOver } = this.#options;
    try {
      const call = new ResumedCall(kept, { ...around, signal: () => {} });
      takeOver(call);
      call.hangUp();
    } catch {
      // Nobody can be told.
    }
  }

  lineReady(): void {
    this.#ready = true;
    for (const run of [...this.#waiting]) run();
    this.#waiting.clear();
  }

  /**
   * The call's connection is another one, and its phone system keeps sending to the old one: it is replaced onto the new one.
   * @param otherwise runs when it cannot be
   */
  move(call: SipCall, otherwise: () => void): void {
    const { around, place, takeOver } = this.#options;
    const done = () => this.#moving.delete(call);
    const failed = () => {
      done();
      otherwise();
    };
    let recovery = this.#moving.get(call);
    if (!recovery) {
      recovery = new Recovery({
        ...{ around, standing: call, ways: ['replaces'], place, takeOver },
        ...{ onBack: done, onFailed: failed },
      });
      recovery.prepare(true);
      this.#moving.set(call, recovery);
    }
    void recovery.run();
  }

  get #userAgent() {
    return this.#options.around.userAgent;
  }

  #whenReady(run: () => void): void {
    if (this.#ready && this.#options.around.connected()) run();
    else this.#waiting.add(run);
  }

  #cancel(kept: KeptDialog, done: () => void): void {
    const { around } = this.#options;
    // This page may go as well before that has worked.
    const over = around.owe(kept);
    this.#whenReady(() => {
      cancelLost(kept, this.#userAgent, around.clock, over);
      done();
    });
  }

  #resume(kept: KeptDialog): void {
    const { around, place, takeOver, microphoneGranted } = this.#options;
    let call: ResumedCall;
    try {
      call = new ResumedCall(kept, around);
    } catch {
      this.#over(kept.call, 'What was kept of the call cannot be used.');
      return;
    }
    takeOver(call);
    const ways = recoveryWays(kept, around.account.recovery);
    const recovery = new Recovery({
      ...{ around, standing: call, ways, place, takeOver },
      onBack: (way, peer) => {
        call.isBack();
        this.#back(kept.call, way, peer);
      },
      onFailed: (accepted) =>
        call.beLost(
          accepted ? 'The sound of the call did not come back.' : 'The far side did not take the call again.',
        ),
    });
    call.onLineBack = () => void recovery.run();
    if (ways[0] === 'resume') void call.prepare(microphoneGranted()).catch(() => {});
    else recovery.prepare(microphoneGranted());
    this.#whenReady(() => {
      if (!call.ended) void recovery.run();
    });
  }

  #back(call: CallId, way: RecoveryWay, peer: string): void {
    this.#options.around.signal({ type: 'sip.recovered', call, way, peer });
  }

  #over(call: CallId, reason: string): void {
    this.#options.around.signal({ type: 'sip.ended', call, by: 'network', code: 0, reason });
  }
}
