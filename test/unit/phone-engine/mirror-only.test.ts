/** Frames that may not own the phone, beside a window that may: what they show and answer while it is there, before it, and after it. */
import { newCallId } from '@patchcord/call-protocol';
import {
  commandDeadlineMs,
  createPhone,
  joinSharedPhone,
  ownerAnswersMs,
  type PhoneRole,
  type SharedPhone,
  type SharedPhoneOptions,
} from '@patchcord/phone-engine';
import { deepFreeze, FakeChannels, FakeClock, FakeLocks, FakeSip, settled } from '@patchcord/phone-engine/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { account, ada, bob, credential } from './phone-fixture.ts';

let locks: FakeLocks;
let channels: FakeChannels;
let clock: FakeClock;
const opened: SharedPhone[] = [];

beforeEach(() => {
  locks = new FakeLocks();
  channels = new FakeChannels();
  clock = new FakeClock();
});
afterEach(async () => {
  for (const phone of opened.splice(0)) await phone.close();
  expect(clock.pending).toBe(0);
});

function join(more: Partial<SharedPhoneOptions>) {
  const myLocks = locks.frame();
  const myChannels = channels.frame();
  const sip = new FakeSip();
  const roles: PhoneRole[] = [];
  const faults: unknown[] = [];
  const phone = joinSharedPhone({
    name: 'acme/ada',
    createOwner: () => createPhone({ sip, clock }),
    locks: myLocks,
    openChannel: myChannels.open,
    clock,
    onFault: (fault) => faults.push(fault),
    ...more,
  });
  phone.onRole((role) => roles.push(role));
  phone.onState(deepFreeze);
  opened.push(phone);
  return {
    phone,
    sip,
    roles,
    faults,
    die(): void {
      myChannels.die();
      myLocks.die();
    },
  };
}

const remote = (more: Partial<SharedPhoneOptions> = {}) => join({ mayOwn: false, ...more });

/** The window with the phone, its line up. */
async function phoneWindow() {
  const window = join({});
  await settled();
  window.phone.owned()?.setAccount(account, credential, []);
  await window.phone.send({ type: 'line.connect' });
  await settled();
  return window;
}

async function aloneRemote() {
  const frame = remote();
  await settled();
  clock.advance(ownerAnswersMs);
  expect(frame.phone.role()).toBe('ownerless');
  return frame;
}

