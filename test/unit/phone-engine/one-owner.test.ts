/**
 * One owner across storage partitions, browsers and computers: who gets the line, who mirrors whom, how it changes hands, and what fences a late owner
 * off. Each device has locks and channels of its own; between them there is only the lease.
 */
import { newCallId, type PhoneEvent } from '@patchcord/call-protocol';
import {
  commandDeadlineMs,
  createPhone,
  joinSharedPhone,
  leaseAnswersMs,
  letGoMs,
  longestBody,
  type PhoneRole,
  type SharedPhone,
  type SharedPhoneOptions,
  takeDeadlineMs,
} from '@patchcord/phone-engine';
import { FakeChannels, FakeClock, FakeLeases, FakeLocks, FakeSip, settled } from '@patchcord/phone-engine/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { account, ada, credential } from './phone-fixture.ts';

interface Device {
  readonly name: string;
  readonly locks: FakeLocks;
  readonly channels: FakeChannels;
  readonly clock: FakeClock;
}

interface Frame {
  readonly phone: SharedPhone;
  /** One per time it owned. */
  readonly sips: FakeSip[];
  readonly sip: () => FakeSip;
  readonly events: PhoneEvent[];
  readonly roles: PhoneRole[];
  readonly handed: string[];
  readonly faults: unknown[];
  look(): void;
  die(): void;
}

let leases: FakeLeases;
let clocks: FakeClock[];
let opened: SharedPhone[];

beforeEach(() => {
  leases = new FakeLeases();
  clocks = [];
  opened = [];
});
afterEach(async () => {
  for (const phone of opened) await phone.close();
});

/** A computer whose clock is this far off. */
function device(name: string, offMs = 0): Device {
  const clock = new FakeClock(1_700_000_000_000 + offMs);
  clocks.push(clock);
  return { name, locks: new FakeLocks(), channels: new FakeChannels(), clock };
}

function open({ name, locks, channels, clock }: Device, more: Partial<SharedPhoneOptions> = {}): Frame {
  const myLocks = locks.frame();
  const myChannels = channels.frame();
  const page = Object.assign(new EventTarget(), {
    visibilityState: 'hidden' as DocumentVisibilityState,
    defaultView: new EventTarget() as unknown as Window,
  });
  const sips: FakeSip[] = [];
  const frame: Frame = {
    sips,
    sip: () => sips.at(-1) ?? expect.fail('this frame never owned'),
    events: [],
    roles: [],
    handed: [],
    faults: [],
    phone: joinSharedPhone({
      name: 'acme/ada',
      createOwner: () => {
        const sip = new FakeSip();
        sips.push(sip);
        return createPhone({ sip, clock });
      },
      handedOver: async ({ state }) => {
        const kept = JSON.stringify({ by: name, calls: state.calls.map(({ id }) => id) });
        frame.handed.push(kept);
        return kept;
      },
      lease: leases.device(name),
      locks: myLocks,
      openChannel: myChannels.open,
      page: page as unknown as NonNullable<SharedPhoneOptions['page']>,
      clock,
      onFault: (fault) => frame.faults.push(fault),
      ...more,
    }),
    look() {
      page.visibilityState = 'visible';
      page.defaultView.dispatchEvent(new Event('focus'));
    },
    die() {
      myChannels.die();
      myLocks.die();
    },
  };
  frame.phone.onEvent((event) => frame.events.push(event));
  frame.phone.onRole((role) => frame.roles.push(role));
  opened.push(frame.phone);
  return frame;
}

/** Everything arrives, also what waits a moment to go together. */
async function pass(ms = 50): Promise<void> {
  await settled();
  for (const clock of clocks) clock.advance(ms);
  await settled();
}

async function goOnline({ phone }: Frame): Promise<void> {
  phone.owned()?.setAccount(account, credential, []);
  await phone.send({ type: 'line.connect' });
  await pass();
}

/** The owner on one computer, its line up, and a mirror on another. */
async function twoComputers(offMs = 0) {
  const desk = device('desk');
  const home = device('home', offMs);
  const owner = open(desk);
  await pass();
  await goOnline(owner);
  const other = open(home);
  await pass();
  await pass();
  return { desk, home, owner, other };
}

