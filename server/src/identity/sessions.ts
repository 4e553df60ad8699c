/**
 * Who is asking: opaque session tokens, bound to one agent and one device, 8 hours long, revocable at once. Owns minting and checking;
 * the token itself is never kept (a thief of the database gets hashes) and never logged.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type AgentId, type DeviceId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { IdentityStore } from '../store/contract.ts';

export const sessionMs = 8 * 3_600_000;

/** What a checked token says. */
export interface SessionOwner {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly expiresAt: number;
}

export class Sessions {
  readonly #store: IdentityStore;
  readonly #now: () => number;
  constructor(store: IdentityStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Opens a session for an agent whose proof has been checked. The token is told once. */
  async open(
    tenant: TenantId,
    agent: AgentId,
    device: DeviceId,
  ): Promise<{ readonly token: string; readonly expiresAt: number }> {
    const token = randomBytes(32).toString('base64url');
    const createdAt = this.#now();
    const expiresAt = createdAt + sessionMs;
    await this.#store.addSession({ tokenHash: hashOf(token), tenant, agent, device, createdAt, expiresAt });
    return { token, expiresAt };
  }

  /**
   * Checks a token.
   * @throws PatchcordError `identity.required` when it is unknown, expired or revoked: which of them is nobody's business
   */
  async check(token: string | undefined): Promise<SessionOwner> {
    const session =
      token === undefined || token === '' ? null : await this.#store.findSession(hashOf(token), this.#now());
    if (session === null) {
      throw new PatchcordError(
        'identity.required',
        'Nobody is signed in here, or the session has ended. Sign in again.',
      );
    }
    const { tenant, agent, device, expiresAt } = session;
    return { tenant, agent, device, expiresAt };
  }

  /** Ends every session of an agent; returns how many there were. */
  revoke(tenant: TenantId, agent: AgentId): Promise<number> {
    return this.#store.revokeSessions(tenant, agent, this.#now());
  }
}

function hashOf(token: string): string {
  // The token has 256 random bits: a fast hash is enough, there is nothing to guess.
  return createHash('sha256').update(token).digest('base64url');
}
