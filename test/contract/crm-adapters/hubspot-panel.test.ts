// @vitest-environment jsdom

import type { RecordRef } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { dialOf, type HubSpotPage, hostCall, hubspotPage, hubspotPages, origin, portalId } from './hubspot-page.ts';
import { type HostPage, panelHostContract } from './panel-host-contract.ts';

const record: RecordRef = { crm: 'hubspot', object: 'contact', id: '501', name: 'Elena Marchetti' };

function asHostPage(page: HubSpotPage, greeting = true): HostPage {
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
  const pages = hubspotPages();
  afterEach(() => {
    pages.closeAll();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const typesOf = (page: HubSpotPage): readonly string[] => page.sent().map(({ type }) => type);

  it('answers SYNC and says INITIALIZED before anything else, as things are, then what it had to keep back', async () => {
    const page = pages.open();
    const starting = page.host.start();
    page.host.showAvailability({ signedIn: true, available: true });
    page.host.callStarted(hostCall('call-1'));
    expect(page.posted).toEqual([]);
    page.sync();
    await starting;
    expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED', 'INCOMING_CALL']);
    expect(page.sent()[0]?.data).toEqual({
      isLoggedIn: true,
      isAvailable: true,
      sizeInfo: { width: 400, height: 650 },
    });
    for (const { targetOrigin } of page.posted) expect(targetOrigin).toBe(origin);
  });

  it('says once that somebody signed in or out and takes calls or not', async () => {
    const page = await pages.started();
    for (const state of [
      { signedIn: true, available: false },
      { signedIn: true, available: true },
      { signedIn: true, available: true },
      { signedIn: false, available: true },
    ])
      page.host.showAvailability(state);
    expect(typesOf(page)).toEqual(['INITIALIZED', 'LOGGED_IN', 'USER_AVAILABLE', 'LOGGED_OUT', 'USER_UNAVAILABLE']);
    expect(page.sent()[0]?.data).toMatchObject({ isLoggedIn: false, isAvailable: false });
  });

  it('is for the user of the portal that SYNC names, and for nobody while SYNC names none', async () => {
    const page = pages.open();
    expect(page.host.audienceKey?.()).toBeNull();
    const starting = page.host.start();
    page.sync();
    await starting;
    expect(page.host.audienceKey?.()).toBe(`${portalId}:4201`);
    const other = await pages.started({ portalId: 99, userId: '7' });
    expect(other.host.audienceKey?.()).toBe('99:7');
    const nameless = await pages.started({ userId: undefined });
    expect(nameless.host.audienceKey?.()).toBeNull();
  });

  describe('who may speak to it', () => {
    it('is not a sibling frame, nor a SYNC that names another host', async () => {
      const page = pages.open();
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

    it('is nobody who moves the phone to another page later', async () => {
      const page = await pages.started();
      page.post({ type: 'SET_WIDGET_URL', messageId: 'x', iFrameUrl: 'https://evil.example' });
      page.sync({ portalId: 99 });
      page.post({ type: 'READY', messageId: 'y', data: { portalId: 99, hostUrl: 'https://evil.example' } });
      page.host.callStarted(hostCall('call-1'));
      expect(page.posted.at(-1)?.targetOrigin).toBe(origin);
      expect(page.host.audienceKey?.()).toBe(`${portalId}:4201`);
      expect(page.types().filter((type) => type === 'SYNC_ACK')).toHaveLength(1);
    });

    it('leaves other listeners of the page in peace: a sign-in window is heard', async () => {
      await pages.started();
      const heard: unknown[] = [];
      const listener = ({ data }: MessageEvent<unknown>): void => {
        heard.push(data);
      };
      window.addEventListener('message', listener);
      window.dispatchEvent(new MessageEvent('message', { data: 'signed in', origin: 'https://relay.example' }));
      window.removeEventListener('message', listener);
      expect(heard).toEqual(['signed in']);
    });

    it('may send ids that look like the SDK’s own, and is heard all the same', async () => {
      vi.spyOn(Date, 'now').mockReturnValue(1_790_000_000_123);
      const page = await pages.started();
      let wishes = 0;
      page.host.onHangUpRequested(() => {
        wishes += 1;
      });
      page.post({ type: 'END_CALL', messageId: '1790000000123_1790000000123' });
      page.post({ type: 'END_CALL', messageId: 1_790_000_000_123 });
      page.post({ type: 'END_CALL' });
      expect(wishes).toBe(2);
    });
  });

  it('gives health text when HubSpot stays silent, and still answers when it comes late', async () => {
    const page = pages.open({ hostTimeoutMs: 20 });
    await expect(page.host.start()).rejects.toMatchObject({
      code: 'host.silent',
      message: expect.stringContaining('calling app'),
    });
    page.sync();
    expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED']);
    await page.host.start();
  });

  it('answers no unknown message, so that no ERROR goes round for ever', async () => {
    const page = await pages.started();
    for (const type of ['ERROR', 'UNLOADING', 'SYNC_ACK_FAILED', 'INITIALIZED', 'FAILED', 'SOMETHING_NEW', 'toString'])
      page.say(type, {});
    for (const type of ['SET_CALL_STATE', 'INITIATE_CALL_ID_SUCCEEDED', 'UPDATE_ENGAGEMENT_SUCCEEDED'])
      for (const data of [undefined, {}, { callId: 7, state: null }]) page.say(type, data);
    expect(typesOf(page)).toEqual(['INITIALIZED']);
  });

  it('lets the SDK print no number', async () => {
    const printed: unknown[] = [];
    for (const method of ['debug', 'log', 'info', 'warn', 'error'] as const)
      vi.spyOn(console, method).mockImplementation((...parts: unknown[]) => {
        printed.push(parts);
      });
    const { host, say } = await pages.started();
    say('DIAL_NUMBER', dialOf('+14155550101', '501'));
    say('NO_SUCH_TYPE', dialOf('+14155550101', '501'));
    host.callStarted(hostCall('call-10'));
    expect(printed).toEqual([]);
  });

  describe('a click on a number', () => {
    const heardFrom = ({ host }: HubSpotPage): unknown[] => {
      const heard: unknown[] = [];
      host.onDialRequested((request) => heard.push(request));
      return heard;
    };

    it('calls the callee, passes the country on, and says apart what is only looked at', async () => {
      const page = await pages.started();
      const heard = heardFrom(page);
      page.say('DIAL_NUMBER', dialOf('(415) 555-0101', '501'));
      expect(heard).toEqual([
        {
          number: '(415) 555-0101',
          country: 'US',
          record: { crm: 'hubspot', object: 'contact', id: '501' },
          viewed: { crm: 'hubspot', object: 'contact', id: '9999' },
        },
      ]);
    });

    it.each([
      ['no callee and no record', { objectId: 0, objectType: 'TICKET', calleeInfo: { calleeId: 0 } }, {}],
      ['a callee that cannot be called', { calleeInfo: { calleeId: 4, calleeObjectTypeId: '0-5' } }, {}],
      ['a ticket without its type', { objectId: 77 }, {}],
      ['nobody but whom the agent looks at', { objectId: 77, objectType: 'COMPANY' }, { viewed: ['company', '77'] }],
      [
        'the callee on a ticket',
        { objectId: '88', objectType: 'TICKET', calleeInfo: { calleeId: '501', calleeObjectTypeId: '0-1' } },
        { record: ['contact', '501'], viewed: ['ticket', '88'] },
      ],
      [
        'a company, with an id that would be no number',
        { objectId: '88x', objectType: 'DEAL', calleeInfo: { calleeId: 601, calleeObjectTypeId: '0-2' } },
        { record: ['company', '601'] },
      ],
      [
        'names that are no objects',
        { objectId: 5, objectType: 'toString', countryCode: 'Germany', calleeInfo: null },
        {},
      ],
    ])('names %s', async (_, data, wanted: { record?: string[]; viewed?: string[] }) => {
      const page = await pages.started();
      const heard = heardFrom(page);
      page.say('DIAL_NUMBER', { phoneNumber: ' +1 415 555 0101 ext. 12 ', toPhoneNumberSrc: 'mobilephone', ...data });
      const refs = Object.entries(wanted).map(([key, [object, id]]) => [key, { crm: 'hubspot', object, id }]);
      expect(heard).toEqual([{ number: '+1 415 555 0101 ext. 12', ...Object.fromEntries(refs) }]);
    });

    it('reads the older name of the number', async () => {
      const page = await pages.started();
      const heard = heardFrom(page);
      page.say('DIAL_NUMBER', { phone_number: '+14155550101', countryCode: 'ua' });
      expect(heard).toEqual([{ number: '+14155550101', country: 'UA' }]);
    });

    it('dials once when it arrives twice', async () => {
      const page = await pages.started();
      const heard = heardFrom(page);
      const clock = vi.spyOn(Date, 'now');
      for (const [at, count] of [
        [1_000_000, 1],
        [1_000_000, 1],
        [1_001_999, 1],
        [1_002_000, 2],
      ] as const) {
        clock.mockReturnValue(at);
        page.say('DIAL_NUMBER', dialOf('+14155550101', '501'));
        expect(heard).toHaveLength(count);
      }
      page.say('DIAL_NUMBER', dialOf('+14155550102', '501'));
      expect(heard).toHaveLength(3);
    });
  });

  describe('the record in front of the agent', () => {
    const shownBy = ({ host }: HubSpotPage): unknown[] => {
      const heard: unknown[] = [];
      host.onRecordShown((one) => heard.push(one?.id ?? null));
      return heard;
    };

    it('is what a click or an opened record tells, and is forgotten after a minute', async () => {
      const page = await pages.started();
      vi.useFakeTimers();
      const heard = shownBy(page);
      page.say('DIAL_NUMBER', { phoneNumber: '1', objectId: 88, objectType: 'TICKET' });
      vi.advanceTimersByTime(59_000);
      expect(heard).toEqual(['88']);
      const opening = page.host.pop({ kind: 'record', record });
      await vi.advanceTimersByTimeAsync(500);
      await opening;
      expect(heard).toEqual(['88', '501']);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(heard).toEqual(['88', '501', null]);
    });

    it('is not known any more when somebody calls, or when a click tells none', async () => {
      const page = await pages.started();
      const heard = shownBy(page);
      page.say('DIAL_NUMBER', { phoneNumber: '1', objectId: 88, objectType: 'TICKET' });
      page.host.callStarted(hostCall('call-1'));
      page.say('DIAL_NUMBER', { phoneNumber: '2', objectId: 89, objectType: 'DEAL' });
      page.say('DIAL_NUMBER', { phoneNumber: '3', objectId: 0 });
      expect(heard).toEqual(['88', null, '89', null]);
    });
  });

  describe('opening a record', () => {
    it('works for contacts and companies, and says so for the rest', async () => {
      const { host, sent } = await pages.started();
      await expect(
        host.pop({ kind: 'record', record: { crm: 'hubspot', object: 'deal', id: '9' } }),
      ).rejects.toMatchObject({ code: 'host.refused' });
      await host.pop({ kind: 'record', record: { crm: 'hubspot', object: 'company', id: '601' } });
      expect(sent().at(-1)).toMatchObject({
        type: 'NAVIGATE_TO_RECORD',
        data: { objectCoordinates: { portalId, objectId: 601, objectTypeId: '0-2' } },
      });
    });

    it('goes one at a time, asks whether it is still wanted, and is not undone by a refusal of another', async () => {
      const page = await pages.started();
      vi.useFakeTimers();
      const opened = (): unknown[] =>
        page
          .sent()
          .filter(({ type }) => type === 'NAVIGATE_TO_RECORD')
          .map(({ data }) => (data as { objectCoordinates: { objectId: number } }).objectCoordinates.objectId);
      const of = (id: string) => ({ kind: 'record', record: { ...record, id } }) as const;
      const first = page.host.pop(of('1'));
      const second = page.host.pop(of('2'), { wanted: () => false });
      const third = page.host.pop(of('3'));
      await vi.advanceTimersByTimeAsync(499);
      expect(opened()).toEqual([1]);
      page.say('NAVIGATE_TO_RECORD_FAILED', { objectCoordinates: { objectId: 3 } });
      await vi.advanceTimersByTimeAsync(1);
      await first;
      await second;
      expect(opened()).toEqual([1, 3]);
      page.say('NAVIGATE_TO_RECORD_FAILED', { objectCoordinates: { objectId: '3' } });
      await expect(third).rejects.toMatchObject({ code: 'host.refused' });
    });
  });

  describe('opening a record while a call lives on the page', () => {
    const clicked = (isActive: boolean | undefined): void => {
      Object.defineProperty(window.navigator, 'userActivation', {
        configurable: true,
        value: isActive === undefined ? undefined : { isActive },
      });
    };
    afterEach(() => clicked(undefined));
    const keepPage = true;
    const target = { kind: 'record', record } as const;

    it.each(['remote', 'widget'] as const)('leaves the page (%s) alone: a new tab, and only by a click', async (at) => {
      const page = await pages.started({ iframeLocation: at, usesCallingWindow: false });
      const shown = vi.fn();
      page.host.onRecordShown(shown);
      for (const isActive of [undefined, false]) {
        clicked(isActive);
        await expect(page.host.pop(target, { keepPage })).rejects.toMatchObject({
          code: 'host.refused',
          message: expect.stringContaining('end the call'),
        });
      }
      expect(typesOf(page)).toEqual(['INITIALIZED']);
      clicked(true);
      await page.host.pop(target, { keepPage });
      clicked(undefined);
      await page.host.pop(target, { keepPage, byAgent: true });
      const data = { openIn: 'NEW_TAB', objectCoordinates: { portalId, objectId: 501, objectTypeId: '0-1' } };
      expect(page.sent().slice(1)).toMatchObject([
        { type: 'NAVIGATE_TO_RECORD', data },
        { type: 'NAVIGATE_TO_RECORD', data },
      ]);
      // It is in front of the agent in another tab, not here.
      expect(shown).not.toHaveBeenCalledWith(expect.objectContaining({ id: record.id }));
    });

    it('opens it in the page that is there from the calling window, which is none of HubSpot’s pages', async () => {
      const page = await pages.started();
      await page.host.pop(target, { keepPage });
      expect(page.sent().at(-1)?.data).not.toHaveProperty('openIn');
    });
  });

  describe('in its frame', () => {
    it.each([
      ['window', true, 'elected'],
      ['remote', true, 'never'],
      ['remote', false, 'elected'],
      ['widget', true, 'elected'],
    ] as const)('in %s (calling window: %s) the line is %s', async (iframeLocation, usesCallingWindow, wanted) => {
      const { host } = await pages.started({ iframeLocation, usesCallingWindow });
      expect(host.holdsLine?.()).toBe(wanted);
    });

    it('says nothing in a remote frame beside a calling window but INITIALIZED and records to open', async () => {
      const page = pages.open({ sync: { iframeLocation: 'remote' } });
      const starting = page.host.start();
      const everything = (): void => {
        const call = hostCall('call-8', { pageCreatesLog: true });
        page.host.showAvailability({ signedIn: true, available: true });
        page.host.showAvailability({ signedIn: false, available: false });
        page.host.showState('wrap-up', '');
        page.host.callStarted(call);
        page.host.callAnswered(call);
        page.host.callTransferred?.(call);
        page.host.callEnded(call, 'answered');
        page.host.callCompleted(call);
      };
      everything();
      page.sync();
      await starting;
      everything();
      expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED']);
      await page.host.pop({ kind: 'record', record });
      expect(page.types()).toEqual(['SYNC_ACK', 'INITIALIZED', 'NAVIGATE_TO_RECORD']);
    });

    it('makes room for the wrap-up where it lies on the page, and nowhere else', async () => {
      const page = await pages.started({ iframeLocation: 'widget' });
      for (const state of ['ready', 'ringing', 'in-call', 'wrap-up', 'wrap-up', 'ready'] as const)
        page.host.showState(state, '');
      expect(
        page
          .sent()
          .slice(1)
          .map(({ type, data }) => [type, data]),
      ).toEqual([
        ['RESIZE_WIDGET', { width: 400, height: 760 }],
        ['RESIZE_WIDGET', { width: 400, height: 650 }],
      ]);
      const detached = await pages.started();
      detached.host.showState('wrap-up', '');
      expect(typesOf(detached)).toEqual(['INITIALIZED']);
    });

    it('opens the calling window of this account and does not load it anew when it is there', async () => {
      const { host } = await pages.started({ iframeLocation: 'remote' });
      const location = { href: 'about:blank' };
      const opened = { location, focus: vi.fn(), closed: false };
      const open = vi.spyOn(window, 'open').mockReturnValue(opened as unknown as Window);
      expect(host.openPhoneWindow?.()).toBe(true);
      expect(location.href).toBe(`${origin}/calling-integration-popup-ui/${portalId}`);
      location.href = 'https://already.example/';
      expect(host.openPhoneWindow?.()).toBe(true);
      expect(location.href).toBe('https://already.example/');
      Object.defineProperty(opened, 'location', {
        get: () => {
          throw new DOMException('', 'SecurityError');
        },
      });
      expect(host.openPhoneWindow?.()).toBe(true);
      expect(new Set(open.mock.calls.map(([url, name]) => `${url}|${name}`))).toEqual(
        new Set(['|patchcord-calling-window']),
      );
      expect(opened.focus).toHaveBeenCalledTimes(3);
      open.mockReturnValue(null);
      expect(host.openPhoneWindow?.()).toBe(false);
    });

    it('opens no window before HubSpot said which account', async () => {
      const open = vi.spyOn(window, 'open').mockReturnValue(null);
      expect(pages.open().host.openPhoneWindow?.()).toBe(false);
      const nameless = await pages.started({ portalId: undefined });
      expect(nameless.host.openPhoneWindow?.()).toBe(false);
      expect(open).not.toHaveBeenCalled();
    });

    it('hears that the agent looks at the phone', async () => {
      const { host, say } = await pages.started();
      let looks = 0;
      host.onLookedAt?.(() => {
        looks += 1;
      });
      say('VISIBILITY_CHANGED', { isMinimized: true, isHidden: false });
      say('VISIBILITY_CHANGED', { isMinimized: false, isHidden: true });
      expect(looks).toBe(0);
      say('VISIBILITY_CHANGED', { isMinimized: false, isHidden: false });
      expect(looks).toBe(1);
    });
  });

  describe('what can be looked at', () => {
    const verdicts = async ({ host }: HubSpotPage): Promise<Record<string, string>> => {
      const checks = (await host.selfChecks?.()) ?? [];
      return Object.fromEntries(
        await Promise.all(
          checks.map(async ({ id, run }) => {
            const { verdict, found } = await run();
            return [id, `${verdict}: ${found}`] as const;
          }),
        ),
      );
    };

    /** jsdom has neither of both. */
    function browserThat({ allows }: { allows: boolean }): void {
      const query = (): Promise<unknown> => (allows ? Promise.resolve({}) : Promise.reject(new Error('denied')));
      Object.defineProperty(document, 'permissionsPolicy', {
        configurable: true,
        value: { allowsFeature: () => allows },
      });
      Object.defineProperty(window.navigator, 'locks', { configurable: true, value: { query } });
    }
    afterEach(() => {
      Reflect.deleteProperty(document, 'permissionsPolicy');
      Reflect.deleteProperty(window.navigator, 'locks');
    });

    it('tells frame, greeting and storage of a phone that works', async () => {
      browserThat({ allows: true });
      const found = await verdicts(await pages.started());
      expect(found).toMatchObject({
        greeting: expect.stringMatching(/^good: .*24500123/),
        frame: expect.stringMatching(/^good: Here/),
        storage: expect.stringMatching(/^good/),
        'microphone-policy': expect.stringMatching(/^good/),
        refusals: expect.stringMatching(/^good/),
      });
    });

    it('tells what is wrong with one that does not', async () => {
      browserThat({ allows: false });
      expect(await verdicts(pages.open({ framed: false }))).toMatchObject({
        framed: expect.stringMatching(/^bad/),
        greeting: expect.stringMatching(/^bad/),
        frame: expect.stringMatching(/^unsure/),
        storage: expect.stringMatching(/^bad/),
        'microphone-policy': expect.stringMatching(/^bad/),
      });
      const remote = await pages.started({ iframeLocation: 'remote' });
      expect((await verdicts(remote)).frame).toMatch(/^unsure: In the calling window/);
      vi.spyOn(window, 'open').mockReturnValue({ closed: false, location: {}, focus() {} } as unknown as Window);
      remote.host.openPhoneWindow?.();
      expect((await verdicts(remote)).frame).toMatch(/^good: In the calling window/);
      expect((await verdicts(await pages.started({ iframeLocation: 'widget' }))).frame).toMatch(/^unsure: In a frame/);
    });

    it('remembers what HubSpot refused, each kind once, with its words, but not that an ordinary call is none of the help desk', async () => {
      const page = await pages.started();
      for (const type of [
        ...['CREATE_ENGAGEMENT_FAILED', 'UPDATE_ENGAGEMENT_FAILED', 'CALLER_ID_MATCH_FAILED'],
        ...['NAVIGATE_TO_RECORD_FAILED', 'PUBLISH_TO_CHANNEL_FAILED', 'FINALIZE_ENGAGEMENT_FAILED'],
        ...['SET_WIDGET_URL_FAILED', 'INITIATE_CALL_ID_FAILED'],
      ])
        for (const data of [undefined, {}, { error: 'text' }, { error: { message: `No ${type}` } }])
          page.say(type, data);
      const { refusals } = await verdicts(page);
      expect(refusals).toBe(
        'unsure: create engagement (No CREATE_ENGAGEMENT_FAILED); update engagement (No UPDATE_ENGAGEMENT_FAILED); ' +
          'caller id match (No CALLER_ID_MATCH_FAILED); navigate to record (No NAVIGATE_TO_RECORD_FAILED); ' +
          'publish to channel (No PUBLISH_TO_CHANNEL_FAILED); ' +
          'set widget url (No SET_WIDGET_URL_FAILED); initiate call id (No INITIATE_CALL_ID_FAILED).',
      );
    });
  });
});
