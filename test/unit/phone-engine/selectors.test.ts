/** What the panel asks of a state. */
import {
  allowed,
  busyLabel,
  callInWrapUp,
  condition,
  consultOf,
  dialRefusal,
  elapsed,
  hasCallInProgress,
  heldCalls,
  liveCall,
  mainCall,
  ringingCalls,
  tone,
} from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { a, b, consulting, dial, ended, inCall, invited, most, ready, Stepping } from './stepping.ts';

describe('tone', () => {
  it('rings for a call that comes in, and stops as soon as it is being answered', () => {
    const phone = ready().take(invited(a));
    expect(tone(phone.state)).toBe('ring');
    expect(tone(phone.take(invited(b)).state)).toBe('ring');
    expect(tone(ready().take(invited(a), { type: 'call.answer', call: a }).state)).toBe('none');
  });

  it('knocks while the agent talks, and stops while the first call is being put on hold', () => {
    const phone = inCall().take(invited(b));
    expect(tone(phone.state)).toBe('call-waiting');
    expect(tone(phone.take({ type: 'call.answer', call: b }).state)).toBe('none');
    expect(ringingCalls(phone.state)).toEqual([]);
    expect(tone(phone.take({ type: 'sip.held', call: a }).state)).toBe('none');
  });

  it('plays ringback until the far side sends its own sound', () => {
    const phone = ready().take(dial(a));
    expect(tone(phone.state)).toBe('none');
    expect(tone(phone.take({ type: 'sip.ringing', call: a, earlyMedia: false }).state)).toBe('ringback');
    expect(tone(phone.take({ type: 'sip.ringing', call: a, earlyMedia: true }).state)).toBe('none');
    expect(tone(inCall().state)).toBe('none');
  });
});

describe('which call', () => {
  it('is live, held, consulted, ringing or in wrap-up', () => {
    const { state } = consulting();
    expect(liveCall(state)?.id).toBe(b);
    expect(heldCalls(state).map((it) => it.id)).toEqual([a]);
    expect(consultOf(state, a)?.id).toBe(b);
    expect(consultOf(state, b)).toBeNull();
    expect(liveCall(ready().state)).toBeNull();
    expect(callInWrapUp(state)).toBeNull();
    expect(callInWrapUp(inCall().take(ended(a)).state)?.id).toBe(a);
    expect(ringingCalls(ready().take(invited(a)).state).map((it) => it.id)).toEqual([a]);
  });

  it('is shown first', () => {
    expect(mainCall(ready().state)).toBeNull();
    expect(mainCall(consulting().state)?.id).toBe(b);
    expect(mainCall(inCall().take(invited(b)).state)?.id).toBe(a);
    expect(mainCall(inCall().take({ type: 'call.hold', call: a }, invited(b)).state)?.id).toBe(a);
    const held = inCall().take({ type: 'call.hold', call: a }, { type: 'sip.held', call: a }, invited(b));
    expect(mainCall(held.state)?.id).toBe(b);
    expect(mainCall(held.take(ended(b)).state)?.id).toBe(a);
    expect(mainCall(held.take({ type: 'call.resume', call: a }, invited(b)).state)?.id).toBe(a);
    expect(mainCall(inCall().take({ type: 'call.hang-up', call: a }).state)?.id).toBe(a);
    expect(mainCall(inCall().take(ended(a)).state)?.id).toBe(a);
  });

  it('would be ended by leaving the page', () => {
    expect(hasCallInProgress(inCall().state)).toBe(true);
    expect(hasCallInProgress(inCall().take(ended(a)).state)).toBe(false);
  });
});

describe('the label', () => {
  it('says what keeps the agent busy', () => {
    const of = (phone: Stepping) => [condition(phone.state), busyLabel(phone.state)];
    expect(of(new Stepping())).toEqual(['offline', 'Offline']);
    expect(of(new Stepping().take({ type: 'line.connect' }))).toEqual(['offline', 'Connecting']);
    expect(of(ready())).toEqual(['ready', 'Ready']);
    expect(of(ready().take({ type: 'agent.set-available', available: false }))).toEqual(['ready', 'Unavailable']);
    expect(of(ready().take(invited(a)))).toEqual(['ringing', 'Call from Bob Example']);
    expect(of(ready().take(invited(a, { from: { number: '' } })))).toEqual(['ringing', 'Call from unknown']);
    expect(of(ready().take(dial(a)))).toEqual(['in-call', 'Calling Ada Example']);
    expect(of(inCall())).toEqual(['in-call', 'In call with Ada Example']);
    expect(of(inCall().take({ type: 'sip.lost', reason: 'r' }))).toEqual(['in-call', 'In call with Ada Example']);
    expect(of(inCall().take(ended(a)))).toEqual(['wrap-up', 'Wrap-up: Ada Example']);
    expect(of(ready().take(invited(a, { from: { number: '2002' } }), { type: 'call.answer', call: a }))).toEqual([
      'in-call',
      'In call with 2002',
    ]);
  });
});

describe('time', () => {
  it('counts from the answer to the end', () => {
    expect(elapsed(ready().take(dial(a)).call(a), 99_000)).toBe(0);
    const phone = inCall();
    const from = phone.call(a).answeredAt ?? 0;
    expect(elapsed(phone.call(a), from + 5_000)).toBe(5_000);
    expect(elapsed(phone.call(a), from - 5_000)).toBe(0);
    expect(elapsed(phone.take(ended(a)).call(a), from + 99_000)).toBe(1_000);
  });
});

describe('allowed', () => {
  const of = (phone: Stepping, id = a): readonly string[] => [...allowed(phone.state, id)];
  it('is what the transition would take', () => {
    expect(of(ready().take(invited(a)))).toEqual([
      'call.answer',
      'call.decline',
      'call.redirect',
      'call.ignore',
      'call.hang-up',
    ]);
    expect(of(ready().take(dial(a)))).toEqual(['call.hang-up', 'call.mute']);
    expect(of(inCall())).toEqual(['call.hang-up', 'call.hold', 'call.mute', 'call.send-digits', 'call.transfer']);
    expect(of(consulting())).toEqual([
      'call.hang-up',
      'call.resume',
      'call.swap',
      'call.mute',
      'call.transfer',
      'call.complete-transfer',
      'call.merge',
    ]);
    expect(of(consulting(), b)).toContain('call.complete-transfer');
    expect(of(inCall().take({ type: 'call.mute', call: a, muted: true }))).toContain('call.mute');
    expect(of(inCall().take({ type: 'call.hang-up', call: a }))).toEqual([]);
    expect(of(inCall().take(ended(a)))).toEqual(['call.submit-wrap-up']);
    expect(of(ready())).toEqual([]);
  });

  it('says why no call can be placed', () => {
    expect(dialRefusal(ready().state)).toBeNull();
    expect(dialRefusal(inCall().state, a)).toBeNull();
    expect(dialRefusal(new Stepping().state)).toContain('offline');
    expect(dialRefusal(consulting().take(most(2)).state)).toContain('Two calls are the most');
  });
});
