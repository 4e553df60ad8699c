/**
 * The realtime transcription protocol of OpenAI and of those who speak it: 24 kHz in base64, items, completions in any order. `flat` is the older shape of
 * the settings, without deltas, as speaches has it.
 */
import { createUtterances, type Decode, textOf, toSamples, type UtteranceSaid } from './decode.ts';
import { type Connection, type SpeechService, startSocketService } from './socket-service.ts';

export const openAiKey = 'openai-key-in-tests';

export interface RealtimeOptions {
  readonly decode: Decode;
  readonly shape?: 'ga' | 'flat';
  /** Completes every second item before the one that came before it. */
  readonly outOfOrder?: boolean;
  /** The only model it has. */
  readonly model?: string;
  /** The first item is not completed: it fails with this, or the session has this error. */
  readonly trouble?: { readonly of: 'item' | 'session'; readonly code: string };
}

const transcriptionEvent = 'conversation.item.input_audio_transcription';

export function startOpenAiRealtime(options: RealtimeOptions): Promise<SpeechService> {
  return startSocketService((connection) => serve(connection, options), {
    key: { header: 'authorization', value: `Bearer ${openAiKey}` },
  });
}

interface Settings {
  readonly model: unknown;
  readonly rate: number;
  readonly ownTurns: boolean;
}

function readSettings(session: Record<string, unknown>, shape: 'ga' | 'flat'): Settings | null {
  const input = shape === 'ga' ? (session.audio as { input?: Record<string, unknown> } | undefined)?.input : session;
  if (input === undefined) return null;
  const transcription = (shape === 'ga' ? input.transcription : input.input_audio_transcription) as
    | { model?: unknown }
    | undefined;
  const format = input.format as { type?: unknown; rate?: unknown } | undefined;
  const isPcm =
    shape === 'ga' ? format?.type === 'audio/pcm' && format.rate === 24_000 : input.input_audio_format === 'pcm16';
  if (transcription === undefined || !isPcm) return null;
  return { model: transcription.model, rate: 24_000, ownTurns: input.turn_detection !== null };
}

function serve(connection: Connection, options: RealtimeOptions): ReturnType<Parameters<typeof startSocketService>[0]> {
  const { shape = 'ga', model = 'gpt-4o-transcribe' } = options;
  const utterances = createUtterances(options.decode, 24_000);
  let settings: Settings | null = null;
  let items = 0;
  let uncommittedMs = 0;
  /** Words that no commit was asked for yet, where the other side decides. */
  let pending: UtteranceSaid['words'][number][] = [];
  let held: object | null = null;
  let { trouble } = options;

  const fail = (type: string, code: string | null): void =>
    connection.say({ type: 'error', error: { type, code, message: 'no' } });
  const complete = (item: string, text: string): void => {
    if (trouble !== undefined) {
      const { of, code } = trouble;
      trouble = undefined;
      if (of === 'session') fail('invalid_request_error', code);
      else connection.say({ type: `${transcriptionEvent}.failed`, item_id: item, error: { type: 'failed', code } });
      return;
    }
    const done = { type: `${transcriptionEvent}.completed`, item_id: item, content_index: 0, transcript: text };
    if (options.outOfOrder === true && held === null) {
      held = done;
      return;
    }
    connection.sayFinal(done);
    if (held !== null) connection.sayFinal(held);
    held = null;
  };
  const commit = (words: UtteranceSaid['words']): void => {
    const item = `item_${items++}`;
    connection.say({
      type: 'input_audio_buffer.committed',
      item_id: item,
      previous_item_id: items === 1 ? null : `item_${items - 2}`,
    });
    uncommittedMs = 0;
    // whoever has no deltas says it all at the end
    if (shape === 'ga')
      words.forEach((word, at) => {
        const delta = at === 0 ? word.text : ` ${word.text}`;
        connection.sayPart({ type: `${transcriptionEvent}.delta`, item_id: item, content_index: 0, delta });
      });
    complete(item, textOf(words));
  };
  const heard = (said: readonly UtteranceSaid[]): void => {
    for (const { words, final } of said) {
      if (settings?.ownTurns === false) {
        if (final) pending.push(...words);
        continue;
      }
      if (words.length === 1 && !final)
        connection.say({
          type: 'input_audio_buffer.speech_started',
          audio_start_ms: Math.round(words[0]?.startMs ?? 0),
        });
      if (!final) continue;
      connection.say({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: Math.round(words.at(-1)?.endMs ?? 0) });
      commit(words);
    }
  };
  const acts: Record<string, (event: Record<string, unknown>) => void> = {
    'session.update': (event) => {
      settings = readSettings(event.session as Record<string, unknown>, shape);
      if (settings === null) return fail('invalid_request_error', 'invalid_value');
      if (settings.model !== model) return fail('invalid_request_error', 'model_not_found');
      connection.say({ type: 'session.updated', session: {} });
    },
    'input_audio_buffer.append': (event) => {
      const samples = toSamples(Buffer.from(String(event.audio), 'base64'));
      uncommittedMs += samples.length / 24;
      heard(utterances.push(samples));
      connection.took(samples.length / 24);
    },
    'input_audio_buffer.commit': () => {
      if (uncommittedMs < 100) return fail('invalid_request_error', 'input_audio_buffer_commit_empty');
      const last = utterances.flush();
      if (settings?.ownTurns === false) {
        heard(last);
        commit(pending);
        pending = [];
      } else if (last.length > 0) heard(last);
      else commit([]);
      if (held !== null) connection.sayFinal(held);
      held = null;
    },
    // the older shape does not know it
    ...(shape === 'ga'
      ? { 'input_audio_buffer.clear': () => connection.say({ type: 'input_audio_buffer.cleared' }) }
      : {}),
  };
  return {
    opened: () => connection.say({ type: 'session.created', session: { id: 'sess_1', type: 'transcription' } }),
    text(message) {
      const event = JSON.parse(message) as Record<string, unknown>;
      const act = acts[String(event.type)];
      if (act === undefined) fail('invalid_request_error', 'unknown_event');
      else act(event);
    },
  };
}
