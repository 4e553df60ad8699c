/** The sound of a call on its way to the relay: what is sent, kept, sent again and forgotten. */
import { newCallId, recordedSoundKeptMs, soundKeptMs } from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { SoundRing } from '../../../packages/softphone-ui/src/transcription/sound-ring.ts';
import {
  createSoundSender,
  type SoundRecorder,
  type SoundService,
} from '../../../packages/softphone-ui/src/transcription/sound-sender.ts';
import { FakeSoundRelay, frameOf, settled } from './fake-sound-relay.ts';

async function sending(next = 0, ready: () => Promise<void> | null = () => null) {
  const clock = new FakeClock();
  const relay = new FakeSoundRelay();
  const services: SoundService[] = [];
  const recorders: SoundRecorder[] = [];
  const ahead: number[] = [];
  const call = newCallId();
  const sender = createSoundSender({
    ...{ call, relay, clock },
    random: () => 1,
    ready,
    next: () => next,
    onService: (service) => services.push(service),
    onRecorder: (recorder) => recorders.push(recorder),
    onAhead: (frames) => ahead.push(frames),
  });
  await settled();
  const hear = (from: number, to: number) => {
    for (let n = from; n <= to; n += 1) sender.hear(frameOf(n));
  };
  const reconnect = async (wait = 8_000) => {
    clock.advance(wait);
    await settled();
    return relay.last;
  };
  return { call, clock, relay, services, recorders, ahead, sender, hear, reconnect };
}
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

it('says who it is, which call, from where, and then every frame once', async () => {
  const { call, relay, sender, hear, services } = await sending(7);
  hear(7, 9);
  relay.last.onopen?.();
  expect(relay.last.said).toEqual([{ type: 'authenticate', token: 'token-0', proof: 'proof' }]);
  expect(relay.last.frames).toEqual([]);
  relay.last.say({ type: 'authenticated' });
  expect(relay.last.said[1]).toEqual({ type: 'call', call, from: 7 });
  relay.last.say({ type: 'listening', next: 0 });
  hear(10, 11);
  expect(relay.last.numbers).toEqual([7, 8, 9, 10, 11]);
  expect(relay.last.frames[0]).toEqual(frameOf(7));
  expect(services.map(({ state }) => state)).toEqual(['connecting', 'there']);
  sender.drop();
  expect(relay.last.isClosed).toBe(true);
});

it('names its call only when what must be there is, and not over a connection that is gone by then', async () => {
  const waits: (() => void)[] = [];
  const { call, relay, hear, reconnect } = await sending(0, () => new Promise((resolve) => waits.push(resolve)));
  expect(waits).toHaveLength(0);
  hear(0, 3);
  const first = relay.last;
  first.onopen?.();
  first.say({ type: 'authenticated' });
  first.breaks();
  const second = await reconnect();
  second.onopen?.();
  second.say({ type: 'authenticated' });
  await settled();
  expect(second.said).toMatchObject([{ type: 'authenticate' }]);
  for (const come of waits) come();
  await settled();
  expect(first.said).toMatchObject([{ type: 'authenticate' }]);
  expect(second.said[1]).toEqual({ type: 'call', call, from: 0 });
});

it('goes on where a relay that starts anew needs it, with what was kept', async () => {
  const { relay, hear, reconnect } = await sending();
  await relay.last.joins(0);
  hear(0, 20);
  relay.last.say({ type: 'settled', next: 12 });
  relay.last.breaks();
  hear(21, 23);
  const second = await reconnect();
  await second.joins(12);
  expect(second.said[1]).toMatchObject({ from: 12 });
  expect(second.numbers).toEqual(numbers(12, 23));
});

it('sends again only from the first frame that is kept', async () => {
  const { relay, hear, reconnect } = await sending();
  await relay.last.joins(0);
  hear(0, 10);
  relay.last.breaks();
  hear(11, 500);
  const second = await reconnect();
  await second.joins(5);
  const kept = soundKeptMs / 100;
  expect(second.said[1]).toMatchObject({ from: 500 - kept });
  expect(second.numbers).toEqual(numbers(500 - kept, 500));
});

