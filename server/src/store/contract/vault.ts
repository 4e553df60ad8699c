/** Secrets at rest: sealed texts, one per tenant and kind. Must never see a secret that is not sealed. */
import type { TenantId } from '@patchcord/call-protocol';

export interface SealedSecret {
  readonly tenant: TenantId;
  /** What it is: `hubspot-refresh`, `salesforce-refresh`. */
  readonly kind: string;
  /** The key it is sealed with. */
  readonly keyId: string;
  readonly sealed: string;
  /** Grows with every change; a writer says which one it saw. */
  readonly version: number;
  readonly changedAt: number;
}

export interface VaultStore {
  find(tenant: TenantId, kind: string): Promise<SealedSecret | null>;
  /** Puts a secret in the place of version `from` (0: there was none); false when somebody else was faster. */
  put(secret: Omit<SealedSecret, 'version'>, from: number): Promise<boolean>;
  /** Secrets that are not sealed with this key. */
  sealedOtherwise(keyId: string, limit: number): Promise<readonly SealedSecret[]>;
  /** How many secrets each key seals. */
  countByKey(): Promise<ReadonlyMap<string, number>>;
  /** False when there was none. */
  remove(tenant: TenantId, kind: string): Promise<boolean>;
}
