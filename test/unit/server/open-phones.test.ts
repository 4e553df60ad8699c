import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { OpenPhones } from '../../../server/src/live/open-phones.ts';
import { createLog } from '../../../server/src/logging.ts';
import type { OpenPhoneStore } from '../../../server/src/store/contract.ts';

const minute = 60_000;
const phoneOf = (device: string) => ({
  tenant: 'acme' as TenantId,
  agent: 'ada' as AgentId,
  device: device as DeviceId,
});
const sourceOf = (device: string) => `/tenants/acme/agents/ada/devices/${device}`;

let now: number;
let away: boolean;
let told: (readonly string[])[];
let joined: (readonly string[])[];
let lines: unknown[];
let phones: OpenPhones;
beforeEach(() => {
  now = 1_790_000_000_000;
  away = false;
  told = [];
  joined = [];
  lines = [];
  const write = async (work: () => void): Promise<void> => {
    if (away) throw new Error('the store is away');
    work();
  };
  const store: OpenPhoneStore = {
    tell: (_relay, sources) => write(() => void told.push([...sources])),
    join: (_relay, sources) => write(() => void joined.push([...sources])),
    forget: () => Promise.resolve(),
    isOpen: () => Promise.resolve(false),
  };
  const log = createLog('warn', { write: (line) => void lines.push(JSON.parse(line)) });
  phones = new OpenPhones({ store, relay: 'one', log, now: () => now });
});

/** As a relay lives: a word each minute. */
async function watch(minutes: number): Promise<void> {
  for (let m = 0; m < minutes; m += 1) {
    now += minute;
    await phones.tell();
  }
}

describe('the phones of a relay', () => {
  it('are named while a socket of theirs is open, a phone with two of them until both are gone', async () => {
    const leave = phones.add(phoneOf('a'));
    const leaveToo = phones.add(phoneOf('a'));
    phones.add(phoneOf('b'));
    await phones.tell();
    leave();
    leave();
    await phones.tell();
    leaveToo();
    await phones.tell();
    expect(told).toEqual([[sourceOf('a'), sourceOf('b')], [sourceOf('a'), sourceOf('b')], [sourceOf('b')]]);
  });

  it('are told together soon after they came, though they left again, or with the minute’s word', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    phones.add(phoneOf('a'));
    phones.add(phoneOf('b'))();
    vi.advanceTimersByTime(1_000);
    expect(joined).toEqual([[sourceOf('a'), sourceOf('b')]]);
    phones.add(phoneOf('c'))();
    await phones.tell();
    vi.advanceTimersByTime(1_000);
    expect(joined.slice(1)).toEqual([[sourceOf('c')]]);
    expect(told).toEqual([[sourceOf('a')]]);
  });

  it('are not called gone before the relay has watched for long enough', async () => {
    expect(phones.goneBefore()).toBeNull();
    await phones.tell();
    await watch(4);
    expect(phones.goneBefore()).toBeNull();
    await watch(1);
    expect(phones.goneBefore()).toBe(now - 5 * minute);
  });

  it.each([
    [
      'the store was away',
      async () => {
        away = true;
        await watch(4);
        expect(phones.goneBefore()).toBeNull();
        away = false;
        await watch(1);
      },
    ],
    [
      'the machine was asleep',
      async () => {
        now += 60 * minute;
        expect(phones.goneBefore()).toBeNull();
        await phones.tell();
      },
    ],
    [
      'the clock was set back',
      async () => {
        now -= 60 * minute;
        await phones.tell();
      },
    ],
  ])('get the time to connect again after %s', async (_what, trouble) => {
    await phones.tell();
    await watch(10);
    expect(phones.goneBefore()).not.toBeNull();
    await trouble();
    expect(phones.goneBefore()).toBeNull();
    await watch(4);
    expect(phones.goneBefore()).toBeNull();
    await watch(1);
    expect(phones.goneBefore()).toBe(now - 5 * minute);
  });

  it('cost nobody anything while the store is away, and one line in the log', async () => {
    away = true;
    const leave = phones.add(phoneOf('a'));
    await phones.tell();
    await phones.tell();
    leave();
    await phones.stop();
    expect(lines).toHaveLength(1);
    away = false;
    await phones.tell();
    away = true;
    await phones.tell();
    expect(lines).toHaveLength(2);
  });
});