it('tries again later and later, at once when the relay is there, and without a token when there is none', async () => {
  const { clock, relay, sender, services } = await sending();
  for (const wait of [500, 1_000, 2_000, 4_000, 8_000, 8_000]) {
    const tried = relay.sockets.length;
    relay.last.breaks();
    clock.advance(wait - 1);
    await settled();
    expect(relay.sockets).toHaveLength(tried);
    clock.advance(1);
    await settled();
    expect(relay.sockets).toHaveLength(tried + 1);
  }
  relay.last.breaks();
  sender.nudge();
  await settled();
  expect(relay.sockets).toHaveLength(8);
  relay.signedOut = true;
  relay.last.breaks();
  clock.advance(60_000);
  await settled();
  expect(relay.sockets).toHaveLength(8);
  expect(services.at(-1)?.state).toBe('connecting');
});

it('gives up a relay that takes the connection and says nothing', async () => {
  const { clock, relay } = await sending();
  relay.last.onopen?.();
  clock.advance(10_000);
  expect(relay.last.isClosed).toBe(true);
  clock.advance(1_000);
  await settled();
  expect(relay.sockets).toHaveLength(2);
});

it('lets a socket that does not drain lose sound at its oldest end, and gives a dead one up', async () => {
  const { clock, relay, hear, reconnect } = await sending();
  await relay.last.joins(0);
  const [first] = relay.sockets;
  relay.last.isStuck = true;
  hear(0, 499);
  const taken = relay.last.frames.length;
  expect(taken).toBeLessThan(25);
  // It drains: what was kept follows, the rest is a gap.
  relay.last.isStuck = false;
  relay.last.bufferedAmount = 0;
  clock.advance(100);
  expect(relay.last.numbers.slice(taken)).toEqual(numbers(199, 499));
  relay.last.isStuck = true;
  relay.last.bufferedAmount = 100_000;
  hear(500, 500);
  clock.advance(10_000);
  expect(first?.isClosed).toBe(true);
  expect((await reconnect()).isClosed).toBe(false);
});

it('sends nothing of a pause, also not what was on its way, and says it again on a new connection', async () => {
  const { relay, sender, hear, reconnect } = await sending();
  hear(0, 9);
  // From the middle of a frame: all of it is forgotten.
  sender.pause(755);
  await relay.last.joins(0);
  expect(relay.last.numbers).toEqual(numbers(0, 6));
  expect(relay.last.said.at(-1)).toEqual({ type: 'pause', atMs: 755 });
  relay.last.breaks();
  const second = await reconnect();
  await second.joins(7);
  expect(second.said.at(-1)).toEqual({ type: 'pause', atMs: 755 });
  expect(second.frames).toEqual([]);
  sender.pause(null);
  hear(30, 31);
  expect(second.numbers).toEqual([30, 31]);
  second.breaks();
  const third = await reconnect();
  await third.joins(30);
  expect(third.said.some(({ type }) => type === 'pause')).toBe(false);
});

it('counts on from where a page before it, or another device, has been', async () => {
  const { relay, ahead, hear, sender } = await sending();
  hear(40, 42);
  await relay.last.joins(100);
  expect(ahead).toEqual([60]);
  expect(relay.last.frames.map(({ number, startMs }) => [number, startMs])).toEqual([
    [100, 10_000],
    [101, 10_100],
    [102, 10_200],
  ]);
  sender.hear(frameOf(103));
  expect(relay.last.numbers.at(-1)).toBe(103);
});

it('says the end when all is sent, and waits for the relay’s own', async () => {
  const { clock, relay, sender, hear, reconnect, services } = await sending();
  hear(0, 4);
  sender.end();
  hear(5, 9);
  relay.last.breaks();
  const second = await reconnect(500);
  await second.joins(0);
  expect(second.numbers).toEqual(numbers(0, 4));
  expect(second.said.at(-1)).toEqual({ type: 'end' });
  expect(second.isClosed).toBe(false);
  second.breaks(1_000);
  expect(services.at(-1)?.state).toBe('over');
  expect(clock.pending).toBe(0);
  expect(relay.sockets).toHaveLength(2);
});

it('does not wait for ever to say it', async () => {
  const { clock, relay, sender, hear } = await sending();
  hear(0, 4);
  sender.end();
  clock.advance(120_000);
  await settled();
  expect(relay.last.isClosed).toBe(true);
  expect(clock.pending).toBe(0);
});

