/** Which calls are streamed, by whom, and what a pause lets out: the phone's state on one side, a fake tap and relay on the other. */
import { type CallId, newCallId, type Profile, type SoundFrame } from '@patchcord/call-protocol';
import { type CallState, emptyPhone, type OwnedPhone, type PhoneRole, type PhoneState } from '@patchcord/phone-engine';
import type { SoundTap } from '@patchcord/phone-engine/audio';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { createCallStreams } from '../../../packages/softphone-ui/src/transcription/call-streams.ts';
import { profile } from '../../panel/sample-profile.ts';
import { FakeSoundRelay, frameOf, settled } from './fake-sound-relay.ts';

class FakeTap implements SoundTap {
  readonly ears = new Map<CallId, { readonly callMs: () => number; readonly hear: (frame: SoundFrame) => void }>();
  prepared = 0;
  rested = 0;
  closed = false;
  moved = 0;
  listen(call: CallId, callMs: () => number, hear: (frame: SoundFrame) => void) {
    this.ears.set(call, { callMs, hear });
    const clockMoved = () => {
      this.moved += 1;
    };
    return { clockMoved, stop: () => void this.ears.delete(call) };
  }
  prepare(): void {
    this.prepared += 1;
  }
  rest(): void {
    this.rested += 1;
  }
  close(): void {
    this.closed = true;
  }
}

async function streaming(transcription: Profile['transcription'] = 'on') {
  const clock = new FakeClock();
  const relay = new FakeSoundRelay();
  const tap = new FakeTap();
  const listeners = new Set<(state: PhoneState) => void>();
  const roles = new Set<(role: PhoneRole) => void>();
  let state: PhoneState = emptyPhone;
  let owned = {} as OwnedPhone | null;
  let wanted = { ...profile, transcription };
  const told: string[] = [];
  const streams = createCallStreams({
    phone: {
      state: () => state,
      onState: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      owned: () => owned,
      onRole: (listener) => {
        roles.add(listener);
        return () => roles.delete(listener);
      },
    },
    profile: () => wanted,
    ...{ tap, relay, clock },
    random: () => 1,
    ready: () => null,
    steadyMs: () => clock.now() - 1_000,
    onService: (_, service) => told.push(service === null || service === 'deaf' ? String(service) : service.state),
    onRecorder: (_, { state: kept, message }) => told.push(`${kept} ${message}`.trim()),
  });
  const id = newCallId();
  const call = (part: Partial<CallState>): CallState =>
    ({ id, phase: 'active', hold: 'off', answeredAt: clock.now(), ...part }) as CallState;
  const is = async (...calls: readonly CallState[]) => {
    state = { ...emptyPhone, calls };
    for (const listener of listeners) listener(state);
    await settled();
  };
  return {
    ...{ clock, relay, tap, streams, told, id, call, is },
    ear: () => tap.ears.get(id),
    own: (mine: boolean) => {
      owned = mine ? ({} as OwnedPhone) : null;
      for (const listener of roles) listener(mine ? 'owner' : 'mirror');
    },
    mayRecord: (mode: Profile['recording']['mode']) => {
      wanted = { ...wanted, recording: { ...profile.recording, mode } };
      streams.follow();
    },
    profileSays: (next: Profile['transcription']) => {
      wanted = { ...profile, transcription: next };
      streams.follow();
    },
  };
}

it('listens from the answer to the end, and makes ready while it rings', async () => {
  const { call, is, tap, relay, ear } = await streaming();
  await is(call({ phase: 'incoming', answeredAt: null }));
  expect([tap.prepared, relay.sockets.length]).toEqual([1, 0]);
  await is(call({}));
  await is(call({ hold: 'on' }));
  expect(relay.sockets).toHaveLength(1);
  await relay.last.joins(0);
  ear()?.hear(frameOf(0));
  await is(call({ phase: 'ended' }));
  expect(ear()).toBeUndefined();
  expect(relay.last.numbers).toEqual([0]);
  expect(relay.last.said.at(-1)).toEqual({ type: 'end' });
  expect(tap.rested).toBeGreaterThan(0);
});

it('streams each of several calls by itself', async () => {
  const { call, is, relay, tap } = await streaming();
  const other = newCallId();
  await is(call({}), call({ id: other }));
  expect(tap.ears.size).toBe(2);
  for (const socket of relay.sockets) await socket.joins(0);
  expect(relay.sockets.map(({ said }) => (said[1] as { call: string }).call)).toEqual([...tap.ears.keys()]);
});

it.each([
  ['the profile does not want it', 'off', true],
  ['another frame has the line', 'on', false],
] as const)('streams nothing where %s', async (_, transcription, mine) => {
  const { call, is, own, relay, tap } = await streaming(transcription);
  own(mine);
  await is(call({}));
  expect([tap.ears.size, tap.prepared, relay.sockets.length]).toEqual([0, 0, 0]);
});

it('lets go without a farewell when another frame takes the line, and begins anew when it comes back', async () => {
  const { call, is, own, relay, tap, told } = await streaming();
  await is(call({}));
  await relay.last.joins(0);
  own(false);
  expect(relay.last.isClosed).toBe(true);
  expect(relay.last.said.some(({ type }) => type === 'end')).toBe(false);
  expect([tap.ears.size, told.at(-1)]).toEqual([0, 'null']);
  own(true);
  await settled();
  expect(relay.sockets).toHaveLength(2);
});

