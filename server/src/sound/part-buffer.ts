/**
 * A stretch of a call that is being gathered to be written: two channels of 16-bit PCM at 16 kHz, the agent first. Owns where each sample stands: a
 * side that says nothing, and time between two stretches, are silence. Must never grow past what it was made for.
 */
import { soundRate } from '@patchcord/call-protocol';

const samplesPerMs = soundRate / 1_000;
/** Of one moment of both channels. */
export const frameBytes = 4;
/** Of one millisecond of both channels. */
export const recordedBytesPerMs = samplesPerMs * frameBytes;

/** Sound of both sides that stands somewhere in a call. */
export interface GatheredPart {
  readonly startMs: number;
  /** Bytes of both channels, in turn. */
  readonly pcm: Buffer;
}

export function endOf({ startMs, pcm }: GatheredPart): number {
  return startMs + pcm.byteLength / recordedBytesPerMs;
}

/** What of a part was said before `atMs`; null: nothing. */
export function partBefore(part: GatheredPart, atMs: number): GatheredPart | null {
  if (endOf(part) <= atMs) return part;
  const samples = Math.floor((atMs - part.startMs) * samplesPerMs);
  return samples <= 0 ? null : { startMs: part.startMs, pcm: part.pcm.subarray(0, samples * frameBytes) };
}

export class PartBuffer {
  readonly #mostSamples: number;
  #pcm: Buffer;
  #startMs: number | null = null;
  #samples = 0;

  /** @param mostMs How long a part is */
  constructor(mostMs: number) {
    this.#mostSamples = mostMs * samplesPerMs;
    this.#pcm = Buffer.alloc(0);
  }

  /** Where it begins; null while nothing is in it. */
  get startMs(): number | null {
    return this.#startMs;
  }

  get isFull(): boolean {
    return this.#samples >= this.#mostSamples;
  }

  /** Whether sound that begins there can follow what is here. */
  fits(startMs: number): boolean {
    return this.#startMs === null || Math.round((startMs - this.#startMs) * samplesPerMs) < this.#mostSamples;
  }

  /**
   * Adds a stretch behind what is here, as much of it as there is room for.
   * @param startMs Not before the end of what is here
   * @returns how many of its samples were taken
   */
  add(startMs: number, samples: number, agent: Uint8Array | null, farSide: Uint8Array | null): number {
    if (this.#startMs === null) {
      this.#startMs = startMs;
      this.#samples = 0;
      this.#pcm = Buffer.alloc(this.#mostSamples * frameBytes);
    }
    const at = Math.max(this.#samples, Math.round((startMs - this.#startMs) * samplesPerMs));
    const count = Math.max(0, Math.min(samples, this.#mostSamples - at));
    put(this.#pcm, at * frameBytes, agent, count);
    put(this.#pcm, at * frameBytes + 2, farSide, count);
    if (count > 0) this.#samples = at + count;
    return count;
  }

  /** Forgets what was said from `atMs` on. */
  cut(atMs: number): void {
    if (this.#startMs === null) return;
    const kept = partBefore({ startMs: this.#startMs, pcm: this.#pcm.subarray(0, this.#samples * frameBytes) }, atMs);
    const samples = kept === null ? 0 : kept.pcm.byteLength / frameBytes;
    this.#pcm.fill(0, samples * frameBytes);
    this.#samples = samples;
    if (samples === 0) this.#startMs = null;
  }

  /** What is here, which is the caller's from now on; null: nothing. */
  take(): GatheredPart | null {
    const startMs = this.#startMs;
    this.#startMs = null;
    if (startMs === null || this.#samples === 0) return null;
    const pcm = this.#pcm.subarray(0, this.#samples * frameBytes);
    this.#samples = 0;
    this.#pcm = Buffer.alloc(0);
    return { startMs, pcm };
  }
}

/** Every second sample of two channels; byte by byte, since a frame's sound begins anywhere in its message. */
function put(into: Buffer, from: number, pcm: Uint8Array | null, samples: number): void {
  if (pcm === null) return;
  for (let read = 0, write = from; read < samples * 2; read += 2, write += frameBytes) {
    into[write] = pcm[read] as number;
    into[write + 1] = pcm[read + 1] as number;
  }
}
