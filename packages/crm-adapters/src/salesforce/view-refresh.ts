/**
 * Owns when the page draws its data anew after a log was saved: in bursts once at the end, and never where it would disturb. Must never make up
 * for a refresh that was left out: who comes back to a page sees it drawn by what they do next.
 */

/** At most one refresh in this time, ms: each one draws every component of the page anew. */
const everyMs = 2_000;

export interface ViewRefresh {
  ask(): void;
  stop(): void;
}

/** @param mayNow asked at the moment it would happen */
export function createViewRefresh(mayNow: () => boolean, refresh: () => void): ViewRefresh {
  let doneAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function run(): void {
    timer = undefined;
    if (!mayNow()) return;
    doneAt = Date.now();
    refresh();
  }

  return {
    ask() {
      if (timer !== undefined) return;
      const wait = doneAt + everyMs - Date.now();
      if (wait <= 0) run();
      else timer = setTimeout(run, wait);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
