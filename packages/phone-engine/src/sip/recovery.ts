/**
 * Owns how one interrupted call comes back to life: by a re-INVITE in its dialog, or by an INVITE that replaces it, one after the other, each judged
 * by its sound (docs/adr/0016). Must never give up a call that has sound, nor tell that it is back before it has.
 */
import type { KeptDialog, SipAccount } from '../ports.ts';
import type { RecoveryWay, SipSignal } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import { GatedSound } from './gated-sound.ts';
import { replacesHeaders } from './kept-dialog.ts';
import { OutboundCall } from './outbound-call.ts';
import { isAsterisk, isFreeSwitch, peerName } from './recovery-way.ts';
import { addressOf } from './resumed-session.ts';
import type { SipCall } from './sip-call.ts';

/** For the answer, and then for the sound, while another way is left; and for the last one. */
const answerMs = { next: 4_000, last: 20_000 };
const soundMs = { next: 2_500, last: 8_000 };

export interface RecoveryOptions {
  readonly around: ActingSurroundings;
  /** The call whose dialog it is. */
  readonly standing: SipCall;
  readonly ways: readonly RecoveryWay[];
  /** Knows a call that is on its way, without making it the one of its id. */
  readonly place: (call: OutboundCall) => void;
  /** Makes a call the one of its id. */
  readonly takeOver: (call: OutboundCall) => void;
  /** It has sound again. */
  readonly onBack: (way: RecoveryWay, peer: string) => void;
  /** No way is left. `accepted`: the far side took one of them, but no sound came of it. */
  readonly onFailed: (accepted: boolean) => void;
}

interface Replacement {
  readonly call: OutboundCall;
  readonly prepared: Promise<boolean>;
  /** Resolves true when the far side took it in the place of the other. */
  readonly taken: Promise<boolean>;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #peer: string;
  #current: SipCall;
  /** The far side said goodbye to the call that is being replaced. */
  #farSideLeft = false;
  #prepared: Replacement | undefined;
  #pending: Replacement | undefined;
  /** Tries of an earlier connection mean nothing any more. */
  #round = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#current = options.standing;
    this.#peer = peerName(options.standing.kept?.peer ?? '');
    options.standing.moveInto({
      farSideLeft: () => {
        if (this.#pending) this.#farSideLeft = true;
        else options.standing.farSideGone('');
      },
      giveUp: () => this.giveUp(),
    });
  }

