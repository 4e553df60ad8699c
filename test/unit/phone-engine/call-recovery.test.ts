/** What becomes of the calls of an owner that went: the table of docs/adr/0016-a-call-outlives-its-page.md, row by row. */
import type { CallId } from '@patchcord/call-protocol';
import {
  type CallState,
  type Command,
  type Input,
  isLive,
  mainCall,
  mixOf,
  readCalls,
  tone,
} from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { bob } from './phone-fixture.ts';
import { a, b, c, consulting, dial, ended, inCall, invited, ready, type Stepping } from './stepping.ts';

type TakeUp = Extract<Input, { type: 'calls.take-up' }>;

/** The next owner: its line is ready, and it takes up what the last one had. `seenAt` is when that one was alive last. */
function successor(of: Stepping, resumable: readonly CallId[] = of.state.calls.map(({ id }) => id)): Stepping {
  const next = ready();
  next.now = of.now + 5_000;
  return next.take(takeUp(of.state.calls, resumable, of.now));
}

const takeUp = (calls: readonly CallState[], resumable: readonly CallId[], seenAt: number): Omit<TakeUp, 'at'> => ({
  type: 'calls.take-up',
  calls,
  resumable,
  seenAt,
});

const recovered = (
  call: CallId,
  way: 'resume' | 'replaces' | 'rung-again' = 'resume',
): Omit<Extract<Input, { type: 'sip.recovered' }>, 'at'> => ({ type: 'sip.recovered', call, way, peer: 'Asterisk' });

const hangsUp = (phone: Stepping): readonly CallId[] =>
  phone.acts.flatMap((effect) => (effect.type === 'sip.hang-up' ? [effect.call] : []));
const taken = (phone: Stepping): readonly CallId[] =>
  phone.acts.flatMap((effect) => (effect.type === 'sip.take-up' ? effect.calls : []));
const deadlines = (phone: Stepping): readonly CallId[] =>
  phone.acts.flatMap((effect) =>
    effect.type === 'timer.start' && effect.signal === 'timer.recovery-expired' ? [effect.call] : [],
  );

describe('a call that was being dialled when its page went', () => {
  it.each([
    ['that nobody had answered the INVITE of', []],
    ['that rang', [{ type: 'sip.ringing', call: a, earlyMedia: false } as const]],
  ])('is cancelled: one %s', (_, more) => {
    const phone = successor(ready().take(dial(a), { type: 'sip.dialing', call: a, sipCallId: 'sip-a' }, ...more));
    expect(phone.call(a)).toMatchObject({ phase: 'ending', recovering: true });
    expect(taken(phone)).toEqual([a]);
    expect(deadlines(phone)).toEqual([a]);
    expect(tone(phone.state)).toBe('none');
    phone.take(ended(a, { by: 'agent' }));
    expect(phone.event('call.ended', a).data).toEqual({
      outcome: 'cancelled',
      reason: 'The page of the phone went away before anyone answered.',
      by: 'agent',
      sipCallId: 'sip-a',
    });
    expect(phone.names(a)).toEqual(['call.ended']);
  });

  it('ends as cancelled at once where no INVITE had left', () => {
    const before = inCall().take(dial(b, { consultFor: a }));
    const phone = successor(before, [a]);
    expect(phone.event('call.ended', b)).toMatchObject({ at: before.now, data: { outcome: 'cancelled' } });
    expect(phone.call(a)).toMatchObject({ phase: 'active', recovering: true });
    expect(phone.state.waiting).toBeNull();
  });
});

