/**
 * How Patchcord's components say times, durations and errors. Owns wording that more than one of them needs; must never know a component.
 */
import LOCALE from '@salesforce/i18n/locale';
import TIME_ZONE from '@salesforce/i18n/timeZone';

/** The user's own time zone in Salesforce, which need not be the computer's. */
export const zone = TIME_ZONE;

/**
 * @param {number} seconds
 * @returns {string} `48 s`, `2 min 5 s`, `1 h 4 min`
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds || 0));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return whole % 60 === 0 ? `${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/**
 * @param {number} seconds
 * @returns {string} `0:05`, `12:40`, `1:02:03`
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (part) => String(part).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * @param {string | number | undefined | null} instant ISO text or epoch ms
 * @param {number} [now] epoch ms
 * @returns {string} `Today, 2:05 PM`, `Nov 18, 2:05 PM`; empty for no instant
 */
export function moment(instant, now = Date.now()) {
  if (instant === undefined || instant === null || instant === '') return '';
  const day = (at) => shown(at, { year: 'numeric', month: 'short', day: 'numeric' });
  const year = (at) => shown(at, { year: 'numeric' });
  const date = new Date(instant);
  const time = timeOfDay(date);
  if (day(date) === day(now)) return `Today, ${time}`;
  const short = shown(date, { month: 'short', day: 'numeric' });
  return `${year(date) === year(now) ? short : day(date)}, ${time}`;
}

/**
 * @param {string | number | Date} instant
 * @returns {string} `2:05 PM`
 */
export function timeOfDay(instant) {
  return shown(instant, { hour: 'numeric', minute: '2-digit' });
}

/**
 * What went wrong, in the words of the server where it has some.
 * @param {unknown} error what Apex or the wire service gave
 * @returns {string}
 */
export function reasonOf(error) {
  const body = Array.isArray(error?.body) ? error.body[0] : error?.body;
  return body?.message || error?.message || 'Salesforce did not say why. Try again in a moment.';
}

function shown(instant, parts) {
  return new Intl.DateTimeFormat(LOCALE || 'en-US', { ...parts, timeZone: TIME_ZONE || undefined }).format(
    new Date(instant),
  );
}
