/** When the agent looked at this frame, and whether it can be seen. Owns the page's events; knows no other frame. */

import type { SharedPhoneOptions } from './phone-sharing.ts';
import type { ClockPort } from './ports.ts';

export interface PageLooks {
  /** Epoch ms; null: never. */
  focusedAt(): number | null;
  isVisible(): boolean;
  /** The agent works in the page around this frame: being seen counts, not being clicked into. */
  lookedAt(): void;
  stop(): void;
}

export interface PageLooksOptions {
  readonly page: SharedPhoneOptions['page'];
  readonly clock: Pick<ClockPort, 'now'>;
  /** The agent looked at this frame, or at another one in its place. */
  readonly looked: (at: number, visible: boolean) => void;
  /** This frame is the foremost already, as far as it knows. */
  readonly isForemost: () => boolean;
  /** The page goes. */
  readonly left: () => void;
}

/** Follows the page until `stop`. A frame without a page counts as seen, and as never looked at. */
export function watchPage({ page, clock, looked, isForemost, left }: PageLooksOptions): PageLooks {
  const isVisible = (): boolean => page?.visibilityState !== 'hidden';
  let focusedAt = page !== undefined && isVisible() ? clock.now() : null;

  function lookedAt(): void {
    if (!isVisible()) return;
    focusedAt = clock.now();
    looked(focusedAt, true);
  }

  function onVisible(): void {
    if (isVisible()) lookedAt();
    else if (focusedAt !== null) looked(focusedAt, false);
  }

  /** A page that was in front all the while has no focus to gain when the agent comes back to it from another computer. */
  function onUse(): void {
    if (!isForemost()) lookedAt();
  }

  const view = page?.defaultView;
  const events = [
    [view, 'focus', lookedAt],
    [view, 'pointerdown', onUse],
    [view, 'keydown', onUse],
    [view, 'pagehide', left],
    [page, 'visibilitychange', onVisible],
  ] as const;
  for (const [target, name, listener] of events) target?.addEventListener(name, listener);
  return {
    focusedAt: () => focusedAt,
    isVisible,
    lookedAt,
    stop() {
      for (const [target, name, listener] of events) target?.removeEventListener(name, listener);
    },
  };
}
