/** What the events of a call say of its words: phrases that rules heard or missed, and the newest summary. Pure, like the fold it is part of. */
import type { CallLog, LoggedPhrase, WireEvent } from '@patchcord/call-protocol';

type Named<N extends WireEvent['name']> = Extract<WireEvent, { readonly name: N }>;

/** Heard phrases by time, then those that were missed. One that was heard after all, in words that came late, was not missed. */
export function phrasesOf(events: readonly WireEvent[]): Pick<CallLog, 'phrases'> {
  const spotted = events
    .filter((event): event is Named<'phrase.spotted'> => event.name === 'phrase.spotted')
    .map(
      ({ data: { rule, label, severity, speaker, startMs, awaited } }): LoggedPhrase => ({
        rule,
        label,
        severity,
        by: speaker,
        what: awaited === true ? 'kept' : 'said',
        startMs,
      }),
    )
    .sort((a, b) => (a.startMs ?? 0) - (b.startMs ?? 0) || (a.rule < b.rule ? -1 : 1));
  const kept = new Set(spotted.flatMap(({ rule, what }) => (what === 'kept' ? [rule] : [])));
  const missed = events
    .filter((event): event is Named<'phrase.missed'> => event.name === 'phrase.missed' && !kept.has(event.data.rule))
    .map(({ data }): LoggedPhrase => ({ ...data, what: 'missed' }))
    .sort((a, b) => (a.rule < b.rule ? -1 : 1));
  const phrases = [...spotted, ...missed];
  return phrases.length === 0 ? {} : { phrases };
}

/** The summary that was made last: another model or prompt counts more than the one before. */
export function summaryOf(events: readonly WireEvent[]): Pick<CallLog, 'summary'> {
  const made = events.filter((event): event is Named<'call.summarised'> => event.name === 'call.summarised');
  const last = made.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)).at(-1);
  return last === undefined ? {} : { summary: last.data };
}
