/**
 * Owns what the browser tells about the network and about sleep, as far as a connection may have died of it. Must never decide what to do about it.
 */
import type { ClockPort } from '../ports.ts';
import { sleptMs } from './keep-alive.ts';

export interface WakeWatchOptions {
  readonly clock: ClockPort;
  /** Something changed: what is connected may no longer be. */
  readonly onDoubt: () => void;
  /** A network is there again, often with another address than before; or the machine slept, or the page was frozen or put aside. */
  readonly onReturn: () => void;
}

const tickMs = 1_000;

/** Watches until the function that it returns is called. */
export function watchForWake({ clock, onDoubt, onReturn }: WakeWatchOptions): () => void {
  let timer: unknown;
  const tick = (): void => {
    const due = clock.now() + tickMs;
    timer = clock.setTimeout(() => {
      const late = clock.now() - due;
      tick();
      if (late > sleptMs) onReturn();
    }, tickMs);
  };
  tick();

  const page = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener' | 'document'>>;
  const connection = (globalThis.navigator as { connection?: Partial<EventTarget> } | undefined)?.connection;
  const onVisible = (): void => {
    if (page.document?.visibilityState === 'visible') onDoubt();
  };
  /** Every page is shown once when it is loaded; only one that comes back from the cache has missed something. */
  const onShown = (event: Event): void => {
    if ((event as Partial<PageTransitionEvent>).persisted === true) onReturn();
  };
  const heard: readonly (readonly [
    target: Partial<EventTarget> | undefined,
    event: string,
    act: (event: Event) => void,
  ])[] = [
    [page, 'online', onReturn],
    [page, 'offline', onDoubt],
    [page, 'pageshow', onShown],
    [page.document, 'resume', onReturn],
    [page.document, 'visibilitychange', onVisible],
    [connection, 'change', onDoubt],
  ];
  for (const [target, event, act] of heard) target?.addEventListener?.(event, act);
  return () => {
    clock.clearTimeout(timer);
    for (const [target, event, act] of heard) target?.removeEventListener?.(event, act);
  };
}
