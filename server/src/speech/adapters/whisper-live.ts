/**
 * WhisperLive: it sends its last segments again and again, with times as text; a completed one is told once, by where it begins. One that is not
 * completed changes its words and its times.
 */
import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import type { SpeechRequest } from '../speech-to-text.ts';
import { readAnswer, wireTimeText } from './answer.ts';
import { end } from './ends.ts';
import type { Protocol, Wire } from './socket-session.ts';

const mostPrompt = 500;

const StatusSchema = v.object({ status: v.string(), message: v.optional(v.unknown()) });
const NoticeSchema = v.object({ message: v.string() });
const LanguageSchema = v.object({ language: v.string() });
const SegmentsSchema = v.object({
  segments: v.array(
    v.object({
      start: wireTimeText,
      end: wireTimeText,
      text: v.string(),
      completed: v.optional(v.boolean(), false),
    }),
  ),
});
type Segment = v.InferOutput<typeof SegmentsSchema>['segments'][number];

export function speakWhisperLive(wire: Wire, request: SpeechRequest, model: string | undefined): Protocol {
  let lastStart = -1;
  let utterance = 0;
  let open: Segment | null = null;
  let isFinishing = false;

  const tell = (segment: Segment, final: boolean): void => {
    const text = segment.text.trim();
    if (text !== '' || final)
      wire.heard({
        utterance: String(utterance),
        text,
        startMs: Math.round(segment.start * 1_000),
        endMs: Math.round(Math.max(segment.start, segment.end) * 1_000),
        final,
      });
    if (final) utterance++;
  };
  const status = (name: string, message: unknown): void => {
    if (name === 'WAIT') {
      const minutes = Number(message);
      const retryAfterMs = Number.isFinite(minutes) ? Math.min(Math.max(minutes * 60_000, 5_000), 600_000) : 30_000;
      wire.end({ ...end('limited', 'has no room for another session'), retryAfterMs });
    } else if (name === 'ERROR') wire.end(end('away', 'has a fault'));
  };

  return {
    opened() {
      wire.text({
        uid: randomUUID(),
        language: request.language.split('-')[0],
        task: 'transcribe',
        use_vad: true,
        audio_format: 'int16',
        send_last_n_segments: 10,
        no_speech_thresh: 0.45,
        ...(model === undefined ? {} : { model }),
        ...(request.vocabulary.length === 0
          ? {}
          : { initial_prompt: request.vocabulary.join(', ').slice(0, mostPrompt) }),
      });
    },
    sound: (pcm) => wire.binary(pcm),
    message(text) {
      const told = readAnswer(StatusSchema, text);
      if (told !== null) {
        status(told.status, told.message);
        return true;
      }
      const heard = readAnswer(SegmentsSchema, text);
      if (heard !== null) {
        open = null;
        for (const segment of heard.segments) {
          if (segment.start <= lastStart) continue;
          if (!segment.completed) {
            open = segment;
            continue;
          }
          lastStart = segment.start;
          open = null;
          tell(segment, true);
        }
        if (open !== null) tell(open, false);
        return true;
      }
      const notice = readAnswer(NoticeSchema, text);
      if (notice?.message === 'SERVER_READY') wire.ready();
      if (notice?.message === 'DISCONNECT') wire.end(end('expired', 'lets no session live longer'));
      return notice !== null || readAnswer(LanguageSchema, text) !== null;
    },
    finish() {
      isFinishing = true;
      wire.binary(Buffer.from('END_OF_AUDIO'));
    },
    closed(code) {
      if (!isFinishing || code === 1006) return undefined;
      if (open !== null) tell(open, true);
      return end('finished', 'has told everything');
    },
  };
}
