/** Calls of an earlier owner before there is a line: remembered, ended on demand, and never lost because a part could not be loaded. */
import type { KeptDialog, SipSignal } from '@patchcord/phone-engine';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { Inheritance } from '../../../packages/phone-engine/src/sip/inheritance.ts';

const kept = (call: string, stage: KeptDialog['stage'], callId = call) =>
  ({ call, stage, callId, peer: 'Asterisk PBX 22' }) as unknown as KeptDialog;

function setUp(load: () => Promise<void> = async () => {}) {
  const clock = new FakeClock();
  const signals: SipSignal[] = [];
  const done: string[] = [];
  class TakingUp {
    take = ({ call }: KeptDialog) => done.push(`take ${call}`);
    end = ({ call }: KeptDialog) => done.push(`end ${call}`);
    lineReady = () => done.push('ready');
    move = () => done.push('move');
  }
  const inheritance = new Inheritance({
    clock,
    signal: (signal) => signals.push(signal),
    taking: () => ({}) as never,
    load: async () => {
      await load();
      return { TakingUp } as never;
    },
  });
  return { clock, signals, done, inheritance };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('gives what is up and what was being placed to whoever takes it up, and tells of it until then', async () => {
  const { inheritance, done } = setUp();
  inheritance.take([kept('a', 'confirmed'), kept('b', 'inviting')]);
  expect(inheritance.dialogs.map(({ call }) => call)).toEqual(['a', 'b']);
  inheritance.lineReady();
  await settled();
  expect(done).toEqual(['ready', 'take a', 'take b', 'ready']);
  expect(inheritance.dialogs).toEqual([]);
});

it('waits three seconds after the line is ready for a caller to be offered again', () => {
  const { inheritance, clock, signals } = setUp();
  inheritance.take([kept('a', 'invited', 'one'), kept('b', 'invited', 'two')]);
  clock.advance(60_000);
  inheritance.lineReady();
  const found = inheritance.claim('one');
  expect(found?.call).toBe('a');
  if (found) inheritance.rangAgain(found);
  expect(signals).toEqual([{ type: 'sip.recovered', call: 'a', way: 'rung-again', peer: 'Asterisk' }]);
  expect(inheritance.claim('one')).toBeUndefined();
  clock.advance(2_999);
  expect(signals).toHaveLength(1);
  clock.advance(1);
  expect(signals[1]).toMatchObject({ type: 'sip.ended', call: 'b', by: 'network' });
  expect(inheritance.claim('two')).toBeUndefined();
});

it('ends what the agent hangs up, once, and sends its caller away', async () => {
  const { inheritance, signals, done, clock } = setUp();
  inheritance.take([kept('a', 'invited', 'one'), kept('b', 'confirmed')]);
  inheritance.hangUp('a' as never);
  inheritance.hangUp('b' as never);
  inheritance.hangUp('b' as never);
  // A page that goes before it is said leaves it to the next.
  expect(inheritance.dialogs.map(({ call }) => call)).toEqual(['b']);
  expect(signals.map((signal) => signal.type === 'sip.ended' && [signal.call, signal.by])).toEqual([
    ['a', 'agent'],
    ['b', 'agent'],
  ]);
  await settled();
  expect(done).toEqual(['end b']);
  expect(inheritance.dialogs).toEqual([]);
  expect(inheritance.claim('one')).toBeNull();
  inheritance.lineReady();
  clock.advance(10_000);
  expect(signals).toHaveLength(2);
});

it('asks for the missing part again, and ends the calls only when it never comes', async () => {
  let asked = 0;
  const { inheritance, signals, done, clock } = setUp(async () => {
    asked += 1;
    if (asked < 3) throw new Error('offline');
  });
  inheritance.take([kept('a', 'confirmed')]);
  for (let n = 0; n < 4; n += 1) {
    await settled();
    clock.advance(700);
  }
  await settled();
  expect([asked, done, signals]).toEqual([3, ['take a'], []]);

  const never = setUp(() => Promise.reject(new Error('offline')));
  never.inheritance.take([kept('a', 'confirmed')]);
  for (let n = 0; n < 6; n += 1) {
    await settled();
    never.clock.advance(700);
  }
  await settled();
  expect(never.signals).toMatchObject([{ type: 'sip.ended', call: 'a', by: 'network' }]);
});

it('says nothing once the calls are somebody else’s, and ends them when the phone is signed out', () => {
  const handed = setUp();
  handed.inheritance.take([kept('a', 'invited')]);
  handed.inheritance.lineReady();
  handed.inheritance.stop(false);
  handed.clock.advance(10_000);
  expect(handed.signals).toEqual([]);
  const left = setUp();
  left.inheritance.take([kept('a', 'invited')]);
  left.inheritance.stop(true);
  expect(left.signals).toMatchObject([{ type: 'sip.ended', call: 'a', by: 'agent' }]);
});

it('does what is due otherwise when a call cannot be moved', async () => {
  const { inheritance, clock } = setUp(() => Promise.reject(new Error('offline')));
  let otherwise = 0;
  inheritance.move({ established: true } as never, () => {
    otherwise += 1;
  });
  for (let n = 0; n < 6; n += 1) {
    await settled();
    clock.advance(700);
  }
  await settled();
  expect(otherwise).toBe(1);
});
