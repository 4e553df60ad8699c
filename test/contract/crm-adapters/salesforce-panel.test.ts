// @vitest-environment jsdom
import { errorCode, type RecordRef } from '@patchcord/call-protocol';
import { createSalesforcePanel } from '@patchcord/crm-adapters/panel';
import { describe, expect, it, vi } from 'vitest';
import { scriptAccepts, scriptOrigins } from '../../../packages/crm-adapters/src/salesforce/host-address.ts';
import { fakeFrame } from './fake-frame.ts';
import { type HostPage, panelHostContract } from './panel-host-contract.ts';

const origin = 'https://acme.lightning.force.com';
const record: RecordRef = { crm: 'salesforce', object: 'Contact', id: '003Pc00000000AAIAY', name: 'Elena Marchetti' };
const search = `?mode=Lightning&ltn_app_id=06m&isdtp=vw&sfdcIframeOrigin=${encodeURIComponent(origin)}&clc=1`;

type Answer = { success: boolean; returnValue: unknown; errors: unknown };
const good = (returnValue: unknown = null): Answer => ({ success: true, returnValue, errors: null });
const bad = (description: string): Answer => ({
  success: false,
  returnValue: null,
  errors: [{ code: 'GENERIC_ERROR', description }],
});

const settings = {
  '/reqGeneralInfo/reqInternalName': 'Patchcord',
  '/reqGeneralInfo/reqAdapterUrl': 'https://phone.example.com/salesforce/',
  '/reqGeneralInfo/reqSoftphoneHeight': '560',
  '/reqGeneralInfo/reqSoftphoneWidth': '360',
  '/reqGeneralInfo/reqSoftphoneWidth/sortOrder': '5.0',
};

interface PageOptions {
  readonly search?: string;
  readonly framed?: boolean;
  readonly answers?: boolean;
  readonly servedFrom?: string;
  readonly scriptHost?: string;
  readonly hostOrigins?: readonly string[];
  readonly hostTimeoutMs?: number;
  readonly framedBy?: string | null;
  readonly url?: string;
  readonly visibility?: DocumentVisibilityState;
  readonly trustedTypes?: object;
  /** What the org's script throws, by method. */
  readonly throws?: Readonly<Record<string, unknown>>;
  /** Methods this version of the script does not have. */
  readonly without?: readonly string[];
}

/** A Salesforce page: serves the script from one host, and answers Open CTI calls as told. */
function salesforcePage(options: PageOptions) {
  const calls: { method: string; args: Record<string, unknown> }[] = [];
  const scripts: string[] = [];
  const listeners = new Map<string, ((payload: unknown) => void)[]>();
  const channels = new Map<string, (message: unknown) => void>();
  const tokens: object[] = [];
  /** Answers that are not the usual one, oldest first; the last of a method stays when it is 'always'. */
  const replies = new Map<string, (Answer | 'never' | 'twice' | 'later')[]>();
  const late: (() => void)[] = [];
  /** Awaiting must not take it for a promise, so only methods that exist are there. */
  const opencti = Object.fromEntries(
    [
      'enableClickToDial',
      'disableClickToDial',
      'onClickToDial',
      'onNavigationChange',
      'getAppViewInfo',
      'getCallCenterSettings',
      'screenPop',
      'runApex',
      'refreshView',
      'notifyInitializationComplete',
      'setSoftphonePanelVisibility',
      'setSoftphonePanelHeight',
      'setSoftphonePanelWidth',
      'setSoftphonePanelLabel',
      'setSoftphonePanelIcon',
      'setSoftphoneItemLabel',
      'setSoftphoneItemIcon',
      'subscribe',
      'unsubscribe',
      'publish',
    ]
      .filter((method) => options.without?.includes(method) !== true)
      .map((method) => [method, (args: Record<string, unknown> = {}) => call(method, args)]),
  );
  const usual: Readonly<Record<string, () => Answer>> = {
    getCallCenterSettings: () => good(settings),
    runApex: () => good({ runApex: JSON.stringify({ assertion: 'head.body.signature' }) }),
  };
  function call(method: string, args: Record<string, unknown>): void {
    const { callback, listener, ...rest } = args;
    calls.push({ method, args: rest });
    if (options.throws !== undefined && method in options.throws) throw options.throws[method];
    if (method === 'subscribe') channels.set(`${args.channelName}`, listener as (message: unknown) => void);
    else if (typeof listener === 'function')
      listeners.set(method, [...(listeners.get(method) ?? []), listener as (payload: unknown) => void]);
    if (typeof callback !== 'function') return;
    const reply = options.answers === false ? 'never' : (replies.get(method)?.shift() ?? usual[method]?.() ?? good());
    const answer = (value: Answer): void => {
      const response: Answer & { subscription?: object } = { ...value };
      if (method === 'subscribe' && value.success) {
        response.subscription = Object.freeze({});
        tokens.push(response.subscription);
      }
      (callback as (response: Answer) => void)(response);
    };
    if (reply === 'never' || reply === 'later') late.push(() => answer(reply === 'later' ? good() : good('late')));
    else if (reply === 'twice') {
      answer(good());
      answer(bad('again'));
    } else answer(reply);
  }
  const extras: Record<string, unknown> = {
    ...(options.trustedTypes === undefined ? {} : { trustedTypes: options.trustedTypes }),
    document: {
      visibilityState: options.visibility ?? 'visible',
      documentElement: { dataset: options.scriptHost === undefined ? {} : { scriptHost: options.scriptHost } },
      createElement: () => ({ remove() {} }),
      head: {
        append(script: { src: string; onload: () => void; onerror: () => void }) {
          scripts.push(script.src);
          if (script.src.startsWith(options.servedFrom ?? 'https://acme.my.salesforce.com')) {
            (frame.window as unknown as Record<string, unknown>).sforce = { opencti };
            script.onload();
          } else script.onerror();
        },
      },
    },
  };
  const frame = fakeFrame({
    origin,
    framed: options.framed ?? true,
    search: options.search ?? search,
    url: options.url ?? 'https://phone.example.com/salesforce/',
    ...(options.framedBy === undefined ? {} : { ancestors: options.framedBy === null ? null : [options.framedBy] }),
    extras,
  });
  const host = createSalesforcePanel({
    window: frame.window,
    hostOrigins: options.hostOrigins ?? [origin],
    audience: 'https://relay.example:8443/a b',
    hostTimeoutMs: options.hostTimeoutMs ?? 2_000,
  });
  const fire = (method: string, payload: unknown): void => {
    for (const listener of listeners.get(method) ?? []) listener(payload);
  };
  const reply = (method: string, ...answers: (Answer | 'never' | 'twice' | 'later')[]): void => {
    replies.set(method, answers);
  };
  const named = (method: string) => calls.filter((one) => one.method === method);
  return {
    host,
    calls,
    scripts,
    reply,
    fire,
    late,
    listeners,
    channels,
    tokens,
    named,
    popped: () => named('screenPop').map(({ args }) => args),
  };
}

