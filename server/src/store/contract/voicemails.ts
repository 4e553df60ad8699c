/** Messages that were left in mailboxes, and how their files open. Must never hold sound: that lies in files (`recordings/`). */
import type { CallId, E164, TenantId } from '@patchcord/call-protocol';
import type { NewEffect } from './outbox.ts';
import type { StoredEvent } from './stored-event.ts';

/** Of writing a message down: it waits, its words are there, there are none in it, it was given up. */
export type WordsState = 'waiting' | 'ready' | 'none' | 'failed';

export interface StoredVoicemail {
  /** A UUID. */
  readonly id: string;
  readonly tenant: TenantId;
  /** The extension whose mailbox it is. */
  readonly mailbox: string;
  /** As the phone system gave it; empty when withheld. */
  readonly number: string;
  readonly e164: E164 | null;
  readonly name: string | null;
  /** What was said, where the phone system wrote it down. */
  readonly text: string | null;
  /** Where writing it down stands; null: nobody does. */
  readonly wordsState: WordsState | null;
  /** What was heard, sealed with a key that the salt is part of; for `failed` the reason, in words for the agent. */
  readonly words: string | null;
  /** The call in whose log the message stands. */
  readonly callId: CallId | null;
  /** When it was left, epoch ms. */
  readonly at: number;
  readonly durationMs: number;
  readonly heardAt: number | null;
  /** Epoch ms; null: it is there. */
  readonly deletedAt: number | null;
  readonly form: 'wav' | 'mp3';
  /** Name of the file, unlike any before. */
  readonly file: string;
  /** With the tenant's key this makes the key of the file: without the row nobody opens it any more. */
  readonly salt: string;
  /** Of the file as it was handed over. */
  readonly bytes: number;
  /** Epoch ms. */
  readonly storedAt: number;
}

/** Where a walk by age stands. */
export type VoicemailPlace = Pick<StoredVoicemail, 'storedAt' | 'id'>;

export interface VoicemailStore {
  /** Keeps it, its event and what follows, in one transaction. False when there is one with this id. */
  add(voicemail: StoredVoicemail, event: StoredEvent, effects: readonly NewEffect[]): Promise<boolean>;
  find(tenant: TenantId, id: string): Promise<StoredVoicemail | null>;
  /** Messages of these mailboxes, newest first; none that was deleted before `deletedAfter`. */
  of(
    tenant: TenantId,
    mailboxes: readonly string[],
    options: { readonly deletedAfter: number; readonly limit: number },
  ): Promise<readonly StoredVoicemail[]>;
  /** Sets what is given. False when there is no such message. */
  change(
    tenant: TenantId,
    id: string,
    change: { readonly heardAt?: number | null; readonly deletedAt?: number | null },
  ): Promise<boolean>;
  /** Sets what became of writing it down. False when there is no such message. */
  keepWords(tenant: TenantId, id: string, state: WordsState | null, words: string | null): Promise<boolean>;
  /** Notes in which call it was left, once: the first word stays. @returns the call that stands there; null when there is no such message */
  linkTo(tenant: TenantId, id: string, callId: CallId): Promise<CallId | null>;
  /** Messages handed over before `storedBefore` or deleted before `deletedBefore`, oldest first, beginning after `after`. */
  leaving(
    before: { readonly storedBefore: number; readonly deletedBefore: number },
    after: VoicemailPlace | null,
    limit: number,
  ): Promise<readonly StoredVoicemail[]>;
  forget(ids: readonly string[]): Promise<void>;
  /** Which of these files a message has. */
  known(files: readonly string[]): Promise<ReadonlySet<string>>;
}
