/** What the call machine does, case by case. The rules that hold everywhere are in the walk. */
import { type CallOutcome, parseEvent, toEnvelope } from '@patchcord/call-protocol';
import { type Command, type SipSignal, transition } from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { ada, bob } from './phone-fixture.ts';
import { a, b, c, consulting, dial, ended, inCall, invited, most, ready, Stepping } from './stepping.ts';

const ada003 = { crm: 'salesforce', object: 'Contact', id: '003', name: 'Ada Example' } as const;

describe('line', () => {
  it('connects, is ready, is lost, comes back, and tells each change once', () => {
    const phone = new Stepping().take({ type: 'line.connect' });
    expect(phone.state.line.status).toBe('connecting');
    expect(phone.effects).toEqual([{ type: 'sip.start' }]);
    phone.take({ type: 'sip.connecting', server: 'wss://s' }, { type: 'sip.registered', server: 'wss://s' });
    expect(phone.state.line).toEqual({ status: 'ready', reason: '' });
    phone.take({ type: 'sip.registered', server: 'wss://s' });
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'sip.lost', reason: 'The socket closed' });
    expect(phone.state.line).toEqual({ status: 'reconnecting', reason: 'The socket closed' });
    phone.take({ type: 'sip.connecting', server: 'wss://s' }, { type: 'sip.lost', reason: 'Still nothing' });
    expect(phone.state.line).toEqual({ status: 'reconnecting', reason: 'Still nothing' });
    phone.take({ type: 'sip.registered', server: 'wss://t' });
    expect(phone.names()).toEqual(['line.ready', 'line.lost', 'line.ready']);
    expect(phone.event('line.lost').data.reason).toBe('The socket closed');
  });

  it('stays connecting while the first connection fails', () => {
    const phone = new Stepping().take({ type: 'line.connect' }, { type: 'sip.lost', reason: 'No answer' });
    expect(phone.state.line).toEqual({ status: 'connecting', reason: 'No answer' });
    expect(phone.events).toEqual([]);
  });

  it('says why the registrar refused, and starts afresh', () => {
    const phone = ready().take({ type: 'sip.rejected', code: 403, reason: 'Forbidden' });
    expect(phone.state.line).toEqual({
      status: 'rejected',
      reason: 'The phone system refused the sign-in (403 Forbidden).',
    });
    expect(phone.names()).toEqual(['line.ready', 'line.lost']);
    phone.take({ type: 'sip.rejected', code: 403, reason: 'Forbidden' }, { type: 'sip.lost', reason: 'gone' });
    expect(phone.state.line.status).toBe('rejected');
    expect(phone.take({ type: 'sip.connecting', server: 's' }).state.line.status).toBe('connecting');
    phone.take({ type: 'sip.rejected', code: 403, reason: 'Forbidden' }, { type: 'line.connect' });
    expect(phone.effects).toEqual([{ type: 'sip.start' }]);
  });

  it('does nothing when it is asked for what already is', () => {
    const phone = ready();
    const { state } = phone;
    phone.take({ type: 'line.connect' }, { type: 'agent.set-available', available: true });
    expect(phone.state).toBe(state);
    const off = new Stepping();
    const before = off.state;
    off.take({ type: 'line.disconnect' });
    expect(off.state).toBe(before);
    expect(off.effects).toEqual([]);
  });

  it('goes offline at once, and hears nothing of the old line any more', () => {
    const phone = ready().take({ type: 'line.disconnect' });
    expect(phone.acts).toEqual([{ type: 'sip.stop' }]);
    expect(phone.event('line.lost').data.reason).toBe('You signed out.');
    const { state } = phone;
    const late: readonly SipSignal[] = [
      { type: 'sip.connecting', server: 's' },
      { type: 'sip.registered', server: 's' },
      { type: 'sip.lost', reason: 'r' },
      { type: 'sip.rejected', code: 403, reason: 'r' },
      { type: 'sip.stopped' },
    ];
    phone.take(...late);
    expect(phone.state).toBe(state);
  });

  it('ends what is left of its calls when the port has stopped, and keeps a later start', () => {
    const phone = consulting().take({ type: 'line.disconnect' }, { type: 'line.connect' }, { type: 'sip.stopped' });
    expect(phone.state.line.status).toBe('connecting');
    expect(phone.state.calls.map((it) => it.phase)).toEqual(['ended', 'ended']);
    expect(phone.names().filter((name) => name === 'call.ended')).toHaveLength(2);
  });

  it('is offline when the port stops by itself', () => {
    const phone = ready().take(invited(a), { type: 'sip.stopped' });
    expect(phone.state.line.status).toBe('offline');
    expect(phone.event('call.ended').data).toMatchObject({ outcome: 'missed' });
    expect(phone.event('line.lost').data.reason).toBe('The phone was signed out.');
    expect(phone.state.calls).toEqual([]);
  });
});