describe('a call that rang here when its page went', () => {
  const ringing = (): Stepping => ready().take(invited(a));

  it('rings on when the caller’s INVITE arrives once more, and is answered as ever', () => {
    const phone = successor(ringing());
    expect(phone.call(a)).toMatchObject({ phase: 'incoming', recovering: true });
    expect(tone(phone.state)).toBe('none');
    phone.take({ type: 'call.answer', call: a });
    expect(phone.refusal).toBe('The call is just being fetched back to this phone. Wait until it rings again.');
    phone.take(recovered(a, 'rung-again'));
    expect(phone.call(a)).toMatchObject({ phase: 'incoming', recovering: false });
    expect(tone(phone.state)).toBe('ring');
    expect(phone.event('call.recovered', a).data).toMatchObject({ way: 'rung-again' });
    phone.take({ type: 'call.answer', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: a }]);
  });

  it('is missed, at the time it was seen last, when it does not', () => {
    const before = ringing();
    const phone = successor(before).take(ended(a, { by: 'network', reason: 'it did not ring again' }));
    expect(phone.event('call.ended', a)).toMatchObject({
      at: before.now,
      data: {
        outcome: 'missed',
        reason: 'The page of the phone went away, and the call did not ring there again: it did not ring again.',
      },
    });
    expect(phone.state.calls).toEqual([]);
  });

  it('is missed at once where nothing is known of its dialog', () => {
    const phone = successor(ringing(), []);
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'missed', by: 'network' });
    expect(phone.acts).toEqual([]);
    expect(phone.state.calls).toEqual([]);
  });

  it('can be turned down before it is back', () => {
    const phone = successor(ringing()).take({ type: 'call.decline', call: a });
    expect(hangsUp(phone)).toEqual([a]);
    phone.take(ended(a, { by: 'agent', code: 486 }));
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'declined', reason: 'You declined the call.' });
  });

  it('answers itself after a warning of its own when it is an intercom call', () => {
    const before = ready()
      .take({ type: 'rules.set', rules: { ...ready().state.rules, autoAnswer: 'always' } })
      .take(invited(a, { answersAfterMs: 0 }));
    const phone = successor(before);
    phone.take({ type: 'timer.answers', call: a });
    expect(phone.acts).toEqual([]);
    phone.take(recovered(a, 'rung-again'));
    expect(phone.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.answers', ms: 1_000 }]);
    phone.take({ type: 'timer.answers', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: a }]);
  });

  it('is forwarded after the rest of its time', () => {
    const forwarding = { to: '2009', when: 'no-answer', afterSeconds: 30 } as const;
    const before = ready().take({ type: 'agent.forward', forwarding }, invited(a));
    const phone = successor(before, []);
    expect(phone.event('call.ended', a)).toBeDefined();
    const next = ready().take({ type: 'agent.forward', forwarding });
    next.now = before.now + 9_000;
    next.take(takeUp(before.state.calls, [a], before.now)).take(recovered(a, 'rung-again'));
    expect(next.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.unanswered', ms: 19_000 }]);
  });
});

describe('a call that was just being answered when its page went', () => {
  const answering = (): Stepping => ready().take(invited(a), { type: 'call.answer', call: a });

  it('is connected where the answer had left: since the page was there last, and that is told', () => {
    const before = answering();
    const phone = successor(before);
    expect(phone.call(a)).toMatchObject({ phase: 'answering', recovering: true });
    phone.take(recovered(a, 'replaces'));
    expect(phone.call(a)).toMatchObject({ phase: 'active', recovering: false, answeredAt: before.now });
    expect(phone.names(a)).toEqual(['call.answered', 'call.recovered']);
    expect(phone.event('call.answered', a).at).toBe(before.now);
  });

  it('takes the place of the call it replaces', () => {
    const before = inCall().take({ type: 'sip.invited', call: b, from: bob, sipCallId: 'sip-b', replaces: a });
    before.take({ type: 'call.answer', call: b });
    const phone = successor(before).take(recovered(a), recovered(b));
    expect(hangsUp(phone)).toEqual([a]);
    expect(phone.call(b)).toMatchObject({ phase: 'active', replaces: null });
  });

  it('rings where it had not', () => {
    const phone = successor(answering()).take(recovered(a, 'rung-again'));
    expect(phone.call(a)).toMatchObject({ phase: 'incoming', recovering: false, answeredAt: null });
  });

  it('has failed where neither is possible: the agent had said yes', () => {
    const phone = successor(answering()).take(ended(a, { by: 'network', reason: '481 Call Does Not Exist' }));
    expect(phone.event('call.ended', a).data).toMatchObject({
      outcome: 'failed',
      reason: 'The page of the phone went away, and the call could not be taken up again: 481 Call Does Not Exist.',
    });
  });
});

