/**
 * The realtime transcription protocol that OpenAI began and others speak (Azure OpenAI, speaches). Sound goes as base64 at 24 kHz. An utterance is
 * an item: it is told when its transcript is complete, in the order of the items, whatever order the service finishes them in.
 */
import * as v from 'valibot';
import type { SpeechEnd, SpeechRequest, SpeechToText } from '../speech-to-text.ts';
import { readAnswer, wireTime } from './answer.ts';
import { end } from './ends.ts';
import { createItemOrder } from './item-order.ts';
import { createUpsampler } from './resample.ts';
import { openSocketSession, type Protocol, type sessionTiming, type Wire } from './socket-session.ts';
import { createVoiceActivity } from './voice-activity.ts';

export interface OpenAiRealtimeOptions {
  /** `wss://api.openai.com/v1/realtime`; parameters of one's own (`api-version`, `deployment`) may stand in it. */
  readonly url: string;
  /** Absent: a service of one's own that wants none. */
  readonly key?: string;
  /** Azure takes the key as `api-key`. */
  readonly keyHeader: 'authorization' | 'api-key';
  readonly model: string;
  /** `flat`: the settings as they were before general availability, which speaches still has. */
  readonly shape: 'ga' | 'flat';
  /** Who ends a turn. `relay`: for models that take `turn_detection: null` only; a commit is sent in every pause. */
  readonly turns: 'service' | 'relay';
  readonly timing?: Partial<typeof sessionTiming>;
}

const pauseMs = 500;
/** After the last commit, without a word from a service that does not answer a clear: nothing more comes. */
const quietMs = 3_000;
const longestPrompt = 1_000;

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const code = v.fallback(v.nullish(v.string()), undefined);
const ErrorSchema = v.object({ type: code, code });
const itemEvent = 'conversation.item.input_audio_transcription';
const EventSchema = v.variant('type', [
  v.object({ type: v.picklist(['session.created', 'transcription_session.created']) }),
  v.object({ type: v.picklist(['session.updated', 'transcription_session.updated']) }),
  v.object({ type: v.literal('input_audio_buffer.speech_started'), audio_start_ms: v.optional(wireTime) }),
  v.object({ type: v.literal('input_audio_buffer.speech_stopped'), audio_end_ms: v.optional(wireTime) }),
  v.object({ type: v.literal('input_audio_buffer.cleared') }),
  v.object({ type: v.literal('input_audio_buffer.committed'), item_id: id, previous_item_id: v.nullish(id) }),
  v.object({ type: v.literal(`${itemEvent}.delta`), item_id: id, delta: v.string() }),
  v.object({ type: v.literal(`${itemEvent}.completed`), item_id: id, transcript: v.string() }),
  v.object({ type: v.literal(`${itemEvent}.failed`), item_id: id, error: v.optional(ErrorSchema, {}) }),
  v.object({ type: v.literal('error'), error: ErrorSchema }),
]);
const NamedSchema = v.object({ type: v.string() });

/** Speech to text by OpenAI's realtime protocol. */
export function createOpenAiRealtime(options: OpenAiRealtimeOptions): SpeechToText {
  const url = new URL(options.url);
  if (!url.searchParams.has('intent')) url.searchParams.set('intent', 'transcription');
  if (options.shape === 'flat' && !url.searchParams.has('model')) url.searchParams.set('model', options.model);
  const proof = options.keyHeader === 'api-key' ? options.key : `Bearer ${options.key}`;
  const headers: Record<string, string> =
    options.key === undefined || proof === undefined
      ? {}
      : { [options.keyHeader === 'api-key' ? 'api-key' : 'Authorization']: proof };
  return {
    open: (request, listener) =>
      openSocketSession(
        { url: url.href, headers, ...(options.timing ? { timing: options.timing } : {}) },
        listener,
        (wire) => speakRealtime(wire, options, sessionSettings(options, request)),
      ),
  };
}

function sessionSettings(options: OpenAiRealtimeOptions, request: SpeechRequest): object {
  const transcription = {
    model: options.model,
    language: request.language.split('-')[0] ?? request.language,
    ...(request.vocabulary.length === 0 ? {} : { prompt: request.vocabulary.join(', ').slice(0, longestPrompt) }),
  };
  const turns = options.turns === 'relay' ? null : { type: 'server_vad', silence_duration_ms: pauseMs };
  return options.shape === 'flat'
    ? { input_audio_format: 'pcm16', input_audio_transcription: transcription, turn_detection: turns }
    : {
        type: 'transcription',
        audio: { input: { format: { type: 'audio/pcm', rate: 24_000 }, transcription, turn_detection: turns } },
      };
}

