/**
 * The view model: everything a screen shows as signals, everything a control does as a method. Owns which tab and sheet are open, and the reading
 * of one phone state for the eye; the phone's rules are in the engine, and a refusal of the engine becomes a notice here. Works the same in the
 * owner frame and in a mirror. Must never touch the DOM. Long because it is the one face of all screens: wide, not deep; whatever has rules of
 * its own (dialling, wrap-up, records, layout, notes, notices, look-up, history, sound) is in a module of its own.
 */
import type { CallId, Profile, RecordRef } from '@patchcord/call-protocol';
import type { PanelHost } from '@patchcord/crm-adapters/panel';
import type {
  CallState,
  ClockPort,
  Command,
  CommandResult,
  PhoneRole,
  PhoneState,
  SharedPhone,
  SoundPort,
} from '@patchcord/phone-engine';
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { type Announcement, announcementFor, stoppedRinging } from './announcements.ts';
import { type CallDuties, createCallDuties, type Lookup } from './call-duties.ts';
import { type CallHistory, createCallHistory, type MissedMark } from './call-history.ts';
import { type CallerIdFace, type CallerIdMark, createCallerId } from './caller-id.ts';
import { createDialling, type DiallingFace } from './dialling.ts';
import { isCallInFront, type Layout, layoutOf, type Sheet, type Tab } from './layout.ts';
import { createNotes } from './notes.ts';
import { createNotices, type NoticeFace } from './notices.ts';
import { createNumbers, type Numbers } from './numbers.ts';
import { createOffice, type OfficeFace } from './office.ts';
import { createPhonePlace, type PhonePlaceFace } from './phone-place.ts';
import { isRecord } from './record-evidence.ts';
import { createRecordOpening, type RecordFace } from './record-opening.ts';
import { createRelatedRecords, type RelatedRecords } from './related-records.ts';
import type { RelayClient } from './relay-client.ts';
import { texts } from './texts.ts';
import type { Ticker } from './ticker.ts';
import { createToCalls, type ToCalls } from './to-call.ts';
import type { WindowNews } from './troubles.ts';
import { createVoicemailBox, type VoicemailBox } from './voicemail.ts';
import { createWrapUps, type WrapUpFace } from './wrap-up.ts';

/** Everything the screens read and do. */
export interface SoftphoneModel
  extends DiallingFace,
    WrapUpFace,
    RecordFace,
    NoticeFace,
    OfficeFace,
    CallerIdFace,
    PhonePlaceFace {
  readonly profile: ReadonlySignal<Profile>;
  readonly phone: ReadonlySignal<PhoneState>;
  readonly role: ReadonlySignal<PhoneRole>;
  readonly numbers: ReadonlySignal<Numbers>;
  readonly layout: ReadonlySignal<Layout>;
  readonly lookups: ReadonlySignal<ReadonlyMap<CallId, Lookup>>;
  readonly announcement: ReadonlySignal<Announcement | null>;
  readonly tab: ReadonlySignal<Tab>;
  readonly sheet: ReadonlySignal<Sheet>;
  /** Open cases and deals of the records calls are with. */
  readonly related: RelatedRecords;
  readonly history: CallHistory;
  /** Call-backs and the dial list. */
  readonly toCall: ToCalls;
  readonly voicemail: VoicemailBox;
  /** What the relay says, for screens that are loaded later. */
  readonly read: RelayClient['read'];
  /** null: this frame has none. Its settings are loaded with their screen. */
  readonly sound: SoundPort | null;
  /** Draws what is said in a call, or whether it is `recording`; null where it is neither transcribed nor recorded, or not yet. */
  readonly transcript: Signal<
    ((props: { readonly call: CallState; readonly recording?: boolean }) => ComponentChildren) | null
  >;
  readonly ticker: Ticker;
  /** The phone is in a window of its own, beside this frame. */
  readonly hasPhoneWindow: boolean;
  /** What there is to say of the window that holds the phone; null while all is well, or this frame needs none. */
  readonly windowNews: ReadonlySignal<WindowNews | null>;
  /** Null where the host signs every page in by itself. */
  readonly signOut: (() => Promise<void>) | null;
  /** A call is in progress here: leaving the page would interrupt it. */
  readonly wouldEndCall: ReadonlySignal<boolean>;
  /** One of them would be over for good: nobody has answered it yet, or nothing is kept for the next page. */
  readonly wouldLoseCall: ReadonlySignal<boolean>;

  showTab(tab: Tab): void;
  showSheet(sheet: Sheet): void;
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
  completeTransfer(call: CallId): Promise<void>;
  /** Says what the call is about; null: nothing after all. */
  associate(call: CallId, record: RecordRef | null): Promise<void>;
  noteOf(call: CallState): string;
  noteIsSaved(call: CallState): boolean;
  writeNote(call: CallId, text: string): void;
  /** Resolves whether the phone has what was typed. */
  flushNote(call: CallId): Promise<boolean>;
  /** What was typed and the phone does not have yet. */
  unsavedNotes(): readonly (readonly [CallId, string])[];
  /** Lets nobody hear the call from now on, or again. */
  pauseSound(call: CallId, paused: boolean): Promise<void>;
  /** As much time for the wrap-up again. */
  moreTime(call: CallId): Promise<void>;
  setAvailable(available: boolean): Promise<void>;
  reconnect(): Promise<void>;
  /** Duties of the owner that other parts feed. */
  readonly duties: CallDuties;
  close(): void;
}

