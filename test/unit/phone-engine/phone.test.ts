/** The loop around the call machine: order, isolation, timers, sound, account. */
import { newCallId, type PhoneEvent } from '@patchcord/call-protocol';
import { createPhone, type KeptDialog, type PhoneState } from '@patchcord/phone-engine';
import { deepFreeze, FakeClock, FakeSip, FakeSound, settled } from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';
import { account, ada, credential } from './phone-fixture.ts';

function makePhone() {
  const sip = new FakeSip();
  const clock = new FakeClock();
  const sound = new FakeSound();
  const faults: unknown[] = [];
  const events: PhoneEvent[] = [];
  const phone = createPhone({ sip, clock, sound, onFault: (fault) => faults.push(fault) });
  // Whoever changes a state after it was told fails here.
  phone.onState(deepFreeze);
  phone.onEvent((event) => events.push(event));
  return { sip, clock, sound, faults, events, phone };
}

async function connected() {
  const made = makePhone();
  made.phone.setAccount(account, credential, []);
  await made.phone.send({ type: 'line.connect' });
  return made;
}

async function inCall() {
  const made = await connected();
  const call = newCallId();
  await made.phone.send({ type: 'call.dial', call, target: '1001', farSide: ada });
  made.sip.answered(call);
  return { ...made, call };
}

