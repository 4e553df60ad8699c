/**
 * Listens to one call for the phrases of its tenant's rules, line by line, and judges in the end what had to be said and was not. Owns what counts
 * as said. Pure but for what it remembers of the call: a few words of the last line of each side, so that a phrase may lie across two lines.
 * Looks at final lines alone, after card numbers and what else must not be kept were taken out of them.
 */
import type { CallLog, EventData, TranscriptLine, WireEvent } from '@patchcord/call-protocol';
import type { SpottingRule, SpottingSettings } from '../config/after-call.ts';
import { type Phrase, placeOf, reachOf, readPhrase, wordsOf } from './words.ts';

export type Spotted = EventData<'phrase.spotted'>;
export type Missed = EventData<'phrase.missed'>;
type Speaker = TranscriptLine['speaker'];

/** A side that pauses longer than this begins a new sentence, ms. */
const sameSentenceMs = 3_000;
/** Of one rule in one call: what is said that often is known. */
const mostOfRule = 20;

interface Told {
  readonly rule: SpottingRule;
  readonly phrases: readonly { readonly text: string; readonly phrase: Phrase }[];
}

/** Rules as they are looked for: made once for a tenant. */
export interface Rules {
  readonly settings: SpottingSettings;
  readonly told: readonly Told[];
  /** Words of a line's end that may belong to a phrase which ends in the next. */
  readonly reach: number;
  /** Whether something has to be said. */
  readonly awaits: boolean;
}

export function rulesOf(settings: SpottingSettings): Rules {
  const told = settings.rules.map((rule) => ({
    rule,
    phrases: rule.phrases.flatMap((text) => {
      const phrase = readPhrase(text);
      return phrase === null ? [] : [{ text, phrase }];
    }),
  }));
  const reach = Math.max(0, ...told.flatMap(({ phrases }) => phrases.map(({ phrase }) => reachOf(phrase) - 1)));
  return { settings, told, reach, awaits: settings.rules.some(({ tell }) => tell === 'not-said') };
}

interface Side {
  /** Words of the end of the last line, and when the line that each stands in began. */
  readonly words: readonly string[];
  readonly begun: readonly number[];
  readonly endMs: number;
}

/** What is remembered of one call. */
export class CallEar {
  readonly #rules: Rules;
  readonly #sides = new Map<Speaker, Side>();
  readonly #heard = new Set<string>();
  readonly #times = new Map<string, number>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  /** What this line says; each rule at most once. A line that was heard before says nothing new of the same rule. */
  hear(line: TranscriptLine): readonly Spotted[] {
    if (!line.final) return [];
    const { speaker } = line;
    const fresh = wordsOf(line.text);
    if (fresh.length === 0) return [];
    const before = this.#sides.get(speaker);
    const goesOn =
      before !== undefined &&
      line.startMs >= before.endMs - sameSentenceMs &&
      line.startMs - before.endMs <= sameSentenceMs;
    const kept: Side = goesOn ? before : { words: [], begun: [], endMs: 0 };
    const words = [...kept.words, ...fresh];
    const begun = [...kept.begun, ...fresh.map(() => line.startMs)];
    const from = Math.max(0, words.length - this.#rules.reach);
    this.#sides.set(speaker, { words: words.slice(from), begun: begun.slice(from), endMs: line.endMs });
    return this.#rules.told.flatMap((told) => {
      const found = this.#find(told, words, kept.words.length, speaker);
      if (found === null) return [];
      const startMs = begun[found.from] ?? line.startMs;
      return this.#isNew(told.rule, line, startMs) ? [spottedOf(told.rule, found.text, line, startMs)] : [];
    });
  }

  #find(
    { rule, phrases }: Told,
    words: readonly string[],
    known: number,
    speaker: Speaker,
  ): { readonly text: string; readonly from: number } | null {
    if (rule.by !== 'either' && rule.by !== speaker) return null;
    const language = rule.exact ? undefined : this.#rules.settings.language;
    for (const { text, phrase } of phrases) {
      const place = placeOf(phrase, words, known, language);
      if (place !== null) return { text, from: place.from };
    }
    return null;
  }

  #isNew(rule: SpottingRule, { speaker, line }: TranscriptLine, startMs: number): boolean {
    if (rule.withinSeconds !== undefined && startMs > rule.withinSeconds * 1_000) return false;
    const key = `${rule.id} ${speaker} ${line}`;
    const times = this.#times.get(rule.id) ?? 0;
    if (this.#heard.has(key) || times >= mostOfRule) return false;
    this.#heard.add(key);
    this.#times.set(rule.id, times + 1);
    return true;
  }
}

function spottedOf(rule: SpottingRule, phrase: string, { speaker, line }: TranscriptLine, startMs: number): Spotted {
  const { id, label, severity, tell } = rule;
  return {
    rule: id,
    label,
    severity,
    speaker,
    phrase,
    line,
    startMs,
    ...(tell === 'not-said' ? { awaited: true } : {}),
  };
}

/**
 * What had to be said in a call that is over and was not heard. Nothing is said of a side of which no word was heard at all: then nobody listened,
 * or the side was silent, and the relay can't tell these apart. Nor of a call that ended before the time for the phrase was up, nor of a consult
 * call: nobody but a colleague was there. What lay in a gap of the transcript may have been said: how long that was is told with it.
 */
export function missedIn(settings: SpottingSettings, log: CallLog, events: readonly WireEvent[]): readonly Missed[] {
  if (log.stage === 'live' || log.answeredAt === null || log.consultFor !== null) return [];
  const sides = new Set(events.flatMap((event) => (event.name === 'transcript.started' ? [event.data.speaker] : [])));
  const said = new Set(events.flatMap((event) => (event.name === 'phrase.spotted' ? [event.data.rule] : [])));
  return settings.rules.flatMap(({ id, label, severity, by, tell, withinSeconds }): readonly Missed[] => {
    if (tell !== 'not-said' || said.has(id)) return [];
    if (by === 'either' ? sides.size === 0 : !sides.has(by)) return [];
    if (withinSeconds !== undefined && log.talkMs < withinSeconds * 1_000) return [];
    const unheardMs = unheardUntil(withinSeconds === undefined ? log.talkMs : withinSeconds * 1_000, events);
    return [
      {
        ...{ rule: id, label, severity, by },
        ...(withinSeconds === undefined ? {} : { withinSeconds }),
        ...(unheardMs > 0 ? { unheardMs } : {}),
      },
    ];
  });
}

/** How much of a call, up to this moment of it, nobody heard, ms. A moment that both sides were not heard in counts once. */
function unheardUntil(untilMs: number, events: readonly WireEvent[]): number {
  const gaps = events.flatMap((event) => (event.name === 'transcript.interrupted' ? [event.data] : []));
  let sum = 0;
  let toMs = 0;
  for (const { startMs, endMs } of gaps.sort((a, b) => a.startMs - b.startMs)) {
    const end = Math.min(endMs, untilMs);
    sum += Math.max(0, end - Math.max(startMs, toMs));
    toMs = Math.max(toMs, end);
  }
  return sum;
}
