/**
 * What a phone system reports of one agent's leg of a call, as the event `call.reported` carries it. Owns the shape; how each PBX says it is read
 * on the relay. Must never know a PBX's own field names.
 */
import * as v from 'valibot';
import { CallOutcomeSchema, DirectionSchema, PartySchema } from './call.ts';

export const PbxSchema = v.picklist(['kamailio', 'asterisk', 'freeswitch']);
/** The kinds of phone system that report calls. */
export type Pbx = v.InferOutput<typeof PbxSchema>;

const time = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000));
const word = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most));

/** Times are epoch ms by the clock of the phone system. */
export const CallReportDataSchema = v.object({
  pbx: PbxSchema,
  /** The same report always has the same id, however often it is sent. */
  reportId: word(255),
  /** How far the call had come when it was reported; `ended` is the whole story. */
  state: v.picklist(['started', 'answered', 'ended']),
  /** SIP Call-ID of the agent's leg: what the agent's phone sees. */
  sipCallId: word(255),
  conversation: v.nullable(word(255)),
  /** The agent's extension as the phone system knows it. */
  extension: word(64),
  /** The SIP user name of the device, where the phone system knows it. */
  device: v.nullable(word(128)),
  /** From the agent's side. */
  direction: DirectionSchema,
  farSide: PartySchema,
  startedAt: time,
  answeredAt: v.nullable(time),
  endedAt: v.nullable(time),
  /** Q.850 cause of the end. */
  cause: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_000))),
  outcome: v.nullable(CallOutcomeSchema),
});
export type CallReportData = v.InferOutput<typeof CallReportDataSchema>;