it.each([4_403, 4_404, 4_409])('does not ask again after %i', async (code) => {
  const { clock, relay, services, hear } = await sending();
  await relay.last.joins(0);
  relay.last.breaks(code);
  hear(0, 3);
  clock.advance(60_000);
  await settled();
  expect(relay.sockets).toHaveLength(1);
  expect(services.at(-1)).toEqual({ state: 'over', message: '' });
});

it('brings a new token where the old one is refused, and keeps the sound while the service is away', async () => {
  const { relay, hear, services, reconnect } = await sending();
  relay.last.onopen?.();
  relay.last.say({ type: 'error', code: 'identity.required', message: 'The token has expired.' });
  relay.last.breaks(4_401);
  expect(relay.refusedTokens).toBe(1);
  const second = await reconnect();
  await second.joins(0);
  second.say({ type: 'service', state: 'refused', message: 'The key is not valid.' });
  hear(0, 2);
  expect(second.frames).toEqual([]);
  expect(services.at(-1)).toEqual({ state: 'refused', message: 'The key is not valid.' });
  second.say({ type: 'service', state: 'there', message: '' });
  expect(second.numbers).toEqual([0, 1, 2]);
  second.say({ type: 'service', state: 'away', message: 'It does not answer.' });
  hear(3, 3);
  expect(second.numbers).toEqual([0, 1, 2, 3]);
});

it('leaves alone what it can’t read', async () => {
  const { relay, hear } = await sending();
  await relay.last.joins(0);
  for (const data of ['', 'null', '{"type":"listening"}', '{"type":"settled","next":-1}', '{"type":"later"}'])
    relay.last.onmessage?.({ data });
  hear(0, 0);
  expect(relay.last.numbers).toEqual([0]);
});

it('keeps 30 s in the ring, less what is settled or forbidden', () => {
  const ring = new SoundRing();
  for (let n = 0; n < 1_000; n += 1) ring.add(frameOf(n));
  expect(ring.size).toBe(301);
  expect(ring.first()?.number).toBe(699);
  expect(ring.first(900)?.number).toBe(900);
  ring.settle(950);
  expect(ring.first()?.number).toBe(950);
  ring.forgetFrom(98_050);
  expect(ring.size).toBe(30);
  expect(ring.first(979)?.number).toBe(979);
  expect(ring.first(980)).toBeUndefined();
  ring.shift(5, 500);
  expect(ring.first()).toMatchObject({ number: 955, startMs: 95_500 });
});

it('says what is to be recorded, and to a relay that starts anew all of it again, before any sound', async () => {
  const { relay, sender, hear, reconnect } = await sending();
  sender.record(400.4);
  expect(relay.last.said).toEqual([]);
  await relay.last.joins(0);
  expect(relay.last.said.slice(2)).toEqual([{ type: 'record', fromMs: 400 }]);
  hear(0, 9);
  sender.recordNoMore(900);
  sender.record(1_200);
  const all = [
    { type: 'record', fromMs: 400 },
    { type: 'record-end', atMs: 900 },
    { type: 'record', fromMs: 1_200 },
  ];
  expect(relay.last.said.slice(2)).toEqual(all);
  sender.pause(1_300);
  relay.last.breaks();
  const second = await reconnect();
  await second.joins(0);
  expect(second.said.slice(2)).toEqual([...all, { type: 'pause', atMs: 1_300 }]);
  expect(second.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it('keeps four times as much of what is recorded', async () => {
  const { relay, sender, hear, reconnect } = await sending();
  sender.record(0);
  hear(0, recordedSoundKeptMs / 100 + 50);
  const second = await reconnect();
  await second.joins(0);
  expect(relay.last.frames[0]?.number).toBe(50);
});

it('sends what is recorded also where nobody makes words of it, and tells whether it is kept', async () => {
  const { relay, sender, hear, recorders, services } = await sending();
  await relay.last.joins(0);
  relay.last.say({ type: 'service', state: 'refused', message: 'Not transcribed.' });
  hear(0, 2);
  expect(relay.last.numbers).toEqual([]);
  sender.record(0);
  expect(relay.last.numbers).toEqual([0, 1, 2]);
  relay.last.say({ type: 'recorder', state: 'away', message: 'The disk is full.' });
  expect(recorders).toEqual([{ state: 'away', message: 'The disk is full.' }]);
  expect(services.at(-1)?.state).toBe('refused');
  sender.drop();
});
