import { createPublicKey, verify } from 'node:crypto';
import type { Browser, Frame } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type SalesforceSandbox, startSalesforceSandbox } from '../../../sandbox/src/salesforce/sandbox.ts';
import { launchChromium, type OpenPage, openPage, servePanel } from './browser-page.ts';

/** A panel that loads the org's script as an adapter does and keeps what it hears. */
const panelHtml = `<!doctype html><body style="font:15px system-ui;padding:20px">Panel of the test<script>
  heard = { clicks: [], views: [], messages: [] };
  say = (method, args = {}) => new Promise((resolve) => sforce.opencti[method]({ ...args, callback: resolve }));
  const version = new URLSearchParams(location.search).get('v') ?? '66';
  const script = document.createElement('script');
  script.src = new URLSearchParams(location.search).get('sfdcIframeOrigin') + '/support/api/' + version + '.0/lightning/opencti_min.js';
  script.onload = () => {
    sforce.opencti.onClickToDial({ listener: (payload) => heard.clicks.push(payload) });
    sforce.opencti.onNavigationChange({ listener: (payload) => heard.views.push(payload) });
    sforce.opencti.getCallCenterSettings({ callback: (answer) => { ready = answer; } });
  };
  document.head.append(script);
</script>`;

interface Reply {
  success: boolean;
  returnValue: Record<string, unknown> | null;
  errors: { code: string; description: string }[] | null;
}
declare const say: (method: string, args?: unknown) => Promise<Reply>;
declare const heard: { clicks: Record<string, unknown>[]; views: Record<string, unknown>[]; messages: unknown[] };

let browser: Browser;
let panel: { origin: string; close(): Promise<void> };
let sandbox: SalesforceSandbox;
let open: OpenPage;
let frame: Frame;

beforeAll(async () => {
  browser = await launchChromium();
  panel = await servePanel(panelHtml);
});
afterAll(async () => {
  await browser.close();
  await panel.close();
});
beforeEach(async () => {
  sandbox = await startSalesforceSandbox({ panelUrl: `${panel.origin}/salesforce/` });
  open = await openPage(browser, sandbox.url);
  frame = await open.panel('typeof ready === "object"');
});
afterEach(async () => {
  await open.context.close();
  await sandbox.close();
});

const ask = (method: string, args?: unknown): Promise<Reply> =>
  frame.evaluate(([name, given]) => say(`${name}`, given), [method, args] as const);
const idOf = (name: string): string =>
  `${[...sandbox.records.Contact, ...sandbox.records.Lead].find((row) => row.Name === name)?.Id}`;
const clicks = () => frame.evaluate(() => heard.clicks);

describe('the script of the org', () => {
  it('is loaded with the parameters Lightning appends, and gets the call center settings', async () => {
    const query = new URL(frame.url()).searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      mode: 'Lightning',
      isdtp: 'vw',
      clc: '1',
      sfdcIframeOrigin: new URL(sandbox.url).origin,
    });
    const settings = await ask('getCallCenterSettings');
    expect(settings).toMatchObject({
      success: true,
      returnValue: {
        '/reqGeneralInfo/reqAdapterUrl': `${panel.origin}/salesforce/`,
        '/reqGeneralInfo/reqAdapterUrl/label': 'CTI Adapter URL',
        '/reqDialingOptions/reqOutsidePrefix/sortOrder': '0.0',
        '/Patchcord/label': 'Patchcord',
        '/Patchcord/RelayUrl': panel.origin,
        // Values that look like a number come decorated.
        '/Patchcord/HelpDesk': '(415) 555-1212 (tel:4155551212)',
      },
    });
    expect(query.get('nonce')).toMatch(/^[0-9a-f]{32}$/);
    expect(query.get('ltn_app_id')).toMatch(/^06m/);
  });

  it('throws a string when the page was not opened by a host, and stays there doing nothing', async () => {
    const page = await open.context.newPage();
    await page.goto(`${panel.origin}/`);
    const outcome = await page.evaluate(async (origin) => {
      const source = await (
        await fetch(`${origin}/support/api/66.0/lightning/opencti_min.js`).catch(() => new Response(''))
      ).text();
      return source.length;
    }, new URL(sandbox.url).origin);
    // Cross-origin text cannot be read from a page: it is run here instead, the way a script tag runs it.
    expect(outcome).toBe(0);
    await page.addScriptTag({
      content: `window.onerror = (message, at, line, column, error) => { thrown = error; return true; };`,
    });
    await page.addScriptTag({
      content: await (await fetch(`${sandbox.instanceUrl}/support/api/66.0/lightning/opencti_min.js`)).text(),
    });
    expect(await page.evaluate('typeof thrown')).toBe('string');
    expect(await page.evaluate('typeof sforce.opencti.enableClickToDial')).toBe('function');
  });
});

