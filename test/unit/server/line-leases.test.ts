import {
  type AgentId,
  type DeviceId,
  PatchcordError,
  type RelayMessage,
  type TenantId,
} from '@patchcord/call-protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineLeases, type LineSeat } from '../../../server/src/line-lease/line-leases.ts';
import { answerTo, leaseTiming, nextEpoch } from '../../../server/src/line-lease/rules.ts';
import type { Backplane, News } from '../../../server/src/live/backplane.ts';
import { createLocalBackplane } from '../../../server/src/live/local-backplane.ts';
import { createLog } from '../../../server/src/logging.ts';
import { createMetrics } from '../../../server/src/metrics.ts';
import type { LineLease, LineLeaseStore } from '../../../server/src/store/contract.ts';
import { lineLeaseContract } from '../../store/contract-line-leases.ts';
import { memoryLineLeases } from './memory-line-leases.ts';

const tenant = 'acme' as TenantId;
const ada = 'ada' as AgentId;
const start = 1_790_000_000_000;
const deviceOf = (name: string) => `device-${name}` as DeviceId;

describe('the leases in memory that these tests use keep the contract of the store:', () => {
  const leases = memoryLineLeases();
  lineLeaseContract(() => leases);
});

describe('who may have a line', () => {
  const [one, two, three] = ['1', '2', '3'].map(deviceOf) as [DeviceId, DeviceId, DeviceId];
  const lease: LineLease = {
    ...{ tenant, agent: ada, epoch: 5, version: 9, device: one, place: 'Chrome', via: 'v1', grantedAt: start },
    ...{ heldUntil: start + 17_000, hasLeft: false, lostAt: null, wish: null, kept: 'key.sealed', keptAt: start },
  };
  const time = (afterMs: number, since = 0) => ({ now: start + afterMs, since });
  const ask = (device: DeviceId, epoch: number | null = null, take = false) => ({ device, epoch, take });
  const wanted = { ...lease, wish: { device: two, place: 'Firefox', via: 'v2', at: start } };

  it('nobody’s line is the asker’s', () => {
    expect(answerTo(null, ask(one), time(0))).toEqual({
      ...{ kind: 'grant', fromVersion: 0, epoch: start / 1_000 },
    });
  });

  it('the holder goes on with its epoch, also after its time when nobody came', () => {
    for (const afterMs of [0, 16_999, 17_000, 900_000])
      expect(answerTo(lease, ask(one, 5), time(afterMs))).toEqual({ kind: 'renew', epoch: 5 });
    expect(answerTo({ ...lease, heldUntil: 0, lostAt: start }, ask(one, 5), time(1))).toEqual({
      kind: 'renew',
      epoch: 5,
    });
  });

  it('a new page of the holder’s device gets it at once', () => {
    expect(answerTo(lease, ask(one), time(1))).toMatchObject({ kind: 'grant', fromVersion: 9 });
  });

  it('another device gets it once it is free or its time is over, and not before', () => {
    const elsewhere = { kind: 'elsewhere', epoch: 5, device: one, place: 'Chrome' };
    expect(answerTo(lease, ask(two), time(16_999))).toEqual(elsewhere);
    expect(answerTo(lease, ask(two), time(17_000))).toMatchObject({ kind: 'grant' });
    const free = { ...lease, heldUntil: 0, lostAt: start, hasLeft: true };
    expect(answerTo(free, ask(two), time(1))).toMatchObject({ kind: 'grant' });
  });

  it('a device that takes it waits for the holder; nobody else gets in between, nor may the holder go on', () => {
    expect(answerTo(lease, ask(two, null, true), time(1))).toEqual({ kind: 'wait', fromVersion: 9 });
    const promised = { kind: 'elsewhere', epoch: 6, device: two, place: 'Firefox' };
    expect(answerTo(wanted, ask(one, 5), time(1))).toEqual(promised);
    expect(answerTo(wanted, ask(one), time(1))).toEqual(promised);
    expect(answerTo(wanted, ask(three, null, true), time(1))).toEqual(promised);
    expect(answerTo(wanted, ask(two, null, true), time(1))).toMatchObject({ kind: 'wait' });
  });

  it('a wish that nobody granted counts no more after three seconds', () => {
    expect(answerTo(wanted, ask(one, 5), time(2_999))).toMatchObject({ kind: 'elsewhere' });
    expect(answerTo(wanted, ask(one, 5), time(3_000))).toEqual({ kind: 'renew', epoch: 5 });
  });

  it('an epoch that was overtaken is worth nothing, also to the device that holds the line now, or when it is free', () => {
    for (const device of [one, two])
      expect(answerTo(lease, ask(device, 4), time(1))).toMatchObject({ kind: 'elsewhere', epoch: 5, device: one });
    expect(answerTo(lease, ask(two, 5), time(1))).toMatchObject({ kind: 'elsewhere' });
    expect(answerTo({ ...lease, hasLeft: true, heldUntil: 0 }, ask(one, 5), time(1))).toMatchObject({
      kind: 'elsewhere',
    });
  });

  it('an epoch that the store has forgotten is asked anew', () => {
    expect(answerTo(null, ask(one, 77), time(0))).toMatchObject({ kind: 'grant' });
    expect(answerTo(lease, ask(one, 77), time(0))).toMatchObject({ kind: 'grant' });
    expect(answerTo(lease, ask(two, 77), time(0))).toMatchObject({ kind: 'elsewhere' });
  });

  it('after an outage of this relay a holder gets the time of a lease to come back; a line of yesterday is free', () => {
    const since = start + 60_000;
    expect(answerTo(lease, ask(two), time(76_999, since))).toMatchObject({ kind: 'elsewhere' });
    expect(answerTo(lease, ask(two), time(77_000, since))).toMatchObject({ kind: 'grant' });
    expect(answerTo(lease, ask(two), time(600_000, start + 600_000))).toMatchObject({ kind: 'grant' });
    expect(answerTo({ ...lease, heldUntil: 0 }, ask(two), time(60_000, since))).toMatchObject({ kind: 'grant' });
  });

  it('epochs grow, also in a store that has forgotten them', () => {
    expect(nextEpoch({ epoch: 5 }, 2_000)).toBe(6);
    expect(nextEpoch({ epoch: 5 }, 9_000)).toBe(9);
    expect(nextEpoch(null, start)).toBe(start / 1_000);
  });
});

