/**
 * Owns how times are written and chosen: in the language HubSpot names for the reader and in the time zone of the reader's browser. Must never
 * guess a date format by itself.
 */

/** A language tag that this browser knows, or undefined for its own: HubSpot writes `en-us`, and elsewhere `en_US`. */
export function localeOf(locale: string | undefined): string | undefined {
  try {
    return locale === undefined ? undefined : Intl.getCanonicalLocales(locale.replace('_', '-'))[0];
  } catch {
    return undefined;
  }
}

/** Day and time; the year only when it is another one. Epoch ms. */
export function dayAndTime(at: number, locale: string | undefined, now: number): string {
  const otherYear = new Date(at).getFullYear() !== new Date(now).getFullYear();
  return new Date(at).toLocaleString(locale, {
    ...(otherYear ? { year: 'numeric' as const } : {}),
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: 'numeric',
    minute: '2-digit',
  });
}

export function clockTime(at: number, locale: string | undefined): string {
  return new Date(at).toLocaleTimeString(locale, { hour: 'numeric', minute: '2-digit' });
}

/** A span as minutes and seconds: `4:05`, with hours `1:04:05`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const two = (value: number) => `${value}`.padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** What `DateInput` gives; the month starts at 0. */
export interface Day {
  readonly year: number;
  readonly month: number;
  readonly date: number;
}
export interface Clock {
  readonly hours: number;
  readonly minutes: number;
}

/** Epoch ms of a day and a time in the reader's time zone. */
export function momentOf(day: Day, clock: Clock): number {
  return new Date(day.year, day.month, day.date, clock.hours, clock.minutes).getTime();
}

export function dayOf(at: number): Day {
  const day = new Date(at);
  return { year: day.getFullYear(), month: day.getMonth(), date: day.getDate() };
}

/** The times that a call-back is mostly wanted for; `at` by the reader's clock. */
export function usualTimes(
  now: number,
): readonly { readonly value: string; readonly label: string; readonly at: number }[] {
  const at = (days: number, hour: number) => {
    const day = new Date(now);
    return new Date(day.getFullYear(), day.getMonth(), day.getDate() + days, hour).getTime();
  };
  return [
    { value: 'hour', label: 'In an hour', at: now + 3_600_000 },
    { value: 'hours', label: 'In three hours', at: now + 3 * 3_600_000 },
    { value: 'tomorrow', label: 'Tomorrow at 9', at: at(1, 9) },
    { value: 'week', label: 'In a week at 9', at: at(7, 9) },
  ];
}