function asHostPage(page: ReturnType<typeof salesforcePage>): HostPage {
  return {
    host: page.host,
    greet: () => {},
    click: (number, { id, object, name }) =>
      page.fire('onClickToDial', { number, recordId: id, recordName: name, objectType: object }),
    misbehave() {
      for (const payload of [
        null,
        undefined,
        'text',
        7,
        {},
        { number: '' },
        { number: {} },
        { number: '1'.repeat(300) },
      ])
        page.fire('onClickToDial', payload);
      for (const payload of [
        null,
        { recordId: '../../x', objectType: 'Contact' },
        { recordId: record.id, objectType: '<b>' },
      ])
        page.fire('onNavigationChange', payload);
    },
    opened: () => page.named('screenPop').map(({ args }) => (args.params as { recordId: string }).recordId),
    refuseNextRecord: () => page.reply('screenPop', bad('An error occurred.')),
    close: () => {},
  };
}

panelHostContract('Salesforce Open CTI', {
  framed: ({ greeting, hostTimeoutMs }) => asHostPage(salesforcePage({ answers: greeting, hostTimeoutMs })),
  alone: () => asHostPage(salesforcePage({ framed: false })),
  foreign: () =>
    asHostPage(
      salesforcePage({
        search: `?mode=Lightning&sfdcIframeOrigin=${encodeURIComponent('https://evil.my.salesforce.com')}`,
      }),
    ),
  whenAlone: 'host.absent',
  whenForeign: 'host.not-authentic',
  record,
  provesIdentity: true,
});