describe('outbound', () => {
  it('tells the whole life of a call, in order', () => {
    const phone = inCall().take(ended(a));
    expect(phone.names(a)).toEqual(['dial.requested', 'call.started', 'call.ringing', 'call.answered', 'call.ended']);
    expect(phone.event('dial.requested').data).toEqual({ number: ada.number });
    expect(phone.event('call.started').data).toEqual({ direction: 'outbound', farSide: ada });
    expect(phone.event('call.ringing').data).toEqual({ sipCallId: 'sip-a' });
    expect(phone.event('call.ended').data).toEqual({
      outcome: 'answered',
      reason: 'The far side hung up.',
      by: 'far-side',
      sipCallId: 'sip-a',
    });
    expect(phone.call(a)).toMatchObject({ phase: 'ended', answeredAt: 7_000, endedAt: 8_000 });
  });

  it('tells events that the wire takes', () => {
    const phone = consulting().take(
      { type: 'call.complete-transfer', call: a },
      { type: 'sip.transferred', call: a },
      ended(b),
      ended(a, { by: 'agent' }),
      { type: 'call.submit-wrap-up', call: a },
    );
    for (const [n, event] of phone.events.entries()) {
      expect(parseEvent(JSON.parse(JSON.stringify(toEnvelope(event, `${a}:${n}`, '/s')))).name).toBe(event.name);
    }
  });

  it('starts with the record it was dialled from', () => {
    const phone = ready().take(dial(a, { record: ada003, target: ' 1001 ' }));
    expect(phone.acts).toEqual([{ type: 'sip.dial', call: a, target: '1001', callerId: null }]);
    expect(phone.names()).toEqual(['line.ready', 'dial.requested', 'call.started', 'record.chosen']);
    expect(phone.event('record.chosen').data).toEqual({ record: ada003, by: 'dialled-from' });
    expect(phone.call(a).record).toEqual(ada003);
  });

  it('rings once, and remembers sound before the answer', () => {
    const phone = ready().take(
      dial(a),
      { type: 'sip.ringing', call: a, earlyMedia: false },
      { type: 'sip.ringing', call: a, earlyMedia: true },
      { type: 'sip.ringing', call: a, earlyMedia: false },
    );
    expect(phone.call(a)).toMatchObject({ phase: 'ringing', earlyMedia: true });
    expect(phone.names(a).filter((name) => name === 'call.ringing')).toHaveLength(1);
    expect(phone.event('call.ringing').data).toEqual({});
    phone.take({ type: 'sip.answered', call: a }, { type: 'sip.ringing', call: a, earlyMedia: false });
    expect(phone.call(a).phase).toBe('active');
  });

  it.each([
    ['offline', new Stepping(), 'The phone is offline. Go online first.'],
    ['connecting', new Stepping().take({ type: 'line.connect' }), 'still connecting'],
    ['reconnecting', ready().take({ type: 'sip.lost', reason: 'r' }), 'was lost and is being restored'],
    ['rejected', ready().take({ type: 'sip.rejected', code: 403, reason: 'Forbidden' }), '403 Forbidden'],
  ])('is refused while the line is %s', (_, phone, words) => {
    const { state } = phone;
    phone.take(dial(a));
    expect(phone.state).toBe(state);
    expect(phone.effects).toMatchObject([{ type: 'refuse', command: 'call.dial', code: 'line.not-ready' }]);
    expect(phone.refusal).toContain(words);
  });

  it('is refused without a number, with an id that is taken, beside a call that is coming up, and as a third', () => {
    expect(ready().take(dial(a, { target: ' ' })).refusal).toBe('There is no number to call.');
    expect(inCall().take(dial(a)).refusal).toBe('This call was already placed.');
    expect(ready().take(dial(a), dial(b)).refusal).toContain('A call is being placed.');
    expect(ready().take(invited(a), { type: 'call.answer', call: a }, dial(b)).refusal).toContain(
      'just being answered',
    );
    expect(consulting().take(most(2), dial(c)).refusal).toContain('Two calls are the most');
    expect(inCall().take(most(2), invited(b), dial(c)).refusal).toContain('Two calls are the most');
    expect(ready().take(dial(a, { consultFor: b })).refusal).toContain('not connected any more');
    expect(ready().take(invited(b), dial(a, { consultFor: b })).refusal).toContain('not connected any more');
  });

  it('stays to be seen after it failed, until it is dismissed', () => {
    const phone = ready().take(dial(a), ended(a, { code: 404, reason: 'Not Found' }));
    expect(phone.call(a).end).toEqual({
      outcome: 'failed',
      reason: 'This number does not exist: 404 Not Found.',
      by: 'far-side',
    });
    phone.take({ type: 'call.submit-wrap-up', call: a });
    expect(phone.state.calls).toEqual([]);
    expect(phone.event('wrap-up.submitted').data).toEqual({});
  });
});

