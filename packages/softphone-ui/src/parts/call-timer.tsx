/** How long a call has lasted, in steady digits. Moves only while on screen and while the page is visible. */
import { useEffect } from 'preact/hooks';
import { texts } from '../texts.ts';
import type { Ticker } from '../ticker.ts';

/** A span in the form people read on a phone: 0:07, 12:40, 1:02:03. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

export function CallTimer({ ticker, since }: { readonly ticker: Ticker; readonly since: number }) {
  useEffect(() => ticker.watch(), [ticker]);
  // A timer is not a live region: it would be read every second.
  return (
    <span class="timer digits" role="timer" aria-live="off" aria-label={texts.callTime}>
      {formatDuration(ticker.now.value - since)}
    </span>
  );
}