/** Carries news between relays, at once, when it may. */
class Carrier {
  joined = true;
  readonly #ends: ((news: News) => void)[] = [];

  end(): Backplane {
    const index = this.#ends.push(() => {}) - 1;
    return {
      ...createLocalBackplane(),
      status: () => (this.joined ? 'joined' : 'away'),
      publish: (_channel, news) => {
        if (this.joined) for (const [other, hear] of this.#ends.entries()) if (other !== index) hear(news);
      },
      onNews: (listener) => {
        this.#ends[index] = listener;
      },
    };
  }
}

const vault = {
  seal: (purpose: string, text: string) => `${purpose}|${text}`,
  open: (purpose: string, sealed: string) => sealed.slice(purpose.length + 1),
};

function relayOver(
  store: LineLeaseStore,
  backplane: Backplane = createLocalBackplane(),
  lines: string[] = [],
): LineLeases {
  const log = createLog('trace', { write: (line: string) => void lines.push(line) });
  const one = new LineLeases({ store, vault, backplane, metrics: createMetrics(), log, now: () => Date.now() });
  one.start();
  return one;
}

/** A device of ada's, as its panel behaves. */
class Phone {
  readonly name: string;
  readonly device: DeviceId;
  said: RelayMessage[] = [];
  /** The relay's own name for the socket is the seat. */
  seat: LineSeat | null = null;
  epoch: number | null = null;
  ownsUntil = 0;
  /** Says that it is there, as a holder does. */
  renews = true;
  goneAt: number | null = null;
  readonly onYours: (phone: Phone) => void;

  constructor(name: string, onYours: (phone: Phone) => void = () => {}) {
    this.name = name;
    this.device = deviceOf(name);
    this.onYours = onYours;
  }

  join(relay: LineLeases, agent = ada, of = tenant): void {
    const seat = relay.join({
      ...{ tenant: of, agent, device: this.device, place: `Browser ${this.name}` },
      send: (message) => {
        if (this.seat === seat) this.hear(message);
      },
    });
    this.seat = seat;
    // Back after too long it counts again when the relay says so.
    if (this.goneAt !== null && Date.now() - this.goneAt >= leaseTiming.goneMs) this.ownsUntil = 0;
    this.goneAt = null;
  }

