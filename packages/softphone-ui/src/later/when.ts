/** When something was, for a person. Pure. */
import { words } from './words.ts';

/** Today by the clock, yesterday by its name, older by the date; in the browser's own language. */
export function formatWhen(at: number, now: number): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return time;
  if (days === 1) return `${words.yesterday} ${time}`;
  return then.toLocaleDateString([], { day: 'numeric', month: 'short' });
}
