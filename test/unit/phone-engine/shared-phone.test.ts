/** One owner, many mirrors: election, live state, commands, focus, death, and everything a channel may bring. */
import { newCallId, type PhoneEvent } from '@patchcord/call-protocol';
import {
  commandDeadlineMs,
  createPhone,
  joinSharedPhone,
  type SharedPhone,
  type SharedPhoneOptions,
} from '@patchcord/phone-engine';
import { deepFreeze, FakeChannels, FakeClock, FakeLocks, FakeSip, settled } from '@patchcord/phone-engine/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { account, ada, credential } from './phone-fixture.ts';

class FakePage extends EventTarget {
  visibilityState: DocumentVisibilityState = 'hidden';
  readonly defaultView = new EventTarget() as unknown as Window;
  /** The agent clicks into the frame itself. */
  focus(): void {
    this.visibilityState = 'visible';
    this.defaultView.dispatchEvent(new Event('focus'));
  }
  /** Its tab comes to the front; the agent works in the page around it. */
  show(): void {
    this.visibilityState = 'visible';
    this.dispatchEvent(new Event('visibilitychange'));
  }
  hide(): void {
    this.visibilityState = 'hidden';
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

interface Frame {
  readonly phone: SharedPhone;
  readonly page: FakePage;
  readonly sip: FakeSip;
  readonly events: PhoneEvent[];
  readonly faults: unknown[];
  die(): void;
}

let locks: FakeLocks;
let channels: FakeChannels;
let clock: FakeClock;
/** Everything that went over the channel. */
let wire: unknown[];

beforeEach(() => {
  locks = new FakeLocks();
  channels = new FakeChannels();
  clock = new FakeClock();
  wire = [];
  const ear = channels.frame().open('patchcord:acme/ada');
  ear.onmessage = (event) => wire.push(event.data);
});

const opened: SharedPhone[] = [];
afterEach(async () => {
  for (const phone of opened.splice(0)) await phone.close();
});

function open(more: Partial<SharedPhoneOptions> = {}, page = new FakePage()): Frame {
  const myLocks = locks.frame();
  const myChannels = channels.frame();
  const sip = new FakeSip();
  const events: PhoneEvent[] = [];
  const faults: unknown[] = [];
  const phone = joinSharedPhone({
    name: 'acme/ada',
    createOwner: () => createPhone({ sip, clock }),
    locks: myLocks,
    openChannel: myChannels.open,
    page: page as unknown as NonNullable<SharedPhoneOptions['page']>,
    clock,
    onFault: (fault) => faults.push(fault),
    ...more,
  });
  phone.onEvent((event) => events.push(event));
  phone.onState(deepFreeze);
  opened.push(phone);
  return {
    phone,
    page,
    sip,
    events,
    faults,
    die: () => {
      myChannels.die();
      myLocks.die();
    },
  };
}

async function three(): Promise<[Frame, Frame, Frame]> {
  const frames: [Frame, Frame, Frame] = [open(), open(), open()];
  await settled();
  return frames;
}

async function goOnline({ phone }: Frame): Promise<void> {
  phone.owned()?.setAccount(account, credential, [{ urls: ['turn:t'], username: 'u', credential: 'turn-secret' }]);
  await phone.send({ type: 'line.connect' });
  await settled();
}

const foremost = (...frames: readonly Frame[]): readonly boolean[] => frames.map((it) => it.phone.isForemost());

describe('election', () => {
  it('makes the first frame the owner, and the others mirrors', async () => {
    const frames = [open(), open(), open()];
    expect(frames.map((it) => it.phone.role())).toEqual(['joining', 'joining', 'joining']);
    const roles: string[] = [];
    frames[1]?.phone.onRole((role) => roles.push(role));
    await settled();
    expect(frames.map((it) => it.phone.role())).toEqual(['owner', 'mirror', 'mirror']);
    expect(frames.map((it) => it.phone.owned() !== null)).toEqual([true, false, false]);
    expect(roles).toEqual(['mirror']);
  });

  it('keeps phones of other names apart', async () => {
    const one = open();
    const other = open({ name: 'acme/grace' });
    await settled();
    expect([one.phone.role(), other.phone.role()]).toEqual(['owner', 'owner']);
  });

  it('passes the phone on when the owner dies, with nothing of the old calls', async () => {
    const [first, second, third] = await three();
    await goOnline(first);
    first.sip.invite(ada);
    await settled();
    expect(third.phone.state().calls).toHaveLength(1);
    first.die();
    await settled();
    expect([second.phone.role(), third.phone.role()]).toEqual(['owner', 'mirror']);
    expect(second.phone.state()).toMatchObject({ calls: [], line: { status: 'offline' } });
    expect(third.phone.state()).toEqual(second.phone.state());
    await goOnline(second);
    expect(third.phone.state().line.status).toBe('ready');
    expect(await third.phone.send({ type: 'agent.set-available', available: false })).toEqual({ ok: true });
    expect(second.phone.state().available).toBe(false);
  });

  it('passes the phone on when the owner leaves, its calls ended first', async () => {
    const [first, second, third] = await three();
    await goOnline(first);
    const call = first.sip.invite(ada);
    await first.phone.close();
    await settled();
    expect(first.events.filter((event) => event.name === 'call.ended').map((event) => event.call)).toEqual([call]);
    expect([second.phone.role(), third.phone.role()]).toEqual(['owner', 'mirror']);
    expect(await first.phone.send({ type: 'line.connect' })).toMatchObject({ ok: false, code: 'line.not-ready' });
  });

  it('forgets a mirror that leaves', async () => {
    const [first, second, third] = await three();
    await second.phone.close();
    first.die();
    await settled();
    expect(third.phone.role()).toBe('owner');
    expect(second.phone.role()).toBe('mirror');
  });

  it('does not take the phone when it is granted to a frame that has left', async () => {
    let grant = (): unknown => undefined;
    const request = (name: string, ...rest: unknown[]): Promise<unknown> =>
      new Promise(() => {
        if (name === 'patchcord:acme/ada') grant = rest.at(-1) as () => unknown;
      });
    const frame = open({ locks: { request: request as LockManager['request'] } });
    await frame.phone.close();
    expect(grant()).toBeUndefined();
    expect(frame.phone.role()).toBe('joining');
  });

  it('lets another frame try when this one can’t make a phone', async () => {
    const broken = open({
      createOwner: () => {
        throw new Error('no sound device');
      },
    });
    const good = open();
    await settled();
    expect(good.phone.role()).toBe('owner');
    expect(broken.phone.role()).toBe('mirror');
    expect(broken.faults).toHaveLength(1);
  });
});

describe('mirrors', () => {
  it('see the live state at once when they join, and every change', async () => {
    const first = open();
    await settled();
    await goOnline(first);
    const call = first.sip.invite(ada);
    const late = open();
    await settled();
    expect(late.phone.state()).toEqual(first.phone.state());
    const seen: string[] = [];
    late.phone.onState((state) => seen.push(state.calls[0]?.phase ?? 'none'));
    await first.phone.send({ type: 'call.answer', call });
    await settled();
    expect(seen).toEqual(['answering', 'active']);
  });

  it('are a full remote control, and get the result', async () => {
    const [first, second] = await three();
    await goOnline(first);
    const call = newCallId();
    expect(await second.phone.send({ type: 'call.dial', call, target: '1001', farSide: ada })).toEqual({ ok: true });
    expect(first.sip.sent('dial')).toHaveLength(1);
    first.sip.answered(call);
    expect(await second.phone.send({ type: 'call.hold', call })).toEqual({ ok: true });
    await settled();
    expect(second.phone.state().calls[0]?.hold).toBe('on');
    expect(await second.phone.send({ type: 'call.answer', call })).toEqual({
      ok: false,
      code: 'call.not-allowed',
      reason: 'This call is not ringing any more.',
    });
  });

  it('hear no events: those are the owner’s', async () => {
    const [first, second] = await three();
    await goOnline(first);
    expect(first.events.map((event) => event.name)).toEqual(['line.ready']);
    expect(second.events).toEqual([]);
  });

  it('get a clear answer when the owner does not give one in time', async () => {
    const [first, second] = await three();
    await goOnline(first);
    // Frozen: it hears, and does nothing.
    const owned = first.phone.owned();
    if (owned === null) throw new Error('the first frame owns the phone');
    let answerLate = (_: { readonly ok: true }): void => undefined;
    owned.send = () =>
      new Promise((resolve) => {
        answerLate = resolve;
      });
    const answer = second.phone.send({ type: 'line.disconnect' });
    await settled();
    clock.advance(commandDeadlineMs);
    expect(await answer).toEqual({
      ok: false,
      code: 'line.not-ready',
      reason: 'The window that holds the phone does not answer. Look for it, or reload this page.',
    });
    answerLate({ ok: true });
    await settled();
    expect(second.faults).toEqual([]);
  });

  it('are not obeyed after they gave up', async () => {
    const [first, second] = await three();
    await goOnline(first);
    const answer = second.phone.send({ type: 'call.dial', call: newCallId(), target: '1001', farSide: ada });
    // The owner wakes only when the deadline has passed.
    clock.advance(commandDeadlineMs + 1);
    expect(await answer).toMatchObject({ ok: false });
    await settled();
    expect(first.sip.sent('dial')).toEqual([]);
  });

  it('hear that their command was lost with the owner', async () => {
    const [first, second, third] = await three();
    await goOnline(first);
    const owned = first.phone.owned();
    if (owned === null) throw new Error('the first frame owns the phone');
    owned.send = () => new Promise(() => undefined);
    const [heir, mirror] = [
      second.phone.send({ type: 'line.disconnect' }),
      third.phone.send({ type: 'line.disconnect' }),
    ];
    await settled();
    first.die();
    await settled();
    for (const answer of [await heir, await mirror]) {
      expect(answer).toMatchObject({ ok: false, code: 'line.not-ready' });
      expect(answer.ok === false && answer.reason).toContain('was closed');
    }
  });

  it('keep a command from before they knew the owner, and send it once', async () => {
    const first = open();
    await settled();
    await goOnline(first);
    const late = open();
    const answer = late.phone.send({ type: 'agent.set-available', available: false });
    await settled();
    expect(await answer).toEqual({ ok: true });
    expect(first.events.filter((event) => event.name === 'agent.unavailable')).toHaveLength(1);
  });

  it('carry such a command out themselves when they become the owner', async () => {
    const only = open();
    const answer = only.phone.send({ type: 'agent.set-available', available: false });
    await settled();
    expect(await answer).toEqual({ ok: true });
    expect(only.phone.state().available).toBe(false);
  });

  it('answer what is still open when they close', async () => {
    const [first, second] = await three();
    const owned = first.phone.owned();
    if (owned === null) throw new Error('the first frame owns the phone');
    owned.send = () => new Promise(() => undefined);
    const answer = second.phone.send({ type: 'line.connect' });
    await second.phone.close();
    expect(await answer).toMatchObject({ ok: false, reason: 'This phone was closed. Open it again.' });
    expect(clock.pending).toBe(0);
  });
});

describe('the foremost frame', () => {
  it('is the owner while nobody looked at any', async () => {
    const frames = await three();
    expect(foremost(...frames)).toEqual([true, false, false]);
  });

  it('is the one looked at last', async () => {
    const [first, second, third] = await three();
    clock.advance(1_000);
    second.page.focus();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, true, false]);
    clock.advance(1_000);
    first.page.focus();
    await settled();
    expect(foremost(first, second, third)).toEqual([true, false, false]);
    clock.advance(1_000);
    third.page.show();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, false, true]);
  });

  it('is the one whose tab comes to the front, without a click into it', async () => {
    const [first, second] = await three();
    first.page.show();
    await settled();
    for (const [to, from, which] of [
      [second, first, [false, true]],
      [first, second, [true, false]],
    ] as const) {
      clock.advance(1_000);
      from.page.hide();
      to.page.show();
      await settled();
      expect(foremost(first, second)).toEqual(which);
    }
  });

  it('is the one that the page around it says is looked at, of two windows side by side', async () => {
    const [first, second, third] = await three();
    for (const { page } of [first, second]) page.show();
    await settled();
    for (const [frame, which] of [
      [first, [true, false, false]],
      [second, [false, true, false]],
    ] as const) {
      clock.advance(1_000);
      frame.phone.lookedAt();
      await settled();
      expect(foremost(first, second, third)).toEqual(which);
    }
    clock.advance(1_000);
    // What a hidden page does by itself is no look of the agent.
    third.phone.lookedAt();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, true, false]);
  });

  it('is never a hidden one while another can be seen; while none can, the one looked at last', async () => {
    const [first, second, third] = await three();
    second.page.show();
    clock.advance(1_000);
    third.page.show();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, false, true]);
    third.page.hide();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, true, false]);
    second.page.hide();
    await settled();
    expect(foremost(first, second, third)).toEqual([false, false, true]);
  });

  it('is a frame that was in front when it joined', async () => {
    const first = open();
    await settled();
    first.page.focus();
    const page = new FakePage();
    page.visibilityState = 'visible';
    clock.advance(1);
    const second = open({}, page);
    await settled();
    expect(foremost(first, second)).toEqual([false, true]);
  });

  it('is also known from a frame of an earlier version, which does not say whether it can be seen', async () => {
    const first = open();
    await settled();
    first.page.focus();
    const old = channels.frame().open('patchcord:acme/ada');
    const heard: { readonly foremost?: string }[] = [];
    old.onmessage = (event) => heard.push(event.data);
    const stay = locks.frame().request('patchcord:acme/ada:old', () => new Promise(() => undefined));
    void stay;
    old.postMessage({ v: 3, type: 'focus', from: 'old', at: clock.now() + 1 });
    await settled();
    expect(heard.at(-1)).toMatchObject({ type: 'state', foremost: 'old' });
  });

  it('is the one before when it dies', async () => {
    const [first, second, third] = await three();
    second.page.focus();
    await settled();
    clock.advance(1_000);
    third.page.focus();
    await settled();
    third.die();
    await settled();
    expect(foremost(first, second)).toEqual([false, true]);
    second.die();
    await settled();
    expect(foremost(first)).toEqual([true]);
  });

  it('stays foremost when the owner dies', async () => {
    const [first, second, third] = await three();
    third.page.focus();
    await settled();
    first.die();
    await settled();
    expect(second.phone.role()).toBe('owner');
    expect(foremost(second, third)).toEqual([false, true]);
  });

  it('is one of two even when they were looked at in the same millisecond', async () => {
    const [first, second, third] = await three();
    second.page.focus();
    third.page.focus();
    await settled();
    expect(foremost(first, second, third).filter(Boolean)).toHaveLength(1);
  });
});