export interface SoftphoneModelOptions {
  readonly phone: SharedPhone;
  readonly profile: ReadonlySignal<Profile>;
  readonly relay: Pick<
    RelayClient,
    | 'matches'
    | 'related'
    | 'history'
    | 'retryLog'
    | 'toCall'
    | 'addToCall'
    | 'changeToCall'
    | 'mayCall'
    | 'voicemails'
    | 'changeVoicemail'
    | 'read'
  >;
  readonly host: Pick<PanelHost, 'can' | 'pop' | 'holdsLine' | 'openPhoneWindow'>;
  readonly sound: SoundPort | null;
  readonly clock: ClockPort;
  readonly ticker: Ticker;
  readonly missedMark: MissedMark;
  /** null: the choice lives as long as the page. */
  readonly callerIdMark: CallerIdMark | null;
  /** What is known of the calls outlives this page. */
  readonly keepsCalls: () => boolean;
  /** A record was opened for a call: worth an event. */
  readonly recordOpened: (call: CallId, record: RecordRef) => void;
  /** Ends the session here; null where the host signs every page in by itself. */
  readonly signOut: (() => Promise<void>) | null;
}

/** Builds the model over a phone that this frame has joined. */
export function createSoftphoneModel(options: SoftphoneModelOptions): SoftphoneModel {
  const { phone: shared, profile, clock, host } = options;
  const phone = signal(shared.state());
  const role = signal(shared.role());
  const numbers = computed(() => createNumbers(profile.value.numbers));
  const tab = signal<Tab>('keypad');
  const sheet = signal<Sheet>('none');
  const announcement = signal<Announcement | null>(null);
  const wouldEndCall = computed(
    () => role.value === 'owner' && phone.value.calls.some((call) => call.phase !== 'ended'),
  );
  const wouldLoseCall = computed(
    () =>
      wouldEndCall.value &&
      (!options.keepsCalls() || phone.value.calls.some(({ phase }) => phase === 'dialing' || phase === 'ringing')),
  );
  const hasPhoneWindow = host.holdsLine?.() === 'never';

  const notices = createNotices(clock);
  const { notice, notify } = notices.face;
  const place = createPhonePlace(shared, notify, hasPhoneWindow);
  const notes = createNotes(shared, clock, (reason) => {
    // Tried again and again it is still the same news; without a window the banner says it, and the next one is given the note.
    if (role.value !== 'ownerless' && notice.value?.text !== reason) notify('warning', reason);
  });
  /** What the parts need of each other and of the frame; each takes its own. */
  const history = createCallHistory(options);
  const callerIds = createCallerId(profile, options.callerIdMark ?? { read: () => '', write: () => undefined });
  const around = {
    ...options,
    callerId: callerIds.callerId,
    history,
    numbers,
    tab,
    sheet,
    hasPhoneWindow,
    wouldEndCall,
    flushNote: notes.flush,
    send,
    notify,
  };
  const wrapUps = createWrapUps(around);
  const dialling = createDialling(around);
  const composing = computed(() => dialling.face.dialText.value !== '' || tab.value === 'settings');
  const layout = computed(() => layoutOf(phone.value, wrapUps.postponed.value, composing.value));
  const windowNews = computed(() => {
    const waits = dialling.waits.value;
    const opens = host.openPhoneWindow !== undefined;
    return role.value === 'ownerless' || (hasPhoneWindow && waits !== null) ? { opens, waits } : null;
  });
  const related = createRelatedRecords(options.relay.related);
  const toCall = createToCalls({ ...around, dial: dialling.again });
  const voicemail = createVoicemailBox({ ...around, phone });
  const duties = createCallDuties({
    phone: shared,
    numbers: () => numbers.value,
    matches: options.relay.matches,
    clock,
  });

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
    dialling.follow(state.line.status);
    // The next window opens the wrap-ups of this one again, and what was typed here belongs to them.
    if (!lost) notes.settle(state.calls);
    related.settle(state.calls);
    wrapUps.follow(state);
    for (const call of before.calls) {
      if (lost && call.phase !== 'ended')
        notify('warning', (call.phase === 'incoming' ? texts.windowLostRinging : texts.windowLostCall)(nameOf(call)));
      else if (stoppedRinging(call, state)) notify('info', texts.stoppedRinging(nameOf(call)));
      else if (!lost && !state.calls.some(({ id }) => id === call.id)) toCall.saved(call);
    }
    for (const call of state.calls) {
      const earlier = before.calls.find(({ id }) => id === call.id)?.phase;
      if (call.phase === 'active' && earlier !== 'active') dialling.answered(call.id);
      if (call.phase !== 'ended' || earlier === 'ended') continue;
      toCall.ended(call);
      // One that was over before this page began holds nobody.
      if (earlier !== undefined) dialling.ended(call);
    }
    if (!isCallInFront(state)) closeSheet();
  }

  function closeSheet(): void {
    if (sheet.value === 'none') return;
    if (sheet.value !== 'keypad') dialling.face.typeNumber('');
    sheet.value = 'none';
  }

  const stop = [
    shared.onState((state) => {
      place.follow();
      take(state);
    }),
    shared.onRole((next) => {
      role.value = next;
      place.follow();
      dialling.followRole(next);
      if (next === 'owner') duties.start();
      else duties.stop();
    }),
    profile.subscribe(() => wrapUps.follow(phone.peek())),
  ];
  const records = createRecordOpening(around);
  const office = createOffice({ ...around, phone });
  if (role.value === 'owner') duties.start();

  return {
    ...dialling.face,
    ...wrapUps.face,
    ...records.face,
    ...notices.face,
    ...place.face,
    ...office,
    ...callerIds,
    profile,
    phone,
    role,
    numbers,
    layout,
    lookups: duties.lookups,
    announcement,
    tab,
    sheet,
    related,
    history,
    toCall,
    voicemail,
    sound: options.sound,
    read: options.relay.read,
    transcript: signal(null),
    ticker: options.ticker,
    signOut: options.signOut,
    hasPhoneWindow,
    windowNews,
    wouldEndCall,
    wouldLoseCall,
    duties,

    showTab(next) {
      tab.value = next;
      if (next === 'recent') void history.open();
      else history.leave();
      if (next === 'voicemail') void voicemail.reload();
      else voicemail.stop();
    },
    showSheet(next) {
      if (next === sheet.value) return closeSheet();
      closeSheet();
      sheet.value = next;
    },
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
      const to = dialling.typedTarget();
      if (to !== null && (await send({ type: 'call.transfer', call, to })).ok) closeSheet();
    },
    completeTransfer: (call) => act({ type: 'call.complete-transfer', call }),
    associate: (call, record) => act({ type: 'call.associate', call, record }),
    noteOf: (call) => notes.drafts.value.get(call.id) ?? call.note,
    noteIsSaved: (call) => (notes.drafts.value.get(call.id) ?? call.note) === call.note,
    writeNote: notes.write,
    flushNote: notes.flush,
    unsavedNotes: () => [...notes.drafts.peek()],
    pauseSound: (call, paused) => act({ type: 'call.pause-sound', call, paused }),
    moreTime: (call) => act({ type: 'call.more-time', call }),
    setAvailable: (available) => act({ type: 'agent.set-available', available }),
    reconnect: () => act({ type: 'line.connect' }),
    close() {
      dialling.stop();
      for (const end of stop) end();
      duties.stop();
      wrapUps.stop();
      records.stop();
      toCall.close();
      voicemail.close();
      notices.stop();
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
