/**
 * The second hand of call timers. Owns one timer for the whole panel, which runs only while somebody looks: a timer is on screen and the
 * page is visible. Must never decide anything: deadlines belong to those who have them.
 */
import { type ReadonlySignal, signal } from '@preact/signals';

export interface Ticker {
  /** Epoch ms, a new value every second while watched. */
  readonly now: ReadonlySignal<number>;
  /** Keeps the hand moving until the returned function is called. */
  watch(): () => void;
}

/** Starts nothing until somebody watches. */
export function createTicker(
  page: Pick<Document, 'visibilityState' | 'addEventListener'>,
  clock: () => number = Date.now,
): Ticker {
  const now = signal(clock());
  let watchers = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;

  function tick(): void {
    timer = null;
    now.value = clock();
    if (watchers > 0 && page.visibilityState === 'visible') timer = setTimeout(tick, 1_000 - (now.value % 1_000));
  }

  page.addEventListener('visibilitychange', () => {
    if (timer === null) tick();
  });

  return {
    now,
    watch() {
      watchers += 1;
      if (timer === null) tick();
      return () => {
        watchers -= 1;
        if (watchers === 0 && timer !== null) {
          clearTimeout(timer);
          timer = null;
        }
      };
    },
  };
}