it('ends when the profile no longer wants it', async () => {
  const { call, is, profileSays, tap, relay } = await streaming();
  await is(call({}));
  profileSays('off');
  expect([tap.ears.size, relay.last.isClosed]).toEqual([0, true]);
});

it('counts from the answer, also of a call that was answered before this page', async () => {
  const { call, clock, is, ear, relay } = await streaming();
  const answeredAt = clock.now() - 65_432;
  await is(call({ answeredAt }));
  expect(ear()?.callMs()).toBe(65_432);
  clock.advance(1_000);
  expect(ear()?.callMs()).toBe(66_432);
  relay.last.onopen?.();
  relay.last.say({ type: 'authenticated' });
  expect(relay.last.said[1]).toMatchObject({ from: 664 });
});

it('puts its clock forward where the relay has heard more of the call', async () => {
  const { call, is, ear, tap, relay } = await streaming();
  await is(call({}));
  await relay.last.joins(250);
  expect([ear()?.callMs(), tap.moved]).toEqual([25_000, 1]);
});

it('lets nothing out that was made in a pause, from its first moment to its last', async () => {
  const { call, clock, is, ear, relay } = await streaming();
  const { answeredAt } = call({});
  await is(call({}));
  await relay.last.joins(0);
  ear()?.hear(frameOf(0));
  clock.advance(250);
  await is(call({ answeredAt, soundPaused: true }));
  expect(relay.last.said.at(-1)).toEqual({ type: 'pause', atMs: 250 });
  // It was on its way, and what was made meanwhile.
  for (const number of [1, 2, 3, 50]) ear()?.hear(frameOf(number));
  clock.advance(5_000);
  await is(call({ answeredAt, soundPaused: false }));
  for (const number of [51, 52, 53, 54]) ear()?.hear(frameOf(number));
  expect(relay.last.numbers).toEqual([0, 54]);
});

it('stays paused over a reload', async () => {
  const { call, is, ear, relay } = await streaming();
  await is(call({ soundPaused: true }));
  ear()?.hear(frameOf(0));
  await relay.last.joins(0);
  expect(relay.last.said.at(-1)).toEqual({ type: 'pause', atMs: 0 });
  expect(relay.last.frames).toEqual([]);
});

it('leaves nothing behind', async () => {
  const { call, clock, is, streams, tap, relay } = await streaming();
  await is(call({}));
  streams.stop();
  expect([tap.closed, relay.last.isClosed, clock.pending]).toEqual([true, true, 0]);
  await is(call({ id: newCallId() }));
  expect(relay.sockets).toHaveLength(1);
});

it('sends the sound of a call that is recorded where nothing is transcribed, and of no other', async () => {
  const { call, clock, is, ear, relay, tap, mayRecord } = await streaming('off');
  mayRecord('ask');
  await is(call({ recording: 'asking' }));
  expect([tap.prepared, tap.ears.size, relay.sockets.length]).toEqual([1, 0, 0]);
  const { answeredAt } = call({});
  clock.advance(4_000);
  await is(call({ answeredAt, recording: 'on', recordedFromMs: 4_000 }));
  await relay.last.joins(40);
  expect(relay.last.said.at(-1)).toEqual({ type: 'record', fromMs: 4_000 });
  ear()?.hear(frameOf(40));
  clock.advance(1_000);
  await is(call({ answeredAt, recording: 'off', recordedFromMs: 4_000 }));
  expect(relay.last.said.at(-1)).toEqual({ type: 'record-end', atMs: 5_000 });
  // Nobody wants it now; the stream stays for what may come.
  ear()?.hear(frameOf(50));
  clock.advance(1_000);
  await is(call({ answeredAt, recording: 'on', recordedFromMs: 6_000 }));
  ear()?.hear(frameOf(60));
  expect(relay.last.numbers).toEqual([40, 60]);
  expect(relay.sockets).toHaveLength(1);
  await is(call({ answeredAt, phase: 'ended', recording: 'on' }));
  expect(relay.last.said.at(-1)).toEqual({ type: 'end' });
});

it('goes on recording after a reload from where it began, still paused', async () => {
  const { call, clock, is, ear, relay, told, mayRecord } = await streaming('off');
  mayRecord('always');
  await is(call({ answeredAt: clock.now() - 60_000, recording: 'on', recordedFromMs: 0, soundPaused: true }));
  await relay.last.joins(600);
  expect(relay.last.said.slice(2)).toEqual([
    { type: 'record', fromMs: 0 },
    { type: 'pause', atMs: 60_000 },
  ]);
  ear()?.hear(frameOf(601));
  expect(relay.last.numbers).toEqual([]);
  relay.last.say({ type: 'recorder', state: 'refused', message: 'Not this agent.' });
  expect(told.at(-1)).toBe('refused Not this agent.');
});

it('records nothing where the profile forbids it, whatever the call says', async () => {
  const { call, is, relay } = await streaming('off');
  await is(call({ recording: 'on', recordedFromMs: 0 }));
  expect(relay.sockets).toHaveLength(0);
});
