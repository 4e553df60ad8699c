/**
 * The speech-to-text services a tenant may name: what a configuration says of one, and opening the adapter for it. Must never put a key anywhere but
 * into a header of a request.
 */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, text, url } from '../config/fields.ts';
import { createAssemblyAi } from './adapters/assemblyai.ts';
import { createDeepgram } from './adapters/deepgram.ts';
import { createOpenAiRealtime } from './adapters/openai-realtime.ts';
import { createPcmWs, pcmDialects } from './adapters/pcm-ws.ts';
import { createSegments } from './adapters/segments.ts';
import type { SpeechToText } from './speech-to-text.ts';

const socketUrl = v.pipe(url('the address of the service', 'wss:', 'ws:'), encryptedUnlessLoopback);
const requestUrl = v.pipe(url('the address of the service', 'https:', 'http:'), encryptedUnlessLoopback);
/** It becomes a header. */
const key = v.pipe(
  givenSecret('the key of the service'),
  v.regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces: the key of the service'),
);
const model = v.pipe(text('the model'), v.maxLength(200, 'must have 200 characters at most: the model'));

/** `transcription.service` of a tenant. */
export const SpeechServiceSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('deepgram'),
      /** With parameters of the customer's own, for instance `?redact=pci`. */
      url: v.optional(socketUrl, 'wss://api.deepgram.com/v1/listen'),
      key,
      model: v.optional(model, 'nova-3'),
    }),
    v.strictObject({
      kind: v.literal('openai-realtime'),
      url: v.optional(socketUrl, 'wss://api.openai.com/v1/realtime'),
      /** Absent: a service of one's own that wants none. */
      key: v.exactOptional(key),
      /** How the key is sent; Azure wants `api-key`. */
      keyHeader: v.optional(v.picklist(['authorization', 'api-key']), 'authorization'),
      model: v.optional(model, 'gpt-4o-transcribe'),
      /** `flat` for services that still take the settings of the time before general availability: speaches. */
      shape: v.optional(v.picklist(['ga', 'flat'], 'must be "ga" or "flat"'), 'ga'),
      /** Who hears that somebody stopped speaking. `relay` for models that leave it to us: `gpt-live-transcribe`, `gpt-realtime-whisper`. */
      turns: v.optional(v.picklist(['service', 'relay'], 'must be "service" or "relay"'), 'service'),
    }),
    v.strictObject({
      kind: v.literal('assemblyai'),
      url: v.optional(socketUrl, 'wss://streaming.assemblyai.com/v3/ws'),
      key,
      /** Absent: the service chooses. */
      model: v.exactOptional(model),
    }),
    v.strictObject({
      kind: v.literal('pcm-ws'),
      url: socketUrl,
      dialect: v.picklist(pcmDialects, `must be one of ${pcmDialects.map((name) => `"${name}"`).join(', ')}`),
      /** Of whatever stands before the service: sent as a bearer token. */
      key: v.exactOptional(key),
      /** WhisperLive only. */
      model: v.exactOptional(model),
    }),
    v.strictObject({
      kind: v.literal('segments'),
      /** The whole address: `https://api.groq.com/openai/v1/audio/transcriptions`, `http://localhost:8080/inference`. */
      url: v.optional(requestUrl, 'https://api.openai.com/v1/audio/transcriptions'),
      key: v.exactOptional(key),
      model: v.optional(model, 'whisper-1'),
    }),
  ],
  'must be "deepgram", "openai-realtime", "assemblyai", "pcm-ws" or "segments"',
);
export type SpeechServiceSettings = v.InferOutput<typeof SpeechServiceSchema>;

/** The service that a configuration names. Nothing is connected yet, and nothing is thrown. */
export function openSpeechService(settings: SpeechServiceSettings): SpeechToText {
  switch (settings.kind) {
    case 'deepgram':
      return createDeepgram(settings);
    case 'openai-realtime':
      return createOpenAiRealtime(settings);
    case 'assemblyai':
      return createAssemblyAi(settings);
    case 'pcm-ws':
      return createPcmWs(settings);
    case 'segments':
      return createSegments(settings);
  }
}
