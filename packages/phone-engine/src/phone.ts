/**
 * The phone: runs the transition, tells subscribers, performs effects in order. Owns the loop; knows no rule, no SIP, no DOM.
 */
import type { CallId, ErrorCode, PhoneEvent, RecordingMode } from '@patchcord/call-protocol';
import type { RecordingSteps } from './call-recording.ts';
import type {
  ClockPort,
  IceServer,
  KeptDialog,
  SipAccount,
  SipCredential,
  SipPort,
  SoundPort,
  Watching,
} from './ports.ts';
import { mixOf, tone } from './selectors.ts';
import {
  type CallRules,
  type CallState,
  type Command,
  type Effect,
  emptyPhone,
  type Input,
  type PhoneState,
  type SipSignal,
  type TimerSignal,
} from './state.ts';
import { transition } from './transition.ts';

export type CommandResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ErrorCode; readonly reason: string };

/** The one face of a phone: the owner's own, and what every mirror sees of it. */
export interface Phone {
  state(): PhoneState;
  /** Called after every change, with the state that is already in place. */
  onState(listener: (state: PhoneState) => void): () => void;
  /** Every event once, in order, in the frame that owns the phone; never in a mirror. */
  onEvent(listener: (event: PhoneEvent) => void): () => void;
  /** Never rejects: a command that can't be taken resolves with `ok: false` and why. */
  send(command: Command): Promise<CommandResult>;
}

/** What only the owner can do. */
export interface OwnedPhone extends Phone {
  /** Who this phone is. On a line that is up or coming up it takes effect at once; otherwise with `line.connect`. */
  setAccount(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void;
  /** A fresh credential in place of one that will lapse; without an account it does nothing. */
  renew(credential: SipCredential, iceServers: readonly IceServer[]): void;
  /** What the profile lets the phone do; good from now on, also for the calls that are there. */
  setRules(rules: CallRules): void;
  /** From now on calls can be recorded, as `setRecording` says of each. Without it nothing is, and each command that asks for it is refused. */
  useRecording(steps: RecordingSteps): void;
  /** What holds for recording this call; to be said for each, and again when its far side is somebody else. `resumeAfterMs`: so long a pause lasts; 0: no end. */
  setRecording(call: CallId, mode: RecordingMode, resumeAfterMs: number): void;
  /** Colleagues, park slots and the mailbox to watch, in place of those before. */
  watch(watching: Watching): void;
  /**
   * Takes up the calls of an earlier owner: those with a dialog come back `recovering`, the others end, those that are over wait for their
   * wrap-up again. Calls that are here already are left out; a dialog whose call is over or unknown is ended, so that nobody is left waiting.
   * @param seenAt when they were seen alive last, epoch ms
   */
  takeUp(calls: readonly CallState[], dialogs: readonly KeptDialog[], seenAt: number): void;
  /** What a successor must know of the calls, after every change; see `SipPort.onDialogs`. */
  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): () => void;
  /**
   * Lets go of the calls and the line without a word to the network, because another owner has them or will. Nothing is told from then on, and
   * commands are refused.
   */
  handOver(): Promise<HandedOver>;
  /** Ends all calls and the line, with their events. Later commands are refused. */
  close(): Promise<void>;
}

/** What an owner leaves to the next: its last state, and the dialogs as they stood. */
export interface HandedOver {
  readonly state: PhoneState;
  readonly dialogs: readonly KeptDialog[];
}

export interface PhoneOptions {
  readonly sip: SipPort;
  readonly clock: ClockPort;
  /** Follows the state with ring, ringback and call-waiting tones. Whoever made it closes it. */
  readonly sound?: Pick<SoundPort, 'setTone'>;
  /** A listener or a port threw: the phone goes on, somebody should know. */
  readonly onFault?: (fault: unknown) => void;
}

interface Account {
  readonly account: SipAccount;
  readonly credential: SipCredential;
  readonly iceServers: readonly IceServer[];
}

