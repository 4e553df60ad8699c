/** When somebody is to be called, in words, and the times one may put it off to. Pure. */
import type { ToCall } from '@patchcord/call-protocol';
import { texts } from '../texts.ts';
import { timeWords } from '../to-call.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** When to call, for a person: how late it is, or the time. Nothing on the dial list. */
export function whenWords({ dueAt }: ToCall, now: number): string {
  if (dueAt === null) return '';
  const late = Math.floor((now - dueAt) / minuteMs);
  if (late < 0) return timeWords(dueAt, now);
  return late < 1
    ? texts.dueNow
    : late < 60
      ? texts.minutesLate(late)
      : late < 1_440
        ? texts.hoursLate(Math.floor(late / 60))
        : texts.daysLate(Math.floor(late / 1_440));
}

/** What a call is put off to. */
export function laterTimes(now: number): readonly { readonly label: string; readonly at: number }[] {
  const morning = new Date(now);
  morning.setDate(morning.getDate() + 1);
  morning.setHours(9, 0, 0, 0);
  return [
    { label: texts.in15Minutes, at: now + 15 * minuteMs },
    { label: texts.inOneHour, at: now + hourMs },
    { label: texts.tomorrowMorning, at: morning.getTime() },
  ];
}