const roles = (...frames: readonly Frame[]): readonly PhoneRole[] => frames.map(({ phone }) => phone.role());
const registered = (...frames: readonly Frame[]): number => frames.filter(({ phone }) => phone.owned() !== null).length;

describe('the line of an agent with several devices', () => {
  it('is owned by the device that asks first; the others mirror it live and say where it is', async () => {
    const { owner, other } = await twoComputers();
    expect(roles(owner, other)).toEqual(['owner', 'mirror']);
    expect([owner.phone.where(), other.phone.where()]).toEqual([null, 'Chrome on desk']);
    expect(other.phone.state().line.status).toBe('ready');
    const call = owner.sip().invite(ada);
    await pass();
    expect(other.phone.state()).toEqual(owner.phone.state());
    await owner.phone.send({ type: 'call.answer', call });
    await pass();
    expect(other.phone.state().calls[0]?.phase).toBe('active');
    expect(other.sips).toEqual([]);
    expect(other.events).toEqual([]);
  });

  it('is one for three computers with several frames each: one owner, one ear per computer', async () => {
    const devices = ['desk', 'home', 'train'].map((name) => device(name));
    const frames = devices.flatMap((one) => [open(one), open(one), open(one)]);
    await pass();
    await pass();
    await pass();
    expect(frames.filter(({ phone }) => phone.role() === 'owner')).toHaveLength(1);
    expect(frames.filter(({ phone }) => phone.role() === 'mirror')).toHaveLength(8);
    expect(leases.grants).toEqual(['desk']);
    expect(leases.traffic.filter((one) => one.endsWith(' ask'))).toHaveLength(3);
    const owner = frames[0] ?? expect.fail();
    await goOnline(owner);
    owner.sip().invite(ada);
    await pass();
    for (const { phone } of frames) expect(phone.state()).toEqual(owner.phone.state());
  });

  it('is not asked for by frames that may not own, which follow the head beside them', async () => {
    const { home, owner } = await twoComputers();
    const remote = open(home, { mayOwn: false });
    await pass();
    expect(remote.phone.role()).toBe('mirror');
    expect(remote.phone.where()).toBe('Chrome on desk');
    expect(await remote.phone.takeHere()).toMatchObject({ ok: false, code: 'line.not-ready' });
    expect(registered(owner)).toBe(1);
  });

  it('comes to whoever can have it when its owner’s device is gone, with what that left', async () => {
    const { owner, other } = await twoComputers();
    owner.phone.keep('{"at":1}');
    owner.die();
    leases.runOut(true);
    await pass();
    expect(other.phone.role()).toBe('owner');
    expect(other.phone.where()).toBeNull();
    expect([other.phone.inherited(), other.phone.inherited()]).toEqual(['{"at":1}', null]);
  });

  it('is this device’s again at once when another frame of it takes the lock, without waiting for the relay', async () => {
    const desk = device('desk');
    const first = open(desk);
    await pass();
    await goOnline(first);
    const second = open(desk);
    await pass();
    leases.reach('desk', false);
    first.die();
    await settled();
    expect(second.phone.role()).toBe('owner');
    leases.reach('desk', true);
    await pass();
    expect(second.phone.role()).toBe('owner');
    expect(leases.grants).toEqual(['desk', 'desk']);
    expect(second.phone.inherited()).toBeNull();
  });

  it('is given back when the owner leaves', async () => {
    const { owner, other } = await twoComputers();
    await owner.phone.close();
    await pass();
    expect(other.phone.role()).toBe('owner');
    expect(leases.grants).toEqual(['desk', 'home']);
  });

  it('passes to a frame that can make a phone', async () => {
    const desk = device('desk');
    const broken = open(desk, {
      createOwner: () => {
        throw new Error('no sound device');
      },
    });
    const good = open(desk);
    await pass();
    await pass();
    expect(roles(good, broken)).toEqual(['owner', 'mirror']);
    expect(broken.faults).toHaveLength(1);
  });
});

