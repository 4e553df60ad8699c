/**
 * From the time of a session to the time of the call. A session's time begins at 0 and counts sound only; sound of a call has gaps, and begins
 * anew with every session. Owns that map and nothing else.
 */

export interface SessionClock {
  /** Sound was sent that is of `atMs` of the call. */
  sent(atMs: number, ms: number): void;
  /** Silence was sent that is of no time of the call. */
  silence(ms: number): void;
  /** When something began, or ended, in ms of the call; never outside the sound that was sent. */
  startOf(sessionMs: number): number;
  endOf(sessionMs: number): number;
  /** Nothing before this (ms of the call) will be asked for. */
  forgetBefore(atMs: number): void;
}

/** Frames are dated in whole ms: less than this apart they follow each other. */
const toleranceMs = 20;

interface Part {
  readonly sessionMs: number;
  readonly atMs: number;
  ms: number;
}

export function createSessionClock(): SessionClock {
  const parts: Part[] = [];
  let sessionMs = 0;
  const toCall = (part: Part | undefined, ms: number): number => {
    const within = part ?? parts[0];
    return within === undefined ? 0 : within.atMs + Math.min(Math.max(ms - within.sessionMs, 0), within.ms);
  };
  return {
    sent(atMs, ms) {
      const last = parts.at(-1);
      const follows =
        last !== undefined &&
        last.sessionMs + last.ms === sessionMs &&
        Math.abs(last.atMs + last.ms - atMs) <= toleranceMs;
      if (follows) last.ms += ms;
      else parts.push({ sessionMs, atMs, ms });
      sessionMs += ms;
    },
    silence(ms) {
      sessionMs += ms;
    },
    startOf: (ms) =>
      toCall(
        parts.findLast((part) => part.sessionMs <= ms),
        ms,
      ),
    // what ends where a part begins ended in the part before
    endOf: (ms) =>
      toCall(
        parts.findLast((part) => part.sessionMs < ms),
        ms,
      ),
    forgetBefore(atMs) {
      while (parts.length > 1 && (parts[0]?.atMs ?? 0) + (parts[0]?.ms ?? 0) < atMs) parts.shift();
    },
  };
}
