/**
 * The sound of one side that may be needed again: what was sent and is not settled, and what was not sent yet. Owns that it never grows past a bound:
 * the oldest goes first. Times are ms of the call. Must never copy sound.
 */
import { bytesPerMs } from './adapters/socket-session.ts';

export interface Stretch {
  readonly pcm: Uint8Array;
  readonly atMs: number;
}

export interface KeptSound {
  /** Comes in order; what overlaps with what is there already is left out. Must not be changed by the caller later. */
  push(pcm: Uint8Array, atMs: number): void;
  /** The next stretch that was not taken, without taking it. */
  peek(): Stretch | undefined;
  take(): void;
  /** Everything is to be taken again. */
  rewind(): void;
  /** Sound before this is needed no more. */
  settle(toMs: number): void;
  /** Sound from this on is gone. */
  forget(fromMs: number): void;
  /** Sound before this is needed no more, or there is none. Never goes back. */
  readonly settledMs: number;
  /** The end of what was taken. */
  readonly takenMs: number;
}

/** @param mostMs How much is kept, ms of sound */
export function createKeptSound(mostMs: number): KeptSound {
  let stretches: Stretch[] = [];
  let bytes = 0;
  let taken = 0;
  let heardMs = 0;
  let takenMs = 0;
  let settledMs = 0;

  const endOf = ({ pcm, atMs }: Stretch): number => atMs + pcm.byteLength / bytesPerMs;
  const dropFirst = (): void => {
    bytes -= stretches.shift()?.pcm.byteLength ?? 0;
    taken = Math.max(0, taken - 1);
  };
  const evenBytes = (ms: number): number => Math.max(0, Math.round(ms * (bytesPerMs / 2)) * 2);

  return {
    push(pcm, atMs) {
      const from = evenBytes(heardMs - atMs);
      const even = pcm.byteLength - (pcm.byteLength % 2);
      if (from >= even) return;
      const stretch = { pcm: pcm.subarray(from, even), atMs: atMs + from / bytesPerMs };
      stretches.push(stretch);
      bytes += stretch.pcm.byteLength;
      heardMs = endOf(stretch);
      while (bytes > mostMs * bytesPerMs && stretches.length > 1) dropFirst();
    },
    peek: () => stretches[taken],
    take() {
      const stretch = stretches[taken];
      if (stretch === undefined) return;
      takenMs = Math.max(takenMs, endOf(stretch));
      taken++;
    },
    rewind() {
      taken = 0;
      takenMs = 0;
    },
    settle(toMs) {
      for (let first = stretches[0]; first !== undefined && endOf(first) <= toMs; first = stretches[0]) dropFirst();
      const [first] = stretches;
      const part = first === undefined ? 0 : evenBytes(toMs - first.atMs);
      if (first === undefined || part === 0) return;
      stretches[0] = { pcm: first.pcm.subarray(part), atMs: first.atMs + part / bytesPerMs };
      bytes -= part;
      if (part === first.pcm.byteLength) dropFirst();
    },
    forget(fromMs) {
      stretches = stretches.flatMap(({ pcm, atMs }) => {
        const part = pcm.subarray(0, evenBytes(fromMs - atMs));
        return part.byteLength === 0 ? [] : [{ pcm: part, atMs }];
      });
      bytes = stretches.reduce((total, { pcm }) => total + pcm.byteLength, 0);
      taken = Math.min(taken, stretches.length);
    },
    get settledMs() {
      settledMs = Math.max(settledMs, Math.floor(stretches[0]?.atMs ?? heardMs));
      return settledMs;
    },
    get takenMs() {
      return takenMs;
    },
  };
}