describe('createPhone', () => {
  it('carries a call from the dial to the wrap-up', async () => {
    const { sip, clock, phone, events } = await connected();
    const call = newCallId();
    expect(await phone.send({ type: 'call.dial', call, target: '1001', farSide: ada })).toEqual({ ok: true });
    sip.ring(call);
    sip.answered(call);
    clock.advance(60_000);
    await phone.send({ type: 'call.hang-up', call });
    expect(phone.state().calls[0]?.end?.outcome).toBe('answered');
    expect(events.map((event) => event.name)).toEqual([
      'line.ready',
      'dial.requested',
      'call.started',
      'call.ringing',
      'call.answered',
      'call.ended',
    ]);
    expect((events[5]?.at ?? 0) - (events[4]?.at ?? 0)).toBe(60_000);
  });

  it('declines', async () => {
    const { sip, phone, events } = await connected();
    const call = sip.invite(ada);
    expect(await phone.send({ type: 'call.decline', call })).toEqual({ ok: true });
    expect(sip.sent('decline')).toEqual([{ type: 'decline', call, code: 486 }]);
    expect(events.at(-1)).toMatchObject({ name: 'call.ended', data: { outcome: 'declined' } });
    expect(phone.state().calls).toEqual([]);
  });

  it('answers a refused command with why, and changes nothing', async () => {
    const { phone } = makePhone();
    const before = phone.state();
    expect(await phone.send({ type: 'call.dial', call: newCallId(), target: '1', farSide: ada })).toEqual({
      ok: false,
      code: 'line.not-ready',
      reason: 'The phone is offline. Go online first.',
    });
    expect(phone.state()).toBe(before);
  });

  it('has the new state in place before anybody hears of it, and events after', async () => {
    const { phone } = await connected();
    const order: string[] = [];
    phone.onState((state) => order.push(`state ${phone.state() === state}`));
    phone.onEvent((event) => order.push(event.name));
    await phone.send({ type: 'agent.set-available', available: false });
    expect(order).toEqual(['state true', 'agent.unavailable']);
  });

  it('takes what a listener asks after what is under way', async () => {
    const { sip, phone, events } = await connected();
    phone.onState((state) => {
      const ringing = state.calls.find((it) => it.phase === 'incoming');
      if (ringing !== undefined) void phone.send({ type: 'call.answer', call: ringing.id });
    });
    sip.invite();
    expect(events.map((event) => event.name)).toEqual(['line.ready', 'call.started', 'call.ringing', 'call.answered']);
    expect(phone.state().calls[0]?.phase).toBe('active');
  });

  it('keeps a throwing listener from the others, and reports it', async () => {
    const { phone, faults } = makePhone();
    const heard: PhoneState[] = [];
    phone.onState(() => {
      throw new Error('broken state listener');
    });
    phone.onEvent(() => {
      throw new Error('broken event listener');
    });
    phone.onState((state) => heard.push(state));
    phone.setAccount(account, credential, []);
    await phone.send({ type: 'line.connect' });
    expect(heard.at(-1)?.line.status).toBe('ready');
    expect(faults.map((fault) => (fault as Error).message)).toEqual([
      'broken state listener',
      'broken state listener',
      'broken event listener',
    ]);
  });

  it('goes on when even the report of a fault throws', async () => {
    const phone = createPhone({
      sip: new FakeSip(),
      clock: new FakeClock(),
      onFault: () => {
        throw new Error('nobody to tell');
      },
    });
    phone.onState(() => {
      throw new Error('broken');
    });
    expect(await phone.send({ type: 'agent.set-available', available: false })).toEqual({ ok: true });
  });

  it('stops telling whoever has enough', async () => {
    const { phone } = makePhone();
    const heard: unknown[] = [];
    phone.onState((state) => heard.push(state))();
    phone.onEvent((event) => heard.push(event))();
    await phone.send({ type: 'agent.set-available', available: false });
    expect(heard).toEqual([]);
  });

  it('ends a call whose end is never confirmed', async () => {
    const { sip, clock, phone, events, call } = await inCall();
    sip.hangUp = () => undefined;
    await phone.send({ type: 'call.hang-up', call });
    clock.advance(7_999);
    expect(phone.state().calls[0]?.phase).toBe('ending');
    clock.advance(1);
    expect(phone.state().calls[0]?.phase).toBe('ended');
    sip.end(call);
    expect(events.filter((event) => event.name === 'call.ended')).toHaveLength(1);
  });

  it('leaves no timer behind a call that ended in time', async () => {
    const { clock, phone, call } = await inCall();
    await phone.send({ type: 'call.hang-up', call });
    expect(clock.pending).toBe(0);
  });

  it('lets the tone follow the state', async () => {
    const { sip, sound, phone } = await connected();
    const first = sip.invite();
    await phone.send({ type: 'call.answer', call: first });
    const second = sip.invite();
    sip.end(second);
    const third = newCallId();
    await phone.send({ type: 'call.hang-up', call: first });
    await phone.send({ type: 'call.dial', call: third, target: '1001', farSide: ada });
    sip.ring(third);
    sip.end(third, { code: 486 });
    expect(sound.tones).toEqual(['ring', 'none', 'call-waiting', 'none', 'ringback', 'none']);
  });

  it.each(['dial', 'answer', 'hold', 'transfer', 'sendDigits', 'transferAttended', 'start', 'mute'] as const)(
    'leaves nothing in the air when the port throws in %s',
    async (method) => {
      const { sip, phone, faults } = method === 'start' ? makePhone() : await connected();
      const broken = () => {
        throw new Error('the port broke');
      };
      const call = newCallId();
      const [state] = [() => phone.state().calls.find((it) => it.id === call)];
      if (method === 'start') {
        sip.start = broken;
        phone.setAccount(account, credential, []);
        await phone.send({ type: 'line.connect' });
        expect(phone.state().line).toEqual({ status: 'connecting', reason: 'the port broke' });
      } else if (method === 'dial') {
        sip.dial = broken;
        await phone.send({ type: 'call.dial', call, target: '1', farSide: ada });
        expect(state()?.end).toMatchObject({
          outcome: 'failed',
          reason: 'The call could not be connected: the port broke.',
        });
      } else if (method === 'answer') {
        sip.answer = broken;
        sip.invite(ada, { call });
        await phone.send({ type: 'call.answer', call });
        expect(phone.state().calls).toEqual([]);
      } else {
        await phone.send({ type: 'call.dial', call, target: '1', farSide: ada });
        sip.answered(call);
        if (method === 'hold') {
          sip.hold = broken;
          await phone.send({ type: 'call.hold', call });
          expect(state()).toMatchObject({ hold: 'off', trouble: 'The call could not be put on hold: the port broke' });
        } else if (method === 'transfer') {
          sip.transfer = broken;
          await phone.send({ type: 'call.transfer', call, to: '1' });
          expect(state()?.transfer).toBeNull();
        } else if (method === 'sendDigits') {
          sip.sendDigits = broken;
          await phone.send({ type: 'call.send-digits', call, digits: '1' });
          expect(state()?.trouble).toContain('the port broke');
        } else if (method === 'mute') {
          sip.mute = () => {
            throw 'not an error';
          };
          await phone.send({ type: 'call.mute', call, muted: true });
          expect(state()?.muted).toBe(true);
        } else {
          const consult = newCallId();
          await phone.send({ type: 'call.dial', call: consult, target: '2', farSide: ada, consultFor: call });
          sip.answered(consult);
          sip.transferAttended = broken;
          await phone.send({ type: 'call.complete-transfer', call });
          expect(state()?.transfer).toBeNull();
        }
      }
      expect(faults).toHaveLength(1);
    },
  );

  it('waits for an account, and starts when it has one', async () => {
    const { sip, phone } = makePhone();
    await phone.send({ type: 'line.connect' });
    expect(sip.commands).toEqual([]);
    expect(phone.state().line.status).toBe('connecting');
    phone.setAccount(account, credential, []);
    expect(phone.state().line.status).toBe('ready');
  });

  it('takes another account on a running line at once, and stores one for an idle line', async () => {
    const { sip, phone } = makePhone();
    phone.setAccount(account, credential, []);
    expect(sip.sent('start')).toHaveLength(0);
    await phone.send({ type: 'line.connect' });
    phone.setAccount({ ...account, extension: '2009' }, credential, []);
    expect(sip.sent('start').map((it) => it.account.extension)).toEqual(['2001', '2009']);
  });

  it('renews the credential in place, and starts with the newest', async () => {
    const { sip, phone } = makePhone();
    const fresh = { ...credential, username: '1700007200:2001' };
    phone.renew(fresh, []);
    phone.setAccount(account, credential, []);
    phone.renew(fresh, []);
    expect(sip.commands).toEqual([]);
    await phone.send({ type: 'line.connect' });
    expect(sip.sent('start')[0]?.credential).toEqual(fresh);
    phone.renew({ ...fresh, username: '1700009900:2001' }, []);
    expect(sip.sent('renew').map((it) => it.credential.username)).toEqual(['1700009900:2001']);
  });

  it('lets a stop finish before it starts again', async () => {
    const { sip, phone } = await connected();
    let finish = (): void => undefined;
    sip.stop = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    await phone.send({ type: 'line.disconnect' });
    await phone.send({ type: 'line.connect' });
    expect(sip.sent('start')).toHaveLength(1);
    const started = new Promise<void>((resolve) => {
      phone.onState((state) => {
        if (state.line.status === 'ready') resolve();
      });
    });
    finish();
    await started;
    expect(sip.sent('start')).toHaveLength(2);
    // Off, on and off again while the stop takes its time: no start is left over.
    await phone.send({ type: 'line.disconnect' });
    await phone.send({ type: 'line.connect' });
    await phone.send({ type: 'line.disconnect' });
    await phone.send({ type: 'line.connect' });
    finish();
    await settled();
    expect(sip.sent('start')).toHaveLength(3);
    await phone.send({ type: 'line.disconnect' });
    await phone.send({ type: 'line.connect' });
    await phone.send({ type: 'line.disconnect' });
    finish();
    await phone.close();
    expect(sip.sent('start')).toHaveLength(3);
  });

  it('closes with its calls ended, silent, and refuses what comes later', async () => {
    const { sip, sound, phone, events, call, clock } = await inCall();
    sip.invite();
    expect(sound.tone).toBe('call-waiting');
    await Promise.all([phone.close(), phone.close()]);
    expect(phone.state().line.status).toBe('offline');
    expect(events.filter((event) => event.name === 'call.ended')).toHaveLength(2);
    expect(events.find((event) => event.name === 'call.ended' && event.call === call)).toBeDefined();
    expect(sound.tone).toBe('none');
    expect(clock.pending).toBe(0);
    expect(await phone.send({ type: 'line.connect' })).toMatchObject({ ok: false, code: 'line.not-ready' });
    expect(sip.sent('stop')).toHaveLength(1);
    const { state } = phone;
    const closed = state();
    sip.register();
    expect(state()).toBe(closed);
  });

  it('closes although the port can’t stop and says nothing, with every call ended', async () => {
    const { sip, phone, faults, events, call } = await inCall();
    sip.hangUp = () => undefined;
    await phone.send({ type: 'call.hang-up', call });
    sip.stop = () => {
      throw new Error('stuck');
    };
    await phone.close();
    expect(faults).toHaveLength(1);
    expect(events.map((event) => event.name).slice(-2)).toEqual(['line.lost', 'call.ended']);
  });
});

