/**
 * What the org's script does by itself, between a host page that says only what a test says and an adapter page without our code: Salesforce
 * contract, sections 1.1 to 1.3, every line of it that is marked as proven. Holds for the stand-in and for a genuine script alike.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rig } from './rig.ts';
import type { ScriptUnderTest } from './script-under-test.ts';

/** An adapter page that loads the script and nothing else; it keeps what the script throws while it loads. */
const barePage = `<!doctype html><title>Bare</title><script>
  thrown = undefined; answers = []; heard = [];
  window.onerror = (message, at, line, column, error) => { thrown = error; return true; };
  const script = document.createElement('script');
  script.crossOrigin = 'anonymous';
  script.src = decodeURIComponent(location.hash.slice(1)) + '/support/api/66.0/lightning/opencti_min.js';
  script.onload = () => { loaded = true; };
  document.head.append(script);
  keep = (list) => (value) => list.push(value);
</script>`;

/** A host page that answers nothing: it keeps what it hears and says what it is told to say. */
const dumbHost = `<!doctype html><title>Host</title><script>
  got = [];
  const phone = location.origin.replace('acme.lightning.force.com', 'phone.example.com');
  addEventListener('message', (event) => { if (event.origin === phone) got.push(event.data); });
  mount = (query) => {
    got.length = 0;
    document.body.replaceChildren();
    const frame = document.createElement('iframe');
    frame.src = phone + '/bare/?' + query + '#' + encodeURIComponent(location.origin.replace('.lightning.force.com', '.my.salesforce.com'));
    document.body.append(frame);
  };
  say = (message) => document.querySelector('iframe').contentWindow.postMessage(message, phone);
</script><body></body>`;

interface Request {
  readonly methodName: string;
  readonly callId: number;
  readonly args: Readonly<Record<string, unknown>>;
}

