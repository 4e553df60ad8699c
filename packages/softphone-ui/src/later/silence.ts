/** Where a recording is silent, from its peaks. Pure. */

/** Below this nobody speaks: 1 % of the loudest there can be, -40 dB. */
const quiet = 26;
/** A pause for breath is part of what is said, ms. */
const shortestMs = 2_000;
/** What is left on both sides of a silence that is skipped, ms. */
const marginMs = 300;

export interface Silence {
  readonly fromMs: number;
  readonly toMs: number;
}

/** @param peaks Of the channels that are heard */
export function silencesOf(peaks: readonly (readonly number[])[], durationMs: number): readonly Silence[] {
  const columns = peaks[0]?.length ?? 0;
  const silences: Silence[] = [];
  let from: number | null = null;
  for (let column = 0; column <= columns; column += 1) {
    const isQuiet = column < columns && peaks.every((channel) => (channel[column] ?? 0) < quiet);
    if (isQuiet) from ??= column;
    if (isQuiet || from === null) continue;
    const fromMs = (from / columns) * durationMs;
    const toMs = (column / columns) * durationMs;
    if (toMs - fromMs >= shortestMs) silences.push({ fromMs: fromMs + marginMs, toMs: toMs - marginMs });
    from = null;
  }
  return silences;
}

/** Where to go on instead of `atMs`; null where somebody speaks. */
export function pastSilence(silences: readonly Silence[], atMs: number): number | null {
  return silences.find(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs)?.toMs ?? null;
}