describe('click to dial', () => {
  it('does not reach the panel before it is enabled, and carries the typed number and its record after', async () => {
    const link = open.page.locator('button.dial').first();
    expect(await link.isDisabled()).toBe(true);
    expect(await open.page.evaluate('sandbox.dial("(415) 555-0101")')).toBe(false);
    await ask('enableClickToDial');
    await link.click();
    await frame.waitForFunction(() => heard.clicks.length > 0);
    expect(await clicks()).toEqual([
      {
        number: '(415) 555-0101',
        recordId: idOf('Elena Marchetti'),
        recordName: 'Elena Marchetti',
        objectType: 'Contact',
        accountId: expect.stringMatching(/^001/),
      },
    ]);
    await ask('disableClickToDial');
    expect(await link.isDisabled()).toBe(true);
  });
});

describe('records', () => {
  it('are opened by a screen pop, and the panel hears where it is', async () => {
    expect(await ask('screenPop', { type: 'sobject', params: { recordId: idOf('Mina Sato') } })).toMatchObject({
      success: true,
    });
    await open.page.waitForSelector(`[data-shown="${idOf('Mina Sato')}"]`);
    expect(open.page.url()).toContain(`/lightning/r/Contact/${idOf('Mina Sato')}/view`);
    await frame.waitForFunction(() => heard.views.length > 0);
    expect(await frame.evaluate(() => heard.views.at(-1))).toMatchObject({
      recordName: 'Mina Sato',
      objectType: 'Contact',
    });
    expect(await ask('getAppViewInfo')).toMatchObject({ returnValue: { recordId: idOf('Mina Sato') } });
    expect(await ask('screenPop', { type: 'sobject', params: { recordId: '003Pc00000ZZZZZ' } })).toMatchObject({
      success: false,
      errors: [{ code: 'INVALID_PARAM' }],
    });
  });

  it('are opened by a click without a reload, which the panel hears', async () => {
    await open.page.click(`[data-record="${idOf('Jonas Weber')}"]`);
    await frame.waitForFunction(() => heard.views.some((view) => view.recordName === 'Jonas Weber'));
    expect(await frame.evaluate(() => heard.views.at(-1))).toMatchObject({ objectType: 'Lead' });
  });

  it('can be new ones, prefilled in a modal', async () => {
    await ask('screenPop', {
      type: 'newRecord',
      params: { entityName: 'Contact', defaultFieldValues: { Phone: '+14155550187' } },
    });
    await open.page.fill('input[name="LastName"]', 'Novak');
    await open.page.click('button.primary');
    await open.page.waitForSelector('h1:has-text("Novak")');
    expect(sandbox.records.Contact.at(-1)).toMatchObject({ LastName: 'Novak', Phone: '+14155550187' });
  });

  it('are searched without popping when deferred', async () => {
    const answer = await ask('searchAndScreenPop', { searchParams: '4155550123', callType: 'inbound', deferred: true });
    expect(Object.keys(answer.returnValue ?? {}).sort()).toEqual(
      [idOf('Luis Ortega'), idOf('Priya Raman'), 'SCREEN_POP_DATA'].sort(),
    );
    expect(await ask('searchAndScreenPop', { searchParams: '12', callType: 'inbound' })).toMatchObject({
      success: false,
    });
  });

  it('show a call as soon as its Task is there, and saveLog answers with its id', async () => {
    const value = {
      entityApiName: 'Task',
      Subject: 'Call with Elena',
      TaskSubtype: 'Call',
      CallType: 'Outbound',
      CallDurationInSeconds: 64,
      Status: 'Completed',
      WhoId: idOf('Elena Marchetti'),
    };
    const answer = await ask('saveLog', { value });
    expect(answer).toMatchObject({ success: true, returnValue: { recordId: expect.stringMatching(/^00T/) } });
    await open.page.waitForSelector('.timeline >> text=Call with Elena');
    const wrong = await ask('saveLog', { value: { ...value, CallType: 'sideways' } });
    expect(wrong).toMatchObject({
      success: false,
      errors: [{ details: { fieldErrors: { CallType: expect.anything() } } }],
    });
  });
});

