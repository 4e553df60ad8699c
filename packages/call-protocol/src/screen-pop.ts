/**
 * What opens in the CRM for a call, and when: the tenant's policy as the profile carries it. Owns the shape and its defaults; the panel decides
 * by it, the host carries it out. Must never hold a number or a record of a call.
 */
import * as v from 'valibot';

const target = {
  /** Opens the form of a new record with the caller's number in it. */
  newRecord: v.object({
    open: v.literal('new-record'),
    /** The object in the CRM's own words: `Contact`, `Lead`. */
    object: v.pipe(v.string(), v.regex(/^\w{1,80}$/, 'must be the API name of an object')),
  }),
  /** Starts a guided flow. It is given `patchcordCallId`, `patchcordNumber`, `patchcordRecordId` and `patchcordDirection`. */
  flow: v.object({
    open: v.literal('flow'),
    name: v.pipe(v.string(), v.regex(/^\w{1,80}$/, 'must be the API name of a flow')),
  }),
  /** A page of the CRM, relative to it; `{number}`, `{recordId}` and `{callId}` are filled in. */
  url: v.object({
    open: v.literal('url'),
    url: v.pipe(
      v.string(),
      v.maxLength(1_000),
      v.regex(/^\/(?![/\\])/, 'must be a path of the CRM: it starts with one "/"'),
    ),
  }),
} as const;

export const ScreenPopSchema = v.object({
  /** When the record of a caller opens. A new record is never offered before the answer: its form hides the phone. */
  inbound: v.picklist(['ring', 'answer', 'never'], 'must be "ring", "answer" or "never"'),
  /** When the record of somebody we call opens. A call from a record opens nothing: the agent came from there. */
  outbound: v.picklist(['dial', 'answer', 'never'], 'must be "dial", "answer" or "never"'),
  /** One record is known for the call. */
  known: v.variant('open', [v.object({ open: v.literal('record') }), target.flow, target.url]),
  /** Several records match and the agent has not chosen: they choose in the phone, or the CRM's own search opens beside it. */
  several: v.variant('open', [v.object({ open: v.literal('choice') }), v.object({ open: v.literal('search') })]),
  /** Nobody has the number. */
  unknown: v.variant('open', [
    v.object({ open: v.literal('nothing') }),
    v.object({ open: v.literal('search') }),
    target.newRecord,
    target.flow,
    target.url,
  ]),
});
/** When what opens in the CRM. */
export type ScreenPop = v.InferOutput<typeof ScreenPopSchema>;

export const PageCommandsSchema = v.object({
  /** A component of the page wishes to dial: `ask` puts the number before the agent, `allow` dials, `refuse` does nothing. */
  dial: v.picklist(['ask', 'allow', 'refuse'], 'must be "ask", "allow" or "refuse"'),
  /** …to answer or to unmute: both open the microphone. */
  answer: v.picklist(['allow', 'refuse'], 'must be "allow" or "refuse"'),
  /** …to hold, resume, mute or hang up. */
  control: v.picklist(['allow', 'refuse'], 'must be "allow" or "refuse"'),
});
/** What a component of the CRM's page may have the phone do: any script of the page can speak on its channel. */
export type PageCommands = v.InferOutput<typeof PageCommandsSchema>;
