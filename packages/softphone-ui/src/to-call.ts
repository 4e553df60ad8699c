/**
 * What the agent has to call: call-backs with a time, and the dial list, as the relay keeps them. Owns when one is due, that a call that was
 * answered takes its entry off the list when it ends, with a way back, and the call-backs planned from wrap-ups. Must never dial by itself.
 */
import { type CallId, newCallId, type RecordRef, type ToCall, type ToCallRequest } from '@patchcord/call-protocol';
import type { CallState, ClockPort, SharedPhone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Numbers } from './numbers.ts';
import type { RelayClient } from './relay-client.ts';
import { texts } from './texts.ts';

export interface ToCalls {
  /** As the relay orders them: call-backs by time, then the dial list. */
  readonly entries: ReadonlySignal<readonly ToCall[]>;
  /** Epoch ms, moved on when something becomes due and every minute while there are entries. */
  readonly now: ReadonlySignal<number>;
  /** When the call-back is that was planned here from a call's wrap-up, epoch ms. */
  readonly planned: ReadonlySignal<ReadonlyMap<CallId, number>>;
  /** What was done last and can be taken back, for a moment. */
  readonly undo: ReadonlySignal<ToCall | null>;
  /** What a screen reader is told. */
  readonly words: ReadonlySignal<string>;
  /** Loads the list; what the relay can't tell now stays as it was. */
  reload(): Promise<void>;
  /** Dials an entry; if it is answered, the entry is done when the call ends. */
  call(entry: ToCall): Promise<void>;
  /** @param at Epoch ms */
  postpone(entry: ToCall, at: number): Promise<void>;
  done(entry: ToCall): Promise<void>;
  takeBack(): Promise<void>;
  /** Plans the one call-back to whom a call was with, or moves it. @param at Epoch ms; @param name as it is shown */
  plan(call: CallState, at: number, name: string, note: string): Promise<void>;
  unplan(call: CallId): Promise<void>;
  /** The wrap-up of a call is saved: its note goes along with the call-back. */
  saved(call: CallState): void;
  /** A call is over. */
  ended(call: CallState): void;
  close(): void;
}

export interface ToCallsOptions {
  readonly relay: Pick<RelayClient, 'toCall' | 'addToCall' | 'changeToCall'>;
  readonly clock: ClockPort;
  readonly dial: (number: string, record: RecordRef | null) => Promise<void>;
  readonly numbers: ReadonlySignal<Numbers>;
  /** The frame that has the line tells what no frame in particular has to tell. */
  readonly phone: Pick<SharedPhone, 'role'>;
  readonly notify: (tone: 'info' | 'warning', text: string) => void;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const undoMs = 30_000;

/** Starts empty; `reload` fills it. */
export function createToCalls(options: ToCallsOptions): ToCalls {
  const { clock, relay, notify } = options;
  const entries = signal<readonly ToCall[]>([]);
  const now = signal(clock.now());
  const undo = signal<ToCall | null>(null);
  const words = signal('');
  const planned = signal<ReadonlyMap<CallId, number>>(new Map());
  /** What the relay was asked for from each wrap-up. */
  const asks = new Map<CallId, ToCallRequest>();
  const announced = new Set<string>();
  const dialled = new Set<string>();
  let timer: unknown = null;
  let undoTimer: unknown = null;
  let asked = 0;

  /** A number in one form, so that two writings of it are equal. */
  function plain(number: string): string {
    return options.numbers.value.toE164(number) ?? number;
  }

  function tick(): void {
    clock.clearTimeout(timer);
    now.value = clock.now();
    const fresh = entries.value.filter((entry) => isDue(entry, now.value) && !announced.has(keyOf(entry)));
    for (const entry of fresh) announced.add(keyOf(entry));
    const [first] = fresh;
    if (first !== undefined)
      words.value = fresh.length === 1 ? texts.callBackDue(nameOfEntry(first)) : texts.callBacksDue(fresh.length);
    const waits = entries.value.flatMap(({ dueAt }) =>
      dueAt !== null && dueAt > now.value ? [dueAt - now.value] : [],
    );
    timer = entries.value.length === 0 ? null : clock.setTimeout(tick, Math.min(minuteMs, ...waits));
  }

  function show(next: readonly ToCall[]): void {
    entries.value = next;
    tick();
  }

  async function reload(): Promise<void> {
    const mine = ++asked;
    try {
      const next = await relay.toCall();
      if (mine !== asked) return;
      if (next.some(({ id }) => id === undo.value?.id)) undo.value = null;
      show(next);
    } catch {
      // It is told again when the relay is back.
    }
  }

  async function change(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      void reload();
      return true;
    } catch (error) {
      notify('warning', error instanceof Error ? error.message : '');
      void reload();
      return false;
    }
  }