describe('outcome', () => {
  type Ending = Partial<Extract<SipSignal, { type: 'sip.ended' }>>;
  const outcomeOf = (phone: Stepping): readonly [CallOutcome, string] => {
    const { outcome, reason } = phone.event('call.ended', a).data;
    return [outcome, reason];
  };

  it.each<[Ending, CallOutcome, string]>([
    [{ code: 486 }, 'busy', 'The far side is busy.'],
    [{ code: 600 }, 'busy', 'The far side is busy.'],
    [{ code: 408 }, 'no-answer', 'Nobody answered.'],
    [{ code: 480 }, 'no-answer', 'Nobody answered.'],
    [{ code: 487 }, 'no-answer', 'Nobody answered.'],
    [{ code: 603 }, 'declined', 'The far side declined the call.'],
    [{ code: 0 }, 'no-answer', 'Nobody answered.'],
    [{ code: 0, by: 'agent' }, 'cancelled', 'You hung up before anyone answered.'],
    [{ code: 0, by: 'network', reason: 'No microphone' }, 'failed', 'The call could not be connected: No microphone.'],
    [{ code: 401, reason: 'Unauthorized' }, 'failed', 'did not accept this phone’s sign-in: 401 Unauthorized.'],
    [{ code: 407 }, 'failed', 'did not accept this phone’s sign-in: 407.'],
    [{ code: 403 }, 'failed', 'does not allow this call'],
    [{ code: 404 }, 'failed', 'does not exist'],
    [{ code: 410 }, 'failed', 'does not exist'],
    [{ code: 604 }, 'failed', 'does not exist'],
    [{ code: 484 }, 'failed', 'is not complete'],
    [{ code: 416 }, 'failed', 'is not complete'],
    [{ code: 488 }, 'failed', 'could not agree on how to send sound'],
    [{ code: 606 }, 'failed', 'could not agree on how to send sound'],
    [{ code: 503 }, 'failed', 'overloaded or being restarted'],
    [{ code: 500 }, 'failed', 'had a fault'],
    [{ code: 420 }, 'failed', 'The phone system refused the call: 420.'],
    [{ code: 607 }, 'failed', 'The phone system refused the call: 607.'],
  ])('of an outbound call that ends with %o is %s', (ending, outcome, reason) => {
    const phone = ready().take(dial(a), ended(a, ending));
    expect(outcomeOf(phone)[0]).toBe(outcome);
    expect(outcomeOf(phone)[1]).toContain(reason);
    expect(phone.event('call.ended').data.sipCode).toBe(ending.code === 0 ? undefined : ending.code);
  });

  it('of an outbound call that the agent gave up is cancelled, also when an answer crosses', () => {
    const phone = ready().take(
      dial(a),
      { type: 'call.hang-up', call: a },
      { type: 'sip.answered', call: a },
      ended(a, { code: 487 }),
    );
    expect(outcomeOf(phone)).toEqual(['cancelled', 'You hung up before anyone answered.']);
  });

  it.each<[string, readonly (Command | SipSignal)[], CallOutcome, string]>([
    ['the caller gives up', [ended(a)], 'missed', 'The caller gave up.'],
    [
      'the caller gives up as it is answered',
      [{ type: 'call.answer', call: a }, ended(a)],
      'missed',
      'The caller gave up.',
    ],
    ['another device takes it', [ended(a, { elsewhere: true })], 'answered-elsewhere', 'Answered on another device.'],
    [
      'the agent declines',
      [{ type: 'call.decline', call: a }, ended(a, { by: 'agent', code: 486 })],
      'declined',
      'You declined the call.',
    ],
    [
      'the agent hangs up',
      [{ type: 'call.hang-up', call: a }, ended(a, { by: 'agent' })],
      'declined',
      'You declined the call.',
    ],
    ['the network loses it', [ended(a, { by: 'network' })], 'missed', 'The call was lost before you answered.'],
    [
      'it can’t be brought up',
      [{ type: 'call.answer', call: a }, ended(a, { by: 'network', reason: 'The microphone is off.' })],
      'failed',
      'The call could not be connected: The microphone is off.',
    ],
  ])('of an inbound call: %s', (_, acts, outcome, reason) => {
    const phone = ready().take(invited(a), ...acts);
    expect(outcomeOf(phone)).toEqual([outcome, reason]);
    // History shows it; the list does not.
    expect(phone.state.calls).toEqual([]);
  });

  it.each<[Ending, string]>([
    [{ by: 'agent' }, 'You hung up.'],
    [{ by: 'far-side' }, 'The far side hung up.'],
    [{ by: 'network', reason: 'No sound for 30 seconds.' }, 'The connection was lost: No sound for 30 seconds.'],
  ])('of an answered call that ends %o is answered', (ending, reason) => {
    expect(outcomeOf(inCall().take(ended(a, ending)))).toEqual(['answered', reason]);
  });
});

describe('inbound', () => {
  it('rings, is answered and wrapped up', () => {
    const phone = ready().take(invited(a), { type: 'call.answer', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: a }]);
    phone.take({ type: 'sip.answered', call: a }, ended(a));
    expect(phone.names(a)).toEqual(['call.started', 'call.ringing', 'call.answered', 'call.ended']);
    expect(phone.event('call.started').data).toEqual({ direction: 'inbound', farSide: bob, sipCallId: `sip-${a}` });
    expect(phone.call(a).phase).toBe('ended');
  });

  it('is declined with 486, so that a ring group goes on ringing', () => {
    const phone = ready().take(invited(a), { type: 'call.decline', call: a });
    expect(phone.acts).toEqual([
      { type: 'sip.decline', call: a, code: 486 },
      { type: 'timer.start', call: a, signal: 'timer.ending-expired', ms: 8_000 },
    ]);
    expect(phone.call(a).phase).toBe('ending');
  });

  it('is turned down with 480 and logged as missed while the agent is unavailable', () => {
    const phone = ready().take({ type: 'agent.set-available', available: false });
    const { state } = phone;
    phone.take(invited(a));
    expect(phone.state).toBe(state);
    expect(phone.acts).toEqual([{ type: 'sip.decline', call: a, code: 480 }]);
    expect(phone.event('call.ended').data).toMatchObject({ outcome: 'missed', sipCode: 480 });
    phone.take(ended(a, { by: 'agent', code: 480 }), { type: 'agent.set-available', available: true });
    expect(phone.names()).toEqual(['line.ready', 'agent.unavailable', 'call.started', 'call.ended', 'agent.available']);
  });

  it('is turned down with 486 and logged as missed beside two calls', () => {
    const phone = consulting().take(most(2), invited(c));
    expect(phone.acts).toEqual([{ type: 'sip.decline', call: c, code: 486 }]);
    expect(phone.event('call.ended', c).data).toMatchObject({
      outcome: 'missed',
      reason: 'You were already on 2 calls.',
    });
    expect(phone.state.calls.map((it) => it.id)).toEqual([a, b]);
  });

  it('is heard once', () => {
    const phone = ready().take(invited(a));
    const { state } = phone;
    phone.take(invited(a));
    expect(phone.state).toBe(state);
    expect(phone.effects).toEqual([]);
  });

  it('can’t be answered twice, nor declined once it is answered', () => {
    const phone = ready().take(invited(a), { type: 'call.answer', call: a });
    expect(phone.take({ type: 'call.answer', call: a }).refusal).toBe('This call is not ringing any more.');
    expect(phone.take({ type: 'call.decline', call: a }).refusal).toContain('Only a call that is ringing');
  });

  it('is not answered by a signal the agent did not ask for', () => {
    expect(ready().take(invited(a), { type: 'sip.answered', call: a }).call(a).phase).toBe('incoming');
  });
});