describe('a phone that is handed over', () => {
  it('gives its state and dialogs, says nothing more to anybody, and refuses commands with the reason', async () => {
    const { phone, sip, sound, clock, events, call } = await inCall();
    await phone.send({ type: 'call.hang-up', call });
    const again = newCallId();
    await phone.send({ type: 'call.dial', call: again, target: '1001', farSide: ada });
    sip.answered(again);
    const told = events.length;
    const { state, dialogs } = await phone.handOver();
    expect(state).toBe(phone.state());
    expect(dialogs.map((it) => it.call)).toEqual([again]);
    expect(sound.tone).toBe('none');
    expect(sip.commands.at(-1)).toEqual({ type: 'hand-over' });
    const commands = sip.commands.length;
    expect(await phone.send({ type: 'call.hang-up', call: again })).toEqual({
      ok: false,
      code: 'line.not-ready',
      reason: 'The phone is in another window now.',
    });
    // Late weather reaches nobody, and nothing reaches the network.
    sip.lose();
    sip.invite();
    phone.setAccount(account, credential, []);
    phone.renew(credential, []);
    phone.watch({ extensions: ['2002'], mailbox: true });
    phone.takeUp(state.calls, dialogs, 0);
    clock.advance(3_600_000);
    await phone.close();
    expect(events).toHaveLength(told);
    expect(sip.commands).toHaveLength(commands);
    expect(phone.state()).toBe(state);
  });

  it('is let go once, also when asked twice and from within a listener', async () => {
    const { phone, sip, call } = await inCall();
    const first: Promise<unknown>[] = [];
    phone.onEvent((event) => {
      if (event.name === 'call.held') first.push(phone.handOver());
    });
    await phone.send({ type: 'call.hold', call });
    const [once] = first;
    expect(await phone.handOver()).toBe(await once);
    expect(sip.sent('hand-over')).toHaveLength(1);
  });

  it('still gives its state when the port can’t', async () => {
    const { phone, sip, faults, call } = await inCall();
    sip.handOver = () => Promise.reject(new Error('broken'));
    const { state, dialogs } = await phone.handOver();
    expect(state.calls[0]?.id).toBe(call);
    expect(dialogs).toEqual([]);
    expect(faults).toHaveLength(1);
  });
});