describe('a connected call whose page went', () => {
  it('is taken up with its note, record, disposition, times and mute, and tells how long it was away', () => {
    const record = { crm: 'hubspot', object: 'contact', id: '7' } as const;
    const before = inCall().take(
      { type: 'call.write-note', call: a, note: 'likes blue' },
      { type: 'call.set-disposition', call: a, disposition: 'sold' },
      { type: 'call.choose-record', call: a, record, by: 'agent' },
      { type: 'call.mute', call: a, muted: true },
    );
    const was = before.call(a);
    const phone = successor(before);
    expect(taken(phone)).toEqual([a]);
    expect(phone.call(a)).toMatchObject({ recovering: true, phase: 'active' });
    expect(isLive(phone.call(a))).toBe(false);
    expect(mainCall(phone.state)?.id).toBe(a);
    phone.take({ type: 'sip.recovery-tried', call: a, way: 'replaces', peer: 'Asterisk', worked: false });
    expect(phone.event('call.recovery-tried', a).data).toEqual({ way: 'replaces', peer: 'Asterisk', worked: false });
    phone.take(recovered(a));
    expect(phone.call(a)).toEqual({ ...was, unknown: phone.call(a).unknown });
    expect(phone.event('call.recovered', a).data).toEqual({
      way: 'resume',
      peer: 'Asterisk',
      afterMs: phone.now - before.now,
    });
    expect(isLive(phone.call(a))).toBe(true);
    expect(phone.names(a).filter((name) => name === 'call.answered')).toEqual([]);
  });

  it.each([
    ['on hold', [{ type: 'sip.held', call: a } as const], []],
    ['just being put on hold', [], ['call.held']],
    ['just being resumed', [{ type: 'sip.held', call: a } as const, { type: 'call.resume', call: a } as const], []],
  ])('stays silent when it was %s', (_, more, told) => {
    const phone = successor(inCall().take({ type: 'call.hold', call: a }, ...more)).take(recovered(a));
    expect(phone.call(a).hold).toBe('on');
    expect(phone.names(a)).toEqual(['call.recovered', ...told]);
    phone.take({ type: 'call.resume', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.hold', call: a, on: false }]);
  });

  it('comes back beside the call that consults for it, and can be transferred then', () => {
    const phone = successor(consulting());
    expect(phone.call(b)).toMatchObject({ consultFor: a, recovering: true });
    phone.take({ type: 'call.complete-transfer', call: a });
    expect(phone.refusal).toBe('The call is just being taken up again. Wait a moment, or hang up.');
    phone.take(recovered(a), { type: 'call.complete-transfer', call: a });
    expect(phone.refusal).toBe('The call is just being taken up again. Wait a moment.');
    phone.take(recovered(b), { type: 'call.complete-transfer', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.transfer-attended', call: a, consult: b }]);
  });

  it('comes back into its conference, which is mixed again as soon as two are there', () => {
    const before = consulting().take({ type: 'call.merge', call: a }, { type: 'sip.resumed', call: a });
    expect(mixOf(before.state)).toHaveLength(2);
    const phone = successor(before);
    expect(mixOf(phone.state)).toEqual([]);
    phone.take(recovered(a));
    expect(mixOf(phone.state)).toEqual([]);
    phone.take(recovered(b));
    expect(mixOf(phone.state)).toHaveLength(2);
    expect(phone.state.calls.every(isLive)).toBe(true);
  });

  it('leaves the other member as an ordinary call when it does not come back', () => {
    const before = consulting().take({ type: 'call.merge', call: a }, { type: 'sip.resumed', call: a });
    const phone = successor(before, [a]).take(recovered(a));
    expect(phone.call(b).phase).toBe('ended');
    expect(phone.call(a)).toMatchObject({ inConference: false, phase: 'active' });
  });

  it('ends at the time it was seen last where nothing is known of its dialog, and its wrap-up begins now', () => {
    const before = inCall();
    const phone = successor(before, []);
    expect(phone.acts).toEqual([]);
    expect(phone.event('call.ended', a)).toMatchObject({
      at: before.now,
      data: {
        outcome: 'answered',
        by: 'network',
        reason: 'The page of the phone went away, and the call could not be taken up again.',
      },
    });
    expect(phone.call(a)).toMatchObject({ phase: 'ended', endedAt: before.now, wrapUpSince: phone.now });
    phone.take(ended(a));
    expect(phone.names(a)).toEqual(['call.ended']);
  });

  it('never ends before it was answered, whatever the kept time says', () => {
    const before = inCall();
    const phone = ready();
    phone.now = before.now + 1_000;
    phone.take(takeUp(before.state.calls, [], 0));
    expect(phone.call(a).endedAt).toBe(before.call(a).answeredAt);
  });

  it('ends once, with the time it was seen last, when no way works', () => {
    const before = inCall();
    const phone = successor(before).take(ended(a, { by: 'network', reason: '481 Call Does Not Exist' }));
    expect(phone.event('call.ended', a)).toMatchObject({
      at: before.now,
      data: {
        reason: 'The page of the phone went away, and the call could not be taken up again: 481 Call Does Not Exist.',
      },
    });
    phone.take(ended(a), recovered(a), { type: 'timer.recovery-expired', call: a });
    expect(phone.names(a)).toEqual(['call.ended']);
    expect(phone.call(a)).toMatchObject({ recovering: false, recovery: null });
  });

  it('ends when the far side hangs up meanwhile, at that time', () => {
    const phone = successor(inCall()).take(ended(a));
    expect(phone.event('call.ended', a)).toMatchObject({
      at: phone.now,
      data: { reason: 'The far side hung up.', by: 'far-side' },
    });
  });

  it('is given up and hung up after the longest wait', () => {
    const before = inCall();
    const phone = successor(before);
    expect(phone.acts).toContainEqual({ type: 'timer.start', call: a, signal: 'timer.recovery-expired', ms: 40_000 });
    phone.take({ type: 'timer.recovery-expired', call: a });
    expect(hangsUp(phone)).toEqual([a]);
    expect(phone.event('call.ended', a)).toMatchObject({ at: before.now, data: { outcome: 'answered' } });
  });

  it('is not given up any more once it is back', () => {
    const phone = successor(inCall()).take(recovered(a), { type: 'timer.recovery-expired', call: a });
    expect(phone.effects).toEqual([]);
    expect(phone.call(a).phase).toBe('active');
  });
});

describe('a call that was being transferred when its page went', () => {
  const transferring = (): Stepping =>
    inCall().take({ type: 'call.transfer', call: a, to: '2002' }, { type: 'sip.transfer-ringing', call: a });

  it('comes back as the agent’s, who reads that nobody knows what became of the transfer, and may ask for it again', () => {
    const phone = successor(transferring());
    expect(phone.call(a)).toMatchObject({ transfer: null, trouble: null });
    phone.take(recovered(a));
    expect(phone.call(a)).toMatchObject({ transfer: null, recovering: false });
    expect(phone.call(a).trouble).toMatch(/being sent to 2002.*nobody knows/);
    phone.take(
      { type: 'call.transfer', call: a, to: '2003' },
      { type: 'sip.transfer-refused', call: a, reason: 'Busy' },
    );
    phone.take(ended(a));
    expect(phone.names(a)).not.toContain('call.transferred');
  });

  it.each([
    ['while it is being taken up', false],
    ['soon after it is back', true],
  ])('counts as transferred when the far side leaves %s', (_, back) => {
    const phone = successor(transferring());
    if (back) phone.take(recovered(a));
    phone.take(ended(a));
    expect(phone.event('call.transferred', a).data).toEqual({ to: '2002', kind: 'blind' });
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'answered', reason: 'Transferred to 2002.' });
    expect(phone.names(a).slice(-2)).toEqual(['call.transferred', 'call.ended']);
  });

  it('does not when the far side leaves long after', () => {
    const phone = successor(transferring()).take(recovered(a));
    phone.now += 90_000;
    phone.take(ended(a));
    expect(phone.names(a)).toEqual(['call.recovered', 'call.ended']);
    expect(phone.event('call.ended', a).data).toMatchObject({ reason: 'The far side hung up.' });
  });

  it('says that nobody knows when it is gone', () => {
    const phone = successor(transferring()).take(ended(a, { by: 'network', reason: '481' }));
    expect(phone.event('call.ended', a).data.reason).toBe(
      'The page of the phone went away while the call was being sent to 2002; whether that succeeded is not known: 481.',
    );
  });

  it('tells of the consult call too when both were being joined', () => {
    const phone = successor(consulting().take({ type: 'call.complete-transfer', call: a }));
    phone.take(recovered(a), recovered(b), ended(a));
    expect(phone.event('call.transferred', a).data).toMatchObject({ kind: 'attended' });
    expect(phone.event('call.joined', b).data).toEqual({ with: a });
  });

  it('is still unknown when the page goes once more', () => {
    const once = successor(transferring()).take(recovered(a));
    const phone = successor(once).take(recovered(a));
    expect(phone.call(a).trouble).toMatch(/nobody knows/);
  });
});

describe('a call that was just ending when its page went', () => {
  it('is hung up again, and has ended because the agent hung up', () => {
    const phone = successor(inCall().take({ type: 'call.hang-up', call: a }));
    expect(taken(phone)).toEqual([a]);
    expect(hangsUp(phone)).toEqual([a]);
    expect(deadlines(phone)).toEqual([a]);
    phone.take(recovered(a));
    expect(phone.call(a)).toMatchObject({ phase: 'ending', recovering: true });
    phone.take(ended(a, { by: 'network', reason: '481' }));
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'answered', reason: 'You hung up.' });
  });

  it('was transferred where it was ending for that', () => {
    const before = inCall().take({ type: 'call.transfer', call: a, to: '2002' }, { type: 'sip.transferred', call: a });
    const phone = successor(before, []);
    expect(phone.event('call.ended', a).data).toMatchObject({ reason: 'Transferred to 2002.' });
  });

  it('ends by the longest wait all the same', () => {
    const phone = successor(inCall().take({ type: 'call.hang-up', call: a }));
    phone.take({ type: 'timer.recovery-expired', call: a });
    expect(phone.event('call.ended', a).data).toMatchObject({ reason: 'You hung up.', by: 'agent' });
    expect(phone.acts).toEqual([]);
  });

  it('was declined where it was that', () => {
    const phone = successor(ready().take(invited(a), { type: 'call.decline', call: a }), []);
    expect(phone.event('call.ended', a).data).toMatchObject({ outcome: 'declined' });
  });
});

