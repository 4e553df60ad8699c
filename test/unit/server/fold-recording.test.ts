/** What a log says of its recording, whatever arrives when, and the words a CRM gets for it. */
import {
  type AgentId,
  type CallLog,
  newCallId,
  type PhoneEvent,
  type TenantId,
  type WireEvent,
} from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOf } from '../../../packages/crm-adapters/src/log-words.ts';
import { foldCall } from '../../../server/src/call-log/fold.ts';

const callId = newCallId();
const owner = { callId, tenant: 'acme' as TenantId, agent: 'ada' as AgentId, extension: '1001' };
const answeredAt = Date.UTC(2026, 4, 4, 12, 3, 1);

type Said = readonly [name: PhoneEvent['name'], data: object, atMs?: number];
function events(said: readonly Said[], device = 'one'): WireEvent[] {
  const begin: Said[] = [
    ['call.started', { direction: 'inbound', farSide: { number: '+14155550101' } }, -2_000],
    ['call.answered', {}, 0],
  ];
  return [...begin, ...said].map(([name, data, atMs], n) => {
    const at = answeredAt + (atMs ?? (data as { startMs?: number }).startMs ?? n * 1_000);
    return { name, at, call: callId, data, id: `${callId}:${n}`, source: `/devices/${device}` } as unknown as WireEvent;
  });
}
const ended: Said = ['call.ended', { outcome: 'answered', reason: 'They hung up', by: 'far-side' }, 300_000];
function logOf(...said: readonly Said[]): CallLog {
  const log = foldCall(owner, events(said));
  if (log === null) throw new Error('there is no log');
  return log;
}
const lineOf = (log: CallLog): string | undefined =>
  textOf(log, 5_000)
    .split('\n')
    .find((line) => /recorded|consent/i.test(line));

describe('the log of a recorded call', () => {
  it('says nothing where nobody recorded and nobody asked', () => {
    expect(logOf(ended).recording).toBeUndefined();
    expect(lineOf(logOf(ended))).toBeUndefined();
  });

  it('has what was kept, and who agreed', () => {
    const log = logOf(
      ['consent.given', { how: 'asked' }, 3_000],
      ['recording.started', { startMs: 3_000, by: 'consent' }],
      ['recording.paused', { startMs: 80_000 }],
      ['recording.resumed', { startMs: 105_000, by: 'agent' }],
      ['recording.stopped', { startMs: 250_000, by: 'agent' }],
      ended,
    );
    expect(log.recording).toEqual({
      consent: { given: true, how: 'asked', at: answeredAt + 3_000 },
      kept: [
        { startMs: 3_000, endMs: 80_000 },
        { startMs: 105_000, endMs: 250_000 },
      ],
    });
    expect(lineOf(log)).toBe(
      'Recorded from 0:03 to 1:20, from 1:45 to 4:10. Consent: given, asked by the agent, 12:03:04 UTC.',
    );
  });

  it('has one that ends with the call, and the last word of the far side', () => {
    const log = logOf(
      ['recording.started', { startMs: 0, by: 'policy' }],
      ['recording.started', { startMs: 40_000, by: 'policy' }],
      ['consent.given', { how: 'announced' }],
      ended,
    );
    expect(log.recording?.kept).toEqual([{ startMs: 0, endMs: null }]);
    expect(lineOf(log)).toMatch(/^Recorded from 0:00 to 5:00\. Consent: given, after an announcement, /);
    const refused = logOf(
      ['recording.started', { startMs: 0, by: 'policy' }],
      ['consent.given', { how: 'announced' }],
      ['consent.refused', { how: 'asked' }, 60_000],
      ['recording.stopped', { startMs: 60_000, by: 'refusal' }],
      ended,
    );
    expect(lineOf(refused)).toBe('Recorded from 0:00 to 1:00. Consent: refused, asked by the agent, 12:04:01 UTC.');
  });

  it('says that there was none where the far side refused', () => {
    expect(lineOf(logOf(['consent.refused', { how: 'asked' }, 9_000], ended))).toBe(
      'Not recorded. Consent: refused, asked by the agent, 12:03:10 UTC.',
    );
  });

  it('tells a phone system’s recording from one that the phone asked for', () => {
    const handedOver: Said = [
      'recording.available',
      { channels: 2, durationMs: 300_000, madeBy: 'phone-system' },
      301_000,
    ];
    expect(logOf(handedOver, ended).recording).toEqual({ kept: [], byPhoneSystem: true });
    expect(lineOf(logOf(handedOver, ended))).toBe('Recorded by the phone system.');
    expect(lineOf(logOf(['consent.refused', { how: 'asked' }, 9_000], handedOver, ended))).toBe(
      'Recorded by the phone system. Consent: refused, asked by the agent, 12:03:10 UTC.',
    );
    const both = logOf(['recording.started', { startMs: 0, by: 'policy' }], handedOver, ended);
    expect(lineOf(both)).toBe('Recorded from 0:00 to 5:00. The recording that is kept is the phone system’s.');
    const ours: Said = ['recording.available', { channels: 2, durationMs: 300_000, madeBy: 'relay' }, 301_000];
    expect(logOf(['recording.started', { startMs: 0, by: 'policy' }], ours, ended)).toEqual(
      logOf(['recording.started', { startMs: 0, by: 'policy' }], ended),
    );
    const older: Said = ['recording.available', { channels: 1, durationMs: 300_000 }, 301_000];
    expect(logOf(older, ended).recording).toEqual({ kept: [], byPhoneSystem: true });
  });

  it('is the same in whatever order the events arrive, and however often', () => {
    const said = events([
      ['recording.started', { startMs: 1_000, by: 'agent' }],
      ['recording.paused', { startMs: 5_000 }],
      ['recording.resumed', { startMs: 9_000, by: 'timer' }],
      ['consent.given', { how: 'asked' }, 10_000],
      ['recording.stopped', { startMs: 20_000, by: 'agent' }],
      ended,
    ]);
    const whole = foldCall(owner, said);
    fc.assert(
      fc.property(fc.shuffledSubarray([...said, ...said], { minLength: said.length * 2 }), (mixed) => {
        expect(foldCall(owner, mixed)).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });
});
