import {
  type AgentId,
  type CallLog,
  type CallReportData,
  newCallId,
  type PhoneEvent,
  type TenantId,
  type WireEvent,
} from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { belongsInCrm, type CallOwner, foldCall, relaySource } from '../../../server/src/call-log/fold.ts';

const owner: CallOwner = {
  callId: newCallId(),
  tenant: 'acme' as TenantId,
  agent: 'ada' as AgentId,
  extension: '1001',
};
const device = '/tenants/acme/agents/ada/devices/one';

function event(
  n: number | string,
  name: PhoneEvent['name'],
  data: unknown,
  options: { at?: number; source?: string } = {},
): WireEvent {
  const at = options.at ?? 1_000 * (typeof n === 'number' ? n : 99);
  return Object.freeze({
    name,
    at,
    call: owner.callId,
    data,
    id: `${owner.callId}:${n}`,
    source: options.source ?? device,
  }) as WireEvent;
}

const started = event(1, 'call.started', {
  direction: 'inbound',
  farSide: { number: '+14155550101', e164: '+14155550101' },
});
const answered = event(3, 'call.answered', {});
const ended = event(9, 'call.ended', { outcome: 'answered', reason: 'They hung up', by: 'far-side' });
const contact = (id: string) => ({ crm: 'salesforce', object: 'Contact', id });

function fold(...events: WireEvent[]): CallLog {
  const log = foldCall(owner, events);
  if (log === null) throw new Error('there is no log');
  return log;
}

