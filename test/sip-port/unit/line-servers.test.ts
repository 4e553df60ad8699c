/** Several servers: when the next is taken, how the line moves back without a gap, and what sleep and a changed network do. Clock in hand. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SipAccount, SipPort } from '../../../packages/phone-engine/src/ports.ts';
import { createSipPort } from '../../../packages/phone-engine/src/sip/index.ts';
import { ServerList } from '../../../packages/phone-engine/src/sip/server-list.ts';
import type { SipSignal } from '../../../packages/phone-engine/src/state.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';
import { FakeSound } from '../../../packages/phone-engine/src/testing/fake-sound.ts';
import { header } from '../../../sandbox/src/switch/sip-message.ts';
import { Hurdle } from '../hurdle.ts';
import { accountFor } from '../phone-in-browser.ts';
import { ScriptedPbx } from '../scripted-pbx.ts';

const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };

let first: ScriptedPbx;
let second: ScriptedPbx;
let clock: FakeClock;
let port: SipPort;
let signals: SipSignal[];
const hurdles: Hurdle[] = [];

beforeEach(async () => {
  [first, second] = await Promise.all([ScriptedPbx.start(), ScriptedPbx.start()]);
  clock = new FakeClock();
  signals = [];
  port = createSipPort({
    sound: new FakeSound(),
    clock,
    random: () => 0.5,
    // A call that only rings needs no more of it.
    newPeerConnection: () => Object.assign(new EventTarget(), { close: () => {} }) as unknown as RTCPeerConnection,
  });
  port.onSignal((signal) => signals.push(signal));
});
afterEach(async () => {
  const stopped = port.stop();
  clock.advance(2_000);
  await stopped;
  await Promise.all([first.close(), second.close(), ...hurdles.splice(0).map((hurdle) => hurdle.close())]);
});

const registrations = () => signals.flatMap((signal) => (signal.type === 'sip.registered' ? [signal.server] : []));
const count = (type: SipSignal['type']) => signals.filter((it) => it.type === type).length;
const until = (what: () => boolean) => expect.poll(what, { timeout: 5_000, interval: 2 }).toBe(true);
/** The same, with time passing all the while. */
const untilMoving = (what: () => boolean, stepMs = 50) =>
  until(() => {
    clock.advance(stepMs);
    return what();
  });
const start = (changes: Partial<SipAccount> = {}) =>
  port.start(accountFor(first, '1001', { servers: [first.url, second.url], ...changes }), credential, []);
const readyAt = async (server: string) => until(() => registrations().at(-1) === server);
const hurdleBefore = async (pbx: ScriptedPbx) => {
  const hurdle = await Hurdle.before(pbx.address);
  hurdles.push(hurdle);
  return { hurdle, url: `ws://${hurdle.address}` };
};

describe('the next server', () => {
  it('is taken at once when the first refuses sockets, with no time passing', async () => {
    first.faults.set({ refuseSockets: true });
    start();
    await readyAt(second.url);
  });

  it.each([500, 502, 503, 504])('is taken at once when the first answers %i', async (status) => {
    first.nextRegister.push({ status, reason: 'Trouble' });
    start();
    await readyAt(second.url);
  });

  it('is taken after three seconds when the first does not answer REGISTER', async () => {
    first.faults.set({ deaf: true });
    start();
    const from = clock.now();
    await untilMoving(() => registrations().includes(second.url));
    expect(clock.now() - from).toBeLessThan(5_000);
  });

  it('is taken at once when the first refuses to refresh', async () => {
    first.grants = 60;
    start();
    await readyAt(first.url);
    first.nextRegister.push({ status: 503, reason: 'Maintenance' });
    await first.letPass(clock, 44_000);
    clock.advance(1_500);
    await readyAt(second.url);
    expect(count('sip.lost')).toBe(1);
  });

  it('is kept while the first asks for peace', async () => {
    first.nextRegister.push({
      status: 503,
      reason: 'Maintenance',
      headers: [{ name: 'Retry-After', value: '60' }],
    });
    start({ failBackSeconds: 10 });
    await readyAt(second.url);
    await second.letPass(clock, 50_000);
    expect(first.registers).toHaveLength(1);
    await untilMoving(() => registrations().at(-1) === first.url, 1_000);
  });

  it('is not taken because a connection was reset: the same server is there', async () => {
    start();
    await readyAt(first.url);
    first.dropSockets();
    await until(() => registrations().length === 2);
    expect(registrations()).toEqual([first.url, first.url]);
  });

  it('is waited for when a server registers and hangs up, again and again', async () => {
    start({ servers: [first.url] });
    for (let round = 1; round <= 2; round += 1) {
      await until(() => registrations().length === round);
      first.dropSockets();
    }
    await until(() => count('sip.lost') >= 1);
    await untilMoving(() => registrations().length === 3, 10);
    first.dropSockets();
    const from = clock.now();
    await untilMoving(() => registrations().length === 4, 10);
    expect(clock.now() - from).toBeGreaterThanOrEqual(500);
  });
});

