import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anomaliesOf, pastOf } from '../../../server/src/brakes/anomaly.ts';
import { dayIn, endOf, isOpen, windowsAround } from '../../../server/src/brakes/hours.ts';
import { costOf, micro, RateTable, readRateFile } from '../../../server/src/brakes/rate-table.ts';
import type { UsageDay } from '../../../server/src/store/contract.ts';

describe('rates', () => {
  const table = new RateTable(
    [
      { prefix: '49', perMinute: 0.02, connection: 0 },
      { prefix: '4915', perMinute: 0.1, connection: 0.05 },
    ],
    2,
  );

  it('take the longest prefix, and a price for what no row covers', () => {
    expect(table.of('4930123')).toEqual({ perMinute: 0.02 * micro, connection: 0 });
    expect(table.of('4915112')).toEqual({ perMinute: 0.1 * micro, connection: 0.05 * micro });
    expect(table.of('37167')).toEqual({ perMinute: 2 * micro, connection: 0 });
  });

  it('charge by time and never less for a longer call', () => {
    expect(costOf(table.of('4915112'), 90_000)).toBe((0.15 + 0.05) * micro);
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.nat(10_000), (ms, more) => {
        expect(costOf(table.of('49'), ms + more)).toBeGreaterThanOrEqual(costOf(table.of('49'), ms));
      }),
    );
  });

  it('are read from a file, which is told by its line when it is wrong', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'patchcord-rates-'));
    const file = join(folder, 'rates.csv');
    await writeFile(file, 'prefix,price,fee\n# home\n+49,0.02\n1876,"0.8",0.1\n');
    expect(readRateFile(file)).toEqual([
      { prefix: '49', perMinute: 0.02, connection: 0 },
      { prefix: '1876', perMinute: 0.8, connection: 0.1 },
    ]);
    await writeFile(file, '49,cheap\n');
    expect(() => readRateFile(file)).toThrow(/line 1 of/);
    expect(() => readRateFile(join(folder, 'none.csv'))).toThrow(/cannot be read/);
    await rm(folder, { recursive: true });
  });
});

describe('hours', () => {
  const office = {
    timeZone: 'Europe/Berlin',
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    from: '08:00',
    to: '18:00',
  } as const;
  const open = (text: string) => isOpen(windowsAround(office, Date.parse(text)), Date.parse(text));

  it('are those of the time zone, before and after the clocks change', () => {
    expect(open('2026-10-23T06:00:00Z')).toBe(true);
    expect(open('2026-10-23T05:59:59Z')).toBe(false);
    expect(open('2026-10-26T06:30:00Z')).toBe(false);
    expect(open('2026-10-26T07:00:00Z')).toBe(true);
    expect(open('2026-10-25T12:00:00Z')).toBe(false);
  });

  it('may reach over midnight', () => {
    const night = { timeZone: 'UTC', days: ['fri'], from: '22:00', to: '06:00' } as const;
    const at = (text: string) => isOpen(windowsAround(night, Date.parse(text)), Date.parse(text));
    expect(at('2026-11-20T23:00:00Z')).toBe(true);
    expect(at('2026-11-21T05:59:00Z')).toBe(true);
    expect(at('2026-11-21T06:00:00Z')).toBe(false);
  });

  it('change for whoever is told only once a day', () => {
    const morning = windowsAround(office, Date.parse('2026-11-18T01:00:00Z'));
    expect(windowsAround(office, Date.parse('2026-11-18T21:00:00Z'))).toEqual(morning);
  });

  it('know the day and its end', () => {
    const late = Date.parse('2026-11-30T23:30:00Z');
    expect(dayIn('Europe/Berlin', late)).toBe('2026-12-01');
    expect(new Date(endOf('day', 'UTC', late)).toISOString()).toBe('2026-12-01T00:00:00.000Z');
    expect(new Date(endOf('month', 'Europe/Berlin', late)).toISOString()).toBe('2026-12-31T23:00:00.000Z');
  });
});

describe('anomalies', () => {
  const days = (count: number, calls = 48): UsageDay[] =>
    Array.from({ length: count }, (_unused, n) => ({
      agent: 'ada' as UsageDay['agent'],
      day: `2026-11-${String(n + 1).padStart(2, '0')}`,
      calls,
      spent: 0,
      // 8 to 15 o'clock
      hours: 0b1111_1111_0000_0000,
    }));

  it('say nothing about somebody without a past', () => {
    expect(anomaliesOf(pastOf(days(4)), { newCountry: true, hour: 3, callsThisHour: 500 })).toEqual([]);
  });

  it('notice a new country, a spike and an hour far from the usual ones', () => {
    const past = pastOf(days(12));
    expect(anomaliesOf(past, { newCountry: true, hour: 10, callsThisHour: 6 })).toEqual(['newCountry']);
    expect(anomaliesOf(past, { newCountry: false, hour: 3, callsThisHour: 1 })).toEqual(['unusualHour']);
    expect(anomaliesOf(past, { newCountry: false, hour: 10, callsThisHour: 35 })).toEqual(['spike']);
  });

  it('do not cry over a busy day or an early start', () => {
    const past = pastOf(days(12));
    expect(anomaliesOf(past, { newCountry: false, hour: 7, callsThisHour: 20 })).toEqual([]);
  });
});