describe('one live call', () => {
  it('is put on hold before another is answered', () => {
    const phone = inCall().take(invited(b), { type: 'call.answer', call: b });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    expect(phone.call(b).phase).toBe('incoming');
    expect(phone.state.waiting).toEqual({ act: 'answer', call: b });
    const { state } = phone;
    expect(phone.take({ type: 'call.answer', call: b }).state).toBe(state);
    phone.take({ type: 'sip.held', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: b }]);
    expect(phone.state.waiting).toBeNull();
    expect(phone.take({ type: 'sip.answered', call: b }).call(a).hold).toBe('on');
  });

  it('is put on hold before another is dialled', () => {
    const phone = inCall().take(dial(b, { target: '2002' }));
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    expect(phone.call(b).phase).toBe('dialing');
    phone.take({ type: 'call.mute', call: b, muted: true });
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'sip.held', call: a });
    expect(phone.acts).toEqual([
      { type: 'sip.dial', call: b, target: '2002', callerId: null },
      { type: 'sip.mute', call: b, muted: true },
    ]);
  });

  it('stays live when its hold is refused, and what waited does not happen', () => {
    const refused = { type: 'sip.hold-refused', call: a, reason: '488 Not Acceptable Here' } as const;
    const answering = inCall().take(invited(b), { type: 'call.answer', call: b }, refused);
    expect(answering.call(a)).toMatchObject({
      hold: 'off',
      trouble: 'The call could not be put on hold: 488 Not Acceptable Here',
    });
    expect(answering.call(b)).toMatchObject({
      phase: 'incoming',
      trouble: 'Not answered: the other call could not be put on hold.',
    });
    expect(answering.state.waiting).toBeNull();

    const dialling = inCall().take(dial(b), refused);
    expect(dialling.acts).toEqual([]);
    expect(dialling.call(b).end).toMatchObject({
      outcome: 'failed',
      reason: 'The call could not be connected: The other call could not be put on hold.',
    });

    const swapping = consulting().take({ type: 'call.swap', call: a }, { ...refused, call: b });
    expect(swapping.call(a)).toMatchObject({
      hold: 'on',
      trouble: 'Not resumed: the other call could not be put on hold.',
    });
    expect(swapping.call(b).hold).toBe('off');
  });

  it('lets the waiting act go on when it ends instead', () => {
    const phone = inCall().take(invited(b), { type: 'call.answer', call: b }, ended(a));
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: b }]);
  });

  it('forgets the waiting act when its call ends', () => {
    const gone = inCall().take(invited(b), { type: 'call.answer', call: b }, ended(b));
    expect(gone.state.waiting).toBeNull();
    const undone = inCall().take(dial(b), { type: 'call.hang-up', call: b });
    expect(undone.state.waiting).toBeNull();
    expect(undone.acts).toEqual([]);
    expect(undone.call(b).end?.outcome).toBe('cancelled');
    const declined = inCall().take(invited(b), { type: 'call.answer', call: b }, { type: 'call.decline', call: b });
    expect(declined.state.waiting).toBeNull();
  });

  it('hears nothing about a call whose INVITE has not left', () => {
    const phone = inCall().take(dial(b));
    const { state } = phone;
    expect(phone.take({ type: 'sip.answered', call: b }).state).toBe(state);
  });

  it('does not dial into a line that was lost meanwhile', () => {
    const phone = inCall().take(dial(b), { type: 'sip.lost', reason: 'r' }, { type: 'sip.held', call: a });
    expect(phone.acts).toEqual([]);
    expect(phone.call(b).end?.reason).toContain('The phone lost its connection');
  });

  it('waits for a hold that is just being lifted', () => {
    const phone = inCall().take(
      { type: 'call.hold', call: a },
      { type: 'sip.held', call: a },
      { type: 'call.resume', call: a },
      invited(b),
      { type: 'call.answer', call: b },
    );
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'sip.resumed', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    expect(phone.take({ type: 'sip.held', call: a }).acts).toEqual([{ type: 'sip.answer', call: b }]);
  });

  it('refuses another act while one waits or another call is coming up', () => {
    const waiting = inCall().take(invited(b), { type: 'call.answer', call: b });
    expect(waiting.take({ type: 'call.transfer', call: b, to: '1' }).refusal).toContain('Only a connected call');
    const swapping = consulting().take({ type: 'call.swap', call: a });
    expect(swapping.take({ type: 'call.swap', call: a }).refusal).toContain('just being put on hold');
    expect(swapping.take({ type: 'call.transfer', call: a, to: '1' }).refusal).toContain('just being put on hold');
    const placing = inCall().take(dial(b), { type: 'sip.held', call: a });
    expect(placing.take({ type: 'call.resume', call: a }).refusal).toContain('A call is being placed.');
    expect(ready().take(dial(a), invited(b), { type: 'call.answer', call: b }).refusal).toContain(
      'A call is being placed.',
    );
  });
});

