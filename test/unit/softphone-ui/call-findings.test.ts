/** What the relay makes of the words of a call: told twice it is known once, and the later word counts. */
import type { MachineSummary, WireEvent } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import {
  createCallFindings,
  type Missed,
  type Spotted,
} from '../../../packages/softphone-ui/src/transcription/findings.ts';

const spotted = (part: Partial<Spotted>): Spotted => ({
  ...{ rule: 'leaves', label: 'Wants to leave', severity: 'warning', speaker: 'far-side', phrase: 'cancel' },
  ...{ line: 0, startMs: 0 },
  ...part,
});
const missed = (rule: string): Missed => ({ rule, label: rule, severity: 'critical', by: 'agent' });
const summary = (text: string): MachineSummary => ({
  ...{ summary: text, actionItems: [], sentiment: 'neutral', model: 'm', promptVersion: 1 },
});
type Told = Pick<WireEvent, 'name' | 'data'> & { readonly call?: string; readonly at?: number };

function hearing(...events: readonly Told[]) {
  const findings = createCallFindings();
  for (const event of events) findings.heard({ at: 0, call: 'a', ...event } as WireEvent);
  return findings;
}

it('keeps a phrase once, however often it is told, and all of them by time', () => {
  const late = { name: 'phrase.spotted', data: spotted({ line: 4, startMs: 9_000 }) } as const;
  const early = { name: 'phrase.spotted', data: spotted({ line: 1, startMs: 2_000 }) } as const;
  const other = { name: 'phrase.spotted', data: spotted({ line: 1, startMs: 2_000, speaker: 'agent' }) } as const;
  const known = hearing(late, early, late, other, early).of('a').value.spotted;
  expect(known.map(({ speaker, line }) => `${speaker} ${line}`)).toEqual(['far-side 1', 'agent 1', 'far-side 4']);
});

it('does not call missed what was heard, whichever is told first', () => {
  const heard = { name: 'phrase.spotted', data: spotted({ rule: 'notice', awaited: true }) } as const;
  const notHeard = { name: 'phrase.missed', data: missed('notice') } as const;
  const other = { name: 'phrase.missed', data: missed('thanks') } as const;
  expect(hearing(heard, notHeard).of('a').value.missed).toEqual([]);
  expect(hearing(notHeard, other, other, heard).of('a').value.missed).toEqual([missed('thanks')]);
});

it('has the summary that was made last, also when an older one is told after it', () => {
  const made = (text: string, at: number) => ({ name: 'call.summarised', data: summary(text), at }) as const;
  const known = hearing(made('second', 2), made('first', 1)).of('a');
  expect(known.value.summary).toEqual(summary('second'));
});

it('keeps each call by itself, for as long as it is there, and nothing that is no finding', () => {
  const findings = hearing(
    { name: 'call.summarised', data: summary('of a'), at: 7 },
    { name: 'call.summarised', data: summary('of b'), call: 'b', at: 7 },
    { name: 'log.saved', data: { logId: '1' } } as unknown as Told,
  );
  findings.keep(['b']);
  expect([findings.of('a').value.summary, findings.of('b').value.summary?.summary]).toEqual([null, 'of b']);
  findings.heard({ name: 'call.summarised', data: summary('anew'), call: 'a', at: 1 } as unknown as WireEvent);
  expect(findings.of('a').value.summary?.summary).toBe('anew');
});