describe('a frame that may not own', () => {
  it('never asks for the line’s lock, and says when nobody answers that nobody is there', async () => {
    const frame = remote();
    await settled();
    expect(locks.held).toHaveLength(1);
    expect(locks.held).not.toContain('patchcord:acme/ada');
    expect(frame.phone.role()).toBe('joining');
    const early = frame.phone.send({ type: 'agent.set-available', available: false });
    clock.advance(ownerAnswersMs);
    expect(frame.roles).toEqual(['ownerless']);
    expect(frame.phone.owned()).toBeNull();
    expect(await early).toMatchObject({ ok: false, reason: expect.stringContaining('not open') });
  });

  it('that is closed while it joins waits for nobody', async () => {
    const frame = remote();
    await frame.phone.close();
    await settled();
    expect(clock.pending).toBe(0);
  });

  it('answers at once while nobody owns: nothing waits for a deadline', async () => {
    const frame = await aloneRemote();
    const answer = await frame.phone.send({ type: 'call.dial', call: newCallId(), target: '1001', farSide: ada });
    expect(answer).toEqual({
      ok: false,
      code: 'line.not-ready',
      reason: 'The phone window is not open. Open it, then try again.',
    });
    expect(clock.pending).toBe(0);
    expect(frame.phone.isForemost() || frame.phone.isOpener()).toBe(false);
  });

  it('shows and commands a window that comes later', async () => {
    const frame = await aloneRemote();
    const window = await phoneWindow();
    expect(window.phone.role()).toBe('owner');
    expect(frame.roles).toEqual(['ownerless', 'mirror']);
    expect(frame.phone.state().line.status).toBe('ready');
    const call = newCallId();
    expect(await frame.phone.send({ type: 'call.dial', call, target: '1001', farSide: ada })).toEqual({ ok: true });
    await settled();
    expect(window.sip.sent('dial').map((it) => it.call)).toEqual([call]);
    expect(frame.phone.state().calls.map((it) => it.id)).toEqual([call]);
  });

  it('follows a window that was there first, without a moment of nobody', async () => {
    await phoneWindow();
    const frame = remote();
    await settled();
    clock.advance(ownerAnswersMs);
    expect(frame.roles).toEqual(['mirror']);
  });

  it.each(['is killed', 'leaves'])(
    'notices that its window %s: no calls, no line, and what was asked is answered',
    async (how) => {
      const window = await phoneWindow();
      const frames = [remote(), remote()];
      await settled();
      window.sip.invite(ada);
      await settled();
      expect(frames.map(({ phone }) => phone.state().calls.length)).toEqual([1, 1]);
      const owned = window.phone.owned();
      if (owned === null) throw new Error('the window owns the phone');
      owned.send = () => new Promise(() => undefined);
      const asked = frames[0]?.phone.send({ type: 'agent.set-available', available: false });
      await settled();
      if (how === 'leaves') await window.phone.close();
      else window.die();
      await settled();
      expect(frames.map(({ phone }) => phone.role())).toEqual(['ownerless', 'ownerless']);
      for (const { phone } of frames) expect(phone.state()).toMatchObject({ calls: [], line: { status: 'offline' } });
      expect(await asked).toMatchObject({ ok: false, reason: expect.stringContaining('was closed') });
    },
  );

  it('follows the next window, and not the one that is gone', async () => {
    const first = await phoneWindow();
    const frame = remote();
    await settled();
    first.die();
    await settled();
    const second = await phoneWindow();
    expect(frame.roles).toEqual(['mirror', 'ownerless', 'mirror']);
    second.sip.invite(bob);
    await settled();
    expect(frame.phone.state().calls[0]?.farSide).toEqual(bob);
    second.die();
    await settled();
    expect(frame.phone.role()).toBe('ownerless');
  });

  it('is not handed the phone where another frame that may own waits for it', async () => {
    const first = await phoneWindow();
    const frame = remote();
    const heir = join({});
    await settled();
    first.die();
    await settled();
    expect(heir.phone.role()).toBe('owner');
    expect(frame.phone.role()).toBe('mirror');
  });

  it.each<[string, Partial<SharedPhoneOptions>]>([
    [
      'channels',
      {
        openChannel: () => {
          throw new DOMException('no', 'SecurityError');
        },
      },
    ],
    ['locks', { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } }],
  ])('says why where the browser forbids %s, and does not become an owner beside the window', async (_, more) => {
    const frame = remote(more);
    await settled();
    expect(frame.phone.role()).toBe('ownerless');
    expect(frame.faults).toHaveLength(1);
    const answer = await frame.phone.send({ type: 'line.connect' });
    expect(answer).toMatchObject({ ok: false, reason: expect.stringContaining('Use the phone in its own window') });
  });

  it('is foremost when it is looked at, and leaves it to the window to open records', async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible', defaultView: null });
    const window = await phoneWindow();
    clock.advance(10);
    const frame = remote({ page: page as unknown as Document });
    await settled();
    frame.phone.lookedAt();
    await settled();
    expect([window, frame].map(({ phone }) => phone.isForemost())).toEqual([false, true]);
    expect([window, frame].map(({ phone }) => phone.isOpener())).toEqual([true, false]);
  });
});

describe('one click that two frames heard', () => {
  const click = (number: string) =>
    ({ type: 'call.dial', call: newCallId(), target: number, farSide: { number }, fromPage: true }) as const;

  it('dials once, also when the first call has failed already', async () => {
    const window = await phoneWindow();
    const frame = remote();
    await settled();
    const first = click('+14155550101');
    expect(await window.phone.send(first)).toEqual({ ok: true });
    window.sip.end(first.call);
    expect(await frame.phone.send(click('+14155550101'))).toMatchObject({ ok: false, code: 'call.not-allowed' });
    expect(window.sip.sent('dial')).toHaveLength(1);
    clock.advance(commandDeadlineMs);
    expect(await frame.phone.send(click('+14155550101'))).toEqual({ ok: true });
  });

  it('is no reason to refuse another number, or the agent’s own second try', async () => {
    const window = await phoneWindow();
    const first = click('+14155550101');
    await window.phone.send(first);
    window.sip.end(first.call);
    const { fromPage: _, ...typed } = click('+14155550101');
    expect(await window.phone.send(typed)).toEqual({ ok: true });
    window.sip.end(typed.call);
    expect(await window.phone.send(click('+14155550102'))).toEqual({ ok: true });
  });
});

describe('calls of an earlier owner', () => {
  it('are taken up for their wrap-up when they are over, each once, and shown to every frame', async () => {
    const window = await phoneWindow();
    const frame = remote();
    const call = window.sip.invite(ada);
    await window.phone.send({ type: 'call.answer', call });
    const live = window.phone.state().calls;
    window.sip.end(call);
    await settled();
    const over = window.phone.state().calls;
    await window.phone.close();
    const next = await phoneWindow();
    next.phone.owned()?.takeUp(over, [], 1_000);
    next.phone.owned()?.takeUp([...over, ...live], [], 1_000);
    await settled();
    expect(next.phone.state().calls).toEqual(over);
    expect(frame.phone.state().calls).toEqual(over);
    expect(await frame.phone.send({ type: 'call.submit-wrap-up', call })).toEqual({ ok: true });
    expect(next.phone.state().calls).toEqual([]);
  });
});
