/**
 * What is out of the ordinary for one agent, measured against that agent's own past. Owns the thresholds; must never cry over somebody who has
 * no past yet, nor over a busy day.
 */
import type { UsageDay } from '../store/contract.ts';

export type Anomaly = 'newCountry' | 'spike' | 'unusualHour' | 'refusedCalls';

export interface Past {
  /** Days before today on which the agent called. */
  readonly days: number;
  /** Calls in an hour in which the agent calls at all. */
  readonly callsPerHour: number;
  /** Bit n is set when the agent has called in hour n of a day, or right beside it. */
  readonly hours: number;
}

/** Days of calling without which nothing is called unusual. */
const leastDays = 5;
const leastDaysForHours = 10;
/** How far back the past reaches. */
export const pastDays = 28;

export function pastOf(days: readonly UsageDay[]): Past {
  let calls = 0;
  let hoursWorked = 0;
  let hours = 0;
  for (const day of days) {
    calls += day.calls;
    hours |= day.hours;
    for (let hour = 0; hour < 24; hour += 1) hoursWorked += (day.hours >> hour) & 1;
  }
  const around = hours | (hours << 1) | (hours >> 1) | (hours >> 23) | (hours << 23);
  return { days: days.length, callsPerHour: hoursWorked === 0 ? 0 : calls / hoursWorked, hours: around & 0xff_ffff };
}

/** What a call that begins now shows. */
export function anomaliesOf(
  past: Past,
  call: { readonly newCountry: boolean; readonly hour: number; readonly callsThisHour: number },
): readonly Anomaly[] {
  const found: Anomaly[] = [];
  if (past.days < leastDays) return found;
  if (call.newCountry) found.push('newCountry');
  if (past.days >= leastDaysForHours && ((past.hours >> call.hour) & 1) === 0) found.push('unusualHour');
  // Four times the usual and ten calls more: an agent who is behind makes twice as many, not this.
  if (call.callsThisHour > Math.max(20, past.callsPerHour * 4 + 10)) found.push('spike');
  return found;
}

/** Refused destinations within ten minutes: an honest agent mistypes, a machine tries ranges. */
export const refusalsToTell = 5;
export const refusalsToAct = 15;
export const refusalWindowMs = 600_000;
