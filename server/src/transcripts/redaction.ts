/**
 * What must not be told of a transcript: card numbers (typed out, or said digit by digit, over as many lines as it takes), the code on their back,
 * and shapes that the customer named. Owns which lines may be told, and how they read: pure, one for each call, its clock is the caller's. A line that
 * ends in digits which may become a card is told with a gap in their place until more is known. Must never let a line through unread.
 */
import type { TranscriptLine } from '@patchcord/call-protocol';
import { redactCards } from '../call-log/card-numbers.ts';
import { compileShapes, type Shapes, type Span } from './shapes.ts';
import {
  type Covered,
  coveredBy,
  type Digit,
  digitsRemoved,
  hidden,
  looksLikeCard,
  mostBetween,
} from './spoken-cards.ts';
import { type Spoken, spokenIn } from './spoken-digits.ts';

type Speaker = TranscriptLine['speaker'];

/** Fewer digits than this are never held back: a card's first digits may be shown, and people say numbers all the time. */
const fewestHeld = 4;
/** Lines with more digits in a row than this are no card any longer. */
const mostHeld = 40;
/** How long a line is held back for what follows; longer where it looks like most of a card: people turn it round to read the rest. */
const holdMs = 4_000;
const cardHoldMs = 15_000;
const mostOfCard = 9;
/** More than this of a number that begins as a card is never told while the rest is still to come. */
const tooMuchOfCard = 12;
/** What was said of a number this long ago, in ms of the call, goes on in it. */
const togetherMs = 60_000;
/** How long after somebody asked for a card's code, or said a card, three or four digits alone are that code. */
const codeMs = 30_000;
const codeWords =
  /(?<![\p{L}])(?:cvv2?|cvc2?|cvn|cid|csc|c ?v ?v|c ?v ?c|security code|card verification|sicherheitscode|prüfziffer|prüfnummer|kartenprüfnummer|cryptogramme|code de sécurité|código de seguridad|código de segurança|codice di sicurezza|beveiligingscode|veiligheidscode)(?![\p{L}])/giu;

const removed = '[removed]';

/** A line as it may be told. */
export interface Redacted {
  readonly line: TranscriptLine;
  /** True: this is the last word on a line that was final when it was taken. */
  readonly decided: boolean;
}

/** A line with what was found in it. */
interface Reading {
  readonly line: TranscriptLine;
  readonly spoken: readonly Spoken[];
  /** Three or four digits behind this character may be a code. */
  readonly codesFrom: number;
  heldAt: number;
}

interface Told {
  readonly digits: readonly Digit[];
  /** Words behind the last of them. */
  readonly words: number;
  readonly endMs: number;
}

export class CallRedaction {
  readonly #language: string;
  readonly #shapes: Shapes;
  /** Final lines that may hold the beginning of a card, by speaker, oldest first. */
  readonly #held = new Map<Speaker, Reading[]>();
  readonly #told = new Map<Speaker, Told>();
  /** Until when three or four digits alone are a code, ms of the call. */
  #codeUntilMs = Number.NEGATIVE_INFINITY;
  /** The line that asked for a code first, and may be told again. */
  #asking: { readonly speaker: Speaker; readonly line: number } | null = null;

  /** @param language BCP 47; one without number words here: those of all languages @param shapes As the configuration names them */
  constructor(language: string, shapes: readonly string[]) {
    this.#language = language;
    this.#shapes = compileShapes(shapes);
  }

