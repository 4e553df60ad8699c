/**
 * The view model: everything a screen shows as signals, everything a control does as a method. Owns what is typed but not yet asked for,
 * and the reading of one phone state for the eye; the phone's rules are in the engine, and a refusal of the engine becomes a notice here.
 * Works the same in the owner frame and in a mirror. Must never touch the DOM. Long because it is the one face of all screens: wide, not
 * deep; whatever has rules of its own (layout, notes, look-up, history, sound) is in a module of its own.
 */
import {
  type CallId,
  type CallSummary,
  newCallId,
  type PhoneEvent,
  type Profile,
  type RecordRef,
} from '@patchcord/call-protocol';
import type { DialRequest, PanelHost, PopTarget, PopWish } from '@patchcord/crm-adapters/panel';
import {
  type CallState,
  type ClockPort,
  type Command,
  type CommandResult,
  type PhoneRole,
  type PhoneState,
  type SharedPhone,
  type SoundPort,
  wasJustDialled,
} from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { type Announcement, announcementFor, stoppedRinging } from './announcements.ts';
import { type CallDuties, createCallDuties, type Lookup, sameRecord } from './call-duties.ts';
import { type CallHistory, createCallHistory, type MissedMark } from './call-history.ts';
import { type Layout, layoutOf } from './layout.ts';
import { createLineWait } from './line-wait.ts';
import { createNotes } from './notes.ts';
import { createNumbers, type Numbers } from './numbers.ts';
import { isRecord } from './record-evidence.ts';
import { createRelatedRecords, isSubject, type RelatedRecords, shownSubject } from './related-records.ts';
import type { RelayClient } from './relay-client.ts';
import { startScreenPop } from './screen-pop.ts';
import { createSoundSettings, type SoundSettings } from './sound-settings.ts';
import { texts } from './texts.ts';
import type { Ticker } from './ticker.ts';
import { createToCalls, type ToCalls } from './to-call.ts';
import type { WindowNews } from './troubles.ts';
import { createWrapUpClock } from './wrap-up-clock.ts';

export type Tab = 'keypad' | 'recent' | 'settings';
/** What lies over the call: its keypad, a transfer, a second call. */
export type Sheet = 'none' | 'keypad' | 'transfer' | 'new-call';

/** A short word to the agent that goes by itself or by a click. */
export interface Notice {
  readonly id: number;
  readonly tone: 'info' | 'warning';
  readonly text: string;
}

/** What became of a wish of the page around the phone; `reason` is for a person. */
export interface Granted {
  readonly ok: boolean;
  readonly reason: string;
}

export interface WrapUpProblem {
  readonly call: CallId;
  readonly text: string;
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
}

/** Everything the screens read and do. */
export interface SoftphoneModel {
  readonly profile: ReadonlySignal<Profile>;
  readonly phone: ReadonlySignal<PhoneState>;
  readonly role: ReadonlySignal<PhoneRole>;
  readonly numbers: ReadonlySignal<Numbers>;
  readonly layout: ReadonlySignal<Layout>;
  readonly lookups: ReadonlySignal<ReadonlyMap<CallId, Lookup>>;
  readonly announcement: ReadonlySignal<Announcement | null>;
  readonly notice: ReadonlySignal<Notice | null>;
  readonly tab: ReadonlySignal<Tab>;
  readonly sheet: ReadonlySignal<Sheet>;
  /** What is in the number field of the keypad, of a transfer and of a second call. */
  readonly dialText: ReadonlySignal<string>;
  readonly dialProblem: ReadonlySignal<string | null>;
  /** Why the wrap-up of one call can't be saved yet. */
  readonly wrapUpProblem: ReadonlySignal<WrapUpProblem | null>;
  /** What a screen reader is told of the time for the wrap-up. */
  readonly wrapUpWords: ReadonlySignal<string>;
  /** Open cases and deals of the records calls are with. */
  readonly related: RelatedRecords;
  /** The record in front of the agent. */
  readonly recordShown: ReadonlySignal<RecordRef | null>;
  readonly history: CallHistory;
  /** Call-backs and the dial list. */
  readonly toCall: ToCalls;
  readonly sound: SoundSettings | null;
  readonly ticker: Ticker;
  readonly canOpenRecord: boolean;
  /** The record of a call can be brought in front, by this frame or by the one that holds the phone. */
  readonly canOpenCalls: boolean;
  /** The phone is in a window of its own, beside this frame. */
  readonly hasPhoneWindow: boolean;
  /** What there is to say of the window that holds the phone; null while all is well, or this frame needs none. */
  readonly windowNews: ReadonlySignal<WindowNews | null>;
  /** Null where the host signs every page in by itself. */
  readonly signOut: (() => Promise<void>) | null;
  /** A call is in progress here: leaving the page would end it. */
  readonly wouldEndCall: ReadonlySignal<boolean>;

