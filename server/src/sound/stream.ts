/** One call's stream at this relay: its sound, bound to where lines are told, to the log and to whoever sends it. Owns that binding, no rule. */
import type { CallId, PatchcordError, SoundAnswer, TranscriptLine } from '@patchcord/call-protocol';
import type { SessionOwner } from '../identity/sessions.ts';
import type { TranscriptTeller } from '../live/transcripts.ts';
import type { Log } from '../logging.ts';
import type { SpeechRequest, SpeechToText } from '../speech/speech-to-text.ts';
import type { SoundPosition } from '../store/contract.ts';
import type { CallRecorder } from './call-recorder.ts';
import { CallSound, type CallSoundOptions } from './call-sound.ts';
import { createDeafChannel, nobody } from './deaf-channel.ts';

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
  /** Null: this call is not to be recorded. */
  readonly recorder: CallRecorder | null;
  readonly openedAt: number;
  sender: SoundSender | null;
  leftAt: number | null;
  isKnown: boolean;
  lookedAt: number;
  /** The position that is in the store, as text. */
  written: string;
  /** Something was heard since that was written, or looked at: nobody else can have the stream. */
  isHeard: boolean;
  /** The last words are waited for: its call is over, or nobody sends it any more. */
  ending: Promise<void> | null;
  isCallOver: boolean;
}

/** Where the words of a call go. */
interface SoundOf {
  readonly parts: Pick<CallSoundOptions, 'createChannel' | 'metrics' | 'now' | 'random'> & {
    readonly transcripts: TranscriptTeller;
    readonly log: Log;
  };
  /** Null: the call is not transcribed, only recorded. */
  readonly speech: { readonly service: SpeechToText; readonly request: SpeechRequest } | null;
  readonly owner: SessionOwner;
  readonly callId: CallId;
  readonly recorder: CallRecorder | null;
  readonly position: SoundPosition | null;
  readonly sender: () => SoundSender | null;
  /** Whether this relay still has the stream, as the store says; true while that can't be asked. Never rejects. */
  readonly isOurs: () => Promise<boolean>;
}

export function soundOf({ parts, speech, owner, callId, recorder, position, sender, isOurs }: SoundOf): CallSound {
  const { transcripts, createChannel, metrics, log, now, random } = parts;
  const { tenant, agent } = owner;
  const tell = (line: TranscriptLine): Promise<void> => {
    try {
      return transcripts.tell(tenant, agent, callId, line);
    } catch (error) {
      log.error({ err: error, tenant, callId }, 'a line of a transcript could not be told');
      return Promise.resolve();
    }
  };
  return new CallSound({
    service: speech?.service ?? nobody,
    request: speech?.request ?? { language: '', vocabulary: [] },
    createChannel: speech === null ? createDeafChannel : createChannel,
    position,
    recorder,
    tell: async (line) => {
      // Gaps are of a transcript, and there is none.
      if (speech === null) return;
      // Nobody sends it here any more: another relay may hear the same sound by now, and tell it.
      if (line.final && sender() === null && !(await isOurs())) return;
      await tell(line);
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
