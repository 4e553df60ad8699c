/**
 * Numbers a tenant must not call, by its own list. Each is found by its keyed hash, so that an erased person stays uncalled without being known.
 * Must never decide what follows from it.
 */
import type { TenantId } from '@patchcord/call-protocol';

export interface StoredDoNotCall {
  readonly tenant: TenantId;
  /** Keyed hash of the number: what it is found by. */
  readonly numberHash: string;
  /** In E.164; something else once the person was erased. */
  readonly number: string;
  readonly reason: string;
  /** Who put it there, as the audit names them. */
  readonly addedBy: string;
  /** Epoch ms. */
  readonly addedAt: number;
}

export interface DoNotCallStore {
  /** Keeps it, or gives the one that is there a new reason. False when the list has `most` others. */
  put(entry: StoredDoNotCall, most: number): Promise<boolean>;
  find(tenant: TenantId, numberHash: string): Promise<StoredDoNotCall | null>;
  /** Newest first, after an entry. */
  list(tenant: TenantId, after: StoredDoNotCall | null, limit: number): Promise<readonly StoredDoNotCall[]>;
  /** False when it is not there. */
  remove(tenant: TenantId, numberHash: string): Promise<boolean>;
}