describe('hold, swap and mute', () => {
  it('is placed and lifted, and told when it happened', () => {
    const phone = inCall().take({ type: 'call.hold', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: true }]);
    expect(phone.take({ type: 'call.hold', call: a }).refusal).toBe('The hold is just being changed. Wait a moment.');
    expect(phone.take({ type: 'call.resume', call: a }).refusal).toBe('The hold is just being changed. Wait a moment.');
    phone.take({ type: 'sip.held', call: a }, { type: 'call.hold', call: a });
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'call.resume', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: false }]);
    phone.take({ type: 'sip.resumed', call: a }, { type: 'call.resume', call: a });
    expect(phone.effects).toEqual([]);
    expect(phone.names(a).slice(-2)).toEqual(['call.held', 'call.resumed']);
  });

  it('stays on hold when the resume is refused', () => {
    const phone = inCall().take(
      { type: 'call.hold', call: a },
      { type: 'sip.held', call: a },
      { type: 'call.resume', call: a },
      { type: 'sip.hold-refused', call: a, reason: '408 Request Timeout' },
    );
    expect(phone.call(a)).toMatchObject({ hold: 'on', trouble: 'The call could not be resumed: 408 Request Timeout' });
    expect(phone.take({ type: 'call.resume', call: a }).call(a).trouble).toBeNull();
  });

  it('stays live when the hold is refused', () => {
    const phone = inCall().take({ type: 'call.hold', call: a }, { type: 'sip.hold-refused', call: a, reason: '488' });
    expect(phone.call(a)).toMatchObject({ hold: 'off', trouble: 'The call could not be put on hold: 488' });
    expect(phone.effects).toEqual([]);
  });

  it('is refused before the answer', () => {
    expect(ready().take(dial(a), { type: 'call.hold', call: a }).refusal).toContain('Only a connected call');
    expect(ready().take(dial(a), { type: 'call.resume', call: a }).refusal).toContain('Only a connected call');
  });

  it('takes no signal that nobody asked for', () => {
    const phone = inCall();
    const { state } = phone;
    phone.take(
      { type: 'sip.held', call: a },
      { type: 'sip.resumed', call: a },
      { type: 'sip.hold-refused', call: a, reason: 'r' },
      { type: 'sip.transfer-ringing', call: a },
      { type: 'sip.transferred', call: a },
      { type: 'sip.transfer-refused', call: a, reason: 'r' },
      { type: 'timer.ending-expired', call: a },
      { type: 'sip.far-resumed', call: a },
    );
    expect(phone.state).toBe(state);
  });

  it('swaps: holds the live call, then resumes the other', () => {
    const phone = consulting().take({ type: 'call.swap', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: b, on: true }]);
    phone.take({ type: 'sip.held', call: b });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: false }]);
    phone.take({ type: 'sip.resumed', call: a });
    expect(phone.state.calls.map((it) => it.hold)).toEqual(['off', 'on']);
    expect(phone.take({ type: 'call.swap', call: a }).refusal).toBe('This call is not on hold.');
  });

  it('keeps mute through a hold', () => {
    const phone = inCall().take({ type: 'call.mute', call: a, muted: true });
    expect(phone.acts).toEqual([{ type: 'sip.mute', call: a, muted: true }]);
    phone.take({ type: 'call.mute', call: a, muted: true });
    expect(phone.effects).toEqual([]);
    phone.take(
      { type: 'call.hold', call: a },
      { type: 'sip.held', call: a },
      { type: 'call.resume', call: a },
      { type: 'sip.resumed', call: a },
    );
    expect(phone.call(a).muted).toBe(true);
    expect(ready().take(invited(b), { type: 'call.mute', call: b, muted: true }).refusal).toContain('in progress');
    expect(ready().take(dial(b), { type: 'call.mute', call: b, muted: true }).acts).toHaveLength(1);
  });

  it('knows when the far side holds', () => {
    const phone = inCall().take({ type: 'sip.far-held', call: a });
    expect(phone.call(a).farHold).toBe(true);
    const { state } = phone;
    expect(phone.take({ type: 'sip.far-held', call: a }).state).toBe(state);
    expect(phone.take({ type: 'sip.far-resumed', call: a }).call(a).farHold).toBe(false);
    expect(ready().take(dial(a), { type: 'sip.far-held', call: a }).call(a).farHold).toBe(false);
  });
});

describe('digits', () => {
  it('are sent and shown', () => {
    const phone = inCall().take({ type: 'call.send-digits', call: a, digits: '1,2' });
    phone.take({ type: 'call.send-digits', call: a, digits: '#d' });
    expect(phone.acts).toEqual([{ type: 'sip.send-digits', call: a, digits: '#D' }]);
    expect(phone.call(a).digits).toBe('1,2#D');
    phone.take({ type: 'sip.digits-refused', call: a, reason: 'no telephone-event' });
    expect(phone.call(a).trouble).toBe('The digits could not be sent: no telephone-event');
  });

  it('are refused when they are none, on hold, or before the answer', () => {
    const phone = inCall();
    expect(phone.take({ type: 'call.send-digits', call: a, digits: '1x' }).refusal).toContain('Digits are 0 to 9');
    expect(phone.take({ type: 'call.send-digits', call: a, digits: '' }).refusal).toContain('Digits are 0 to 9');
    phone.take({ type: 'call.hold', call: a });
    expect(phone.take({ type: 'call.send-digits', call: a, digits: '1' }).refusal).toContain('on hold');
    const early = ready().take(dial(a), { type: 'sip.digits-refused', call: a, reason: 'r' });
    expect(early.call(a).trouble).toBeNull();
    expect(early.take({ type: 'call.send-digits', call: a, digits: '1' }).refusal).toContain(
      'once the call is connected',
    );
  });
});

