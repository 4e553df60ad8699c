/**
 * The relay half of a CRM adapter: REST with the tenant's own token. Owns the contract only.
 * A CRM's answer is untrusted: numbers are parsed again, ids are checked. Every failure is a PatchcordError whose `retryable` and
 * `retryAfterMs` tell the outbox what to do.
 */
import type {
  CallLog,
  CrmName,
  E164,
  Extension,
  Match,
  PatchcordError,
  RecordRef,
  Related,
} from '@patchcord/call-protocol';

export interface RelayCan {
  /** Writes one call with its associations in one atomic request. */
  readonly atomicLog: boolean;
  readonly recordings: boolean;
  /** How many logs `writeLogs` takes at once; 0 when the CRM has no such thing, and then there is no `writeLogs`. */
  readonly batch: number;
}

/** The agent as the CRM knows them. */
export interface CrmAgent {
  /** Salesforce user id (005…), HubSpot user id. */
  readonly crmUserId: string;
  readonly name: string;
}

/** One log as `writeLogs` takes it; the three are those of `writeLog`. */
export interface LogToWrite {
  readonly log: CallLog;
  readonly agent: CrmAgent;
  readonly logId: string | null;
}

/** What became of one log of a batch. */
export type LogWritten = { readonly logId: string } | { readonly error: PatchcordError };

export interface CrmRelay {
  readonly crm: CrmName;
  readonly can: RelayCan;
  /**
   * Records whose number equals `number` in E.164 after our own parse, best evidence first, each with its reason. Empty when none.
   * @param options.urgent A person waits for it (the default): it goes before what does not
   * @throws PatchcordError `crm.*`
   */
  findByNumber(
    number: E164,
    country: string,
    options?: {
      readonly urgent?: boolean;
      /** Who asks: where the relay works in the name of the agent, they find what they may see. */
      readonly agent?: CrmAgent;
    },
  ): Promise<readonly Match[]>;
  /**
   * What a call with this record may be about: its open cases, opportunities, deals, likeliest first, at most twenty. Absent where the CRM has none.
   * @throws PatchcordError `crm.*`
   */
  relatedTo?(record: RecordRef, agent: CrmAgent): Promise<readonly Related[]>;
  /**
   * The colleague with this extension, where the CRM keeps a directory.
   * @throws PatchcordError `crm.*`
   */
  findByExtension?(extension: Extension, agent: CrmAgent): Promise<readonly Match[]>;
  /**
   * Writes the call so that any number of repeats, also after a lost answer or a crash, leave exactly one log. `logId` is what an earlier
   * write returned, or null when none is known. Only fields we own are written; a field a person edited stays.
   * @returns the CRM's id of the log
   * @throws PatchcordError `crm.unavailable`, `crm.rate-limited` (both retryable), `crm.invalid`, `crm.not-authentic`
   */
  writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string>;
  /**
   * Writes up to `can.batch` logs of different calls with few requests. Each keeps every promise of `writeLog` for itself: one that is refused
   * fails none of its neighbours, and what a person edited stays.
   * @returns what became of each, in the order given
   * @throws PatchcordError `crm.*` when nothing is known of any of them: repeat them all
   */
  writeLogs?(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]>;
  /** Where a person finds the log or record in the CRM. */
  linkTo(record: RecordRef): string;
}
