/** The line's lease over the live link: what is asked when, how the owner stays one, and that a frame that does not listen says nothing. */
import type { DeviceId } from '@patchcord/call-protocol';
import type { LineLeaseListener } from '@patchcord/phone-engine';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { beforeEach, expect, test } from 'vitest';
import { createLineLease } from '../../../packages/softphone-ui/src/line-lease.ts';
import {
  createLiveLink,
  type LineNews,
  type LineSaying,
  type LiveSocket,
  type LiveStatus,
} from '../../../packages/softphone-ui/src/live-link.ts';
import { profile } from '../../panel/sample-profile.ts';
import { settle } from './panel-lab.ts';

const device = '5a0c1f9e-0d0e-4f0a-8b1d-1f2b3c4d5e6f' as DeviceId;
const other = '6b1c1f9e-0d0e-4f0a-8b1d-1f2b3c4d5e6f' as DeviceId;

class FakeLink {
  readonly said: LineSaying[] = [];
  #status: LiveStatus = 'joined';
  readonly #statusListeners = new Set<(status: LiveStatus) => void>();
  readonly #lineListeners = new Set<(news: LineNews) => void>();

  status = (): LiveStatus => this.#status;
  onStatus = (listener: (status: LiveStatus) => void) => {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  };
  onLine = (listener: (news: LineNews) => void) => {
    this.#lineListeners.add(listener);
    return () => this.#lineListeners.delete(listener);
  };
  sayOfLine = (message: LineSaying): boolean => {
    if (this.#status !== 'joined') return false;
    this.said.push(message);
    return true;
  };
  become(status: LiveStatus): void {
    this.#status = status;
    for (const listener of [...this.#statusListeners]) listener(status);
  }
  tell(news: LineNews): void {
    for (const listener of [...this.#lineListeners]) listener(news);
  }
}

let link: FakeLink;
let clock: FakeClock;
let heard: unknown[][];
let listener: LineLeaseListener;

beforeEach(() => {
  link = new FakeLink();
  clock = new FakeClock();
  heard = [];
  const note =
    (name: string) =>
    (...values: unknown[]): void => {
      heard.push([name, ...values]);
    };
  listener = {
    yours: note('yours'),
    elsewhere: note('elsewhere'),
    free: note('free'),
    said: note('said'),
    away: note('away'),
  };
});

const lease = () => createLineLease({ live: link, device, clock });
const yours = (epoch: number, kept: string | null = null): LineNews => ({
  type: 'line.yours',
  epoch,
  forMs: 15_000,
  kept,
});
const asks = () => link.said.filter(({ type }) => type === 'line.ask');

test('a frame that does not listen says nothing and sets no timer, whatever the link does', () => {
  const mine = lease();
  link.become('away');
  link.become('joined');
  link.tell(yours(1));
  expect(mine.say('hello')).toBe(true);
  expect(link.said).toEqual([{ type: 'frames.say', body: 'hello' }]);
  expect(clock.pending).toBe(0);
});

test('the owner renews every five seconds with its epoch, a mirror never', () => {
  const mine = lease();
  mine.listen(listener);
  mine.ask(false);
  expect(link.said).toEqual([{ type: 'line.ask', epoch: null, take: false }]);
  link.tell(yours(7));
  expect(heard).toEqual([['yours', 7, null]]);
  clock.advance(15_000);
  expect(asks().slice(1)).toEqual(Array.from({ length: 3 }, () => ({ type: 'line.ask', epoch: 7, take: false })));
  link.tell({ type: 'line.elsewhere', epoch: 8, device: other, where: 'Chrome on Windows' });
  expect(heard.at(-1)).toEqual(['elsewhere', 'Chrome on Windows', other, 8]);
  const before = link.said.length;
  clock.advance(600_000);
  expect(link.said).toHaveLength(before);
  expect(clock.pending).toBe(0);
});

test('what was asked while the relay was away is asked when it is there, taking included', () => {
  const mine = lease();
  mine.listen(listener);
  link.become('away');
  mine.ask(true);
  expect(heard.at(-1)).toEqual(['away']);
  expect(link.said).toEqual([]);
  link.become('joined');
  expect(link.said).toEqual([{ type: 'line.ask', epoch: null, take: true }]);
});

test('after a reconnect the owner says at once that it is there, and a mirror asks a moment later', () => {
  const owner = lease();
  owner.listen(listener);
  owner.ask(false);
  link.tell(yours(3));
  link.become('away');
  clock.advance(60_000);
  expect(asks()).toHaveLength(1);
  link.become('joined');
  expect(asks().at(-1)).toEqual({ type: 'line.ask', epoch: 3, take: false });

  link.tell({ type: 'line.elsewhere', epoch: 4, device: other, where: 'Safari' });
  link.become('away');
  const before = asks().length;
  link.become('joined');
  expect(asks()).toHaveLength(before);
  clock.advance(1_000);
  expect(asks().at(-1)).toEqual({ type: 'line.ask', epoch: null, take: false });
});

test('what an owner leaves is kept and left with the epoch it had, also when it has just lost the line', () => {
  const mine = lease();
  mine.listen(listener);
  mine.keep('too early');
  mine.ask(false);
  link.tell(yours(5));
  link.tell({ type: 'line.elsewhere', epoch: 6, device: other, where: 'Chrome on Windows' });
  mine.keep('{}');
  mine.leave();
  expect(link.said.slice(1)).toEqual([
    { type: 'line.keep', epoch: 5, kept: '{}' },
    { type: 'line.leave', epoch: 5 },
  ]);
});

test('that this very device has it means that another frame had: here it is asked for anew', () => {
  const mine = lease();
  mine.listen(listener);
  mine.ask(false);
  link.tell({ type: 'line.elsewhere', epoch: 9, device, where: 'Chrome on Windows' });
  expect(heard).toEqual([]);
  expect(asks().at(-1)).toEqual({ type: 'line.ask', epoch: null, take: false });
});

test('who stops listening gives nothing back: the next frame of this device has it', () => {
  const mine = lease();
  const stop = mine.listen(listener);
  mine.ask(false);
  link.tell(yours(2));
  stop();
  link.become('away');
  link.become('joined');
  clock.advance(60_000);
  expect(link.said).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('what other devices say is passed on as it came, and news that it is free too', () => {
  const mine = lease();
  mine.listen(listener);
  link.tell({ type: 'frames.said', device: other, body: 'anything' });
  link.tell({ type: 'line.free', epoch: 4 });
  expect(heard).toEqual([
    ['said', other, 'anything'],
    ['free', 4],
  ]);
});

test('the live link carries it only once it has joined, and drops news that does not fit the contract', async () => {
  const sent: { readonly type: string }[] = [];
  const socket: LiveSocket = {
    send: (text) => void sent.push(JSON.parse(String(text))),
    close: () => undefined,
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
  };
  const live = createLiveLink({
    url: 'wss://relay.example.test/v1/live',
    openSocket: () => socket,
    clock,
    authentication: () => Promise.resolve({ token: 'a-token', proof: 'a-proof' }),
    tokenRefused: () => undefined,
    callEvents: () => Promise.resolve({ events: [], more: false }),
  });
  const page = socket as WebSocket;
  const deliver = (message: unknown) =>
    page.onmessage?.(new MessageEvent('message', { data: JSON.stringify(message) }));
  const mine = createLineLease({ live, device, clock });
  mine.listen(listener);
  mine.ask(false);
  live.open();
  await settle();
  page.onopen?.(new Event('open'));
  expect(sent.map(({ type }) => type)).toEqual(['authenticate']);
  deliver({ type: 'authenticated', agent: profile.agent });
  expect(sent.at(-1)).toEqual({ type: 'line.ask', epoch: null, take: false });
  deliver({ type: 'line.yours', epoch: '1', forMs: 15_000, kept: null });
  deliver({ type: 'line.elsewhere', epoch: 1, device: 'nobody', where: 'x' });
  deliver({ type: 'frames.said', device: other });
  deliver(yours(12, '{}'));
  expect(heard.filter(([name]) => name !== 'away')).toEqual([['yours', 12, '{}']]);
  live.close();
  expect(mine.say('x')).toBe(false);
});
