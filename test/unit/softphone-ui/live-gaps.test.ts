import { type CallEvents, type PhoneEvent, toEnvelope, type WireEvent } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { createLiveGaps } from '../../../packages/softphone-ui/src/live-gaps.ts';

const call = '11111111-1111-4111-8111-111111111111';
const record = { crm: 'memory', object: 'Log', id: '1' } as const;

function envelope(name: 'call.ringing' | 'log.saved' | 'log.failed', n: number) {
  const data =
    name === 'log.saved' ? { record, logId: '1' } : name === 'log.failed' ? { reason: 'away', retrying: true } : {};
  return toEnvelope({ name, at: 1_790_000_000_000 + n, call, data } as PhoneEvent, `${call}:${n}`, '/tenants/acme');
}
const saved = (n: number): WireEvent =>
  ({
    name: 'log.saved',
    id: `${call}:${n}`,
    source: '/tenants/acme',
    at: 1,
    call,
    data: { record, logId: '1' },
  }) as never;

/** A relay that knows these events of the call, in pages of two. */
function stage(known: () => CallEvents['events']) {
  const asked: number[] = [];
  const told: string[] = [];
  const gaps = createLiveGaps(
    (_call, after) => {
      asked.push(after);
      const rest = known().filter(({ seq }) => seq > after);
      return Promise.resolve({ events: rest.slice(0, 2), more: rest.length > 2 });
    },
    (event) => told.push(event.id),
  );
  return { gaps, asked, told };
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

it('asks after each new connection for what became of a call, and tells only the relay’s events, in order', async () => {
  const { gaps, asked, told } = stage(() => [
    { seq: 1, event: envelope('call.ringing', 1) },
    { seq: 2, event: envelope('log.failed', 2) },
    { seq: 3, event: envelope('call.ringing', 3) },
    { seq: 4, event: envelope('log.saved', 4) },
  ]);
  gaps.joined();
  expect(asked).toEqual([]);
  gaps.published([envelope('call.ringing', 1)]);
  gaps.joined();
  await settled();
  expect(told).toEqual([`${call}:2`, `${call}:4`]);
  expect(asked).toEqual([0, 2]);
  gaps.joined();
  await settled();
  expect(asked).toEqual([0, 2]);
});

it('tells nothing twice, nor an older event after a newer one', async () => {
  const { gaps, told } = stage(() => [{ seq: 2, event: envelope('log.failed', 2) }]);
  gaps.published([envelope('call.ringing', 1)]);
  expect(gaps.heard(saved(5), 5)).toBe(true);
  expect(gaps.heard(saved(5), 5)).toBe(false);
  expect(gaps.heard(saved(4), 4)).toBe(false);
  expect(gaps.heard(saved(9), undefined)).toBe(true);
  gaps.published([envelope('call.ringing', 3)]);
  gaps.joined();
  await settled();
  expect(told).toEqual([]);
});

it('asks again later when the relay could not answer', async () => {
  let away = true;
  const told: string[] = [];
  const gaps = createLiveGaps(
    () =>
      away
        ? Promise.reject(new Error('away'))
        : Promise.resolve({ events: [{ seq: 5, event: envelope('log.saved', 5) }], more: false }),
    (event) => told.push(event.id),
  );
  gaps.published([envelope('call.ringing', 1)]);
  gaps.joined();
  await settled();
  away = false;
  gaps.joined();
  await settled();
  expect(told).toEqual([`${call}:5`]);
});
