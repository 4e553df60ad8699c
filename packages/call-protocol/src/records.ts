/**
 * CRM records as the phone sees them: a reference, and a match with its evidence.
 * Owns no CRM's field names; those live in the CRM's own adapter folder.
 */
import * as v from 'valibot';
import { E164Schema, ExtensionSchema } from './ids.ts';

export const CrmNameSchema = v.picklist(['salesforce', 'hubspot', 'page', 'memory']);
/** The CRM (or host) a record, a log or a panel belongs to. */
export type CrmName = v.InferOutput<typeof CrmNameSchema>;

export const RecordRefSchema = v.object({
  crm: CrmNameSchema,
  /** Object name in the CRM's own words: `Contact`, `Lead`, `Account`; `contact`, `company`. */
  object: v.pipe(v.string(), v.minLength(1), v.maxLength(80)),
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(80)),
  name: v.optional(v.pipe(v.string(), v.maxLength(255))),
});
/** Points at one record in one CRM. */
export type RecordRef = v.InferOutput<typeof RecordRefSchema>;

export const MatchSchema = v.object({
  record: RecordRefSchema,
  /** The number that matched, after our own parse: equal in E.164 to the number searched, or the very extension. */
  number: v.union([E164Schema, ExtensionSchema]),
  /** Second line of a match: company, title. */
  detail: v.optional(v.pipe(v.string(), v.maxLength(255))),
  /** Why it stands where it stands, in words an agent understands. */
  reason: v.pipe(v.string(), v.maxLength(255)),
  /** From where it is known; the CRM itself when absent. What is not from the CRM can't be opened there. */
  source: v.optional(v.picklist(['crm', 'directory', 'enrichment'])),
  /** The record says that this person must not be called. */
  doNotCall: v.optional(v.boolean()),
});
/** A record whose number equals the far side's number. */
export type Match = v.InferOutput<typeof MatchSchema>;

export const RelatedSchema = v.object({
  record: RecordRefSchema,
  /** Second line: stage, status, amount. */
  detail: v.optional(v.pipe(v.string(), v.maxLength(255))),
  /** Why it is offered, in words an agent understands. */
  reason: v.pipe(v.string(), v.maxLength(255)),
});
/** A record a call may be about: an open case or opportunity of the person who calls. */
export type Related = v.InferOutput<typeof RelatedSchema>;
