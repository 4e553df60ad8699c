/**
 * Calling somebody, from the wish to what follows the answer: the number field, clicks on the page, numbers that wait for the line, digits after
 * the answer, the way back after a consult. Owns what is typed but not called yet; how a number reads is in numbers.ts, whether a call may begin
 * is the engine's. Must never call a number that the agent has changed their mind about.
 */
import { type CallId, type CallSummary, newCallId, type Profile, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, PanelHost } from '@patchcord/crm-adapters/panel';
import {
  type CallState,
  type ClockPort,
  type Command,
  type CommandResult,
  type LineState,
  type PhoneRole,
  type SharedPhone,
  wasJustDialled,
} from '@patchcord/phone-engine';
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { CallHistory } from './call-history.ts';
import { createLastNumber } from './last-number.ts';
import { isCallInFront, type Sheet, type Tab } from './layout.ts';
import { createLineWait } from './line-wait.ts';
import { type CallQuestion, createConsent } from './may-call.ts';
import type { Notify } from './notices.ts';
import type { Numbers } from './numbers.ts';
import { isSubject, shownSubject } from './related-records.ts';
import type { RelayClient } from './relay-client.ts';
import { texts } from './texts.ts';

/** What became of a wish of the page around the phone; `reason` is for a person. */
export interface Granted {
  readonly ok: boolean;
  readonly reason: string;
}

export interface DialOptions {
  readonly record?: RecordRef;
  readonly country?: string;
  /** The call to come back to, or to transfer. */
  readonly consultFor?: CallId;
  /** What was in front of the agent beside whom they call. */
  readonly viewed?: RecordRef;
  /** A click on the page: other frames may have heard it too. */
  readonly fromPage?: boolean;
  /** The agent was told that the far side asked not to be called. */
  readonly agreed?: boolean;
}

/** What screens see and do of it. */
export interface DiallingFace {
  /** What is in the number field of the keypad, of a transfer and of a second call. */
  readonly dialText: ReadonlySignal<string>;
  readonly dialProblem: ReadonlySignal<string | null>;
  typeNumber(text: string): void;
  /** Somebody asked not to be called, and the agent has not decided yet. */
  readonly callQuestion: ReadonlySignal<CallQuestion | null>;
  /** Dials what is in the number field, or puts the last number there; resolves true when the phone took it. */
  dialTyped(): Promise<boolean>;
  dial(typed: string, options?: DialOptions): Promise<boolean>;
  /** A click on the page. `ask`: the number is put before the agent and never dialled by itself. */
  dialFromHost(request: DialRequest, ask?: boolean): Promise<Granted>;
  redial(call: Pick<CallSummary, 'farSide' | 'record'>): Promise<void>;
  /** Puts the call on hold and calls the typed number to ask. */
  consultTyped(call: CallId): Promise<void>;
  /** Ends the consultation and goes back to the call it was for. */
  cancelConsult(consult: CallState): Promise<void>;
  /** Opens the window with the phone. Must be called while a click is handled; false when the browser refused, which the agent is told. */
  openPhoneWindow(): boolean;
  /** What waits for the line is not called. */
  dropWait(): void;
}

export interface Dialling {
  readonly face: DiallingFace;
  /** The number that waits for the line, as in line-wait.ts. */
  readonly waits: ReadonlySignal<string | null>;
  /** What could not be dialled is told: there is no field it stands in. */
  again(number: string, record: RecordRef | null): Promise<void>;
  /** What is in the field, as the PBX wants it; null when it can't be dialled, which `dialProblem` then says. */
  typedTarget(): string | null;
  /** To be called with every new state of the line. */
  follow(line: LineState['status']): void;
  followRole(role: PhoneRole): void;
  answered(call: CallId): void;
  /** Of a call that was up before: after a consultation the agent is back in the call it was for. */
  ended(call: Pick<CallState, 'consultFor'>): void;
  stop(): void;
}

export interface DiallingOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'role' | 'send'>;
  readonly numbers: ReadonlySignal<Numbers>;
  readonly clock: ClockPort;
  readonly profile: ReadonlySignal<Profile>;
  readonly relay: Pick<RelayClient, 'mayCall'>;
  /** The number the far side shall see; null: what the phone system shows by itself. */
  readonly callerId: ReadonlySignal<string | null>;
  readonly history: Pick<CallHistory, 'calls' | 'status' | 'reload'>;
  readonly tab: Signal<Tab>;
  readonly sheet: Signal<Sheet>;
  readonly host: Pick<PanelHost, 'openPhoneWindow'>;
  /** Tells the agent of a refusal. */
  readonly send: (command: Command) => Promise<CommandResult>;
  readonly notify: Notify;
}

/** How a wish to call ended. `asked`: the agent has to decide; `refused`: the tenant allows no such call, which is told. */
type Placed = 'taken' | 'failed' | 'asked' | 'refused';

