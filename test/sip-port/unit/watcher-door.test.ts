// @vitest-environment jsdom
/** Watching is loaded when the line is ready and there is something to watch: once, not before, and again after a load that failed. */
import { afterEach, expect, it } from 'vitest';
import { WatcherDoor } from '../../../packages/phone-engine/src/sip/watcher-door.ts';
import type { SipSignal } from '../../../packages/phone-engine/src/state.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

/** Stands in for the module: notes what it is asked to do. */
class NotedWatcher {
  static readonly asked: string[] = [];
  set(watching: unknown) {
    NotedWatcher.asked.push(`set ${JSON.stringify(watching)}`);
  }
  lineReady() {
    NotedWatcher.asked.push('ready');
  }
  lineLost() {
    NotedWatcher.asked.push('lost');
  }
  takeUnsolicited() {
    NotedWatcher.asked.push('summary');
    return true;
  }
  stop() {
    NotedWatcher.asked.push('stop');
  }
}

afterEach(() => {
  NotedWatcher.asked.length = 0;
});

function door(outcomes: ('there' | 'away')[] = []) {
  const clock = new FakeClock();
  const signals: SipSignal[] = [];
  let loads = 0;
  const options = {
    clock,
    signal: (signal: SipSignal) => void signals.push(signal),
    load: () => {
      loads += 1;
      return outcomes.shift() === 'away'
        ? Promise.reject(new Error('no network'))
        : Promise.resolve({ Watcher: NotedWatcher });
    },
  } as unknown as ConstructorParameters<typeof WatcherDoor>[0];
  return { door: new WatcherDoor(options), clock, signals, loads: () => loads };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const summary = { getHeader: () => 'message-summary', body: 'Messages-Waiting: yes' } as never;
const some = { extensions: ['1002'], mailbox: true };

it('is not loaded while nothing is watched, nor before the line is ready', async () => {
  const { door: idle, loads } = door();
  idle.set({ extensions: [], mailbox: false });
  idle.lineReady();
  await settled();
  expect(loads()).toBe(0);
  const { door: early, loads: earlyLoads, signals } = door();
  early.set(some);
  await settled();
  expect(earlyLoads()).toBe(0);
  expect(signals).toEqual([
    {
      type: 'sip.watched',
      watched: [{ extension: '1002', status: 'unknown', farSide: null, direction: null, canTake: false }],
    },
  ]);
});

it('is loaded once, and then hears what was asked for meanwhile', async () => {
  const { door: it, loads } = door();
  it.set(some);
  it.lineReady();
  expect(it.takeUnsolicited(summary)).toBe(true);
  it.lineReady();
  await settled();
  it.set({ extensions: [], mailbox: true });
  it.lineLost();
  it.lineReady();
  expect(loads()).toBe(1);
  expect(NotedWatcher.asked).toEqual([
    'set {"extensions":["1002"],"mailbox":true}',
    'summary',
    'ready',
    'set {"extensions":[],"mailbox":true}',
    'lost',
    'ready',
  ]);
});

it('says in words that it could not be loaded, tries again, and takes the words back', async () => {
  const { door: it, clock, signals, loads } = door(['away', 'there']);
  it.set(some);
  it.lineReady();
  await settled();
  const troubles = () => signals.filter(({ type }) => type === 'sip.watch-trouble');
  expect(troubles()).toEqual([expect.objectContaining({ reason: expect.stringContaining('could not be loaded') })]);
  clock.advance(30_000);
  await settled();
  expect(loads()).toBe(2);
  expect(troubles().at(-1)).toEqual({ type: 'sip.watch-trouble', reason: '' });
  expect(NotedWatcher.asked).toContain('ready');
});

it('loads nothing for a line that was given up meanwhile', async () => {
  const { door: it, loads } = door();
  it.set(some);
  it.lineReady();
  it.stop();
  await settled();
  expect(loads()).toBe(1);
  expect(NotedWatcher.asked).toEqual([]);
});
