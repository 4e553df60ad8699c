/**
 * How far the sound of a call has been heard, and by whom: what a relay needs that goes on with a stream which another one, or its own
 * predecessor, had. Must never hold sound or a word.
 */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';

/** Everything before it is done: told, kept where it is kept, needed no more. */
export interface SoundPosition {
  /** The first frame that is still needed. */
  readonly next: number;
  /** Where it begins or what was heard before it ends, ms of the call. */
  readonly ms: number;
  readonly agent: SpeakerPosition;
  readonly farSide: SpeakerPosition;
}

/** How far one speaker is done: often further than the call. */
export interface SpeakerPosition {
  /** The number of the next line. */
  readonly line: number;
  /** Sound before this is done, ms of the call. */
  readonly ms: number;
}

export interface SoundStream {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly callId: CallId;
}

export interface SoundStore {
  /**
   * From now on this holder has the stream, whoever had it before.
   * @returns where it goes on; null when nothing was heard of this call so far; `'other'` when it is another agent's: nothing was changed
   */
  claim(stream: SoundStream, holder: string, now: number): Promise<SoundPosition | null | 'other'>;
  /** Writes positions in one transaction, each only while its holder has the stream. Returns the calls that somebody else has by now, or nobody. */
  put(
    positions: readonly { readonly callId: CallId; readonly holder: string; readonly position: SoundPosition }[],
    now: number,
  ): Promise<readonly CallId[]>;
  /** The call is over: nobody goes on with it. */
  remove(callId: CallId, holder: string): Promise<void>;
  /** Forgets streams of which nothing was heard since. */
  forget(before: number): Promise<void>;
}