  /** Whether a line waits for what follows. */
  get holds(): boolean {
    return [...this.#held.values()].some((lines) => lines.length > 0);
  }

  /** @param now For how long a line is held, any clock in ms @returns what may be told now, in order: perhaps lines from before */
  take(line: TranscriptLine, now: number): readonly Redacted[] {
    const spoken = spokenIn(line.text, this.#language);
    const reading: Reading = { line, spoken, codesFrom: this.#hearCode(line), heldAt: now };
    // A line may be told again by a relay that went on with its call.
    const held = (this.#held.get(line.speaker) ?? []).filter((one) => one.line.line !== line.line);
    this.#held.set(line.speaker, held);
    const digits = this.#digits(line.speaker, [...held, reading]);
    const cards = coveredBy(digits);
    if (cards.size > 0) this.#codeUntilMs = Math.max(this.#codeUntilMs, line.endMs + codeMs);
    const open = this.#openFrom(digits, reading, cards);
    if (!line.final) {
      // Words at the beginning of a line rarely change: what they end is decided.
      const goesOn = open !== null && digits[open]?.line !== reading;
      if (goesOn) for (const one of held) one.heldAt = now;
      const decided = goesOn ? [] : this.#decide(line.speaker, held, digits, cards);
      return [...decided, { line: this.#read(reading, digits, cards, open), decided: false }];
    }
    const waits =
      open === null ? [] : [...held, reading].filter((one) => digits.slice(open).some((digit) => digit.line === one));
    const sure = [...held, reading].filter((one) => !waits.includes(one));
    const out = this.#decide(line.speaker, sure, digits, cards);
    this.#held.set(line.speaker, waits);
    if (waits.includes(reading))
      out.push({ line: { ...this.#read(reading, digits, cards, open), final: false }, decided: false });
    else if (waits.length === 0) this.#remember(reading, digits);
    return out;
  }

  /** Lines that were held for long enough. */
  due(now: number): readonly Redacted[] {
    return [...this.#held].flatMap(([speaker, held]) => {
      const newest = held.at(-1);
      if (newest === undefined) return [];
      const digits = this.#digits(speaker, held);
      const long = digits.length >= mostOfCard && looksLikeCard(digits);
      return now - newest.heldAt >= (long ? cardHoldMs : holdMs) ? this.#letGo(speaker, held) : [];
    });
  }

  /** Everything that is held: nothing follows. */
  release(): readonly Redacted[] {
    return [...this.#held].flatMap(([speaker, held]) => this.#letGo(speaker, held));
  }

  /** What was said from this moment of the call on is not told any more. @returns the lines that are gone, without words */
  forget(atMs: number): readonly Redacted[] {
    const gone: Redacted[] = [];
    for (const [speaker, held] of this.#held) {
      this.#held.set(
        speaker,
        held.filter(({ line }) => line.startMs < atMs),
      );
      for (const { line } of held)
        if (line.startMs >= atMs) gone.push({ line: { ...line, text: '', final: false }, decided: true });
    }
    return gone;
  }

  #letGo(speaker: Speaker, held: readonly Reading[]): readonly Redacted[] {
    const digits = this.#digits(speaker, held);
    const cards = coveredBy(digits);
    // Twelve of sixteen digits now, and the last four behind them later: that would be all of it.
    const left = digits.filter((digit) => !cards.has(digit));
    const tooMuch = left.length >= tooMuchOfCard && looksLikeCard(left);
    const covered = tooMuch ? new Map([...cards, ...left.map((digit) => [digit, digitsRemoved] as const)]) : cards;
    const out = this.#decide(speaker, held, digits, covered);
    const last = held.at(-1);
    if (last !== undefined) this.#remember(last, digits);
    return out;
  }

  /** The last word on these lines. */
  #decide(speaker: Speaker, lines: readonly Reading[], digits: readonly Digit[], cards: Covered): Redacted[] {
    this.#held.set(
      speaker,
      (this.#held.get(speaker) ?? []).filter((one) => !lines.includes(one)),
    );
    return lines.map((one) => ({ line: this.#read(one, digits, cards, null), decided: true }));
  }

  /** The digits that the newest lines of a speaker end in, with those of before that go on in them. */
  #digits(speaker: Speaker, lines: readonly Reading[]): readonly Digit[] {
    const told = this.#told.get(speaker);
    const first = lines[0]?.line;
    const goesOn = told !== undefined && first !== undefined && first.startMs - told.endMs <= togetherMs;
    const digits: Digit[] = goesOn ? [...told.digits] : [];
    let words = goesOn ? told.words : mostBetween + 1;
    for (const reading of lines) {
      for (const { digit, begins, start, end } of reading.spoken) {
        if (digit === null) {
          words += 1;
          continue;
        }
        digits.push({ value: digit, begins, wordsBefore: words, line: reading, start, end });
        words = 0;
      }
    }
    return digits;
  }

  /** From which digit on the end of this line may become a card; null: it can't. */
  #openFrom(digits: readonly Digit[], reading: Reading, cards: Covered): number | null {
    const words = wordsBehind(reading);
    const last = digits.at(-1);
    if (last === undefined || words >= mostBetween || cards.has(last)) return null;
    if (last.line !== reading && reading.spoken.length >= mostBetween) return null;
    let from = digits.length - 1;
    while (from > 0 && (digits[from]?.wordsBefore ?? 0) <= mostBetween && !cards.has(digits[from - 1] as Digit))
      from -= 1;
    const count = digits.length - from;
    return count < fewestHeld || count > mostHeld ? null : from;
  }

  /** The line as it may be told. @param open From this digit on nobody knows yet */
  #read(reading: Reading, digits: readonly Digit[], cards: Covered, open: number | null): TranscriptLine {
    const { line, spoken, codesFrom } = reading;
    if (line.gap !== undefined || line.text === '') return line;
    const spans: (Span & { readonly by: string })[] = [];
    const own = (digit: Digit): boolean => digit.line === reading;
    for (const [digit, by] of cards) if (own(digit)) spans.push({ start: digit.start, end: digit.end, by });
    if (open !== null) {
      for (const digit of digits.slice(open))
        if (own(digit)) spans.push({ start: digit.start, end: digit.end, by: hidden });
    }
    for (const span of this.#shapes.in(line.text, spoken)) spans.push({ ...span, by: removed });
    const begun = line.final ? null : this.#shapes.begunIn(line.text, spoken);
    if (begun !== null) spans.push({ ...begun, by: hidden });
    const known = [...spans];
    for (const code of this.#codes(line, spoken, codesFrom))
      if (!known.some(({ start, end }) => start < code.end && code.start < end)) spans.push(code);
    return { ...line, text: redactCards(without(line.text, spans)) };
  }

  /** Three or four digits alone, while a code is expected; one or two as well while the line goes on. */
  #codes(line: TranscriptLine, spoken: readonly Spoken[], from: number): readonly (Span & { readonly by: string })[] {
    if (line.startMs > this.#codeUntilMs) return [];
    const found: (Span & { readonly by: string })[] = [];
    for (let at = 0; at < spoken.length; ) {
      let to = at;
      while (to < spoken.length && spoken[to]?.digit !== null) to += 1;
      const count = to - at;
      const isCode = count === 3 || count === 4 || (!line.final && count > 0 && count < 3 && to === spoken.length);
      const first = spoken[at];
      const last = spoken[to - 1];
      if (isCode && first !== undefined && last !== undefined && first.start >= from)
        found.push({ start: first.start, end: last.end, by: removed });
      at = to + 1;
    }
    return found;
  }

  /** @returns behind which character a code may stand: the question, in the line that asks for it */
  #hearCode(line: TranscriptLine): number {
    const first = line.text.matchAll(codeWords).next().value;
    if (first === undefined) return 0;
    const isAsking = this.#asking?.speaker === line.speaker && this.#asking.line === line.line;
    const wasExpected = line.startMs <= this.#codeUntilMs && !isAsking;
    if (!wasExpected) this.#asking = { speaker: line.speaker, line: line.line };
    this.#codeUntilMs = Math.max(this.#codeUntilMs, line.endMs + codeMs);
    return wasExpected ? 0 : first.index;
  }

  #remember(reading: Reading, digits: readonly Digit[]): void {
    let words = wordsBehind(reading);
    const last = digits.at(-1);
    if (last === undefined) return void this.#told.delete(reading.line.speaker);
    if (last.line !== reading) words += this.#told.get(reading.line.speaker)?.words ?? 0;
    if (words > mostBetween) return void this.#told.delete(reading.line.speaker);
    let from = digits.length - 1;
    while (from > 0 && (digits[from]?.wordsBefore ?? 0) <= mostBetween) from -= 1;
    const tail = digits.slice(Math.max(from, digits.length - mostHeld)).map((digit) => ({ ...digit, line: null }));
    this.#told.set(reading.line.speaker, { digits: tail, words, endMs: reading.line.endMs });
  }
}

/** Words behind the last digit of a line. */
function wordsBehind({ spoken }: Reading): number {
  return spoken.length - 1 - spoken.findLastIndex(({ digit }) => digit !== null);
}

/** The text with other words in the place of these spans. What lies between two of one number goes with them; two codes, or two shapes, stay two. */
function without(text: string, spans: readonly (Span & { readonly by: string })[]): string {
  const sorted = [...spans].sort((a, b) => a.start - b.start || b.end - a.end);
  let out = '';
  let at = 0;
  let last: string | null = null;
  for (const { start, end, by } of sorted) {
    if (end <= at) continue;
    const between = text.slice(at, Math.max(at, start));
    if (last === by && !(by === removed && between !== '')) {
      at = end;
      continue;
    }
    out += between + by;
    last = by;
    at = end;
  }
  return out + text.slice(at);
}