describe('the way back to the first server', () => {
  /** The first refused; nothing may be lost after that. */
  const atTheStart = 1;

  it('has no gap: registered there before the other is let go, and nothing is ever lost', async () => {
    first.faults.set({ refuseSockets: true });
    start({ failBackSeconds: 60 });
    await readyAt(second.url);
    first.faults.clear();
    await second.letPass(clock, 50_000);
    expect(first.registers).toHaveLength(0);
    const old = second.device;
    await second.letPass(clock, 9_000);
    clock.advance(1_000);
    await readyAt(first.url);
    expect(count('sip.lost')).toBe(atTheStart);
    expect(first.registers.length).toBeGreaterThan(0);
    // The old connection still takes what is on its way, and its answers go back there.
    expect((await second.asks('OPTIONS', old)).status).toBe(200);
    await first.letPass(clock, 40_000);
    await until(() => !old.flow.open);
    expect(registrations()).toEqual([second.url, first.url]);
  });

  it('is tried again later when the first is not back, without losing anything', async () => {
    first.faults.set({ refuseSockets: true });
    start({ failBackSeconds: 30 });
    await readyAt(second.url);
    await second.letPass(clock, 100_000);
    expect(count('sip.lost')).toBe(atTheStart);
    first.faults.clear();
    await untilMoving(() => registrations().at(-1) === first.url, 1_000);
    expect(count('sip.lost')).toBe(atTheStart);
  });

  it('is not gone when the first refuses to register', async () => {
    first.faults.set({ refuseSockets: true });
    start({ failBackSeconds: 30 });
    await readyAt(second.url);
    first.faults.clear();
    first.nextRegister.push({ status: 500, reason: 'Not yet' });
    await second.letPass(clock, 29_000);
    clock.advance(1_000);
    await until(() => first.registers.length === 1);
    await second.letPass(clock, 29_000);
    await untilMoving(() => registrations().at(-1) === first.url, 100);
    expect(count('sip.lost')).toBe(atTheStart);
  });

  it('is not taken while a call is being set up', async () => {
    first.faults.set({ refuseSockets: true });
    start({ failBackSeconds: 30 });
    await readyAt(second.url);
    first.faults.clear();
    await second.far[0].invites();
    await until(() => count('sip.invited') === 1);
    await second.letPass(clock, 60_000);
    expect(first.registers).toHaveLength(0);
    await second.far[0].cancels();
    await until(() => count('sip.ended') === 1);
    await untilMoving(() => registrations().at(-1) === first.url, 250);
  });

  it('is not taken before the later one fails, when the profile says 0', async () => {
    first.faults.set({ refuseSockets: true });
    start();
    await readyAt(second.url);
    first.faults.clear();
    await second.letPass(clock, 200_000);
    expect(first.registers).toHaveLength(0);
    second.faults.set({ refuseSockets: true });
    second.dropSockets();
    await untilMoving(() => registrations().at(-1) === first.url);
  });
});

describe('outbound', () => {
  it('is given up where a server on the way cannot do it (439), and not tried again', async () => {
    first.nextRegister.push({ status: 439, reason: 'First Hop Lacks Outbound Support' });
    start();
    await readyAt(first.url);
    const [asked, plain] = first.registers;
    expect(header(asked as never, 'Contact')).toContain(';reg-id=1');
    expect(header(asked as never, 'Supported')).toContain('outbound');
    expect(header(plain as never, 'Contact')).toMatch(/;\+sip\.instance=/);
    expect(header(plain as never, 'Contact')).not.toContain('reg-id');
    expect(header(plain as never, 'Supported')).not.toContain('outbound');
  });

  it('begins again on the same server when its flow failed (430)', async () => {
    first.grants = 60;
    start();
    await readyAt(first.url);
    first.nextRegister.push({ status: 430, reason: 'Flow Failed' });
    await first.letPass(clock, 44_000);
    clock.advance(1_500);
    await until(() => registrations().length === 2);
    expect(registrations()).toEqual([first.url, first.url]);
  });
});

describe('a server that takes five seconds to open', () => {
  const opensLate = async (others: readonly string[]) => {
    const { hurdle, url } = await hurdleBefore(first);
    hurdle.holdsNew = true;
    start({ servers: [url, ...others] });
    await until(() => hurdle.connections === 1);
    clock.advance(5_000);
    hurdle.release();
    return url;
  };

  it('is waited for when it is the only one', async () => {
    await readyAt(await opensLate([]));
    expect(count('sip.lost')).toBe(0);
  });

  it('is passed over when there is another', async () => {
    await opensLate([second.url]);
    await readyAt(second.url);
  });
});

