/** Owns how long the line waits before it tries again. Pure; must never decide to give up. */

const firstWaitMs = 500;
const longestWaitMs = 30_000;

/**
 * How long to wait before attempt number `attempt` (0 is the first one after a loss), in ms.
 * The first comes at once, then 0.5, 1, 2, 4 … 30 s, each spread by ±25 % so that a restarted server does not meet everybody in one instant.
 * @param random a number from 0 up to but not including 1.
 */
export function backOffMs(attempt: number, random: number): number {
  if (attempt <= 0) return 0;
  const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(attempt - 1, 16));
  return Math.min(longestWaitMs, Math.round(wait * (0.75 + random / 2)));
}

/** When to refresh a registration that the server granted for `grantedSeconds`, in ms: after 70 to 80 % of it, never sooner than a second. */
export function refreshAfterMs(grantedSeconds: number, random: number): number {
  return Math.max(1_000, Math.round(grantedSeconds * 1_000 * (0.7 + random / 10)));
}
