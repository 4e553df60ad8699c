/**
 * The messages frames of one partition say to each other, and the check of what arrives. Other versions of this script, and anything else
 * of the same origin, may write to the channel: what does not fit is dropped whole. Carries commands, results and the phone's state; an
 * account or a credential has no message.
 */
import type { CommandResult } from './phone.ts';
import type { CallState, Command, PhoneState } from './state.ts';

/** Frames with another version don't hear each other. */
const version = 3;

/** A frame as the device it is on told of it. */
export interface Look {
  readonly frame: string;
  readonly at: number | null;
  readonly visible: boolean;
  readonly mayOwn: boolean;
}

export type SharedMessage =
  /**
   * A frame is there and wants the state. `focusedAt`: when the agent last looked at it, epoch ms. `visible`: false where its tab is hidden;
   * `mayOwn`: false where it never holds the phone; `knows`: the head whose state it has. An earlier version of this script says none of them.
   */
  | {
      readonly type: 'hello';
      readonly from: string;
      readonly focusedAt: number | null;
      readonly visible?: boolean;
      readonly mayOwn?: boolean;
      readonly knows?: string | undefined;
    }
  /**
   * The head of a partition tells everything after every change, its own or another device's. `opener`: the foremost of the frames that may hold
   * the phone; `epoch`: of the line's lease, 0 where none was given so far; `where`: the other device that has the line, in words, else null;
   * `at`: the owner's clock.
   */
  | {
      readonly type: 'state';
      readonly from: string;
      readonly state: PhoneState;
      readonly foremost: string;
      readonly opener?: string;
      readonly epoch?: number;
      readonly where?: string | null;
      readonly at?: number;
    }
  /** To the head: this frame takes its rank. The head lets go of what it holds, and answers with a result. */
  | { readonly type: 'take'; readonly from: string; readonly id: string }
  /** To the owner on another device: all frames of this one, by the owner's clock. `asks`: their head wants the state. */
  | { readonly type: 'looks'; readonly from: string; readonly frames: readonly Look[]; readonly asks: boolean }
  /** To the other devices: who is there? */
  | { readonly type: 'who' }
  /** `until`: the sender gives up then (epoch ms); an owner that wakes later must not carry it out. */
  | {
      readonly type: 'command';
      readonly from: string;
      readonly id: string;
      readonly until: number;
      readonly command: Command;
    }
  | { readonly type: 'result'; readonly to: string; readonly id: string; readonly result: CommandResult }
  | {
      readonly type: 'focus';
      readonly from: string;
      readonly at: number;
      readonly visible?: boolean;
      readonly mayOwn?: boolean;
    };

export const toWire = (message: SharedMessage): unknown => ({ v: version, ...message });

/** A checked message, or null for anything that is not one of ours. */
export function fromWire(data: unknown): SharedMessage | null {
  if (!isObject(data) || data.v !== version || typeof data.type !== 'string') return null;
  const shape = Object.hasOwn(messages, data.type) ? messages[data.type as SharedMessage['type']] : undefined;
  return shape?.(data) ? (data as unknown as SharedMessage) : null;
}

/** Calls that were written down by this script or another version of it; empty for anything else. */
export function readCalls(value: unknown): readonly CallState[] {
  if (!Array.isArray(value)) return [];
  // An earlier version of this script took no call up.
  const calls: readonly unknown[] = value.map((it: unknown) => (isObject(it) ? { recovering: false, ...it } : it));
  return listOf(call, 50)(calls) ? (calls as readonly CallState[]) : [];
}

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text: Check = (value) => typeof value === 'string' && value.length <= 40_000;
const id: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= 128;
const flag: Check = (value) => typeof value === 'boolean';
const time: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string);
const fields =
  (shape: Fields): Check =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([name, check]) => check(value[name]));
const listOf =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
/** One shape per value of the field `tag`. */
const variant =
  (tag: string, shapes: Readonly<Record<string, Fields>>): Check =>
  (value) => {
    if (!isObject(value)) return false;
    const name = value[tag];
    const shape = typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    return shape !== undefined && fields(shape)(value);
  };

const party = fields({ number: text, e164: maybe(text), name: maybe(text) });
const record = fields({ crm: id, object: id, id, name: maybe(text) });
const matches = listOf(fields({ record, number: text, reason: text, detail: maybe(text) }), 500);

const purpose = oneOf('transfer', 'park', 'move', 'room');
const forwarding = fields({ to: id, when: oneOf('always', 'busy', 'no-answer'), afterSeconds: time });