describe('where the agent is', () => {
  const views = async (count: number): Promise<Record<string, unknown>[]> => {
    await frame.waitForFunction((least) => heard.views.length >= least, count);
    return frame.evaluate(() => heard.views.splice(0));
  };
  const toList = () => open.page.click('nav a.tab');
  const form = () => open.page.locator('form[role="dialog"]');
  const newRecord = (phone: string) =>
    ask('screenPop', {
      type: 'newRecord',
      params: { entityName: 'Contact', defaultFieldValues: { Phone: phone } },
    });
  const nowhere = { recordId: '', recordName: '', objectType: '' };

  it('is told by a standard app for records, lists by their address alone, focus, and a form that opens and closes', async () => {
    await open.page.click(`[data-record="${idOf('Mina Sato')}"]`);
    expect(await views(1)).toMatchObject([{ recordId: idOf('Mina Sato'), objectType: 'Contact' }]);
    await toList();
    expect(await views(1)).toEqual([{ url: '/lightning/o/Contact/list' }]);
    await open.page.evaluate('sandbox.fireNavigation()');
    expect(await views(1)).toEqual([{ url: '/lightning/o/Contact/list', ...nowhere }]);
    await open.page.click(`[data-record="${idOf('Mina Sato')}"]`);
    await views(1);
    await newRecord('1');
    expect(await views(1)).toEqual([{ url: '/lightning/o/Contact/new', ...nowhere }]);
    expect(await ask('getAppViewInfo')).toMatchObject({ returnValue: { url: '/lightning/o/Contact/new', ...nowhere } });
    await form().getByText('Cancel').click();
    expect(await views(1)).toMatchObject([{ recordId: idOf('Mina Sato') }]);
  });

  it('is told by a console app for its tabs, and neither for a list nor for a form', async () => {
    await open.page.goto(`${sandbox.url}?app=console`);
    frame = await open.panel('typeof ready === "object"');
    await open.page.click(`[data-record="${idOf('Mina Sato')}"]`);
    await open.page.click(`[data-record="${idOf('Theo Okafor')}"]`);
    await open.page.click(`[data-workspace-tab="${idOf('Mina Sato')}"]`);
    await toList();
    await newRecord('1');
    await form().getByText('Cancel').click();
    await open.page.evaluate('sandbox.refreshTab()');
    const told = (await views(4)).map((view) => view.recordName);
    expect(told.slice(0, 3)).toEqual(['Mina Sato', 'Theo Okafor', 'Mina Sato']);
    expect(await open.page.locator('[data-workspace-tab]').count()).toBe(2);
  });

  it('is a form that a second pop replaces, with what the agent had typed', async () => {
    await newRecord('+14155550187');
    await form().locator('input[name="LastName"]').fill('Novak');
    await newRecord('+14155550188');
    expect(await form().count()).toBe(1);
    expect(await form().locator('input[name="Phone"]').inputValue()).toBe('+14155550188');
    expect(await form().locator('input[name="LastName"]').inputValue()).toBe('');
  });
});

describe('screen pops', () => {
  it('open an object’s home, a list, an address of the org and a flow, and refuse what does not fit', async () => {
    const pop = async (type: string, params: unknown) => (await ask('screenPop', { type, params })).errors?.[0]?.code;
    expect(await pop('objecthome', { scope: 'Account' })).toBeUndefined();
    await open.page.waitForURL(/\/lightning\/o\/Account\/home/);
    expect(await pop('list', { listViewId: '00BPc0000001', scope: 'Lead' })).toBeUndefined();
    await open.page.waitForURL(/\/lightning\/o\/Lead\/list\?filterName=00BPc0000001/);
    expect(await pop('url', { url: `/${idOf('Mina Sato')}` })).toBeUndefined();
    await open.page.waitForSelector(`[data-shown="${idOf('Mina Sato')}"]`);
    const flowArgs = [{ name: 'Number', type: 'String', value: '+14155550103' }];
    expect(await pop('flow', { flowDevName: 'Caller_Check', flowArgs })).toBeUndefined();
    expect(await open.page.locator('[data-variable="Number"]').textContent()).toBe('Number (String)+14155550103');
    for (const [type, params] of [
      ['objecthome', {}],
      ['list', { scope: 'Lead' }],
      ['url', { url: 'https://example.com' }],
      ['url', { url: '//example.com' }],
      ['search', { searchString: 'ab' }],
      ['newRecord', {}],
      ['flow', { flowDevName: 'Caller_Check', flowArgs: [{ value: 'no name' }] }],
      ['sObject', { recordId: idOf('Mina Sato') }],
    ] as const)
      expect([type, await pop(type, params)]).toEqual([type, 'INVALID_PARAM']);
    expect(await pop('flow', { flowDevName: 'Inactive_Flow' })).toBe('GENERIC_ERROR');
  });
});

