/**
 * Hears of revocations made on other relays by looking into the store: the way that works without Redis, and behind it. Owns the interval;
 * what ends is the hub's business.
 */
import type { Log } from '../logging.ts';
import type { RevocationStore } from '../store/contract.ts';
import type { Backplane } from './backplane.ts';
import type { LiveHub } from './hub.ts';

/** With one look under way and one to come, half a second is kept. */
const aloneMs = 250;
const joinedMs = 1_000;
/** Clocks of relays may differ this much. */
const overlapMs = 60_000;

/** Starts looking; the result stops it. `tick` is called on each look, so that others who follow the store need no timer of their own. */
export function watchRevocations(parts: {
  readonly revocations: RevocationStore;
  readonly hub: LiveHub;
  readonly backplane: Backplane;
  readonly log: Log;
  readonly now: () => number;
  readonly tick: () => void;
}): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let said = false;

  const look = async (): Promise<void> => {
    const from = parts.now() - overlapMs;
    try {
      for (const revocation of await parts.revocations.since(from)) if (!stopped) parts.hub.endHere(revocation);
      parts.hub.forgetEndedBefore(from - overlapMs);
      said = false;
    } catch (error) {
      if (!said && !stopped) parts.log.warn({ err: error }, 'revocations of other relays could not be read');
      said = true;
    }
  };
  const next = (): void => {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(
      () => {
        parts.tick();
        void look().then(next);
      },
      parts.backplane.status() === 'joined' ? joinedMs : aloneMs,
    );
    timer.unref();
  };
  parts.backplane.onStatus(() => {
    if (stopped) return;
    parts.tick();
    void look().then(next);
  });
  void look().then(next);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