describe('the Salesforce panel', () => {
  it('loads the script from the My Domain host first, then from the page itself', async () => {
    const first = salesforcePage({});
    await first.host.start();
    expect(first.scripts).toEqual(['https://acme.my.salesforce.com/support/api/66.0/lightning/opencti_min.js']);
    const second = salesforcePage({ servedFrom: origin });
    await second.host.start();
    expect(second.scripts).toEqual([
      'https://acme.my.salesforce.com/support/api/66.0/lightning/opencti_min.js',
      'https://acme.lightning.force.com/support/api/66.0/lightning/opencti_min.js',
    ]);
  });

  it('loads it from a listed page that is not Salesforce, and from nowhere else', async () => {
    const sandbox = 'http://localhost:4100';
    const page = salesforcePage({
      search: `?mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(sandbox)}`,
      hostOrigins: [sandbox],
      servedFrom: sandbox,
      framedBy: sandbox,
      url: 'http://localhost:4000/salesforce/',
    });
    await page.host.start();
    expect(page.scripts).toEqual(['http://localhost:4100/support/api/66.0/lightning/opencti_min.js']);
  });

  it('loads no script for an address that is not exactly on the list', async () => {
    for (const query of [
      '',
      '?mode=Lightning',
      `?mode=Lightning&sfdcIFrameOrigin=${encodeURIComponent(origin)}`,
      `?sfdcIframeOrigin=${encodeURIComponent(origin)}`,
      `?mode=Classic&sfdcIframeOrigin=${encodeURIComponent(origin)}`,
      `?mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(`${origin}/`)}`,
      `?mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(`${origin}.evil.example`)}`,
      `?mode=Lightning&sfdcIframeOrigin=${encodeURIComponent(origin)}&sfdcIframeOrigin=https%3A%2F%2Fevil.example`,
    ]) {
      const page = salesforcePage({ search: query });
      const code = await page.host.start().then(() => 'works', errorCode);
      expect(['host.absent', 'host.not-authentic'], query).toContain(code);
      expect(page.scripts, query).toEqual([]);
    }
  });

  it('does not believe the query when another page frames it', async () => {
    const page = salesforcePage({ framedBy: 'https://evil.example' });
    await expect(page.host.start()).rejects.toMatchObject({ code: 'host.not-authentic' });
  });

  it('names the hosts when no script comes', async () => {
    const page = salesforcePage({ servedFrom: 'https://nowhere.example' });
    await expect(page.host.start()).rejects.toMatchObject({
      code: 'host.silent',
      message: expect.stringContaining('acme.my.salesforce.com or acme.lightning.force.com'),
    });
  });

  it('says what to do when the agent has no call center', async () => {
    const page = salesforcePage({});
    page.reply('getCallCenterSettings', bad('no call center'));
    await expect(page.host.start()).rejects.toMatchObject({
      code: 'host.refused',
      message: expect.stringContaining('Call Centers'),
    });
  });

  it('registers each listener once, enables click-to-dial and ends the standby', async () => {
    const page = salesforcePage({});
    await page.host.start();
    await page.host.start();
    for (const method of ['onClickToDial', 'onNavigationChange', 'enableClickToDial', 'notifyInitializationComplete'])
      expect(page.named(method), method).toHaveLength(1);
  });

  it('disables click-to-dial while nobody is signed in', async () => {
    const page = salesforcePage({});
    await page.host.start();
    page.host.showAvailability({ signedIn: false, available: false });
    page.host.showAvailability({ signedIn: false, available: false });
    page.host.showAvailability({ signedIn: true, available: true });
    expect(page.named('disableClickToDial')).toHaveLength(1);
    expect(page.named('enableClickToDial')).toHaveLength(2);
  });

  it('takes late and doubled answers calmly', async () => {
    const page = salesforcePage({ hostTimeoutMs: 20 });
    await page.host.start();
    page.reply('screenPop', 'twice');
    await page.host.pop({ kind: 'record', record });
    page.reply('screenPop', 'never');
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({
      code: 'host.silent',
      retryable: true,
    });
    for (const answer of page.late) answer();
  });

  it('asks Apex for a proof made for this relay', async () => {
    const page = salesforcePage({});
    await page.host.start();
    expect(await page.host.proveIdentity()).toEqual({ kind: 'salesforce-assertion', assertion: 'head.body.signature' });
    expect(page.named('runApex')[0]?.args).toEqual({
      apexClass: 'PatchcordIdentity',
      methodName: 'mintAssertion',
      methodParams: 'audience=https%3A%2F%2Frelay.example%3A8443%2Fa%20b',
    });
  });

  it('says what to do when Apex is missing or answers nonsense', async () => {
    const page = salesforcePage({});
    await page.host.start();
    page.reply('runApex', bad('Could not load Apex class: PatchcordIdentity'));
    await expect(page.host.proveIdentity()).rejects.toMatchObject({
      code: 'host.refused',
      message: expect.stringContaining('permission set'),
    });
    for (const value of [null, {}, { runApex: 'not json' }, { runApex: '{}' }, { runApex: '{"assertion":7}' }]) {
      page.reply('runApex', good(value));
      await expect(page.host.proveIdentity()).rejects.toMatchObject({ code: 'host.refused' });
    }
  });

  it('shows its state outside the panel, and raises it once per ring', async () => {
    const page = salesforcePage({});
    await page.host.start();
    page.host.showState('ready', 'Phone');
    page.host.showState('ready', 'Phone');
    page.host.showState('ringing', 'Unknown caller');
    page.host.showState('ringing', 'Elena Marchetti');
    page.host.showState('in-call', 'Elena Marchetti');
    expect(page.named('setSoftphoneItemLabel').map(({ args }) => args.label)).toEqual([
      'Phone',
      'Unknown caller',
      'Elena Marchetti',
      'Elena Marchetti',
    ]);
    expect(page.named('setSoftphonePanelLabel').map(({ args }) => args)).toEqual(
      page.named('setSoftphoneItemLabel').map(({ args }) => args),
    );
    for (const icon of ['setSoftphoneItemIcon', 'setSoftphonePanelIcon'])
      expect(
        page.named(icon).map(({ args }) => args.key),
        icon,
      ).toEqual(['call', 'incoming_call', 'incoming_call', 'unmuted']);
    expect(page.named('setSoftphonePanelVisibility')).toEqual([
      { method: 'setSoftphonePanelVisibility', args: { visible: true } },
    ]);
  });

  it('hears which record is shown, once per record, a person account as its contact', async () => {
    const page = salesforcePage({});
    page.reply(
      'getAppViewInfo',
      good({ url: '/x', recordId: record.id, recordName: record.name, objectType: 'Contact' }),
    );
    const shown: (RecordRef | null)[] = [];
    page.host.onRecordShown((one) => shown.push(one));
    await page.host.start();
    await new Promise((resolve) => setTimeout(resolve, 0));
    page.fire('onNavigationChange', { url: '/x', recordId: record.id, recordName: record.name, objectType: 'Contact' });
    page.fire('onNavigationChange', { url: '/lightning/o/Contact/list', recordId: '', objectType: '' });
    page.fire('onNavigationChange', {
      recordId: '001Pc00000000ABIAY',
      recordName: 'Mina Sato',
      objectType: 'Account',
      personAccount: true,
      contactId: '003Pc00000000ACIAY',
    });
    expect(shown).toEqual([
      record,
      null,
      { crm: 'salesforce', object: 'Contact', id: '003Pc00000000ACIAY', name: 'Mina Sato' },
    ]);
  });

  it('tells an id of 15 characters as the relay does, with 18', async () => {
    const page = salesforcePage({});
    const shown: (RecordRef | null)[] = [];
    const dialled: unknown[] = [];
    page.host.onRecordShown((one) => shown.push(one));
    page.host.onDialRequested(({ record: one }) => dialled.push(one?.id));
    await page.host.start();
    for (const [short, long] of [
      ['003Pc00000000AA', '003Pc00000000AAIAY'],
      ['0015000000Gv7qJ', '0015000000Gv7qJAAR'],
      ['001A0000006Vm9u', '001A0000006Vm9uIAC'],
      ['ABCDEFGHIJabcdZ', 'ABCDEFGHIJabcdZ55Q'],
    ] as const) {
      shown.length = 0;
      page.fire('onNavigationChange', { recordId: short, objectType: 'Contact' });
      // The same record.
      page.fire('onNavigationChange', { recordId: long, objectType: 'Contact' });
      expect(shown.map((one) => one?.id)).toEqual([long]);
    }
    page.fire('onClickToDial', { number: '204', recordId: '0015000000Gv7qJ', objectType: 'Account' });
    expect(dialled).toEqual(['0015000000Gv7qJAAR']);
  });

  it('hears that the agent is on its page when the page gets the focus, and not once it is stopped', async () => {
    const page = salesforcePage({});
    let looks = 0;
    page.host.onLookedAt?.(() => {
      looks += 1;
    });
    await page.host.start();
    for (let turn = 0; turn < 2; turn += 1)
      page.fire('onNavigationChange', { url: '/x', recordId: record.id, objectType: 'Contact' });
    expect(looks).toBe(2);
    page.host.stop();
    page.fire('onNavigationChange', { url: '/x' });
    expect(looks).toBe(2);
  });

  it('refreshes the timeline when a log was saved, at most once in two seconds and then once more', async () => {
    vi.useFakeTimers();
    try {
      const page = salesforcePage({});
      await page.host.start();
      for (let call = 0; call < 5; call += 1) page.host.logSaved({ id: `call-${call}` }, '00T000000000001');
      expect(page.named('refreshView')).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1_999);
      expect(page.named('refreshView')).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(page.named('refreshView')).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(page.named('refreshView')).toHaveLength(2);
      page.host.logSaved({ id: 'call-5' }, '00T000000000001');
      page.host.logSaved({ id: 'call-6' }, '00T000000000001');
      page.host.stop();
      await vi.advanceTimersByTimeAsync(10_000);
      expect(page.named('refreshView')).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });

  it('refreshes nothing in a hidden tab, nor under a form that is being filled in', async () => {
    const hidden = salesforcePage({ visibility: 'hidden' });
    await hidden.host.start();
    hidden.host.logSaved({ id: 'call-1' }, '00T000000000001');
    expect(hidden.named('refreshView')).toEqual([]);

    const page = salesforcePage({});
    await page.host.start();
    page.fire('onNavigationChange', { url: '/lightning/r/Contact/x/edit' });
    page.host.logSaved({ id: 'call-1' }, '00T000000000001');
    expect(page.named('refreshView')).toEqual([]);
    page.fire('onNavigationChange', { url: '/lightning/r/Contact/x/view' });
    page.host.logSaved({ id: 'call-2' }, '00T000000000001');
    expect(page.named('refreshView')).toHaveLength(1);
  });

  it('knows its own records only', async () => {
    const page = salesforcePage({});
    await page.host.start();
    await expect(
      page.host.pop({ kind: 'record', record: { crm: 'hubspot', object: 'contact', id: '5' } }),
    ).rejects.toMatchObject({
      code: 'crm.not-found',
    });
    page.reply('screenPop', bad('Record not found'));
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({ code: 'crm.not-found' });
  });
});