export function wireSuite(script: ScriptUnderTest, rig: () => Rig): void {
  describe.each(script.wireVersions)('the script of version %i', (version) => {
    const flagged = version >= 55;
    let page: Page;
    let frame: Frame;

    beforeAll(async () => {
      const { front } = rig();
      front.phoneFiles.set('/bare/', ['text/html', barePage]);
      front.lightningFiles.set('/dumb-host', dumbHost);
      await rig().serve(version);
      page = await rig().context.newPage();
      await page.goto(`${front.origin.lightning}/dumb-host`);
    });
    afterAll(async () => {
      await page?.close();
    });

    /** Loads the bare page anew in the host, with the parameters of a good host unless others are given. */
    async function mount(
      query = `mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(rig().front.origin.lightning)}`,
    ): Promise<void> {
      await page.evaluate((text) => (window as unknown as { mount(query: string): void }).mount(text), query);
      const element = await page.waitForSelector('iframe', { state: 'attached' });
      const mounted = await element.contentFrame();
      if (!mounted) throw new Error('The bare page has no frame.');
      frame = mounted;
      await frame.waitForFunction('window.loaded === true', undefined, { polling: 20 });
    }
    /** Runs code in the adapter page with `cti` as the script's object; answers the message of what it throws, or `fine`. */
    const run = (code: string): Promise<string> =>
      frame.evaluate(
        `(() => { const cti = sforce.opencti; try { ${code}; return 'fine'; } catch (error) { return error.name + ': ' + error.message; } })()`,
      );
    const got = async (count: number): Promise<readonly Request[]> => {
      await page.waitForFunction(`got.length >= ${count}`, undefined, { polling: 20 });
      return page.evaluate(() => (window as unknown as { got: Request[] }).got);
    };
    const say = (message: Readonly<Record<string, unknown>>): Promise<void> =>
      page.evaluate((given) => (window as unknown as { say(message: unknown): void }).say(given), {
        apiVersion: version,
        apiType: 'opencti',
        ...message,
      });
    const answer = (methodName: string, callId: number, response: unknown, more = {}) =>
      say({ methodName, callId, shouldExecuteCallback: true, shouldExecuteListener: false, response, ...more });
    const event = (methodName: string, response: unknown, more = {}) =>
      say({ methodName, shouldExecuteCallback: false, shouldExecuteListener: true, response, ...more });
    const list = async (name: 'answers' | 'heard', count: number): Promise<readonly unknown[]> => {
      await frame.waitForFunction(`${name}.length >= ${count}`, undefined, { polling: 20 });
      return frame.evaluate(name);
    };

    it('has the methods of its version and no others', async () => {
      await mount();
      const names = await frame.evaluate<string[]>('Object.keys(sforce.opencti)');
      const since = { subscribe: 47, unsubscribe: 47, publish: 47, hvs: 46 } as const;
      for (const [name, first] of Object.entries(since))
        expect([name, names.includes(name)]).toEqual([name, version >= first]);
      expect(names).toEqual(
        expect.arrayContaining([
          ...['enableClickToDial', 'disableClickToDial', 'onClickToDial', 'onNavigationChange', 'screenPop'],
          ...['searchAndScreenPop', 'saveLog', 'runApex', 'getAppViewInfo', 'getCallCenterSettings'],
          ...['getSoftphoneLayout', 'isSoftphonePanelVisible', 'setSoftphonePanelVisibility', 'initialize'],
          ...['setSoftphonePanelHeight', 'setSoftphonePanelWidth', 'setSoftphonePanelIcon', 'setSoftphoneItemIcon'],
          ...['setSoftphonePanelLabel', 'setSoftphoneItemLabel', 'refreshView', 'notifyInitializationComplete'],
          ...['SCREENPOP_TYPE', 'CALL_TYPE'],
        ]),
      );
      for (const invented of ['onReady', 'getCallObjectReferences', 'clickToDial', 'isInConsole', 'onObjectUpdate'])
        expect(names).not.toContain(invented);
      expect(await frame.evaluate('sforce.opencti.SCREENPOP_TYPE')).toEqual({
        URL: 'url',
        SOBJECT: 'sobject',
        OBJECTHOME: 'objecthome',
        LIST: 'list',
        SEARCH: 'search',
        NEW_RECORD_MODAL: 'newRecord',
        FLOW: 'flow',
      });
      expect(await frame.evaluate('sforce.opencti.CALL_TYPE')).toEqual({
        INBOUND: 'inbound',
        OUTBOUND: 'outbound',
        INTERNAL: 'internal',
      });
    });

    it('says every call on the wire as its version does, counted from 0 over all methods', async () => {
      await mount();
      const calls: readonly (readonly [code: string, methodName: string, args: unknown])[] = [
        ['enableClickToDial()', 'enableClickToDial', {}],
        ['disableClickToDial({ callback() {} })', 'disableClickToDial', {}],
        ['onClickToDial({ listener() {} })', 'onClickToDial', {}],
        ['onNavigationChange({ listener() {} })', 'onNavigationChange', {}],
        // A top-level defaultFieldValues is dropped.
        [
          'screenPop({ type: "newRecord", params: { entityName: "Lead" }, defaultFieldValues: { Phone: "1" } })',
          'screenPop',
          { type: 'newRecord', params: { entityName: 'Lead' } },
        ],
        ['saveLog({ value: { Id: "00T" }, callback() {} })', 'saveLog', { object: { Id: '00T' } }],
        ['saveLog({ value: null })', 'saveLog', { object: null }],
        [
          'searchAndScreenPop({ searchParams: "abc", callType: "inbound", deferred: true, queryParams: "a=1", defaultFieldValues: { Phone: "1" }, params: { FLOW: {} }, extra: 1 })',
          'searchAndScreenPop',
          {
            ...{ searchParams: 'abc', callType: 'inbound', deferred: true, queryParams: 'a=1' },
            ...{ defaultFieldValues: { Phone: '1' }, params: { FLOW: {} } },
          },
        ],
        [
          'runApex({ apexClass: "A", methodName: "b", methodParams: "c=1" })',
          'runApex',
          { apexClass: 'A', methodName: 'b', methodParams: 'c=1' },
        ],
        ['getAppViewInfo({ callback() {} })', 'getAppViewInfo', {}],
        ['getCallCenterSettings({ callback() {} })', 'getCallCenterSettings', {}],
        ['getSoftphoneLayout({ callback() {} })', 'getSoftphoneLayout', {}],
        ['isSoftphonePanelVisible({ callback() {} })', 'isSoftphonePanelVisible', {}],
        ['setSoftphonePanelVisibility({ visible: true })', 'setSoftphonePanelVisibility', { visible: true }],
        ['setSoftphonePanelHeight({ heightPX: 400 })', 'setSoftphonePanelHeight', { heightPX: 400 }],
        ['setSoftphonePanelWidth({ widthPX: 400 })', 'setSoftphonePanelWidth', { widthPX: 400 }],
        ['setSoftphonePanelIcon({ key: "call" })', 'setSoftphonePanelIcon', { key: 'call' }],
        ['setSoftphoneItemIcon({ key: "call" })', 'setSoftphoneItemIcon', { key: 'call' }],
        ['setSoftphonePanelLabel({ label: "a" })', 'setSoftphonePanelLabel', { label: 'a' }],
        ['setSoftphoneItemLabel({ label: "a" })', 'setSoftphoneItemLabel', { label: 'a' }],
        ['refreshView()', 'refreshView', {}],
        ['notifyInitializationComplete()', 'notifyInitializationComplete', {}],
        ...(version < 46
          ? []
          : ([
              ['hvs.onWorkStart({ listener() {} })', 'onWorkStart', {}],
              [
                'hvs.completeWork({ workId: "1", attributes: { a: 1 } })',
                'completeWork',
                { workId: '1', attributes: { a: 1 } },
              ],
            ] as const)),
        ...(version < 47
          ? []
          : ([
              [
                'subscribe({ channelName: "A__c", listener() {} })',
                'subscribe',
                { eventName: 'A__c', subscription: {} },
              ],
              // JSON, so that functions are dropped.
              [
                'publish({ channelName: "A__c", message: { a: 1, f() {} } })',
                'publish',
                { eventName: 'A__c', message: { a: 1 } },
              ],
            ] as const)),
      ];
      expect(await run(calls.map(([code]) => `cti.${code}`).join(';'))).toBe('fine');
      const said = await got(calls.length);
      expect(said).toMatchObject(
        calls.map(([code, methodName, args], callId) => ({
          methodName,
          callId,
          apiVersion: version,
          apiType: 'opencti',
          isCallbackRegistered: methodName === 'subscribe' || /callback\(/.test(code),
          isListenerRegistered: /listener\(/.test(code),
          args,
        })),
      );
      expect(said.map(({ args }) => args)).toEqual(calls.map(([, , args]) => args));
    });

    it('refuses wrong arguments in its own words, before anything is said', async () => {
      await mount();
      const oneObject = 'Error: Must pass in only one object which holds arguments to this API method call.';
      const table: readonly (readonly [string, string])[] = [
        ['cti.enableClickToDial({})', oneObject],
        ['cti.refreshView({})', oneObject],
        ['cti.screenPop({})', oneObject],
        ['cti.runApex()', oneObject],
        ['cti.setSoftphoneItemLabel({})', oneObject],
        ['cti.getAppViewInfo({ a: 1 })', 'Error: Missing the required argument `callback`!'],
        ['cti.getCallCenterSettings({ a: 1 })', 'Error: Missing the required argument `callback`!'],
        ['cti.onClickToDial({ a: 1 })', 'Error: Missing the required argument `listener`!'],
        ['cti.onNavigationChange({ a: 1 })', 'Error: Missing the required argument `listener`!'],
        ['cti.saveLog({ value: 1 })', 'Error: Missing the required argument `value object`!'],
        ...(version < 47
          ? []
          : ([
              [
                'cti.subscribe({ listener() {}, channelName: "" })',
                'Error: The argument `channelName` must be a non-empty string!',
              ],
              ['cti.subscribe({ channelName: "A__c" })', 'Error: Missing the required argument `listener`!'],
              ['cti.publish({ message: {} })', 'Error: The argument `channelName` must be a non-empty string!'],
              ['cti.unsubscribe({ subscription: 1 })', 'Error: The argument `subscription` must be an object!'],
            ] as const)),
      ];
      for (const [code, words] of table) expect([code, await run(code)]).toEqual([code, words]);
      expect(await run('cti.screenPop(null)')).toMatch(/^TypeError/);
      await run('cti.refreshView()');
      expect(await got(1)).toMatchObject([{ methodName: 'refreshView', callId: 0 }]);
    });

    it('throws at once what cannot be copied, and has used up a number', async () => {
      await mount();
      expect(await run('cti.setSoftphoneItemLabel({ label() {} })')).toMatch(/^DataCloneError/);
      await run('cti.refreshView()');
      expect(await got(1)).toMatchObject([{ methodName: 'refreshView', callId: 1 }]);
    });

    it('runs a callback once, for the right method, number, version, type and origin', async () => {
      await mount();
      await run(
        'cti.getAppViewInfo({ callback: keep(answers) }); cti.getCallCenterSettings({ callback: keep(answers) })',
      );
      await got(2);
      await answer('getAppViewInfo', 7, 'wrong number');
      await answer('getSoftphoneLayout', 0, 'wrong method');
      await answer('getAppViewInfo', 0, 'wrong version', { apiVersion: version + 1 });
      await answer('getAppViewInfo', 0, 'version as text', { apiVersion: `${version}` });
      await answer('getAppViewInfo', 0, 'wrong type', { apiType: 'other' });
      if (flagged) {
        await answer('getAppViewInfo', 0, 'no flag', { shouldExecuteCallback: undefined });
        await answer('getAppViewInfo', 0, 'true as text', { shouldExecuteCallback: 'true' });
      }
      await frame.evaluate(
        `window.postMessage(${JSON.stringify({
          ...{ apiVersion: version, apiType: 'opencti', methodName: 'getAppViewInfo', callId: 0 },
          ...{ shouldExecuteCallback: true, response: 'wrong origin' },
        })}, '*')`,
      );
      await answer('getAppViewInfo', 0, 'right');
      await answer('getAppViewInfo', 0, 'twice');
      await answer('getCallCenterSettings', 1, 'last');
      expect(await list('answers', 2)).toEqual(['right', 'last']);
    });

    it('tells all listeners of a method the bare payload, as often as they registered', async () => {
      await mount();
      await run(
        'for (const n of [1, 2]) cti.onClickToDial({ listener: (payload) => heard.push(n + payload.number) }); cti.onNavigationChange({ listener: (view) => heard.push(view.url) })',
      );
      await got(3);
      if (flagged) await event('onClickToDial', { number: ' unflagged' }, { shouldExecuteListener: undefined });
      await event('onClickToDial', { number: ' clicked' });
      await event('onNavigationChange', { url: '/a' });
      expect(await list('heard', 3)).toEqual(['1 clicked', '2 clicked', '/a']);
    });

    if (!flagged)
      it('runs callback and listeners of any matching message, flags or not', async () => {
        await mount();
        await run('cti.getAppViewInfo({ callback: keep(answers) }); cti.onClickToDial({ listener: keep(heard) })');
        await got(2);
        await say({ methodName: 'getAppViewInfo', callId: 0, response: 'answer' });
        await say({ methodName: 'onClickToDial', response: 'event' });
        expect([await list('answers', 1), await list('heard', 1)]).toEqual([['answer'], ['event']]);
      });

    if (version >= 55)
      it('knows a subscription by the very object it handed out, and tells the host of the last one only', async () => {
        await mount();
        await run(
          'for (const n of [0, 1]) cti.subscribe({ channelName: "A__c", listener: (m) => heard.push(n + m.text), callback: keep(answers) })',
        );
        await got(2);
        await event('subscribe', { text: ' before the host agreed' }, { eventName: 'A__c' });
        for (const callId of [0, 1])
          await answer('subscribe', callId, { success: true, returnValue: null, errors: null }, { eventName: 'A__c' });
        expect(await list('answers', 2)).toHaveLength(2);
        expect(await frame.evaluate('answers.every((one) => Object.isFrozen(one.subscription))')).toBe(true);
        await event('subscribe', { text: ' both' }, { eventName: 'A__c' });
        await event('subscribe', { text: ' nobody' }, { eventName: 'B__c' });
        expect(await list('heard', 4)).toEqual([
          '0 before the host agreed',
          '1 before the host agreed',
          '0 both',
          '1 both',
        ]);
        // Neither a look-alike nor one that is used up does anything, and another listener is still there.
        await run(
          'window.tokens = answers.map((one) => one.subscription); cti.unsubscribe({ subscription: {}, callback: keep(answers) }); for (const n of [1, 2]) cti.unsubscribe({ subscription: tokens[0], callback: keep(answers) })',
        );
        await event('subscribe', { text: ' left' }, { eventName: 'A__c' });
        expect(await list('heard', 5)).toContain('1 left');
        await run('cti.unsubscribe({ subscription: tokens[1], callback: keep(answers) })');
        expect((await got(3)).slice(2)).toMatchObject([
          { methodName: 'unsubscribe', callId: 2, args: { eventName: 'A__c' } },
        ]);
        await answer('unsubscribe', 2, { success: true, returnValue: null, errors: null });
        expect(await list('answers', 3)).toHaveLength(3);
        await run('cti.subscribe({ channelName: "A__c", listener: keep(heard), callback: keep(answers) })');
        await answer('subscribe', 3, { success: false, returnValue: null, errors: [] }, { eventName: 'A__c' });
        expect(await list('answers', 4)).toHaveLength(4);
        await event('subscribe', { text: ' refused' }, { eventName: 'A__c' });
        await run('cti.onClickToDial({ listener: keep(heard) })');
        await event('onClickToDial', 'marker');
        expect((await list('heard', 6)).slice(5)).toEqual(['marker']);
      });

    it('throws a bare string for parameters it does not know, and stays there without a word', async () => {
      const lightning = rig().front.origin.lightning;
      const older = ['https://a.force.com', 'https://acme.lightning.force.com:8443', 'https://na1.salesforce.com'];
      const newer = [
        ...['https://acme.my-salesforce.com', 'https://acme.visualforce.com', 'https://acme.my-visualforce.com'],
        ...['https://acme.my-lightning.com', 'https://acme.salesforce.mil', 'https://acme.crmforce.ms'],
      ];
      const never = [
        ...['', 'https://localhost', 'https://acme.lightning.force.com/', 'https://acme.my.salesforce-setup.com'],
        ...['https://force.com.example.com', 'http://acme.lightning.force.com', 'null'],
      ];
      const encoded = (origin: string) => `mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(origin)}`;
      const wanted: Record<string, boolean> = Object.fromEntries([
        ...older.map((origin) => [encoded(origin), true] as const),
        // What lies between is not known: neither answer is asked of those versions.
        ...(version <= 43 || flagged ? newer.map((origin) => [encoded(origin), flagged] as const) : []),
        ...never.map((origin) => [encoded(origin), false] as const),
        [`mode=Lightning&sfdcIFrameOrigin=${encodeURIComponent(lightning)}`, false],
        [`${encoded(lightning)}&sfdcIframeOrigin=${encodeURIComponent(lightning)}`, false],
        ['', false],
      ]);
      await mount();
      // Many frames of the bare page's own origin at once, each with one query.
      const found = await frame.evaluate(async (queries) => {
        const load = async (query: string): Promise<readonly [string, string, boolean]> => {
          const inner = document.createElement('iframe');
          inner.src = `/bare/?${query}${location.hash}`;
          document.body.append(inner);
          type Bare = Window & { loaded?: boolean; thrown?: unknown; sforce?: { opencti?: unknown } };
          for (;;) {
            const bare = inner.contentWindow as Bare | null;
            if (bare?.loaded === true)
              return [query, `${typeof bare.thrown}`, typeof bare.sforce?.opencti === 'object'];
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
        };
        return Promise.all(queries.map(load));
      }, Object.keys(wanted));
      expect(found).toEqual(
        Object.entries(wanted).map(([query, good]) => [query, good ? 'undefined' : 'string', true]),
      );
    });

    it('is silent after it refused: calls do not throw, are heard by nobody and never answered', async () => {
      await mount(`mode=Lightning&sfdcIframeOrigin=${encodeURIComponent('https://localhost')}`);
      expect(await frame.evaluate('thrown')).toBe(
        'Failed to initialize Open CTI. Ensure that it is loaded from the right frame with correct URL parameters',
      );
      expect(await run('cti.getCallCenterSettings({ callback: keep(answers) })')).toBe('fine');
      await answer('getCallCenterSettings', 0, 'an answer that nobody asked for');
      // The page's own message comes after what the script might have said.
      await frame.evaluate('parent.postMessage("marker", "*")');
      expect(await got(1)).toEqual(['marker']);
      expect(await frame.evaluate('answers')).toEqual([]);
    });
  });
}
