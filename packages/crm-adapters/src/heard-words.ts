/**
 * Owns how a log tells what was heard in its call: phrases of the customer's rules, and a machine's summary. Must never pass a machine's words off
 * as a person's, nor show its suggestion where a person has decided.
 */
import type { CallLog, LoggedPhrase } from '@patchcord/call-protocol';

const speakers = { agent: 'agent', 'far-side': 'far side', either: 'agent or far side' } as const;
/** Moments of one phrase that are named; a word said fifty times is no longer news. */
const mostMoments = 5;

/** One line for each rule, what needs attention first. */
export function phraseLines({ phrases = [] }: Pick<CallLog, 'phrases'>): readonly string[] {
  const rank = { missed: 0, said: 1, kept: 2 } as const;
  const groups = new Map<string, LoggedPhrase[]>();
  for (const phrase of phrases) {
    const key = `${phrase.rule} ${phrase.what} ${phrase.by}`;
    groups.set(key, [...(groups.get(key) ?? []), phrase]);
  }
  return [...groups.values()]
    .sort(([a], [b]) => rank[a?.what ?? 'said'] - rank[b?.what ?? 'said'])
    .flatMap((group) => {
      const [first] = group;
      return first === undefined ? [] : [phraseLine(first, group)];
    });
}

function phraseLine(
  { label, what, by, withinSeconds, unheardMs }: LoggedPhrase,
  group: readonly LoggedPhrase[],
): string {
  if (what === 'missed') {
    const until = withinSeconds === undefined ? 'until the end' : `in the first ${withinSeconds} s`;
    const gap = unheardMs === undefined ? '' : `; ${Math.ceil(unheardMs / 1_000)} s of it were not listened to`;
    return `Not heard: ${label} (${speakers[by]}, ${until}${gap})`;
  }
  const moments = group.slice(0, mostMoments).map(({ startMs = 0 }) => clock(startMs));
  const more = group.length > mostMoments ? ` and ${group.length - mostMoments} more` : '';
  return `${what === 'kept' ? 'Said' : 'Heard'}: ${label} (${speakers[by]}, ${moments.join(', ')}${more})`;
}

/** The machine's summary under a heading that says so. */
export function summaryLines({ summary, disposition }: Pick<CallLog, 'summary' | 'disposition'>): readonly string[] {
  if (summary === undefined) return [];
  const suggested = disposition === null ? summary.disposition : undefined;
  return [
    `Summary by a machine (${summary.model}):`,
    summary.summary,
    ...(summary.actionItems.length === 0 ? [] : ['To do:', ...summary.actionItems.map((item) => `- ${item}`)]),
    `Sentiment: ${summary.sentiment}`,
    ...(suggested === undefined ? [] : [`Suggested outcome: ${suggested.label}`]),
  ];
}

/** The same for fields of a CRM's own that an administrator made for them: only what there is to say. */
export function heardFields(log: Pick<CallLog, 'phrases' | 'summary'>): {
  readonly sentiment?: string;
  readonly summary?: string;
  /** Action items, one a line. */
  readonly todo?: string;
  readonly phrases?: string;
} {
  return {
    ...(log.summary === undefined
      ? {}
      : {
          sentiment: log.summary.sentiment,
          summary: log.summary.summary,
          ...(log.summary.actionItems.length === 0 ? {} : { todo: log.summary.actionItems.join('\n') }),
        }),
    ...(log.phrases === undefined ? {} : { phrases: phraseLines(log).join('\n') }),
  };
}

/** Time into a call. @param ms From the answer */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
