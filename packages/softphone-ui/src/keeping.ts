/**
 * Between the phone that this frame owns and what is kept of it for the next owner: takes up what the owner before left, and from then on keeps
 * calls, dialogs and signs of life, here sealed and at the relay. Owns the order: nothing is kept before the rest of the owner before is taken up,
 * and each call has one end. Must never hold a dialog longer than keeping it, nor tell one to anybody else.
 */
import type { CallId, DeviceId, PhoneEvent } from '@patchcord/call-protocol';
import type { CallState, ClockPort, HandedOver, KeptDialog, OwnedPhone, SharedPhone } from '@patchcord/phone-engine';
import type { Journal } from './journal.ts';
import { type Kept, type KeptCall, mostKeptText, readKept, textOfKept } from './kept-calls.ts';
import { endLeftCalls } from './left-calls.ts';
import type { Notify } from './notices.ts';
import type { SealedCalls } from './sealed-calls.ts';
import { texts } from './texts.ts';

export interface Keeping {
  /** This frame owns the phone: resolves when it has what the owner before left, so that its line may come up. The same while it stays the owner. */
  takeUp(owned: OwnedPhone): Promise<void>;
  /** That; null while nothing is being taken up. */
  takingUp(): Promise<void> | null;
  /** What the host has heard of each call, after every change. */
  keep(calls: readonly KeptCall[]): void;
  /** The owner is alive, or its page goes. */
  seen(leaves: boolean): void;
  happened(event: PhoneEvent): void;
  /** Another frame owns the phone now. */
  letGo(): void;
  /** What this frame gave away on purpose is written down for the next one; resolves to what the relay is to keep. */
  handedOver(handed: HandedOver): Promise<string | null>;
  /** The agent's access is over: nothing stays, and nothing is kept any more. */
  end(): void;
  stop(): void;
}

export interface KeepingOptions {
  readonly device: DeviceId;
  readonly phone: Pick<SharedPhone, 'owned' | 'where' | 'inherited' | 'keep'>;
  readonly journal: Journal;
  readonly clock: ClockPort;
  readonly sealed: SealedCalls;
  /** The host goes on with these; to be done before the phone has them. */
  readonly takeOver: (calls: readonly KeptCall[], resumable: ReadonlySet<CallId>) => void;
  /** Asks for `keep` with what the calls are now. */
  readonly keep: () => void;
  /** So many calls of an earlier page were ended. */
  readonly ended: (count: number) => void;
  readonly notify: Notify;
}

/** The relay's copy says how old it is: unchanged it is sent again after this long, ms. */
const keptAgainMs = 30_000;

/** Keeps nothing until `takeUp`. */
export function createKeeping(options: KeepingOptions): Keeping {
  const { phone, journal, clock, sealed } = options;
  let taking: Promise<void> | null = null;
  /** The rest of the owner before is taken up. */
  let taken = false;
  let over = false;
  let calls: readonly KeptCall[] = [];
  let dialogs: readonly KeptDialog[] = [];
  let stopDialogs: (() => void) | null = null;
  /** When the one before went, epoch ms; null where that is not known to the second. */
  let wentAt: number | null = null;
  let told = '';
  let toldAt = 0;

  async function takeUp(owned: OwnedPhone): Promise<void> {
    const handed = phone.inherited();
    const own = await sealed.read();
    const theirs = handed === null ? own : readKept(handed, clock.now());
    const kept = isOurs(theirs, own) ? own : theirs;
    if (phone.owned() !== owned || over) return;
    // The dialog of a call that is over is there to be ended.
    const done = new Set(kept.calls.flatMap(({ call }) => (call.phase === 'ended' ? [call.id] : [])));
    const resumable = new Set(kept.dialogs.flatMap(({ call }) => (done.has(call) ? [] : [call])));
    wentAt = kept.leaves && kept === own ? kept.at : null;
    dialogs = kept.dialogs;
    stopDialogs = owned.onDialogs((next) => {
      dialogs = next;
      store();
    });
    calls = [];
    taken = true;
    options.takeOver(kept.calls, resumable);
    for (const { call } of kept.calls) tellBeginning(call, kept !== own);
    // Its own end is told by the phone; whatever else the journal has open ended with its page.
    const ending = endLeftCalls(journal, () => clock.now(), kept.calls);
    takeUpNow(owned, kept);
    options.keep();
    void ending.then(options.ended);
  }

  /**
   * Another device that had the phone meanwhile knows more than this one; unless a page of this one took it up since, and went before it could say so. What
   * it said itself is here as well, and newer.
   */
  function isOurs(theirs: Kept, own: Kept): boolean {
    const isThere = own.calls.length > 0 || own.dialogs.length > 0;
    return theirs.by === options.device || (isThere && own.at >= theirs.at);
  }

  /** What is kept of a call is on disk sooner than what was told of it. Of one that another device had, that one told; its end is ours to tell. */
  function tellBeginning({ id, direction, farSide, startedAt, answeredAt, phase }: CallState, handed: boolean): void {
    if (handed) {
      const data = { direction, answered: answeredAt !== null };
      if (phase !== 'ended') void journal.append({ name: 'call.taken-over', at: clock.now(), call: id, data });
      return;
    }
    void journal.append({ name: 'call.started', at: startedAt, call: id, data: { direction, farSide } }, true);
    if (answeredAt !== null) void journal.append({ name: 'call.answered', at: answeredAt, call: id, data: {} }, true);
  }

  function takeUpNow(owned: OwnedPhone, kept: Kept): void {
    const was = kept.calls.map(({ call }) => call);
    if (was.length > 0 || kept.dialogs.length > 0) owned.takeUp(was, kept.dialogs, Math.min(kept.at, clock.now()));
  }

  function store(): void {
    if (!taken || over) return;
    void sealed.write({ calls, dialogs });
    tellRelay(false);
  }

  function tellRelay(again: boolean): void {
    const text = textOfKept({ calls, dialogs });
    if (text === told && !(again && calls.length > 0 && clock.now() - toldAt >= keptAgainMs)) return;
    told = text;
    toldAt = clock.now();
    const sent = textForRelay();
    if (sent !== null) phone.keep(sent);
  }

  function textForRelay(): string | null {
    const text = textOfKept({ by: options.device, calls, dialogs }, clock.now(), mostKeptText);
    return text.length <= mostKeptText ? text : null;
  }

  function letGo(): void {
    stopDialogs?.();
    stopDialogs = null;
    taking = null;
    taken = false;
    told = '';
    // On another device they go on, and end, without this one: what is kept here would take them up once more.
    if (phone.where() === null) return;
    void sealed.clear();
    void journal.dropOpenCalls();
  }

  return {
    takeUp(owned) {
      taking ??= takeUp(owned);
      return taking;
    },
    takingUp: () => (taken ? null : taking),
    keep(next) {
      if (!taken) return;
      calls = next;
      store();
    },
    seen(leaves) {
      if (!taken || over) return;
      sealed.seen(leaves);
      tellRelay(true);
    },
    happened(event) {
      if (event.name !== 'call.recovered' || event.data.way === 'rung-again') return;
      const gapMs = wentAt === null ? null : clock.now() - wentAt;
      options.notify('info', texts.callGoesOn(gapMs === null ? 0 : Math.max(1, Math.round(gapMs / 1_000))));
    },
    letGo,
    async handedOver(handed) {
      if (over) return null;
      dialogs = handed.dialogs;
      if (phone.where() === null) await sealed.write({ calls, dialogs });
      return textForRelay();
    },
    end() {
      over = true;
      letGo();
      void sealed.clear();
    },
    stop: letGo,
  };
}