const command = variant('type', {
  'line.connect': {},
  'line.disconnect': {},
  'agent.set-available': { available: flag },
  'agent.forward': { forwarding: orNull(forwarding) },
  'call.dial': {
    call: id,
    target: text,
    farSide: party,
    record: maybe(record),
    about: maybe(record),
    consultFor: maybe(id),
    fromPage: maybe(flag),
    callerId: maybe(id),
  },
  'call.pick-up': { call: id, extension: id, code: orNull(id), farSide: party },
  'call.gather': { call: id, target: id, farSide: party, calls: listOf(id, 10) },
  'call.redirect': { call: id, to: text },
  'call.ignore': { call: id },
  'call.cancel-transfer': { call: id },
  'call.merge': { call: id },
  'call.split': { call: id },
  'call.silence': { call: id, silenced: flag },
  'call.answer': { call: id },
  'call.decline': { call: id },
  'call.hang-up': { call: id },
  'call.hold': { call: id },
  'call.resume': { call: id },
  'call.swap': { call: id },
  'call.mute': { call: id, muted: flag },
  'call.send-digits': { call: id, digits: text },
  'call.transfer': { call: id, to: text, purpose: maybe(purpose) },
  'call.complete-transfer': { call: id },
  'call.found': { call: id, matches },
  'call.choose-record': { call: id, record, by: oneOf('agent', 'only-match', 'dialled-from') },
  'call.associate': { call: id, record: orNull(record) },
  'call.pause-sound': { call: id, paused: flag },
  'call.record': { call: id, on: flag },
  'call.consent': { call: id, given: flag },
  'call.more-time': { call: id },
  'call.write-note': { call: id, note: text },
  'call.set-disposition': { call: id, disposition: text },
  'call.submit-wrap-up': { call: id },
} satisfies Record<Command['type'], Fields>);

const transferStatus = oneOf('asked', 'ringing', 'cancelling');
const transfer = variant('kind', {
  blind: { to: text, status: transferStatus, purpose },
  attended: { to: text, consult: id, status: transferStatus },
});
const phase = oneOf('dialing', 'ringing', 'incoming', 'answering', 'active', 'ending', 'ended');
const call = fields({
  id,
  direction: oneOf('inbound', 'outbound'),
  farSide: party,
  diverted: orNull(fields({ from: party, reason: text })),
  verified: orNull(oneOf('passed', 'failed')),
  phase,
  recovering: flag,
  recovery: maybe(orNull(fields({ from: phase, seenAt: time, transfer: orNull(transfer) }))),
  hold: oneOf('off', 'placing', 'on', 'lifting'),
  farHold: flag,
  muted: flag,
  earlyMedia: flag,
  soundPaused: maybe(flag),
  soundResumesAt: maybe(orNull(time)),
  recordingRule: maybe(fields({ mode: id, resumeAfterMs: time, farSide: text })),
  recording: maybe(oneOf('off', 'asking', 'on', 'refused')),
  recordedFromMs: maybe(time),
  transfer: orNull(transfer),
  consultFor: orNull(id),
  replaces: orNull(id),
  ignored: flag,
  answersAt: orNull(time),
  inConference: flag,
  silenced: flag,
  room: orNull(fields({ members: listOf(party, 50), gathers: listOf(id, 10) })),
  pickedUpFrom: orNull(id),
  sipCallId: orNull(text),
  digits: text,
  startedAt: time,
  answeredAt: orNull(time),
  endedAt: orNull(time),
  end: orNull(fields({ outcome: id, reason: text, by: oneOf('agent', 'far-side', 'network') })),
  trouble: orNull(text),
  matches,
  unknown: maybe(flag),
  record: orNull(record),
  about: orNull(record),
  note: text,
  disposition: orNull(text),
  wrapUpSince: orNull(time),
  moreTime: time,
});

const codes = fields({ on: id, off: id });
const state = fields({
  line: fields({ status: oneOf('offline', 'connecting', 'ready', 'reconnecting', 'rejected'), reason: text }),
  available: flag,
  calls: listOf(call, 1_000),
  waiting: orNull(
    variant('act', {
      answer: { call: id },
      resume: { call: id },
      dial: { call: id, target: text, callerId: orNull(id) },
      'pick-up': { call: id, extension: id, code: orNull(id) },
    }),
  ),
  rules: fields({
    mostCalls: time,
    callWaiting: flag,
    busyCode: time,
    declineCode: time,
    autoAnswer: oneOf('never', 'idle', 'always'),
    mostMembers: time,
    codes: fields({ doNotDisturb: orNull(codes), forwarding: orNull(codes) }),
  }),
  forwarding: orNull(forwarding),
  watched: listOf(
    fields({
      extension: id,
      status: oneOf('unknown', 'free', 'ringing', 'busy', 'held'),
      farSide: orNull(party),
      direction: orNull(oneOf('inbound', 'outbound')),
      canTake: flag,
    }),
    1_000,
  ),
  mailbox: orNull(fields({ waiting: flag, newMessages: time, oldMessages: time })),
  featureTrouble: text,
});

const result: Check = (value) =>
  isObject(value) && (value.ok === true || (value.ok === false && id(value.code) && text(value.reason)));

const messages: Readonly<Record<SharedMessage['type'], Check>> = {
  hello: fields({ from: id, focusedAt: orNull(time), visible: maybe(flag), mayOwn: maybe(flag), knows: maybe(id) }),
  state: fields({
    from: id,
    state,
    foremost: id,
    opener: maybe(id),
    epoch: maybe(time),
    where: maybe(orNull(text)),
    at: maybe(time),
  }),
  take: fields({ from: id, id }),
  looks: fields({
    from: id,
    frames: listOf(fields({ frame: id, at: orNull(time), visible: flag, mayOwn: flag }), 300),
    asks: flag,
  }),
  who: fields({}),
  command: fields({ from: id, id, until: time, command }),
  result: fields({ to: id, id, result }),
  focus: fields({ from: id, at: time, visible: maybe(flag), mayOwn: maybe(flag) }),
};
