/**
 * Parts of recordings that the relay makes itself: what of a call is on disk before the call is over. Must never hold sound, nor take a part from a
 * relay that another one has followed.
 */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';

/** A stretch of a call, two channels of 16-bit PCM at 16 kHz, the agent first. */
export interface RecordingPart {
  readonly callId: CallId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** Name of the file, unlike any before. */
  readonly file: string;
  readonly salt: string;
  /** From the answer of the call, ms. */
  readonly startMs: number;
  /** Of sound. */
  readonly bytes: number;
  /** Epoch ms. */
  readonly storedAt: number;
}

/** A call of which parts lie here. */
export interface CallInParts {
  readonly callId: CallId;
  readonly tenant: TenantId;
  /** Of its newest part, epoch ms. */
  readonly storedAt: number;
}

export interface RecordingPartStore {
  /** Keeps it, while this holder has the call's stream. False: somebody else has it by now, or nobody, and nothing was kept. */
  add(part: RecordingPart, holder: string): Promise<boolean>;
  /** Puts another part in the place of one; null: nothing. False where it is gone, or somebody else has the stream: nothing was changed. */
  replace(file: string, part: RecordingPart | null, holder: string): Promise<boolean>;
  /** The parts of these calls, each call's in the order of the call. */
  ofCalls(tenant: TenantId, callIds: readonly CallId[]): Promise<readonly RecordingPart[]>;
  /** Calls with parts whose stream nobody has, or of which nothing was heard since `before`; by id, after `after`. */
  left(before: number, after: CallId | null, limit: number): Promise<readonly CallInParts[]>;
  /** Forgets the parts of a call. Returns those that this took away: of several who ask at once each is given to one. */
  forget(callId: CallId): Promise<readonly RecordingPart[]>;
}
