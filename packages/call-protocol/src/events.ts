/**
 * Every event that leaves the phone or the relay: name → data schema. A name is noun.past-participle; a command is never an event.
 * Owns the vocabulary; the wire form is `envelope.ts`. `docs/events.md` is generated from this file.
 */
import * as v from 'valibot';
import {
  MachineSummarySchema,
  PhraseMissedSchema,
  PhraseSpottedSchema,
  TranscriptInterruptedSchema,
  TranscriptStartedSchema,
} from './after-call.ts';
import { CallOutcomeSchema, DirectionSchema, PartySchema } from './call.ts';
import { TranscriptLineSchema } from './page-channel.ts';
import { recordingEvents } from './recording.ts';
import { MatchSchema, RecordRefSchema } from './records.ts';
import { CallReportDataSchema } from './reports.ts';

const note = v.pipe(v.string(), v.maxLength(32_000));
/** A message in a mailbox, and who left it. */
const MessageLeftSchema = v.object({
  voicemail: v.pipe(v.string(), v.uuid()),
  mailbox: v.pipe(v.string(), v.minLength(1), v.maxLength(32)),
  from: PartySchema,
  durationMs: v.pipe(v.number(), v.minValue(0)),
});

/** Data schema by event name. `subject` of the wire form is the call id wherever the event belongs to a call. */
export const eventSchemas = {
  'line.ready': v.object({ server: v.optional(v.string()) }),
  'line.lost': v.object({ reason: v.string() }),
  'agent.available': v.object({}),
  'agent.unavailable': v.object({ reason: v.optional(v.string()) }),
  /** Where the agent's calls go instead of their phone; null: nowhere else (any more). */
  'forwarding.changed': v.object({ to: v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(128))) }),
  'dial.requested': v.object({ number: v.string(), record: v.optional(RecordRefSchema) }),
  'call.started': v.object({
    direction: DirectionSchema,
    farSide: PartySchema,
    /** SIP Call-ID: joins PBX call records to this call. */
    sipCallId: v.optional(v.pipe(v.string(), v.maxLength(255))),
    /** The call this one consults for. */
    consultFor: v.optional(v.pipe(v.string(), v.uuid())),
    /** Whom the call was for before it came here. */
    divertedFrom: v.optional(PartySchema),
    /** The extension it was picked up from. */
    pickedUpFrom: v.optional(v.pipe(v.string(), v.maxLength(64))),
  }),
  /** An outbound call learns its SIP Call-ID only when the INVITE leaves: it is told here and again at the end. */
  'call.ringing': v.object({ sipCallId: v.optional(v.pipe(v.string(), v.maxLength(255))) }),
  'call.answered': v.object({}),
  'call.held': v.object({}),
  'call.resumed': v.object({}),
  'call.transferred': v.object({
    to: v.string(),
    kind: v.picklist(['blind', 'attended']),
    /** Absent: handed over. Parked, moved to another device of the agent, or sent into a room it is still the agent's. */
    purpose: v.optional(v.picklist(['park', 'move', 'room'])),
  }),
  /** A consult call went up in the conversation it was placed for: an attended transfer joined their far sides. */
  'call.joined': v.object({ with: v.pipe(v.string(), v.uuid()) }),
  /** The call is one of several whose far sides hear each other. */
  'call.merged': v.object({ with: v.array(v.pipe(v.string(), v.uuid())) }),
  'call.split': v.object({}),
  /** Nobody answered here on purpose: the agent or a rule sent the caller somewhere else. */
  'call.redirected': v.object({ to: v.string(), by: v.picklist(['agent', 'rule']) }),
  /** The far side is somebody else now: a transfer over there, or the network's better knowledge. */
  'call.identified': v.object({ farSide: PartySchema }),
  'call.transfer-failed': v.object({ to: v.string(), reason: v.string() }),
  /** Its page or its connection went, and the call was taken up again: in its old dialog, by replacing it, or because it rang once more. */
  'call.recovered': v.object({
    way: v.picklist(['resume', 'replaces', 'rung-again']),
    /** What the far side calls itself; empty when it does not say. */
    peer: v.pipe(v.string(), v.maxLength(120)),
    /** From when the call was seen alive last to when it was up again, ms. */
    afterMs: v.pipe(v.number(), v.minValue(0)),
  }),
  /** Another device of the agent had the call. This one has it now and tells its end, also where it does not come up again. */
  'call.taken-over': v.object({ direction: DirectionSchema, answered: v.boolean() }),
  /** One way of taking it up was tried: what is learned of this far side. */
  'call.recovery-tried': v.object({
    way: v.picklist(['resume', 'replaces']),
    peer: v.pipe(v.string(), v.maxLength(120)),
    worked: v.boolean(),
  }),
  'call.ended': v.object({
    outcome: CallOutcomeSchema,
    /** Plain words for a person. */
    reason: v.string(),
    /** SIP status code or Q.850 cause text, where the network gave one. */
    sipCode: v.optional(v.number()),
    by: v.picklist(['agent', 'far-side', 'network']),
    sipCallId: v.optional(v.pipe(v.string(), v.maxLength(255))),
  }),
  /** A phone system's own record of the call: fills what no panel said. */
  'call.reported': CallReportDataSchema,
  'record.matched': v.object({ matches: v.array(MatchSchema) }),
  'record.chosen': v.object({ record: RecordRefSchema, by: v.picklist(['agent', 'only-match', 'dialled-from']) }),
  'record.opened': v.object({ record: RecordRefSchema }),
  /** What the call was about, beside whom it was with: a case, a deal, an opportunity. null: nothing after all. */
  'record.associated': v.object({ record: v.nullable(RecordRefSchema) }),
  ...recordingEvents,
  /** A recording of this call can be listened to. */
  'recording.available': v.object({
    /** 2: the caller on the first channel, whoever was called on the second, whatever the direction. */
    channels: v.picklist([1, 2]),
    durationMs: v.pipe(v.number(), v.minValue(0)),
    /** Who recorded: the relay, from what the phone heard, or a phone system that handed it over. Absent: as `phone-system`. */
    madeBy: v.optional(v.picklist(['relay', 'phone-system'])),
  }),
  /** Somebody who proved who they are asked outside the phone (on a card of the CRM) that their phone dials; told live and never stored. */
  'dial.asked': v.object({
    /** Names the wish: a phone that hears it twice dials once. */
    wish: v.pipe(v.string(), v.uuid()),
    number: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
    country: v.optional(v.pipe(v.string(), v.length(2))),
    record: v.optional(RecordRefSchema),
  }),
  /** The agent's call-backs or dial list changed; told live and never stored. */
  'to-call.changed': v.object({}),
  /** Somebody left a message in the agent's mailbox. */
  'voicemail.received': MessageLeftSchema,
  /** The call in which a message was left is known, or was made for it: its log tells of the message. Only the relay says so. */
  'voicemail.linked': MessageLeftSchema,
  /** A message was heard, deleted, brought back, written down or is gone; told live and never stored. */
  'voicemail.changed': v.object({ voicemail: v.pipe(v.string(), v.uuid()) }),
  /** Words of a call as they are heard; told live. As events they are never stored: a customer's relay may keep the final ones beside the call. */
  'transcript.partial': TranscriptLineSchema,
  'transcript.final': TranscriptLineSchema,
  /** Words of this side are being heard; kept where rules ask for what was not said. */
  'transcript.started': TranscriptStartedSchema,
  /** Nothing was heard for a while; kept for the same reason. */
  'transcript.interrupted': TranscriptInterruptedSchema,
  /** A phrase that a rule of the customer's looks for was heard. */
  'phrase.spotted': PhraseSpottedSchema,
  /** A phrase that had to be said was not heard; told when the call is over. */
  'phrase.missed': PhraseMissedSchema,
  /** A machine summed the call up. */
  'call.summarised': MachineSummarySchema,
  'wrap-up.saved': v.object({ note: v.optional(note), disposition: v.optional(v.string()) }),
  'wrap-up.submitted': v.object({ note: v.optional(note), disposition: v.optional(v.string()) }),
  /** The CRM's own page made the log of this call. Told by the phone, believed by the relay only after it looked. */
  'log.created': v.object({ logId: v.pipe(v.string(), v.minLength(1), v.maxLength(80)) }),
  /** The CRM's own page made no log, as far as the phone knows. `certain`: it refused, or was never asked; else it was only silent and may still make one. */
  'log.not-created': v.object({ reason: v.pipe(v.string(), v.maxLength(500)), certain: v.optional(v.boolean()) }),
  'log.saved': v.object({ record: RecordRefSchema, logId: v.string() }),
  'log.failed': v.object({ reason: v.string(), retrying: v.boolean() }),
  /** The call goes on in a log that was there before: made by the CRM itself, or written for the same call under the id in `writtenAs`. */
  'log.adopted': v.object({ logId: v.string(), writtenAs: v.optional(v.pipe(v.string(), v.uuid())) }),
  /** A person deleted the log in the CRM: it is not written again. */
  'log.removed': v.object({ logId: v.string() }),
  /** Something a person should look at: it was told to supervisors and webhooks, and is kept until somebody acknowledges it. */
  'alert.raised': v.object({
    alert: v.string(),
    kind: v.string(),
    message: v.string(),
    agent: v.optional(v.string()),
    data: v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean(), v.null()]))),
  }),
  'credential.revoked': v.object({ reason: v.string() }),
  'profile.changed': v.object({}),
} as const;

export type EventName = keyof typeof eventSchemas;
export type EventData<N extends EventName> = v.InferOutput<(typeof eventSchemas)[N]>;
export const eventNames = Object.keys(eventSchemas) as readonly EventName[];

/** An event in process: short name, when it happened (epoch ms), its data. `call` is absent on line and agent events. */
export type PhoneEvent = {
  [N in EventName]: {
    readonly name: N;
    readonly at: number;
    readonly call?: string;
    readonly data: EventData<N>;
  };
}[EventName];
