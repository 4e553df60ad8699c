/**
 * Vosk's server: one answer for each message of sound, and the next message only after it. Sound that comes meanwhile goes in one piece.
 */
import * as v from 'valibot';
import { readAnswer, sure, wireConfidence, wireTime } from './answer.ts';
import { end } from './ends.ts';
import { bytesPerMs, type Protocol, type Wire } from './socket-session.ts';

/** The server compares the text, with its spaces. */
const endOfFile = '{"eof" : 1}';
const mostBytes = 1_000 * bytesPerMs;

const AnswerSchema = v.union([
  v.object({
    text: v.string(),
    result: v.optional(v.array(v.object({ start: wireTime, end: wireTime, conf: wireConfidence })), []),
  }),
  v.object({ partial: v.string() }),
]);

export function speakVosk(wire: Wire): Protocol {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let isAsked = false;
  let isFinishing = false;
  let isEnded = false;
  let answeredBytes = 0;
  let askedBytes = 0;
  let utterance = 0;
  let lastEndMs = 0;
  /** Where the words of this utterance began, by our own clock. */
  let beganMs: number | null = null;

  const next = (): void => {
    if (isAsked || isEnded) return;
    if (waitingBytes > 0) {
      const all = waiting.length === 1 && waiting[0] !== undefined ? waiting[0] : Buffer.concat(waiting);
      const piece = all.subarray(0, mostBytes);
      waiting = all.byteLength > mostBytes ? [all.subarray(mostBytes)] : [];
      waitingBytes -= piece.byteLength;
      askedBytes = piece.byteLength;
      isAsked = true;
      wire.binary(piece);
    } else if (isFinishing) {
      isEnded = true;
      wire.text(endOfFile);
    }
  };

  return {
    opened() {
      wire.text({ config: { sample_rate: 16_000, words: true } });
      wire.ready();
    },
    sound(pcm) {
      waiting.push(pcm);
      waitingBytes += pcm.byteLength;
      next();
    },
    message(text) {
      const answer = readAnswer(AnswerSchema, text);
      if (answer === null) {
        // it was an answer all the same
        isAsked = false;
        next();
        return false;
      }
      const beforeMs = answeredBytes / bytesPerMs;
      answeredBytes += askedBytes;
      askedBytes = 0;
      const nowMs = answeredBytes / bytesPerMs;
      const said = ('partial' in answer ? answer.partial : answer.text).trim();
      if (said !== '') beganMs ??= Math.max(lastEndMs, beforeMs);
      if ('partial' in answer) {
        if (said !== '')
          wire.heard({
            utterance: String(utterance),
            text: said,
            startMs: beganMs ?? beforeMs,
            endMs: nowMs,
            final: false,
          });
      } else {
        const { result } = answer;
        const startMs = Math.round(1_000 * (result[0]?.start ?? (beganMs ?? lastEndMs) / 1_000));
        lastEndMs = Math.round(1_000 * (result.at(-1)?.end ?? nowMs / 1_000));
        const sum = result.reduce((total, word) => total + (word.conf ?? 0), 0);
        wire.heard({
          utterance: String(utterance),
          text: said,
          startMs,
          endMs: lastEndMs,
          ...sure(result.length > 0 ? sum / result.length : undefined),
          final: true,
        });
        utterance++;
        beganMs = null;
        if (isEnded) wire.end(end('finished', 'has told everything'));
      }
      isAsked = false;
      next();
      return true;
    },
    finish() {
      isFinishing = true;
      next();
    },
    get waitingBytes() {
      return waitingBytes;
    },
  };
}
