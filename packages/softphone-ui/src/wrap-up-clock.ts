/**
 * The time an agent has for the wrap-up: when it ends, and what a screen reader is told of it. Owns one timer for all wrap-ups that are open.
 * The clock stands while another talk goes on; the engine then begins the time anew. Must never submit anything itself.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallState, ClockPort, PhoneState } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import { texts } from './texts.ts';

export interface WrapUpClock {
  /** Spoken at the start and when little is left; empty in between. */
  readonly words: ReadonlySignal<string>;
  /** To be called with every new state, and when the allowed time changed. */
  follow(state: PhoneState): void;
  stop(): void;
}

export interface WrapUpClockOptions {
  readonly clock: ClockPort;
  /** The time allowed, seconds; 0: as long as it takes. */
  readonly seconds: () => number;
  /** Called once per wrap-up and time given. */
  readonly timeUp: (call: CallState) => void;
}

const warnedBeforeMs = 10_000;

/** When the time for this wrap-up is over, epoch ms; null when it has none. */
export function wrapUpEndsAt({ wrapUpSince, moreTime }: CallState, seconds: number): number | null {
  return seconds === 0 || wrapUpSince === null ? null : wrapUpSince + seconds * 1_000 * (1 + moreTime);
}

/** Watches nothing until `follow`. */
export function createWrapUpClock({ clock, seconds, timeUp }: WrapUpClockOptions): WrapUpClock {
  const words = signal('');
  /** What was told of each wrap-up, and for which end of its time. */
  const told = new Map<CallId, { readonly endsAt: number; readonly step: 'begun' | 'warned' | 'over' }>();
  let timer: unknown = null;

  function stop(): void {
    if (timer !== null) clock.clearTimeout(timer);
    timer = null;
  }

  function follow(state: PhoneState): void {
    stop();
    for (const id of told.keys()) if (!state.calls.some((call) => call.id === id)) told.delete(id);
    if (told.size === 0) words.value = '';
    if (state.calls.some((call) => call.phase !== 'ended' && call.phase !== 'incoming')) return;
    const now = clock.now();
    const over: CallState[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const call of state.calls) {
      const endsAt = wrapUpEndsAt(call, seconds());
      if (endsAt === null) continue;
      const left = endsAt - now;
      const known = told.get(call.id);
      const before = known?.endsAt === endsAt ? known.step : null;
      const step = left <= 0 ? 'over' : left <= warnedBeforeMs ? 'warned' : 'begun';
      if (step !== 'over') next = Math.min(next, step === 'begun' ? left - warnedBeforeMs : left);
      if (step === before) continue;
      told.set(call.id, { endsAt, step });
      if (step === 'over') over.push(call);
      else
        words.value =
          known === undefined ? texts.wrapUpBegins(Math.ceil(left / 1_000)) : texts.wrapUpLeft(Math.ceil(left / 1_000));
    }
    if (next < Number.POSITIVE_INFINITY) timer = clock.setTimeout(() => follow(state), next);
    for (const call of over) timeUp(call);
  }

  return { words, follow, stop };
}
