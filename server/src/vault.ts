/**
 * Secrets at rest: CRM tokens, and what a sign-in under way must remember. Owns sealing (AES-256-GCM) and the ring of keys: the first seals, all
 * open. What a secret is for is sealed with it, so that a row put into another tenant's place opens nothing. Must never log or keep a secret.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { VaultStore } from './store/contract.ts';

export interface EncryptionKey {
  /** Kept beside what it seals. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** A secret and the version a change of it must name. */
export interface KeptSecret {
  readonly text: string;
  readonly version: number;
}

export interface Rotation {
  /** Secrets that were sealed anew with the first key. */
  readonly rotated: number;
  /** Somebody changed them meanwhile: they are sealed with the first key already, or by the next run. */
  readonly changed: number;
  /** Sealed with a key that is not in the ring: they can't be opened. */
  readonly unknown: readonly string[];
}

const ivBytes = 12;
const tagBytes = 16;

export class Vault {
  readonly #store: VaultStore;
  readonly #keys: () => readonly EncryptionKey[];
  readonly #now: () => number;

  /** @param keys Asked when first needed: a relay that keeps no secret needs no key. */
  constructor(store: VaultStore, keys: () => readonly EncryptionKey[], now: () => number) {
    this.#store = store;
    let known: readonly EncryptionKey[] | null = null;
    this.#keys = () => {
      known ??= keys();
      return known;
    };
    this.#now = now;
  }

  /** The secret of this kind, or null. @throws PatchcordError `config.invalid` when no key of the ring opens it */
  async read(tenant: TenantId, kind: string): Promise<KeptSecret | null> {
    const found = await this.#store.find(tenant, kind);
    return found === null ? null : { text: this.open(`${tenant} ${kind}`, found.sealed), version: found.version };
  }

  /** Keeps a secret in the place of version `from` (0: none); false when somebody else changed it since, and then nothing was kept. */
  put(tenant: TenantId, kind: string, text: string, from: number): Promise<boolean> {
    const sealed = this.seal(`${tenant} ${kind}`, text);
    return this.#store.put({ tenant, kind, keyId: keyIdOf(sealed), sealed, changedAt: this.#now() }, from);
  }

  /** Forgets a secret; false when there was none. */
  remove(tenant: TenantId, kind: string): Promise<boolean> {
    return this.#store.remove(tenant, kind);
  }

  /** Seals a text for one purpose: `<key id>.<iv, ciphertext and tag>`. */
  seal(purpose: string, text: string): string {
    const [key] = this.#keys();
    if (key === undefined) throw noKey();
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', key.key, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(`patchcord ${key.id} ${purpose}`));
    const body = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${key.id}.${body.toString('base64url')}`;
  }

  /** Opens what was sealed for this purpose. @throws PatchcordError `config.invalid` */
  open(purpose: string, sealed: string): string {
    const id = keyIdOf(sealed);
    const key = this.#keys().find((one) => one.id === id);
    if (key === undefined) {
      throw new PatchcordError(
        'config.invalid',
        `A kept secret is sealed with the key "${id}", which is not among encryptionKeys. Put that key back behind the first one, run "rotate-keys", and remove it then.`,
      );
    }
    const bytes = Buffer.from(sealed.slice(id.length + 1), 'base64url');
    try {
      const cipher = createDecipheriv('aes-256-gcm', key.key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
      cipher.setAAD(Buffer.from(`patchcord ${key.id} ${purpose}`));
      cipher.setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([cipher.update(bytes.subarray(ivBytes, -tagBytes)), cipher.final()]).toString('utf8');
    } catch (cause) {
      throw new PatchcordError(
        'config.invalid',
        `A kept secret does not open with the key "${id}": the key was changed under its name, or the row was. Correct encryptionKeys, or connect the CRM again.`,
        { cause },
      );
    }
  }

  /** Seals everything anew that is not sealed with the first key. What is done is done: it may be stopped and run again. */
  async rotate(): Promise<Rotation> {
    const ring = this.#keys();
    const [first] = ring;
    if (first === undefined) throw noKey();
    let rotated = 0;
    let changed = 0;
    const unknown = new Set<string>();
    const seen = new Set<string>();
    for (;;) {
      const waiting = (await this.#store.sealedOtherwise(first.id, 10_000)).filter(
        (secret) => !seen.has(`${secret.tenant} ${secret.kind}`),
      );
      if (waiting.length === 0) return { rotated, changed, unknown: [...unknown] };
      for (const secret of waiting) {
        const name = `${secret.tenant} ${secret.kind}`;
        seen.add(name);
        if (!ring.some((key) => key.id === secret.keyId)) {
          unknown.add(`${name} (key "${secret.keyId}")`);
          continue;
        }
        if (await this.put(secret.tenant, secret.kind, this.open(name, secret.sealed), secret.version)) rotated += 1;
        else changed += 1;
      }
    }
  }
}

/** The ring of the configuration; without one, a key of this machine's own in the data folder, for a relay that is alone with its database. */
export function encryptionKeys(config: {
  readonly encryptionKeys?: readonly { readonly id: string; readonly key: string }[] | undefined;
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
}): readonly EncryptionKey[] {
  if (config.encryptionKeys !== undefined) {
    return config.encryptionKeys.map(({ id, key }) => ({ id, key: Buffer.from(key, 'base64') }));
  }
  if (config.databaseUrl !== undefined) throw noKey();
  return [{ id: 'local', key: localKey(config.dataDir) }];
}

function localKey(folder: string): Buffer {
  const path = join(folder, 'vault.key');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // `wx`: of two processes that start together one writes, and both read the same.
    writeFileSync(path, randomBytes(32).toString('base64'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw unreadable(path, error);
  }
  try {
    chmodSync(path, 0o600);
    const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
    if (key.length === 32) return key;
  } catch (error) {
    throw unreadable(path, error);
  }
  throw unreadable(path, null);
}

function unreadable(path: string, cause: unknown): PatchcordError {
  return new PatchcordError(
    'config.invalid',
    `The key file ${path} cannot be made or read, or is no key. Check the folder, or set encryptionKeys.`,
    { cause },
  );
}

function noKey(): PatchcordError {
  return new PatchcordError(
    'config.invalid',
    'encryptionKeys is missing; with PostgreSQL several relays share what is kept, so set it on all of them: [{ "id": "2026-11", "key": { "env": "PATCHCORD_KEY" } }], the key from "openssl rand -base64 32".',
  );
}

function keyIdOf(sealed: string): string {
  return sealed.slice(0, Math.max(0, sealed.indexOf('.')));
}
