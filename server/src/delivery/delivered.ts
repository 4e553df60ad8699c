/** What a delivery leads to, whatever was delivered. Owns the shapes between `delivery.ts` and those who do one kind of delivery. */
import type { AgentId, Envelope } from '@patchcord/call-protocol';
import type { LogResult, NewEffect, StoredEvent } from '../store/contract.ts';

/** What a delivery changes in the store, and what the agent is told once it is stored. */
export interface Delivered {
  readonly log?: LogResult;
  readonly ownEvents?: readonly StoredEvent[];
  readonly effects?: readonly NewEffect[];
  /** Nothing was done yet: look again at this time, epoch ms. */
  readonly postponedTo?: number;
  readonly tell?: { readonly agent: AgentId; readonly event: Envelope };
}

export interface Failure {
  readonly reason: string;
  readonly dead: boolean;
}
