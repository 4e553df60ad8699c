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

/** One thing said in a call. */
export interface SpokenLine {
  readonly speaker: 'agent' | 'far-side';
  /** For a person. */
  readonly speakerName: string;
  readonly text: string;
  /** From the start of the call, ms. */
  readonly startMs: number;
  readonly endMs: number;
  /** BCP 47 */
  readonly language?: string;
}

/** One thing of the set-up that was looked at, in words for an administrator. */
export interface SetUpFinding {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'good' | 'bad' | 'unsure';
  readonly found: string;
  /** What to do, when it is not good. */
  readonly advice?: string;
}

/** What became of one log of a batch. */
export type LogWritten = { readonly logId: string } | { readonly error: PatchcordError };

export interface AskOptions {
  /** A person waits for it (the default): it goes before what does not. */
  readonly urgent?: boolean;
}

export interface CrmRelay {
  readonly crm: CrmName;
  readonly can: RelayCan;
  /**
   * Records whose number equals `number` in E.164 after our own parse, best evidence first, each with its reason. Empty when none.
   * @throws PatchcordError `crm.*`
   */
  findByNumber(
    number: E164,
    country: string,
    options?: AskOptions & {
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
  /**
   * The logs that the CRM's own page made for this call, by the call id it was given: first the one to go on in, then those there are too many.
   * Empty when none is found, also where the CRM does not let us look. The CRM's index may lag: nothing soon after the call says nothing. Absent
   * where no page makes logs.
   * @throws PatchcordError `crm.*`
   */
  findPageLogs?(call: string): Promise<readonly string[]>;
  /**
   * Whether this log was made for this call: what a phone says of it is not proof. Null where there is no such log (any more).
   * @throws PatchcordError `crm.*`
   */
  isLogOf?(logId: string, call: string): Promise<boolean | null>;
  /**
   * Takes away a second log of a call: only one that the CRM's page made for this very call and that nobody edited.
   * @param kept The log that stays; what the page put the other one on goes over to it. Null where the call gets no log.
   * @returns false when it stays, because it is not ours or a person wrote in it
   * @throws PatchcordError `crm.*`
   */
  removeSecondLog?(logId: string, call: string, kept: string | null): Promise<boolean>;
  /**
   * Reports a call that no phone of ours saw, so that the CRM tells its people of it too; one log, as `writeLog` promises, however often it is
   * repeated. Absent where the CRM has no such thing: `writeLog` does.
   * @param candidates Whom it rang for
   * @param before `attempts`: how many earlier ones may have sent a report whose answer is not known. After one it is looked for longer before
   * another report is sent; after more, none is sent any more.
   * @returns the CRM's id of the log
   * @throws PatchcordError as `writeLog`
   */
  reportUnseenCall?(
    log: CallLog,
    agent: CrmAgent,
    candidates: readonly CrmAgent[],
    before?: { readonly attempts?: number },
  ): Promise<string>;
  /**
   * The numbers on a record, the best to call first; empty when it has none.
   * @throws PatchcordError `crm.*`, `crm.not-found`
   */
  numbersOf?(
    record: RecordRef,
    options?: AskOptions,
  ): Promise<readonly { readonly number: string; readonly label: string }[]>;
  /**
   * Tells the CRM that the recording of a log can be fetched. Repeating it does no harm.
   * @throws PatchcordError `crm.*`
   */
  recordingReady?(logId: string): Promise<void>;
  /**
   * Keeps the words of a call beside its log. Words that are there stay.
   * @param call `answeredMs`: from the start of the call to its answer, where its recording begins
   * @returns the CRM's id of the transcript; empty where it takes none
   * @throws PatchcordError `crm.*`
   */
  writeTranscript?(logId: string, lines: readonly SpokenLine[], call: { readonly answeredMs: number }): Promise<string>;
  /**
   * What a record is called and to whom it belongs, by the CRM's id of an owner; null where it says neither.
   * @throws PatchcordError `crm.*`, `crm.not-found`
   */
  describeRecord?(
    record: RecordRef,
    options?: AskOptions,
  ): Promise<{ readonly name: string | null; readonly ownerId: string | null }>;
  /**
   * The CRM user behind an owner's id; null when there is none.
   * @throws PatchcordError `crm.*`
   */
  userOfOwner?(ownerId: string, options?: AskOptions): Promise<string | null>;
  /**
   * With which app the CRM's users call, by user id, as far as the CRM says it.
   * @throws PatchcordError `crm.*`; `crm.invalid` where the app may not ask
   */
  callingApps?(): Promise<ReadonlyMap<string, 'ours' | 'other'>>;
  /** Looks whether all that the relay needs of the CRM works. Never rejects. */
  checkSetUp?(agents: readonly CrmAgent[]): Promise<readonly SetUpFinding[]>;
  /** Where a person finds the log or record in the CRM. */
  linkTo(record: RecordRef): string;
}