/** An empty field, and nothing waits. */
export function createDialling(options: DiallingOptions): Dialling {
  const { phone, numbers, sheet, host, send, notify } = options;
  const dialText = signal('');
  const dialProblem = signal<string | null>(null);
  const consent = createConsent(options);
  const lastNumber = createLastNumber(options.history);
  const lineWait = createLineWait(options.clock);
  /** Digits that follow the answer of a call dialled here. */
  const afterAnswer = new Map<CallId, string>();
  /** The record a number in the field came with, and on which sheet a component of the page asked for it; gone as soon as the number is changed. */
  let typedFor: {
    readonly text: string;
    readonly from: Pick<DialOptions, 'record' | 'viewed'>;
    readonly askedOn: Sheet | null;
  } | null = null;
  /** The line has been ready since this frame saw it: what goes away later is no start. */
  let started = phone.state().line.status === 'ready';

  function typeNumber(text: string): void {
    if (text !== dialText.value) lineWait.dropNumber();
    dialText.value = text;
    dialProblem.value = null;
    consent.drop();
    if (typedFor?.text !== text) typedFor = null;
  }

  async function dial(typed: string, dialOptions: DialOptions = {}): Promise<boolean> {
    return (await place(typed, dialOptions)) === 'taken';
  }

  async function place(typed: string, dialOptions: DialOptions): Promise<Placed> {
    const number = numbers.value.read(typed, dialOptions.country);
    if (!number.ok) {
      dialProblem.value = number.reason;
      return 'failed';
    }
    const inField = dialText.value;
    // Asked while the window and its line come up.
    const answer = dialOptions.agreed === true ? null : consent.ask(number.e164);
    if (answer === 'asking') return 'failed';
    if (phone.role() === 'ownerless' && host.openPhoneWindow !== undefined) {
      if (!openPhoneWindow()) return 'failed';
      if (!(await lineReady(number.display, texts.windowNotThere))) return 'failed';
    }
    const from = dialOptions.record;
    if (answer !== null) {
      const { verdict, reason, record } = await answer;
      // Something else is typed by now: the agent changed their mind.
      if (inField !== dialText.value) return 'failed';
      if (verdict === 'no') {
        dialProblem.value = reason === '' ? texts.mayNotCall : reason;
        return 'refused';
      }
      if (verdict === 'ask') {
        const name = record?.name ?? from?.name ?? number.display;
        consent.put(name, reason, () => dialAgain(typed, { ...dialOptions, agreed: true }));
        return 'asked';
      }
    }
    const callerId = number.e164 === null ? null : options.callerId.value;
    const { consultFor, fromPage, viewed } = dialOptions;
    // From a case or a deal: that is what the call is about, whom it is with is found by the number.
    const about =
      from !== undefined && isSubject(from)
        ? from
        : (shownSubject({ record: from ?? null }, viewed ?? null) ?? undefined);
    // A colleague is a name: no CRM logs a call with one of its users.
    const record = about !== from && from?.object.toLowerCase() !== 'user' ? from : undefined;
    const name = about === from ? undefined : from?.name;
    const call = newCallId();
    if (number.afterAnswer !== '') afterAnswer.set(call, number.afterAnswer);
    const result = await phone.send({
      type: 'call.dial',
      call,
      target: number.target,
      farSide: {
        number: number.target,
        ...(number.e164 === null ? {} : { e164: number.e164 }),
        ...(name === undefined ? {} : { name }),
      },
      ...(record === undefined ? {} : { record }),
      ...(about === undefined ? {} : { about }),
      ...(consultFor === undefined ? {} : { consultFor }),
      ...(fromPage === undefined ? {} : { fromPage }),
      ...(callerId === null ? {} : { callerId }),
    });
    if (result.ok) {
      lastNumber.dialled(number.display);
      // Another number may wait there by now.
      if (dialText.value === inField) {
        typeNumber('');
        sheet.value = 'none';
      }
      return 'taken';
    }
    afterAnswer.delete(call);
    // Another frame heard the click first.
    const twice = fromPage === true && wasJustDialled(phone.state(), number.target, options.clock.now());
    if (twice) typeNumber('');
    else dialProblem.value = result.reason;
    return twice ? 'taken' : 'failed';
  }

  async function recall(): Promise<boolean> {
    const text = await lastNumber.find();
    if (text === null) dialProblem.value = texts.numberEmpty;
    else if (dialText.value === '') typeNumber(text);
    return false;
  }

  function dialTyped(dialOptions: DialOptions = {}): Promise<boolean> {
    if (dialText.value === '' && dialOptions.consultFor === undefined) return recall();
    return dial(dialText.value, { ...dialOptions, ...(typedFor?.text === dialText.value ? typedFor.from : {}) });
  }

  /** What could not be dialled is told: there is no field it stands in. */
  async function dialAgain(number: string, how: DialOptions): Promise<void> {
    const taken = await dial(number, how);
    if (!taken && dialProblem.value !== null) notify('warning', dialProblem.value);
    dialProblem.value = null;
  }

  const again = (number: string, record: RecordRef | null): Promise<void> =>
    dialAgain(number, record === null ? {} : { record });

  function openPhoneWindow(): boolean {
    const opened = host.openPhoneWindow?.() ?? false;
    if (!opened) notify('warning', texts.windowBlocked);
    else if (phone.role() === 'ownerless') void lineWait.wait('');
    return opened;
  }

  /** False when the line did not come in time, which is said, or the agent did something else meanwhile. */
  async function lineReady(number: string, late: string): Promise<boolean> {
    const how = await lineWait.wait(number);
    if (how === 'late') dialProblem.value = late;
    return how === 'ready';
  }

  async function dialFromHost(request: DialRequest, ask = false): Promise<Granted> {
    // What the agent is about to use stays; the page may change its mind about what it asked for itself.
    const isFree = sheet.value === 'none' && dialText.value === '';
    if (ask && !isFree && typedFor?.askedOn !== sheet.value) return { ok: false, reason: texts.pageWhileTyping };
    const { number: asked, country, ...from } = request;
    const number = numbers.value.read(asked, country);
    if (!number.ok) {
      notify('warning', texts.hostNumberInvalid(asked, number.reason));
      return { ok: false, reason: number.reason };
    }
    const state = phone.state();
    const { calls, line } = state;
    if (!ask && wasJustDialled(state, number.target, options.clock.now()))
      return { ok: false, reason: texts.dialTwice };
    const busy = calls.some((call) => call.phase !== 'ended');
    const how = { ...request, fromPage: true };
    if (!ask && !busy && line.status === 'ready') {
      const placed = await place(asked, how);
      if (placed === 'taken') return { ok: true, reason: '' };
      if (placed === 'asked') return { ok: true, reason: consent.question.value?.reason ?? '' };
      if (placed === 'refused') {
        const reason = dialProblem.value ?? '';
        dialProblem.value = null;
        notify('warning', reason);
        return { ok: false, reason };
      }
    }
    // Not now: the number waits in the field, with its record, for the agent's own word.
    const text = number.display + number.afterAnswer;
    dialText.value = text;
    options.tab.value = 'keypad';
    if (busy && isCallInFront(state)) sheet.value = 'new-call';
    typedFor = { text, from, askedOn: ask ? sheet.value : null };
    const who = from.record?.name === undefined ? text : `${from.record.name} (${text})`;
    const starts = !ask && !busy && !started && line.status !== 'rejected' && phone.role() !== 'ownerless';
    const reason = ask ? texts.pageAsksToDial(who) : waitingWords(busy, starts);
    notify('info', reason);
    // A window that was opened for this click: its line is a moment behind.
    if (starts) void dialOnceReady(asked, number.display, how);
    return { ok: true, reason };
  }

  function waitingWords(busy: boolean, starts: boolean): string {
    if (busy) return texts.hostNumberWaitsForCall;
    if (starts) return texts.hostNumberWaitsForStart;
    return phone.role() === 'ownerless' ? texts.hostNumberWaitsForWindow : texts.hostNumberWaitsForLine;
  }

  async function dialOnceReady(number: string, display: string, how: DialOptions): Promise<void> {
    if (await lineReady(display, texts.lineNotThere)) await dial(number, how);
  }

  return {
    face: {
      dialText,
      dialProblem,
      callQuestion: consent.question,
      typeNumber,
      dialTyped: () => dialTyped(),
      dial,
      dialFromHost,
      redial: ({ farSide, record }) => again(farSide.e164 ?? farSide.number, record),
      async consultTyped(call) {
        await dialTyped({ consultFor: call });
      },
      async cancelConsult(consult) {
        await send({ type: 'call.hang-up', call: consult.id });
      },
      openPhoneWindow,
      dropWait: lineWait.dropNumber,
    },
    waits: lineWait.number,
    again,
    typedTarget() {
      const number = numbers.value.read(dialText.value);
      if (number.ok) return number.target;
      dialProblem.value = number.reason;
      return null;
    },
    follow(line) {
      started ||= line === 'ready';
      lineWait.follow(line);
    },
    followRole(next) {
      // The window that was opened is gone again.
      if (next === 'ownerless' && lineWait.number.value === '') lineWait.drop();
    },
    answered(call) {
      const digits = afterAnswer.get(call);
      afterAnswer.delete(call);
      if (digits !== undefined) void send({ type: 'call.send-digits', call, digits });
    },
    ended({ consultFor }) {
      // One frame does it: the page that asked may be gone, its consultation was taken up by the next.
      if (consultFor === null || phone.role() !== 'owner') return;
      const waiting = phone.state().calls.find(({ id }) => id === consultFor);
      if (waiting?.phase === 'active' && waiting.hold === 'on' && !waiting.recovering)
        void send({ type: 'call.resume', call: waiting.id });
    },
    stop: lineWait.drop,
  };
}
