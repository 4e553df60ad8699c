/** Stretches of a recording that may be heard: everything around them is made silent while the sound goes by. Owns that arithmetic, nothing else. */

/** Ms from the beginning of the sound. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Sound {
  readonly codec: 'pcm16' | 'alaw' | 'ulaw';
  readonly rate: number;
  /** Bytes of one moment of all channels. */
  readonly frame: number;
}

/** How each codec writes silence. */
const silences = { pcm16: 0, alaw: 0xd5, ulaw: 0xff } as const;

/**
 * Whole frames with silence where nobody may hear them; where all may be heard, the very same bytes.
 * @param at Where in the sound they begin, bytes
 * @param kept In order, without overlaps
 */
export function silenced(frames: Buffer, at: number, { codec, rate, frame }: Sound, kept: readonly Stretch[]): Buffer {
  const end = at + frames.length;
  const byteOf = (ms: number): number => (Number.isFinite(ms) ? Math.round((ms / 1_000) * rate) * frame : end);
  let quiet = frames;
  let from = at;
  const silence = (to: number): void => {
    if (to <= from) return;
    if (quiet === frames) quiet = Buffer.from(frames);
    quiet.fill(silences[codec], from - at, to - at);
  };
  for (const { fromMs, toMs } of kept) {
    if (toMs <= fromMs) continue;
    silence(Math.min(end, byteOf(fromMs)));
    from = Math.max(from, Math.min(end, byteOf(toMs)));
  }
  silence(end);
  return quiet;
}
