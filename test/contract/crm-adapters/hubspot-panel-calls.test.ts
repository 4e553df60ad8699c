// @vitest-environment jsdom

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type HubSpotPage, hostCall, hubspotPages } from './hubspot-page.ts';

/** What HubSpot is told of calls, and which of its call objects belongs to which. */
describe('calls in HubSpot', () => {
  const pages = hubspotPages();
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    pages.closeAll();
    vi.useRealTimers();
  });

  const logsOf = ({ host }: HubSpotPage): unknown[] => {
    const heard: unknown[] = [];
    host.onLogCreated?.((call, creation) => heard.push([call, creation]));
    return heard;
  };
  const told = (page: HubSpotPage) =>
    page
      .sent()
      .slice(1)
      .map(({ type, data }) => [type, data] as const);
  const asked = (id: string, more = {}) => hostCall(id, { pageCreatesLog: true, ...more });
  const late = { reason: 'HubSpot did not say within 10 s that it made the log.', certain: false };

  it('are told once each step, in order, with wire values, and leave the log to the relay', async () => {
    const page = await pages.started();
    const { host } = page;
    const call = hostCall('call-7');
    for (let time = 1; time <= 2; time += 1) {
      host.callStarted(call);
      if (time === 1) host.callCompleted(call);
      host.callAnswered(call);
      host.callTransferred?.(call);
      host.callEnded(call, 'answered');
      host.logSaved(call, '90001');
    }
    host.callCompleted(call);
    host.callCompleted(call);
    host.callStarted(call);
    host.callTransferred?.(call);
    expect(told(page)).toEqual([
      [
        'INCOMING_CALL',
        {
          externalCallId: 'call-7',
          fromNumber: '4155550101',
          toNumber: '+14155550190',
          callStartTime: 1_790_000_000_000,
          createEngagement: false,
        },
      ],
      ['CALL_ANSWERED', { externalCallId: 'call-7' }],
      ['CALL_TRANSFERRED', { externalCallId: 'call-7' }],
      ['CALL_ENDED', { externalCallId: 'call-7', callEndStatus: 'COMPLETED' }],
      ['CALL_COMPLETED', { externalCallId: 'call-7', hideWidget: false }],
    ]);
  });

  it.each([
    ['answered', 'COMPLETED'],
    ['missed', 'MISSED'],
    ['declined', 'REJECTED'],
    ['busy', 'BUSY'],
    ['no-answer', 'NO_ANSWER'],
    ['cancelled', 'CANCELED'],
    ['failed', 'FAILED'],
    ['answered-elsewhere', 'CANCELED'],
  ] as const)('that end with %s end with %s', async (outcome, status) => {
    const page = await pages.started();
    page.host.callStarted(hostCall('a'));
    page.host.callEnded(hostCall('a'), outcome);
    expect(page.sent().at(-1)?.data).toEqual({ externalCallId: 'a', callEndStatus: status });
  });

  it('that the agent placed say both numbers, the far one in E.164 where it is known', async () => {
    const page = await pages.started();
    page.host.callStarted(
      hostCall('a', { direction: 'outbound', farSide: { number: '0101', e164: '+14155550101' as never } }),
    );
    const { nearNumber: _, ...nobody } = hostCall('b', { direction: 'outbound' });
    page.host.callStarted(nobody);
    expect(told(page)).toEqual([
      [
        'OUTGOING_CALL_STARTED',
        {
          externalCallId: 'a',
          toNumber: '+14155550101',
          fromNumber: '+14155550190',
          callStartTime: 1_790_000_000_000,
          createEngagement: false,
        },
      ],
      [
        'OUTGOING_CALL_STARTED',
        {
          externalCallId: 'b',
          toNumber: '4155550101',
          callStartTime: 1_790_000_000_000,
          createEngagement: false,
        },
      ],
    ]);
  });

  describe('whose log HubSpot makes', () => {
    it('go on with its object, which both messages tell, once', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      const call = asked('a', { direction: 'outbound' });
      page.host.callStarted(call);
      expect(page.sent().at(-1)?.data).toMatchObject({ createEngagement: true });
      page.say('ENGAGEMENT_CREATED', { engagementId: 90_001 });
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: '90001', externalCallId: 'a' });
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 90_001, externalCallId: 'a' });
      vi.advanceTimersByTime(60_000);
      expect(logs).toEqual([['a', { logId: '90001' }]]);
      page.host.callAnswered(call);
      page.host.callEnded(call, 'answered');
      page.host.callCompleted(call);
      expect(told(page).slice(1)).toEqual([
        ['CALL_ANSWERED', { externalCallId: 'a' }],
        ['CALL_ENDED', { externalCallId: 'a', engagementId: 90_001, callEndStatus: 'COMPLETED' }],
        ['CALL_COMPLETED', { externalCallId: 'a', engagementId: 90_001, hideWidget: false }],
      ]);
    });

    it('are put into their help-desk channel when they came in, once they are complete and the object is known', async () => {
      const page = await pages.started();
      const one = asked('a');
      page.host.callStarted(one);
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 1, externalCallId: 'a' });
      page.host.callEnded(one, 'missed');
      page.host.callCompleted(one);
      const two = asked('b');
      page.host.callStarted(two);
      page.host.callEnded(two, 'missed');
      page.host.callCompleted(two);
      expect(page.sent().at(-1)?.type).toBe('CALL_COMPLETED');
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 2, externalCallId: 'b' });
      expect(told(page).filter(([type]) => type === 'FINALIZE_ENGAGEMENT')).toEqual([
        ['FINALIZE_ENGAGEMENT', { externalCallId: 'a', engagementId: 1 }],
        ['FINALIZE_ENGAGEMENT', { externalCallId: 'b', engagementId: 2 }],
      ]);
    });

    it('are told as refused with HubSpot’s words, and a success after that is still told', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a'));
      page.say('CREATE_ENGAGEMENT_FAILED', { externalCallId: 'a', error: { message: 'Not allowed.' } });
      page.say('CREATE_ENGAGEMENT_FAILED', { externalCallId: 'a' });
      vi.advanceTimersByTime(60_000);
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { externalCallId: 'a', engagementId: 5 });
      expect(logs).toEqual([
        ['a', { reason: 'HubSpot made no log: Not allowed.', certain: true }],
        ['a', { logId: '5' }],
      ]);
    });

    it('are told as unanswered after ten seconds, which is not certain, and a late answer or refusal is still told', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a'));
      page.host.callStarted(asked('b'));
      vi.advanceTimersByTime(9_999);
      expect(logs).toEqual([]);
      vi.advanceTimersByTime(1);
      expect(logs).toEqual([
        ['a', late],
        ['b', late],
      ]);
      page.say('CREATE_ENGAGEMENT_FAILED', { externalCallId: 'b' });
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { externalCallId: 'a', engagementId: 5 });
      expect(logs.slice(2)).toEqual([
        ['b', { reason: 'HubSpot made no log.', certain: true }],
        ['a', { logId: '5' }],
      ]);
    });

    it('are not told as refused for certain when a refusal without a name may be about another call', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a'));
      vi.advanceTimersByTime(61_000);
      page.host.callStarted(asked('b'));
      page.say('CREATE_ENGAGEMENT_FAILED', {});
      expect(logs).toEqual([
        ['a', late],
        ['b', { reason: 'HubSpot made no log.', certain: false }],
      ]);
    });

    it('are never guessed at when two wait, nor given the object of another', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a'));
      page.host.callStarted(asked('b'));
      page.say('ENGAGEMENT_CREATED', { engagementId: 1 });
      page.say('CREATE_ENGAGEMENT_FAILED', {});
      expect(logs).toEqual([]);
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 1, externalCallId: 'a' });
      page.say('ENGAGEMENT_CREATED', { engagementId: 1 });
      page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 9, externalCallId: 'somebody-else' });
      expect(logs).toEqual([['a', { logId: '1' }]]);
      page.say('ENGAGEMENT_CREATED', { engagementId: 2 });
      expect(logs).toEqual([
        ['a', { logId: '1' }],
        ['b', { logId: '2' }],
      ]);
    });

    it('do not wait for a nameless answer for ever', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a'));
      vi.advanceTimersByTime(60_000);
      page.say('ENGAGEMENT_CREATED', { engagementId: 1 });
      expect(logs).toEqual([['a', late]]);
      page.host.callStarted(asked('b'));
      page.say('ENGAGEMENT_CREATED', { engagementId: 2 });
      expect(logs).toEqual([
        ['a', late],
        ['b', { logId: '2' }],
      ]);
    });

    it('are not asked for again where there is one already', async () => {
      const page = await pages.started();
      const logs = logsOf(page);
      page.host.callStarted(asked('a', { logId: '90001' }));
      page.host.callEnded(asked('a'), 'busy');
      vi.advanceTimersByTime(60_000);
      expect(told(page)).toMatchObject([
        ['INCOMING_CALL', { createEngagement: false }],
        ['CALL_ENDED', { engagementId: 90_001 }],
      ]);
      expect(logs).toEqual([]);
    });

    it.each<unknown>([undefined, null, 'text', {}, { engagementId: -1 }, { engagementId: 'x' }, { engagementId: 1.5 }])(
      'are not moved by an answer like %j',
      async (data: unknown) => {
        const page = await pages.started();
        const logs = logsOf(page);
        page.host.callStarted(asked('a'));
        page.post({ type: 'CREATE_ENGAGEMENT_SUCCEEDED', messageId: 'm', data });
        expect(logs).toEqual([]);
      },
    );
  });

  it('that come in are not told in a widget, where HubSpot ignores them: the relay makes their log at once', async () => {
    const page = await pages.started({ iframeLocation: 'widget' });
    const logs = logsOf(page);
    for (const call of [asked('in'), asked('out', { direction: 'outbound' }), hostCall('relays')]) {
      page.host.callStarted(call);
      page.host.callAnswered(call);
      page.host.callEnded(call, 'answered');
      page.host.callCompleted(call);
    }
    expect(logs).toEqual([['in', { reason: 'HubSpot hears of no incoming calls in this frame.', certain: true }]]);
    expect(page.sent().map(({ type, data }) => [type, data?.externalCallId])).toEqual([
      ['INITIALIZED', undefined],
      ['OUTGOING_CALL_STARTED', 'out'],
      ['CALL_ANSWERED', 'out'],
      ['CALL_ENDED', 'out'],
      ['CALL_COMPLETED', 'out'],
    ]);
  });

  describe('that run while the frame is loaded anew', () => {
    it('go on without a second start, with the object SYNC names for the one that came in', async () => {
      const page = await pages.started({ engagementId: '90001' });
      const logs = logsOf(page);
      expect(page.sent()[0]?.data).toMatchObject({ engagementId: 90_001 });
      const out = hostCall('out', { direction: 'outbound' });
      const call = hostCall('in');
      page.host.callEnded(out, 'busy');
      page.host.callAnswered(call);
      await Promise.resolve();
      expect(logs).toEqual([['in', { logId: '90001' }]]);
      page.host.callEnded(call, 'answered');
      page.host.callCompleted(call);
      page.host.callAnswered(hostCall('another'));
      page.host.callEnded(hostCall('another'), 'missed');
      expect(told(page)).toEqual([
        ['CALL_ENDED', { externalCallId: 'out', callEndStatus: 'BUSY' }],
        ['CALL_ANSWERED', { externalCallId: 'in' }],
        ['CALL_ENDED', { externalCallId: 'in', engagementId: 90_001, callEndStatus: 'COMPLETED' }],
        ['CALL_COMPLETED', { externalCallId: 'in', engagementId: 90_001, hideWidget: false }],
        ['FINALIZE_ENGAGEMENT', { externalCallId: 'in', engagementId: 90_001 }],
        ['CALL_ANSWERED', { externalCallId: 'another' }],
        ['CALL_ENDED', { externalCallId: 'another', callEndStatus: 'MISSED' }],
      ]);
    });

    it('take nothing from SYNC when two of them may be meant, and nothing when they were over before', async () => {
      const page = await pages.started({ engagementId: 90_001 });
      const logs = logsOf(page);
      page.host.callCompleted(hostCall('over'));
      page.host.callEnded(hostCall('relays', { pageCreatesLog: false }), 'answered');
      for (const id of ['one', 'two']) {
        page.host.callEnded(asked(id), 'answered');
        page.host.callCompleted(asked(id));
      }
      await Promise.resolve();
      page.host.callEnded(asked('three'), 'answered');
      await Promise.resolve();
      expect(logs).toEqual([]);
      expect(told(page)).toEqual([
        ['CALL_COMPLETED', { externalCallId: 'over', hideWidget: false }],
        ['CALL_ENDED', { externalCallId: 'relays', callEndStatus: 'COMPLETED' }],
        ['CALL_ENDED', { externalCallId: 'one', callEndStatus: 'COMPLETED' }],
        ['CALL_COMPLETED', { externalCallId: 'one', hideWidget: false }],
        ['CALL_ENDED', { externalCallId: 'two', callEndStatus: 'COMPLETED' }],
        ['CALL_COMPLETED', { externalCallId: 'two', hideWidget: false }],
        ['CALL_ENDED', { externalCallId: 'three', callEndStatus: 'COMPLETED' }],
      ]);
    });

    it('believe the phone more than SYNC, and a call that begins later takes nothing from it', async () => {
      const page = await pages.started({ engagementId: 7 });
      const logs = logsOf(page);
      const known = hostCall('known', { logId: '90001' });
      page.host.callEnded(known, 'answered');
      page.host.callStarted(hostCall('later'));
      page.host.callAnswered(hostCall('later'));
      page.host.callEnded(hostCall('later'), 'answered');
      expect(told(page)).toMatchObject([
        ['CALL_ENDED', { externalCallId: 'known', engagementId: 90_001 }],
        ['INCOMING_CALL', {}],
        ['CALL_ANSWERED', {}],
        ['CALL_ENDED', { externalCallId: 'later' }],
      ]);
      expect(page.sent().at(-1)?.data).not.toHaveProperty('engagementId');
      expect(logs).toEqual([]);
    });

    it('are completed when only that is left to tell', async () => {
      const page = await pages.started();
      page.host.callCompleted(hostCall('a', { logId: '5' }));
      expect(told(page)[0]).toEqual(['CALL_COMPLETED', { externalCallId: 'a', engagementId: 5, hideWidget: false }]);
    });
  });

  it('pop with the object of the one that came in', async () => {
    const page = await pages.started();
    page.host.callStarted(asked('a'));
    page.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId: 5, externalCallId: 'a' });
    const target = { kind: 'record', record: { crm: 'hubspot', object: 'contact', id: '501' } } as const;
    const first = page.host.pop(target);
    await vi.advanceTimersByTimeAsync(500);
    await first;
    expect(page.sent().at(-1)?.data).toMatchObject({ engagementId: 5, objectCoordinates: { objectId: 501 } });
    page.host.callStarted(asked('b'));
    const second = page.host.pop(target);
    await vi.advanceTimersByTimeAsync(500);
    await second;
    expect(page.sent().at(-1)?.data).not.toHaveProperty('engagementId');
  });

  describe('whose caller HubSpot finds', () => {
    const elena = {
      callerIdType: 'CONTACT',
      objectCoordinates: { portalId: '1', objectId: '501', objectTypeId: '0-1' },
      firstName: 'Elena',
      lastName: 'Marchetti',
      email: 'e@x.example',
    };
    const northlight = {
      callerIdType: 'COMPANY',
      objectCoordinates: { portalId: 1, objectId: 601, objectTypeId: '0-2' },
      name: 'Northlight Cameras',
    };
    const ticket = { objectCoordinates: { objectId: 1, objectTypeId: '0-5' } };
    const matchesOf = ({ host }: HubSpotPage): unknown[] => {
      const heard: unknown[] = [];
      host.onMatchesFound((call, records) => heard.push([call, records.map(({ id, name }) => [id, name])]));
      return heard;
    };

    it('get all records, for the one call that came in', async () => {
      const page = await pages.started();
      const heard = matchesOf(page);
      page.host.callStarted(hostCall('out', { direction: 'outbound' }));
      page.host.callStarted(hostCall('in'));
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: [] });
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callId: 77, callerIdMatches: [elena, northlight, ticket] });
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: [northlight] });
      expect(heard).toEqual([
        [
          'in',
          [
            ['501', 'Elena Marchetti'],
            ['601', 'Northlight Cameras'],
          ],
        ],
      ]);
    });

    it('get none when two ring and HubSpot does not say which', async () => {
      const page = await pages.started();
      const heard = matchesOf(page);
      page.host.callStarted(hostCall('a'));
      page.host.callStarted(hostCall('b'));
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: [elena] });
      expect(heard).toEqual([]);
      page.say('CALLER_ID_MATCH_SUCCEEDED', { externalCallId: 'b', callerIdMatches: [northlight] });
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: [elena] });
      expect(heard).toEqual([
        ['b', [['601', 'Northlight Cameras']]],
        ['a', [['501', 'Elena Marchetti']]],
      ]);
    });
  });
});
