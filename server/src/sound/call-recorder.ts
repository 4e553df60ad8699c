/**
 * The recording of one call while it lasts: what of its sound is to be kept is gathered into parts of five seconds and written, each once, in order.
 * Owns which sound is on disk, so that a page may forget it. Never waits, and never holds more than some parts in memory: where the disk does not
 * take them the page keeps the sound, and is asked for it again. What a pause forbids goes, also from parts that are written.
 *
 *    frames ──► gathered ──► waiting (some parts) ──► on disk
 *                               │ full: sound goes by, and is asked for again once the disk takes parts
 */
import { endOf, frameBytes, type GatheredPart, PartBuffer, partBefore, recordedBytesPerMs } from './part-buffer.ts';
import { RecordedSpans } from './recorded-spans.ts';

export type RecorderState = 'there' | 'away';

export interface CallRecorderOptions {
  /** Up to where an earlier relay has written the recording, ms of the call; 0: nothing. */
  readonly storedMs: number;
  /** Resolves when it is on disk; false: another relay has the call by now. Rejects when it can't be written. */
  readonly keep: (part: GatheredPart) => Promise<boolean>;
  /** Takes what was said from `atMs` on out of the parts that are on disk. Resolves and rejects as `keep`. */
  readonly cut: (atMs: number) => Promise<boolean>;
  /** A change only. */
  readonly onState: (state: RecorderState) => void;
  /** Sound that went by can be written now: it must be sent again. */
  readonly onMissing: () => void;
  /** Counts what becomes of parts. */
  readonly count: (result: 'stored' | 'failed' | 'cut') => void;
  readonly now: () => number;
}

/** A frame, or what of it may be heard. */
interface Heard {
  readonly startMs: number;
  readonly samples: number;
  readonly agent: Uint8Array | null;
  readonly farSide: Uint8Array | null;
}

type Work = { readonly kind: 'keep'; part: GatheredPart } | { readonly kind: 'cut'; readonly atMs: number };

const partMs = 5_000;
/** Parts that may wait for a disk that takes them, 320 kB each: a page sends at once what it kept. */
const mostWaiting = 30;
/** For one that does not: the page keeps more. */
const mostStuck = 4;
/** Something that is not done by then is stuck. */
const stuckMs = 5_000;
/** After a failure. */
const retryMs = 2_000;
const lookAgainMs = 250;
/** A WAV file holds no more than 4 GB: the rest of a longer call is not recorded. */
const longestMs = 17 * 3_600_000;
const samplesPerMs = recordedBytesPerMs / frameBytes;

export class CallRecorder {
  readonly #options: CallRecorderOptions;
  readonly #spans = new RecordedSpans();
  readonly #gathered = new PartBuffer(partMs);
  #gatheredAt = 0;
  /** What is to be done on disk, in order. */
  #waiting: Work[] = [];
  #working: Promise<void> | null = null;
  /** What of it is being done: it can't be changed any more. */
  #busy: Work | null = null;
  #busyAt = 0;
  #retryAt = 0;
  #state: RecorderState = 'there';
  /** Sound before this was written, gathered, or is not to be recorded. */
  #heardTo: number;
  /** Up to where parts are on disk, or are being written. */
  #storedTo: number;
  /** Sound goes by that is to be recorded: nothing behind it is taken before it was sent again. */
  #isMissing = false;
  #isLost = false;

  constructor(options: CallRecorderOptions) {
    this.#options = options;
    this.#heardTo = options.storedMs;
    this.#storedTo = options.storedMs;
  }

  get state(): RecorderState {
    return this.#state;
  }

  /**
   * A page is there with this call's sound, perhaps another one, and says again what is to be recorded.
   * @param heardToMs Up to where the call was heard
   * @returns from where its sound is needed, ms of the call; null: from there
   */
  attach(heardToMs: number): number | null {
    this.#spans.end(Math.max(heardToMs, this.#heardTo));
    const missing = this.#isMissing ? this.#heardTo : null;
    this.#isMissing = false;
    return missing;
  }

  /** Sound from `fromMs` of the call on is to be kept. */
  record(fromMs: number): void {
    this.#spans.begin(fromMs);
  }

  /** From here on it is not; what was stays. */
  end(atMs: number): void {
    this.#spans.end(atMs);
    if (!this.#spans.isOpen) this.#gather();
  }

  /** Nothing that was said from `atMs` on is kept, wherever it is by now. Sound that is heard later is recorded again. */
  forget(atMs: number): void {
    this.#gathered.cut(atMs);
    this.#waiting = this.#waiting.flatMap((work) => {
      if (work === this.#busy || work.kind === 'cut') return [work];
      const part = partBefore(work.part, atMs);
      return part === null ? [] : [{ kind: 'keep', part }];
    });
    if (this.#storedTo > atMs) {
      this.#waiting.push({ kind: 'cut', atMs });
      this.#storedTo = atMs;
    }
    this.#gather();
  }

