/**
 * Log lines: JSON by pino, with telephone numbers masked and secrets gone, whatever a caller puts in. Owns the masking. One line per
 * meaningful change of a life cycle; `callId` on every line that belongs to a call.
 */
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

const secretKeys =
  /^(?:.*token.*|.*secret.*|.*password.*|.*assertion.*|.*signature.*|.*private.?key.*|authorization|cookie|set-cookie|code|credential|proof|ha1)$/i;
/** Fields whose digits are ours or the CRM's, never a telephone number. */
const plainKeys = /(?:^|[a-z])(?:id|ids|at|ms|time|pid|port|count|version|attempts|level|status)$/i;
const numbers = /(?<![\w.:-])\+?\d{7,15}(?![\w-])/g;
const depthLimit = 6;

/** A number as it may stand in a log: `+1415•••0101`. Short ones (extensions) stay. */
export function maskNumber(number: string): string {
  const digits = number.replace(/[^\d+]/g, '');
  return digits.replace('+', '').length < 7
    ? number
    : `${digits.slice(0, digits.startsWith('+') ? 5 : 4)}•••${digits.slice(-4)}`;
}

/** Masks every telephone number inside a text. */
export function maskText(text: string): string {
  return text.replace(numbers, (number) => maskNumber(number));
}

/** A copy that may be logged. */
export function loggable(value: unknown, key = '', depth = 0): unknown {
  if (key !== '' && secretKeys.test(key)) return '[secret]';
  if (typeof value === 'string') return plainKeys.test(key) ? value : maskText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= depthLimit) return '[deep]';
  if (value instanceof Error) {
    const { code } = value as { code?: unknown };
    return {
      type: value.name,
      ...(typeof code === 'string' ? { code } : {}),
      message: maskText(value.message),
      stack: maskText(value.stack ?? ''),
      ...(value.cause === undefined ? {} : { cause: loggable(value.cause, 'cause', depth + 1) }),
    };
  }
  if (Array.isArray(value)) return value.map((item) => loggable(item, key, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, loggable(item, name, depth + 1)]));
}

/** The relay's log, to standard output unless told otherwise. */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (line: Record<string, unknown>) => loggable(line) as Record<string, unknown>,
    },
    // our own serialising has already happened in `formatters.log`
    serializers: { err: (error: unknown) => error },
    hooks: {
      logMethod(this: unknown, args: unknown[], method: (...args: unknown[]) => void) {
        method.apply(
          this,
          args.map((argument) => (typeof argument === 'string' ? maskText(argument) : argument)),
        );
      },
    },
  };
  return (destination === undefined ? pino(options as never) : pino(options as never, destination)) as Log;
}