describe('the fold', () => {
  it('says nothing while no call.started has arrived', () => {
    expect(foldCall(owner, [])).toBeNull();
    expect(foldCall(owner, [answered, ended])).toBeNull();
  });

  it('tells a call that lives', () => {
    expect(fold(started, answered)).toEqual({
      callId: owner.callId,
      tenant: 'acme',
      agent: 'ada',
      direction: 'inbound',
      farSide: { number: '+14155550101', e164: '+14155550101' },
      nearNumber: '1001',
      startedAt: 1_000,
      answeredAt: 3_000,
      endedAt: null,
      talkMs: 0,
      outcome: null,
      reason: '',
      record: null,
      note: '',
      disposition: null,
      transferredTo: null,
      consultFor: null,
      joinedWith: null,
      sipCallId: null,
      stage: 'live',
    });
  });

  it('counts the talk through an absence: that the call was taken up again changes no time, and a log needs a start all the same', () => {
    const tried = event(4, 'call.recovery-tried', { way: 'replaces', peer: 'Asterisk', worked: false });
    const recovered = event(5, 'call.recovered', { way: 'resume', peer: 'Asterisk', afterMs: 400 });
    expect(fold(started, answered, tried, recovered, ended)).toEqual(fold(started, answered, ended));
    expect(fold(started, answered, tried, recovered).stage).toBe('live');
    expect(foldCall(owner, [tried, recovered])).toBeNull();
  });

  it('ends a call that was not taken up when it was seen alive last, though later events stand before its end', () => {
    const note = event(8, 'wrap-up.saved', { note: 'n' }, { at: 60_000 });
    const seen = event(9, 'call.ended', { outcome: 'answered', reason: 'r', by: 'network' }, { at: 7_000 });
    expect(fold(started, answered, note, seen)).toMatchObject({ endedAt: 7_000, talkMs: 4_000, note: 'n' });
  });

  it('counts talk from answer to end', () => {
    expect(fold(started, answered, ended)).toMatchObject({
      endedAt: 9_000,
      talkMs: 6_000,
      outcome: 'answered',
      reason: 'They hung up',
      stage: 'ended',
    });
  });

  it('counts no talk for a call that nobody answered', () => {
    const missed = event(2, 'call.ended', { outcome: 'missed', reason: 'Nobody answered', by: 'far-side' });
    expect(fold(started, missed)).toMatchObject({ answeredAt: null, talkMs: 0, outcome: 'missed', stage: 'ended' });
  });

  it('never counts less than no talk when the clock was set back', () => {
    const early = event(9, 'call.ended', { outcome: 'answered', reason: '', by: 'agent' }, { at: 2_000 });
    expect(fold(started, answered, early).talkMs).toBe(0);
  });

  it('leaves a consult call that was joined with its first call out of the CRM', () => {
    const other = newCallId();
    const joined = fold(started, answered, event(5, 'call.joined', { with: other }), ended);
    expect(joined.joinedWith).toBe(other);
    expect(belongsInCrm(joined)).toBe(false);
    expect(belongsInCrm(fold(started, answered, ended))).toBe(true);
  });

  it('learns the SIP Call-ID of an outbound call from its ringing or its end', () => {
    expect(fold(started, event(2, 'call.ringing', { sipCallId: 'later@edge' }), ended).sipCallId).toBe('later@edge');
    const failed = event(2, 'call.ended', { outcome: 'failed', reason: '', by: 'network', sipCallId: 'end@edge' });
    expect(fold(started, failed).sipCallId).toBe('end@edge');
  });

  it('keeps the SIP Call-ID and the call it consults for', () => {
    const other = newCallId();
    const consult = event(1, 'call.started', {
      direction: 'outbound',
      farSide: { number: '1002' },
      sipCallId: 'abc@edge',
      consultFor: other,
    });
    expect(fold(consult)).toMatchObject({ consultFor: other, sipCallId: 'abc@edge', direction: 'outbound' });
  });

  it('is final once wrap-up was submitted and the call is over, not before', () => {
    const submitted = event(10, 'wrap-up.submitted', { note: 'sold', disposition: 'won' });
    expect(fold(started, answered, submitted)).toMatchObject({ stage: 'live', note: 'sold', disposition: 'won' });
    expect(fold(started, answered, ended, submitted).stage).toBe('final');
  });

  it('keeps the last note and the last disposition, each for itself', () => {
    const log = fold(
      started,
      ended,
      event(4, 'wrap-up.saved', { note: 'first', disposition: 'won' }),
      event(5, 'wrap-up.saved', { note: 'second' }),
      event(6, 'wrap-up.submitted', {}),
    );
    expect(log).toMatchObject({ note: 'second', disposition: 'won', stage: 'final' });
  });

  it('keeps what the call was about as it was said last, and nothing once that was taken back', () => {
    const about = (n: number, id: string | null) =>
      event(n, 'record.associated', { record: id === null ? null : { crm: 'salesforce', object: 'Case', id } });
    const first = about(4, '500A');
    const second = about(5, '500B');
    expect(fold(started, answered, second, first).about).toMatchObject({ id: '500B' });
    expect(fold(started, first, about(6, null), second)).not.toHaveProperty('about');
    const chosen = event(7, 'record.chosen', { record: contact('003'), by: 'agent' });
    expect(fold(started, first, chosen, ended)).toMatchObject({ about: { id: '500A' }, record: { id: '003' } });
  });

  it('lets an agent clear a note', () => {
    expect(
      fold(started, event(4, 'wrap-up.saved', { note: 'oops' }), event(5, 'wrap-up.saved', { note: '' })).note,
    ).toBe('');
  });

  it("prefers the agent's own last choice of record to what was chosen for them", () => {
    const log = fold(
      started,
      event(2, 'record.chosen', { record: contact('003A'), by: 'only-match' }),
      event(4, 'record.chosen', { record: contact('003B'), by: 'agent' }),
      event(5, 'record.chosen', { record: contact('003C'), by: 'agent' }),
      event(6, 'record.chosen', { record: contact('003D'), by: 'only-match' }),
    );
    expect(log.record).toEqual(contact('003C'));
    expect(fold(started, event(2, 'record.chosen', { record: contact('003A'), by: 'only-match' })).record).toEqual(
      contact('003A'),
    );
  });

  it('prefers what the panel chose, whenever it arrives, to what the relay found', () => {
    const found = event(
      'only-match',
      'record.chosen',
      { record: contact('003A'), by: 'only-match' },
      { at: 90_000, source: relaySource(owner.tenant) },
    );
    const dialledFrom = event(2, 'record.chosen', { record: contact('003B'), by: 'dialled-from' });
    expect(fold(started, found).record).toEqual(contact('003A'));
    expect(fold(started, found, dialledFrom).record).toEqual(contact('003B'));
  });

  it('is with whom the call began; who withheld the number is known as soon as the network says', () => {
    const bob = { number: '1002', name: 'Bob' };
    const withheld = event(0, 'call.started', { direction: 'inbound', farSide: { number: '' } });
    const named = event(2, 'call.identified', { farSide: bob });
    expect(fold(withheld, named).farSide).toEqual(bob);
    expect(fold(started, named).farSide).toEqual(fold(started).farSide);
  });

  it('tells a transfer, and takes it back when it failed after all', () => {
    const transferred = event(5, 'call.transferred', { to: '1002', kind: 'blind' });
    expect(fold(started, answered, transferred).transferredTo).toBe('1002');
    expect(
      fold(started, transferred, event(6, 'call.transfer-failed', { to: '1002', reason: 'Busy' })).transferredTo,
    ).toBeNull();
    expect(
      fold(started, transferred, event(6, 'call.transfer-failed', { to: '1003', reason: 'Busy' })).transferredTo,
    ).toBe('1002');
    expect(
      fold(started, event(4, 'call.transfer-failed', { to: '1002', reason: 'Busy' }), transferred).transferredTo,
    ).toBe('1002');
  });

  it("lets the phone's own end overrule the end by rule, whichever comes first", () => {
    const byRule = event(
      'by-rule',
      'call.ended',
      { outcome: 'answered', reason: 'silent', by: 'network' },
      { at: 5_000, source: relaySource(owner.tenant) },
    );
    expect(fold(started, answered, byRule)).toMatchObject({ endedAt: 5_000, reason: 'silent' });
    expect(fold(started, answered, byRule, ended)).toMatchObject({ endedAt: 9_000, reason: 'They hung up' });
  });

  it('keeps the first end when a phone sent two', () => {
    const again = event(11, 'call.ended', { outcome: 'failed', reason: 'again', by: 'network' });
    expect(fold(started, answered, again, ended).outcome).toBe('answered');
  });

  it('orders by number within a journal, and journals by time', () => {
    const late = event(2, 'wrap-up.saved', { note: 'number 2, later clock' }, { at: 90_000 });
    const early = event(3, 'wrap-up.saved', { note: 'number 3, earlier clock' }, { at: 10 });
    expect(fold(started, early, late).note).toBe('number 3, earlier clock');

    const here = event(4, 'wrap-up.saved', { note: 'a' }, { at: 50, source: '/a' });
    const there = event(4, 'wrap-up.saved', { note: 'b' }, { at: 50, source: '/b' });
    const after = event(4, 'wrap-up.saved', { note: 'c' }, { at: 51, source: '/a2' });
    expect(fold(started, here, there).note).toBe('b');
    expect(fold(started, there, here).note).toBe('b');
    expect(fold(started, after, here, there).note).toBe('c');

    // a panel whose storage is lost on reload begins a new journal, numbered from 1 again
    const before = [
      event('aa-1', 'wrap-up.saved', { note: 'old' }, { at: 10 }),
      event('aa-7', 'wrap-up.saved', { note: 'older' }, { at: 20 }),
    ];
    const reloaded = event('bb-1', 'wrap-up.saved', { note: 'new' }, { at: 30 });
    expect(fold(started, reloaded, ...before).note).toBe('new');

    const one = event('x', 'wrap-up.saved', { note: 'x' }, { at: 50 });
    const two = event('y', 'wrap-up.saved', { note: 'y' }, { at: 50 });
    expect(fold(started, two, one).note).toBe('y');
    expect(fold(started, one, two).note).toBe('y');
  });
});

