/**
 * The lines of one side of a call: their numbers, and what of them has been told. Owns that sound is told finally once, whatever a service says again,
 * and that numbers are without a hole. Finals come in the order of the sound. Must never keep the text of a line that is final.
 */
import type { ChannelLine } from './channel-contract.ts';

export interface Utterance {
  /** Its name within the session. */
  readonly name: string;
  readonly text: string;
  /** ms of the call. */
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence?: number;
}

export interface ChannelLines {
  partial(utterance: Utterance): void;
  final(utterance: Utterance): void;
  /**
   * The session is over: its names mean nothing any more. Words that are not final and began before `beforeMs` stay as they stand, the others
   * are said again by the next session.
   */
  sessionEnded(beforeMs: number): void;
  /** The session is over, and no word of this time on may stay. */
  forget(fromMs: number): void;
  /** Up to where everything is told. */
  readonly toldMs: number;
}

interface Open extends Utterance {
  readonly line: number;
  readonly toldText: string;
}

/** What the protocol of the panel takes. */
const longestText = 4_000;
const partialEveryMs = 100;
const mostOpen = 16;
const mostClosed = 64;
/** After a new start, less than this past what was told is the end of the last word once more. */
const echoMs = 80;
/** No word is shorter. */
const shortestMs = 20;

export function createChannelLines(options: {
  readonly firstLine: number;
  readonly onLine: (line: ChannelLine) => void;
  readonly now: () => number;
}): ChannelLines {
  let next = options.firstLine;
  /** Numbers that were told with words that are not final, and belong to no utterance now. */
  let spare: number[] = [];
  let toldMs = 0;
  let isNewSession = false;
  let partialAt = Number.NEGATIVE_INFINITY;
  const open = new Map<string, Open>();
  const closed: string[] = [];

  const tell = (line: number, { text, startMs, endMs, confidence }: Utterance, final: boolean): void =>
    options.onLine({
      line,
      text,
      startMs: Math.round(startMs),
      endMs: Math.round(Math.max(startMs, endMs)),
      ...(confidence === undefined ? {} : { confidence }),
      final,
    });
  const free = (name: string): void => {
    const known = open.get(name);
    if (known === undefined) return;
    open.delete(name);
    spare = [...spare, known.line].sort((a, b) => a - b);
  };
  const number = (): number => spare.shift() ?? next++;
  /** The number for a final line: what is still being said comes after it. */
  const lowest = (): number => {
    let line = number();
    for (const other of [...open.values()].sort((a, b) => b.line - a.line)) {
      if (other.line > line) continue;
      open.set(other.name, { ...other, line });
      tell(line, other, false);
      line = other.line;
    }
    return line;
  };
  const isTold = ({ name, endMs }: Utterance): boolean =>
    closed.includes(name) || endMs <= toldMs + (toldMs === 0 ? 0 : isNewSession ? echoMs : shortestMs);
  const short = (utterance: Utterance): Utterance => ({
    ...utterance,
    text: utterance.text.trim().slice(0, longestText),
  });
  const final = (utterance: Utterance): void => {
    if (isTold(utterance)) {
      free(utterance.name);
      return;
    }
    closed.push(utterance.name);
    if (closed.length > mostClosed) closed.shift();
    // what began before and is not final will never be
    for (const other of [...open.values()])
      if (other.name === utterance.name || other.startMs < utterance.startMs) free(other.name);
    toldMs = utterance.endMs;
    isNewSession = false;
    if (utterance.text !== '') tell(lowest(), utterance, true);
  };
  const endSession = (): void => {
    for (const name of [...open.keys()]) free(name);
    closed.length = 0;
    isNewSession = true;
  };

  return {
    partial(said) {
      const utterance = short(said);
      if (utterance.text === '' || isTold(utterance)) return;
      const known = open.get(utterance.name);
      const sinceMs = options.now() - partialAt;
      const isToldNow = (sinceMs < 0 || sinceMs >= partialEveryMs) && known?.toldText !== utterance.text;
      const line = known?.line ?? number();
      open.set(utterance.name, { ...utterance, line, toldText: isToldNow ? utterance.text : (known?.toldText ?? '') });
      if (isToldNow) {
        partialAt = options.now();
        tell(line, utterance, false);
      }
      const [oldest] = open.keys();
      if (open.size > mostOpen && oldest !== undefined) free(oldest);
    },
    final: (said) => final(short(said)),
    sessionEnded(beforeMs) {
      const stay = [...open.values()].filter(({ startMs }) => startMs < beforeMs);
      for (const utterance of stay.sort((a, b) => a.line - b.line)) final(utterance);
      endSession();
    },
    forget(fromMs) {
      for (const utterance of open.values())
        if (utterance.endMs > fromMs) tell(utterance.line, { ...utterance, text: '' }, false);
      endSession();
    },
    get toldMs() {
      return toldMs;
    },
  };
}
