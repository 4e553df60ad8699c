/**
 * The online WebSocket server of sherpa-onnx, the one in C++ (which tells times) and the one in Python (which does not). Sound goes as 32-bit
 * floats. A segment is final when the service says so, or when it begins the next.
 */
import * as v from 'valibot';
import { readAnswer, wireTime } from './answer.ts';
import { end } from './ends.ts';
import type { Protocol, Wire } from './socket-session.ts';

const AnswerSchema = v.object({
  text: v.string(),
  segment: v.pipe(v.number(), v.integer(), v.minValue(0)),
  is_final: v.optional(v.boolean(), false),
  is_eof: v.optional(v.boolean(), false),
  start_time: v.optional(wireTime, 0),
  timestamps: v.optional(v.array(wireTime), []),
});
/** Times are where tokens begin; this is how long the last one lasts, at most. A pause follows it. */
const lastTokenMs = 300;

interface Segment {
  readonly number: number;
  text: string;
  startMs: number;
  endMs: number;
}

export function speakSherpaOnnx(wire: Wire): Protocol {
  let open: Segment | null = null;
  /** Segments up to here are told. */
  let told = -1;
  let lastEndMs = 0;
  let isFinishing = false;

  const finish = (): void => {
    if (open === null) return;
    const { number, ...segment } = open;
    open = null;
    told = number;
    lastEndMs = Math.max(lastEndMs, segment.endMs);
    wire.heard({ utterance: String(number), ...segment, final: true });
  };
  const finished = end('finished', 'has told everything');

  return {
    opened: () => wire.ready(),
    sound: (pcm) => wire.binary(toFloats(pcm)),
    message(message) {
      if (message === 'Done!') {
        finish();
        wire.end(finished);
        return true;
      }
      const answer = readAnswer(AnswerSchema, message);
      if (answer === null) return false;
      if (open !== null && answer.segment > open.number) finish();
      const text = answer.text.trim();
      if (answer.segment > told && text !== '') {
        const [first] = answer.timestamps;
        const last = answer.timestamps.at(-1);
        const startMs: number =
          first === undefined
            ? (open?.startMs ?? Math.max(lastEndMs, wire.soundMs - 500))
            : (answer.start_time + first) * 1_000;
        const endMs =
          last === undefined ? wire.soundMs : Math.min(wire.soundMs, (answer.start_time + last) * 1_000 + lastTokenMs);
        open = {
          number: answer.segment,
          text,
          startMs: Math.round(startMs),
          endMs: Math.round(Math.max(startMs, endMs)),
        };
        if (answer.is_final || answer.is_eof) finish();
        else
          wire.heard({ utterance: String(open.number), text, startMs: open.startMs, endMs: open.endMs, final: false });
      } else if (answer.is_eof || (answer.is_final && answer.segment === open?.number)) finish();
      if (answer.is_eof && isFinishing) wire.end(finished);
      return true;
    },
    finish() {
      isFinishing = true;
      wire.text('Done');
    },
    closed(code) {
      if (!isFinishing || (code !== 1000 && code !== 1005)) return undefined;
      finish();
      return finished;
    },
  };
}

/** PCM16 as 32-bit floats from -1 to 1, little-endian. */
function toFloats(pcm: Uint8Array): Uint8Array {
  const from = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const to = new DataView(new ArrayBuffer(pcm.byteLength * 2));
  for (let at = 0; at + 1 < pcm.byteLength; at += 2) to.setFloat32(at * 2, from.getInt16(at, true) / 32_768, true);
  return new Uint8Array(to.buffer);
}
