/**
 * The recorder of one call's stream, bound to where parts lie, to the log and to whoever sends the sound. Owns the words for a person, and that a page is
 * asked again for sound that could not be taken. Must never record for an agent whose calls are not to be recorded.
 */
import { PatchcordError, type RecordingMode, type SoundAnswer } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { RecordedCall, RecordingParts } from '../recordings/parts.ts';
import { CallRecorder, type RecorderState } from './call-recorder.ts';
import type { SoundMetrics } from './sound-metrics.ts';
import type { SoundSender } from './stream.ts';

interface RecorderOf {
  readonly parts: {
    readonly recordings: RecordingParts;
    readonly metrics: Pick<SoundMetrics, 'parts'>;
    readonly log: Log;
    readonly now: () => number;
  };
  readonly mode: RecordingMode;
  readonly call: RecordedCall;
  readonly sender: () => SoundSender | null;
}

const messages: Readonly<Record<RecorderState, string>> = {
  there: '',
  away: 'The recording can’t be written just now. The phone keeps the sound for two minutes.',
};

/**
 * @returns null where this agent's calls are not recorded
 * @throws PatchcordError `store.unavailable`
 */
export async function recorderOf({ parts, mode, call, sender }: RecorderOf): Promise<CallRecorder | null> {
  if (mode === 'never') return null;
  const { recordings, metrics, log, now } = parts;
  const { tenant, callId } = call;
  return new CallRecorder({
    storedMs: await recordings.storedMs(call),
    keep: async ({ startMs, pcm }) => {
      try {
        return await recordings.keep(call, startMs, pcm);
      } catch (error) {
        log.warn({ err: error, tenant, callId }, 'a part of a recording could not be written; it is tried again');
        throw error;
      }
    },
    cut: async (atMs) => {
      try {
        return await recordings.cut(call, atMs);
      } catch (error) {
        log.warn({ err: error, tenant, callId }, 'what a pause forbids could not be taken away; it is tried again');
        throw error;
      }
    },
    onState: (state) => sender()?.send(stateOf(state)),
    onMissing: () => {
      const again = 'The recording can be written again. Send again what it lacks.';
      sender()?.close(1013, new PatchcordError('relay.unreachable', again, { retryable: true }));
    },
    count: (result) => metrics.parts.inc({ result }),
    now,
  });
}

/** What a page is told of its recorder; null: of one that it may not have. */
export function stateOf(state: RecorderState | null): SoundAnswer {
  return state === null
    ? {
        type: 'recorder',
        state: 'refused',
        message: 'The calls of this agent are not recorded. Nothing was kept.',
      }
    : { type: 'recorder', state, message: messages[state] };
}
