/** A normal day in a call centre of 200 agents, made from a seed: what the brakes would have done to honest calls. */
import { describe, expect, it } from 'vitest';
import { anomaliesOf, pastOf } from '../../../server/src/brakes/anomaly.ts';
import { destinationsOf, judge, usualEmergencyNumbers } from '../../../server/src/brakes/destinations.ts';
import { checkConfig } from '../../../server/src/config.ts';
import type { UsageDay } from '../../../server/src/store/contract.ts';
import { testConfig } from './relay-in-test.ts';

interface HonestCall {
  readonly at: number;
  readonly until: number;
  readonly number: string;
  readonly country: string;
}

/** mulberry32: small, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One agent's day: shifts, breaks, redials, consult calls, long and short talks, some calls abroad. Seconds of the day. */
function dayOf(
  random: () => number,
  agent: { readonly begins: number; readonly pace: number; readonly abroad: number },
): HonestCall[] {
  const calls: HonestCall[] = [];
  const ends = agent.begins + 8 * 3_600 + random() * 1_800;
  const digits = () => String(Math.floor(random() * 10_000)).padStart(4, '0');
  const busy = 0.6 + random() * 1.2;
  for (let at = agent.begins + random() * 900; at < ends; ) {
    const abroad = random() < agent.abroad;
    const number = abroad
      ? random() < 0.7
        ? `+1613555${digits()}`
        : `+44207946${digits()}`
      : (['+1415555', '+1212555', '415555', '1 (303) 555-'].map((start) => `${start}${digits()}`.slice(0, 20))[
          Math.floor(random() * 4)
        ] ?? '+1415555');
    const short = random() < 0.35;
    const talk = short ? 5 + random() * 25 : 30 - Math.log(1 - random()) * 160;
    calls.push({ at, until: at + talk, number, country: abroad ? (number.startsWith('+44') ? 'GB' : 'CA') : 'US' });
    // A colleague or a specialist is asked while the caller waits.
    if (random() < 0.04)
      calls.push({ at: at + talk / 2, until: at + talk, number: `+1212555${digits()}`, country: 'US' });
    const redial = short && random() < 0.3;
    at += talk + (redial ? 3 + random() * 5 : 20 - Math.log(1 - random()) * (agent.pace / busy));
    if (random() < 0.01) at += 1_800;
  }
  return calls.sort((a, b) => a.at - b.at);
}

describe('a normal day', () => {
  it('is left alone: at most one honest call in a thousand is refused or told', () => {
    const random = seeded(20_261_121);
    const { brakes } = checkConfig(testConfig()).tenants[0] ?? { brakes: null };
    if (brakes === null) throw new Error('The configuration has no tenant.');
    const destinations = destinationsOf({
      country: 'US',
      countries: ['US', 'CA', 'GB'],
      allowedPrefixes: [],
      refusedPrefixes: [],
      emergencyNumbers: usualEmergencyNumbers,
      outsideLine: '',
      internalDigits: [4],
      numberForm: 'as-dialled',
    });
    let all = 0;
    let hit = 0;
    for (let n = 0; n < 200; n += 1) {
      const agent = {
        begins: (7 + Math.floor(random() * 4)) * 3_600,
        pace: 120 + random() * 400,
        abroad: random() < 0.3 ? 0.02 + random() * 0.1 : 0,
      };
      const days: UsageDay[] = [];
      const countries = new Set(['US']);
      for (let day = 1; day <= 20; day += 1) {
        const past = dayOf(random, agent);
        let hours = 0;
        for (const call of past) {
          hours |= 1 << Math.floor(call.at / 3_600);
          countries.add(call.country);
        }
        days.push({
          agent: 'a' as UsageDay['agent'],
          day: `2026-11-${String(day).padStart(2, '0')}`,
          calls: past.length,
          spent: 0,
          hours,
        });
      }
      const past = pastOf(days);
      const begun: HonestCall[] = [];
      for (const call of dayOf(random, agent)) {
        all += 1;
        const within = (seconds: number) => begun.filter(({ at }) => at > call.at - seconds).length + 1;
        const refused =
          judge(destinations, call.number).kind !== 'allowed' ||
          within(60) > brakes.callsPerMinute ||
          within(3_600) > brakes.callsPerHour ||
          begun.filter(({ until }) => until > call.at).length + 1 > brakes.concurrentCalls;
        const anomalies = anomaliesOf(past, {
          newCountry: !countries.has(call.country),
          hour: Math.floor(call.at / 3_600),
          callsThisHour: within(3_600),
        });
        countries.add(call.country);
        if (refused || anomalies.length > 0) hit += 1;
        if (!refused) begun.push(call);
      }
    }
    expect(all).toBeGreaterThan(10_000);
    expect(hit / all).toBeLessThanOrEqual(0.001);
  });
});