const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'works', errorCode);
const from = (sfdc: string, more = 'mode=Lightning'): string => `?${more}&sfdcIframeOrigin=${encodeURIComponent(sfdc)}`;

describe('where the phone may be opened', () => {
  it('takes exactly the pages that the genuine script takes', () => {
    for (const good of [
      'https://acme.lightning.force.com',
      'https://acme--uat.sandbox.lightning.force.com:8443',
      'https://acme.my-visualforce.com',
      'https://acme.visualforce.com',
      'https://acme.my-lightning.com',
      'https://acme.my-salesforce.com',
      'https://acme.salesforce.mil',
      'https://acme.crmforce.ms',
    ])
      expect(scriptAccepts(good), good).toBe(true);
    for (const wrong of [
      'https://acme.lightning.force.com/',
      'https://acme.my.salesforce-setup.com',
      'https://force.com',
      'https://acme.lightning.force.com.evil.example',
      'https://acme.force.com@evil.example',
      'ftp://acme.force.com',
      'http://localhost:4100',
    ])
      expect(scriptAccepts(wrong), wrong).toBe(false);
    // Version 43 knew two endings.
    expect(scriptAccepts('https://acme.lightning.force.com', 43)).toBe(true);
    expect(scriptAccepts('https://acme.my.salesforce.com', 43)).toBe(true);
    expect(scriptAccepts('https://acme.my-lightning.com', 43)).toBe(false);
  });

  it.each([
    ['opened as a page of its own', { framed: false }, 'host.absent', /utility bar/],
    ['without parameters', { search: '' }, 'host.absent', /adapter URL redirects/],
    ['by Salesforce Classic', { search: from(origin).replace('Iframe', 'IFrame') }, 'host.absent', /Classic/],
    ['in another mode', { search: from(origin, 'mode=Classic') }, 'host.absent', /compatibility mode/],
    ['as the standby page', { search: `${search}&standby=1` }, 'host.absent', /reqTimeout/],
    ['with a parameter twice', { search: `${search}&mode=Lightning` }, 'host.not-authentic', /twice/],
    ['by a page that is not listed', { search: from('https://evil.my.salesforce.com') }, 'host.not-authentic', /list/],
    [
      'by a listed page that the script does not know',
      {
        search: from('https://acme.my.salesforce-setup.com'),
        hostOrigins: ['https://acme.my.salesforce-setup.com'],
        framedBy: 'https://acme.my.salesforce-setup.com',
      },
      'host.not-authentic',
      /does not work for https:\/\/acme\.my\.salesforce-setup\.com/,
    ],
    [
      'by https while the phone is http',
      { url: 'http://phone.example.com/salesforce/' },
      'host.not-authentic',
      /must both be https/,
    ],
    ['by another page than the one it names', { framedBy: 'https://evil.example' }, 'host.not-authentic', /evil/],
    ['where no script comes', { servedFrom: 'https://nowhere.example' }, 'host.silent', /administrator/],
    ['where nobody answers', { answers: false, hostTimeoutMs: 20 }, 'host.silent', /Reload/],
    [
      'where the script throws a bare string',
      { throws: { getCallCenterSettings: 'Failed to initialize Open CTI.' } },
      'host.refused',
      /Failed to initialize/,
    ],
  ] satisfies [string, PageOptions, string, RegExp][])(
    'explains itself %s',
    async (_case, options: PageOptions, code, words) => {
      const page = salesforcePage(options);
      const error: unknown = await page.host.start().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code, message: expect.stringMatching(words) });
    },
  );

  it('works where the browser does not say who frames it', async () => {
    const page = salesforcePage({ framedBy: null });
    await page.host.start();
  });

  it('asks a script host that was set before all others, and only one of Salesforce', async () => {
    const vf = 'https://acme--phone.vf.force.com';
    const page = salesforcePage({
      servedFrom: vf,
      scriptHost: `https://evil.example http://acme.my.salesforce.com ${vf}`,
    });
    await page.host.start();
    expect(page.scripts).toEqual([`${vf}/support/api/66.0/lightning/opencti_min.js`]);
    expect(scriptOrigins([origin], [vf, 'https://evil.example'])).toEqual([
      vf,
      'https://acme.my.salesforce.com',
      origin,
    ]);
  });

  it('registers no listener twice, and none too few, when the first start broke off between them', async () => {
    const throws: Record<string, unknown> = { onNavigationChange: 'not yet' };
    const page = salesforcePage({ throws });
    expect(await codeOf(page.host.start())).toBe('host.refused');
    delete throws.onNavigationChange;
    await page.host.start();
    expect(page.named('onClickToDial')).toHaveLength(1);
    expect(page.listeners.get('onNavigationChange')).toHaveLength(1);
  });

  it('makes its Trusted Types policy once, and lets nothing through it but the script', async () => {
    const policies: { createScriptURL: (url: string) => string }[] = [];
    const trustedTypes = {
      createPolicy(name: string, rules: { createScriptURL: (url: string) => string }) {
        if (policies.length > 0) throw new TypeError(`Policy with name "${name}" already exists.`);
        policies.push(rules);
        return rules;
      },
    };
    const page = salesforcePage({ servedFrom: 'https://nowhere.example', trustedTypes });
    for (let attempt = 0; attempt < 2; attempt += 1) expect(await codeOf(page.host.start())).toBe('host.silent');
    expect(() => policies[0]?.createScriptURL('https://evil.example/x.js')).toThrow(TypeError);
  });

  it('can be started again after it failed', async () => {
    const page = salesforcePage({});
    page.reply('getCallCenterSettings', bad('no call center'));
    await expect(page.host.start()).rejects.toMatchObject({ code: 'host.refused' });
    await page.host.start();
    expect(page.scripts).toHaveLength(1);
    expect(page.named('onClickToDial')).toHaveLength(1);
  });
});

