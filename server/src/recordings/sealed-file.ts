/**
 * A file that lies encrypted and is read from anywhere in it: pieces of 64 KiB, each sealed by itself (AES-256-GCM) together with its place, whose
 * file it is and whether it is the last. So a piece that was changed, moved, left out or put into another file does not open. Owns that form.
 * A key is for one file alone: then the place is nonce enough. Must never give out a byte that did not open.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import type { PlacedFile, PlacedWriter } from './sound-place.ts';

export const pieceBytes = 65_536;
const tagBytes = 16;

/** What a sealed file is sealed for. */
export interface SealedFor {
  /** 32 bytes, of this file alone. */
  readonly key: Buffer;
  /** Whose it is, sealed with every piece. */
  readonly name: string;
}

/** How long a file with so many bytes in it is. */
export function sealedLength(bytes: number): number {
  return bytes + Math.ceil(bytes / pieceBytes) * tagBytes;
}

/** Writes a sealed file from its beginning. Holds one piece in memory. */
export class SealedWriter {
  readonly #into: Pick<PlacedWriter, 'write'>;
  readonly #sealed: SealedFor;
  readonly #piece = Buffer.allocUnsafe(pieceBytes);
  /** Written from here, again and again: an hour of sound must not be an hour of garbage. */
  readonly #whole = Buffer.allocUnsafe(pieceBytes + tagBytes);
  #filled = 0;
  #index = 0;

  constructor(into: Pick<PlacedWriter, 'write'>, sealed: SealedFor) {
    this.#into = into;
    this.#sealed = sealed;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      // A full piece waits until something follows: only then it is not the last.
      if (this.#filled === pieceBytes) await this.#put(false);
      const copied = bytes.copy(this.#piece, this.#filled, at);
      this.#filled += copied;
      at += copied;
    }
  }

  async end(): Promise<void> {
    if (this.#filled > 0) await this.#put(true);
  }

  async #put(last: boolean): Promise<void> {
    const cipher = createCipheriv('aes-256-gcm', this.#sealed.key, nonceOf(this.#index), { authTagLength: tagBytes });
    cipher.setAAD(placeOf(this.#sealed.name, this.#index, last));
    cipher.update(this.#piece.subarray(0, this.#filled)).copy(this.#whole);
    // GCM has nothing left over here: it encrypts byte for byte.
    cipher.final();
    cipher.getAuthTag().copy(this.#whole, this.#filled);
    await this.#into.write(this.#whole.subarray(0, this.#filled + tagBytes));
    this.#filled = 0;
    this.#index += 1;
  }
}

/**
 * Reads from `from` (included) to `to` (not), piece by piece, and asks the place for that stretch once.
 * @param bytes How many bytes are in the file
 * @throws PatchcordError `store.unavailable` at the first piece that does not open
 */
export async function* readSealed(
  placed: Pick<PlacedFile, 'read'>,
  sealed: SealedFor,
  bytes: number,
  from: number,
  to: number,
): AsyncGenerator<Buffer> {
  if (from >= to) return;
  const last = Math.ceil(bytes / pieceBytes) - 1;
  const first = Math.floor(from / pieceBytes);
  const end = Math.min(sealedLength(bytes), Math.ceil(to / pieceBytes) * (pieceBytes + tagBytes));
  const whole = Buffer.allocUnsafe(pieceBytes + tagBytes);
  let filled = 0;
  let index = first;
  for await (const some of placed.read(first * (pieceBytes + tagBytes), end)) {
    for (let at = 0; at < some.length; ) {
      const start = index * pieceBytes;
      const length = Math.min(pieceBytes, bytes - start) + tagBytes;
      const copied = some.copy(whole, filled, at, Math.min(some.length, at + length - filled));
      filled += copied;
      at += copied;
      if (filled < length) continue;
      const opened = openPiece(sealed, whole.subarray(0, length), index, index === last);
      filled = 0;
      index += 1;
      yield opened.subarray(Math.max(0, from - start), Math.min(opened.length, to - start));
    }
  }
  if (index * pieceBytes < to) throw damaged();
}

function openPiece(sealed: SealedFor, piece: Buffer, index: number, last: boolean): Buffer {
  try {
    const cipher = createDecipheriv('aes-256-gcm', sealed.key, nonceOf(index), { authTagLength: tagBytes });
    cipher.setAAD(placeOf(sealed.name, index, last));
    cipher.setAuthTag(piece.subarray(-tagBytes));
    const opened = cipher.update(piece.subarray(0, -tagBytes));
    cipher.final();
    return opened;
  } catch (cause) {
    throw damaged(cause);
  }
}

function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 8);
  return nonce;
}

function placeOf(name: string, index: number, last: boolean): Buffer {
  return Buffer.from(`patchcord recording ${name} ${index} ${last ? 'last' : 'more'}`);
}

/** What lies there is not what was written. */
export function damaged(cause?: unknown): PatchcordError {
  return new PatchcordError(
    'store.unavailable',
    'The file of this recording was changed or damaged after it was written, so it is not given out. Look at the disk or the bucket, and bring the file back from a backup.',
    { cause },
  );
}