describe('a relay that can’t be reached', () => {
  it('changes nothing for an owner, and nothing twice when it is back', async () => {
    const { owner, other } = await twoComputers();
    const call = owner.sip().invite(ada);
    leases.reach('desk', false);
    await pass(60_000);
    expect(owner.phone.role()).toBe('owner');
    expect(await owner.phone.send({ type: 'call.answer', call })).toEqual({ ok: true });
    leases.reach('desk', true);
    await pass();
    expect(roles(owner, other)).toEqual(['owner', 'mirror']);
    expect(owner.phone.state().calls[0]?.phase).toBe('active');
    expect(owner.sips).toHaveLength(1);
  });

  it('lets a device that never had an answer own after a bounded time, not before', async () => {
    const desk = device('desk');
    const only = open(desk);
    leases.reach('desk', false);
    await pass(leaseAnswersMs - 200);
    expect(only.phone.role()).toBe('joining');
    await pass(300);
    expect(only.phone.role()).toBe('owner');
  });

  it('fences off an owner that lost its lease meanwhile: it hands over at once, without a word to the network', async () => {
    const { owner, other } = await twoComputers();
    const call = owner.sip().invite(ada);
    await owner.phone.send({ type: 'call.answer', call });
    await pass();
    leases.reach('desk', false);
    leases.runOut();
    await pass();
    expect(roles(owner, other)).toEqual(['owner', 'owner']);
    leases.reach('desk', true);
    await pass();
    expect(roles(owner, other)).toEqual(['mirror', 'owner']);
    expect(owner.sip().sent('hang-up')).toEqual([]);
    expect(owner.sip().sent('hand-over')).toHaveLength(1);
    expect(owner.events.filter(({ name }) => name === 'call.ended')).toEqual([]);
    expect(owner.phone.where()).toBe('Chrome on home');
  });

  it('does not make a mirror the owner, whose commands are refused with the reason at once', async () => {
    const { other } = await twoComputers();
    leases.reach('home', false);
    await pass(leaseAnswersMs * 2);
    expect(other.phone.role()).toBe('mirror');
    const answer = await other.phone.send({ type: 'agent.set-available', available: false });
    expect(answer).toMatchObject({ ok: false, reason: expect.stringContaining('relay') });
    leases.reach('home', true);
    await pass();
    await pass();
    expect(await other.phone.send({ type: 'agent.set-available', available: false })).toEqual({ ok: true });
  });

  it('lets a call that began without it go on here when it comes back', async () => {
    const { home, owner } = await twoComputers();
    const third = open(device('train'));
    leases.reach('train', false);
    await pass(leaseAnswersMs + 100);
    await goOnline(third);
    third.sip().invite(ada);
    leases.reach('train', true);
    await pass();
    await pass();
    expect(home.name).toBe('home');
    expect(third.phone.role()).toBe('owner');
    expect(owner.phone.role()).toBe('mirror');
    expect(third.phone.state().calls).toHaveLength(1);
  });
});

describe('a command from another device', () => {
  it('is carried out by the owner and acknowledged, from the head and from the frames beside it', async () => {
    const { home, owner, other } = await twoComputers();
    const beside = open(home);
    await pass();
    for (const frame of [other, beside]) {
      const call = newCallId();
      const dial = await frame.phone.send({ type: 'call.dial', call, target: '1001', farSide: ada });
      expect(dial).toEqual({ ok: true });
      owner.sip().end(call);
    }
    expect(owner.sip().sent('dial')).toHaveLength(2);
  });

  it('is refused with the owner’s reason', async () => {
    const { other } = await twoComputers();
    expect(await other.phone.send({ type: 'call.answer', call: newCallId() })).toMatchObject({
      ok: false,
      code: expect.stringMatching(/^call\./),
    });
  });

  it('is answered by its deadline when the owner says nothing, and never carried out late', async () => {
    const { owner, other } = await twoComputers();
    const said = { ...other };
    const answer = said.phone.send({ type: 'call.dial', call: newCallId(), target: '1001', farSide: ada });
    // The owner's computer sleeps: it hears it only afterwards.
    for (const clock of clocks) clock.advance(commandDeadlineMs + 1);
    expect(await answer).toMatchObject({ ok: false, code: 'line.not-ready' });
    await settled();
    expect(owner.sip().sent('dial')).toEqual([]);
  });

  it.each([-3_600_000, 3_600_000])('is in time although the clocks differ by %d ms', async (offMs) => {
    const { owner, other } = await twoComputers(offMs);
    expect(await other.phone.send({ type: 'agent.set-available', available: false })).toEqual({ ok: true });
    expect(owner.phone.state().available).toBe(false);
  });

  it('that is too long for the relay is refused with the reason', async () => {
    const { other } = await twoComputers();
    const note = '\n'.repeat(30_000);
    const answer = await other.phone.send({ type: 'call.write-note', call: newCallId(), note });
    expect(answer).toMatchObject({ ok: false });
  });

  it('to a device that has just lost the phone is refused, not swallowed', async () => {
    const { owner, other } = await twoComputers();
    const stranger = leases.device('stranger');
    const heard: string[] = [];
    stranger.listen({
      yours: () => undefined,
      elsewhere: () => undefined,
      free: () => undefined,
      away: () => undefined,
      said: (_, body) => heard.push(body),
    });
    await other.phone.takeHere();
    await pass();
    heard.length = 0;
    const command = { v: 3, type: 'command', from: 'x', id: '1', until: 2e12, command: { type: 'line.disconnect' } };
    stranger.say(JSON.stringify(command));
    await settled();
    const results = heard.map((body) => JSON.parse(body)).filter(({ type }) => type === 'result');
    expect(results.filter(({ result }) => result.ok === false)).toHaveLength(1);
    expect(owner.sip().sent('hang-up')).toEqual([]);
  });
});

