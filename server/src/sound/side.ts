/**
 * One side of a call: its channel, the numbers of its lines, and up to where all of it is done. Owns that a line keeps its number, also over a
 * relay that starts anew: words that are heard again take the place of the same words. Must never tell what was to be forgotten.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import type { Channel, ChannelLine } from '../speech/channel-contract.ts';
import type { SpeakerPosition } from '../store/contract.ts';

type Speaker = TranscriptLine['speaker'];

/** What the wire takes. */
const longestText = 4_000;
const bytesPerMs = 32;
/** Shorter gaps are not worth a line. */
export const shortestGapMs = 500;

export interface SideOptions {
  readonly speaker: Speaker;
  readonly from: SpeakerPosition;
  readonly openChannel: (firstLine: number, onLine: (line: ChannelLine) => void) => Channel;
  /** Resolves when a final line stays as it is, wherever it stays. Never rejects. */
  readonly tell: (line: TranscriptLine) => Promise<void>;
}

interface Told {
  readonly number: number;
  startMs: number;
  endMs: number;
}

export class Side {
  readonly speaker: Speaker;
  readonly #channel: Channel;
  readonly #tell: SideOptions['tell'];
  /** Before this all of this side is done: by an earlier relay, or given up and marked. */
  #doneBefore: number;
  /** The channel's lines that may still change, by their numbers there. */
  readonly #open = new Map<number, Told>();
  /** Final lines on their way to where they stay. */
  readonly #going = new Map<number, Told>();
  readonly #work = new Set<Promise<void>>();
  #next: number;
  #heardTo: number | null = null;
  #forgetFrom = Number.POSITIVE_INFINITY;
  /** Up to where this side was heard when its service went away. */
  #unheardFrom: number | null = null;

  constructor(options: SideOptions) {
    this.speaker = options.speaker;
    this.#tell = options.tell;
    this.#next = options.from.line;
    this.#doneBefore = options.from.ms;
    this.#channel = options.openChannel(options.from.line, (line) => this.#heard(line));
  }

  /** Sound of this side, from `startMs` of the call. */
  hear(pcm: Uint8Array, startMs: number): void {
    const endMs = startMs + pcm.byteLength / bytesPerMs;
    if (endMs <= this.#doneBefore) return;
    const done = Math.max(0, this.#doneBefore - startMs);
    const first = Math.round(done) * bytesPerMs;
    if (startMs >= this.#forgetFrom) this.#forgetFrom = Number.POSITIVE_INFINITY;
    this.#heardTo = endMs;
    this.#channel.hear(first === 0 ? pcm : pcm.subarray(first), startMs + Math.round(done));
  }

  /** Tells that something was not heard, as a line of this side. */
  mark(gap: 'lost' | 'paused', startMs: number, endMs: number): void {
    const told: Told = { number: this.#next, startMs, endMs };
    this.#next += 1;
    this.#goes({ line: told.number, speaker: this.speaker, text: '', startMs, endMs, final: true, gap }, told);
  }

  /** What was heard from `atMs` on is not told, and where it was told already, taken back. */
  forget(atMs: number): void {
    this.#forgetFrom = atMs;
    this.#channel.forget(atMs);
  }

  /** Whether the service of this side hears it. What it did not hear in time is marked once it does again, or when the call is over. */
  serviceIs(state: 'there' | 'away' | 'refused'): void {
    if (state === 'there') this.#markUnheard(this.#channel.settledMs);
    else this.#unheardFrom ??= this.#channel.settledMs;
  }

  /** @param heardToMs Up to where the call was heard, this side or the other */
  position(heardToMs: number): SpeakerPosition {
    const quiet = this.#heardTo === null || this.#channel.settledMs + 1 >= this.#heardTo;
    let ms = Math.max(this.#doneBefore, quiet ? heardToMs : this.#channel.settledMs);
    // What a service that is away missed is not done before it is marked: a relay that goes on with the call marks it.
    if (this.#unheardFrom !== null) ms = Math.min(ms, Math.max(this.#doneBefore, this.#unheardFrom));
    let line = this.#next;
    for (const told of this.#going.values()) {
      ms = Math.min(ms, told.startMs);
      line = Math.min(line, told.number);
    }
    for (const [key, told] of this.#open) {
      // Nothing comes of a line whose sound is done: the service thought better of it.
      if (told.endMs <= ms && told.startMs < ms) this.#open.delete(key);
      else line = Math.min(line, told.number);
    }
    return { line, ms: Math.max(0, ms) };
  }

  /** Waits for the last words. @param isLast Nobody goes on with this call: what a service did not hear is marked */
  async finish(withinMs: number, isLast: boolean): Promise<void> {
    await this.#channel.finish(withinMs);
    if (!isLast || this.#heardTo === null || this.#unheardFrom === null) return;
    this.#markUnheard(this.#heardTo);
    this.#doneBefore = Math.max(this.#doneBefore, this.#heardTo);
  }

  /** Resolves when every final line is where it stays. */
  async settled(): Promise<void> {
    await Promise.all(this.#work);
  }

  drop(): void {
    this.#channel.drop();
  }

  #markUnheard(toMs: number): void {
    const from = this.#unheardFrom;
    this.#unheardFrom = null;
    if (from !== null && toMs - from >= shortestGapMs) this.mark('lost', from, toMs);
  }

  #heard(line: ChannelLine): void {
    if (line.startMs >= this.#forgetFrom && line.text !== '') return;
    let told = this.#open.get(line.line);
    if (told === undefined) {
      // Nobody needs to be told of nothing.
      if (line.text.trim() === '') return;
      told = { number: this.#next, startMs: line.startMs, endMs: line.endMs };
      this.#next += 1;
      this.#open.set(line.line, told);
    }
    told.startMs = Math.max(0, line.startMs);
    told.endMs = Math.max(told.startMs, line.endMs);
    const out: TranscriptLine = {
      line: told.number,
      speaker: this.speaker,
      text: line.text.slice(0, longestText),
      startMs: told.startMs,
      endMs: told.endMs,
      final: line.final,
      ...(line.confidence === undefined ? {} : { confidence: Math.min(1, Math.max(0, line.confidence)) }),
    };
    if (!line.final) {
      void this.#tell(out);
      return;
    }
    this.#open.delete(line.line);
    this.#goes(out, told);
  }

  #goes(line: TranscriptLine, told: Told): void {
    this.#going.set(told.number, told);
    const work = this.#tell(line).finally(() => {
      this.#going.delete(told.number);
      this.#work.delete(work);
    });
    this.#work.add(work);
  }
}
