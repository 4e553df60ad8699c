/**
 * AssemblyAI's streaming protocol, version 3. An utterance is a turn: its words come one by one and stay; it is final when it has been formatted.
 * A message must hold 50 to 1000 ms of sound, so shorter pieces wait for the next.
 */
import * as v from 'valibot';
import type { SpeechEnd, SpeechRequest, SpeechToText } from '../speech-to-text.ts';
import { readAnswer, sure, wireConfidence, wireTime } from './answer.ts';
import { end, endOfClose } from './ends.ts';
import { bytesPerMs, openSocketSession, type Protocol, type sessionTiming, type Wire } from './socket-session.ts';

export interface AssemblyAiOptions {
  /** `wss://streaming.assemblyai.com/v3/ws`; parameters of one's own may stand in it. */
  readonly url: string;
  readonly key: string;
  /** Absent: the service chooses. */
  readonly model?: string;
  readonly timing?: Partial<typeof sessionTiming>;
}

const leastBytes = 50 * bytesPerMs;
const mostBytes = 1_000 * bytesPerMs;
const mostKeyterms = 100;

const MessageSchema = v.variant('type', [
  v.object({ type: v.literal('Begin') }),
  v.object({
    type: v.literal('Turn'),
    turn_order: v.pipe(v.number(), v.integer()),
    end_of_turn: v.boolean(),
    turn_is_formatted: v.optional(v.boolean(), false),
    transcript: v.string(),
    words: v.array(v.object({ start: wireTime, end: wireTime, text: v.string(), confidence: wireConfidence })),
  }),
  v.object({ type: v.literal('Termination') }),
  v.object({ type: v.picklist(['SpeechStarted', 'Heartbeat', 'Warning', 'Error']) }),
]);

/** Speech to text by AssemblyAI. */
export function createAssemblyAi(options: AssemblyAiOptions): SpeechToText {
  return {
    // it closes on sound that comes much faster than it was spoken, and does not say how much
    fastest: 2,
    open: (request, listener) =>
      openSocketSession(
        {
          url: streamUrl(options, request),
          headers: { Authorization: options.key },
          ...(options.timing ? { timing: options.timing } : {}),
        },
        listener,
        speakAssemblyAi,
      ),
  };
}

function streamUrl(options: AssemblyAiOptions, request: SpeechRequest): string {
  const url = new URL(options.url);
  const settings: Record<string, string | undefined> = {
    sample_rate: '16000',
    encoding: 'pcm_s16le',
    format_turns: 'true',
    speech_model: options.model,
    keyterms_prompt:
      request.vocabulary.length === 0 ? undefined : JSON.stringify(request.vocabulary.slice(0, mostKeyterms)),
  };
  for (const [name, value] of Object.entries(settings))
    if (value !== undefined && !url.searchParams.has(name)) url.searchParams.set(name, value);
  return url.href;
}

function speakAssemblyAi(wire: Wire): Protocol {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const flush = (): void => {
    if (heldBytes === 0) return;
    // the last piece is made as long as the service wants it
    const all = Buffer.concat(held, Math.max(heldBytes, leastBytes));
    held = [];
    heldBytes = 0;
    for (let from = 0; from < all.length; ) {
      // what is left after a whole message must not be too short for one
      const left = all.length - from;
      const to = from + (left > mostBytes && left < mostBytes + leastBytes ? mostBytes - leastBytes : mostBytes);
      wire.binary(all.subarray(from, to));
      from = to;
    }
  };
  return {
    opened: () => undefined,
    sound(pcm) {
      held.push(pcm);
      heldBytes += pcm.byteLength;
      if (heldBytes >= leastBytes) flush();
    },
    message(text) {
      const message = readAnswer(MessageSchema, text);
      if (message === null) return false;
      if (message.type === 'Begin') wire.ready();
      if (message.type === 'Termination') wire.end(end('finished', 'has told everything'));
      if (message.type !== 'Turn' || message.words.length === 0) return true;
      const { words } = message;
      const sum = words.reduce((total, word) => total + (word.confidence ?? 0), 0);
      wire.heard({
        utterance: String(message.turn_order),
        // words of a turn that is not over stand in the words only
        text: message.end_of_turn ? message.transcript : words.map((word) => word.text).join(' '),
        startMs: words[0]?.start ?? 0,
        endMs: words.at(-1)?.end ?? 0,
        ...sure(words.every((word) => word.confidence !== undefined) ? sum / words.length : undefined),
        final: message.end_of_turn && message.turn_is_formatted,
      });
      return true;
    },
    finish() {
      flush();
      wire.text({ type: 'Terminate' });
    },
    closed: endOfAssemblyAi,
    get waitingBytes() {
      return heldBytes;
    },
  };
}

function endOfAssemblyAi(code: number, reason: string): SpeechEnd | undefined {
  switch (code) {
    case 4001:
      return end('refused', 'does not take the key (4001)');
    case 4002:
    case 4003:
      return end('refused', `wants to be paid first (${code})`);
    case 4029:
      return end('limited', 'has too much to do for us (4029)');
    case 3009:
      return end('limited', 'has too many sessions of ours (3009)');
    case 1008:
      return /concurren|too many/i.test(reason)
        ? end('limited', 'has too many sessions of ours (1008)')
        : end('refused', 'does not take the key or the request (1008)');
    case 3008:
      return end('expired', 'lets no session live longer (3008)');
    case 3005:
    case 3006:
    case 3007:
      return end('away', `broke the session off (${code})`);
    default:
      return code === 1000 ? undefined : endOfClose(code);
  }
}
