import type { CallLog, TranscriptLine, WireEvent } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { CallEar, missedIn, rulesOf } from '../../../../server/src/after-call/spotting.ts';
import type { SpottingRule } from '../../../../server/src/config/after-call.ts';

const rule = (change: Partial<SpottingRule> & { readonly phrases: string[] }): SpottingRule => ({
  id: 'rule',
  label: 'A rule',
  severity: 'warning',
  by: 'either',
  tell: 'said',
  exact: false,
  ...change,
});
const line = (text: string, change: Partial<TranscriptLine> = {}): TranscriptLine => ({
  line: 1,
  speaker: 'agent',
  text,
  startMs: 1_000,
  endMs: 2_000,
  final: true,
  ...change,
});
const earFor = (...rules: SpottingRule[]): CallEar => new CallEar(rulesOf({ language: 'en', rules }));

describe('a rule', () => {
  it('is told with its own words, who said it and when, never with what was said', () => {
    const ear = earFor(
      rule({ id: 'leaving', label: 'Wants to leave', phrases: ['close * account'], severity: 'critical' }),
    );
    expect(
      ear.hear(line('I will close my secret account now', { speaker: 'far-side', line: 7, startMs: 83_000 })),
    ).toEqual([
      {
        rule: 'leaving',
        label: 'Wants to leave',
        severity: 'critical',
        speaker: 'far-side',
        phrase: 'close * account',
        line: 7,
        startMs: 83_000,
      },
    ]);
  });

  it('hears only the side it is for', () => {
    const ear = earFor(
      rule({ id: 'a', by: 'agent', phrases: ['guarantee'] }),
      rule({ id: 'f', by: 'far-side', phrases: ['guarantee'] }),
    );
    const told = (speaker: TranscriptLine['speaker']): readonly string[] =>
      ear.hear(line('guaranteed', { speaker })).map((one) => one.rule);
    expect([told('agent'), told('far-side')]).toEqual([['a'], ['f']]);
  });

  it('takes words as they are written where it says so', () => {
    expect(earFor(rule({ phrases: ['refund'], exact: true })).hear(line('refunds'))).toEqual([]);
    expect(earFor(rule({ phrases: ['refund'] })).hear(line('refunds'))).toHaveLength(1);
  });

  it('looks at final lines alone, and at each once', () => {
    const ear = earFor(rule({ phrases: ['refund'] }));
    expect(ear.hear(line('refund', { final: false }))).toEqual([]);
    expect(ear.hear(line('a refund and a refund'))).toHaveLength(1);
    expect(ear.hear(line('a refund and a refund'))).toEqual([]);
    expect(ear.hear(line('a refund', { line: 2, startMs: 60_000, endMs: 61_000 }))).toHaveLength(1);
  });

  it('finds a phrase across two lines of one side, dated by the first, and not across a pause or sides', () => {
    const two = (change: Partial<TranscriptLine>): readonly number[] => {
      const ear = earFor(rule({ phrases: ['this call is recorded'] }));
      ear.hear(line('Good morning, this call'));
      return ear
        .hear(line('is recorded', { line: 2, startMs: 2_200, endMs: 3_000, ...change }))
        .map(({ startMs }) => startMs);
    };
    expect(two({})).toEqual([1_000]);
    expect(two({ startMs: 9_000, endMs: 9_900 })).toEqual([]);
    expect(two({ speaker: 'far-side' })).toEqual([]);
  });

  it('does not tell once more what the line before told', () => {
    const ear = earFor(rule({ phrases: ['recorded'] }), rule({ id: 'long', phrases: ['one two three four five six'] }));
    expect(ear.hear(line('it is recorded'))).toHaveLength(1);
    expect(ear.hear(line('all of it', { line: 2, startMs: 2_100, endMs: 3_000 }))).toEqual([]);
  });

  it('ends with its time', () => {
    const ear = earFor(rule({ phrases: ['recorded'], withinSeconds: 30 }));
    expect(ear.hear(line('recorded', { startMs: 30_001, endMs: 31_000 }))).toEqual([]);
    expect(ear.hear(line('recorded', { startMs: 30_000, endMs: 31_000, line: 2 }))).toHaveLength(1);
  });

  it('is told twenty times in a call and no more', () => {
    const ear = earFor(rule({ phrases: ['damn'] }));
    const told = Array.from({ length: 50 }, (_, index) =>
      ear.hear(line('damn', { line: index, startMs: index * 10_000, endMs: index * 10_000 + 500 })),
    );
    expect(told.flat()).toHaveLength(20);
  });
});

describe('what had to be said', () => {
  const notice = rule({
    id: 'notice',
    label: 'Notice',
    by: 'agent',
    tell: 'not-said',
    phrases: ['recorded'],
    withinSeconds: 30,
  });
  const log = (change: Partial<CallLog> = {}): CallLog =>
    ({ stage: 'ended', answeredAt: 1_000, talkMs: 60_000, consultFor: null, ...change }) as CallLog;
  const event = (name: string, data: unknown): WireEvent => ({ name, data }) as WireEvent;
  const heard = event('transcript.started', { speaker: 'agent' });
  const missed = (events: readonly WireEvent[], change: Partial<CallLog> = {}, rules = [notice]): readonly string[] =>
    missedIn({ rules }, log(change), events).map((one) => one.rule);

  it('and was not is missed', () => {
    expect(missedIn({ rules: [notice] }, log(), [heard])).toEqual([
      { rule: 'notice', label: 'Notice', severity: 'warning', by: 'agent', withinSeconds: 30 },
    ]);
  });
  it('and was, is not', () => expect(missed([heard, event('phrase.spotted', { rule: 'notice' })])).toEqual([]));
  it('and may have been said in a gap is missed, and the gap is told', () => {
    const gap = (startMs: number, endMs: number): WireEvent =>
      event('transcript.interrupted', { startMs, endMs, why: 'lost' });
    const [one] = missedIn({ rules: [notice] }, log(), [
      heard,
      gap(5_000, 8_000),
      gap(25_000, 50_000),
      gap(55_000, 60_000),
    ]);
    expect(one?.unheardMs).toBe(8_000);
    // Both sides were not heard at once: their service was away.
    const both = [heard, gap(10_000, 16_000), gap(5_000, 12_000), gap(11_000, 12_000)];
    expect(missedIn({ rules: [notice] }, log(), both)[0]?.unheardMs).toBe(11_000);
  });
  it('by a side nobody heard is not judged', () => {
    expect(missed([])).toEqual([]);
    expect(missed([event('transcript.started', { speaker: 'far-side' })])).toEqual([]);
    const either = { ...notice, by: 'either' as const };
    expect(missed([event('transcript.started', { speaker: 'far-side' })], {}, [either])).toEqual(['notice']);
  });
  it('in a time the call did not last is not judged', () => {
    expect(missed([heard], { talkMs: 29_999 })).toEqual([]);
    const { withinSeconds: _none, ...untilTheEnd } = notice;
    expect(missed([heard], { talkMs: 29_999 }, [untilTheEnd])).toEqual(['notice']);
  });
  it('is not judged in a call that lives, was never answered, or only consulted', () => {
    expect(missed([heard], { stage: 'live' })).toEqual([]);
    expect(missed([heard], { answeredAt: null })).toEqual([]);
    expect(missed([heard], { consultFor: 'x' as never })).toEqual([]);
  });
  it('is told as said when it is', () => {
    expect(earFor(notice).hear(line('recorded'))).toMatchObject([{ rule: 'notice', awaited: true }]);
  });
});
