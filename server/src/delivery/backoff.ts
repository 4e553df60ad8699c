/** How long to wait before the next attempt. Pure. */

/**
 * Doubles from `firstMs` up to `longestMs`, half of it random, so that relays which failed together do not come back together. What the other
 * side asked for (`Retry-After`) is the least.
 * @param attempts How many attempts have failed, 1 at least
 * @param random In [0, 1)
 */
export function retryDelayMs(
  attempts: number,
  limits: { readonly firstMs: number; readonly longestMs: number },
  askedMs: number | undefined,
  random: number,
): number {
  const whole = Math.min(limits.longestMs, limits.firstMs * 2 ** Math.min(attempts - 1, 30));
  const jittered = whole / 2 + (whole / 2) * random;
  return Math.round(Math.max(jittered, askedMs === undefined ? 0 : askedMs + jittered / 10));
}