describe('runApex', () => {
  it('gets its parameters as a query string, in which a bare plus is a space', async () => {
    const answer = await mint('PatchcordIdentity', 'audience=https://relay.example/+a%2Bb');
    const { assertion } = JSON.parse(`${answer.returnValue?.runApex}`) as { assertion: string };
    const claims = JSON.parse(Buffer.from(`${assertion.split('.')[1]}`, 'base64url').toString()) as { aud: string };
    expect(claims.aud).toBe('https://relay.example/ a+b');
  });

  const mint = (apexClass: string, methodParams = `audience=${encodeURIComponent('https://relay.example/?a=b&c')}`) =>
    ask('runApex', { apexClass, methodName: 'mintAssertion', methodParams });

  it.each(['PatchcordIdentity', 'pc.PatchcordIdentity'])(
    'mints an assertion of the agent from %s, signed by the org',
    async (apexClass) => {
      const answer = await mint(apexClass);
      const { assertion } = JSON.parse(`${answer.returnValue?.runApex}`) as { assertion: string };
      const [head, body, signature] = assertion.split('.');
      expect(
        verify(
          'RSA-SHA256',
          Buffer.from(`${head}.${body}`),
          createPublicKey(sandbox.org.signingCertificatePem),
          Buffer.from(`${signature}`, 'base64url'),
        ),
      ).toBe(true);
      const claims = JSON.parse(Buffer.from(`${body}`, 'base64url').toString()) as Record<string, number>;
      expect(claims).toMatchObject({
        iss: sandbox.org.id,
        sub: sandbox.users[0]?.id,
        aud: 'https://relay.example/?a=b&c',
        username: sandbox.users[0]?.username,
        email: 'robin@patchcord.example',
        instanceUrl: sandbox.instanceUrl,
      });
      expect(Number(claims.exp) - Number(claims.iat)).toBe(120);
    },
  );

  it('says so when the class cannot be loaded', async () => {
    expect(await mint('Shoe')).toMatchObject({
      success: false,
      errors: [{ code: 'SERVER_ERROR', description: 'Could not load Apex class: Shoe' }],
    });
  });
});

