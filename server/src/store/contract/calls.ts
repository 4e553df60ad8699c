/**
 * Events, and calls with their newest fold, as the store keeps them. Must never decide what a call log says: that is the fold's business.
 */
import type { AgentId, CallId, CallLog, TenantId, WireEvent } from '@patchcord/call-protocol';
import type { LogState, NewEffect } from './outbox.ts';
import type { StoredEvent } from './stored-event.ts';

/** One call of one agent with its newest fold. `version` counts the folds and guards them against each other. */
export interface StoredCall {
  readonly callId: CallId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly version: number;
  /** Null while no `call.started` has arrived. */
  readonly log: CallLog | null;
  /** When the newest event was received. */
  readonly touchedAt: number;
  readonly logState: LogState;
  /** The CRM's id of the log: the authority on "was it written". */
  readonly logId: string | null;
  readonly logReason: string | null;
}

export interface CallWithEvents {
  readonly call: StoredCall;
  readonly events: readonly WireEvent[];
}

/** What one transaction changes. */
export interface Change {
  /** Must be new: one that is already stored makes the whole change a conflict. */
  readonly events: readonly StoredEvent[];
  /** Events the relay itself made; one that is already stored is left as it is. */
  readonly ownEvents?: readonly StoredEvent[];
  readonly calls: readonly {
    readonly callId: CallId;
    readonly tenant: TenantId;
    readonly agent: AgentId;
    /** The version the fold was made from; 0 for a call that is not stored yet. */
    readonly fromVersion: number;
    readonly log: CallLog | null;
    /** Which leg it is of, where there is no log yet that says so. */
    readonly sipCallId?: string | null;
    readonly touchedAt: number;
    /** The log has to be written again. */
    readonly logWaiting: boolean;
  }[];
  readonly effects: readonly NewEffect[];
}

export interface CallStore {
  /** The calls with these ids and all their events, in no order; an id nobody has stored is absent. */
  readCalls(callIds: readonly CallId[]): Promise<ReadonlyMap<CallId, CallWithEvents>>;
  /** Which of these event ids are stored for this source. */
  knownEvents(source: string, ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** All of the change in one transaction. False when something moved since it was read: nothing was written, read again. */
  commit(change: Change): Promise<boolean>;
  /** One agent's calls, newest first. */
  history(tenant: TenantId, agent: AgentId, limit: number): Promise<readonly StoredCall[]>;
  /** The agent's calls on the leg with this SIP Call-ID: the phone's, of each device that rang, and the one made from reports. */
  callsOnLeg(tenant: TenantId, agent: AgentId, sipCallId: string): Promise<readonly StoredCall[]>;
  /** Every agent's calls in one conversation of the phone system. */
  callsInConversation(tenant: TenantId, conversation: string): Promise<readonly StoredCall[]>;
  /** The calls whose log has this id in the CRM: one, or two where a phone's call took over from one made from reports. */
  callsOfLog(tenant: TenantId, logId: string): Promise<readonly StoredCall[]>;
  /**
   * Calls with a record or about it, newest first, those of the same millisecond by id. Only what comes after `before`: begun before its `at` (epoch ms), or
   * in it and with a greater id than its `call`, where that is known. Of all agents of the tenant when `agent` is null.
   */
  callsOfRecord(options: {
    readonly tenant: TenantId;
    readonly agent: AgentId | null;
    readonly record: { readonly object: string; readonly id: string };
    readonly before: { readonly at: number; readonly call: CallId | null } | null;
    readonly limit: number;
  }): Promise<readonly StoredCall[]>;
  /**
   * Sees to it that up to `limit` calls behind `after`, by their ids, are found by their records, also those that a version wrote which did not care.
   * @returns the last of them; null when none was left
   */
  keyRecords(after: CallId | null, limit: number): Promise<CallId | null>;
  /** Calls whose log was given up, or waits since before `waitingSince`; oldest first. Of all agents of the tenant when `agent` is null. */
  unlogged(options: {
    readonly tenant: TenantId;
    readonly agent: AgentId | null;
    readonly waitingSince: number;
    readonly limit: number;
  }): Promise<readonly StoredCall[]>;
  /** A person deleted the log in the CRM: nothing is to be written for this call any more. */
  leaveLog(callId: CallId, reason: string): Promise<void>;
  /** Whether somebody could still report this agent's calls: a session is alive. */
  isSignedIn(tenant: TenantId, agent: AgentId, now: number): Promise<boolean>;
  /** Calls that have not ended and of which this device (by its source) told last: whoever took a call up from another device has it. */
  openCallsOf(source: string): Promise<readonly StoredCall[]>;
  /**
   * Calls that have not ended and whose phone fell silent: last heard of before `silentBefore`, or before `unattendedBefore` while nobody who
   * could report them has a session any more, or before `goneBefore` while the device that told of them last has had no live socket since, nor holds
   * the line another one that told of them.
   * @param times.goneBefore null: nobody can tell which phones are gone. Nor can anybody while a relay is there that does not name its phones
   */
  silentCalls(times: {
    readonly now: number;
    readonly silentBefore: number;
    readonly unattendedBefore: number;
    readonly goneBefore: number | null;
    readonly limit: number;
  }): Promise<readonly CallId[]>;
}
