/** Whose sockets and streams must end, told from relay to relay through the database. Owns nothing that decides: sessions and credentials do. */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';

export interface StoredRevocation {
  readonly id: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** Null: every device of the agent. */
  readonly device: DeviceId | null;
  /** Close code of the live socket. */
  readonly code: number;
  readonly reason: string;
  /** Epoch ms, by the clock of the relay that revoked. */
  readonly at: number;
}

export interface RevocationStore {
  /** Adding the same id again does nothing. */
  add(revocation: StoredRevocation): Promise<void>;
  /** Those at or after a time, oldest first. */
  since(at: number): Promise<readonly StoredRevocation[]>;
}