describe('sleep', () => {
  it('does not cost the registration: it is refreshed in the moment of waking', async () => {
    first.grants = 600;
    start();
    await readyAt(first.url);
    clock.sleep(700_000);
    await until(() => first.registers.length >= 2);
    expect(count('sip.lost')).toBe(0);
  });

  it.each([
    ['a nap of ten minutes', 600_000],
    ['an hour, past the registration', 3_600_000],
  ])('over a dead connection ends registered over another one in the moment of waking: %s', async (_, ms) => {
    const { hurdle, url } = await hurdleBefore(first);
    start({ servers: [url], registerSeconds: 1_800 });
    await readyAt(url);
    await first.letPass(clock, 5_000);
    hurdle.swallow();
    clock.sleep(ms);
    // Not a single timer is needed for it, the clock stands still.
    await until(() => registrations().length === 2);
    expect(count('sip.lost')).toBe(0);
    expect(hurdle.connections).toBeGreaterThan(0);
  });

  it('is over for a page that comes back out of the browser’s cache, or out of a freeze', async () => {
    const page = new EventTarget();
    const document = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    vi.stubGlobal('document', document);
    for (const wakes of [
      () => page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true })),
      () => document.dispatchEvent(new Event('resume')),
    ]) {
      const { hurdle, url } = await hurdleBefore(first);
      signals.length = 0;
      start({ servers: [url] });
      await readyAt(url);
      hurdle.swallow();
      wakes();
      await until(() => registrations().length === 2);
      expect(count('sip.lost')).toBe(0);
    }
    vi.unstubAllGlobals();
  });
});

describe('a changed network', () => {
  const network = new EventTarget();
  beforeEach(async () => {
    vi.stubGlobal('addEventListener', network.addEventListener.bind(network));
    vi.stubGlobal('removeEventListener', network.removeEventListener.bind(network));
  });
  afterEach(() => vi.unstubAllGlobals());

  it('opens a new connection beside a dead one at once, without waiting for any deadline', async () => {
    const { hurdle, url } = await hurdleBefore(first);
    start({ servers: [url] });
    await readyAt(url);
    hurdle.swallow();
    network.dispatchEvent(new Event('online'));
    await until(() => registrations().length === 2);
    expect(count('sip.lost')).toBe(0);
  });

  it('keeps a connection that answers', async () => {
    const { hurdle, url } = await hurdleBefore(first);
    start({ servers: [url] });
    await readyAt(url);
    network.dispatchEvent(new Event('online'));
    await until(() => hurdle.opened === 2 && hurdle.connections === 1);
    expect(registrations()).toHaveLength(1);
    expect(count('sip.lost')).toBe(0);
  });

  it('comes back though the server was silent on the new connection too', async () => {
    start({ servers: [first.url] });
    await readyAt(first.url);
    first.faults.set({ deaf: true });
    network.dispatchEvent(new Event('online'));
    await untilMoving(() => count('sip.lost') === 1);
    first.faults.clear();
    await untilMoving(() => registrations().length === 2);
  });

  it('ends the wait for the next try', async () => {
    first.faults.set({ refuseSockets: true });
    start({ servers: [first.url] });
    await until(() => count('sip.lost') === 1);
    first.faults.clear();
    network.dispatchEvent(new Event('online'));
    await until(() => registrations().length === 1);
  });

  it('is not listened for any more after stop', async () => {
    start();
    await readyAt(first.url);
    await port.stop();
    const before = clock.pending;
    network.dispatchEvent(new Event('online'));
    expect(clock.pending).toBe(before);
  });
});

describe('the list of servers', () => {
  it('goes over all of them in a round, the one that worked last first', () => {
    const list = new ServerList(['a', 'b', 'c']);
    expect([list.next(0), list.next(0), list.next(0), list.next(0)]).toEqual(['a', 'b', 'c', null]);
    list.works('b');
    expect([list.next(0), list.next(0), list.next(0), list.next(0)]).toEqual(['b', 'a', 'c', null]);
    expect(list.betterThan('c', 0)).toEqual(['a', 'b']);
    expect(list.betterThan('a', 0)).toEqual([]);
  });

  it('leaves a server in peace for as long as it asked, and says how long that is when all did', () => {
    const list = new ServerList(['a', 'b']);
    list.fails('a', 0, 10_000);
    expect([list.next(1_000), list.next(1_000)]).toEqual(['b', null]);
    list.fails('b', 1_000, 4_000);
    expect(list.peaceMs(2_000)).toBe(3_000);
    list.startRound();
    expect(list.next(2_000)).toBeNull();
    expect(list.next(5_000)).toBe('b');
    expect(list.betterThan('b', 5_000)).toEqual([]);
    expect(list.betterThan('b', 10_000)).toEqual(['a']);
  });
});