describe('the channel', () => {
  it('carries no secret', async () => {
    const [first, second] = await three();
    await goOnline(first);
    first.phone.owned()?.renew({ ...credential, password: 'second-secret' }, []);
    const call = first.sip.invite(ada);
    await second.phone.send({ type: 'call.answer', call });
    await settled();
    const said = JSON.stringify(wire);
    expect(said).toContain('"type":"state"');
    for (const secret of [credential.password, 'second-secret', 'turn-secret', credential.username]) {
      expect(said).not.toContain(`"${secret}"`);
    }
  });

  it('drops what is not a message of ours, whole', async () => {
    const [first, second] = await three();
    await goOnline(first);
    const stranger = channels.frame().open('patchcord:acme/ada');
    const [ownerState, mirrorState] = [first.phone.state(), second.phone.state()];
    const hostile: readonly unknown[] = [
      null,
      'hello',
      [],
      {},
      { v: 2, type: 'command', from: 'x', id: '1', until: clock.now() + 1, command: { type: 'line.disconnect' } },
      { v: 3, type: 'toString' },
      { v: 3, type: 7 },
      { v: 3, type: 'hello' },
      { v: 3, type: 'hello', from: '', focusedAt: null },
      { v: 3, type: 'focus', from: 'x', at: Number.NaN },
      { v: 3, type: 'command', from: 'x', id: '1', until: clock.now() + 1, command: { type: 'constructor' } },
      { v: 3, type: 'command', from: 'x', id: '1', until: clock.now() + 1, command: { type: 'call.mute', call: 'c' } },
      { v: 3, type: 'command', from: 'x', id: '1', until: clock.now() + 1, command: 'line.disconnect' },
      { v: 3, type: 'command', from: 'x', id: '1', command: { type: 'line.disconnect' } },
      { v: 3, type: 'state', from: 'x', foremost: 'x', state: { ...ownerState, calls: [{ id: 'c' }] } },
      { v: 3, type: 'state', from: 'x', foremost: 'x', state: { ...ownerState, waiting: { act: 'dial', call: 'c' } } },
      { v: 3, type: 'state', from: 'x', foremost: 'x', state: { ...ownerState, calls: 'none' } },
      { v: 3, type: 'result', to: 'x', id: '1', result: { ok: 'yes' } },
      { v: 3, type: 'result', to: 'x', id: '1', result: { ok: false } },
    ];
    for (const message of hostile) stranger.postMessage(message);
    await settled();
    expect(first.phone.state()).toBe(ownerState);
    expect(second.phone.state()).toBe(mirrorState);
    expect(foremost(first, second)).toEqual([true, false]);
    expect(first.faults).toEqual([]);
  });

  it('takes a result only from a command of its own', async () => {
    const [, second] = await three();
    const stranger = channels.frame().open('patchcord:acme/ada');
    stranger.postMessage({ v: 3, type: 'result', to: 'somebody', id: '1', result: { ok: true } });
    await settled();
    expect(second.phone.role()).toBe('mirror');
  });

  it('carries every state a phone can show', async () => {
    const [first, second] = await three();
    await goOnline(first);
    const call = newCallId();
    const consult = newCallId();
    const record = { crm: 'salesforce', object: 'Contact', id: '003' } as const;
    const say = (command: Parameters<SharedPhone['send']>[0]) => second.phone.send(command);
    await say({ type: 'call.dial', call, target: '1001', farSide: ada, record });
    first.sip.answered(call);
    await say({
      type: 'call.found',
      call,
      matches: [{ record, number: '+14155550101' as never, reason: 'Same number' }],
    });
    await say({ type: 'call.choose-record', call, record, by: 'agent' });
    await say({ type: 'call.write-note', call, note: 'n' });
    await say({ type: 'call.set-disposition', call, disposition: 'sold' });
    first.sip.holds = 'wait';
    await say({ type: 'call.dial', call: consult, target: '1002', farSide: { number: '1002' }, consultFor: call });
    await settled();
    expect(second.phone.state()).toEqual(first.phone.state());
    expect(second.phone.state().waiting).toMatchObject({ act: 'dial' });
    first.sip.holdDone(call);
    first.sip.answered(consult);
    await say({ type: 'call.complete-transfer', call });
    await settled();
    expect(second.phone.state()).toEqual(first.phone.state());
    expect(second.phone.state().calls[0]?.transfer?.kind).toBe('attended');
    first.sip.acceptTransfer(call);
    await settled();
    expect(second.phone.state()).toEqual(first.phone.state());
    expect(second.phone.state().calls.map((it) => it.phase)).toEqual(['ended', 'ended']);
  });
});

