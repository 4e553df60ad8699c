/**
 * Which ways of taking up a call worked with which far side, counted per tenant. Must never hold anything of a call.
 */
import type { TenantId } from '@patchcord/call-protocol';

export type TriedWay = 'resume' | 'replaces';

/** One way with one far side. */
export interface Recovery {
  /** What the far side calls itself. */
  readonly peer: string;
  readonly way: TriedWay;
  readonly worked: number;
  readonly failed: number;
  /** How it went the last time. */
  readonly lastWorked: boolean;
  /** Epoch ms. */
  readonly lastAt: number;
}

export interface RecoveryStore {
  /** Counts one try. Of a tenant's rows the `mostRows` that were tried last are kept. */
  count(
    tenant: TenantId,
    tried: { readonly peer: string; readonly way: TriedWay; readonly worked: boolean; readonly at: number },
    mostRows: number,
  ): Promise<void>;
  /** Newest first. */
  of(tenant: TenantId, limit: number): Promise<readonly Recovery[]>;
}
