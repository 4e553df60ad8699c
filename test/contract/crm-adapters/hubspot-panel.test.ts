// @vitest-environment jsdom

import type { RecordRef } from '@patchcord/call-protocol';
import type { HostCall } from '@patchcord/crm-adapters/panel';
import { createHubSpotPanel } from '@patchcord/crm-adapters/panel';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type HostPage, panelHostContract } from './panel-host-contract.ts';

const origin = 'https://app-eu1.hubspot.com';
const portalId = 24_500_123;
const record: RecordRef = { crm: 'hubspot', object: 'contact', id: '501', name: 'Elena Marchetti' };

type Message = { type: string; messageId?: string; data?: Record<string, unknown> } & Record<string, unknown>;

/** A HubSpot page around the genuine SDK: the SDK uses the real (jsdom) window, whose parent is replaced by ours. */
function hubspotPage(
  options: { framed?: boolean; greeting?: boolean; origin?: string; hostTimeoutMs?: number; sync?: object } = {},
) {
  const from = options.origin ?? origin;
  const posted: { message: Message; targetOrigin: string }[] = [];
  const parent = {
    postMessage(message: Message, targetOrigin: string) {
      posted.push({ message: structuredClone(message), targetOrigin });
    },
  };
  const before = Object.getOwnPropertyDescriptor(window, 'parent');
  Object.defineProperty(window, 'parent', { configurable: true, value: options.framed === false ? window : parent });
  let serial = 0;
  const post = (data: unknown, by: { origin?: string; source?: unknown } = {}): void => {
    const event = new MessageEvent('message', { data, origin: by.origin ?? from });
    Object.defineProperty(event, 'source', { value: by.source ?? parent });
    window.dispatchEvent(event);
  };
  const say = (type: string, data?: object): void => {
    serial += 1;
    post({ type, messageId: `host_${serial}`, ...(data === undefined ? {} : { data }) });
  };
  const sync = (): void =>
    post({
      type: 'SYNC',
      messageId: 'host_sync',
      hostUrl: from,
      portalId,
      userId: 4201,
      ownerId: 7701,
      iframeLocation: 'window',
      usesCallingWindow: true,
      ...options.sync,
    });
  const host = createHubSpotPanel({
    window,
    hostOrigins: [origin],
    audience: 'https://relay.example',
    hostTimeoutMs: options.hostTimeoutMs ?? 2_000,
  });
  return {
    host,
    posted,
    post,
    say,
    sync,
    sent: () => posted.map(({ message }) => message).filter(({ type }) => type !== 'SYNC_ACK'),
    types: () => posted.map(({ message }) => message.type),
    close() {
      host.stop();
      if (before !== undefined) Object.defineProperty(window, 'parent', before);
    },
  };
}

const dialOf = (number: string, calleeId: string): object => ({
  phoneNumber: number,
  phone_number: number,
  ownerId: 7701,
  subjectId: 0,
  objectId: 9_999,
  objectType: 'CONTACT',
  portalId,
  countryCode: 'US',
  calleeInfo: { calleeId: Number(calleeId), calleeObjectTypeId: '0-1' },
  startTimestamp: 1_790_000_000_000,
  toPhoneNumberSrc: 'phone',
});

function asHostPage(page: ReturnType<typeof hubspotPage>, greeting = true): HostPage {
  let refusing = false;
  return {
    host: page.host,
    greet: () => {
      if (greeting) page.sync();
    },
    click: (number, { id }) => page.say('DIAL_NUMBER', dialOf(number, id)),
    misbehave() {
      for (const data of [null, undefined, 'SYNC', 7, [], {}, { type: 'DIAL_NUMBER' }, { type: 7, messageId: 'x' }])
        page.post(data);
      page.say('DIAL_NUMBER');
      page.say('DIAL_NUMBER', { phoneNumber: 14155550101 });
      page.say('DIAL_NUMBER', { phoneNumber: '1'.repeat(300) });
      page.say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: 'all' });
      page.say('CALLER_ID_MATCH_SUCCEEDED', {
        callerIdMatches: [{ objectCoordinates: { objectId: -1, objectTypeId: '0-9' } }],
      });
      const dial = { type: 'DIAL_NUMBER', messageId: 'evil', data: dialOf('+14155550101', '501') };
      page.post(dial, { source: window });
      page.post(dial, { origin: 'https://evil.example' });
      page.post({ ...dial, hostUrl: 'https://evil.example' });
      page.post({ type: 'END_CALL', messageId: 'evil' }, { origin: `${origin}.evil.example` });
    },
    opened: () => {
      const opened = page.sent().filter(({ type }) => type === 'NAVIGATE_TO_RECORD');
      return opened.map(({ data }) =>
        String((data as { objectCoordinates: { objectId: number } }).objectCoordinates.objectId),
      );
    },
    refuseNextRecord() {
      refusing = true;
      const target = page.posted;
      const push = target.push.bind(target);
      target.push = (...items) => {
        const result = push(...items);
        for (const { message } of items)
          if (refusing && message.type === 'NAVIGATE_TO_RECORD') {
            refusing = false;
            queueMicrotask(() => page.say('NAVIGATE_TO_RECORD_FAILED', message.data));
          }
        return result;
      };
    },
    close: page.close,
  };
}