function speakRealtime(wire: Wire, options: OpenAiRealtimeOptions, settings: object): Protocol {
  const upsample = createUpsampler();
  const voice = createVoiceActivity();
  const items = createItemOrder(wire);
  /** What was committed and has no item yet. */
  const commits: { readonly startMs: number; readonly endMs: number }[] = [];
  let committedMs = 0;
  let isSettled = false;
  let isFinishing = false;
  let quiet: NodeJS.Timeout | undefined;

  const commit = (startMs: number, endMs: number): void => {
    commits.push({ startMs, endMs });
    committedMs = wire.soundMs;
    wire.text({ type: 'input_audio_buffer.commit' });
  };
  const endWhenTold = (): void => {
    clearTimeout(quiet);
    if (!isFinishing || items.size > 0) return;
    const finish = (): void => wire.end(end('finished', 'has told everything'));
    if (commits.length === 0) finish();
    // the service's own turns are not told from the one that we asked for: a clear is answered after all of them
    else if (options.turns === 'service') quiet = setTimeout(finish, quietMs).unref();
  };
  const trouble = (error: v.InferOutput<typeof ErrorSchema>): void => {
    if (error.code === 'input_audio_buffer_commit_empty') {
      commits.shift();
      endWhenTold();
      return;
    }
    const why = endOfError(`${error.type ?? ''} ${error.code ?? ''}`);
    if (why !== undefined) wire.end(why);
    else if (!isSettled) wire.end(end('refused', 'does not take our settings: model or language'));
  };

  return {
    opened() {
      wire.text({ type: 'session.update', session: settings });
    },
    sound(pcm) {
      wire.text({ type: 'input_audio_buffer.append', audio: upsample(pcm).toString('base64') });
      if (options.turns === 'relay') for (const { startMs, endMs } of voice.push(pcm)) commit(startMs, endMs);
    },
    message(text) {
      const event = readAnswer(EventSchema, text);
      // the protocol has many more events than we need
      if (event === null) return readAnswer(NamedSchema, text) !== null;
      switch (event.type) {
        case 'session.created':
        case 'transcription_session.created':
          wire.ready();
          break;
        case 'session.updated':
        case 'transcription_session.updated':
          isSettled = true;
          wire.ready();
          break;
        case 'input_audio_buffer.speech_started':
          items.started(event.audio_start_ms ?? wire.soundMs);
          break;
        case 'input_audio_buffer.speech_stopped':
          items.stopped(event.audio_end_ms ?? wire.soundMs);
          break;
        case 'input_audio_buffer.committed':
          items.committed(event.item_id, event.previous_item_id ?? null, () =>
            options.turns === 'relay' ? commits.shift() : undefined,
          );
          break;
        case 'input_audio_buffer.cleared':
          commits.length = 0;
          break;
        case `${itemEvent}.delta`:
          items.delta(event.item_id, event.delta);
          break;
        case `${itemEvent}.completed`:
          items.done(event.item_id, event.transcript);
          break;
        case `${itemEvent}.failed`: {
          const why = endOfError(`${event.error.type ?? ''} ${event.error.code ?? ''}`);
          if (why === undefined) items.done(event.item_id, '');
          else wire.end(why);
          break;
        }
        default:
          trouble(event.error);
      }
      endWhenTold();
      return true;
    },
    finish() {
      const last = options.turns === 'relay' ? voice.flush() : { startMs: committedMs, endMs: wire.soundMs };
      if (last !== null && wire.soundMs > committedMs) commit(last.startMs, last.endMs);
      if (options.turns === 'service' && commits.length > 0) wire.text({ type: 'input_audio_buffer.clear' });
      isFinishing = true;
      endWhenTold();
    },
    closed: (_code, reason) => endOfError(reason),
  };
}

/** What a name of an error means for the session; undefined: it goes on. */
function endOfError(names: string): SpeechEnd | undefined {
  if (/invalid_api_key|authentication|permission/.test(names)) return end('refused', 'does not take the key');
  if (/insufficient_quota|billing/.test(names)) return end('refused', 'wants to be paid first');
  if (/model_not_found|unsupported_model/.test(names)) return end('refused', 'does not have the model');
  if (/rate_limit/.test(names)) return end('limited', 'has too much to do for us');
  if (/session_expired/.test(names)) return end('expired', 'lets no session live longer');
  if (/server_error/.test(names)) return end('away', 'has a fault');
  return undefined;
}