  hear(message: RelayMessage): void {
    this.said.push(message);
    if (message.type === 'line.yours') {
      this.epoch = message.epoch;
      this.ownsUntil = Date.now() + message.forMs;
      this.onYours(this);
    } else if (message.type === 'line.elsewhere') {
      if (this.epoch !== null) void this.seat?.leave(this.epoch);
      this.stop();
    } else if (message.type === 'line.free') {
      this.stop();
      void this.ask();
    }
  }

  ask(take = false): Promise<void> {
    return this.seat?.ask({ epoch: this.epoch, take }) ?? Promise.resolve();
  }

  /** It knows itself for the owner. One whose socket is gone for a second counts as gone, whatever it thinks. */
  owns(): boolean {
    const isThere = this.goneAt === null || Date.now() - this.goneAt < leaseTiming.goneMs;
    return this.epoch !== null && Date.now() < this.ownsUntil && isThere;
  }

  stop(): void {
    this.epoch = null;
    this.ownsUntil = 0;
  }

  /** The socket is gone; the page is not. */
  lose(): void {
    this.seat?.close();
    this.seat = null;
    this.goneAt ??= Date.now();
  }

  last(): RelayMessage | undefined {
    return this.said.at(-1);
  }
}

describe('relays that share a store', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: start });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('give a line to the next device a second after the socket of its holder is gone, with what it kept', async () => {
    const store = memoryLineLeases();
    const [here, there] = [relayOver(store), relayOver(store)];
    const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
    desk.join(here);
    laptop.join(there);
    await desk.ask();
    await laptop.ask();
    expect(laptop.last()).toMatchObject({ type: 'line.elsewhere', device: desk.device, where: 'Browser desk' });
    await desk.seat?.keep(desk.epoch ?? 0, '{"calls":1}');
    desk.lose();
    await vi.advanceTimersByTimeAsync(999);
    expect(laptop.owns()).toBe(false);
    await vi.advanceTimersByTimeAsync(300);
    expect(laptop.last()).toMatchObject({ type: 'line.yours', kept: '{"calls":1}' });
    // Its page may go before it has written that down: the next one is given it again.
    laptop.lose();
    const next = new Phone('laptop');
    next.join(there);
    await next.ask();
    expect(next.last()).toMatchObject({ type: 'line.yours', kept: '{"calls":1}' });
    for (const relay of [here, there]) relay.stop();
  });

  it('give a line that is taken as soon as its holder has left, with its last word, and after a second and a half without it', async () => {
    for (const leaves of [true, false]) {
      const store = memoryLineLeases();
      const [here, there] = [relayOver(store), relayOver(store)];
      const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
      desk.join(here);
      laptop.join(there);
      await desk.ask();
      const epoch = desk.epoch ?? 0;
      await desk.seat?.keep(epoch, 'before');
      const told: RelayMessage[] = [];
      // What it does when it hears that the line is wanted is this test's business.
      desk.hear = (message) => {
        told.push(message);
        if (!leaves || message.type !== 'line.elsewhere' || message.device !== laptop.device) return;
        void desk.seat?.keep(epoch, 'last word').then(() => desk.seat?.leave(epoch));
      };
      await laptop.ask(true);
      expect(laptop.said).toEqual([]);
      await vi.advanceTimersByTimeAsync(700);
      expect(told.at(-1)).toMatchObject({ type: 'line.elsewhere', device: laptop.device, where: 'Browser laptop' });
      expect(laptop.last()).toEqual(
        leaves ? { type: 'line.yours', epoch: epoch + 1, forMs: 15_000, kept: 'last word' } : undefined,
      );
      await vi.advanceTimersByTimeAsync(900);
      expect(laptop.last()).toMatchObject({ type: 'line.yours', kept: leaves ? 'last word' : 'before' });
      for (const relay of [here, there]) relay.stop();
    }
  });

  it('let the time of a holder run out that says nothing, and of one whose relay died', async () => {
    const store = memoryLineLeases();
    const [here, there] = [relayOver(store), relayOver(store)];
    const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
    desk.join(here);
    laptop.join(there);
    await desk.ask();
    await laptop.ask();
    here.stop();
    desk.lose();
    await vi.advanceTimersByTimeAsync(leaseTiming.forMs);
    expect(laptop.owns()).toBe(false);
    await vi.advanceTimersByTimeAsync(leaseTiming.marginMs + 500);
    expect(laptop.owns()).toBe(true);
    there.stop();
  });

  it('leave a line with its holder over a restart of theirs, whoever asks first afterwards', async () => {
    const store = memoryLineLeases();
    const before = relayOver(store);
    const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
    desk.join(before);
    await desk.ask();
    const { epoch } = desk;
    before.stop();
    desk.lose();
    await vi.advanceTimersByTimeAsync(20_000);
    const after = relayOver(store);
    laptop.join(after);
    await laptop.ask();
    expect(laptop.last()).toMatchObject({ type: 'line.elsewhere', device: desk.device });
    await vi.advanceTimersByTimeAsync(leaseTiming.forMs);
    desk.join(after);
    await Promise.all([desk.ask(), vi.advanceTimersByTimeAsync(50)]);
    expect(desk.last()).toMatchObject({ type: 'line.yours', epoch });
    after.stop();
  });

  it('give holders the time to say so once their store is back', async () => {
    const leases = memoryLineLeases();
    let away = false;
    const store = new Proxy(leases, {
      get: (target, name) =>
        away
          ? () => Promise.reject(new PatchcordError('store.unavailable', 'away', { retryable: true }))
          : Reflect.get(target, name),
    });
    const relay = relayOver(store);
    const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
    desk.join(relay);
    laptop.join(relay);
    await desk.ask();
    await laptop.ask();
    away = true;
    for (let second = 0; second < 30; second += 5) {
      await vi.advanceTimersByTimeAsync(5_000);
      const asking = expect(desk.ask()).rejects.toMatchObject({ code: 'store.unavailable' });
      await vi.advanceTimersByTimeAsync(50);
      await asking;
    }
    away = false;
    await laptop.ask();
    expect(laptop.last()).toMatchObject({ type: 'line.elsewhere', device: desk.device });
    await Promise.all([desk.ask(), vi.advanceTimersByTimeAsync(50)]);
    expect(desk.last()).toMatchObject({ type: 'line.yours' });
    relay.stop();
  });

  it('tell what a device says to the agent’s other devices, and to nobody else', async () => {
    const carrier = new Carrier();
    const store = memoryLineLeases();
    const [here, there] = [relayOver(store, carrier.end()), relayOver(store, carrier.end())];
    const phones = ['desk', 'laptop', 'other'].map((name) => new Phone(name)) as [Phone, Phone, Phone];
    const [desk, laptop, other] = phones;
    const [sameDevice, colleague, stranger] = [new Phone('desk'), new Phone('x'), new Phone('y')];
    desk.join(here);
    sameDevice.join(here);
    laptop.join(here);
    other.join(there);
    colleague.join(there, 'bob' as AgentId);
    stranger.join(there, ada, 'globex' as TenantId);
    desk.seat?.say('hello');
    for (const phone of [laptop, other])
      expect(phone.said).toEqual([{ type: 'frames.said', device: desk.device, body: 'hello' }]);
    for (const phone of [desk, sameDevice, colleague, stranger]) expect(phone.said).toEqual([]);
    for (const relay of [here, there]) relay.stop();
  });

  it('end the line of a device whose access ended, with what it kept', async () => {
    const store = memoryLineLeases();
    const relay = relayOver(store);
    const [desk, laptop] = [new Phone('desk'), new Phone('laptop')];
    desk.join(relay);
    laptop.join(relay);
    await desk.ask();
    await desk.seat?.keep(desk.epoch ?? 0, 'secret');
    await laptop.ask();
    desk.lose();
    await relay.end(tenant, ada, desk.device, Date.now());
    await vi.advanceTimersByTimeAsync(1);
    expect(laptop.last()).toMatchObject({ type: 'line.yours', kept: null });
    relay.stop();
  });

  it('say nothing of what is kept in their logs, whatever fails', async () => {
    const lines: string[] = [];
    const failing = new Proxy(memoryLineLeases(), {
      get: (target, name) =>
        name === 'keep' || name === 'changedSince'
          ? () => Promise.reject(new PatchcordError('store.unavailable', 'away', { retryable: true }))
          : Reflect.get(target, name),
    });
    const relay = relayOver(failing, createLocalBackplane(), lines);
    const desk = new Phone('desk');
    desk.join(relay);
    await desk.ask();
    await expect(desk.seat?.keep(desk.epoch ?? 0, 'a-dialog-id')).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join()).not.toContain('a-dialog-id');
    relay.stop();
  });
});

