/** Who may ask: sessions, pairing codes, proofs that were used. Sees hashes of tokens and codes, never themselves. */
import type { AgentId, AgentRole, DeviceId, TenantId } from '@patchcord/call-protocol';

/** What a session's tokens are at the moment; hashes are SHA-256, base64url. */
export interface SessionTokens {
  readonly accessHash: string;
  readonly accessExpiresAt: number;
  /** The access token before this one: other frames may still hold it. */
  readonly previousAccessHash: string | null;
  readonly previousAccessExpiresAt: number;
  readonly refreshHash: string;
  /** The refresh token that was last used up. */
  readonly previousRefreshHash: string | null;
  readonly refreshedAt: number;
}

export interface StoredSession extends SessionTokens {
  readonly id: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  /** RFC 7638 thumbprint of the key that every request must be signed with. */
  readonly keyThumbprint: string;
  /** What the next tokens are derived with, together with the token before them. */
  readonly salt: string;
  /** What the agent calls the device: browser and system. */
  readonly label: string;
  /** How the agent signed in: `pairing-code`, `salesforce-assertion`, `salesforce`, `hubspot`, `oidc`. */
  readonly way: string;
  /** The role the identity provider gave; null: the configuration says. */
  readonly role: AgentRole | null;
  readonly createdAt: number;
  /** End of the session, whatever is renewed. */
  readonly expiresAt: number;
  readonly lastSeenAt: number;
}

/** A sign-in that went to an identity provider and has not come back. */
export interface SignInAttempt {
  readonly stateHash: string;
  readonly tenant: TenantId;
  readonly way: string;
  /** Whoever redeems the claim shows what this is the hash of. */
  readonly challenge: string;
  /** PKCE verifier, nonce and the browser it began in; sealed. */
  readonly sealed: string;
  readonly expiresAt: number;
}

export interface IdentityStore {
  addSession(session: StoredSession): Promise<void>;
  /** A session that is neither expired nor ended. */
  findSession(id: string, now: number): Promise<StoredSession | null>;
  /** Puts new tokens in the place of those whose refresh token has this hash; false when another relay did it first or the session ended. */
  rotateSession(id: string, refreshHash: string, next: SessionTokens, now: number): Promise<boolean>;
  /** Sessions of an agent that are neither expired nor ended, oldest first. */
  sessionsOf(tenant: TenantId, agent: AgentId, now: number): Promise<readonly StoredSession[]>;
  endSession(id: string, now: number): Promise<void>;
  /** Ends all sessions of an agent, or those on one device; the number of those that were alive. */
  revokeSessions(tenant: TenantId, agent: AgentId, now: number, device?: DeviceId): Promise<number>;
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
  /** Uses up every code and claim of an agent that was not used yet. */
  revokePairingCodes(tenant: TenantId, agent: AgentId, now: number): Promise<void>;
  /** Remembers one-time proofs until they would be refused for their age anyway. The keys that were not used before. */
  useProofs(proofs: readonly { readonly key: string; readonly expiresAt: number }[]): Promise<ReadonlySet<string>>;
  addSignIn(attempt: SignInAttempt): Promise<void>;
  /** Uses an attempt up: whoever asks second gets null. */
  takeSignIn(stateHash: string, now: number): Promise<SignInAttempt | null>;
  /** What a finished attempt left for the phone that began it: an agent, for whoever shows the verifier. */
  addClaim(claim: SignInClaim): Promise<void>;
  takeClaim(claimHash: string, now: number): Promise<SignInClaim | null>;
}

export interface SignInClaim {
  readonly claimHash: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly way: string;
  readonly role: AgentRole | null;
  readonly challenge: string;
  readonly expiresAt: number;
}
