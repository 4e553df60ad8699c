/**
 * The words of a message as they lie in the database: sealed (AES-256-GCM) with a key that comes, like that of its sound, of the tenant's key and the
 * message's salt. So a change of the encryption keys touches no row, and who deletes the salt deletes sound and words. Must never log a word.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { RecordingKeys } from '../recordings/keys.ts';
import type { StoredVoicemail } from '../store/contract.ts';
import type { Vault } from '../vault.ts';

const nonceBytes = 12;
const tagBytes = 16;

type Sealed = Pick<StoredVoicemail, 'tenant' | 'id' | 'file' | 'salt'>;

export class SealedWords {
  readonly #keys: RecordingKeys;

  constructor(vault: Pick<Vault, 'read' | 'put'>) {
    this.#keys = new RecordingKeys(vault);
  }

  /** @throws PatchcordError `config.invalid` when the relay has no encryption key, `store.unavailable` */
  async seal(message: Sealed, text: string): Promise<string> {
    const { key, name } = await this.#keyOf(message);
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64');
  }

  /** @returns null for what is not of this message, or was changed */
  async open(message: Sealed, words: string): Promise<string | null> {
    const { key, name } = await this.#keyOf(message);
    const bytes = Buffer.from(words, 'base64');
    if (bytes.length < nonceBytes + tagBytes) return null;
    try {
      const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes))
        .setAAD(Buffer.from(name))
        .setAuthTag(bytes.subarray(-tagBytes));
      const opened = Buffer.concat([cipher.update(bytes.subarray(nonceBytes, -tagBytes)), cipher.final()]);
      return opened.toString('utf8');
    } catch {
      return null;
    }
  }

  #keyOf({ tenant, id, file, salt }: Sealed): ReturnType<RecordingKeys['of']> {
    // Another key than that of the sound: its nonces are places in a file.
    return this.#keys.of({ tenant, of: id, file: `${file} words`, salt });
  }
}
