/** Who did what, when: entries are added and read, never changed. Must never hold a secret, nor a phone number in full. */
import type { TenantId } from '@patchcord/call-protocol';

/** What was done, as noun.past-participle: `session.opened`, `credential.minted`, `config.changed`. */
export type AuditAct = `${string}.${string}`;

export interface AuditEntry {
  /** Null: of the relay as a whole, no tenant's. */
  readonly tenant: TenantId | null;
  /** Who did it: `agent:<id>`, `admin`, `relay`, `pbx:<kind>`, or `stranger` for somebody who was turned away. */
  readonly actor: string;
  readonly act: AuditAct;
  /** Whom or what it was done to: `agent:<id>`, `device:<id>`, `call:<id>`. */
  readonly subject?: string | null;
  /** Few short facts. No secret, no number in full. */
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
  /** Epoch ms. */
  readonly at: number;
}

/** An entry as it was kept. Ids sort by time; a reader goes on after the last one it saw. */
export interface StoredAuditEntry extends Required<AuditEntry> {
  readonly id: string;
}

export interface AuditStore {
  /** Keeps entries, all or none. */
  add(entries: readonly AuditEntry[]): Promise<void>;
  /** Entries of one tenant (null: of the relay) in the order they were kept, after the entry with this id ('' from the first). */
  read(tenant: TenantId | null, after: string, limit: number): Promise<readonly StoredAuditEntry[]>;
  /** The newest entry of this kind. */
  last(tenant: TenantId | null, act: AuditAct): Promise<StoredAuditEntry | null>;
  /** Forgets what is older: the one way anything leaves. Returns how many. */
  forgetBefore(time: number): Promise<number>;
}
