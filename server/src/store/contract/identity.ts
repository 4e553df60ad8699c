/** Who may ask: sessions, pairing codes, proofs that were used. Sees hashes of tokens and codes, never themselves. */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';

export interface StoredSession {
  /** SHA-256 of the token, base64url: the token itself is not kept. */
  readonly tokenHash: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface IdentityStore {
  addSession(session: StoredSession): Promise<void>;
  /** A session that is neither expired nor revoked. */
  findSession(tokenHash: string, now: number): Promise<StoredSession | null>;
  /** Ends all sessions of an agent; the number of those that were alive. */
  revokeSessions(tenant: TenantId, agent: AgentId, now: number): Promise<number>;
  addPairingCode(code: {
    readonly codeHash: string;
    readonly tenant: TenantId;
    readonly agent: AgentId;
    readonly expiresAt: number;
  }): Promise<void>;
  /** Uses a code up: whoever asks second gets null. */
  takePairingCode(
    codeHash: string,
    now: number,
  ): Promise<{ readonly tenant: TenantId; readonly agent: AgentId } | null>;
  /** Uses up every code of an agent that was not used yet. */
  revokePairingCodes(tenant: TenantId, agent: AgentId, now: number): Promise<void>;
  /** Remembers a one-time proof until it would be refused for its age anyway. False when it was used before. */
  useProof(key: string, expiresAt: number): Promise<boolean>;
}