  function takeOff(entry: ToCall): void {
    // An answer that is under way still has it.
    asked += 1;
    show(entries.value.filter(({ id }) => id !== entry.id));
    undo.value = entry;
    clock.clearTimeout(undoTimer);
    undoTimer = clock.setTimeout(() => {
      undo.value = null;
    }, undoMs);
  }

  function setPlanned(call: CallId, at: number | undefined): void {
    const next = new Map(planned.value);
    if (at === undefined) next.delete(call);
    else next.set(call, at);
    planned.value = next;
  }

  /** Asked again with the same id the relay answers what it has, in whichever frame it was planned. */
  async function addOrMove(request: ToCallRequest, dueAt: number): Promise<void> {
    const { id, dueAt: due, doneAt } = await relay.addToCall(request);
    if (due !== dueAt || doneAt !== null) await relay.changeToCall(id, { dueAt, done: false });
  }

  return {
    entries,
    now,
    planned,
    undo,
    words,
    reload,
    async call(entry) {
      dialled.add(entry.id);
      await options.dial(entry.number, entry.record);
    },
    async postpone({ id }, at) {
      if (await change(relay.changeToCall(id, { dueAt: at })))
        notify('info', texts.callBackAt(timeWords(at, clock.now())));
    },
    async done(entry) {
      takeOff(entry);
      if (!(await change(relay.changeToCall(entry.id, { done: true })))) undo.value = null;
    },
    async takeBack() {
      const entry = undo.value;
      undo.value = null;
      if (entry !== null) await change(relay.changeToCall(entry.id, { done: false }));
    },
    async plan(call, at, name, note) {
      const before = planned.value.get(call.id);
      const ask: ToCallRequest = {
        ...(asks.get(call.id) ?? {
          id: call.id,
          kind: 'call-back',
          number: call.farSide.e164 ?? call.farSide.number,
          name: name.slice(0, 255),
          record: call.record,
          note: noteOf(note),
        }),
        dueAt: at,
      };
      asks.set(call.id, ask);
      setPlanned(call.id, at);
      if (!(await change(addOrMove(ask, at)))) setPlanned(call.id, before);
    },
    async unplan(call) {
      const before = planned.value.get(call);
      setPlanned(call, undefined);
      if (!(await change(relay.changeToCall(call, { done: true })))) setPlanned(call, before);
    },
    saved(call) {
      const ask = asks.get(call.id);
      const note = noteOf(call.note);
      asks.delete(call.id);
      if (!planned.value.has(call.id)) return;
      setPlanned(call.id, undefined);
      if (ask === undefined || ask.note === note) return;
      // The relay keeps the note an entry came with: another takes its place.
      const added = relay.addToCall({ ...ask, id: newCallId(), record: call.record, note });
      void change(added.then(() => relay.changeToCall(call.id, { done: true })));
    },
    ended(call) {
      if (call.direction !== 'outbound' || call.answeredAt === null) return;
      const number = plain(call.farSide.e164 ?? call.farSide.number);
      // One that is for next week stays, unless it was called from the list.
      const soon = clock.now() + hourMs;
      const entry = entries.value.find(
        ({ id, dueAt, number: wanted }) => (dialled.has(id) || (dueAt ?? 0) <= soon) && plain(wanted) === number,
      );
      if (entry === undefined) return;
      takeOff(entry);
      // Only the frame it was dialled in knows that one for next week is meant.
      if (options.phone.role() === 'owner' || dialled.has(entry.id))
        void change(relay.changeToCall(entry.id, { done: true }));
    },
    close() {
      clock.clearTimeout(timer);
      clock.clearTimeout(undoTimer);
    },
  };
}

/** Postponed, it is told again. */
const keyOf = ({ id, dueAt }: ToCall): string => `${id} ${dueAt}`;

export function isDue({ dueAt }: ToCall, now: number): boolean {
  return dueAt !== null && dueAt <= now;
}

export function nameOfEntry({ name, record, number }: ToCall): string {
  return name ?? record?.name ?? number;
}

const noteOf = (note: string): string | null => note.slice(0, 2_000) || null;

/** Today by the clock, another day with its date. */
export function timeWords(at: number, now: number): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (then.toDateString() === new Date(now).toDateString()) return time;
  return `${then.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short' })}, ${time}`;
}
