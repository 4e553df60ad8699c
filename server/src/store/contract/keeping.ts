/** How long things are kept: legal holds, what is old, forgetting calls whole. Must never decide what is old enough. */
import type { CallId, TenantId } from '@patchcord/call-protocol';
import type { StoredCall } from './calls.ts';

/** Keeps a call (by its id), or every call with a number (in E.164), from being deleted. */
export interface LegalHold {
  readonly tenant: TenantId;
  readonly kind: 'call' | 'number';
  readonly subject: string;
  readonly reason: string;
  /** Epoch ms. */
  readonly at: number;
}

/** Where a walk through old calls stands. */
export interface OldCallsPlace {
  readonly touchedAt: number;
  readonly callId: string;
}

export interface KeepingStore {
  /** Holds of one tenant, or of all. */
  holds(tenant?: TenantId): Promise<readonly LegalHold[]>;
  /** False when it is held already. */
  addHold(hold: LegalHold): Promise<boolean>;
  /** False when there is no such hold. */
  releaseHold(tenant: TenantId, kind: LegalHold['kind'], subject: string): Promise<boolean>;
  /** Calls that are over and were last heard of before this time, and whose log neither waits nor failed; longest ago first, after `place`. */
  oldCalls(before: number, place: OldCallsPlace | null, limit: number): Promise<readonly StoredCall[]>;
  /**
   * Forgets calls with all that hangs on them, in one transaction: events, effects, rows of any table that names the call. A call with a
   * hold on it stays, whenever the hold came. So does one whose log waits or failed, unless `evenUnwritten`.
   * @returns how many calls are gone, and how many rows with them
   */
  forgetCalls(
    callIds: readonly CallId[],
    options?: { readonly evenUnwritten?: boolean },
  ): Promise<{ readonly calls: number; readonly rows: number }>;
  /**
   * The clock was set back by so many ms: what waits for a time, and what is held until a time, waits and is held that much less. Whoever
   * holds an effect and is not done by then finds the lease lost.
   */
  setBackClock(now: number, byMs: number): Promise<void>;
  /** Forgets up to `limit` events that belong to no call and came before this time; how many. */
  forgetLooseEvents(before: number, limit: number): Promise<number>;
  /** Forgets webhooks of no call that were given up and are from before this time; those of a call go with it. How many. */
  forgetDeadWebhooks(before: number): Promise<number>;
}