describe('an answer of Open CTI', () => {
  it('from a page that is still being built says nothing about the agent: it may be asked again', async () => {
    const page = salesforcePage({});
    const building = {
      success: false,
      returnValue: null,
      errors: [{ code: 'SOFTPHONE_CONTAINER_ERROR', description: 'The softphone container hasn’t initialized yet.' }],
    };
    page.reply('getCallCenterSettings', building, building);
    for (let attempt = 0; attempt < 2; attempt += 1)
      await expect(page.host.start()).rejects.toMatchObject({
        code: 'host.silent',
        retryable: true,
        message: expect.stringContaining('not ready yet'),
      });
    await page.host.start();
    expect(page.named('notifyInitializationComplete')).toHaveLength(1);
  });

  it('that is no map of settings is not believed, and asked for again', async () => {
    const page = salesforcePage({});
    page.reply('getCallCenterSettings', good({ visible: true }));
    await page.host.start();
    expect(page.named('getCallCenterSettings')).toHaveLength(2);
    const stubborn = salesforcePage({});
    stubborn.reply('getCallCenterSettings', good([]), good('late'));
    expect(await codeOf(stubborn.host.start())).toBe('host.silent');
  });

  it.each([
    ['an array of errors', { success: false, errors: [{ code: 'A', description: 'why' }] }],
    ['the other spelling', { success: false, error: [{ code: 'A', description: 'why' }] }],
    ['a bare text', { success: false, errors: ['A: why'] }],
  ])('says why, as %s', async (_shape, answer) => {
    const page = salesforcePage({});
    await page.host.start();
    page.reply('screenPop', answer as never);
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({
      code: 'host.refused',
      message: expect.stringContaining('A: why'),
    });
  });

  it.each([
    ['a bare string', 'not here'],
    ['what can’t be copied', new DOMException('could not be cloned', 'DataCloneError')],
    ['nothing', undefined],
  ])('that is thrown as %s becomes a refusal', async (_what, thrown) => {
    const page = salesforcePage({ throws: { screenPop: thrown } });
    await page.host.start();
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({ code: 'host.refused' });
  });

  it('a label that can’t be shown disturbs nobody', async () => {
    const page = salesforcePage({
      throws: {
        setSoftphoneItemLabel: 'no',
        refreshView: 'no',
        notifyInitializationComplete: 'no',
        enableClickToDial: 1,
      },
      without: ['setSoftphonePanelLabel', 'subscribe', 'publish'],
    });
    await page.host.start();
    page.host.showState('ringing', 'Elena');
    page.host.logSaved({ id: 'call' }, '00T000000000001');
    expect(page.named('setSoftphonePanelVisibility')).toHaveLength(1);
  });
});

describe('the panel in the page', () => {
  it('takes its size from the call center, within what Salesforce takes', async () => {
    const sizes = async (height: string, width: string) => {
      const page = salesforcePage({});
      page.reply(
        'getCallCenterSettings',
        good({ ...settings, '/reqGeneralInfo/reqSoftphoneHeight': height, '/reqGeneralInfo/reqSoftphoneWidth': width }),
      );
      await page.host.start();
      return [
        page.named('setSoftphonePanelHeight')[0]?.args.heightPX,
        page.named('setSoftphonePanelWidth')[0]?.args.widthPX,
      ];
    };
    expect(await sizes('560', '360')).toEqual([560, 360]);
    expect(await sizes('560 (tel:560)', '360.0')).toEqual([560, 360]);
    expect(await sizes('9000', '10')).toEqual([2_560, 200]);
    expect(await sizes('10', '9000')).toEqual([240, 1_920]);
    expect(await sizes('tall', '')).toEqual([undefined, undefined]);
  });

  it('does not let the first look at the page overwrite a newer one', async () => {
    const page = salesforcePage({});
    page.reply('getAppViewInfo', 'later');
    const shown: unknown[] = [];
    page.host.onRecordShown((one) => shown.push(one));
    await page.host.start();
    page.fire('onNavigationChange', { recordId: record.id, recordName: record.name, objectType: 'Contact' });
    for (const answer of page.late) answer();
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(shown).toEqual([record]);
  });
});

describe('a click on a number', () => {
  it('comes with its extension, its record and what the component added, as typed', async () => {
    const page = salesforcePage({});
    await page.host.start();
    const heard: unknown[] = [];
    page.host.onDialRequested((request) => heard.push(request));
    page.fire('onClickToDial', {
      number: '(415) 555-1212 x12',
      recordId: record.id,
      recordName: record.name,
      objectType: 'Contact',
      params: 'campaign=7,list=2',
    });
    page.fire('onClickToDial', { number: 4155551212, params: { not: 'text' } });
    page.fire('onClickToDial', {
      number: '5',
      recordId: '001Pc00000000ABIAY',
      objectType: 'Account',
      personAccount: true,
      contactId: '003Pc00000000ACIAY',
      recordName: 'Mina Sato',
    });
    expect(heard).toEqual([
      { number: '(415) 555-1212 x12', record, params: 'campaign=7,list=2' },
      { number: '4155551212' },
      { number: '5', record: { crm: 'salesforce', object: 'Contact', id: '003Pc00000000ACIAY', name: 'Mina Sato' } },
    ]);
  });

  it('is not heard while nobody is signed in', async () => {
    const page = salesforcePage({});
    await page.host.start();
    const heard: unknown[] = [];
    page.host.onDialRequested((request) => heard.push(request));
    page.host.showAvailability({ signedIn: false, available: false });
    page.fire('onClickToDial', { number: '4155551212' });
    expect(heard).toEqual([]);
  });
});

