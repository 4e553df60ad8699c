/**
 * Where sealed sound lies: the port that a folder and a bucket stand behind. Files have a name of 32 hexadecimal digits and are there whole or not
 * at all. A place knows nothing of calls, keys or databases; what it is given is sealed already.
 */

/** A file that is being written: what was given is kept from `finish` on, and nothing of it before. */
export interface PlacedWriter {
  /** The bytes are the caller's again when this resolves. */
  write(bytes: Buffer): Promise<void>;
  /** When this resolves the file is whole, also after a power cut. */
  finish(): Promise<void>;
  /** Leaves nothing of it. Never rejects; what can't be taken away now goes with a sweep. */
  abandon(): Promise<void>;
}

/** A file that can be read, until it is closed. */
export interface PlacedFile {
  /** Bytes in it. */
  readonly size: number;
  /** Bytes `from` (included) to `to` (not), in pieces of any size; ends early where the file does. */
  read(from: number, to: number): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** What a sweep finds. */
export interface FoundFile {
  readonly file: string;
  /** Not: one that is being written, or that a crash left half written. */
  readonly whole: boolean;
  /** When it was written, or begun; epoch ms. Null where it is gone by now. */
  readonly at: () => Promise<number | null>;
  readonly remove: () => Promise<void>;
}

export interface SoundPlace {
  /** For an operator: what it is. */
  readonly kind: 'folder' | 'bucket';
  /** For an operator's log: which. No secret is in it. */
  readonly where: string;
  /** What an operator has to put right before it does what it is asked, as long as that lasts. */
  trouble(): string | null;
  /** @throws PatchcordError `store.unavailable`, or what the file system says */
  begin(file: string): Promise<PlacedWriter>;
  /** @returns null where there is no such file. @throws PatchcordError `store.unavailable`, or what the file system says */
  open(file: string): Promise<PlacedFile | null>;
  /** Takes files away; one that is gone is no failure. */
  remove(files: readonly string[]): Promise<void>;
  /** Every file of ours, in pages that the store can be asked of in one go. What does not carry such a name is never told of. */
  pages(): AsyncIterable<readonly FoundFile[]>;
  /** Whose it says to be; null where it says nothing. */
  owner(): Promise<string | null>;
  /**
   * Says whose it is, unless somebody was faster.
   * @returns whose it is now; null where there is no such place (yet)
   */
  claim(database: string): Promise<string | null>;
  /** Whether an operator ordered that unknown files go. */
  isOrdered(): Promise<boolean>;
  /** The order was carried out. */
  forgetOrder(): Promise<void>;
}

/** Names that a place knows: what a database's sound is called. */
export const soundName = /^([0-9a-f]{32})\.(rec|part)$/;
/** Holds the id of the database whose recordings lie here. */
export const ownerMark = 'patchcord-database';
/** An operator puts it there: the next sweep takes away what is unknown, however much that is. */
export const sweepOrder = 'delete-unknown';
/** Asked of the store in one go. */
export const pageSize = 500;