it('sends every ended call of the agent to the CRM, but not one that somebody else answered', () => {
  expect(belongsInCrm(fold(started, answered))).toBe(false);
  expect(belongsInCrm(fold(started, answered, ended))).toBe(true);
  expect(belongsInCrm(fold(started, event(2, 'call.ended', { outcome: 'missed', reason: '', by: 'far-side' })))).toBe(
    true,
  );
  const elsewhere = event(2, 'call.ended', { outcome: 'answered-elsewhere', reason: '', by: 'network' });
  expect(belongsInCrm(fold(started, elsewhere))).toBe(false);
});

const anyEvent = fc
  .record({
    n: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom('by-rule', 'aa-1', 'aa-2', 'bb-1', 'bb-2')),
    at: fc.integer({ min: 0, max: 20 }),
    source: fc.constantFrom(device, '/tenants/acme/agents/ada/devices/two', relaySource(owner.tenant)),
    what: fc.constantFrom<readonly [PhoneEvent['name'], unknown]>(
      ['call.started', { direction: 'inbound', farSide: { number: '1' } }],
      ['call.started', { direction: 'outbound', farSide: { number: '2' } }],
      ['call.answered', {}],
      ['call.held', {}],
      ['call.transferred', { to: '1002', kind: 'blind' }],
      ['call.transfer-failed', { to: '1002', reason: 'Busy' }],
      ['call.ended', { outcome: 'answered', reason: 'a', by: 'agent' }],
      ['call.ended', { outcome: 'failed', reason: 'b', by: 'network' }],
      ['record.chosen', { record: contact('003A'), by: 'agent' }],
      ['record.chosen', { record: contact('003B'), by: 'only-match' }],
      ['wrap-up.saved', { note: 'a' }],
      ['wrap-up.saved', { disposition: 'x' }],
      ['wrap-up.submitted', { note: 'b', disposition: 'y' }],
    ),
  })
  .map(({ n, at, source, what: [name, data] }) => event(n, name, data, { at, source }));

