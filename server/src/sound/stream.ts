/** One call's stream at this relay: its sound, bound to where lines are told, to the log and to whoever sends it. Owns that binding, no rule. */
import type { CallId, PatchcordError, SoundAnswer, TranscriptLine } from '@patchcord/call-protocol';
import type { SessionOwner } from '../identity/sessions.ts';
import type { TranscriptTeller } from '../live/transcripts.ts';
import type { Log } from '../logging.ts';
import type { SpeechRequest, SpeechToText } from '../speech/speech-to-text.ts';
import type { SoundPosition } from '../store/contract.ts';
import { CallSound, type CallSoundOptions } from './call-sound.ts';

/** The connection that a stream comes over. */
export interface SoundSender {
  send(answer: SoundAnswer): void;
  close(code: number, error: PatchcordError): void;
}

export interface Stream {
  readonly callId: CallId;
  readonly owner: SessionOwner;
  readonly holder: string;
  readonly sound: CallSound;
  readonly openedAt: number;
  sender: SoundSender | null;
  leftAt: number | null;
  isKnown: boolean;
  lookedAt: number;
  /** The position that is in the store, as text. */
  written: string;
  ending: Promise<void> | null;
}

/** Where the words of a call go. */
interface SoundOf {
  readonly parts: Pick<CallSoundOptions, 'createChannel' | 'metrics' | 'now' | 'random'> & {
    readonly transcripts: TranscriptTeller;
    readonly log: Log;
  };
  readonly service: SpeechToText;
  readonly owner: SessionOwner;
  readonly callId: CallId;
  readonly request: SpeechRequest;
  readonly position: SoundPosition | null;
  readonly sender: () => SoundSender | null;
}

export function soundOf({ parts, service, owner, callId, request, position, sender }: SoundOf): CallSound {
  const { transcripts, createChannel, metrics, log, now, random } = parts;
  const { tenant, agent } = owner;
  return new CallSound({
    service,
    request,
    createChannel,
    position,
    tell: (line: TranscriptLine) => {
      try {
        return transcripts.tell(tenant, agent, callId, line);
      } catch (error) {
        log.error({ err: error, tenant, callId }, 'a line of a transcript could not be told');
        return Promise.resolve();
      }
    },
    forget: (atMs) => transcripts.forget(tenant, callId, atMs),
    onService: (state, message) => {
      log[state === 'there' ? 'info' : 'warn']({ tenant, callId, state, why: message }, 'the speech service of a call');
      sender()?.send({ type: 'service', state, message });
    },
    metrics,
    now,
    random,
  });
}
