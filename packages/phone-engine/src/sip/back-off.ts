/** Owns how long the line waits: before it tries again, and before it refreshes. Pure; must never decide to give up. */

const shortestWaitMs = 700;
const longestWaitMs = 15_000;
/** The wait is this part of the time that the server has been away. */
const patience = 25;
/** One server in a hurry, a thousand phones: nobody waits longer than this for a Retry-After, whatever it says. */
const longestRetryAfterMs = 600_000;
/** Timers count in 32 bits, and a registration that is refreshed every few hours costs nobody anything. */
const longestRefreshMs = 6 * 3_600_000;

/**
 * How long to wait before the next round over the servers, in ms. The first try after a loss comes at once; then the wait is a twenty-fifth of the
 * time that the servers have been away, 0.7 s at least and 15 s at most, spread by ±15 % so that a restarted server does not meet everybody in
 * one instant. So a server is found again within 4 % of its absence, and within 0.9 s when it was away for up to 20 s.
 *
 * What that costs: a refused connection is one packet each way. 1,000 phones at 0.7 s are 1,430 of them a second while the server is down, and as many
 * TLS handshakes in the second it returns (about one processor second, once); after five minutes they are 80 a second. It must not be shorter:
 * Chromium holds back a page's WebSockets for 1 to 5 s × 2^min(16, failed ÷ (1 + succeeded)) ÷ 65,536 (counted over the last minutes), which is
 * below 0.1 s up to 20 failures after one success and over a second from 28 on.
 * @param attempt rounds that have failed since the loss; 0 is the first one after it
 * @param awayMs since the line was lost
 * @param random a number from 0 up to but not including 1
 */
export function backOffMs(attempt: number, awayMs: number, random: number): number {
  if (attempt <= 0) return 0;
  const wait = Math.min(longestWaitMs, Math.max(shortestWaitMs, awayMs / patience));
  return Math.round(wait * (0.85 + random * 0.3));
}

/** A Retry-After as it is honoured, in ms. */
export function retryAfterMs(seconds: number): number {
  return seconds > 0 ? Math.min(longestRetryAfterMs, seconds * 1_000) : 0;
}

/**
 * When to refresh a registration that the server granted for `grantedSeconds`, in ms: after 70 to 80 % of it, never sooner than a second, and after six
 * hours at the latest. What is left, at least a fifth, is for a server that is slow or a line that has to come back first.
 */
export function refreshAfterMs(grantedSeconds: number, random: number): number {
  return Math.min(longestRefreshMs, Math.max(1_000, Math.round(grantedSeconds * 1_000 * (0.7 + random / 10))));
}