describe('a call that was over when its page went', () => {
  it('waits for its wrap-up again, with the time it had, and nothing is told', () => {
    const before = inCall().take(ended(a));
    const phone = successor(before, []);
    expect(phone.state.calls).toEqual(before.state.calls);
    expect(phone.effects).toEqual([]);
  });

  it('keeps its time when another ends with the page', () => {
    const before = inCall().take(ended(a), dial(b), { type: 'sip.answered', call: b });
    const phone = successor(before, []);
    expect(phone.call(a).wrapUpSince).toBe(before.call(a).wrapUpSince);
    expect(phone.call(b)).toMatchObject({ phase: 'ended', wrapUpSince: phone.now });
  });

  it('is hung up where somebody may still be at the other end, and so is one that nobody remembers', () => {
    const phone = successor(inCall().take(ended(a)), [a, c]);
    expect(taken(phone)).toEqual([a, c]);
    expect(hangsUp(phone)).toEqual([a, c]);
    phone.take(ended(a, { by: 'agent' }), ended(c, { by: 'agent' }));
    expect(phone.names()).not.toContain('call.ended');
  });
});

describe('taking up', () => {
  it('leaves out what is here already, and what is named twice', () => {
    const phone = inCall();
    const { state } = phone;
    phone.take(takeUp([...state.calls, ...state.calls], [a], phone.now));
    expect(phone.state).toEqual(state);
    expect(phone.effects).toEqual([]);
    const other = successor(inCall());
    const twice = ready().take(takeUp([...other.state.calls, ...other.state.calls], [a, a], other.now));
    expect(twice.state.calls).toHaveLength(1);
    expect(taken(twice)).toEqual([a]);
  });

  it('keeps the time of the first absence when the page goes once more before the call is back', () => {
    const before = inCall();
    const phone = successor(successor(before)).take(recovered(a));
    expect(phone.event('call.recovered', a).data.afterMs).toBe(phone.now - before.now);
  });

  it('tells nothing of a call that only changed its connection', () => {
    const phone = inCall();
    const { state } = phone;
    phone.take(recovered(a, 'replaces'), {
      type: 'sip.recovery-tried',
      call: a,
      way: 'replaces',
      peer: 'FreeSWITCH',
      worked: true,
    });
    expect(phone.state).toBe(state);
    expect(phone.names().filter((name) => name.startsWith('call.recover'))).toEqual([]);
    phone.take({ type: 'sip.recovery-tried', call: a, way: 'replaces', peer: 'FreeSWITCH', worked: false });
    expect(phone.event('call.recovery-tried', a).data.worked).toBe(false);
  });

  it.each<Command>([
    { type: 'call.hold', call: a },
    { type: 'call.resume', call: a },
    { type: 'call.swap', call: a },
    { type: 'call.send-digits', call: a, digits: '1' },
    { type: 'call.transfer', call: a, to: '2002' },
    { type: 'call.cancel-transfer', call: a },
    { type: 'call.merge', call: a },
    { type: 'call.split', call: a },
    { type: 'call.silence', call: a, silenced: true },
  ])('refuses $type meanwhile, and says why', (command) => {
    const phone = successor(inCall()).take(command);
    expect(phone.refusal).toBe('The call is just being taken up again. Wait a moment, or hang up.');
  });

  it('takes a hang-up, a mute, notes, a record and a disposition meanwhile', () => {
    const phone = successor(inCall());
    phone.take({ type: 'call.mute', call: a, muted: true });
    expect(phone.acts).toEqual([{ type: 'sip.mute', call: a, muted: true }]);
    phone.take(
      { type: 'call.write-note', call: a, note: 'n' },
      { type: 'call.set-disposition', call: a, disposition: 'd' },
    );
    expect(phone.call(a)).toMatchObject({ muted: true, note: 'n', disposition: 'd' });
    phone.take({ type: 'call.hang-up', call: a });
    expect(hangsUp(phone)).toEqual([a]);
    phone.take(recovered(a));
    expect(phone.call(a).phase).toBe('ending');
    phone.take(ended(a, { by: 'agent' }));
    expect(phone.event('call.ended', a).data).toMatchObject({ reason: 'You hung up.' });
  });

  it.each([true, false])('is muted as the agent wished it meanwhile: %s', (muted) => {
    const before = inCall().take({ type: 'call.mute', call: a, muted: !muted });
    const phone = successor(before).take({ type: 'call.mute', call: a, muted }, recovered(a));
    expect(phone.acts).toEqual([{ type: 'sip.mute', call: a, muted }]);
  });

  it('lets another call be answered as soon as the one that is live is back and on hold', () => {
    const phone = successor(inCall()).take(invited(b, { from: bob }), { type: 'call.answer', call: b });
    expect(phone.acts).toEqual([]);
    phone.take(recovered(a));
    expect(phone.acts).toContainEqual({ type: 'sip.hold', call: a, on: true });
    phone.take({ type: 'sip.held', call: a });
    expect(phone.acts).toEqual([{ type: 'sip.answer', call: b }]);
  });

  it('ignores what can’t happen to a call that is not up yet', () => {
    const phone = successor(inCall());
    const { state } = phone;
    phone.take(
      { type: 'sip.answered', call: a },
      { type: 'sip.held', call: a },
      { type: 'sip.transferred', call: a },
      recovered(a, 'rung-again'),
    );
    expect(phone.state).toBe(state);
    phone.take({ type: 'sip.far-held', call: a });
    expect(phone.call(a).farHold).toBe(true);
    const ringing = successor(ready().take(invited(a)));
    const before = ringing.state;
    ringing.take(recovered(a, 'resume'));
    expect(ringing.state).toBe(before);
  });

  it('cuts what the far side calls itself to what an event holds', () => {
    const phone = successor(inCall()).take({ ...recovered(a), peer: 'x'.repeat(500) });
    expect(phone.event('call.recovered', a).data.peer).toHaveLength(120);
  });
});

describe('calls that were written down', () => {
  const kept = (calls: readonly unknown[]): unknown => JSON.parse(JSON.stringify(calls));

  it('are read as they were, also in the middle of being taken up', () => {
    const { calls } = successor(inCall().take({ type: 'call.transfer', call: a, to: '2002' })).state;
    expect(readCalls(kept(calls))).toEqual(calls);
  });

  it('are read from a version that took no call up', () => {
    const { calls } = inCall().state;
    const old = calls.map(({ recovering, recovery, ...rest }) => rest);
    expect(readCalls(kept(old))).toMatchObject([{ id: a, recovering: false }]);
  });

  it.each([
    ['a flag that is none', { recovering: 'yes' }],
    ['a phase that is none', { recovery: { from: 'gone', seenAt: 1, transfer: null } }],
    ['a time that is none', { recovery: { from: 'active', seenAt: 'now', transfer: null } }],
    ['a transfer that is none', { recovery: { from: 'active', seenAt: 1, transfer: {} } }],
  ])('are not read with %s', (_, wrong) => {
    expect(readCalls(kept(inCall().state.calls.map((it) => ({ ...it, ...wrong }))))).toEqual([]);
  });
});
