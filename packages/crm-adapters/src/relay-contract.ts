/**
 * The relay half of a CRM adapter: REST with the tenant's own token. Owns the contract only.
 * A CRM's answer is untrusted: numbers are parsed again, ids are checked. Every failure is a PatchcordError whose `retryable` and
 * `retryAfterMs` tell the outbox what to do.
 */
import type { CallLog, CrmName, E164, Match, RecordRef } from '@patchcord/call-protocol';

export interface RelayCan {
  /** Writes one call with its associations in one atomic request. */
  readonly atomicLog: boolean;
  readonly recordings: boolean;
}

/** The agent as the CRM knows them. */
export interface CrmAgent {
  /** Salesforce user id (005…), HubSpot user id. */
  readonly crmUserId: string;
  readonly name: string;
}

export interface CrmRelay {
  readonly crm: CrmName;
  readonly can: RelayCan;
  /**
   * Records whose number equals `number` in E.164 after our own parse, best evidence first, each with its reason. Empty when none.
   * @throws PatchcordError `crm.*`
   */
  findByNumber(number: E164, country: string): Promise<readonly Match[]>;
  /**
   * Writes the call so that any number of repeats, also after a lost answer or a crash, leave exactly one log. `logId` is what an earlier
   * write returned, or null when none is known. Only fields we own are written; a field a person edited stays.
   * @returns the CRM's id of the log
   * @throws PatchcordError `crm.unavailable`, `crm.rate-limited` (both retryable), `crm.invalid`, `crm.not-authentic`
   */
  writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string>;
  /** Where a person finds the log or record in the CRM. */
  linkTo(record: RecordRef): string;
}