describe('what goes through the relay', () => {
  it('is nothing while no other device is there', async () => {
    const desk = device('desk');
    const owner = open(desk);
    open(desk);
    await pass();
    await goOnline(owner);
    owner.sip().invite(ada);
    await pass();
    expect(leases.bodies).toEqual([]);
  });

  it('never grows past what it takes: matches and watched colleagues go first, the calls stay', async () => {
    const { owner, other } = await twoComputers();
    const call = owner.sip().invite(ada);
    await owner.phone.send({ type: 'call.answer', call });
    const matches = Array.from({ length: 400 }, (_, n) => ({
      record: { crm: 'salesforce', object: 'Contact', id: `003${n}`, name: `Ada Example the ${n}th`.padEnd(120, '.') },
      number: '+14155550101' as never,
      reason: 'Same number',
    })) as never;
    await owner.phone.send({ type: 'call.found', call, matches });
    await owner.phone.send({ type: 'call.write-note', call, note: 'as it was' });
    await pass();
    expect(owner.phone.state().calls[0]?.matches).toHaveLength(400);
    expect(other.phone.state().calls[0]).toMatchObject({ id: call, phase: 'active', note: 'as it was' });
    expect(other.phone.state().calls[0]?.matches.length).toBeLessThan(20);
    for (const { body } of leases.bodies) expect(body.length).toBeLessThanOrEqual(longestBody);
    await owner.phone.send({ type: 'call.write-note', call, note: '\u0007'.repeat(39_000) });
    await pass();
    expect(other.phone.state().calls[0]).toMatchObject({ id: call, phase: 'active' });
    for (const { body } of leases.bodies) expect(body.length).toBeLessThanOrEqual(longestBody);
  });

  it('carries no secret', async () => {
    const { owner } = await twoComputers();
    owner.phone
      .owned()
      ?.renew({ ...credential, password: 'second-secret' }, [
        { urls: ['turn:t'], username: 'u', credential: 'turn-secret' },
      ]);
    owner.sip().invite(ada);
    await pass();
    const said = JSON.stringify(leases.bodies);
    expect(said).toContain('state');
    for (const secret of [credential.password, 'second-secret', 'turn-secret', credential.username])
      expect(said).not.toContain(`\\"${secret}\\"`);
  });

  it('is checked like everything else: what is not ours is dropped whole', async () => {
    const { owner, other } = await twoComputers();
    const stranger = leases.device('stranger');
    const before = [owner.phone.state(), other.phone.state()];
    const state = { ...owner.phone.state(), available: false };
    for (const message of [
      'no json',
      '[]',
      '{"v":3,"type":"state"}',
      '{"v":3,"type":"looks","from":"x","frames":"all","asks":true}',
      // The state of a device that does not own.
      JSON.stringify({ v: 3, type: 'state', from: 'x', foremost: 'x', epoch: 99, state }),
      JSON.stringify({ v: 3, type: 'command', from: 'x', id: '1', until: 2e12, command: { type: 'constructor' } }),
      'x'.repeat(longestBody + 1),
    ])
      stranger.say(message);
    await pass();
    expect([owner.phone.state(), other.phone.state()]).toEqual(before);
    expect(owner.faults).toEqual([]);
  });
});

