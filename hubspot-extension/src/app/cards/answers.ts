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
  readonly note: string;
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
    note: textOr(call.note, ''),
    disposition: textOr(call.disposition, null),
    recording: readRecording(call.recording),
    transcript: listOf(call.transcript, readLine),
  };
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
