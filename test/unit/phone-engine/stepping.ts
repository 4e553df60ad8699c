/** Drives the pure transition step by step, on frozen states, and keeps the effects. */
import type { CallId, PhoneEvent } from '@patchcord/call-protocol';
import {
  type CallRules,
  type CallState,
  type Command,
  defaultRules,
  type Effect,
  emptyPhone,
  type OwnerInput,
  type PhoneState,
  type RecordingSteps,
  type SipSignal,
  type TimerSignal,
  transition,
} from '@patchcord/phone-engine';
import { deepFreeze } from '@patchcord/phone-engine/testing';
import { ada, bob } from './phone-fixture.ts';

export const a = '00000000-0000-4000-8000-00000000000a' as CallId;
export const b = '00000000-0000-4000-8000-00000000000b' as CallId;
export const c = '00000000-0000-4000-8000-00000000000c' as CallId;

type Act = Command | SipSignal | TimerSignal | OwnerInput;

export class Stepping {
  state: PhoneState = deepFreeze(emptyPhone);
  /** Effects of the last step. */
  effects: readonly Effect[] = [];
  readonly events: PhoneEvent[] = [];
  now = 1_000;
  /** null: nothing is recorded. */
  recording: RecordingSteps | null = null;

  /** Takes the inputs in turn, one second apart. */
  take(...acts: readonly Act[]): this {
    for (const act of acts) {
      this.now += 1_000;
      const step = transition(this.state, { ...act, at: this.now }, this.recording);
      this.effects = step.effects;
      this.state = deepFreeze(step.state);
      for (const effect of step.effects) if (effect.type === 'emit') this.events.push(effect.event);
    }
    return this;
  }

  /** The last step's effects other than events. */
  get acts(): readonly Effect[] {
    return this.effects.filter((effect) => effect.type !== 'emit');
  }

  /** Why the last command was refused. */
  get refusal(): string {
    const refused = this.effects.find((effect) => effect.type === 'refuse');
    if (refused === undefined) throw new Error('the last command was not refused');
    return refused.reason;
  }

  call(id: CallId): CallState {
    const found = this.state.calls.find((it) => it.id === id);
    if (found === undefined) throw new Error('no such call');
    return found;
  }

  names(id?: CallId): readonly string[] {
    return this.events.filter((event) => id === undefined || event.call === id).map((event) => event.name);
  }

  event<N extends PhoneEvent['name']>(name: N, id?: CallId): Extract<PhoneEvent, { readonly name: N }> {
    const found = this.events.find((event) => event.name === name && (id === undefined || event.call === id));
    if (found === undefined) throw new Error(`no ${name} was told`);
    return found as Extract<PhoneEvent, { readonly name: N }>;
  }
}

export const dial = (call: CallId, more: Partial<Extract<Command, { type: 'call.dial' }>> = {}): Command => ({
  type: 'call.dial',
  call,
  target: '+14155550101',
  farSide: ada,
  ...more,
});
export const invited = (call: CallId, more: Partial<Extract<SipSignal, { type: 'sip.invited' }>> = {}): SipSignal => ({
  type: 'sip.invited',
  call,
  from: bob,
  sipCallId: `sip-${call}`,
  ...more,
});
export const ended = (call: CallId, more: Partial<Extract<SipSignal, { type: 'sip.ended' }>> = {}): SipSignal => ({
  type: 'sip.ended',
  call,
  by: 'far-side',
  code: 0,
  reason: '',
  ...more,
});

/** What the profile allows. */
export const rules = (more: Partial<CallRules>): OwnerInput => ({
  type: 'rules.set',
  rules: { ...defaultRules, ...more },
});
export const most = (mostCalls: number): OwnerInput => rules({ mostCalls });

/** A phone whose line is ready. */
export const ready = (): Stepping =>
  new Stepping().take({ type: 'line.connect' }, { type: 'sip.registered', server: 'wss://s' });

/** Ready, and in an outbound call `a`. */
export const inCall = (): Stepping =>
  ready().take(
    dial(a),
    { type: 'sip.dialing', call: a, sipCallId: 'sip-a' },
    { type: 'sip.ringing', call: a, earlyMedia: false },
    { type: 'sip.answered', call: a },
  );

/** Call `a` on hold, consult call `b` live. */
export const consulting = (): Stepping =>
  inCall().take(
    dial(b, { consultFor: a, target: '2002', farSide: bob }),
    { type: 'sip.held', call: a },
    { type: 'sip.dialing', call: b, sipCallId: 'sip-b' },
    { type: 'sip.answered', call: b },
  );