describe('what opens in front of the agent', () => {
  const form = {
    kind: 'new-record',
    object: 'Contact',
    fields: { LastName: 'Rossi' },
    number: '+14155550101',
  } as const;
  const opened = async (options: PageOptions = {}) => {
    const page = salesforcePage(options);
    await page.host.start();
    return page;
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

  it('is a record, a search, a form, a flow or a page, each in Open CTI’s own words', async () => {
    const { host, popped } = await opened();
    expect([...host.can.pops].sort()).toEqual(['flow', 'new-record', 'record', 'search', 'url']);
    await host.pop({ kind: 'record', record });
    await host.pop({ kind: 'search', text: ' 4155550101 ' });
    await host.pop({ kind: 'flow', name: 'Caller', variables: { patchcordNumber: '+14155550101' } });
    await host.pop({ kind: 'url', url: '/lightning/n/Desk?c__n=%2B1' });
    await host.pop(form);
    expect(popped()).toEqual([
      { type: 'sobject', params: { recordId: record.id } },
      { type: 'search', params: { searchString: '4155550101' } },
      {
        type: 'flow',
        params: {
          flowDevName: 'Caller',
          flowArgs: [{ name: 'patchcordNumber', type: 'String', value: '+14155550101' }],
        },
      },
      { type: 'url', params: { url: '/lightning/n/Desk?c__n=%2B1' } },
      {
        type: 'newRecord',
        params: { entityName: 'Contact', defaultFieldValues: { Phone: '+14155550101', LastName: 'Rossi' } },
      },
    ]);
  });

  it('is never another site, a word too short, or a name that is none', async () => {
    const { host, popped } = await opened();
    for (const url of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '\\evil',
      '/\t/evil.example',
      '/\u0000/evil',
      'javascript:alert(1)',
      '',
      'lightning/page',
    ])
      expect(await codeOf(host.pop({ kind: 'url', url })), url).toBe('host.refused');
    expect(await codeOf(host.pop({ kind: 'search', text: ' 12 ' }))).toBe('host.refused');
    expect(await codeOf(host.pop({ kind: 'flow', name: 'A B', variables: {} }))).toBe('host.refused');
    expect(await codeOf(host.pop({ ...form, object: '../x' }))).toBe('host.refused');
    expect(popped()).toEqual([]);
  });

  it('opens one after the other, in the order asked for, also after one that failed', async () => {
    const page = await opened({ hostTimeoutMs: 200 });
    page.reply('screenPop', 'later', bad('no'), good());
    const first = page.host.pop({ kind: 'search', text: 'first' });
    const second = codeOf(page.host.pop({ kind: 'search', text: 'second' }));
    const third = page.host.pop({ kind: 'search', text: 'third' });
    await turn();
    expect(page.popped()).toHaveLength(1);
    for (const answer of page.late) answer();
    await first;
    expect(await second).toBe('host.refused');
    await third;
    expect(page.popped().map(({ params }) => (params as { searchString: string }).searchString)).toEqual([
      'first',
      'second',
      'third',
    ]);
  });

  it('never replaces the form that the agent fills in: a second caller waits until it is gone', async () => {
    const page = await opened();
    await page.host.pop(form);
    page.fire('onNavigationChange', { url: '/lightning/o/Contact/new?count=1' });
    const waiting = page.host.pop({ kind: 'record', record });
    await turn();
    expect(page.popped()).toHaveLength(1);
    page.fire('onNavigationChange', { url: '/lightning/o/Contact/new?count=1' });
    await turn();
    expect(page.popped()).toHaveLength(1);
    page.fire('onNavigationChange', { url: '/lightning/r/Contact/x/view', recordId: record.id, objectType: 'Contact' });
    await waiting;
    expect(page.popped()).toHaveLength(2);
  });

  it('takes a record that was not there before for the end of a form the page said nothing of', async () => {
    const page = await opened();
    await page.host.pop(form);
    const waiting = page.host.pop({ kind: 'search', text: 'next' });
    page.fire('onNavigationChange', { recordId: '003Pc00000000ZZIAY', objectType: 'Contact' });
    await waiting;
    expect(page.popped()).toHaveLength(2);
  });

  it.each([
    '/lightning/o/Contact/new?count=1',
    '/lightning/r/Contact/003Pc00000000AAIAY/edit?navigationLocation=DETAIL',
  ])('waits for a form that the agent opened as well: %s', async (url) => {
    const page = await opened();
    page.fire('onNavigationChange', { url, recordId: record.id, objectType: 'Contact' });
    const waiting = page.host.pop({ kind: 'record', record });
    page.fire('onNavigationChange', { url, recordId: record.id, objectType: 'Contact' });
    await turn();
    expect(page.popped()).toEqual([]);
    page.fire('onNavigationChange', { url: '/lightning/r/Contact/x/view', recordId: record.id, objectType: 'Contact' });
    await waiting;
    expect(page.popped()).toHaveLength(1);
  });

  it('waits for the form that was open when the phone was loaded, and for none in a page that only sounds like one', async () => {
    const page = salesforcePage({});
    page.reply('getAppViewInfo', good({ url: '/lightning/o/Lead/new' }));
    await page.host.start();
    await turn();
    void page.host.pop({ kind: 'record', record });
    await turn();
    expect(page.popped()).toEqual([]);
    page.host.stop();

    const other = await opened();
    for (const url of ['/lightning/n/news', '/lightning/r/Contact/x/view?from=/lightning/o/Contact/new', '/a/newest'])
      other.fire('onNavigationChange', { url });
    await other.host.pop({ kind: 'record', record });
    expect(other.popped()).toHaveLength(1);
  });

  it('takes a console that gets the focus, its record still the same, for no end of the form', async () => {
    vi.useFakeTimers();
    try {
      const page = await opened();
      const shown = { url: '/lightning/r/Contact/x/view', recordId: record.id, objectType: 'Contact' };
      page.fire('onNavigationChange', shown);
      await page.host.pop(form);
      const waiting = page.host.pop({ kind: 'search', text: 'next' });
      await vi.advanceTimersByTimeAsync(60_000);
      for (let turns = 0; turns < 3; turns += 1) page.fire('onNavigationChange', shown);
      await vi.advanceTimersByTimeAsync(0);
      expect(page.popped()).toHaveLength(1);
      page.fire('onNavigationChange', { url: '/lightning/o/Contact/list' });
      await waiting;
      expect(page.popped()).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('takes a form that opens after the deadline for open', async () => {
    const page = await opened({ hostTimeoutMs: 5 });
    page.reply('screenPop', 'later', good());
    expect(await codeOf(page.host.pop(form))).toBe('host.silent');
    const waiting = page.host.pop({ kind: 'record', record });
    for (const answer of page.late) answer();
    await turn();
    expect(page.popped()).toHaveLength(1);
    page.fire('onNavigationChange', { url: '/x', recordId: '003Pc00000000ZZIAY', objectType: 'Contact' });
    await waiting;
    expect(page.popped()).toHaveLength(2);
  });

  it('does not take late news of what was shown before the form for its end', async () => {
    const page = await opened();
    await page.host.pop({ kind: 'record', record });
    await page.host.pop(form);
    void page.host.pop({ kind: 'record', record });
    page.fire('onNavigationChange', { url: '/lightning/r/Contact/x/view', recordId: record.id, objectType: 'Contact' });
    await turn();
    page.fire('onNavigationChange', { url: '/lightning/o/Contact/list' });
    await turn();
    expect(page.popped()).toHaveLength(2);
    page.host.stop();
  });

  it('waits for a form that nobody hears of for five minutes at most', async () => {
    vi.useFakeTimers();
    try {
      const page = await opened();
      await page.host.pop(form);
      const waiting = page.host.pop({ kind: 'record', record });
      await vi.advanceTimersByTimeAsync(299_000);
      expect(page.popped()).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1_000);
      await waiting;
      expect(page.popped()).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is dropped when the call ended meanwhile, and opens over the form when the agent says so', async () => {
    const page = await opened();
    await page.host.pop(form);
    page.fire('onNavigationChange', { url: '/lightning/o/Contact/new' });
    let inCall = true;
    const waiting = page.host.pop({ kind: 'search', text: 'gone' }, { wanted: () => inCall });
    inCall = false;
    await page.host.pop({ kind: 'record', record }, { byAgent: true });
    await waiting;
    expect(page.popped().map(({ type }) => type)).toEqual(['newRecord', 'sobject']);
  });
});

describe('the message channel', () => {
  const call = 'c1a2a9a0-7f3e-4b5e-9f8a-0123456789ab';
  const opened = async (options: PageOptions = {}) => {
    const page = salesforcePage(options);
    const heard: unknown[] = [];
    page.host.channel?.onCommand((command) => heard.push(command));
    await page.host.start();
    return { ...page, heard };
  };

  it('is the one of the package, or the one the call center names', async () => {
    const usual = await opened();
    expect([...usual.channels.keys()]).toEqual(['Patchcord_Phone__c']);
    for (const [name, used] of [
      ['acme__Phone__c', 'acme__Phone__c'],
      ['not a channel', 'Patchcord_Phone__c'],
    ] as const) {
      const page = salesforcePage({});
      page.reply('getCallCenterSettings', good({ ...settings, '/Patchcord/MessageChannel': name }));
      await page.host.start();
      expect([...page.channels.keys()]).toEqual([used]);
    }
  });

  it('carries news out and believes only well-formed commands', async () => {
    const page = await opened();
    page.host.channel?.publish({ type: 'result', id: '1', ok: true, reason: '' });
    page.host.logSaved({ id: call }, '00T000000000001');
    expect(page.named('publish').map(({ args }) => args)).toEqual([
      { channelName: 'Patchcord_Phone__c', message: { news: { type: 'result', id: '1', ok: true, reason: '' } } },
      {
        channelName: 'Patchcord_Phone__c',
        message: { news: { type: 'logged', call, logId: '00T000000000001' } },
      },
    ]);
    const say = page.channels.get('Patchcord_Phone__c');
    for (const message of [
      null,
      7,
      'dial',
      {},
      { news: { command: 'sync', id: 'a' } },
      { command: { command: 'dial', id: 'a', number: '1'.repeat(200) } },
      { command: { command: 'answer', id: 'a', call: 'none' } },
      { command: { command: 'transfer', id: 'a', call } },
      { command: { command: 'sync', id: '' } },
    ])
      say?.(message);
    expect(page.heard).toEqual([]);
    say?.({ command: { command: 'dial', id: 'a', number: '5550101', evil: { toString: 1 } }, news: 'mine' });
    say?.({ command: { command: 'hold', id: 'b', call } });
    expect(page.heard).toEqual([
      { command: 'dial', id: 'a', number: '5550101' },
      { command: 'hold', id: 'b', call },
    ]);
  });

  it('is given back with the very token it came with', async () => {
    const page = await opened();
    page.host.stop();
    page.host.stop();
    expect(page.named('unsubscribe')).toHaveLength(1);
    expect(page.named('unsubscribe')[0]?.args.subscription).toBe(page.tokens[0]);
    page.channels.get('Patchcord_Phone__c')?.({ command: { command: 'sync', id: 'a' } });
    expect(page.heard).toEqual([]);
  });

  it('is not there where the page refuses it, never answers or has an old script; the phone works', async () => {
    for (const kind of ['refused', 'silent', 'old'] as const) {
      const page = salesforcePage(kind === 'old' ? { without: ['subscribe', 'publish', 'unsubscribe'] } : {});
      if (kind === 'refused') page.reply('subscribe', bad('No such channel.'));
      if (kind === 'silent') page.reply('subscribe', 'never');
      await page.host.start();
      page.host.channel?.publish({ type: 'result', id: '1', ok: true, reason: '' });
      await page.host.pop({ kind: 'record', record });
      expect(page.named('publish'), kind).toEqual([]);
      page.host.stop();
    }
  });

  it('opens also when the page agrees late', async () => {
    const page = salesforcePage({ hostTimeoutMs: 5 });
    page.reply('subscribe', 'later');
    await page.host.start();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const answer of page.late) answer();
    page.host.channel?.publish({ type: 'result', id: '1', ok: true, reason: '' });
    expect(page.named('publish')).toHaveLength(1);
  });
});

describe('a look at the set-up', () => {
  const look = async (page: ReturnType<typeof salesforcePage>) => {
    const checks = (await page.host.selfChecks?.()) ?? [];
    const results = [];
    for (const check of checks) results.push({ id: check.id, ...(await check.run()) });
    return new Map(results.map(({ id, ...result }) => [id, result]));
  };

  it('finds everything good, before the phone was started and after', async () => {
    const page = salesforcePage({});
    const before = await look(page);
    expect([...before.keys()]).toEqual([
      'parameters',
      'origin',
      'script',
      'call-center',
      'apex',
      'message-channel',
      'click-to-dial',
    ]);
    expect([...before.values()].map(({ verdict }) => verdict)).toEqual(Array(7).fill('good'));
    expect(before.get('script')?.found).toContain('acme.my.salesforce.com');
    expect(JSON.stringify([...before])).not.toContain('head.body.signature');
    expect(page.named('unsubscribe')).toHaveLength(1);
    // Nobody would hear a click yet.
    expect(page.named('disableClickToDial')).toHaveLength(1);
    await page.host.start();
    const after = await look(page);
    expect([...after.values()].every(({ verdict }) => verdict === 'good')).toBe(true);
    expect(page.named('onClickToDial')).toHaveLength(1);
    expect(page.scripts).toHaveLength(1);
    expect(page.named('disableClickToDial')).toHaveLength(1);
  });

  it('gives back what the page opens or enables only after the deadline', async () => {
    const page = salesforcePage({ hostTimeoutMs: 5 });
    page.reply('subscribe', 'later');
    page.reply('enableClickToDial', 'later');
    const results = await look(page);
    expect(['message-channel', 'click-to-dial'].map((id) => results.get(id)?.verdict)).toEqual(['bad', 'bad']);
    expect([...page.named('unsubscribe'), ...page.named('disableClickToDial')]).toEqual([]);
    for (const answer of page.late) answer();
    expect(page.named('unsubscribe').map(({ args }) => args.subscription)).toEqual(page.tokens);
    expect(page.named('disableClickToDial')).toHaveLength(1);
  });

  it.each([
    ['outside Salesforce', { framed: false }, 'parameters', 'bad', /utility bar/],
    ['without parameters', { search: '?x=1' }, 'parameters', 'bad', /redirect/],
    ['without parameters', { search: '?x=1' }, 'origin', 'unsure', /redirect/],
    ['of a stranger’s page', { search: from('https://evil.my.salesforce.com') }, 'origin', 'bad', /host origins/],
    ['of a stranger’s page', { search: from('https://evil.my.salesforce.com') }, 'parameters', 'good', /^$/],
    ['in a browser that says little', { framedBy: null }, 'origin', 'unsure', /relay/],
    ['where no script comes', { servedFrom: 'https://nowhere.example' }, 'script', 'bad', /administrator/],
    ['with an impossible script host', { scriptHost: 'https://evil.example' }, 'script', 'unsure', /script host/],
    ['where nobody answers', { answers: false, hostTimeoutMs: 20 }, 'call-center', 'bad', /Reload/],
    ['of another phone', { url: 'https://other.example/salesforce' }, 'call-center', 'unsure', /CTI Adapter URL/],
    ['of an old script', { without: ['subscribe'] }, 'message-channel', 'bad', /Reload/],
  ] satisfies [string, PageOptions, string, string, RegExp][])(
    'tells what is wrong %s',
    async (_case, options: PageOptions, id, verdict, words) => {
      const result = (await look(salesforcePage(options))).get(id);
      expect(result?.verdict).toBe(verdict);
      expect(result?.advice ?? '').toMatch(words);
    },
  );

  it.each([
    ['Could not load Apex class: PatchcordIdentity', /Apex Classes.*Patchcord Agent/],
    ['You do not have access to the Apex class named PatchcordIdentity', /^Assign the permission set/],
    ['System.NoDataFoundException: Data Not Available: certificate Patchcord', /Certificate and Key Management/],
    ['The audience must be the https origin of the relay.', /must be https/],
    ['A problem was encountered on the server.', /Debug Logs/],
  ])('tells apart what keeps Apex from vouching: %s', async (reason, advice) => {
    const page = salesforcePage({});
    page.reply('runApex', bad(reason));
    const result = (await look(page)).get('apex');
    expect(result).toMatchObject({ verdict: 'bad', found: expect.stringContaining(reason) });
    expect(result?.advice).toMatch(advice);
  });

  it('says when the user has no call center, the channel is not deployed, or numbers stay dead', async () => {
    const page = salesforcePage({});
    page.reply('getCallCenterSettings', bad('no call center'), good(settings));
    page.reply('subscribe', bad('No channel.'));
    page.reply('enableClickToDial', bad('Not in a call center.'));
    const results = await look(page);
    expect(results.get('call-center')?.advice).toContain('Manage Call Center Users');
    expect(results.get('message-channel')?.advice).toContain('Patchcord_Phone');
    expect(results.get('click-to-dial')?.advice).toContain('Manage Call Center Users');
  });

  it('warns of a standby address that comes too soon', async () => {
    const page = salesforcePage({});
    const soon = {
      ...settings,
      '/reqGeneralInfo/reqStandbyUrl': 'https://x.example',
      '/reqGeneralInfo/reqTimeout': '3000',
    };
    page.reply('getCallCenterSettings', good(soon));
    expect((await look(page)).get('call-center')).toMatchObject({
      verdict: 'unsure',
      advice: expect.stringContaining('10000'),
    });
  });
});
