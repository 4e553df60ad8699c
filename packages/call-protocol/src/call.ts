/** Words for calls that every part shares. Owns no behaviour. */
import * as v from 'valibot';
import { E164Schema } from './ids.ts';

export const DirectionSchema = v.picklist(['inbound', 'outbound']);
export type Direction = v.InferOutput<typeof DirectionSchema>;

export const PartySchema = v.object({
  /** As the far end or the agent gave it: digits, an extension, a SIP user part; empty when withheld. */
  number: v.pipe(v.string(), v.maxLength(128)),
  e164: v.optional(E164Schema),
  name: v.optional(v.pipe(v.string(), v.maxLength(255))),
});
/** One end of a call. */
export type Party = v.InferOutput<typeof PartySchema>;

export const CallOutcomeSchema = v.picklist([
  'answered',
  'missed',
  'declined',
  'busy',
  'no-answer',
  'cancelled',
  'failed',
  'answered-elsewhere',
]);
/**
 * How a call ended, from the agent's side. `missed` is inbound only; `declined` is the agent's refusal of a call, or the far side's (603); `answered-elsewhere` means another device took it
 * (RFC 3326 Reason on CANCEL); `busy`, `no-answer`, `cancelled` are outbound; `failed` is a fault with a reason.
 */
export type CallOutcome = v.InferOutput<typeof CallOutcomeSchema>;
