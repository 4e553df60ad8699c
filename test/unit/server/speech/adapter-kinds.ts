/** Every adapter that speaks over a socket, with a server of its protocol. Owns the list: what all of them must do is tested over it. */
import type { SpeechServiceSettings } from '../../../../server/src/speech/services.ts';
import { assemblyAiKey, startAssemblyAi } from '../../../speech/assemblyai-server.ts';
import type { Decode } from '../../../speech/decode.ts';
import { deepgramKey, startDeepgram } from '../../../speech/deepgram-server.ts';
import { openAiKey, startOpenAiRealtime } from '../../../speech/openai-realtime-server.ts';
import { startSherpaOnnx } from '../../../speech/sherpa-onnx-server.ts';
import type { SpeechService } from '../../../speech/socket-service.ts';
import { startVosk } from '../../../speech/vosk-server.ts';
import { startWhisperLive } from '../../../speech/whisper-live-server.ts';

/** An adapter, and the server that it is tested against. */
export interface AdapterKind {
  readonly name: string;
  start(decode: Decode): Promise<SpeechService>;
  settings(url: string, key: boolean): SpeechServiceSettings;
  /** How far a time may be off; null: it tells none of single words. */
  readonly toleranceMs: number;
  readonly hasKey: boolean;
  /** One answer for one question: nothing can be said twice, nor out of order. */
  readonly isStrict?: boolean;
}
const realtime = { kind: 'openai-realtime', keyHeader: 'authorization', model: 'gpt-4o-transcribe' } as const;

export const adapterKinds: readonly AdapterKind[] = [
  {
    name: 'deepgram',
    start: (decode) => startDeepgram({ decode }),
    settings: (url, key) => ({
      kind: 'deepgram',
      url: `${url}/v1/listen`,
      key: key ? deepgramKey : 'wrong-key',
      model: 'nova-3',
    }),
    toleranceMs: 20,
    hasKey: true,
  },
  {
    name: 'assemblyai',
    start: (decode) => startAssemblyAi({ decode }),
    settings: (url, key) => ({ kind: 'assemblyai', url: `${url}/v3/ws`, key: key ? assemblyAiKey : 'wrong-key' }),
    toleranceMs: 20,
    hasKey: true,
  },
  {
    name: 'openai-realtime',
    start: (decode) => startOpenAiRealtime({ decode }),
    settings: (url, key) => ({
      ...realtime,
      url: `${url}/v1/realtime`,
      key: key ? openAiKey : 'wrong-key',
      shape: 'ga',
      turns: 'service',
    }),
    toleranceMs: 20,
    hasKey: true,
  },
  {
    name: 'openai-realtime, turns of our own',
    start: (decode) => startOpenAiRealtime({ decode, outOfOrder: true }),
    settings: (url, key) => ({
      ...realtime,
      url: `${url}/v1/realtime`,
      key: key ? openAiKey : 'wrong-key',
      shape: 'ga',
      turns: 'relay',
    }),
    // a pause belongs to the piece before it
    toleranceMs: 600,
    hasKey: true,
  },
  {
    name: 'openai-realtime, flat',
    start: (decode) => startOpenAiRealtime({ decode, shape: 'flat' }),
    settings: (url, key) => ({
      ...realtime,
      url: `${url}/v1/realtime`,
      key: key ? openAiKey : 'wrong-key',
      shape: 'flat',
      turns: 'service',
    }),
    toleranceMs: 20,
    hasKey: true,
  },
  {
    name: 'vosk',
    start: (decode) => startVosk({ decode }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'vosk' }),
    toleranceMs: 20,
    hasKey: false,
    isStrict: true,
  },
  {
    name: 'sherpa-onnx',
    start: (decode) => startSherpaOnnx({ decode }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'sherpa-onnx' }),
    // it says when a word begins, not when it ends
    toleranceMs: 320,
    hasKey: false,
  },
  {
    name: 'sherpa-onnx in Python',
    start: (decode) => startSherpaOnnx({ decode, python: true }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'sherpa-onnx' }),
    // it says no times, and the whole sound is sent before its first answer is read
    toleranceMs: 60_000,
    hasKey: false,
  },
  {
    name: 'whisper-live',
    start: (decode) => startWhisperLive({ decode }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'whisper-live' }),
    toleranceMs: 20,
    hasKey: false,
  },
];
