/** An event as every part of the store knows it. Must never be checked again: what is kept was checked when it came. */
import type { AgentId, CallId, Envelope, TenantId } from '@patchcord/call-protocol';

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
