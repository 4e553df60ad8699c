/**
 * Pairing codes: eight letters and digits that somebody who is trusted (HubSpot by its signature, an administrator) hands to an agent, who
 * types them into the phone. Owns making and redeeming; good for five minutes and one use.
 */
import { randomInt, scrypt } from 'node:crypto';
import { type AgentId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { IdentityStore } from '../store/contract.ts';

export const pairingCodeMs = 5 * 60_000;

/** No 0 and O, 1, I and L, no U: nothing that is mistaken for another when read aloud or typed. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const length = 8;

export class PairingCodes {
  readonly #store: IdentityStore;
  readonly #now: () => number;
  constructor(store: IdentityStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** A new code for this agent, written in two groups. */
  async create(tenant: TenantId, agent: AgentId): Promise<{ readonly code: string; readonly expiresAt: number }> {
    const code = Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
    const expiresAt = this.#now() + pairingCodeMs;
    await this.#store.addPairingCode({ codeHash: await hashOf(code), tenant, agent, expiresAt });
    return { code: `${code.slice(0, 4)}-${code.slice(4)}`, expiresAt };
  }

  /**
   * Uses a code up and says whose it is.
   * @throws PatchcordError `identity.refused` when it is wrong, too old or used
   */
  async redeem(typed: string): Promise<{ readonly tenant: TenantId; readonly agent: AgentId }> {
    const code = typed.toUpperCase().replace(/[^A-Z0-9]/g, '');
    const owner = code.length === length ? await this.#store.takePairingCode(await hashOf(code), this.#now()) : null;
    if (owner === null) {
      throw new PatchcordError(
        'identity.refused',
        'This pairing code is wrong, older than five minutes or already used. Ask for a new one and type it at once.',
      );
    }
    return owner;
  }
}

/**
 * A slow hash, because a code has only 39 bits: who steals the table can't find a code while it is good. The salt is fixed, since a code
 * must be found by its hash; what a table of prepared hashes would cost is far beyond what a code opens.
 */
function hashOf(code: string): Promise<string> {
  return new Promise((resolve, reject) => {
    scrypt(code, 'patchcord pairing code', 32, { N: 16_384, r: 8, p: 1 }, (error, key) => {
      if (error === null) resolve(key.toString('base64url'));
      else reject(error);
    });
  });
}
