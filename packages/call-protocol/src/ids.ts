/**
 * The identifiers that cross process borders, branded so that one can't be passed for another.
 * Owns their shape only; nobody mints an identifier here but `newCallId`.
 */
import * as v from 'valibot';

export const CallIdSchema = v.pipe(v.string(), v.uuid('a call id is a UUID'), v.brand('CallId'));
/** One call as one agent lives it. Minted once, by the phone (or by the relay for a call no phone saw); a UUID, URL-safe. */
export type CallId = v.InferOutput<typeof CallIdSchema>;

export const E164Schema = v.pipe(
  v.string(),
  v.regex(/^\+[1-9]\d{6,14}$/, 'a number in E.164 is "+" and 7 to 15 digits'),
  v.brand('E164'),
);
/** A telephone number in E.164 (ITU-T E.164): "+", country code, national number. */
export type E164 = v.InferOutput<typeof E164Schema>;

export const ExtensionSchema = v.pipe(
  v.string(),
  v.regex(/^\d{1,6}$/, 'an extension is one to six digits'),
  v.brand('Extension'),
);
/** A number inside one phone system. It says nothing outside of it. */
export type Extension = v.InferOutput<typeof ExtensionSchema>;

const idText = v.pipe(v.string(), v.minLength(1), v.maxLength(128), v.regex(/^[A-Za-z0-9._:@-]+$/));
export const TenantIdSchema = v.pipe(idText, v.brand('TenantId'));
/** One customer organisation: one CRM connection, one PBX, its agents. */
export type TenantId = v.InferOutput<typeof TenantIdSchema>;
export const AgentIdSchema = v.pipe(idText, v.brand('AgentId'));
/** One agent inside one tenant. */
export type AgentId = v.InferOutput<typeof AgentIdSchema>;
export const DeviceIdSchema = v.pipe(v.string(), v.uuid(), v.brand('DeviceId'));
/** One browser (storage partition) of one agent; also the SIP instance id (RFC 5626 section 4.1). */
export type DeviceId = v.InferOutput<typeof DeviceIdSchema>;

/** Mints a call id. */
export function newCallId(): CallId {
  return v.parse(CallIdSchema, crypto.randomUUID());
}
/** Reads a call id from text that should hold one; throws when it does not. */
export function toCallId(text: string): CallId {
  return v.parse(CallIdSchema, text);
}
/** Reads a number that is already in E.164; throws when it is not. To convert what a person typed, use a phone number library first. */
export function toE164(text: string): E164 {
  return v.parse(E164Schema, text);
}
