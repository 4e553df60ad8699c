/**
 * Phrases of the customer's rules: what was heard in a call, and what had to be said and was not. Owns their words and order. Must never be told by
 * colour alone, nor say more than the rule's own label.
 */
import { Icon, type IconName } from '../icon.tsx';
import { formatDuration } from '../parts/call-timer.tsx';
import { texts } from '../texts.ts';
import type { Findings, Missed, Spotted } from './findings.ts';

/** Moments of one phrase that are named; what is said more often is known. */
const mostMoments = 3;

export interface PhraseListProps {
  /** Of the far side. */
  readonly name: string;
  readonly findings: Findings;
  /** So many that were heard, the newest; absent: all. */
  readonly most?: number;
}

/** One line for each rule and speaker: what is missing first, then what was heard last. */
export function PhraseList({ name, findings, most }: PhraseListProps) {
  const { missed, spotted } = findings;
  if (missed.length + spotted.length === 0) return null;
  return (
    <ul class="spotted-list" aria-label={texts.phrases}>
      {missed.map((one) => (
        <li key={one.rule} class={`spotted-one is-${one.severity}`}>
          <Icon name="warning" size={14} />
          <span class="spotted-words">
            {texts.phraseMissed} <bdi>{one.label}</bdi> <span class="spotted-when">{missedWhen(one, name)}</span>
          </span>
        </li>
      ))}
      {groupsOf(spotted, most).map((group) => (
        <Heard key={`${group[0].rule} ${group[0].speaker}`} name={name} group={group} />
      ))}
    </ul>
  );
}

type Group = readonly [Spotted, ...Spotted[]];

function Heard({ name, group }: { readonly name: string; readonly group: Group }) {
  const [{ label, severity, speaker, awaited }] = group;
  const moments = group.slice(-mostMoments).map(({ startMs }) => formatDuration(startMs));
  return (
    <li class={`spotted-one is-${awaited === true ? 'kept' : severity}`}>
      <Icon name={iconOf(group[0])} size={14} />
      <span class="spotted-words">
        <bdi>{label}</bdi>{' '}
        <span class="spotted-when digits">
          <bdi>{speaker === 'agent' ? texts.transcriptAgent : name}</bdi>
          {`, ${group.length > mostMoments ? '… ' : ''}${moments.join(', ')}`}
        </span>
      </span>
    </li>
  );
}

/** What had to be said is done; the rest by how much it matters. */
function iconOf({ awaited, severity }: Spotted): IconName {
  if (awaited === true) return 'done';
  return severity === 'info' ? 'info' : 'warning';
}

/** What was said last stands first. */
function groupsOf(spotted: readonly Spotted[], most?: number): readonly Group[] {
  const groups = new Map<string, [Spotted, ...Spotted[]]>();
  for (const one of spotted) {
    const key = `${one.rule} ${one.speaker}`;
    const group = groups.get(key);
    groups.delete(key);
    groups.set(key, group === undefined ? [one] : [...group, one]);
  }
  return [...groups.values()].reverse().slice(0, most);
}

function missedWhen({ by, withinSeconds, unheardMs }: Missed, name: string): string {
  const who = by === 'either' ? [] : [by === 'agent' ? texts.transcriptAgent : name];
  const within = withinSeconds === undefined ? [] : [texts.phraseWithin(withinSeconds)];
  const unheard = unheardMs === undefined ? [] : [texts.phraseUnheard(Math.ceil(unheardMs / 1_000))];
  return [...who, ...within, ...unheard].join(', ');
}
