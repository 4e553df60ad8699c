/** A call that several devices of an agent tell, one after the other: one log, whatever arrives when. */
import { type AgentId, newCallId, type PhoneEvent, type TenantId, type WireEvent } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldCall, relaySource } from '../../../server/src/call-log/fold.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
const callId = newCallId();
const owner = { callId, tenant, agent, extension: '1001' };
const deviceOf = (name: string): string => `/tenants/acme/agents/ada/devices/${name}`;

interface Told {
  readonly by: string;
  readonly n: number;
  readonly at: number;
  readonly name: PhoneEvent['name'];
  readonly data?: unknown;
}
const event = ({ by, n, at, name, data = {} }: Told): WireEvent =>
  ({ name, at, call: callId, data, id: `${callId}:${n}`, source: deviceOf(by) }) as unknown as WireEvent;
const inbound = { direction: 'inbound', farSide: { number: '+14155550101' } };
const hungUp = { outcome: 'answered', reason: 'You hung up', by: 'agent' };
const recovered = { way: 'resume', peer: 'Asterisk', afterMs: 400 };

/** How often the call goes to another device (or a new page of the same one), and what is said in between. */
const life = fc.record({
  hands: fc.array(
    fc.record({
      to: fc.constantFrom('a', 'b', 'c'),
      afterMs: fc.integer({ min: 1, max: 60_000 }),
      words: fc.array(fc.constantFrom('call.held', 'call.resumed', 'wrap-up.saved'), { maxLength: 3 }),
      /** The device that lost it says for itself that the call ended; its clock, or its socket, may be late. */
      leftBehind: fc.option(fc.integer({ min: 0, max: 120_000 })),
    }),
    { maxLength: 5 },
  ),
  restartsNumbers: fc.boolean(),
  endsAfterMs: fc.integer({ min: 1, max: 60_000 }),
  endedByRule: fc.boolean(),
});

describe('a call that goes from one device to another', () => {
  it('has one log with the times of whoever had it, in whatever order its events arrive, and however often', () => {
    fc.assert(
      fc.property(life, fc.infiniteStream(fc.nat()), ({ hands, restartsNumbers, endsAfterMs, endedByRule }, random) => {
        const events: WireEvent[] = [];
        const numbers = new Map<string, number>();
        let at = 1_000_000;
        let by = 'a';
        const tell = (name: PhoneEvent['name'], data?: unknown, from = by, when = at): void => {
          const key = restartsNumbers ? from : 'all';
          const n = (numbers.get(key) ?? 0) + 1;
          numbers.set(key, n);
          events.push(event({ by: from, n, at: when, name, data }));
        };
        tell('call.started', inbound);
        at += 3_000;
        tell('call.answered');
        const answeredAt = at;
        for (const [hand, { to, afterMs, words, leftBehind }] of hands.entries()) {
          at += afterMs;
          const before = by;
          by = to;
          tell('call.recovered', recovered);
          for (const word of words) {
            at += 10;
            tell(word, word === 'wrap-up.saved' ? { note: `by ${by}` } : {});
          }
          // Whoever gets the call again knows that it goes on.
          const isDone = before !== to && hands.slice(hand + 1).every((later) => later.to !== before);
          if (leftBehind !== null && isDone)
            tell(
              'call.ended',
              { outcome: 'failed', reason: 'The line was lost', by: 'network' },
              before,
              at + leftBehind,
            );
        }
        at += endsAfterMs;
        tell('call.ended', hungUp);
        const endedAt = at;
        if (endedByRule)
          events.push({
            ...event({ by, n: 1, at: answeredAt + 1, name: 'call.ended', data: hungUp }),
            id: `${callId}:by-rule`,
            source: relaySource(tenant),
          });
        const told = [...events, ...events.slice(0, 3)].map((one) => ({ one, key: random.next().value ?? 0 }));
        const shuffled = told.sort((x, y) => x.key - y.key).map(({ one }) => one);
        const log = foldCall(owner, shuffled);
        expect(log).toEqual(foldCall(owner, events));
        expect(log).toMatchObject({
          ...{ startedAt: 1_000_000, answeredAt, endedAt, talkMs: endedAt - answeredAt, outcome: 'answered' },
          ...{ stage: 'ended', reason: 'You hung up' },
        });
        expect(log?.endedByRule).toBeUndefined();
      }),
    );
  });

  it('is not over because the device that lost it says so, and is when nobody is left to say it', () => {
    const started = event({ by: 'a', n: 1, at: 1_000, name: 'call.started', data: inbound });
    const answered = event({ by: 'a', n: 2, at: 2_000, name: 'call.answered' });
    const lost = { outcome: 'failed', reason: 'The line was lost', by: 'network' };
    const ended = event({ by: 'a', n: 3, at: 3_000, name: 'call.ended', data: lost });
    const back = event({ by: 'b', n: 1, at: 4_000, name: 'call.recovered', data: recovered });
    expect(foldCall(owner, [started, answered, ended])).toMatchObject({ stage: 'ended', endedAt: 3_000 });
    expect(foldCall(owner, [started, answered, ended, back])).toMatchObject({ stage: 'live', endedAt: null });
    const rule = {
      ...event({ by: 'a', n: 1, at: 9_000, name: 'call.ended', data: hungUp }),
      ...{ id: `${callId}:by-rule`, source: relaySource(tenant) },
    };
    expect(foldCall(owner, [started, answered, ended, back, rule])).toMatchObject({
      endedAt: 9_000,
      endedByRule: true,
    });
  });

  it('is over when the device that took it over says so, also where it never came up there', () => {
    const words = [
      event({ by: 'a', n: 1, at: 1_000, name: 'call.started', data: inbound }),
      event({ by: 'a', n: 2, at: 1_500, name: 'call.recovered', data: { ...recovered, way: 'rung-again' } }),
      event({ by: 'a', n: 3, at: 2_000, name: 'call.answered' }),
      event({ by: 'b', n: 1, at: 3_000, name: 'call.taken-over', data: { direction: 'inbound', answered: true } }),
    ];
    expect(foldCall(owner, words)).toMatchObject({ stage: 'live' });
    const over = event({ by: 'b', n: 2, at: 4_000, name: 'call.ended', data: hungUp });
    expect(foldCall(owner, [...words, over])).toMatchObject({ endedAt: 4_000, stage: 'ended' });
  });

  it('is the first one’s again when that takes it back', () => {
    const words = [
      event({ by: 'a', n: 1, at: 1_000, name: 'call.started', data: inbound }),
      event({ by: 'a', n: 2, at: 2_000, name: 'call.answered' }),
      event({ by: 'b', n: 1, at: 3_000, name: 'call.recovered', data: recovered }),
      event({ by: 'a', n: 3, at: 4_000, name: 'call.recovered', data: recovered }),
      event({ by: 'b', n: 2, at: 4_500, name: 'call.ended', data: hungUp }),
      event({ by: 'a', n: 4, at: 9_000, name: 'call.ended', data: hungUp }),
    ];
    expect(foldCall(owner, words)).toMatchObject({ endedAt: 9_000, talkMs: 7_000 });
  });
});
