/** Which stretches of a call are to be recorded. Owns that arithmetic, nothing else. Times are ms from the answer. */

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Older ones than these are written, or too late. */
const mostSpans = 100;

export class RecordedSpans {
  #spans: Span[] = [];

  /** Whether it goes on: sound of any later moment is to be recorded. */
  get isOpen(): boolean {
    return this.#spans.some(({ toMs }) => toMs === Number.POSITIVE_INFINITY);
  }

  /** From here on it is recorded, until somebody says otherwise. */
  begin(fromMs: number): void {
    const before = this.#spans.filter(({ toMs }) => toMs < fromMs);
    const meets = this.#spans.filter(({ toMs }) => toMs >= fromMs);
    const first = Math.min(fromMs, ...meets.map((span) => span.fromMs));
    // What begins later, and is told again with an earlier beginning, is one.
    this.#spans = [...before, { fromMs: first, toMs: Number.POSITIVE_INFINITY }].slice(-mostSpans);
  }

  /** From here on it is not. */
  end(atMs: number): void {
    this.#spans = this.#spans
      .map(({ fromMs, toMs }) => ({ fromMs, toMs: Math.min(toMs, atMs) }))
      .filter(({ fromMs, toMs }) => fromMs < toMs);
  }

  /** What of a stretch is to be recorded, in order. */
  within(startMs: number, endMs: number): readonly Span[] {
    return this.#spans
      .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, startMs), toMs: Math.min(toMs, endMs) }))
      .filter(({ fromMs, toMs }) => fromMs < toMs);
  }
}
