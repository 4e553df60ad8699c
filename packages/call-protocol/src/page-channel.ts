/**
 * What the phone and other components of the same CRM page say to each other over the page's message channel: state and transcript lines out,
 * wishes in. Plain JSON, so that a Lightning component reads it without a library. Owns the shape only. What comes in is a wish of unknown
 * origin: the profile's `pageCommands` decides about it.
 */
import * as v from 'valibot';
import type { PhraseSpottedSchema } from './after-call.ts';
import type { DirectionSchema } from './call.ts';

/** One call as the page may know it. */
export interface PageCall {
  readonly id: string;
  readonly direction: v.InferOutput<typeof DirectionSchema>;
  /** `dialing` `ringing` `incoming` `answering` `active` `ending` `ended` (wrap-up is open). */
  readonly phase: string;
  readonly number: string;
  readonly name: string;
  /** The record the call is with; empty when none is known. */
  readonly recordId: string;
  readonly object: string;
  /** Epoch ms; 0 where it has not happened. */
  readonly startedAt: number;
  readonly answeredAt: number;
  readonly endedAt: number;
  readonly held: boolean;
  readonly muted: boolean;
  /** Records that match and among which nobody has chosen. */
  readonly matches: number;
}

/** From the phone to the page. Every message stands for itself: who comes late says `sync` and hears the state. */
export type PageNews =
  | {
      readonly type: 'state';
      readonly phone: 'offline' | 'ready' | 'ringing' | 'in-call' | 'wrap-up';
      readonly available: boolean;
      readonly agent: string;
      readonly calls: readonly PageCall[];
      /** What a component may have the phone do (`pageCommands`): buttons for anything else would do nothing. `dial` also where it only asks. */
      readonly allowed: readonly ('dial' | 'answer' | 'control')[];
      /** Epoch ms. */
      readonly at: number;
    }
  | ({ readonly type: 'transcript'; readonly call: string } & TranscriptLine)
  /** A phrase that a rule of the customer's looks for was heard. */
  | ({ readonly type: 'phrase'; readonly call: string } & v.InferOutput<typeof PhraseSpottedSchema>)
  /** What became of a command. */
  | { readonly type: 'result'; readonly id: string; readonly ok: boolean; readonly reason: string }
  /** A log reached the CRM. */
  | { readonly type: 'logged'; readonly call: string; readonly logId: string };

export const TranscriptLineSchema = v.object({
  /** Counts within the call and speaker; a later line with the same number replaces the earlier one. */
  line: v.pipe(v.number(), v.integer(), v.minValue(0)),
  speaker: v.picklist(['agent', 'far-side']),
  /** Empty: nothing was said, or what was is taken back. */
  text: v.pipe(v.string(), v.maxLength(4_000)),
  /** From the answer, ms. */
  startMs: v.pipe(v.number(), v.minValue(0)),
  endMs: v.pipe(v.number(), v.minValue(0)),
  /** 0 to 1, where the service says so. */
  confidence: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  /** False: the words may still change. */
  final: v.boolean(),
  /**
   * Not words but their absence, of both speakers, from `startMs` to `endMs`; `text` is empty. `lost`: sound did not arrive. `paused`: nobody was to hear
   * it.
   */
  gap: v.optional(v.picklist(['lost', 'paused'])),
});
/** One line of a live transcript. */
export type TranscriptLine = v.InferOutput<typeof TranscriptLineSchema>;

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const call = v.pipe(v.string(), v.uuid());

/** From the page to the phone. `id` is the sender's own and comes back in the `result`. */
export const PageCommandSchema = v.variant('command', [
  /** Tell the state again; any number of these within a moment is answered by one. */
  v.object({ command: v.literal('sync'), id }),
  v.object({
    command: v.literal('dial'),
    id,
    number: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
    recordId: v.optional(v.pipe(v.string(), v.maxLength(18))),
    object: v.optional(v.pipe(v.string(), v.maxLength(80))),
    name: v.optional(v.pipe(v.string(), v.maxLength(255))),
  }),
  v.object({ command: v.literal('answer'), id, call }),
  v.object({ command: v.picklist(['hold', 'resume', 'mute', 'unmute', 'hang-up']), id, call }),
]);
/** A wish of a component of the page. */
export type PageCommand = v.InferOutput<typeof PageCommandSchema>;

/** A wish as it should be, or null for anything else that came over the channel. */
export function readPageCommand(message: unknown): PageCommand | null {
  const read = v.safeParse(PageCommandSchema, message);
  return read.success ? read.output : null;
}