describe('the panel around the phone', () => {
  it('is shown, hidden, sized and labelled', async () => {
    await ask('setSoftphonePanelVisibility', { visible: false });
    expect(await ask('isSoftphonePanelVisible')).toMatchObject({ returnValue: { visible: false } });
    await ask('setSoftphonePanelVisibility', { visible: true });
    for (const [method, name, low, high] of [
      ['setSoftphonePanelHeight', 'heightPX', 240, 2560],
      ['setSoftphonePanelWidth', 'widthPX', 200, 1920],
    ] as const)
      for (const [pixels, fits] of [
        [low - 1, false],
        [low, true],
        [high, true],
        [high + 1, false],
        ['480', false],
      ] as const)
        expect([method, pixels, (await ask(method, { [name]: pixels })).success]).toEqual([method, pixels, fits]);
    await ask('setSoftphonePanelHeight', { heightPX: 480 });
    await ask('setSoftphoneItemLabel', { label: 'On a call' });
    expect(await open.page.locator('.utility-item').textContent()).toContain('On a call');
    expect((await open.page.locator('iframe.openctiSoftPhone').boundingBox())?.height).toBe(480);
  });

  it('delegates microphone and sound', async () => {
    expect(await open.page.locator('iframe.openctiSoftPhone').getAttribute('allow')).toBe(
      'microphone; autoplay; speaker-selection',
    );
    expect(
      await frame.evaluate(
        async () => (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks().length,
      ),
    ).toBe(1);
  });

  it('is not there for a user without a call center', async () => {
    const casey = sandbox.users.find((user) => user.callCenterId === null);
    const other = await openPage(browser, `${sandbox.url}?user=${casey?.username}`);
    await other.page.waitForSelector('.no-center');
    expect(await other.page.locator('iframe').count()).toBe(0);
    await other.context.close();
  });
});

describe('message channels', () => {
  it('carry messages both ways until they are unsubscribed', async () => {
    await frame.evaluate(() => {
      const sforce = (window as unknown as { sforce: { opencti: Record<string, (args: unknown) => void> } }).sforce;
      return new Promise((resolve) =>
        sforce.opencti.subscribe?.({
          channelName: 'Cti_Call__c',
          listener: (message: unknown) => heard.messages.push(message),
          callback: resolve,
        }),
      );
    });
    expect(await open.page.evaluate('sandbox.publish("Cti_Call__c", { dial: "1" })')).toBe(true);
    await frame.waitForFunction(() => heard.messages.length === 1);
    const page = await open.page.evaluate(async () => {
      const { sandbox: here } = window as unknown as {
        sandbox: {
          channel: {
            subscribe(name: string, hear: (message: unknown) => void): () => void;
            publish(name: string, message: unknown): void;
          };
        };
      };
      const told: unknown[] = [];
      const stop = here.channel.subscribe('Cti_Call__c', (message) => told.push(['one', message]));
      here.channel.subscribe('Cti_Call__c', (message) => told.push(['other', message]));
      here.channel.subscribe('Else__c', (message) => told.push(['elsewhere', message]));
      const message = { at: new Date(0), run: () => 1 };
      here.channel.publish('Cti_Call__c', message);
      stop();
      Object.assign(window, { told });
      return told;
    });
    // JSON on every way: a date is text, a function is gone.
    const clone = { at: '1970-01-01T00:00:00.000Z' };
    expect(page).toEqual([
      ['one', clone],
      ['other', clone],
    ]);
    await frame.waitForFunction(() => heard.messages.length === 2);
    expect(await frame.evaluate(() => heard.messages[1])).toEqual(clone);
    await ask('publish', { channelName: 'Cti_Call__c', message: { state: 'ringing' } });
    expect(await open.page.evaluate('told.slice(2)')).toEqual([['other', { state: 'ringing' }]]);
    expect(await open.page.evaluate('sandbox.events()')).toEqual([
      { channel: 'Cti_Call__c', text: '{"state":"ringing"}' },
    ]);
  });
});

describe('faults of the host', () => {
  it('answers with an error, twice, late or never', async () => {
    sandbox.faults.add({ fault: 'host-error', on: 'screenPop', message: 'No.' });
    expect(await ask('screenPop', { type: 'search', params: { searchString: 'abc' } })).toMatchObject({
      success: false,
      errors: [{ code: 'GENERIC_ERROR', description: 'No.' }],
    });
    sandbox.faults.add({ fault: 'host-late', on: 'getAppViewInfo', delayMs: 30 });
    expect(await ask('getAppViewInfo')).toMatchObject({ success: true });
    const count = (fault: string): Promise<number> => {
      sandbox.faults.add({ fault, on: 'getAppViewInfo' });
      return frame.evaluate(async () => {
        let answers = 0;
        addEventListener('message', () => {
          answers += 1;
        });
        void say('getAppViewInfo');
        await say('isSoftphonePanelVisible');
        // The script heard its answer before this listener did: one more turn of the event loop.
        await new Promise((resolve) => setTimeout(resolve, 0));
        return answers;
      });
    };
    expect(await count('host-twice')).toBe(3);
    expect(await count('host-never')).toBe(1);
  });

  it('lets a stranger answer in its place, which the script ignores', async () => {
    sandbox.faults.add({ fault: 'host-wrong-origin', on: 'getAppViewInfo' });
    const heardFrom = await frame.evaluate(async () => {
      const stranger = new Promise<string>((resolve) =>
        addEventListener('message', (event) => event.origin === 'null' && resolve(event.origin)),
      );
      let answered = false;
      void say('getAppViewInfo').then(() => {
        answered = true;
      });
      await stranger;
      await say('isSoftphonePanelVisible');
      return answered;
    });
    expect(heardFrom).toBe(false);
  });

  it('forgets the panel when its frame is made anew, and its numbering starts again', async () => {
    await ask('enableClickToDial');
    await open.page.evaluate('sandbox.recreateFrame()');
    frame = await open.panel('typeof ready === "object"');
    expect(await open.page.locator('button.dial').first().isDisabled()).toBe(true);
    const settings = sandbox.hostMessages().filter((one) => one.message.methodName === 'getCallCenterSettings');
    expect(settings.map((one) => one.message.callId)).toEqual([2, 2]);
  });
});

it('asks the demo to call the agent, and says what went wrong', async () => {
  const orders: unknown[] = [];
  const other = await startSalesforceSandbox({
    panelUrl: `${panel.origin}/salesforce/`,
    onCallMe: async (order) => {
      orders.push(order);
      if (order.kind === 'withheld') throw new Error('No phone is registered.');
    },
  });
  const page = await openPage(browser, other.url);
  await page.page.click('[data-call-me="contact"]');
  await page.page.waitForSelector('text=Your phone should ring now.');
  await page.page.click('[data-call-me="withheld"]');
  await page.page.waitForSelector('text=No phone is registered.');
  expect(orders).toEqual([
    { from: '+14155550101', name: 'Elena Marchetti', agent: 'robin@patchcord.example', kind: 'contact' },
    { from: 'anonymous', agent: 'robin@patchcord.example', kind: 'withheld' },
  ]);
  await page.context.close();
  await other.close();
});