describe('the foremost frame', () => {
  const foremost = (...frames: readonly Frame[]) => frames.map(({ phone }) => phone.isForemost());
  const openers = (...frames: readonly Frame[]) => frames.map(({ phone }) => phone.isOpener());

  it.each([0, 7_200_000, -7_200_000])(
    'is the one the agent looked at last on any device, with clocks %d ms apart',
    async (offMs) => {
      const { desk, home, owner, other } = await twoComputers(offMs);
      const [beside, behind] = [open(desk), open(home)];
      await pass();
      await pass();
      for (const [frame, which] of [
        [other, [false, true, false, false]],
        [beside, [false, false, true, false]],
        [behind, [false, false, false, true]],
        [owner, [true, false, false, false]],
      ] as const) {
        for (const clock of clocks) clock.advance(1_000);
        frame.look();
        await pass();
        await pass();
        expect(foremost(owner, other, beside, behind)).toEqual(which);
        expect(openers(owner, other, beside, behind)).toEqual(which);
      }
    },
  );

  it('leaves what is opened to the window beside it where it may not own, not to another computer', async () => {
    const { home, owner, other } = await twoComputers();
    owner.look();
    await pass();
    const remote = open(home, { mayOwn: false });
    await pass();
    for (const clock of clocks) clock.advance(1_000);
    remote.look();
    await pass();
    await pass();
    expect(foremost(owner, other, remote)).toEqual([false, false, true]);
    expect(openers(owner, other, remote)).toEqual([false, true, false]);
  });

  it('is never one of a device that is gone: what it said last is forgotten', async () => {
    const { owner, other } = await twoComputers();
    for (const clock of clocks) clock.advance(1_000);
    other.look();
    await pass();
    expect(foremost(owner, other)).toEqual([false, true]);
    leases.reach('home', false);
    await pass(31_000);
    await pass(31_000);
    expect(owner.phone.isForemost()).toBe(true);
    expect(owner.phone.isOpener()).toBe(true);
  });

  it('is never one of a page that was closed', async () => {
    const { home, owner, other } = await twoComputers();
    const beside = open(home);
    await pass();
    for (const clock of clocks) clock.advance(1_000);
    beside.look();
    await pass();
    expect(foremost(owner, other, beside)).toEqual([false, false, true]);
    beside.die();
    await pass();
    await pass();
    expect(owner.phone.isForemost()).toBe(true);
  });
});

