/**
 * What the relay asks of its storage, whatever is behind it. Owns the shapes and the promises; both databases keep them and one test suite
 * holds them to it. Must never speak SQL, and never decide what a call log says: that is the fold's business.
 *
 * Promise of every writing method: when it resolves, the change is on disk; when it rejects with `store.unavailable`, nothing was changed.
 */
import type { AgentId, CallId, CallLog, DeviceId, Envelope, TenantId, WireEvent } from '@patchcord/call-protocol';

/** One event as it is kept: what was published, and who really published it. Times are epoch ms. */
export interface StoredEvent {
  readonly source: string;
  readonly id: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly callId: CallId | null;
  readonly envelope: Envelope;
  readonly receivedAt: number;
}

/** Where the log of a call stands on its way into the CRM; `none` when there is nothing to write (yet). */
export type LogState = 'none' | 'waiting' | 'saved' | 'failed';

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

/** What is left to do outside of this database. `crm.log` has one row per call, `webhook` one per event and endpoint. */
export type EffectKind = 'crm.log' | 'webhook' | 'edge.revoke';

export interface NewEffect {
  /** The same effect always has the same id: enqueueing it again joins the one that waits. */
  readonly id: string;
  readonly kind: EffectKind;
  readonly tenant: TenantId;
  readonly callId: CallId | null;
  readonly payload: unknown;
  readonly dueAt: number;
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
  /**
   * Calls that have not ended and whose phone fell silent: last heard of before `silentBefore`, or before `unattendedBefore` while nobody who
   * could report them has a session any more.
   */
  silentCalls(times: {
    readonly now: number;
    readonly silentBefore: number;
    readonly unattendedBefore: number;
    readonly limit: number;
  }): Promise<readonly CallId[]>;
}

/** What is known about a call's log after a delivery. */
export interface LogResult {
  readonly callId: CallId;
  readonly state: LogState;
  readonly logId: string | null;
  readonly reason: string | null;
}

export interface OutboxStore {
  enqueue(effects: readonly NewEffect[]): Promise<void>;
  /** Takes up to `limit` due effects of these kinds, no log of a paused tenant, and counts the attempt. Nobody else gets them until the lease ends. */
  claim(options: {
    readonly now: number;
    readonly leaseMs: number;
    readonly limit: number;
    readonly kinds: readonly EffectKind[];
    readonly pausedTenants: readonly TenantId[];
  }): Promise<readonly LeasedEffect[]>;
  /** Holds on for longer. False when the lease is lost. */
  renew(effect: LeasedEffect, until: number): Promise<boolean>;
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
  /** Looks again at `dueAt`; the attempt does not count, since nothing was tried. False when the lease is lost. */
  postpone(effect: LeasedEffect, dueAt: number): Promise<boolean>;
  dead(tenant: TenantId, limit: number): Promise<readonly Effect[]>;
  /** Makes a dead effect wait again. False when there is none with this id. */
  revive(id: string, dueAt: number): Promise<boolean>;
  /** Makes every dead effect of a tenant wait again; returns how many. */
  reviveAll(tenant: TenantId, dueAt: number): Promise<number>;
}

export interface StoredSession {
  /** SHA-256 of the token, base64url: the token itself is not kept. */
  readonly tokenHash: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface IdentityStore {
  addSession(session: StoredSession): Promise<void>;
  /** A session that is neither expired nor revoked. */
  findSession(tokenHash: string, now: number): Promise<StoredSession | null>;
  /** Ends all sessions of an agent; the number of those that were alive. */
  revokeSessions(tenant: TenantId, agent: AgentId, now: number): Promise<number>;
  addPairingCode(code: {
    readonly codeHash: string;
    readonly tenant: TenantId;
    readonly agent: AgentId;
    readonly expiresAt: number;
  }): Promise<void>;
  /** Uses a code up: whoever asks second gets null. */
  takePairingCode(
    codeHash: string,
    now: number,
  ): Promise<{ readonly tenant: TenantId; readonly agent: AgentId } | null>;
  /** Uses up every code of an agent that was not used yet. */
  revokePairingCodes(tenant: TenantId, agent: AgentId, now: number): Promise<void>;
  /** Remembers a one-time proof until it would be refused for its age anyway. False when it was used before. */
  useProof(key: string, expiresAt: number): Promise<boolean>;
}

export interface IssuedCredential {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly username: string;
  readonly expiresAt: number;
  readonly issuedAt: number;
}

export interface CredentialStore {
  /** False when this user name was issued before: it names one device, and a denial must not hit another. */
  addIssued(credential: IssuedCredential): Promise<boolean>;
  /** Credentials of an agent that would still be accepted. */
  liveCredentials(tenant: TenantId, agent: AgentId, now: number): Promise<readonly IssuedCredential[]>;
  /**
   * Every credential of the agent that expires at or before `until` (epoch s) is refused from now on. Never moves back. The extension is kept
   * with it: the edge knows nothing else, and the agent may leave the configuration.
   */
  denyUntil(tenant: TenantId, agent: AgentId, extension: string, until: number, now: number): Promise<void>;
  /** Epoch seconds, 0 when nothing was ever denied. */
  deniedUntil(tenant: TenantId, agent: AgentId): Promise<number>;
  /** Every denial that reaches beyond this time (epoch s). */
  denials(after: number): Promise<
    readonly {
      readonly tenant: TenantId;
      readonly agent: AgentId;
      /** Null for a denial older than this column. */
      readonly extension: string | null;
      readonly until: number;
    }[]
  >;
}

export interface Store {
  readonly calls: CallStore;
  readonly outbox: OutboxStore;
  readonly identity: IdentityStore;
  readonly credentials: CredentialStore;
  /** Throws `store.unavailable` when the database does not answer or is behind on migrations. */
  check(): Promise<void>;
  /** Forgets what has expired: sessions, codes, proofs, credentials. */
  forgetExpired(now: number): Promise<void>;
  close(): Promise<void>;
}