  showTab(tab: Tab): void;
  showSheet(sheet: Sheet): void;
  typeNumber(text: string): void;
  /** Dials what is in the number field; resolves true when the phone took it. */
  dialTyped(): Promise<boolean>;
  dial(typed: string, options?: DialOptions): Promise<boolean>;
  /** A click on the page. `ask`: the number is put before the agent and never dialled by itself. */
  dialFromHost(request: DialRequest, ask?: boolean): Promise<Granted>;
  redial(call: CallSummary): Promise<void>;
  answer(call: CallId): Promise<void>;
  decline(call: CallId): Promise<void>;
  hangUp(call: CallId): Promise<void>;
  /** Ends whatever call is in front, as the host may ask. */
  hangUpForemost(): Promise<void>;
  toggleHold(call: CallState): Promise<void>;
  toggleMute(call: CallState): Promise<void>;
  swap(call: CallId): Promise<void>;
  sendDigits(call: CallId, digits: string): Promise<void>;
  /** Hands the call to the typed number without asking it first. */
  transferTyped(call: CallId): Promise<void>;
  /** Puts the call on hold and calls the typed number to ask. */
  consultTyped(call: CallId): Promise<void>;
  completeTransfer(call: CallId): Promise<void>;
  /** Ends the consultation and goes back to the call it was for. */
  cancelConsult(consult: CallState): Promise<void>;
  chooseRecord(call: CallId, record: RecordRef): Promise<void>;
  /** `call`: whose record it is. */
  openRecord(record: RecordRef, call?: CallId): Promise<void>;
  /** Says what the call is about; null: nothing after all. */
  associate(call: CallId, record: RecordRef | null): Promise<void>;
  noteOf(call: CallState): string;
  noteIsSaved(call: CallState): boolean;
  writeNote(call: CallId, text: string): void;
  /** Resolves whether the phone has what was typed. */
  flushNote(call: CallId): Promise<boolean>;
  /** What was typed and the phone does not have yet. */
  unsavedNotes(): readonly (readonly [CallId, string])[];
  setDisposition(call: CallId, disposition: string): Promise<void>;
  /** Resolves true when it was taken; else `wrapUpProblem` or a notice says why not, and the draft of the note stays. */
  submitWrapUp(call: CallState): Promise<boolean>;
  /** As much time for the wrap-up again. */
  moreTime(call: CallId): Promise<void>;
  postponeWrapUp(call: CallId): void;
  resumeWrapUp(call: CallId): void;
  /** Opens the window with the phone. Must be called while a click is handled; false when the browser refused, which the agent is told. */
  openPhoneWindow(): boolean;
  /** What waits for the line is not called. */
  dropWait(): void;
  setAvailable(available: boolean): Promise<void>;
  reconnect(): Promise<void>;
  notify(tone: Notice['tone'], text: string): void;
  dismissNotice(): void;
  /** Duties of the owner that other parts feed. */
  readonly duties: CallDuties;
  showRecord(record: RecordRef | null): void;
  close(): void;
}