describe('“use the phone here”', () => {
  it('moves a call to another computer: the owner lets go without a word, and the other gets what it left', async () => {
    const { owner, other } = await twoComputers();
    const call = owner.sip().invite(ada);
    await owner.phone.send({ type: 'call.answer', call });
    await pass();
    expect(await other.phone.takeHere()).toEqual({ ok: true });
    expect(roles(owner, other)).toEqual(['mirror', 'owner']);
    expect(owner.sip().sent('hand-over')).toHaveLength(1);
    expect(owner.events.filter(({ name }) => name === 'call.ended')).toEqual([]);
    expect(other.phone.inherited()).toBe(JSON.stringify({ by: 'desk', calls: [call] }));
    // Kept before it is left, so that nobody gets the line without.
    expect(leases.traffic.filter((act) => /keep|leave/.test(act))).toEqual(['desk keep', 'desk leave']);
    await pass();
    expect(owner.phone.where()).toBe('Chrome on home');
    expect(other.phone.where()).toBeNull();
    await goOnline(other);
    expect(owner.phone.state().line.status).toBe('ready');
  });

  it('moves it back', async () => {
    const { owner, other } = await twoComputers();
    expect(await other.phone.takeHere()).toEqual({ ok: true });
    await pass();
    expect(await owner.phone.takeHere()).toEqual({ ok: true });
    await pass();
    expect(roles(owner, other)).toEqual(['owner', 'mirror']);
    expect(owner.sips).toHaveLength(2);
    expect(owner.phone.inherited()).toContain('"home"');
  });

  it('is followed where it was taken from, also when that had told of its frames before anybody owned', async () => {
    const desk = device('desk');
    const handedOver = () => new Promise<string>((resolve) => desk.clock.setTimeout(() => resolve('{}'), 200));
    const owner = open(desk, { handedOver });
    await pass();
    await goOnline(owner);
    const other = open(device('home'));
    await pass();
    const taken = other.phone.takeHere();
    await pass();
    // Told, and still writing down what it had.
    expect(roles(owner, other)).toEqual(['mirror', 'mirror']);
    const looks = leases.bodies.filter(({ from, body }) => from === 'desk' && body.includes('"looks"'));
    expect(looks).toHaveLength(1);
    await pass(200);
    expect(await taken).toEqual({ ok: true });
    await pass();
    await goOnline(other);
    other.sip().invite(ada);
    await pass();
    expect(owner.phone.state()).toEqual(other.phone.state());
    expect(owner.phone.state().calls).toHaveLength(1);
  });

  it('moves it to another frame of the same browser, also while the relay is away', async () => {
    const desk = device('desk');
    const [first, second, third] = [open(desk), open(desk), open(desk)];
    await pass();
    await goOnline(first);
    const call = first.sip().invite(ada);
    await pass();
    leases.reach('desk', false);
    expect(await second.phone.takeHere()).toEqual({ ok: true });
    await settled();
    expect(roles(first, second, third)).toEqual(['mirror', 'owner', 'mirror']);
    expect(first.handed).toEqual([JSON.stringify({ by: 'desk', calls: [call] })]);
    expect(leases.traffic.filter((act) => act.endsWith('leave'))).toEqual([]);
    // Written down in this partition: nothing comes from elsewhere.
    expect(second.phone.inherited()).toBeNull();
    await goOnline(second);
    expect([first, third].map(({ phone }) => phone.state().line.status)).toEqual(['ready', 'ready']);
    second.die();
    await settled();
    expect(registered(first, third)).toBe(1);
  });

  it('moves it without any lease', async () => {
    const desk = device('desk');
    const [first, second] = [open(desk, { lease: null }), open(desk, { lease: null })];
    await pass();
    expect(await second.phone.takeHere()).toEqual({ ok: true });
    await settled();
    expect(roles(first, second)).toEqual(['mirror', 'owner']);
    expect(await first.phone.takeHere()).toEqual({ ok: true });
    await settled();
    expect(roles(first, second)).toEqual(['owner', 'mirror']);
  });

  it('from a frame beside the head moves it from another computer', async () => {
    const { home, owner, other } = await twoComputers();
    const beside = open(home);
    await pass();
    const answer = beside.phone.takeHere();
    await pass();
    expect(await answer).toEqual({ ok: true });
    await pass();
    expect(roles(owner, other, beside)).toEqual(['mirror', 'mirror', 'owner']);
    expect(beside.phone.inherited()).toContain('"desk"');
    expect(other.phone.where()).toBeNull();
    expect(registered(owner, other, beside)).toBe(1);
  });

  it('overtakes an owner in this browser that does not answer, and that one hands over when it wakes', async () => {
    const desk = device('desk');
    const first = open(desk, { handedOver: () => new Promise(() => undefined) });
    const second = open(desk);
    await pass();
    const call = first.sip().invite(ada);
    // It hears nothing, and holds its lock.
    const owned = first.phone.owned() ?? expect.fail();
    owned.handOver = () => new Promise(() => undefined);
    const answer = second.phone.takeHere();
    await settled();
    desk.clock.advance(letGoMs);
    expect(await answer).toEqual({ ok: true });
    await pass(2_000);
    expect(roles(first, second)).toEqual(['mirror', 'owner']);
    expect(first.events.filter((event) => event.name === 'call.ended' && event.call === call)).toEqual([]);
  });

  it('overtakes an owner on another computer that does not answer', async () => {
    const { owner, other } = await twoComputers();
    leases.reach('desk', false);
    expect(await other.phone.takeHere()).toEqual({ ok: true });
    expect(registered(owner, other)).toBe(2);
    leases.reach('desk', true);
    await pass();
    expect(roles(owner, other)).toEqual(['mirror', 'owner']);
  });

  it('is refused with the reason when the relay is away, and when it does not answer', async () => {
    const { owner, other } = await twoComputers();
    leases.reach('home', false);
    await settled();
    expect(await other.phone.takeHere()).toMatchObject({ ok: false, reason: expect.stringContaining('relay') });
    leases.reach('home', true);
    await pass();
    const owned = owner.phone.owned() ?? expect.fail();
    owned.handOver = () => new Promise(() => undefined);
    const late = other.phone.takeHere();
    await settled();
    // It never says that it has left.
    other.phone.onRole(() => undefined);
    for (const clock of clocks) clock.advance(takeDeadlineMs);
    expect(await late).toMatchObject({ ok: false, code: 'line.not-ready' });
  });

  it('is one wish, however often it is clicked, and nothing where the phone is', async () => {
    const { owner, other } = await twoComputers();
    expect(await owner.phone.takeHere()).toEqual({ ok: true });
    const [one, two] = [other.phone.takeHere(), other.phone.takeHere()];
    expect(await Promise.all([one, two])).toEqual([{ ok: true }, { ok: true }]);
    expect(leases.traffic.filter((act) => act.endsWith('take'))).toEqual(['home take']);
    expect(other.sips).toHaveLength(1);
    await other.phone.close();
    expect(await other.phone.takeHere()).toMatchObject({ ok: false, reason: expect.stringContaining('closed') });
  });

  it('leaves the phone where it was when whoever asked for it dies', async () => {
    const desk = device('desk');
    const [first, second] = [open(desk), open(desk)];
    await pass();
    void second.phone.takeHere();
    second.die();
    await pass();
    await pass(letGoMs * 3);
    expect(first.phone.role()).toBe('owner');
    expect(registered(first)).toBe(1);
  });
});