describe('strict privacy', () => {
  const forbidden = (): never => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  };

  it.each<[string, Partial<SharedPhoneOptions>]>([
    ['channels', { openChannel: forbidden }],
    ['locks', { locks: { request: forbidden } }],
    ['locks, later', { locks: { request: () => Promise.reject(new DOMException('no', 'SecurityError')) } }],
  ])('that forbids %s makes the frame an owner, alone', async (_, more) => {
    const alone = open(more);
    expect(alone.phone.role()).toBe('joining');
    await settled();
    expect(alone.phone.role()).toBe('owner');
    expect(alone.phone.isForemost()).toBe(true);
    expect(alone.faults).toHaveLength(1);
    alone.page.focus();
    await goOnline(alone);
    expect(alone.phone.state().line.status).toBe('ready');
    await alone.phone.close();
  });
});

describe('listeners', () => {
  it('are kept from one another, and can leave', async () => {
    const first = open();
    const heard: string[] = [];
    first.phone.onRole(() => {
      throw new Error('broken');
    });
    first.phone.onRole((role) => heard.push(role));
    first.phone.onRole((role) => heard.push(`left ${role}`))();
    await settled();
    expect(heard).toEqual(['owner']);
    expect(first.faults).toHaveLength(1);
  });

  it('survive a channel that breaks', async () => {
    const channel = channels.frame().open('patchcord:acme/ada');
    const first = open({ openChannel: () => channel, onFault: () => forbiddenReport() });
    await settled();
    channel.close();
    await goOnline(first);
    expect(first.phone.state().line.status).toBe('ready');
  });
});

function forbiddenReport(): never {
  throw new Error('nobody to tell');
}

it('runs on the browser’s own clock, and without a page', async () => {
  const phone = joinSharedPhone({
    name: 'acme/ada',
    createOwner: () => createPhone({ sip: new FakeSip(), clock }),
    locks,
    openChannel: channels.open,
  });
  const answer = phone.send({ type: 'agent.set-available', available: false });
  expect(await answer).toEqual({ ok: true });
  expect(phone.role()).toBe('owner');
  await phone.close();
});
