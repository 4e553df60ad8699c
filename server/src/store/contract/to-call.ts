/**
 * What agents have to call: call-backs with a time, and their dial lists. Each entry is one agent's, its id is unique in the tenant. Must never
 * decide how many an agent may have: it counts what it is told to count.
 */
import type { AgentId, E164, TenantId, ToCall } from '@patchcord/call-protocol';

/** One entry, of one agent. */
export interface StoredToCall extends ToCall {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** The number as a hold or an erasure names it; null for an extension. */
  readonly e164: E164 | null;
}

/** Entries with these numbers are not taken by age. */
export interface HeldNumber {
  readonly tenant: TenantId;
  readonly number: string;
}

export interface ToCallStore {
  /** Adds it unless the tenant has one with this id, or the agent has `most` open ones. @returns the entry with this id, whosever it is; null: full */
  add(entry: StoredToCall, most: number): Promise<{ readonly entry: StoredToCall; readonly added: boolean } | null>;
  /** What an agent has open: call-backs by time, then the dial list in its order. */
  open(tenant: TenantId, agent: AgentId): Promise<readonly StoredToCall[]>;
  /** @returns the entry as it is now; null when the agent has none with this id */
  change(
    tenant: TenantId,
    agent: AgentId,
    id: string,
    change: { readonly dueAt?: number; readonly doneAt?: number | null },
  ): Promise<StoredToCall | null>;
  /** Of any agent when `agent` is null. */
  find(tenant: TenantId, agent: AgentId | null, id: string): Promise<StoredToCall | null>;
  /** The next open call-back of any agent on a record. */
  nextOnRecord(
    tenant: TenantId,
    record: { readonly object: string; readonly id: string },
  ): Promise<StoredToCall | null>;
  /** Forgets what was done before this time, and what was to be called before it and never was; how many. */
  forgetBefore(at: number, held: readonly HeldNumber[]): Promise<number>;
}