describe('fifty frames', () => {
  it('cost one message per change, no timer, and one ear at the relay', async () => {
    const desk = device('desk');
    const counter = desk.channels.frame().open('patchcord:acme/ada');
    const heard: { type: string }[] = [];
    const owner = open(desk);
    await pass();
    await goOnline(owner);
    const mirrors = Array.from({ length: 49 }, () => open(desk));
    await pass();
    expect(roles(...mirrors).every((role) => role === 'mirror')).toBe(true);
    expect(desk.clock.pending).toBe(0);
    counter.onmessage = (event) => heard.push(event.data);
    let changes = 0;
    owner.phone.onState(() => {
      changes += 1;
    });
    const call = owner.sip().invite(ada);
    await owner.phone.send({ type: 'call.answer', call });
    owner.sip().end(call);
    await pass();
    expect(heard.map(({ type }) => type)).toEqual(Array.from({ length: changes }, () => 'state'));
    expect(leases.bodies).toEqual([]);
    expect(leases.traffic).toEqual(['desk ask']);
  });

  it('get a new owner with one hello each and hardly more states than changes', async () => {
    const desk = device('desk');
    const owner = open(desk);
    await pass();
    const mirrors = Array.from({ length: 49 }, () => open(desk));
    await pass();
    const heard: { type: string }[] = [];
    desk.channels.frame().open('patchcord:acme/ada').onmessage = (event) => heard.push(event.data);
    owner.die();
    await pass();
    expect(registered(...mirrors)).toBe(1);
    expect(heard.filter(({ type }) => type === 'hello')).toHaveLength(48);
    expect(heard.filter(({ type }) => type === 'state').length).toBeLessThan(6);
  });

  it('on another computer are one ear: one message through the relay per change, one to the frames', async () => {
    const { home, owner, other } = await twoComputers();
    const beside = Array.from({ length: 49 }, () => open(home));
    await pass();
    await pass();
    const heard: { type: string }[] = [];
    home.channels.frame().open('patchcord:acme/ada').onmessage = (event) => heard.push(event.data);
    leases.bodies.length = 0;
    let changes = 0;
    owner.phone.onState(() => {
      changes += 1;
    });
    owner.sip().invite(ada);
    await pass();
    expect(leases.bodies).toHaveLength(changes);
    expect(heard.map(({ type }) => type)).toEqual(Array.from({ length: changes }, () => 'state'));
    for (const { phone } of [other, ...beside]) expect(phone.state()).toEqual(owner.phone.state());
  });
});