it('gives the same log for every order and repetition of the same events', () => {
  fc.assert(
    fc.property(
      // the store holds one event per source and id
      fc.uniqueArray(anyEvent, { selector: (one) => `${one.source} ${one.id}`, maxLength: 14 }).chain((events) =>
        fc.record({
          events: fc.constant(events),
          shuffled: fc.tuple(fc.shuffledSubarray(events, { minLength: events.length }), fc.subarray(events)),
        }),
      ),
      ({ events, shuffled: [order, repeats] }) => {
        expect(foldCall(owner, [...repeats, ...order, ...repeats])).toEqual(foldCall(owner, events));
      },
    ),
    { numRuns: 2_000 },
  );
});

it('never loses an end to whatever else arrives', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 10 }), (more) => {
      const log = fold(started, ended, ...more.map((one) => ({ ...one, source: `${one.source}/later` })));
      expect(log.endedAt).not.toBeNull();
      expect(log.talkMs).toBeGreaterThanOrEqual(0);
      expect(log.stage).not.toBe('live');
    }),
  );
});

describe('what a phone system reported', () => {
  const report = (change: Partial<CallReportData> = {}, shift = 0, n: string = change.state ?? 'ended'): WireEvent => {
    const at = (seconds: number) => 1_000_000 + shift + seconds * 1_000;
    const data: CallReportData = {
      pbx: 'asterisk',
      reportId: n,
      state: 'ended',
      sipCallId: 'abc@pbx',
      conversation: 'c1',
      extension: '1001',
      device: null,
      direction: 'inbound',
      farSide: { number: '+14155550101', name: 'Grace' },
      startedAt: at(0),
      answeredAt: at(4),
      endedAt: at(34),
      cause: 16,
      outcome: null,
      ...change,
    };
    return event(`${n}-1`, 'call.reported', data, { at: at(34), source: `/tenants/acme/pbx/${data.pbx}` });
  };

  it('is a call where no phone spoke', () => {
    expect(fold(report())).toMatchObject({
      direction: 'inbound',
      farSide: { number: '+14155550101', name: 'Grace' },
      startedAt: 1_000_000,
      answeredAt: 1_004_000,
      endedAt: 1_034_000,
      talkMs: 30_000,
      outcome: 'answered',
      sipCallId: 'abc@pbx',
      conversation: 'c1',
      stage: 'ended',
      reason: 'The phone system reported this call; no phone did.',
    });
    const noted = event(
      'recording',
      'recording.available',
      { channels: 2, durationMs: 30_000 },
      { source: relaySource(owner.tenant) },
    );
    expect(fold(report(), noted).reason).toBe('The phone system reported this call; no phone did.');
  });

  it('fills answer and end on the phone’s clock, and gives way to the phone’s own word', () => {
    expect(fold(started, report())).toMatchObject({
      startedAt: 1_000,
      answeredAt: 5_000,
      endedAt: 35_000,
      talkMs: 30_000,
    });
    expect(fold(started, answered, ended, report())).toMatchObject({
      answeredAt: 3_000,
      endedAt: 9_000,
      reason: 'They hung up',
    });
    expect(fold(answered, report())).toMatchObject({ startedAt: -1_000, answeredAt: 3_000, endedAt: 33_000 });
  });

  it('ends a call against an end by rule, and says so when only the rule did', () => {
    const byRule = event(
      'by-rule',
      'call.ended',
      { outcome: 'answered', reason: 'rule', by: 'network' },
      { source: relaySource(owner.tenant) },
    );
    expect(fold(started, answered, byRule)).toMatchObject({ endedByRule: true, reason: 'rule' });
    const told = fold(started, answered, byRule, report());
    expect(told).toMatchObject({ talkMs: 30_000 });
    expect(told.endedByRule).toBeUndefined();
  });

  it('does not make an answer of what another device of the agent answered', () => {
    const elsewhere = event(2, 'call.ended', { outcome: 'answered-elsewhere', reason: '', by: 'network' });
    expect(fold(started, elsewhere, report())).toMatchObject({
      outcome: 'answered-elsewhere',
      answeredAt: null,
      talkMs: 0,
    });
  });

  it.each([
    ['inbound', 16, 'missed'],
    ['inbound', 26, 'answered-elsewhere'],
    ['inbound', 21, 'declined'],
    ['outbound', 17, 'busy'],
    ['outbound', 19, 'no-answer'],
    ['outbound', 21, 'declined'],
    ['outbound', 16, 'cancelled'],
    ['outbound', 1, 'failed'],
  ] as const)('%s, not answered, with cause %s is %s', (direction, cause, outcome) => {
    expect(fold(report({ direction, cause, answeredAt: null })).outcome).toBe(outcome);
  });

  it('lives until its end is reported', () => {
    expect(fold(report({ state: 'answered', endedAt: null }))).toMatchObject({
      stage: 'live',
      answeredAt: 1_004_000,
      outcome: null,
    });
  });

  it('says the same in any order, of two machines whose clocks differ', () => {
    const all = [
      report({ state: 'started', answeredAt: null, endedAt: null }, 0),
      report({ state: 'answered', endedAt: null }, 0),
      report({}, 0),
      report({ pbx: 'kamailio', farSide: { number: '' } }, 90_000, 'edge'),
      started,
    ];
    const wanted = fold(...all);
    expect(wanted).toMatchObject({ talkMs: 30_000, startedAt: 1_000 });
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 5 }), (order) => {
        expect(fold(...order, ...order)).toEqual(wanted);
      }),
    );
  });
});