  /** Takes what of a frame may be heard, which is what was said before `toMs`. What was had already is left out. */
  hear(frame: Heard, toMs: number): void {
    const endMs = Math.min(frame.startMs + frame.samples / samplesPerMs, toMs);
    if (this.#isMissing || this.#isLost || endMs <= this.#heardTo) return;
    for (const { fromMs, toMs: to } of this.#spans.within(Math.max(frame.startMs, this.#heardTo), endMs)) {
      const first = Math.round((fromMs - frame.startMs) * samplesPerMs);
      const last = Math.min(frame.samples, Math.round((to - frame.startMs) * samplesPerMs));
      if (to <= longestMs && !this.#take(frame, first, last)) return;
    }
    this.#heardTo = endMs;
  }

  /** Up to where a page may forget its sound, as far as the recording goes. @param heardToMs Up to where the call was heard */
  settledMs(heardToMs: number): number {
    const first = this.#waiting.find((work) => work.kind === 'keep');
    const unsaved = first?.kind === 'keep' ? first.part.startMs : this.#gathered.startMs;
    if (unsaved !== null) return Math.min(heardToMs, unsaved);
    return this.#isMissing ? Math.min(heardToMs, this.#heardTo) : heardToMs;
  }

  /** Writes what has been gathered for long enough, and tries again what failed. */
  look(): void {
    const { now } = this.#options;
    if (this.#gathered.startMs !== null && now() - this.#gatheredAt >= partMs) this.#gather();
    else this.#go();
  }

  /** Nothing more comes: resolves when everything is on disk, or after `withinMs`. Never rejects. */
  async finish(withinMs: number): Promise<void> {
    this.#gather();
    for (let leftMs = withinMs; ; leftMs -= lookAgainMs) {
      await this.#working;
      if (this.#waiting.length === 0 || leftMs <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(lookAgainMs, leftMs)));
      this.#go();
    }
  }

  /** The connection or the call is gone, without a word: what was heard is written if the disk takes it. */
  drop(): void {
    this.#gather();
  }

  get #isStuck(): boolean {
    return this.#state === 'away' || (this.#busy !== null && this.#options.now() - this.#busyAt > stuckMs);
  }

  /** @returns false where there is no room */
  #take(frame: Heard, first: number, last: number): boolean {
    for (let from = first; from < last; ) {
      const startMs = frame.startMs + from / samplesPerMs;
      if (this.#gathered.isFull || !this.#gathered.fits(startMs)) this.#gather();
      if (this.#gathered.startMs === null) {
        if (this.#waiting.length >= (this.#isStuck ? mostStuck : mostWaiting)) {
          this.#isMissing = true;
          this.#heardTo = startMs;
          return false;
        }
        this.#gatheredAt = this.#options.now();
      }
      const side = (pcm: Uint8Array | null): Uint8Array | null => pcm?.subarray(from * 2, last * 2) ?? null;
      from += this.#gathered.add(startMs, last - from, side(frame.agent), side(frame.farSide));
    }
    if (this.#gathered.isFull) this.#gather();
    return true;
  }

  /** What was gathered is to be written. */
  #gather(): void {
    const part = this.#gathered.take();
    if (part !== null && !this.#isLost) this.#waiting.push({ kind: 'keep', part });
    this.#go();
  }

  #go(): void {
    if (this.#working !== null || this.#waiting.length === 0 || this.#options.now() < this.#retryAt) return;
    this.#working = this.#work().finally(() => {
      this.#working = null;
    });
  }

  async #work(): Promise<void> {
    const { keep, cut, count, now, onMissing } = this.#options;
    for (let work = this.#waiting[0]; work !== undefined; work = this.#waiting[0]) {
      this.#busy = work;
      this.#busyAt = now();
      if (work.kind === 'keep') this.#storedTo = Math.max(this.#storedTo, endOf(work.part));
      try {
        const isOurs = work.kind === 'keep' ? await keep(work.part) : await cut(work.atMs);
        if (!isOurs) {
          // Another relay has the call; what is here is the page's to send there.
          this.#isLost = true;
          this.#waiting = [];
          return;
        }
        count(work.kind === 'keep' ? 'stored' : 'cut');
      } catch {
        count('failed');
        this.#retryAt = now() + retryMs;
        this.#cutFirst();
        this.#is('away');
        return;
      } finally {
        this.#busy = null;
      }
      this.#waiting.shift();
    }
    this.#is('there');
    if (this.#isMissing) onMissing();
  }

  /** What a pause took while a part was on its way, and that part is not on disk: it is not tried again with that in it. */
  #cutFirst(): void {
    const [first, ...others] = this.#waiting;
    if (first?.kind !== 'keep') return;
    const cuts = others.flatMap((work) => (work.kind === 'cut' ? [work.atMs] : []));
    const part = partBefore(first.part, Math.min(...cuts));
    this.#waiting = part === null ? others : [{ kind: 'keep', part }, ...others];
  }

  #is(state: RecorderState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state);
  }
}
