/** Which calls have a recording, and how its file opens. Must never hold sound: that lies in files (`recordings/`). */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';
import type { AuditEntry } from './audit.ts';

/** A recording as it was handed over or made here, once per call. */
export interface StoredRecording {
  readonly callId: CallId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** Name of the file, unlike any before. */
  readonly file: string;
  /** With the tenant's key this makes the key of the file: without the row nobody opens it any more. */
  readonly salt: string;
  /** SHA-256 of the bytes that were handed over, base64url. */
  readonly digest: string;
  readonly codec: 'pcm16' | 'alaw' | 'ulaw';
  /** Samples per second. */
  readonly rate: number;
  /** 2: the caller first, then whoever was called. */
  readonly channels: 1 | 2;
  /** Of sound alone, without any header. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Epoch ms. */
  readonly storedAt: number;
  /** Who made it. */
  readonly madeBy: 'phone-system' | 'relay';
  /** When somebody had it deleted, epoch ms; its file and its key are gone then, and this row says that there was one. */
  readonly deletedAt: number | null;
}

export interface RecordingStore {
  /** Keeps it. False when its call has one, or is not there (any more). */
  add(recording: StoredRecording): Promise<boolean>;
  /** The recordings of these calls, those that were deleted among them, in no order. */
  ofCalls(tenant: TenantId, callIds: readonly CallId[]): Promise<readonly StoredRecording[]>;
  /** Every agent's calls on the leg with this SIP Call-ID. */
  callsOfSip(tenant: TenantId, sipCallId: string): Promise<readonly CallId[]>;
  /**
   * Takes its file and its key from a recording, and keeps the audit's entry, in one transaction. Its row stays until its call goes.
   * @returns the file that is nobody's now; null, and nothing was changed, where it is gone or was deleted before
   */
  delete(recording: StoredRecording, entry: AuditEntry): Promise<string | null>;
  /** Recordings handed over before this time and not deleted, oldest first, beginning after `after`. */
  before(time: number, after: StoredRecording | null, limit: number): Promise<readonly StoredRecording[]>;
  /** Forgets recordings; their calls stay. */
  forget(callIds: readonly CallId[]): Promise<void>;
  /** Which of these files a recording has, or a part of one. */
  known(files: readonly string[]): Promise<ReadonlySet<string>>;
}
