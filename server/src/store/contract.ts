/**
 * What the relay asks of its storage, whatever is behind it: the door to `contract/`, one file per matter. Both databases keep these promises
 * and one test suite holds them to it. Must never speak SQL.
 *
 * Promise of every writing method: when it resolves, the change is on disk; when it rejects with `store.unavailable`, nothing was changed.
 */
import type { CallStore } from './contract/calls.ts';
import type { CredentialStore } from './contract/credentials.ts';
import type { IdentityStore } from './contract/identity.ts';
import type { OutboxStore } from './contract/outbox.ts';

export type * from './contract/calls.ts';
export type * from './contract/credentials.ts';
export type * from './contract/identity.ts';
export type * from './contract/outbox.ts';

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
