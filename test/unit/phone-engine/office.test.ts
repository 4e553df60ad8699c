/** What an office phone can do beyond one call at a time: conference, rooms, pickup, intercom, forwarding, codes, identities. */
import type { CallId } from '@patchcord/call-protocol';
import { allowed, liveCall, mixOf, tone } from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { bob } from './phone-fixture.ts';
import { a, b, c, consulting, dial, ended, inCall, invited, ready, rules, type Stepping } from './stepping.ts';

const mixed = (phone: Stepping): readonly CallId[] => mixOf(phone.state).map(({ call }) => call);
/** `a` and `b` hear each other and the agent. */
const conference = (): Stepping => consulting().take({ type: 'call.merge', call: a }, { type: 'sip.resumed', call: a });

describe('a conference', () => {
  it('brings a held call into the live one, and hears both from the moment it is off hold', () => {
    const phone = consulting().take({ type: 'call.merge', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: false }]);
    expect(mixed(phone)).toEqual([]);
    phone.take({ type: 'sip.resumed', call: a });
    expect(mixed(phone)).toEqual([a, b]);
    expect(phone.event('call.merged', a).data).toEqual({ with: [b] });
    // Nobody is consulted behind the other's back any more.
    expect(phone.call(b).consultFor).toBeNull();
  });

  it('takes a third, up to what the profile allows', () => {
    const phone = conference().take(
      dial(c, { farSide: bob }),
      { type: 'sip.held', call: a },
      { type: 'sip.held', call: b },
      { type: 'sip.dialing', call: c, sipCallId: 'sip-c' },
      { type: 'sip.answered', call: c },
    );
    expect(mixed(phone)).toEqual([]);
    expect(liveCall(phone.state)?.id).toBe(c);
    expect(phone.take(rules({ mostMembers: 0 }), { type: 'call.merge', call: a }).refusal).toContain('no conferences');
    // The two that are together come back together, and the third is on hold.
    phone.take(rules({}), { type: 'call.resume', call: a }, { type: 'sip.held', call: c });
    expect(phone.acts).toEqual([
      { type: 'sip.hold', call: a, on: false },
      { type: 'sip.hold', call: b, on: false },
    ]);
    phone.take({ type: 'sip.resumed', call: a }, { type: 'sip.resumed', call: b }, { type: 'call.merge', call: c });
    phone.take({ type: 'sip.resumed', call: c });
    expect(mixed(phone)).toEqual([a, b, c]);
    expect(phone.event('call.merged', c).data).toEqual({ with: [a, b] });
  });

  it('is full when it holds as many as the profile allows', () => {
    const phone = consulting().take(rules({ mostMembers: 1 }), { type: 'call.merge', call: a });
    expect(phone.refusal).toContain('no conferences');
    const three = conference().take(
      rules({ mostMembers: 2 }),
      { type: 'call.hold', call: a },
      { type: 'sip.held', call: a },
      { type: 'sip.held', call: b },
      dial(c),
      { type: 'sip.answered', call: c },
      { type: 'call.resume', call: b },
      { type: 'sip.held', call: c },
      { type: 'sip.resumed', call: a },
      { type: 'sip.resumed', call: b },
    );
    expect(three.take({ type: 'call.merge', call: c }).refusal).toBe('A conference holds 2 others at most.');
  });

  it('is held as one and muted as one', () => {
    const phone = conference().take({ type: 'call.mute', call: a, muted: true });
    expect(phone.acts).toEqual([
      { type: 'sip.mute', call: a, muted: true },
      { type: 'sip.mute', call: b, muted: true },
    ]);
    phone.take({ type: 'call.hold', call: b });
    expect(phone.acts).toEqual([
      { type: 'sip.hold', call: a, on: true },
      { type: 'sip.hold', call: b, on: true },
    ]);
    phone.take({ type: 'sip.held', call: b });
    expect(mixed(phone)).toEqual([]);
  });

  it('mutes a newcomer when the agent is muted', () => {
    const phone = consulting().take({ type: 'call.mute', call: b, muted: true }, { type: 'call.merge', call: a });
    expect(phone.acts).toEqual([
      { type: 'sip.mute', call: a, muted: true },
      { type: 'sip.hold', call: a, on: false },
    ]);
  });

  it('silences one member, for everybody', () => {
    const phone = conference().take({ type: 'call.silence', call: a, silenced: true });
    expect(mixOf(phone.state)).toEqual([
      { call: a, silenced: true },
      { call: b, silenced: false },
    ]);
    expect(inCall().take({ type: 'call.silence', call: a, silenced: true }).refusal).toContain('member');
  });

  it('lets a member go on hold alone, and is over when one is left', () => {
    const phone = conference().take({ type: 'call.split', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    expect(phone.call(b).inConference).toBe(false);
    phone.take({ type: 'sip.held', call: a });
    expect(mixed(phone)).toEqual([]);
    expect(liveCall(phone.state)?.id).toBe(b);
    expect(phone.names(a)).toContain('call.split');
    expect(phone.take({ type: 'call.split', call: a }).refusal).toBe('This call is in no conference.');
  });

  it('goes on as an ordinary call when the other hangs up', () => {
    const phone = conference().take({ type: 'call.silence', call: b, silenced: true }, ended(a));
    expect(phone.call(b)).toMatchObject({ inConference: false, silenced: false, hold: 'off' });
  });

  it('keeps a member that can’t be put on hold', () => {
    const phone = conference().take(
      { type: 'call.split', call: a },
      { type: 'sip.hold-refused', call: a, reason: '488 Not Acceptable Here' },
    );
    expect(mixed(phone)).toEqual([a, b]);
    expect(phone.call(a).trouble).toContain('could not be put on hold');
  });

  it('leaves the newcomer on hold when it can’t be resumed', () => {
    const phone = consulting().take(
      { type: 'call.merge', call: a },
      { type: 'sip.hold-refused', call: a, reason: '488 Not Acceptable Here' },
    );
    expect(phone.call(a)).toMatchObject({ hold: 'on', inConference: false });
    expect(phone.call(b)).toMatchObject({ hold: 'off', inConference: false });
  });

  it('is refused with words where it makes no sense', () => {
    const merge = { type: 'call.merge', call: a } as const;
    expect(inCall().take(merge).refusal).toContain('Only a call on hold');
    expect(inCall().take({ type: 'call.hold', call: a }, { type: 'sip.held', call: a }, merge).refusal).toContain(
      'no live call',
    );
    expect(conference().take(merge).refusal).toContain('already');
    expect(consulting().take({ type: 'call.complete-transfer', call: a }, merge).refusal).toContain(
      'being transferred',
    );
  });
});

describe('a conference room at the phone system', () => {
  const room = { number: '81001', name: 'Room' };
  const gather = { type: 'call.gather', call: c, target: '81001', farSide: room, calls: [a, b] } as const;

  it('is dialled first, and the calls follow when it has answered', () => {
    const phone = consulting().take(gather);
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: b, on: true }]);
    phone.take({ type: 'sip.held', call: b }, { type: 'sip.dialing', call: c, sipCallId: 'sip-c' });
    phone.take({ type: 'sip.answered', call: c });
    expect(phone.acts).toEqual([
      { type: 'sip.transfer', call: a, to: '81001' },
      { type: 'sip.transfer', call: b, to: '81001' },
    ]);
    phone.take({ type: 'sip.transferred', call: a }, ended(a, { by: 'agent' }));
    expect(phone.call(a).end?.reason).toBe('Sent into the conference room 81001.');
    expect(phone.event('call.transferred', a).data).toEqual({ to: '81001', kind: 'blind', purpose: 'room' });
    phone.take({ type: 'sip.transfer-refused', call: b, reason: '403 Forbidden' });
    expect(phone.call(c).room).toEqual({ members: [phone.call(a).farSide], gathers: [] });
    expect(phone.call(b)).toMatchObject({ phase: 'active', hold: 'on', trouble: 'The transfer failed: 403 Forbidden' });
  });

  it('leaves everybody where they are when it does not answer', () => {
    const phone = consulting().take(gather, { type: 'sip.held', call: b }, ended(c, { code: 404 }));
    expect(phone.call(a)).toMatchObject({ phase: 'active', transfer: null });
    expect(phone.call(b)).toMatchObject({ phase: 'active', transfer: null });
  });

  it('takes connected calls only', () => {
    expect(inCall().take({ ...gather, calls: [a, b] }).refusal).toContain('Only connected calls');
    expect(inCall().take({ ...gather, calls: [] }).refusal).toContain('Only connected calls');
  });
});