type Step =
  | {
      readonly do: 'ask' | 'take' | 'leave' | 'reload' | 'lose' | 'die' | 'mute';
      readonly phone: number;
      readonly relay: number;
    }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'news'; readonly relay: number }
  | { readonly do: 'restart'; readonly relay: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('ask', 'take', 'leave', 'reload', 'lose', 'die', 'mute'),
        phone: fc.nat(2),
        relay: fc.nat(1),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('pass' as const),
        ms: fc.constantFrom(1, 300, 999, 1_600, 5_000, 16_000, 21_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('news', 'restart'), relay: fc.nat(1) }) },
  ),
  { maxLength: 40 },
) as fc.Arbitrary<readonly Step[]>;

/** Three devices on two relays, as random as it gets; what is wrong, or null. */
async function live(script: readonly Step[]): Promise<string | null> {
  const carrier = new Carrier();
  const store = memoryLineLeases({ answer: () => Promise.resolve() });
  const relays = [relayOver(store, carrier.end()), relayOver(store, carrier.end())];
  let wrong: string | null = null;
  const epochs = new Map<number, string>();
  const look = (): void => {
    const owners = phones.filter((phone) => phone.owns());
    if (owners.length > 1)
      wrong ??= `${owners.map(({ name }) => name).join(' and ')} own the line at ${Date.now() - start} ms`;
  };
  const phones = ['a', 'b', 'c'].map(
    (name) =>
      new Phone(name, (phone) => {
        const { epoch } = phone;
        if (epoch === null) return;
        if ((epochs.get(epoch) ?? phone.name) !== phone.name) wrong ??= `epoch ${epoch} was granted to two devices`;
        epochs.set(epoch, phone.name);
        look();
      }),
  );
  /** As panels do: an owner says so every five seconds, whoever has lost its socket comes back when the script says so. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      await vi.advanceTimersByTimeAsync(Math.min(left, 500));
      look();
      for (const phone of phones)
        if (phone.epoch !== null && phone.seat !== null && phone.renews && phone.ownsUntil - Date.now() < 10_500)
          void phone.ask();
    }
  };
  for (const step of script) {
    if (step.do === 'pass') await pass(step.ms);
    else if (step.do === 'news') carrier.joined = !carrier.joined;
    else if (step.do === 'restart') {
      // Killed: nobody says goodbye for anybody.
      relays[step.relay]?.stop();
      for (const phone of phones) if (Reflect.get(phone, 'at') === step.relay) phone.lose();
      relays[step.relay] = relayOver(store, carrier.end());
    } else {
      const phone = phones[step.phone] as Phone;
      const relay = relays[step.relay] as LineLeases;
      const connect = (): void => {
        if (phone.seat !== null) return;
        phone.join(relay);
        Reflect.set(phone, 'at', step.relay);
      };
      // A page that is frozen keeps its socket and says nothing.
      if (step.do === 'mute') phone.renews = !phone.renews;
      else if (step.do === 'lose') phone.lose();
      else if (step.do === 'die' || step.do === 'reload') {
        phone.stop();
        phone.lose();
        if (step.do === 'reload') {
          connect();
          void phone.ask();
        }
      } else if (step.do === 'leave') {
        const { epoch } = phone;
        phone.stop();
        if (epoch !== null) void phone.seat?.leave(epoch);
      } else {
        connect();
        void phone.ask(step.do === 'take');
      }
    }
    await vi.advanceTimersByTimeAsync(1);
    look();
    if (wrong !== null) break;
  }
  // Whatever happened: once everybody is there and time has passed, exactly one has the line.
  if (wrong === null) {
    for (const [index, phone] of phones.entries()) {
      phone.renews = true;
      if (phone.seat === null) phone.join(relays[index % 2] as LineLeases);
      void phone.ask();
    }
    await pass(60_000);
    const owners = phones.filter((phone) => phone.owns());
    if (owners.length !== 1) wrong = `${owners.length} have the line in the end`;
  }
  for (const relay of relays) relay.stop();
  for (const phone of phones) phone.seat = null;
  return wrong;
}

describe('three devices on two relays', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: start });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are never two owners at one time, whatever asks, leaves, falls silent, dies or restarts; and one in the end', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        vi.setSystemTime(start);
        expect(await live(script)).toBeNull();
      }),
      { numRuns: 150 },
    );
  });
});
