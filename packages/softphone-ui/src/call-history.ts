/**
 * The agent's own recent calls, as the relay tells them, and how many of them were missed since the agent last looked. Owns loading and the
 * mark of the last look; must never invent an entry: what the relay does not have yet is not shown.
 */
import { type CallSummary, PatchcordError } from '@patchcord/call-protocol';
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { RelayClient } from './relay-client.ts';
import { texts } from './texts.ts';

export type HistoryFilter = 'all' | 'missed' | 'unlogged';

export interface CallHistory {
  readonly calls: ReadonlySignal<readonly CallSummary[]>;
  readonly shown: ReadonlySignal<readonly CallSummary[]>;
  readonly filter: ReadonlySignal<HistoryFilter>;
  readonly status: ReadonlySignal<'idle' | 'loading' | 'ready' | 'failed'>;
  readonly problem: ReadonlySignal<string>;
  /** Missed calls since the agent last opened the list. */
  readonly missed: ReadonlySignal<number>;
  /** Calls that are not in the CRM and will not get there by themselves. */
  readonly unlogged: ReadonlySignal<number>;
  /** The list is on screen: load it and take its calls as seen. */
  open(): Promise<void>;
  leave(): void;
  reload(): Promise<void>;
  setFilter(filter: HistoryFilter): void;
  /** Has the log of a call tried again. */
  retryLog(call: CallSummary): Promise<void>;
}

/** Remembers when the agent last looked, epoch ms; where storage is refused, for the life of the page. */
export interface MissedMark {
  read(): number;
  write(at: number): void;
}

export interface CallHistoryOptions {
  readonly relay: Pick<RelayClient, 'history' | 'retryLog'>;
  readonly missedMark: MissedMark;
}

const length = 50;

/** Starts empty; `reload` fills it. */
export function createCallHistory({ relay, missedMark }: CallHistoryOptions): CallHistory {
  const calls = signal<readonly CallSummary[]>([]);
  const status = signal<'idle' | 'loading' | 'ready' | 'failed'>('idle');
  const problem = signal('');
  const filter = signal<HistoryFilter>('all');
  const seenUntil = signal(missedMark.read());
  let onScreen = false;

  function see(): void {
    const newest = calls.value.reduce((latest, call) => Math.max(latest, call.startedAt), seenUntil.value);
    if (newest === seenUntil.value) return;
    seenUntil.value = newest;
    missedMark.write(newest);
  }

  async function reload(): Promise<void> {
    status.value = 'loading';
    try {
      calls.value = await relay.history(length);
      status.value = 'ready';
      if (onScreen) see();
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    problem.value = error instanceof PatchcordError ? error.message : texts.historyFailed;
    status.value = 'failed';
  }

  return {
    calls,
    shown: computed(() => calls.value.filter(filters[filter.value])),
    filter,
    status,
    problem,
    missed: computed(() => calls.value.filter((call) => isMissed(call) && call.startedAt > seenUntil.value).length),
    unlogged: computed(() => calls.value.filter(isUnlogged).length),
    async open() {
      onScreen = true;
      see();
      await reload();
    },
    leave() {
      onScreen = false;
    },
    reload,
    setFilter(next) {
      filter.value = next;
    },
    async retryLog({ callId }) {
      try {
        await relay.retryLog(callId);
        await reload();
      } catch (error) {
        fail(error);
      }
    },
  };
}

/** Nobody answered an inbound call. A call that was declined, or answered on another device, was not missed. */
export function isMissed(call: CallSummary): boolean {
  return call.direction === 'inbound' && call.outcome === 'missed';
}

/** The relay gave the log up; the reason is in `logReason`. */
function isUnlogged(call: CallSummary): boolean {
  return call.log === 'failed';
}

const filters: Readonly<Record<HistoryFilter, (call: CallSummary) => boolean>> = {
  all: () => true,
  missed: isMissed,
  unlogged: isUnlogged,
};

/** A mark kept in the page's own storage. */
export function createMissedMark(storage: () => Pick<Storage, 'getItem' | 'setItem'>, agent: string): MissedMark {
  const key = `patchcord.seen.${agent}`;
  let remembered = 0;
  return {
    read() {
      try {
        return Math.max(remembered, Number(storage().getItem(key)) || 0);
      } catch {
        return remembered;
      }
    },
    write(at) {
      remembered = at;
      try {
        storage().setItem(key, String(at));
      } catch {
        // The mark then lives as long as the page.
      }
    },
  };
}
