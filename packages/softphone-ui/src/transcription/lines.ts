/**
 * What has been said in each call, line by line, as the relay tells it. Owns their order, and which line takes the place of which. Kept while the call
 * is there, in memory only.
 */
import type { TranscriptLine, WireEvent } from '@patchcord/call-protocol';
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';

export interface TranscriptLines {
  /** By time. */
  of(call: string): ReadonlySignal<readonly TranscriptLine[]>;
  /** An event of the relay; what is no line is left alone. */
  heard(event: WireEvent): void;
  /** Only these calls are still there. */
  keep(calls: readonly string[]): void;
}

/** A long call has some two thousand lines; the relay may keep all of them, the panel shows the last. */
const mostLines = 1_000;

/** Nothing is known yet. */
export function createTranscriptLines(): TranscriptLines {
  const calls = new Map<string, Signal<readonly TranscriptLine[]>>();

  function linesOf(call: string): Signal<readonly TranscriptLine[]> {
    const there = calls.get(call) ?? signal<readonly TranscriptLine[]>([]);
    calls.set(call, there);
    return there;
  }

  return {
    of: linesOf,
    heard(event) {
      if (event.name !== 'transcript.partial' && event.name !== 'transcript.final') return;
      if (event.call === undefined) return;
      const lines = linesOf(event.call);
      lines.value = withLine(lines.value, event.data);
    },
    keep(there) {
      for (const call of calls.keys()) if (!there.includes(call)) calls.delete(call);
    },
  };
}

/** The lines with one more, or with one in place of its earlier words. */
export function withLine(lines: readonly TranscriptLine[], line: TranscriptLine): readonly TranscriptLine[] {
  const earlier = lines.find((one) => isSame(one, line));
  // Words that are settled are not taken back by those that were on their way.
  if (earlier?.final === true && !line.final) return lines;
  const others = earlier === undefined ? lines : lines.filter((one) => one !== earlier);
  if (line.text === '' && line.gap === undefined) return others;
  const at = others.findLastIndex(({ startMs }) => startMs <= line.startMs) + 1;
  return [...others.slice(0, at), line, ...others.slice(at)].slice(-mostLines);
}

function isSame(one: TranscriptLine, other: TranscriptLine): boolean {
  return one.speaker === other.speaker && one.line === other.line;
}