/** A phone with no account, offline. Everything it does happens in the order it was asked, also when asked from within a listener. */
export function createPhone(options: PhoneOptions): OwnedPhone {
  const { sip, clock } = options;
  const stateListeners = new Set<(state: PhoneState) => void>();
  const eventListeners = new Set<(event: PhoneEvent) => void>();
  /** A call's deadlines, by the signal that each would give. */
  const timers = new Map<string, { readonly call: CallId; readonly handle: unknown }>();
  const queue: { readonly input: Input; readonly done?: (result: CommandResult) => void }[] = [];
  let state = emptyPhone;
  let account: Account | null = null;
  let running = false;
  let stopping: Promise<void> | null = null;
  let startsAfterStop = false;
  let recording: RecordingSteps | null = null;
  let mixed = '[]';
  let closing: Promise<void> | null = null;
  let handingOver: Promise<HandedOver> | null = null;
  /** What is just being taken up, until the port has it. */
  const inherited = new Map<CallId, KeptDialog>();

  const fault = (error: unknown): void => {
    try {
      options.onFault?.(error);
    } catch {
      // Who reports faults has one: nobody is left to tell.
    }
  };
  const guarded = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      fault(error);
    }
  };

  function take(input: Input, done?: (result: CommandResult) => void): void {
    if (handingOver !== null) {
      done?.(elsewhere);
      return;
    }
    queue.push(done === undefined ? { input } : { input, done });
    if (running) return;
    running = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const step = transition(state, next.input, recording);
      if (step.state !== state) {
        state = step.state;
        for (const listener of [...stateListeners]) guarded(() => listener(step.state));
        reconcile(step.state);
      }
      let result: CommandResult = { ok: true };
      for (const effect of step.effects) {
        if (effect.type === 'refuse') result = { ok: false, code: effect.code, reason: effect.reason };
        else if (handingOver === null) perform(effect);
      }
      next.done?.(result);
    }
    running = false;
  }

  /** What goes on for as long as the state says so. */
  function reconcile(now: PhoneState): void {
    guarded(() => options.sound?.setTone(tone(now)));
    const members = mixOf(now);
    const mix = JSON.stringify(members);
    if (mix !== mixed) {
      mixed = mix;
      guarded(() => sip.mix(members));
    }
    const over = (id: CallId): boolean => (now.calls.find((it) => it.id === id)?.phase ?? 'ended') === 'ended';
    for (const [name, { call }] of timers) if (over(call)) clearTimer(name);
  }

  function perform(effect: Exclude<Effect, { type: 'refuse' }>): void {
    try {
      run(effect);
    } catch (error) {
      fault(error);
      const reason = error instanceof Error ? error.message : 'internal fault';
      for (const signal of signalsOfFault(effect, reason)) take({ ...signal, at: clock.now() });
    }
  }

  function run(effect: Exclude<Effect, { type: 'refuse' }>): void {
    switch (effect.type) {
      case 'emit':
        for (const listener of [...eventListeners]) guarded(() => listener(effect.event));
        break;
      case 'timer.start':
        startTimer(effect);
        break;
      case 'sip.start':
        start();
        break;
      case 'sip.stop':
        void stop();
        break;
      case 'sip.dial':
        if (effect.callerId === null) sip.dial(effect.call, effect.target);
        else sip.dial(effect.call, effect.target, effect.callerId);
        break;
      case 'sip.pick-up':
        sip.pickUp(effect.call, effect.extension, effect.code);
        break;
      case 'sip.redirect':
        sip.redirect(effect.call, effect.to);
        break;
      case 'sip.cancel-transfer':
        sip.cancelTransfer(effect.call);
        break;
      case 'sip.send-code':
        sip.sendCode(effect.code);
        break;
      case 'sip.answer':
        sip.answer(effect.call);
        break;
      case 'sip.decline':
        sip.decline(effect.call, effect.code);
        break;
      case 'sip.hang-up':
        sip.hangUp(effect.call);
        break;
      case 'sip.hold':
        sip.hold(effect.call, effect.on);
        break;
      case 'sip.mute':
        sip.mute(effect.call, effect.muted);
        break;
      case 'sip.send-digits':
        sip.sendDigits(effect.call, effect.digits);
        break;
      case 'sip.transfer':
        sip.transfer(effect.call, effect.to);
        break;
      case 'sip.transfer-attended':
        sip.transferAttended(effect.call, effect.consult);
        break;
      case 'sip.take-up':
        sip.takeUp(effect.calls.flatMap(dialogToTakeUp));
        break;
    }
  }

  /** The state knows better than the dialog what the agent wished last: a hold that was just being placed is one. */
  function dialogToTakeUp(id: CallId): readonly KeptDialog[] {
    const dialog = inherited.get(id);
    if (dialog === undefined) return [];
    inherited.delete(id);
    const call = state.calls.find((it) => it.id === id);
    return [call === undefined ? dialog : { ...dialog, held: call.hold !== 'off', muted: call.muted }];
  }

  function startTimer({ call, signal, ms }: { call: CallId; signal: TimerSignal['type']; ms: number }): void {
    const name = `${signal} ${call}`;
    clearTimer(name);
    const expired = (): void => {
      timers.delete(name);
      take({ type: signal, call, at: clock.now() });
    };
    timers.set(name, { call, handle: clock.setTimeout(expired, ms) });
  }

  function clearTimer(name: string): void {
    const timer = timers.get(name);
    if (timer === undefined) return;
    clock.clearTimeout(timer.handle);
    timers.delete(name);
  }

  /** Without an account the line stays `connecting` until `setAccount`; a stop under way is let finish first. */
  function start(): void {
    if (account === null) return;
    const { account: who, credential, iceServers } = account;
    if (stopping === null) {
      sip.start(who, credential, iceServers);
      return;
    }
    if (startsAfterStop) return;
    startsAfterStop = true;
    void stopping.then(() => {
      startsAfterStop = false;
      if (state.line.status !== 'offline') perform({ type: 'sip.start' });
    });
  }

  function stop(): Promise<void> {
    if (stopping !== null) return stopping;
    const stopped = (async () => {
      try {
        await sip.stop();
      } catch (error) {
        fault(error);
      }
    })();
    stopping = stopped;
    return stopped.then(() => {
      stopping = null;
    });
  }

  const unsubscribe = sip.onSignal((signal) => take({ ...signal, at: clock.now() }));

  return {
    state: () => state,
    onState(listener) {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
    onEvent(listener) {
      eventListeners.add(listener);
      return () => eventListeners.delete(listener);
    },
    send(command) {
      if (handingOver !== null) return Promise.resolve(elsewhere);
      if (closing !== null) {
        return Promise.resolve({ ok: false, code: 'line.not-ready', reason: 'This phone was closed. Open it again.' });
      }
      return new Promise((resolve) => take({ ...command, at: clock.now() }, resolve));
    },
    setAccount(who, credential, iceServers) {
      if (handingOver !== null) return;
      account = { account: who, credential, iceServers };
      if (state.line.status !== 'offline') perform({ type: 'sip.start' });
    },
    renew(credential, iceServers) {
      if (account === null || handingOver !== null) return;
      account = { account: account.account, credential, iceServers };
      if (state.line.status !== 'offline') guarded(() => sip.renew(credential, iceServers));
    },
    setRules(rules) {
      take({ type: 'rules.set', rules, at: clock.now() });
    },
    useRecording(steps) {
      recording = steps;
    },
    setRecording(call, mode, resumeAfterMs) {
      take({ type: 'recording.rule', call, mode, resumeAfterMs, at: clock.now() });
    },
    watch(watching) {
      if (handingOver === null) guarded(() => sip.watch(watching));
    },
    takeUp(calls, dialogs, seenAt) {
      if (closing !== null) return;
      for (const dialog of dialogs) inherited.set(dialog.call, dialog);
      take({ type: 'calls.take-up', calls, resumable: dialogs.map(({ call }) => call), seenAt, at: clock.now() });
    },
    onDialogs: (listener) => sip.onDialogs(listener),
    handOver() {
      handingOver ??= (async () => {
        unsubscribe();
        for (const name of [...timers.keys()]) clearTimer(name);
        for (const { done } of queue.splice(0)) done?.(elsewhere);
        guarded(() => options.sound?.setTone('none'));
        account = null;
        const last = state;
        try {
          return { state: last, dialogs: await sip.handOver() };
        } catch (error) {
          fault(error);
          return { state: last, dialogs: [] };
        }
      })();
      return handingOver;
    },
    close() {
      closing ??= (async () => {
        if (handingOver !== null) {
          await handingOver;
          return;
        }
        take({ type: 'line.disconnect', at: clock.now() });
        await stop();
        // A port that forgot to say so leaves no call behind.
        take({ type: 'sip.stopped', at: clock.now() });
        unsubscribe();
        guarded(() => options.sound?.setTone('none'));
        account = null;
      })();
      return closing;
    },
  };
}

const elsewhere: CommandResult = {
  ok: false,
  code: 'line.not-ready',
  reason: 'The phone is in another window now.',
};

/** What a port that threw would have signalled: no call may hang in the air. A hang-up has its own deadline. */
function signalsOfFault(effect: Effect, reason: string): readonly SipSignal[] {
  const lost = (call: CallId): SipSignal => ({ type: 'sip.ended', call, by: 'network', code: 0, reason });
  switch (effect.type) {
    case 'sip.dial':
    case 'sip.pick-up':
    case 'sip.answer':
      return [lost(effect.call)];
    case 'sip.take-up':
      return effect.calls.map(lost);
    case 'sip.hold':
      return [{ type: 'sip.hold-refused', call: effect.call, reason }];
    case 'sip.transfer':
    case 'sip.transfer-attended':
      return [{ type: 'sip.transfer-refused', call: effect.call, reason }];
    case 'sip.send-digits':
      return [{ type: 'sip.digits-refused', call: effect.call, reason }];
    case 'sip.send-code':
      return [{ type: 'sip.code-refused', code: effect.code, reason }];
    case 'sip.start':
      return [{ type: 'sip.lost', reason }];
    default:
      return [];
  }
}
