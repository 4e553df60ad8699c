/**
 * Owns the shapes of the relay's answers to a card. Everything is checked before anybody draws it; what has another shape is null.
 */
import { asObject, listOf, textOr } from './relay.ts';

/** A record of HubSpot as the relay is asked for it. */
export interface RecordHere {
  readonly objectTypeId: string;
  readonly objectId: string;
}

export interface CallBack {
  readonly id: string;
  readonly number: string;
  readonly name: string | null;
  readonly note: string | null;
  /** Epoch ms; null on the dial list. */
  readonly dueAt: number | null;
  readonly askedBy: string;
  readonly doneAt: number | null;
}

export interface Line {
  readonly speakerName: string;
  readonly text: string;
  /** From the call's beginning. */
  readonly startMs: number;
}

/** What a machine made of the words of a call, and what rules heard in it. */
export interface Heard {
  readonly summary: string | null;
  readonly sentiment: string | null;
  readonly actionItems: readonly string[];
  readonly phrases: readonly string[];
}

export interface Call {
  readonly callId: string;
  readonly direction: 'inbound' | 'outbound';
  readonly outcome: string | null;
  readonly number: string;
  readonly name: string | null;
  readonly agent: string;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly talkMs: number;
  /** The caller left a message: that is what the recording is. */
  readonly voicemail: boolean;
  readonly note: string;
  readonly heard: Heard | null;
  readonly disposition: string | null;
  readonly recording: { readonly url: string; readonly durationMs: number } | null;
  readonly transcript: readonly Line[] | null;
}

export interface CallsAnswer {
  readonly calls: readonly Call[];
  readonly more: boolean;
  readonly toCall: CallBack | null;
  readonly phone: { readonly agent: string | null; readonly online: boolean };
}

export interface Dialled {
  readonly state: 'sent' | 'no-phone-open';
}

export interface PhoneNumber {
  readonly number: string;
  readonly label: string;
  /** Whose it is; empty where HubSpot has no name. */
  readonly name: string;
}

/** The answer of `card/calls`. */
export function readCalls(answer: unknown): CallsAnswer | null {
  const { calls, more, toCall, phone } = asObject(answer);
  const read = listOf(calls, readCall);
  const { agent, online } = asObject(phone);
  const next = toCall === null ? null : readCallBack(toCall);
  if (read === null || typeof more !== 'boolean' || typeof online !== 'boolean' || (toCall !== null && next === null))
    return null;
  return { calls: read, more, toCall: next, phone: { agent: textOr(agent, null), online } };
}

/** The answer of `card/dial`. */
export function readDialled(answer: unknown): Dialled | null {
  const { state } = asObject(answer);
  return state === 'sent' || state === 'no-phone-open' ? { state } : null;
}

/** The answer of `card/call-backs` and of its change. */
export function readCallBack(answer: unknown): CallBack | null {
  const { id, number, name, note, dueAt, askedBy, doneAt } = asObject(answer);
  if (typeof id !== 'string' || typeof number !== 'string' || !isMomentOrNull(dueAt) || !isMomentOrNull(doneAt))
    return null;
  return {
    id,
    number,
    name: textOr(name, null),
    note: textOr(note, null),
    dueAt,
    askedBy: textOr(askedBy, ''),
    doneAt,
  };
}

/** The answer of `pairing-codes`. */
export function readPairing(answer: unknown): { readonly code: string; readonly expiresAt: number } | null {
  const { code, expiresAt } = asObject(answer);
  return typeof code === 'string' && code !== '' && typeof expiresAt === 'number' ? { code, expiresAt } : null;
}

function readCall(value: unknown): Call | null {
  const call = asObject(value);
  const farSide = asObject(call.farSide);
  const { callId, direction, startedAt } = call;
  if (typeof callId !== 'string' || (direction !== 'inbound' && direction !== 'outbound') || !isMoment(startedAt))
    return null;
  return {
    callId,
    direction,
    outcome: textOr(call.outcome, null),
    number: textOr(farSide.number, ''),
    name: textOr(farSide.name, null),
    agent: textOr(call.agent, ''),
    startedAt,
    talkMs: typeof call.talkMs === 'number' ? call.talkMs : 0,
    voicemail: call.voicemail === true,
    note: textOr(call.note, ''),
    heard: readHeard(call.heard),
    disposition: textOr(call.disposition, null),
    recording: readRecording(call.recording),
    transcript: listOf(call.transcript, readLine),
  };
}

/** Null where there is nothing to show. */
function readHeard(value: unknown): Heard | null {
  const { summary, sentiment, actionItems, phrases } = asObject(value);
  const heard = {
    summary: textOr(summary, null),
    sentiment: textOr(sentiment, null),
    actionItems: textsOf(actionItems),
    phrases: textsOf(phrases),
  };
  const { actionItems: items, phrases: lines } = heard;
  return heard.summary === null && heard.sentiment === null && items.length === 0 && lines.length === 0 ? null : heard;
}

function textsOf(value: unknown): readonly string[] {
  return listOf(value, (one) => (typeof one === 'string' && one !== '' ? one : null)) ?? [];
}

/** Only a secure address, or one of this machine, is opened, whatever the answer says. */
function readRecording(value: unknown): Call['recording'] {
  const { url, durationMs } = asObject(value);
  return typeof url === 'string' && /^https:\/\/|^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(url)
    ? { url, durationMs: typeof durationMs === 'number' ? durationMs : 0 }
    : null;
}

function readLine(value: unknown): Line | null {
  const { speaker, speakerName, text, startMs } = asObject(value);
  if (typeof text !== 'string' || typeof startMs !== 'number') return null;
  return { speakerName: textOr(speakerName, speaker === 'agent' ? 'Agent' : 'Far side'), text, startMs };
}

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isMomentOrNull(value: unknown): value is number | null {
  return value === null || isMoment(value);
}