export interface SoftphoneModelOptions {
  readonly phone: SharedPhone;
  readonly profile: ReadonlySignal<Profile>;
  readonly relay: Pick<
    RelayClient,
    'matches' | 'related' | 'history' | 'retryLog' | 'toCall' | 'addToCall' | 'changeToCall'
  >;
  readonly host: Pick<PanelHost, 'can' | 'pop' | 'holdsLine' | 'openPhoneWindow'>;
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly ticker: Ticker;
  readonly missedMark: MissedMark;
  /** A record was opened for a call: worth an event. */
  readonly recordOpened: (call: CallId, record: RecordRef) => void;
  /** Ends the session here; null where the host signs every page in by itself. */
  readonly signOut: (() => Promise<void>) | null;
}

const noticeMs = 6_000;
/** The frame that is looked at saves its draft and submits first; the owner does it for one that does not. */
const submitForOthersMs = 3_000;
/** What could not be saved when the time was up is tried again after this. */
const submitAgainMs = 5_000;

/** Builds the model over a phone that this frame has joined. */
export function createSoftphoneModel(options: SoftphoneModelOptions): SoftphoneModel {
  const { phone: shared, clock, host } = options;
  const phone = signal(shared.state());
  const role = signal(shared.role());
  const numbers = computed(() => createNumbers(options.profile.value.numbers));
  const tab = signal<Tab>('keypad');
  const sheet = signal<Sheet>('none');
  const dialText = signal('');
  const dialProblem = signal<string | null>(null);
  const wrapUpProblem = signal<WrapUpProblem | null>(null);
  const recordShown = signal<RecordRef | null>(null);
  const notice = signal<Notice | null>(null);
  const announcement = signal<Announcement | null>(null);
  const postponed = signal<ReadonlySet<CallId>>(new Set());
  const composing = computed(() => dialText.value !== '' || tab.value === 'settings');
  const layout = computed(() => layoutOf(phone.value, postponed.value, composing.value));
  const wouldEndCall = computed(
    () => role.value === 'owner' && phone.value.calls.some((call) => call.phase !== 'ended'),
  );
  /** Digits that follow the answer of a call dialled here. */
  const afterAnswer = new Map<CallId, string>();
  /** Consultation → the call to go back to when it is over. */
  const comeBack = new Map<CallId, CallId>();
  /** The record a number in the field came with, and on which sheet a component of the page asked for it; gone as soon as the number is changed. */
  let typedFor: {
    readonly text: string;
    readonly from: Pick<DialOptions, 'record' | 'viewed'>;
    readonly askedOn: Sheet | null;
  } | null = null;
  /** The line has been ready since this frame saw it: what goes away later is no start. */
  let started = shared.state().line.status === 'ready';
  let noticeTimer: unknown = null;
  let closed = false;

  const notes = createNotes(shared, clock, (reason) => {
    // Tried again and again it is still the same news; without a window the banner says it, and the next one is given the note.
    if (role.value !== 'ownerless' && notice.value?.text !== reason) notify('warning', reason);
  });
  const lineWait = createLineWait(clock);
  /** Beside a window that holds the phone alone, that window alone speaks to the page. */
  const isRemote = host.holdsLine?.() === 'never';
  const pops = isRemote ? [] : host.can.pops;
  /** Calls whose record is being picked in this frame. */
  const picking = new Set<CallId>();
  const windowNews = computed(() => {
    const waits = lineWait.number.value;
    const opens = host.openPhoneWindow !== undefined;
    return role.value === 'ownerless' || (isRemote && waits !== null) ? { opens, waits } : null;
  });
  const history = createCallHistory({
    fetch: options.relay.history,
    retry: options.relay.retryLog,
    mark: options.missedMark,
  });
  const related = createRelatedRecords(options.relay.related);
  const toCall = createToCalls({
    relay: options.relay,
    clock,
    dial: dialAgain,
    plain: (number) => numbers.value.toE164(number) ?? number,
    isOwner: () => role.value === 'owner',
    notify,
  });
  const wrapUpClock = createWrapUpClock({
    clock,
    seconds: () => options.profile.value.wrapUpSeconds,
    timeUp: wrapUpTimeUp,
  });
  const duties = createCallDuties({
    phone: shared,
    numbers: () => numbers.value,
    matches: options.relay.matches,
    clock,
  });

  function notify(tone: Notice['tone'], text: string): void {
    if (noticeTimer !== null) clock.clearTimeout(noticeTimer);
    notice.value = { id: (notice.value?.id ?? 0) + 1, tone, text };
    // A warning stays until it is read; news goes by itself.
    noticeTimer = tone === 'warning' ? null : clock.setTimeout(dismissNotice, noticeMs);
  }

  function dismissNotice(): void {
    if (noticeTimer !== null) clock.clearTimeout(noticeTimer);
    noticeTimer = null;
    notice.value = null;
  }

  async function send(command: Command): Promise<CommandResult> {
    const result = await shared.send(command);
    if (!result.ok) notify('warning', result.reason);
    return result;
  }

  async function act(command: Command): Promise<void> {
    await send(command);
  }

  function take(state: PhoneState): void {
    const before = phone.value;
    if (state === before) return;
    const nameOf = (call: CallState) => nameOfCall(call, numbers.value);
    // The window is gone with its calls, of which nobody knows more.
    const lost = role.value === 'ownerless';
    const next: Announcement | null = lost
      ? { text: texts.announceWindowGone, manner: 'polite' }
      : announcementFor(before, state, nameOf);
    phone.value = state;
    if (next !== null) announcement.value = next;
    started ||= state.line.status === 'ready';
    lineWait.follow(state.line.status);
    // The next window opens the wrap-ups of this one again, and what was typed here belongs to them.
    if (!lost) notes.settle(state.calls);
    related.settle(state.calls);
    wrapUpClock.follow(state);
    const problem = wrapUpProblem.value;
    if (problem !== null && state.calls.find(({ id }) => id === problem.call)?.disposition !== null)
      wrapUpProblem.value = null;
    for (const call of before.calls) {
      if (lost && call.phase !== 'ended')
        notify('warning', (call.phase === 'incoming' ? texts.windowLostRinging : texts.windowLostCall)(nameOf(call)));
      else if (stoppedRinging(call, state)) notify('info', texts.stoppedRinging(nameOf(call)));
      else if (!lost && !state.calls.some(({ id }) => id === call.id)) toCall.saved(call);
    }
    for (const call of state.calls) {
      const earlier = before.calls.find((other) => other.id === call.id);
      if (call.phase === 'active' && earlier?.phase !== 'active') sendAfterAnswer(call.id);
      if (call.phase === 'ended' && earlier?.phase !== 'ended') ended(call);
    }
    forgetGone(state);
    if (layoutOf(state, postponed.value, false).screen.kind !== 'call') closeSheet();
  }

  function ended(call: CallState): void {
    toCall.ended(call);
    const back = comeBack.get(call.id);
    comeBack.delete(call.id);
    const waiting = phone.value.calls.find((other) => other.id === back);
    if (waiting?.phase === 'active' && waiting.hold === 'on') void act({ type: 'call.resume', call: waiting.id });
  }

  function sendAfterAnswer(call: CallId): void {
    const digits = afterAnswer.get(call);
    afterAnswer.delete(call);
    if (digits !== undefined) void act({ type: 'call.send-digits', call, digits });
  }

  function forgetGone(state: PhoneState): void {
    const gone = [...postponed.value].filter((id) => !state.calls.some((call) => call.id === id));
    if (gone.length > 0) postponed.value = new Set([...postponed.value].filter((id) => !gone.includes(id)));
  }

  function closeSheet(): void {
    if (sheet.value === 'none') return;
    if (sheet.value !== 'keypad') typeNumber('');
    sheet.value = 'none';
  }

  function typeNumber(text: string): void {
    if (text !== dialText.value) lineWait.dropNumber();
    dialText.value = text;
    dialProblem.value = null;
    if (typedFor?.text !== text) typedFor = null;
  }

  async function dial(typed: string, dialOptions: DialOptions = {}): Promise<boolean> {
    const number = numbers.value.read(typed, dialOptions.country);
    if (!number.ok) {
      dialProblem.value = number.reason;
      return false;
    }
    if (role.value === 'ownerless' && host.openPhoneWindow !== undefined) {
      if (!openPhoneWindow()) return false;
      if (!(await lineReady(number.display, texts.windowNotThere))) return false;
    }
    const inField = dialText.value;
    const { consultFor, fromPage, viewed } = dialOptions;
    const from = dialOptions.record;
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
    const result = await shared.send({
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
    });
    if (result.ok) {
      // Another number may wait there by now.
      if (dialText.value === inField) {
        typeNumber('');
        sheet.value = 'none';
      }
      if (consultFor !== undefined) comeBack.set(call, consultFor);
      return true;
    }
    afterAnswer.delete(call);
    // Another frame heard the click first.
    const twice = fromPage === true && wasJustDialled(shared.state(), number.target, clock.now());
    if (twice) typeNumber('');
    else dialProblem.value = result.reason;
    return twice;
  }

  /** What could not be dialled is told: there is no field it stands in. */
  async function dialAgain(number: string, record: RecordRef | null): Promise<void> {
    const taken = await dial(number, record === null ? {} : { record });
    if (!taken && dialProblem.value !== null) notify('warning', dialProblem.value);
    dialProblem.value = null;
  }

  function dialTyped(dialOptions: DialOptions = {}): Promise<boolean> {
    return dial(dialText.value, { ...dialOptions, ...(typedFor?.text === dialText.value ? typedFor.from : {}) });
  }

  function openPhoneWindow(): boolean {
    const opened = host.openPhoneWindow?.() ?? false;
    if (!opened) notify('warning', texts.windowBlocked);
    else if (role.value === 'ownerless') void lineWait.wait('');
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
    const number = numbers.value.read(request.number, request.country);
    if (!number.ok) {
      notify('warning', texts.hostNumberInvalid(request.number, number.reason));
      return { ok: false, reason: number.reason };
    }
    const { calls, line } = phone.value;
    if (!ask && wasJustDialled(phone.value, number.target, clock.now())) return { ok: false, reason: texts.dialTwice };
    const busy = calls.some((call) => call.phase !== 'ended');
    const { record, viewed, country } = request;
    const from = { ...(record === undefined ? {} : { record }), ...(viewed === undefined ? {} : { viewed }) };
    const how = { ...from, ...(country === undefined ? {} : { country }), fromPage: true };
    if (!ask && !busy && line.status === 'ready') {
      if (await dial(request.number, how)) return { ok: true, reason: '' };
    }
    // Not now: the number waits in the field, with its record, for the agent's own word.
    const text = number.display + number.afterAnswer;
    dialText.value = text;
    tab.value = 'keypad';
    if (busy && layout.value.screen.kind === 'call') sheet.value = 'new-call';
    typedFor = { text, from, askedOn: ask ? sheet.value : null };
    const who = record?.name === undefined ? text : `${record.name} (${text})`;
    const starts = !ask && !busy && !started && line.status !== 'rejected' && role.value !== 'ownerless';
    const reason = ask ? texts.pageAsksToDial(who) : waitingWords(busy, starts);
    notify('info', reason);
    // A window that was opened for this click: its line is a moment behind.
    if (starts) void dialOnceReady(request.number, number.display, how);
    return { ok: true, reason };
  }

  function waitingWords(busy: boolean, starts: boolean): string {
    if (busy) return texts.hostNumberWaitsForCall;
    if (starts) return texts.hostNumberWaitsForStart;
    return role.value === 'ownerless' ? texts.hostNumberWaitsForWindow : texts.hostNumberWaitsForLine;
  }

  async function dialOnceReady(number: string, display: string, how: DialOptions): Promise<void> {
    if (await lineReady(display, texts.lineNotThere)) await dial(number, how);
  }

  /** A record picked in a frame that never holds the phone: the one that does opens it, it alone speaks to the page. One that may opens its own. */
  function pickedElsewhere({ name, call, data }: PhoneEvent): void {
    if (name !== 'record.chosen' || data.by !== 'agent' || !shared.isOpener() || picking.has(call as CallId)) return;
    void openFor(call as CallId, { kind: 'record', record: data.record }, () => true);
  }

  async function submitWrapUp(call: CallState, done: string = texts.wrapUpSaved): Promise<boolean> {
    if (isOutcomeMissing(call)) {
      wrapUpProblem.value = { call: call.id, text: texts.dispositionMissing };
      return false;
    }
    // Submitted without it the note would be lost with its draft.
    if (!(await notes.flush(call.id))) return false;
    const result = await send({ type: 'call.submit-wrap-up', call: call.id });
    if (result.ok) notify('info', done);
    return result.ok;
  }

  function isOutcomeMissing({ disposition }: CallState): boolean {
    const { dispositions, dispositionRequired } = options.profile.value;
    return dispositionRequired && dispositions.length > 0 && disposition === null;
  }

  /** What is there is saved. Without a needed outcome the wrap-up stays open, and the agent in wrap-up, until they choose one. */
  function wrapUpTimeUp(call: CallState): void {
    if (isOutcomeMissing(call)) wrapUpProblem.value = { call: call.id, text: texts.wrapUpTimeUpMissing };
    else if (shared.isForemost()) void submitInTime(call);
    else if (role.value === 'owner') later(call, submitForOthersMs);
  }

  async function submitInTime(call: CallState): Promise<void> {
    if (!(await submitWrapUp(call, texts.wrapUpTimeUp))) later(call, submitAgainMs);
  }

  function later(call: CallState, ms: number): void {
    clock.setTimeout(() => {
      const still = shared.state().calls.find((other) => other.id === call.id && other.moreTime === call.moreTime);
      if (!closed && still !== undefined && !isOutcomeMissing(still)) void submitInTime(still);
    }, ms);
  }

  async function open(target: PopTarget, wish: PopWish): Promise<boolean> {
    if (!pops.includes(target.kind)) return false;
    try {
      await host.pop(target, { ...wish, keepPage: wouldEndCall.value });
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      const record = target.kind === 'record' ? target.record : null;
      notify(
        'warning',
        record === null ? texts.notOpened(reason) : texts.recordNotOpened(record.name ?? record.object, reason),
      );
      return false;
    }
  }

  async function openFor(call: CallId, target: PopTarget, stillWanted: () => boolean): Promise<void> {
    let dropped = false;
    const wanted = (): boolean => {
      dropped = !stillWanted();
      return !dropped;
    };
    if ((await open(target, { wanted })) && !dropped && target.kind === 'record')
      options.recordOpened(call, target.record);
  }

  const stop = [
    shared.onState(take),
    shared.onEvent(pickedElsewhere),
    shared.onRole((next) => {
      role.value = next;
      // The window that was opened is gone again.
      if (next === 'ownerless' && lineWait.number.value === '') lineWait.drop();
      if (next === 'owner') duties.start();
      else duties.stop();
    }),
    options.profile.subscribe(() => wrapUpClock.follow(phone.peek())),
    startScreenPop({
      phone: shared,
      policy: () => options.profile.value.screenPop,
      numbers: () => numbers.value,
      shown: () => recordShown.value,
      open: (call, target, wanted) => void openFor(call, target, wanted),
      now: () => clock.now(),
    }),
  ];
  if (role.value === 'owner') duties.start();

  return {
    profile: options.profile,
    phone,
    role,
    numbers,
    layout,
    lookups: duties.lookups,
    announcement,
    notice,
    tab,
    sheet,
    dialText,
    dialProblem,
    wrapUpProblem,
    wrapUpWords: wrapUpClock.words,
    related,
    recordShown,
    history,
    toCall,
    sound: options.sound === null ? null : createSoundSettings(options.sound),
    ticker: options.ticker,
    signOut: options.signOut,
    canOpenRecord: pops.includes('record'),
    canOpenCalls: host.can.pops.includes('record'),
    hasPhoneWindow: isRemote,
    windowNews,
    openPhoneWindow,
    dropWait: lineWait.dropNumber,
    wouldEndCall,
    duties,

    showTab(next) {
      tab.value = next;
      if (next === 'recent') void history.open();
      else history.leave();
    },
    showSheet(next) {
      if (next === sheet.value) return closeSheet();
      closeSheet();
      sheet.value = next;
    },
    typeNumber,
    dialTyped: () => dialTyped(),
    dial,
    dialFromHost,
    redial: (call) => dialAgain(call.farSide.e164 ?? call.farSide.number, call.record),
    answer: (call) => act({ type: 'call.answer', call }),
    decline: (call) => act({ type: 'call.decline', call }),
    hangUp: (call) => act({ type: 'call.hang-up', call }),
    async hangUpForemost() {
      const { screen } = layout.value;
      if (screen.kind === 'call' || screen.kind === 'incoming')
        await act({ type: 'call.hang-up', call: screen.call.id });
    },
    toggleHold: (call) => act({ type: call.hold === 'off' ? 'call.hold' : 'call.resume', call: call.id }),
    toggleMute: (call) => act({ type: 'call.mute', call: call.id, muted: !call.muted }),
    swap: (call) => act({ type: 'call.swap', call }),
    sendDigits: (call, digits) => act({ type: 'call.send-digits', call, digits }),
    async transferTyped(call) {
      const number = numbers.value.read(dialText.value);
      if (!number.ok) {
        dialProblem.value = number.reason;
        return;
      }
      const result = await send({ type: 'call.transfer', call, to: number.target });
      if (result.ok) closeSheet();
    },
    async consultTyped(call) {
      await dialTyped({ consultFor: call });
    },
    completeTransfer: (call) => act({ type: 'call.complete-transfer', call }),
    async cancelConsult(consult) {
      if (consult.consultFor !== null) comeBack.set(consult.id, consult.consultFor);
      await act({ type: 'call.hang-up', call: consult.id });
    },
    async chooseRecord(call, record) {
      picking.add(call);
      const result = await send({ type: 'call.choose-record', call, record, by: 'agent' });
      picking.delete(call);
      const inFront = recordShown.value;
      // Opened again it might take an edit with it.
      if (!result.ok || (inFront !== null && sameRecord(inFront, record))) return;
      if (await open({ kind: 'record', record }, { byAgent: true })) options.recordOpened(call, record);
    },
    async openRecord(record, call) {
      // Picked once more, the window opens it.
      if (isRemote && call !== undefined) await act({ type: 'call.choose-record', call, record, by: 'agent' });
      else await open({ kind: 'record', record }, { byAgent: true });
    },
    associate: (call, record) => act({ type: 'call.associate', call, record }),
    noteOf: (call) => notes.drafts.value.get(call.id) ?? call.note,
    noteIsSaved: (call) => (notes.drafts.value.get(call.id) ?? call.note) === call.note,
    writeNote: notes.write,
    flushNote: notes.flush,
    unsavedNotes: () => [...notes.drafts.peek()],
    async setDisposition(call, disposition) {
      if (wrapUpProblem.value?.call === call) wrapUpProblem.value = null;
      await act({ type: 'call.set-disposition', call, disposition });
    },
    submitWrapUp: (call) => submitWrapUp(call),
    moreTime: (call) => act({ type: 'call.more-time', call }),
    postponeWrapUp(call) {
      void notes.flush(call);
      postponed.value = new Set(postponed.value).add(call);
    },
    resumeWrapUp(call) {
      postponed.value = new Set([...postponed.value].filter((id) => id !== call));
    },
    setAvailable: (available) => act({ type: 'agent.set-available', available }),
    reconnect: () => act({ type: 'line.connect' }),
    notify,
    dismissNotice,
    showRecord(record) {
      recordShown.value = record;
    },
    close() {
      closed = true;
      lineWait.drop();
      for (const end of stop) end();
      duties.stop();
      wrapUpClock.stop();
      toCall.close();
      if (noticeTimer !== null) clock.clearTimeout(noticeTimer);
    },
  };
}

/** The far side of a call for the eye: the chosen record, the only match, the caller's own name, the number. */
export function nameOfCall(call: CallState, numbers: Numbers): string {
  const records = call.matches.filter(isRecord);
  const best = records.length === 0 ? call.matches : records;
  const only = best.length === 1 ? best[0]?.record.name : undefined;
  return call.record?.name ?? only ?? numbers.nameOf(call.farSide);
}
