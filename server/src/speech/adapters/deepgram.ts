/**
 * Deepgram's live protocol, version 1 (`/v1/listen`, nova models). An utterance is one of the stretches that the service makes final by itself; its
 * name is where it begins. An answer without words says that a stretch had none.
 */
import * as v from 'valibot';
import type { SpeechEnd, SpeechRequest, SpeechToText } from '../speech-to-text.ts';
import { readAnswer, sure, wireConfidence, wireTime } from './answer.ts';
import { end, endOfClose } from './ends.ts';
import { openSocketSession, type Protocol, type sessionTiming, type Wire } from './socket-session.ts';

export interface DeepgramOptions {
  /** `wss://api.deepgram.com/v1/listen`; parameters of one's own (`redact=pci`) may stand in it. */
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly timing?: Partial<typeof sessionTiming>;
}

/** The service closes after 10 s without sound or this. */
const keepAliveMs = 4_000;
/** Words that are not final are asked for when no sound has come for so long. */
const finalizeMs = 1_000;
const mostKeyterms = 100;

const WordSchema = v.object({ start: wireTime, end: wireTime });
const MessageSchema = v.variant('type', [
  v.object({
    type: v.literal('Results'),
    start: wireTime,
    duration: wireTime,
    is_final: v.boolean(),
    channel: v.object({
      alternatives: v.array(
        v.object({
          transcript: v.string(),
          confidence: wireConfidence,
          words: v.optional(v.array(WordSchema), []),
        }),
      ),
    }),
  }),
  v.object({ type: v.literal('Metadata') }),
  v.object({ type: v.picklist(['UtteranceEnd', 'SpeechStarted', 'Warning', 'Error', 'Finalize']) }),
]);

/** Speech to text by Deepgram. */
export function createDeepgram(options: DeepgramOptions): SpeechToText {
  return {
    open: (request, listener) =>
      openSocketSession(
        {
          url: listenUrl(options, request),
          headers: { Authorization: `Token ${options.key}` },
          ...(options.timing ? { timing: options.timing } : {}),
        },
        listener,
        speakDeepgram,
      ),
  };
}

function listenUrl(options: DeepgramOptions, request: SpeechRequest): string {
  const url = new URL(options.url);
  const settings: Record<string, string> = {
    model: options.model,
    language: request.language,
    encoding: 'linear16',
    sample_rate: '16000',
    channels: '1',
    interim_results: 'true',
    endpointing: '300',
    utterance_end_ms: '1000',
    vad_events: 'true',
    smart_format: 'true',
  };
  for (const [name, value] of Object.entries(settings))
    if (!url.searchParams.has(name)) url.searchParams.set(name, value);
  // nova-3 takes "keyterm"; earlier models know "keywords" only
  const name = /^nova-[3-9]/.test(options.model) ? 'keyterm' : 'keywords';
  for (const word of request.vocabulary.slice(0, mostKeyterms)) url.searchParams.append(name, word);
  return url.href;
}

function speakDeepgram(wire: Wire): Protocol {
  let soundAt = Date.now();
  let keptAliveAt = Date.now();
  let isUnfinal = false;
  let isFinishing = false;
  return {
    opened: () => wire.ready(),
    sound(pcm) {
      soundAt = Date.now();
      wire.binary(pcm);
    },
    message(text) {
      const message = readAnswer(MessageSchema, text);
      if (message === null) return false;
      if (message.type === 'Metadata' && isFinishing) wire.end(end('finished', 'has told everything'));
      if (message.type !== 'Results') return true;
      const { start, duration, is_final: final } = message;
      const best = message.channel.alternatives[0];
      const words = best?.words ?? [];
      const said = best?.transcript.trim() ?? '';
      isUnfinal = !final && said !== '';
      if (said === '' && !final) return true;
      wire.heard({
        utterance: String(start),
        text: said,
        startMs: Math.round((words[0]?.start ?? start) * 1_000),
        endMs: Math.round((words.at(-1)?.end ?? start + duration) * 1_000),
        ...sure(said === '' ? undefined : best?.confidence),
        final,
      });
      return true;
    },
    finish() {
      isFinishing = true;
      wire.text({ type: 'CloseStream' });
    },
    tick() {
      const now = Date.now();
      if (isFinishing || now - soundAt < finalizeMs) return;
      if (isUnfinal) {
        isUnfinal = false;
        wire.text({ type: 'Finalize' });
      }
      if (now - Math.max(soundAt, keptAliveAt) < keepAliveMs - 500) return;
      keptAliveAt = now;
      wire.text({ type: 'KeepAlive' });
    },
    closed: endOfDeepgram,
  };
}

function endOfDeepgram(code: number, reason: string): SpeechEnd | undefined {
  const named = /\b(?:NET|DATA)-\d{4}\b/.exec(reason)?.[0];
  if (named === 'NET-0001') return end('away', 'closed because it heard nothing for 10 s (NET-0001)');
  if (named?.startsWith('NET') === true) return end('away', `closed the connection (${named})`);
  if (named?.startsWith('DATA') === true) return end('refused', `cannot read the sound it is sent (${named})`);
  return code === 1000 ? undefined : endOfClose(code);
}