describe('a phone that takes up calls', () => {
  async function left(...before: readonly ('call.hold' | 'call.resume')[]) {
    const old = await inCall();
    for (const type of before) await old.phone.send({ type, call: old.call });
    return { ...(await old.phone.handOver()), call: old.call };
  }

  it('gives the port their dialogs, as the agent wished them last', async () => {
    const { state, dialogs, call } = await left('call.hold');
    const next = await connected();
    // A hold that had been asked for and not answered is one for the next owner.
    const asked = state.calls.map((it) => ({ ...it, hold: 'placing' as const, muted: true }));
    const kept: readonly KeptDialog[] = dialogs.map((it) => ({ ...it, held: false }));
    next.phone.takeUp(asked, kept, 0);
    expect(next.sip.sent('take-up')[0]?.dialogs).toMatchObject([{ call, held: true, muted: true }]);
    expect(next.phone.state().calls[0]).toMatchObject({ hold: 'on', recovering: false });
    next.phone.takeUp(asked, kept, 0);
    expect(next.sip.sent('take-up')).toHaveLength(1);
  });

  it('ends them when the port throws', async () => {
    const { state, dialogs } = await left();
    const next = await connected();
    next.sip.takeUp = () => {
      throw new Error('broken');
    };
    next.phone.takeUp(state.calls, dialogs, 0);
    expect(next.phone.state().calls[0]).toMatchObject({ phase: 'ended' });
    expect(next.faults).toHaveLength(1);
  });

  it('gives up after 40 seconds without a line, and hangs up', async () => {
    const { state, dialogs, call } = await left();
    const next = makePhone();
    next.sip.registers = 'wait';
    next.phone.setAccount(account, credential, []);
    await next.phone.send({ type: 'line.connect' });
    next.phone.takeUp(state.calls, dialogs, next.clock.now());
    next.clock.advance(39_999);
    expect(next.phone.state().calls[0]).toMatchObject({ phase: 'active', recovering: true });
    next.clock.advance(1);
    expect(next.phone.state().calls[0]).toMatchObject({ phase: 'ended', recovering: false });
    expect(next.sip.sent('hang-up')).toEqual([{ type: 'hang-up', call }]);
    expect(next.events.filter(({ name }) => name === 'call.ended')).toHaveLength(1);
  });

  it('tells what its own successor must know, after every change', async () => {
    const { phone, sip } = await connected();
    const told: (readonly KeptDialog[])[] = [];
    const off = phone.onDialogs((dialogs) => told.push(dialogs));
    const call = sip.invite(ada);
    await settled();
    await phone.send({ type: 'call.answer', call });
    await settled();
    expect(told.map((it) => it.map(({ stage }) => stage))).toEqual([['invited'], ['confirmed']]);
    off();
    sip.end(call);
    await settled();
    expect(told).toHaveLength(2);
  });
});
