/** What an administrator changed of a tenant's policies outside the configuration file. Must never know what a policy means. */
import type { TenantId } from '@patchcord/call-protocol';

export interface PolicyOverride {
  readonly policy: string;
  readonly value: string;
  /** For a person: who changed it. */
  readonly changedBy: string;
  /** Epoch ms. */
  readonly changedAt: number;
}

export interface PolicyStore {
  of(tenant: TenantId): Promise<readonly PolicyOverride[]>;
  put(tenant: TenantId, override: PolicyOverride): Promise<void>;
  /** The configuration's value counts again. */
  reset(tenant: TenantId, policy: string): Promise<void>;
}
