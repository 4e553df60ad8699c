/**
 * When calls are allowed: days and times of day in the tenant's time zone, as windows of epoch time that an edge without a calendar can
 * compare with its clock. Owns the calendar arithmetic; knows no agent.
 */

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

export interface Hours {
  /** IANA zone. */
  readonly timeZone: string;
  readonly days: readonly Weekday[];
  /** `HH:MM`; `to` at or before `from` ends on the next day, and `24:00` is the end of the day. */
  readonly from: string;
  readonly to: string;
}

/** Epoch seconds; `to` is the first second outside. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

const weekdays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** The windows that touch yesterday to the day after tomorrow: they change once a day, so that whoever is told need not be told often. */
export function windowsAround(hours: Hours, now: number): readonly Window[] {
  const { year, month, day } = partsIn(hours.timeZone, now);
  const windows: Window[] = [];
  for (let offset = -1; offset <= 2; offset += 1) {
    // A calendar day without a zone: only its name and its successor are asked of it.
    const date = new Date(Date.UTC(year, month - 1, day + offset));
    const weekday = weekdays[date.getUTCDay()];
    if (weekday === undefined || !hours.days.includes(weekday)) continue;
    const from = epochOf(hours.timeZone, date, minutesOf(hours.from));
    const until = minutesOf(hours.to);
    const to = epochOf(hours.timeZone, date, until <= minutesOf(hours.from) ? until + 1_440 : until);
    const before = windows.at(-1);
    if (before !== undefined && before.to >= from) windows[windows.length - 1] = { from: before.from, to };
    else windows.push({ from, to });
  }
  return windows;
}

export function isOpen(windows: readonly Window[], now: number): boolean {
  const seconds = Math.floor(now / 1_000);
  return windows.some(({ from, to }) => from <= seconds && seconds < to);
}

/** `2026-11-21` in the zone: the day that spend and counts belong to. */
export function dayIn(timeZone: string, now: number): string {
  const { year, month, day } = partsIn(timeZone, now);
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** Hour of the day in the zone, 0 to 23. */
export function hourIn(timeZone: string, at: number): number {
  return partsIn(timeZone, at).hour;
}

/** When the day, or the month, that `now` lies in ends in the zone; epoch ms. */
export function endOf(what: 'day' | 'month', timeZone: string, now: number): number {
  const { year, month, day } = partsIn(timeZone, now);
  const next = what === 'day' ? new Date(Date.UTC(year, month - 1, day + 1)) : new Date(Date.UTC(year, month, 1));
  return epochOf(timeZone, next, 0) * 1_000;
}

export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}

/** Epoch seconds of a wall-clock time. Asked twice, because the offset at the first guess may be that of the other side of a clock change. */
function epochOf(timeZone: string, date: Date, minutes: number): number {
  const wall = date.getTime() / 1_000 + minutes * 60;
  let guess = wall;
  for (let round = 0; round < 2; round += 1) guess = wall - offsetAt(timeZone, guess * 1_000);
  return guess;
}

function offsetAt(timeZone: string, at: number): number {
  const { year, month, day, hour, minute, second } = partsIn(timeZone, at);
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1_000 - Math.floor(at / 1_000);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, made);
  return made;
}

function partsIn(timeZone: string, at: number) {
  const found = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes): number => found.get(type) ?? 0;
  return {
    year: of('year'),
    month: of('month'),
    day: of('day'),
    hour: of('hour'),
    minute: of('minute'),
    second: of('second'),
  };
}
