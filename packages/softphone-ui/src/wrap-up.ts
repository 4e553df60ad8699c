/**
 * The wrap-up of calls: what keeps one from being saved, which are put off, and the saving of one whose time is up. Owns what the agent sees of
 * that in this frame; the note, the disposition and the record are the phone's. Must never let two frames save the same one at once, nor save
 * one without an outcome the tenant asks for.
 */
import type { CallId, Profile } from '@patchcord/call-protocol';
import type { CallState, ClockPort, Command, CommandResult, PhoneState, SharedPhone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Notes } from './notes.ts';
import type { Notify } from './notices.ts';
import { texts } from './texts.ts';
import { createWrapUpClock } from './wrap-up-clock.ts';

export interface WrapUpProblem {
  readonly call: CallId;
  readonly text: string;
}

/** What screens see and do of it. */
export interface WrapUpFace {
  /** Why the wrap-up of one call can't be saved yet. */
  readonly wrapUpProblem: ReadonlySignal<WrapUpProblem | null>;
  /** What a screen reader is told of the time for the wrap-up. */
  readonly wrapUpWords: ReadonlySignal<string>;
  setDisposition(call: CallId, disposition: string): Promise<void>;
  /** Resolves true when it was taken; else `wrapUpProblem` or a notice says why not, and the draft of the note stays. */
  submitWrapUp(call: CallState): Promise<boolean>;
  postponeWrapUp(call: CallId): void;
  resumeWrapUp(call: CallId): void;
}

export interface WrapUps {
  readonly face: WrapUpFace;
  readonly postponed: ReadonlySignal<ReadonlySet<CallId>>;
  /** To be called with every new state, and when the allowed time changed. */
  follow(state: PhoneState): void;
  stop(): void;
}

export interface WrapUpOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'role' | 'isForemost'>;
  readonly profile: ReadonlySignal<Profile>;
  readonly clock: ClockPort;
  readonly flushNote: Notes['flush'];
  /** Tells the agent of a refusal. */
  readonly send: (command: Command) => Promise<CommandResult>;
  readonly notify: Notify;
}

/** The frame that is looked at saves its draft and submits first; the owner does it for one that does not. */
const submitForOthersMs = 3_000;
/** What could not be saved when the time was up is tried again after this. */
const submitAgainMs = 5_000;

/** Watches nothing until `follow`. */
export function createWrapUps(options: WrapUpOptions): WrapUps {
  const { phone, clock, flushNote, send, notify } = options;
  const problem = signal<WrapUpProblem | null>(null);
  const postponed = signal<ReadonlySet<CallId>>(new Set());
  const wrapUpClock = createWrapUpClock({ clock, seconds: () => options.profile.value.wrapUpSeconds, timeUp });
  let stopped = false;

  async function submit(call: CallState, done: string = texts.wrapUpSaved): Promise<boolean> {
    if (isOutcomeMissing(call)) {
      problem.value = { call: call.id, text: texts.dispositionMissing };
      return false;
    }
    // Submitted without it the note would be lost with its draft.
    if (!(await flushNote(call.id))) return false;
    const result = await send({ type: 'call.submit-wrap-up', call: call.id });
    if (result.ok) notify('info', done);
    return result.ok;
  }

  function isOutcomeMissing({ disposition }: CallState): boolean {
    const { dispositions, dispositionRequired } = options.profile.value;
    return dispositionRequired && dispositions.length > 0 && disposition === null;
  }

  /** What is there is saved. Without a needed outcome the wrap-up stays open, and the agent in wrap-up, until they choose one. */
  function timeUp(call: CallState): void {
    if (isOutcomeMissing(call)) problem.value = { call: call.id, text: texts.wrapUpTimeUpMissing };
    else if (phone.isForemost()) void submitInTime(call);
    else if (phone.role() === 'owner') later(call, submitForOthersMs);
  }

  async function submitInTime(call: CallState): Promise<void> {
    if (!(await submit(call, texts.wrapUpTimeUp))) later(call, submitAgainMs);
  }

  function later(call: CallState, ms: number): void {
    clock.setTimeout(() => {
      const still = phone.state().calls.find((other) => other.id === call.id && other.moreTime === call.moreTime);
      if (!stopped && still !== undefined && !isOutcomeMissing(still)) void submitInTime(still);
    }, ms);
  }

  function keepPostponed(stays: (call: CallId) => boolean): void {
    const kept = [...postponed.value].filter(stays);
    if (kept.length < postponed.value.size) postponed.value = new Set(kept);
  }

  return {
    face: {
      wrapUpProblem: problem,
      wrapUpWords: wrapUpClock.words,
      async setDisposition(call, disposition) {
        if (problem.value?.call === call) problem.value = null;
        await send({ type: 'call.set-disposition', call, disposition });
      },
      submitWrapUp: (call) => submit(call),
      postponeWrapUp(call) {
        void flushNote(call);
        postponed.value = new Set(postponed.value).add(call);
      },
      resumeWrapUp: (call) => keepPostponed((id) => id !== call),
    },
    postponed,
    follow(state) {
      wrapUpClock.follow(state);
      const told = problem.value;
      if (told !== null && state.calls.find(({ id }) => id === told.call)?.disposition !== null) problem.value = null;
      keepPostponed((id) => state.calls.some((call) => call.id === id));
    },
    stop() {
      stopped = true;
      wrapUpClock.stop();
    },
  };
}