  /** Makes ready what the first way needs, so that its request leaves in the same breath as the line is ready. */
  prepare(microphoneGranted: boolean): void {
    if (this.#options.ways[0] === 'replaces') this.#prepared = this.#replacement(microphoneGranted);
  }

  /** Tries what there is. To be called whenever the line is ready while the call is not back. Never rejects. */
  async run(): Promise<void> {
    const round = ++this.#round;
    const { ways, around, onFailed, onBack } = this.#options;
    const { id } = this.#current;
    const stale = () => round !== this.#round || this.#current.ended;
    this.#abandonPending();
    let upOnly: RecoveryWay | undefined;
    let taken = false;
    // Told when it is known that the call is there at all: of one that is over, no way would have worked.
    const tried: Extract<SipSignal, { type: 'sip.recovery-tried' }>[] = [];
    const settled = () => this.#options.standing.moveInto(undefined);
    const back = (by: RecoveryWay) => {
      settled();
      for (const signal of tried) around.signal({ ...signal, worked: signal.way === by });
      onBack(by, this.#peer);
    };
    for (const [index, way] of ways.entries()) {
      const pace = index === ways.length - 1 ? 'last' : 'next';
      const accepted = await (way === 'resume' ? this.#resume(pace) : this.#replace(pace));
      if (stale()) return;
      taken ||= accepted;
      const sound = accepted ? await this.#sound(pace) : 'none';
      if (stale()) return;
      const worked = sound === 'heard' || (sound === 'up' && pace === 'last');
      tried.push({ type: 'sip.recovery-tried', call: id, way, peer: this.#peer, worked });
      around.log('info', 'call.recovery-tried', { call: id, way, worked });
      if (worked) return back(way);
      if (sound === 'up') upOnly = way;
    }
    // Nobody speaks at the other end, and the other way is no better: the path is there, and that is all that can be known.
    if (upOnly !== undefined && (await this.#current.media.path.isUp())) return back(upOnly);
    if (stale()) return;
    settled();
    for (const signal of tried) around.signal(signal);
    onFailed(taken);
  }

  /** The agent ends the call. */
  giveUp(): void {
    this.#round += 1;
    this.#abandonPending();
    this.#prepared?.call.hangUp();
  }

  async #resume(pace: 'next' | 'last'): Promise<boolean> {
    const { clock } = this.#options.around;
    return new Promise((resolve) => {
      const deadline = clock.setTimeout(() => resolve(false), answerMs[pace]);
      void this.#current.offerAnew(true).then(({ ok }) => {
        clock.clearTimeout(deadline);
        resolve(ok);
      });
    });
  }

  async #replace(pace: 'next' | 'last'): Promise<boolean> {
    const { clock } = this.#options.around;
    const replacement = this.#prepared ?? this.#replacement(true);
    this.#prepared = undefined;
    if (!replacement) return false;
    const { call, prepared, taken } = replacement;
    this.#pending = replacement;
    const standing = this.#current;
    if (await prepared) void call.send();
    const deadline = clock.setTimeout(() => call.hangUp(), answerMs[pace]);
    const accepted = await taken;
    clock.clearTimeout(deadline);
    if (this.#pending === replacement) this.#pending = undefined;
    if (!accepted && this.#farSideLeft) standing.farSideGone('');
    return accepted;
  }

  #replacement(microphoneGranted: boolean): Replacement | undefined {
    const { around, place, takeOver } = this.#options;
    const standing = this.#current;
    const { kept } = standing;
    if (kept?.stage !== 'confirmed') return undefined;
    const sound = new GatedSound(around.sound);
    let settle: (taken: boolean) => void = () => {};
    const taken = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    let over = false;
    const before = (signal: SipSignal): void => {
      if (signal.type === 'sip.ended') settle(false);
      if (signal.type !== 'sip.answered') return;
      over = true;
      const { held, muted, farHeld } = standing;
      call.mute(muted);
      standing.retire();
      sound.open();
      takeOver(call);
      this.#current = call;
      if (farHeld && !call.farHeld) this.#signal({ type: 'sip.far-resumed', call: call.id });
      if (held !== call.held) call.hold(held);
      settle(true);
    };
    const from = kept.direction === 'outbound' ? addressOf(kept.localUri) : undefined;
    const call: OutboundCall = new OutboundCall(
      kept.call,
      addressOf(replacementTarget(kept, around.account)),
      { ...around, sound, signal: (signal) => (over ? around.signal(signal) : before(signal)) },
      { headers: replacesHeaders(kept), inPlaceOf: { number: kept.number, from, routes: kept.routes } },
    );
    if (kept.held) call.beginHeld();
    call.mute(kept.muted);
    place(call);
    return { call, prepared: call.prepare(microphoneGranted), taken };
  }

  #abandonPending(): void {
    this.#pending?.call.hangUp();
    this.#pending = undefined;
  }

  /** `up`: the path is, and nothing comes over it. */
  async #sound(pace: 'next' | 'last'): Promise<'heard' | 'up' | 'none'> {
    const { clock } = this.#options.around;
    const call = this.#current;
    const { path } = call.media;
    const until = clock.now() + soundMs[pace];
    const late = () => call.ended || clock.now() >= until;
    let deadline: unknown;
    const tooLate = new Promise<false>((resolve) => {
      deadline = clock.setTimeout(() => resolve(false), soundMs[pace]);
    });
    let up = false;
    while (!up && !late()) up = await Promise.race([path.isUp(), tooLate]);
    clock.clearTimeout(deadline);
    if (!up) return 'none';
    if (call.held || call.farHeld) return 'heard';
    return (await path.soundComes(late)) ? 'heard' : 'up';
  }

  #signal(signal: SipSignal): void {
    if (!this.#current.ended) this.#options.around.signal(signal);
  }
}

/** Where an INVITE goes that replaces this dialog. */
function replacementTarget({ peer, direction, remoteUri, remoteTarget }: KeptDialog, account: SipAccount): string {
  // Taken for a new call where there is nothing to replace: to a number that nobody has.
  if (isFreeSwitch(peer)) return `sip:resume-none@${account.domain}`;
  // Refused unless the number exists, and to a number that does it is refused where there is nothing to replace.
  if (isAsterisk(peer)) return direction === 'outbound' ? remoteUri : `sip:${account.extension}@${account.domain}`;
  return remoteTarget;
}
