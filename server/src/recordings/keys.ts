/**
 * The keys of recordings and voicemails: one per tenant, sealed in the vault, so that a change of the encryption keys reseals it and no file; from it and the salt
 * of a recording comes the key of its file. Who deletes the salt deletes the sound, wherever a copy of the file lies. Must never log a key.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import type { Vault } from '../vault.ts';
import type { SealedFor } from './sealed-file.ts';

const kind = 'recording-key';

export class RecordingKeys {
  readonly #vault: Pick<Vault, 'read' | 'put'>;

  constructor(vault: Pick<Vault, 'read' | 'put'>) {
    this.#vault = vault;
  }

  /**
   * What the file of a recording or a voicemail is sealed for. The tenant's key is made when there is none.
   * @throws PatchcordError `config.invalid` when the relay has no encryption key for it, `store.unavailable`
   */
  async of({
    tenant,
    of,
    file,
    salt,
  }: {
    readonly tenant: TenantId;
    /** What it is the sound of: a call, a message. */
    readonly of: string;
    readonly file: string;
    readonly salt: string;
  }): Promise<SealedFor> {
    const key = await this.#tenantKey(tenant);
    const own = hkdfSync('sha256', key, Buffer.from(salt, 'base64url'), `patchcord recording ${file}`, 32);
    return { key: Buffer.from(own), name: `${tenant} ${of} ${file}` };
  }

  async #tenantKey(tenant: TenantId): Promise<Buffer> {
    for (;;) {
      const found = await this.#vault.read(tenant, kind);
      if (found !== null) return Buffer.from(found.text, 'base64');
      // Of two relays that begin together one is faster: both go on with its key.
      await this.#vault.put(tenant, kind, randomBytes(32).toString('base64'), 0);
    }
  }
}
