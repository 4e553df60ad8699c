/**
 * Events in the order they were committed, for those who follow: streams, boards, panels that missed something. Must never skip an event that
 * was committed, nor give one before another that a reader could already have seen after it.
 */
import type { AgentId, CallId, Envelope, TenantId } from '@patchcord/call-protocol';

/** A place between two events; opaque to readers. Comparable with `isBefore`. */
export interface FeedCursor {
  readonly xact: number;
  readonly position: number;
}

export interface FeedEvent {
  readonly cursor: FeedCursor;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly callId: CallId | null;
  /** Counts the events of this call from 1; null for an event of no call. */
  readonly seq: number | null;
  readonly envelope: Envelope;
}

export interface CallEvents {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly events: readonly { readonly seq: number; readonly envelope: Envelope }[];
}

export interface FeedStore {
  /** The same for every relay on this database, and for no other: relays find each other by it. */
  deployment(): Promise<string>;
  /** The place after everything that is committed now. */
  end(): Promise<FeedCursor>;
  /** Events after a place, oldest first, of one tenant (and one agent). What is older than `since` (epoch ms) is left out. */
  after(
    cursor: FeedCursor,
    of: { readonly tenant: TenantId; readonly agent?: AgentId; readonly since: number; readonly limit: number },
  ): Promise<readonly FeedEvent[]>;
  /** One call's events with a greater `seq`, in order; null when nobody has stored the call. */
  ofCall(callId: CallId, afterSeq: number, limit: number): Promise<CallEvents | null>;
  seqOf(source: string, id: string): Promise<number | null>;
}
