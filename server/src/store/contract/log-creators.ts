/**
 * Who makes the log of a call, decided once before anybody does: the CRM's own page or the relay. Must never hold what the log says.
 */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';

/** A call as one agent tells it: a colleague who names the same id decides nothing for it. */
export interface CreatorOf {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly callId: CallId;
}

/** What became of a decision for the page; `open` until it is known, and for good where the relay was to make the log from the start. */
export type CreatorFate =
  | 'open'
  /** The page made the log, and it was looked up: it is this call's. */
  | 'made'
  /** The page said that it made none. */
  | 'not-made'
  /** Nobody said anything, and none was found when the CRM's index had time. */
  | 'silent'
  /** What the phone named was no log of this call. */
  | 'foreign';

export interface LogCreatorRow extends CreatorOf {
  readonly creator: 'page' | 'relay';
  /** When it was decided first, epoch ms. */
  readonly decidedAt: number;
  readonly fate: CreatorFate;
  /** The CRM's id of the log that the page made, once it was looked up. */
  readonly pageLogId: string | null;
  /** Further logs that were told for this call, and what was done with each. */
  readonly others: Readonly<Record<string, OtherLog>>;
}

export type OtherLog =
  /** A second log was taken away. */
  | 'removed'
  /** A second log was left, because it is not ours to take away. */
  | 'left'
  /** Was not (yet) a log of this call when it was looked at then, epoch ms: it may be on its way to be. */
  | `doubted ${number}`
  /** A phone named it, and it is no log of this call; only the CRM's own word makes it worth another look. */
  | 'foreign'
  /** The CRM named it too, and it is none all the same, or none any more. */
  | 'stranger'
  /** A person deleted it before anything was written in it. */
  | 'gone';

export interface LogCreatorStore {
  /** Keeps the decision where there is none yet. Of several at once exactly one is kept; each is answered what is kept. */
  decide(call: CreatorOf, creator: 'page' | 'relay', at: number): Promise<LogCreatorRow>;
  /** The decisions of these calls; a call without one is absent. */
  ofCalls(calls: readonly CreatorOf[]): Promise<ReadonlyMap<CallId, LogCreatorRow>>;
  /** The page made this log. Only where the page was to, and no other log of it is known. @returns what is kept now; null without a decision */
  made(call: CreatorOf, pageLogId: string): Promise<LogCreatorRow | null>;
  /** The relay makes the log after all. Only while no log of the page is known. @returns what is kept now; null without a decision */
  takeOver(call: CreatorOf, fate: Exclude<CreatorFate, 'open' | 'made'>): Promise<LogCreatorRow | null>;
  /** Remembers what was done with a further log. Whoever calls this holds the lease of the call's log. */
  noteOther(call: CreatorOf, logId: string, what: OtherLog): Promise<void>;
  /** Forgets what was decided before this time for calls of which nothing was ever told; how many. What was told is forgotten with its call. */
  forgetUntold(before: number): Promise<number>;
}