describe('transfer', () => {
  it('goes blindly from a live call, and from one on hold', () => {
    const phone = inCall().take({ type: 'call.transfer', call: a, to: ' 2003 ' });
    expect(phone.acts).toEqual([{ type: 'sip.transfer', call: a, to: '2003' }]);
    phone.take({ type: 'sip.transfer-ringing', call: a }, { type: 'sip.transfer-ringing', call: a });
    expect(phone.call(a).transfer).toEqual({ kind: 'blind', to: '2003', status: 'ringing', purpose: 'transfer' });
    phone.take({ type: 'sip.transferred', call: a });
    expect(phone.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.ending-expired', ms: 8_000 }]);
    phone.take({ type: 'sip.transferred', call: a }, ended(a, { by: 'agent' }));
    expect(phone.names(a).slice(-2)).toEqual(['call.transferred', 'call.ended']);
    expect(phone.event('call.transferred').data).toEqual({ to: '2003', kind: 'blind' });
    expect(phone.call(a).end).toMatchObject({ outcome: 'answered', reason: 'Transferred to 2003.' });

    const held = inCall().take({ type: 'call.hold', call: a }, { type: 'sip.held', call: a });
    expect(held.take({ type: 'call.transfer', call: a, to: '2003' }).acts).toHaveLength(1);
    expect(held.take({ type: 'call.resume', call: a }).refusal).toContain('being transferred');
  });

  it('gives the call back when it is refused', () => {
    const phone = inCall().take(
      { type: 'call.transfer', call: a, to: '2003' },
      { type: 'sip.transfer-refused', call: a, reason: '486 Busy Here' },
    );
    expect(phone.call(a)).toMatchObject({
      phase: 'active',
      hold: 'off',
      transfer: null,
      trouble: 'The transfer failed: 486 Busy Here',
    });
    expect(phone.event('call.transfer-failed').data).toEqual({ to: '2003', reason: '486 Busy Here' });
  });

  it('is refused without a target, before the answer, twice, and while the hold changes', () => {
    expect(inCall().take({ type: 'call.transfer', call: a, to: ' ' }).refusal).toBe(
      'There is no number to transfer to.',
    );
    expect(ready().take(dial(a), { type: 'call.transfer', call: a, to: '1' }).refusal).toContain(
      'Only a connected call',
    );
    const phone = inCall().take(
      { type: 'call.transfer', call: a, to: '1' },
      { type: 'call.transfer', call: a, to: '2' },
    );
    expect(phone.refusal).toBe('The call is already being transferred.');
    const placing = inCall().take({ type: 'call.hold', call: a });
    expect(placing.take({ type: 'call.transfer', call: a, to: '1' }).refusal).toContain('just being changed');
    const lifting = placing.take({ type: 'sip.held', call: a }, { type: 'call.resume', call: a });
    expect(lifting.take({ type: 'call.transfer', call: a, to: '1' }).refusal).toContain('just being changed');
  });

  it('joins the held call with its consult call, asked on either', () => {
    for (const id of [a, b]) {
      const phone = consulting().take({ type: 'call.complete-transfer', call: id });
      expect(phone.acts).toEqual([{ type: 'sip.transfer-attended', call: a, consult: b }]);
      expect(phone.call(a).transfer).toEqual({ kind: 'attended', to: bob.number, consult: b, status: 'asked' });
      expect(phone.take({ type: 'call.swap', call: a }).refusal).toContain('being transferred');
      phone.take({ type: 'call.hold', call: b }, { type: 'sip.held', call: b });
      expect(phone.take({ type: 'call.resume', call: b }).refusal).toContain('being transferred');
      phone.take({ type: 'sip.transferred', call: a });
      expect(phone.state.calls.map((it) => it.phase)).toEqual(['ending', 'ending']);
      phone.take(ended(b), ended(a, { by: 'agent' }));
      expect(phone.names().filter((name) => name === 'call.transferred')).toHaveLength(1);
      expect(phone.event('call.transferred', a).data).toEqual({ to: bob.number, kind: 'attended' });
      expect(phone.event('call.joined', b).data).toEqual({ with: a });
      expect(phone.call(a).end).toMatchObject({ outcome: 'answered', reason: `Transferred to ${bob.number}.` });
      expect(phone.call(b).end).toMatchObject({ outcome: 'answered', reason: `Transferred to ${ada.number}.` });
    }
  });

  it('says that it went to the other call when that one has no number', () => {
    const phone = ready().take(
      invited(a, { from: { number: '' } }),
      { type: 'call.answer', call: a },
      { type: 'sip.answered', call: a },
      dial(b, { consultFor: a }),
      { type: 'sip.held', call: a },
      { type: 'sip.answered', call: b },
      { type: 'call.complete-transfer', call: b },
      { type: 'sip.transferred', call: a },
      ended(b),
    );
    expect(phone.call(b).end?.reason).toBe('Transferred to the other call.');
  });

  it('completes although the consult call is gone already', () => {
    const phone = consulting().take({ type: 'call.complete-transfer', call: a }, ended(b), {
      type: 'sip.transferred',
      call: a,
    });
    expect(phone.call(a).phase).toBe('ending');
    expect(phone.call(b).phase).toBe('ended');
    const dismissed = consulting().take(
      { type: 'call.complete-transfer', call: a },
      ended(b),
      { type: 'call.submit-wrap-up', call: b },
      { type: 'sip.transferred', call: a },
    );
    expect(dismissed.call(a).phase).toBe('ending');
  });

  it('gives both calls back when an attended transfer is refused', () => {
    const phone = consulting().take(
      { type: 'call.complete-transfer', call: b },
      { type: 'sip.transfer-refused', call: a, reason: '503 Service Unavailable' },
    );
    expect(phone.state.calls.map((it) => [it.phase, it.hold])).toEqual([
      ['active', 'on'],
      ['active', 'off'],
    ]);
    expect(phone.call(a).trouble).toContain('503');
  });

  it('can’t be completed without a consult call, or before it is answered', () => {
    expect(inCall().take({ type: 'call.complete-transfer', call: a }).refusal).toBe(
      'No one was consulted for this call.',
    );
    const early = inCall().take(dial(b, { consultFor: a }), { type: 'sip.held', call: a });
    expect(early.take({ type: 'call.complete-transfer', call: a }).refusal).toContain('Only a connected call');
    const over = consulting().take(ended(b, { by: 'agent' }), { type: 'call.complete-transfer', call: a });
    expect(over.refusal).toBe('No one was consulted for this call.');
  });

  it('leaves the consult call as an ordinary one when the first call ends', () => {
    const phone = consulting().take(ended(a));
    expect(phone.call(b)).toMatchObject({ phase: 'active', consultFor: null });
    expect(phone.event('call.started', b).data.consultFor).toBe(a);
    expect(phone.take({ type: 'call.complete-transfer', call: b }).refusal).toBe('No one was consulted for this call.');
  });
});

describe('taking the place of a call', () => {
  it('answers by itself, and ends the call it replaces', () => {
    const phone = inCall().take({ type: 'agent.set-available', available: false }, invited(b, { replaces: a }));
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: b }]);
    phone.take({ type: 'sip.answered', call: b });
    expect(phone.acts).toEqual([
      { type: 'sip.hang-up', call: a },
      { type: 'timer.start', call: a, signal: 'timer.ending-expired', ms: 8_000 },
    ]);
    expect(phone.state.calls.map((it) => it.phase)).toEqual(['ending', 'active']);
  });

  it('goes on when the replaced call ended first', () => {
    expect(
      inCall()
        .take(invited(b, { replaces: a }), ended(a))
        .call(b),
    ).toMatchObject({ phase: 'answering', replaces: null });
    const phone = inCall().take(invited(b, { replaces: a }), ended(a), { type: 'sip.answered', call: b });
    expect(phone.acts).toEqual([]);
    expect(phone.call(b)).toMatchObject({ phase: 'active', replaces: null });
    const hungUp = inCall().take(
      invited(b, { replaces: a }),
      { type: 'call.hang-up', call: a },
      { type: 'sip.answered', call: b },
    );
    expect(hungUp.acts).toEqual([]);
  });

  it('rings like any other while a third call is live, and then holds that one', () => {
    const phone = consulting().take(invited(c, { replaces: a }));
    expect(phone.names(c)).toEqual(['call.started', 'call.ringing']);
    expect(phone.call(c).phase).toBe('incoming');
    phone.take({ type: 'call.answer', call: c });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: b, on: true }]);
    phone.take({ type: 'sip.held', call: b }, { type: 'sip.answered', call: c });
    expect(phone.state.calls.map((it) => [it.phase, it.hold])).toEqual([
      ['ending', 'on'],
      ['active', 'on'],
      ['active', 'off'],
    ]);
  });

  it('rings like any other when the call it names is not connected', () => {
    expect(
      ready()
        .take(invited(b, { replaces: a }))
        .call(b),
    ).toMatchObject({ phase: 'incoming', replaces: null });
    expect(
      ready()
        .take(invited(a), invited(b, { replaces: a }))
        .call(b).replaces,
    ).toBeNull();
  });

  it('rings while another act waits', () => {
    const phone = inCall().take(dial(b), invited(c, { replaces: a }));
    expect(phone.call(c).phase).toBe('incoming');
    expect(phone.state.waiting?.call).toBe(b);
  });
});

