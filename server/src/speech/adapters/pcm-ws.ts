/**
 * Services of one's own that take bare PCM over a WebSocket: Vosk's server, the online server of sherpa-onnx, WhisperLive. One door; each has a
 * dialect of its own beside this file. None of them knows keys: `key` is for whatever stands before it.
 */
import type { SpeechToText } from '../speech-to-text.ts';
import { speakSherpaOnnx } from './sherpa-onnx.ts';
import { openSocketSession, type sessionTiming } from './socket-session.ts';
import { speakVosk } from './vosk.ts';
import { speakWhisperLive } from './whisper-live.ts';

export const pcmDialects = ['vosk', 'sherpa-onnx', 'whisper-live'] as const;

export interface PcmWsOptions {
  readonly url: string;
  readonly dialect: (typeof pcmDialects)[number];
  /** Sent as a bearer token. */
  readonly key?: string;
  /** WhisperLive only: the model it is asked for. */
  readonly model?: string;
  readonly timing?: Partial<typeof sessionTiming>;
}

/** Speech to text by a service of one's own. */
export function createPcmWs(options: PcmWsOptions): SpeechToText {
  const headers: Record<string, string> = options.key === undefined ? {} : { Authorization: `Bearer ${options.key}` };
  return {
    open: (request, listener) =>
      openSocketSession(
        { url: options.url, headers, ...(options.timing ? { timing: options.timing } : {}) },
        listener,
        (wire) => {
          if (options.dialect === 'vosk') return speakVosk(wire);
          if (options.dialect === 'sherpa-onnx') return speakSherpaOnnx(wire);
          return speakWhisperLive(wire, request, options.model);
        },
      ),
  };
}
