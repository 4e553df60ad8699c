/**
 * Events on the wire: CloudEvents 1.0 in structured JSON mode. `unknown` ends here: what `parseEvent` returns is checked.
 * Must never accept an event whose data does not fit its name, nor drop one silently.
 */
import * as v from 'valibot';
import { PatchcordError } from './errors.ts';
import { type EventName, eventSchemas, type PhoneEvent } from './events.ts';

const typePrefix = 'dev.patchcord.';
const typeVersion = '.v1';

export const EnvelopeSchema = v.object({
  specversion: v.literal('1.0'),
  /** `<callId>:<n>`, n counting from 1 per call and source; with `source` it makes a replay harmless. */
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(160)),
  /** `/tenants/<tenant>/agents/<agent>/devices/<device>`; the relay overwrites tenant and agent with what it authenticated. */
  source: v.pipe(v.string(), v.minLength(1), v.maxLength(400)),
  type: v.pipe(v.string(), v.startsWith(typePrefix), v.endsWith(typeVersion)),
  subject: v.optional(v.pipe(v.string(), v.maxLength(128))),
  time: v.pipe(v.string(), v.isoTimestamp()),
  datacontenttype: v.literal('application/json'),
  data: v.record(v.string(), v.unknown()),
});
/** A CloudEvent whose data has not been read yet. */
export type Envelope = v.InferOutput<typeof EnvelopeSchema>;

/** A checked event together with its wire identity. */
export type WireEvent = PhoneEvent & { readonly id: string; readonly source: string };

/** Puts an event into its wire form. `id` must be unique within `source`. */
export function toEnvelope(event: PhoneEvent, id: string, source: string): Envelope {
  return {
    specversion: '1.0',
    id,
    source,
    type: `${typePrefix}${event.name}${typeVersion}`,
    ...(event.call === undefined ? {} : { subject: event.call }),
    time: new Date(event.at).toISOString(),
    datacontenttype: 'application/json',
    data: event.data,
  };
}

/**
 * Reads one event from untrusted JSON.
 * @throws PatchcordError `request.invalid`, naming the first field that does not fit.
 */
export function parseEvent(input: unknown): WireEvent {
  const envelope = v.safeParse(EnvelopeSchema, input);
  if (!envelope.success) throw invalid(envelope.issues);
  const name = envelope.output.type.slice(typePrefix.length, -typeVersion.length);
  if (!Object.hasOwn(eventSchemas, name)) {
    throw new PatchcordError(
      'request.invalid',
      `Unknown event type "${envelope.output.type}". See docs/events.md for the list.`,
    );
  }
  const data = v.safeParse(eventSchemas[name as EventName], envelope.output.data);
  if (!data.success) throw invalid(data.issues, 'data.');
  return {
    id: envelope.output.id,
    source: envelope.output.source,
    name,
    at: Date.parse(envelope.output.time),
    ...(envelope.output.subject === undefined ? {} : { call: envelope.output.subject }),
    data: data.output,
  } as WireEvent;
}

function invalid(issues: readonly v.BaseIssue<unknown>[], prefix = ''): PatchcordError {
  const first = issues[0];
  const path = first === undefined ? '' : (v.getDotPath(first as v.BaseIssue<unknown>) ?? '');
  return new PatchcordError(
    'request.invalid',
    `The event is malformed at "${prefix}${path}": ${first?.message ?? 'unreadable'}.`,
  );
}
