/** What is left to do outside of the database: effects, their leases, what became of them. */
import type { CallId, TenantId } from '@patchcord/call-protocol';
import type { StoredEvent } from './stored-event.ts';

/**
 * What is left to do outside of this database. `crm.log`, `crm.recording` and `crm.transcript` have one row per call, `crm.second-look` one per
 * call and time, `call.phrases` one per call, `call.summary` one per call, model and prompt, `voicemail.log` and `voicemail.words` one per
 * message, `webhook` one per event and endpoint.
 */
export type EffectKind =
  | 'call.phrases'
  | 'call.summary'
  | 'crm.log'
  | 'crm.second-look'
  | 'crm.recording'
  | 'crm.transcript'
  | 'voicemail.log'
  | 'voicemail.words'
  | 'webhook'
  | 'edge.revoke';

export interface NewEffect {
  /** The same effect always has the same id: enqueueing it again joins the one that waits. */
  readonly id: string;
  readonly kind: EffectKind;
  readonly tenant: TenantId;
  readonly callId: CallId | null;
  readonly payload: unknown;
  readonly dueAt: number;
  /** Effects with the same key are delivered one after the other, in the order they were enqueued; null: in no order. */
  readonly orderKey: string | null;
}

export interface Effect extends NewEffect {
  /** Counts how often it was enqueued while waiting: done only when this is still what was delivered. */
  readonly version: number;
  readonly attempts: number;
  readonly createdAt: number;
  readonly state: 'waiting' | 'dead';
  readonly reason: string | null;
}

/** An effect somebody holds. Whoever settles it must still hold this lease. */
export interface LeasedEffect extends Effect {
  readonly lease: string;
}

/** Where the log of a call stands on its way into the CRM; `none` when there is nothing to write (yet). */
export type LogState = 'none' | 'waiting' | 'saved' | 'failed';

/** What is known about a call's log after a delivery. */
export interface LogResult {
  readonly callId: CallId;
  readonly state: LogState;
  readonly logId: string | null;
  readonly reason: string | null;
}

export interface OutboxStore {
  enqueue(effects: readonly NewEffect[]): Promise<void>;
  /**
   * Takes up to `limit` due effects of these kinds, no log of a paused tenant, and counts the attempt. Nobody else gets them until the lease
   * ends. The tenants take turns, so that one with thousands waiting delays nobody. Of one order key the oldest goes first and alone: nothing
   * is taken whose key is held by somebody or has an older effect that waits; a dead one blocks nobody, nor does a log that is not due yet and
   * was never tried.
   */
  claim(options: {
    readonly now: number;
    readonly leaseMs: number;
    readonly limit: number;
    readonly kinds: readonly EffectKind[];
    readonly pausedTenants: readonly TenantId[];
    /** How many of one tenant at most; no such limit when absent. */
    readonly mostOf?: (tenant: TenantId, kind: EffectKind) => number;
  }): Promise<readonly LeasedEffect[]>;
  /** Holds on for longer. False when the lease is lost. */
  renew(effect: LeasedEffect, until: number): Promise<boolean>;
  /** Holds on to several for longer; those whose lease is lost are left alone. */
  renewAll(effects: readonly LeasedEffect[], until: number): Promise<void>;
  /**
   * The effect took place. It leaves the outbox, unless it was enqueued again meanwhile: then it waits again at once.
   * `lost` when the lease is no longer held: nothing was written.
   */
  done(
    effect: LeasedEffect,
    now: number,
    outcome?: {
      readonly log?: LogResult;
      readonly ownEvents?: readonly StoredEvent[];
      readonly effects?: readonly NewEffect[];
    },
  ): Promise<'done' | 'again' | 'lost'>;
  /** Tries again at `dueAt`; `dead` gives up until a person asks again or the effect is enqueued again. False when the lease is lost. */
  failed(
    effect: LeasedEffect,
    failure: { readonly dueAt: number; readonly reason: string; readonly dead: boolean },
    outcome?: {
      readonly log?: LogResult;
      readonly ownEvents?: readonly StoredEvent[];
      readonly effects?: readonly NewEffect[];
    },
  ): Promise<boolean>;
  /** When the next effect of these kinds is due, epoch ms; null when none waits. */
  nextDue(kinds: readonly EffectKind[]): Promise<number | null>;
  depth(): Promise<
    readonly {
      readonly kind: EffectKind;
      readonly state: 'waiting' | 'dead';
      readonly count: number;
      readonly oldestAt: number;
    }[]
  >;
  /**
   * Looks again at `dueAt`, or at once where it was enqueued again meanwhile; the attempt does not count, since nothing was tried. False when the
   * lease is lost.
   */
  postpone(effect: LeasedEffect, dueAt: number): Promise<boolean>;
  dead(tenant: TenantId, limit: number): Promise<readonly Effect[]>;
  /** Makes a dead effect wait again. False when there is none with this id. */
  revive(id: string, dueAt: number): Promise<boolean>;
  /** Makes every dead effect of a tenant wait again; returns how many. */
  reviveAll(tenant: TenantId, dueAt: number): Promise<number>;
  /** Whatever of this kind a tenant has backing off, or that whose id begins so, is due now: what it waited for is back. Returns how many. */
  hurry(tenant: TenantId, kind: EffectKind, now: number, idStart?: string): Promise<number>;
  /** Of a tenant's effects whose id begins so, those that wait are due at `until` at the earliest: what they are for rests. */
  rest(tenant: TenantId, kind: EffectKind, idStart: string, until: number): Promise<void>;
  /** Events of a tenant received in a span, oldest first; `after` is the last one of the page before. Times are epoch ms, both included. */
  eventsBetween(span: {
    readonly tenant: TenantId;
    readonly from: number;
    readonly to: number;
    readonly after: StoredEvent | null;
    readonly limit: number;
  }): Promise<readonly StoredEvent[]>;
  /** This relay is alive; answers how many are, itself included: those heard of since `aliveSince`. */
  heartbeat(relay: string, now: number, aliveSince: number): Promise<number>;
  /** This relay ends: its share of every limit is free at once. */
  lastHeartbeat(relay: string): Promise<void>;
}
