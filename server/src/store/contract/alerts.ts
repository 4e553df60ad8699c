/** Alerts: what a person should look at, told once and kept until somebody says that they saw it. Holds no number in full. */
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import type { NewEffect } from './outbox.ts';
import type { StoredEvent } from './stored-event.ts';

export interface StoredAlert {
  /** The same matter within the same hour has the same id: it is counted, not told again. */
  readonly id: string;
  readonly tenant: TenantId;
  readonly agent: AgentId | null;
  readonly kind: string;
  /** What happened, why it matters, what was done; for a person. */
  readonly message: string;
  readonly data: Readonly<Record<string, string | number | boolean | null>>;
  readonly at: number;
  readonly times: number;
  readonly acknowledgedAt: number | null;
  readonly acknowledgedBy: string | null;
}

export interface AlertStore {
  /** Keeps it, its event and what follows, in one transaction. False when it is there already: then it was only counted. */
  raise(
    alert: Omit<StoredAlert, 'times' | 'acknowledgedAt' | 'acknowledgedBy'>,
    event: StoredEvent,
    effects: readonly NewEffect[],
  ): Promise<boolean>;
  /** Newest first. */
  list(tenant: TenantId, options: { readonly limit: number; readonly open: boolean }): Promise<readonly StoredAlert[]>;
  find(id: string): Promise<StoredAlert | null>;
  /** False when there is none, or somebody was first. */
  acknowledge(id: string, by: string, now: number): Promise<boolean>;
  forgetAlerts(before: number): Promise<number>;
}