panelHostContract('HubSpot', {
  framed: ({ greeting, hostTimeoutMs }) => asHostPage(hubspotPage({ hostTimeoutMs }), greeting),
  alone: () => asHostPage(hubspotPage({ framed: false })),
  foreign: () => asHostPage(hubspotPage({ origin: 'https://app.hubspot.com.evil.example', hostTimeoutMs: 20 })),
  whenAlone: 'host.absent',
  whenForeign: 'host.silent',
  record,
  provesIdentity: false,
});

describe('the HubSpot panel', () => {
  let page: ReturnType<typeof hubspotPage> | null = null;
  async function started(sync?: object): Promise<ReturnType<typeof hubspotPage>> {
    page = hubspotPage(sync === undefined ? {} : { sync });
    const starting = page.host.start();
    page.sync();
    await starting;
    return page;
  }
  afterEach(() => {
    page?.close();
    page = null;
    vi.restoreAllMocks();
  });
  const inbound = (id: string): HostCall => ({
    id,
    direction: 'inbound',
    farSide: { number: '4155550101' },
    nearNumber: '+14155550190',
    startedAt: 1_790_000_000_000,
  });

  it('answers SYNC and says INITIALIZED before anything else, then what it had to keep back', async () => {
    page = hubspotPage();
    const starting = page.host.start();
    page.host.showAvailability({ signedIn: true, available: true });
    page.host.callStarted(inbound('call-1'));
    expect(page.posted).toEqual([]);
    page.sync();
    await starting;
    expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED', 'LOGGED_IN', 'USER_AVAILABLE', 'INCOMING_CALL']);
    for (const { targetOrigin } of page.posted) expect(targetOrigin).toBe(origin);
  });

  it('is for the user of the portal that SYNC names, and for nobody while SYNC names none', async () => {
    page = hubspotPage();
    expect(page.host.audienceKey?.()).toBeNull();
    const starting = page.host.start();
    page.sync();
    await starting;
    expect(page.host.audienceKey?.()).toBe(`${portalId}:4201`);
    page.close();
    const other = await started({ portalId: 99, userId: '7' });
    expect(other.host.audienceKey?.()).toBe('99:7');
    other.close();
    const nameless = await started({ userId: undefined });
    expect(nameless.host.audienceKey?.()).toBeNull();
  });

  it('cannot be taken over by a sibling frame or by a SYNC that names another host', async () => {
    page = hubspotPage();
    const starting = page.host.start();
    page.post({ type: 'SYNC', messageId: 'a', hostUrl: 'https://evil.example' }, { origin: 'https://evil.example' });
    page.post({ type: 'SYNC', messageId: 'b', hostUrl: 'https://evil.example' });
    page.post({ type: 'SYNC', messageId: 'c' });
    page.post({ type: 'SYNC', messageId: 'd', hostUrl: origin }, { source: window });
    expect(page.posted).toEqual([]);
    page.sync();
    await starting;
    expect(page.posted[0]?.targetOrigin).toBe(origin);
  });

  it('gives health text when HubSpot stays silent, and still answers when it comes late', async () => {
    page = hubspotPage({ hostTimeoutMs: 20 });
    await expect(page.host.start()).rejects.toMatchObject({
      code: 'host.silent',
      message: expect.stringContaining('calling app'),
    });
    page.sync();
    expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED']);
    await page.host.start();
  });

  it('calls the callee, not the record that is looked at, and passes the country on', async () => {
    const { host, say } = await started();
    const heard: unknown[] = [];
    host.onDialRequested((request) => heard.push(request));
    say('DIAL_NUMBER', dialOf('(415) 555-0101', '501'));
    expect(heard).toEqual([
      { number: '(415) 555-0101', country: 'US', record: { crm: 'hubspot', object: 'contact', id: '501' } },
    ]);
  });

  it('names no record when HubSpot names none that is called', async () => {
    const { host, say } = await started();
    const heard: unknown[] = [];
    host.onDialRequested((request) => heard.push(request));
    say('DIAL_NUMBER', {
      phoneNumber: '1',
      objectId: 0,
      objectType: 'TICKET',
      calleeInfo: { calleeId: 0, calleeObjectTypeId: '0-5' },
    });
    say('DIAL_NUMBER', { phoneNumber: '2', objectId: 77, objectType: 'COMPANY' });
    expect(heard).toEqual([{ number: '1' }, { number: '2', record: { crm: 'hubspot', object: 'company', id: '77' } }]);
  });

  it('dials once for a click that arrives twice', async () => {
    const { host, say } = await started();
    const heard: unknown[] = [];
    host.onDialRequested((request) => heard.push(request));
    const clock = vi.spyOn(Date, 'now');
    clock.mockReturnValue(1_000_000);
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    clock.mockReturnValue(1_001_999);
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    expect(heard).toHaveLength(1);
    clock.mockReturnValue(1_002_000);
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    expect(heard).toHaveLength(2);
  });

  it('tells the life of a call once, in order, with wire values, and lets HubSpot create nothing', async () => {
    const { host, sent } = await started();
    const call = inbound('call-7');
    host.callAnswered(call);
    for (let time = 1; time <= 2; time += 1) {
      host.callStarted(call);
      host.callAnswered(call);
      if (time === 1) host.callCompleted(call);
      host.callEnded(call, 'answered');
      host.logSaved(call, '90001');
    }
    host.callCompleted(call);
    host.callCompleted(call);
    expect(sent().slice(1)).toMatchObject([
      {
        type: 'INCOMING_CALL',
        data: {
          externalCallId: 'call-7',
          fromNumber: '4155550101',
          toNumber: '+14155550190',
          callStartTime: 1_790_000_000_000,
          createEngagement: false,
        },
      },
      { type: 'CALL_ANSWERED', data: { externalCallId: 'call-7' } },
      { type: 'CALL_ENDED', data: { externalCallId: 'call-7', callEndStatus: 'COMPLETED' } },
      { type: 'CALL_COMPLETED', data: { externalCallId: 'call-7', hideWidget: false } },
    ]);
    expect(sent()).toHaveLength(5);
    expect(JSON.stringify(sent())).not.toContain('engagementId');
    host.callStarted(call);
    expect(sent()).toHaveLength(5);
  });

  it('says nothing about calls in a remote frame beside a calling window', async () => {
    const { host, types } = await started({ iframeLocation: 'remote' });
    host.showAvailability({ signedIn: true, available: true });
    host.callStarted(inbound('call-8'));
    expect(types()).toEqual(['SYNC_ACK', 'INITIALIZED']);
    await host.pop({ kind: 'record', record });
    expect(types()).toContain('NAVIGATE_TO_RECORD');
  });

  it('brings the records HubSpot found to the call that rings', async () => {
    const { host, say } = await started();
    const heard: unknown[] = [];
    host.onMatchesFound((call, records) => heard.push([call, records]));
    host.callStarted(inbound('call-9'));
    say('CALLER_ID_MATCH_SUCCEEDED', {
      callerIdMatches: [
        {
          callerIdType: 'CONTACT',
          objectCoordinates: { portalId: '1', objectId: '501', objectTypeId: '0-1' },
          firstName: 'Elena',
          lastName: 'Marchetti',
          email: 'e@x.example',
        },
        {
          callerIdType: 'COMPANY',
          objectCoordinates: { portalId: 1, objectId: 601, objectTypeId: '0-2' },
          name: 'Northlight Cameras',
        },
      ],
    });
    say('CALLER_ID_MATCH_SUCCEEDED', { callerIdMatches: [] });
    expect(heard).toEqual([
      [
        'call-9',
        [
          { crm: 'hubspot', object: 'contact', id: '501', name: 'Elena Marchetti' },
          { crm: 'hubspot', object: 'company', id: '601', name: 'Northlight Cameras' },
        ],
      ],
    ]);
  });

  it('passes on the wish to hang up', async () => {
    const { host, say } = await started();
    let wishes = 0;
    host.onHangUpRequested(() => {
      wishes += 1;
    });
    say('END_CALL');
    expect(wishes).toBe(1);
  });

  it('answers no unknown message, so that no ERROR goes round for ever', async () => {
    const { say, sent } = await started();
    for (const type of ['ERROR', 'UNLOADING', 'SYNC_ACK_FAILED', 'INITIALIZED', 'READY', 'FAILED', 'SOMETHING_NEW'])
      say(type, {});
    expect(sent().map(({ type }) => type)).toEqual(['INITIALIZED']);
  });

  it('lets the SDK print no number', async () => {
    const printed: unknown[] = [];
    for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const)
      vi.spyOn(console, method).mockImplementation((...parts: unknown[]) => {
        printed.push(parts);
      });
    const { host, say } = await started();
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    host.callStarted(inbound('call-10'));
    expect(printed).toEqual([]);
  });

  it('opens contacts and companies, and says so for the rest', async () => {
    const { host, sent } = await started();
    await expect(
      host.pop({ kind: 'record', record: { crm: 'hubspot', object: 'deal', id: '9' } }),
    ).rejects.toMatchObject({
      code: 'host.refused',
    });
    await host.pop({ kind: 'record', record: { crm: 'hubspot', object: 'company', id: '601' } });
    expect(sent().at(-1)).toMatchObject({
      type: 'NAVIGATE_TO_RECORD',
      data: { objectCoordinates: { portalId, objectId: 601, objectTypeId: '0-2' } },
    });
  });
});