describe('the end', () => {
  it('has a deadline, so that a lost BYE leaves no ghost', () => {
    const phone = inCall().take({ type: 'call.hang-up', call: a });
    expect(phone.acts).toEqual([
      { type: 'sip.hang-up', call: a },
      { type: 'timer.start', call: a, signal: 'timer.ending-expired', ms: 8_000 },
    ]);
    phone.take({ type: 'call.hang-up', call: a });
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'timer.ending-expired', call: a });
    expect(phone.call(a).end).toEqual({ outcome: 'answered', reason: 'You hung up.', by: 'agent' });
    const { state } = phone;
    phone.take(ended(a), { type: 'timer.ending-expired', call: a }, { type: 'timer.ending-expired', call: b });
    expect(phone.state).toBe(state);
    expect(phone.names(a).filter((name) => name === 'call.ended')).toHaveLength(1);
  });

  it('is final', () => {
    const phone = inCall().take(ended(a));
    expect(phone.take({ type: 'call.hang-up', call: a }).refusal).toBe('This call has already ended.');
    expect(phone.take({ type: 'call.mute', call: a, muted: true }).refusal).toContain('in progress');
  });

  it('refuses everything about a call that is not there', () => {
    const phone = ready().take({ type: 'call.hold', call: a });
    expect(phone.effects).toMatchObject([
      { type: 'refuse', code: 'call.unknown', reason: 'This call is no longer there.' },
    ]);
    const { state } = phone;
    expect(phone.take({ type: 'sip.answered', call: a }).state).toBe(state);
  });
});

describe('records and wrap-up', () => {
  const match = { record: ada003, number: '+14155550101', reason: 'Same number' } as never;

  it('keeps matches and the choice among them', () => {
    const phone = inCall().take({ type: 'call.found', call: a, matches: [match] });
    expect(phone.call(a).matches).toEqual([match]);
    phone.take({ type: 'call.choose-record', call: a, record: ada003, by: 'only-match' });
    expect(phone.event('record.chosen').data).toEqual({ record: ada003, by: 'only-match' });
    phone.take({ type: 'call.choose-record', call: a, record: ada003, by: 'only-match' });
    expect(phone.effects).toEqual([]);
    // Picked once more: the agent wants to see it.
    phone.take({ type: 'call.choose-record', call: a, record: ada003, by: 'agent' });
    expect(phone.effects).toMatchObject([{ event: { name: 'record.chosen', data: { record: ada003, by: 'agent' } } }]);
    phone.take({ type: 'call.choose-record', call: a, record: { ...ada003, id: '004' }, by: 'agent' });
    expect(phone.call(a).record?.id).toBe('004');
    phone.take({ type: 'call.choose-record', call: a, record: { ...ada003, id: '004', crm: 'hubspot' }, by: 'agent' });
    expect(phone.call(a).record?.crm).toBe('hubspot');
  });

  it('knows that nobody has the number, until somebody is found, and tells no event of nobody', () => {
    const phone = inCall();
    expect(phone.call(a).unknown).toBeUndefined();
    expect(phone.take({ type: 'call.found', call: a, matches: [] }).effects).toEqual([]);
    expect(phone.call(a)).toMatchObject({ matches: [], unknown: true });
    phone.take({ type: 'call.found', call: a, matches: [match] });
    expect(phone.call(a)).toMatchObject({ matches: [match], unknown: false });
  });

  it('learns the name of a record that was chosen by its id alone', () => {
    const { name: _, ...nameless } = ada003;
    const phone = inCall().take({ type: 'call.choose-record', call: a, record: nameless, by: 'dialled-from' });
    phone.take({ type: 'call.choose-record', call: a, record: { ...nameless, name: 'Ada' }, by: 'dialled-from' });
    expect(phone.call(a).record?.name).toBe('Ada');
    expect(phone.take({ type: 'call.choose-record', call: a, record: nameless, by: 'agent' }).effects).toEqual([]);
  });

  it('saves note and disposition at each change, and submits them once the call has ended', () => {
    const phone = inCall().take({ type: 'call.write-note', call: a, note: 'Wants' });
    expect(phone.event('wrap-up.saved').data).toEqual({ note: 'Wants' });
    phone.take({ type: 'call.write-note', call: a, note: 'Wants' });
    expect(phone.effects).toEqual([]);
    expect(phone.take({ type: 'call.submit-wrap-up', call: a }).refusal).toContain('not ended yet');
    phone.take(ended(a), { type: 'call.set-disposition', call: a, disposition: 'sold' });
    expect(phone.effects).toMatchObject([
      { event: { name: 'wrap-up.saved', data: { note: 'Wants', disposition: 'sold' } } },
    ]);
    phone.take({ type: 'call.set-disposition', call: a, disposition: 'sold' });
    expect(phone.effects).toEqual([]);
    phone.take({ type: 'call.submit-wrap-up', call: a });
    expect(phone.event('wrap-up.submitted').data).toEqual({ note: 'Wants', disposition: 'sold' });
    expect(phone.state.calls).toEqual([]);
  });

  it('tells that a note was emptied, and refuses one that no CRM takes', () => {
    const phone = inCall().take(
      { type: 'call.write-note', call: a, note: 'x' },
      { type: 'call.write-note', call: a, note: '' },
    );
    expect(phone.effects).toMatchObject([{ event: { name: 'wrap-up.saved', data: { note: '' } } }]);
    expect(phone.take({ type: 'call.write-note', call: a, note: 'x'.repeat(32_001) }).refusal).toContain('32000');
  });
});