describe('picking up', () => {
  const pickUp = { type: 'call.pick-up', call: b, extension: '2001', code: '**2001', farSide: bob } as const;

  it('puts the live call on hold and takes the other', () => {
    const phone = inCall().take(pickUp);
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    phone.take({ type: 'sip.held', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.pick-up', call: b, extension: '2001', code: '**2001' }]);
    expect(phone.event('call.started', b).data).toEqual({ direction: 'outbound', farSide: bob, pickedUpFrom: '2001' });
  });

  it('needs a code, or a call that is shown', () => {
    const phone = ready();
    expect(phone.take({ ...pickUp, code: null }).refusal).toContain('nothing to pick up');
    const shown = { extension: '2001', status: 'ringing', farSide: bob, direction: 'inbound', canTake: true } as const;
    phone.take({ type: 'sip.watched', watched: [shown] }, { ...pickUp, code: null });
    expect(phone.acts).toEqual([{ type: 'sip.pick-up', call: b, extension: '2001', code: null }]);
  });
});

describe('a call that answers itself', () => {
  const intercom = invited(a, { answersAfterMs: 0 });

  it('warns first, and only where the profile allows it', () => {
    expect(ready().take(intercom).call(a).answersAt).toBeNull();
    const phone = ready().take(rules({ autoAnswer: 'idle' }), intercom);
    expect(phone.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.answers', ms: 1_000 }]);
    expect(tone(phone.state)).toBe('auto-answer');
    phone.take({ type: 'timer.answers', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: a }]);
  });

  it('rings like any other beside a call, unless the profile says always', () => {
    const second = invited(b, { answersAfterMs: 0 });
    expect(
      inCall()
        .take(rules({ autoAnswer: 'idle' }), second)
        .call(b).answersAt,
    ).toBeNull();
    const phone = inCall().take(rules({ autoAnswer: 'always' }), second, { type: 'timer.answers', call: b });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
  });

  it('can be declined meanwhile, and rings on when another call is just coming up', () => {
    const phone = ready().take(rules({ autoAnswer: 'idle' }), intercom, { type: 'call.decline', call: a });
    expect(phone.take({ type: 'timer.answers', call: a }).acts).toEqual([]);
    const busy = ready().take(rules({ autoAnswer: 'idle' }), intercom, dial(b), { type: 'timer.answers', call: a });
    expect(busy.call(a)).toMatchObject({ phase: 'incoming', answersAt: null });
  });
});

describe('a ringing call', () => {
  it('is sent on by the agent', () => {
    const phone = ready().take(invited(a), { type: 'call.redirect', call: a, to: ' 2001 ' });
    expect(phone.acts[0]).toEqual({ type: 'sip.redirect', call: a, to: '2001' });
    phone.take(ended(a, { by: 'agent', code: 302 }));
    expect(phone.event('call.redirected').data).toEqual({ to: '2001', by: 'agent' });
    expect(phone.event('call.ended').data).toMatchObject({ outcome: 'declined', reason: 'You sent the call to 2001.' });
    expect(inCall().take({ type: 'call.redirect', call: a, to: '1' }).refusal).toContain('ringing');
  });

  it('is ignored without a sound and can still be answered', () => {
    const phone = ready().take(invited(a), { type: 'call.ignore', call: a });
    expect(tone(phone.state)).toBe('none');
    expect(allowed(phone.state, a).has('call.answer')).toBe(true);
    expect(allowed(phone.state, a).has('call.ignore')).toBe(false);
  });

  it('says whom it was for and what the network knows of the number', () => {
    const diverted = { from: { number: '2000', name: 'Sales' }, reason: 'no-answer' };
    const phone = ready().take(invited(a, { diverted, verified: 'failed' }));
    expect(phone.call(a)).toMatchObject({ diverted, verified: 'failed' });
    expect(phone.event('call.started').data).toMatchObject({ divertedFrom: diverted.from });
  });

  it('is busy at once where call waiting is off', () => {
    const phone = inCall().take(rules({ callWaiting: false, busyCode: 600 }), invited(b));
    expect(phone.acts).toEqual([{ type: 'sip.decline', call: b, code: 600 }]);
    expect(phone.event('call.ended', b).data).toMatchObject({
      outcome: 'missed',
      reason: 'You were already on a call.',
    });
  });
});

describe('forwarding', () => {
  const forward = (when: 'always' | 'busy' | 'no-answer') =>
    ({ type: 'agent.forward', forwarding: { to: '2009', when, afterSeconds: 15 } }) as const;

  it('sends every call on, and logs it as forwarded', () => {
    const phone = ready().take(forward('always'), invited(a));
    expect(phone.acts).toEqual([{ type: 'sip.redirect', call: a, to: '2009' }]);
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'missed', reason: 'Forwarded to 2009.' });
    expect(phone.event('forwarding.changed').data).toEqual({ to: '2009' });
    expect(phone.state.calls).toEqual([]);
  });

  it('is done by the phone system where it has a code for it', () => {
    const codes = { doNotDisturb: null, forwarding: { on: '*72{number}', off: '*73' } };
    const phone = ready().take(rules({ codes }), forward('always'));
    expect(phone.acts).toEqual([{ type: 'sip.send-code', code: '*722009' }]);
    expect(phone.take(invited(a)).call(a).phase).toBe('incoming');
    phone.take(ended(a), { type: 'agent.forward', forwarding: null });
    expect(phone.acts).toEqual([{ type: 'sip.send-code', code: '*73' }]);
    expect(phone.take(forward('busy')).acts).toEqual([]);
  });

  it('happens only when busy, or away', () => {
    const phone = inCall().take(rules({ callWaiting: false }), forward('busy'), invited(b));
    expect(phone.acts).toEqual([{ type: 'sip.redirect', call: b, to: '2009' }]);
    const away = ready().take(forward('busy'), { type: 'agent.set-available', available: false }, invited(a));
    expect(away.acts).toEqual([{ type: 'sip.redirect', call: a, to: '2009' }]);
    expect(ready().take(forward('busy'), invited(a)).call(a).phase).toBe('incoming');
  });

  it('happens after a while without an answer, not to a call that is being answered', () => {
    const phone = ready().take(forward('no-answer'), invited(a));
    expect(phone.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.unanswered', ms: 15_000 }]);
    phone.take({ type: 'timer.unanswered', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.redirect', call: a, to: '2009' }]);
    const answered = ready().take(forward('no-answer'), invited(a), { type: 'call.answer', call: a });
    expect(answered.take({ type: 'timer.unanswered', call: a }).acts).toEqual([]);
  });

  it('refuses what is no number', () => {
    const to = 'sip:x@y';
    const phone = ready().take({ type: 'agent.forward', forwarding: { to, when: 'busy', afterSeconds: 1 } });
    expect(phone.refusal).toContain('not a number');
  });
});

describe('do not disturb', () => {
  it('is told to the phone system by its code, and says when that was refused', () => {
    const codes = { doNotDisturb: { on: '*78', off: '*79' }, forwarding: null };
    const phone = ready().take(rules({ codes }), { type: 'agent.set-available', available: false });
    expect(phone.acts).toEqual([{ type: 'sip.send-code', code: '*78' }]);
    phone.take({ type: 'sip.code-refused', code: '*78', reason: '404 Not Found' });
    expect(phone.state.featureTrouble).toBe('The phone system did not take the code *78: 404 Not Found');
    phone.take({ type: 'agent.set-available', available: true }, { type: 'sip.code-done', code: '*79' });
    expect(phone.state.featureTrouble).toBe('');
  });
});

describe('a transfer', () => {
  it('is taken back while the target has not answered', () => {
    const phone = inCall().take(
      { type: 'call.transfer', call: a, to: '2003' },
      { type: 'call.cancel-transfer', call: a },
    );
    expect(phone.acts).toEqual([{ type: 'sip.cancel-transfer', call: a }]);
    phone.take({ type: 'sip.transfer-ringing', call: a });
    expect(phone.call(a).transfer?.status).toBe('cancelling');
    phone.take({ type: 'sip.transfer-refused', call: a, reason: 'Taken back' });
    expect(phone.call(a)).toMatchObject({ phase: 'active', transfer: null, trouble: 'Taken back' });
    expect(inCall().take({ type: 'call.cancel-transfer', call: a }).refusal).toContain('not being transferred');
  });

  it('says what it was for', () => {
    const parked = inCall().take(
      { type: 'call.transfer', call: a, to: '700', purpose: 'park' },
      { type: 'sip.transferred', call: a },
      ended(a, { by: 'agent' }),
    );
    expect(parked.call(a).end?.reason).toBe('Parked at 700.');
    expect(parked.event('call.transferred').data).toEqual({ to: '700', kind: 'blind', purpose: 'park' });
  });
});

describe('who the far side is', () => {
  it('changes when the network says so, but not for another spelling of the same number', () => {
    const phone = inCall().take({ type: 'sip.identified', call: a, farSide: { number: '4155550101' } });
    expect(phone.names(a)).not.toContain('call.identified');
    phone.take({ type: 'sip.identified', call: a, farSide: { number: '2002', name: 'Bob' } });
    expect(phone.call(a)).toMatchObject({ farSide: { number: '2002', name: 'Bob' }, matches: [] });
    expect(phone.event('call.identified').data).toEqual({ farSide: { number: '2002', name: 'Bob' } });
    // An extension is equal only to itself.
    phone.take({ type: 'sip.identified', call: a, farSide: { number: '12002', name: 'Eve' } });
    expect(phone.call(a).farSide.name).toBe('Eve');
  });
});
