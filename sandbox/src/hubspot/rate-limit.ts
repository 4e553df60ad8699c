/**
 * Owns the portal's counting of requests: a rolling ten-second limit for everything and a one-second limit for searches (the
 * HubSpot contract, section 2.5); a test may compress these spans. Must never delay a request: it only says no.
 */

export interface RateLimits {
  readonly perTenSeconds: number;
  readonly searchesPerSecond: number;
  /** Single-account apps only; an OAuth app has none and is told of none. */
  readonly perDay?: number;
  /** How much faster time passes for these limits: 20 makes the ten seconds half a second. Default 1. */
  readonly speed?: number;
}

/** What an OAuth app is granted. */
export const oauthLimits: RateLimits = { perTenSeconds: 110, searchesPerSecond: 5 };

export interface RateCounter {
  /** Counts one request; names the policy it broke, or nothing. */
  count(isSearch: boolean): 'TEN_SECONDLY_ROLLING' | 'SECONDLY' | 'DAILY' | undefined;
  headers(): Readonly<Record<string, string>>;
}

export function createRateCounter(limits: RateLimits, now: () => number = Date.now): RateCounter {
  let requests: number[] = [];
  let searches: number[] = [];
  let today = 0;
  const speed = limits.speed ?? 1;
  const recent = (times: readonly number[], spanMs: number): number[] =>
    times.filter((at) => at > now() - spanMs / speed);
  return {
    count(isSearch) {
      requests = recent(requests, 10_000);
      searches = recent(searches, 1000);
      if (limits.perDay !== undefined && today >= limits.perDay) return 'DAILY';
      if (isSearch && searches.length >= limits.searchesPerSecond) return 'SECONDLY';
      if (requests.length >= limits.perTenSeconds) return 'TEN_SECONDLY_ROLLING';
      requests.push(now());
      today += 1;
      if (isSearch) searches.push(now());
      return undefined;
    },
    headers: () => ({
      'X-HubSpot-RateLimit-Max': `${limits.perTenSeconds}`,
      'X-HubSpot-RateLimit-Remaining': `${Math.max(0, limits.perTenSeconds - recent(requests, 10_000).length)}`,
      'X-HubSpot-RateLimit-Interval-Milliseconds': `${Math.round(10_000 / speed)}`,
      ...(limits.perDay === undefined
        ? {}
        : {
            'X-HubSpot-RateLimit-Daily': `${limits.perDay}`,
            'X-HubSpot-RateLimit-Daily-Remaining': `${Math.max(0, limits.perDay - today)}`,
          }),
    }),
  };
}