describe('what a call is about', () => {
  const case500 = { crm: 'salesforce', object: 'Case', id: '500', name: 'Case 00001026' } as const;
  const about = (record: typeof case500 | null): Command => ({ type: 'call.associate', call: a, record });

  it('can be said, changed and taken back from the first ring until the wrap-up is submitted', () => {
    const moments: readonly (() => Stepping)[] = [
      () => ready().take(dial(a)),
      () => ready().take(invited(a)),
      () => ready().take(invited(a), { type: 'call.answer', call: a }),
      () => inCall(),
      () => inCall().take({ type: 'call.hold', call: a }),
      () => inCall().take({ type: 'call.hang-up', call: a }),
      () => inCall().take(ended(a)),
    ];
    for (const moment of moments) {
      const phone = moment().take(about(case500));
      expect(phone.call(a).about).toEqual(case500);
      expect(phone.event('record.associated', a).data).toEqual({ record: case500 });
      expect(phone.take(about(case500)).effects).toEqual([]);
      phone.take(about(null));
      expect(phone.call(a).about).toBeNull();
      expect(phone.effects).toMatchObject([{ event: { name: 'record.associated', data: { record: null } } }]);
    }
    const over = inCall().take(ended(a), { type: 'call.submit-wrap-up', call: a });
    expect(over.take(about(case500)).refusal).toContain('no longer there');
  });

  it('leaves the record alone', () => {
    const phone = inCall().take({ type: 'call.choose-record', call: a, record: ada003, by: 'agent' }, about(case500));
    expect(phone.call(a)).toMatchObject({ record: ada003, about: case500 });
  });

  it('is the record it was dialled from, when that is no person', () => {
    const phone = ready().take(dial(a, { about: case500 }));
    expect(phone.call(a)).toMatchObject({ record: null, about: case500 });
    expect(phone.event('dial.requested').data).toMatchObject({ record: case500 });
    expect(phone.event('record.associated', a).data).toEqual({ record: case500 });
    expect(phone.names()).not.toContain('record.chosen');
  });
});

describe('the time for the wrap-up', () => {
  it('begins with the end of the call', () => {
    const phone = inCall();
    expect(phone.call(a).wrapUpSince).toBeNull();
    phone.take(ended(a));
    expect(phone.call(a).wrapUpSince).toBe(phone.call(a).endedAt);
  });

  it('begins anew when another talk came between, not for a caller who was not answered', () => {
    const phone = inCall().take(ended(a));
    const first = phone.call(a).wrapUpSince;
    phone.take(invited(b), ended(b));
    expect(phone.call(a).wrapUpSince).toBe(first);
    phone.take(invited(c), { type: 'call.answer', call: c }, { type: 'sip.answered', call: c }, ended(c));
    expect(phone.call(a).wrapUpSince).toBe(phone.call(c).endedAt);
    expect(phone.call(a).endedAt).toBe(first);
  });

  it('can be given again three times, once the call has ended', () => {
    const more: Command = { type: 'call.more-time', call: a };
    const phone = inCall();
    expect(phone.take(more).refusal).toContain('not ended yet');
    phone.take(ended(a), more, more, more);
    expect(phone.call(a).moreTime).toBe(3);
    expect(phone.take(more).refusal).toContain('no more time');
    expect(phone.call(a).moreTime).toBe(3);
  });
});

it('notes that the agent lets nobody transcribe a call, and tells nobody else', () => {
  const phone = inCall();
  const { effects } = phone.take({ type: 'call.pause-sound', call: a, paused: true });
  expect([phone.call(a).soundPaused, effects]).toEqual([true, []]);
  expect(phone.take({ type: 'call.pause-sound', call: a, paused: false }).call(a).soundPaused).toBe(false);
});

it('bears a state that names a call it does not hold', () => {
  const { state } = inCall().take({ type: 'call.hold', call: a });
  const torn = { ...state, waiting: { act: 'dial', call: b, target: '1', callerId: null } } as const;
  const step = transition(torn, { type: 'sip.hold-refused', call: a, reason: 'r', at: 1 });
  expect(step.state.waiting).toBeNull();
  expect(step.effects).toEqual([]);
});

it('never changes the state it is given', () => {
  // Every step above ran on a frozen state; this says that the freezing bites.
  const { state } = inCall();
  expect(Object.isFrozen(state.calls[0]?.farSide)).toBe(true);
  expect(transition(state, { type: 'call.hold', call: a, at: 1 }).state).not.toBe(state);
});
