/**
 * Keyed hashes of numbers, one key per tenant: the same number gives the same hash on every relay and after a change of the encryption keys, and
 * nobody turns a hash back by trying all numbers without the key. Owns that key, sealed in the vault. Must never keep or log a number.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type E164, errorCode, type TenantId } from '@patchcord/call-protocol';
import type { Vault } from '../vault.ts';

const kind = 'number-hash-key';

export class NumberHashes {
  readonly #vault: Vault;
  readonly #keys = new Map<TenantId, Buffer>();

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /**
   * The hash of a number; the tenant's key is made when there is none.
   * @throws PatchcordError `config.invalid` when the relay has no encryption key for it, `store.unavailable`
   */
  async of(tenant: TenantId, number: E164): Promise<string> {
    for (;;) {
      const key = this.#keys.get(tenant) ?? (await this.#stored(tenant));
      if (key !== null) {
        this.#keys.set(tenant, key);
        return hashed(key, number);
      }
      // Of two relays that begin together one is faster: both go on with its key.
      await this.#vault.put(tenant, kind, randomBytes(32).toString('base64'), 0);
    }
  }

  /** The hash under which something may be kept of this number: `nothing` without a key, `unreadable` when no key of the ring opens it. */
  async known(tenant: TenantId, number: E164): Promise<{ readonly hash: string } | 'nothing' | 'unreadable'> {
    try {
      const key = await this.#stored(tenant);
      return key === null ? 'nothing' : { hash: hashed(key, number) };
    } catch (error) {
      if (errorCode(error) === 'config.invalid') return 'unreadable';
      throw error;
    }
  }

  async #stored(tenant: TenantId): Promise<Buffer | null> {
    const found = await this.#vault.read(tenant, kind);
    return found === null ? null : Buffer.from(found.text, 'base64');
  }
}

function hashed(key: Buffer, number: E164): string {
  return createHmac('sha256', key).update(number).digest('base64url');
}
