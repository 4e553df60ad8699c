// @vitest-environment jsdom
import { errorCode, type RecordRef } from '@patchcord/call-protocol';
import { panelHosts } from '@patchcord/crm-adapters/panel';
import { describe, expect, it } from 'vitest';
import { fakeFrame } from './fake-frame.ts';
import { type HostPage, panelHostContract } from './panel-host-contract.ts';

const createHost = await panelHosts.salesforce();

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

/** A Salesforce page: serves the script from one host, and answers Open CTI calls as told. */
function salesforcePage(options: {
  search?: string;
  framed?: boolean;
  answers?: boolean;
  servedFrom?: string;
  hostOrigins?: readonly string[];
  hostTimeoutMs?: number;
  framedBy?: string;
}) {
  const calls: { method: string; args: Record<string, unknown> }[] = [];
  const scripts: string[] = [];
  const listeners = new Map<string, ((payload: unknown) => void)[]>();
  const replies = new Map<string, Answer | 'never' | 'twice'>();
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
      'setSoftphoneItemLabel',
      'setSoftphoneItemIcon',
    ].map((method) => [method, (args: Record<string, unknown> = {}) => call(method, args)]),
  );
  function call(method: string, args: Record<string, unknown>): void {
    const { callback, listener, ...rest } = args;
    calls.push({ method, args: rest });
    if (typeof listener === 'function')
      listeners.set(method, [...(listeners.get(method) ?? []), listener as (payload: unknown) => void]);
    if (typeof callback !== 'function') return;
    const reply = options.answers === false ? 'never' : (replies.get(method) ?? good());
    replies.delete(method);
    const answer = (value: Answer): void => {
      (callback as (response: Answer) => void)(value);
    };
    if (reply === 'never') late.push(() => answer(good('late')));
    else if (reply === 'twice') {
      answer(good());
      answer(bad('again'));
    } else answer(reply);
  }
  const extras: Record<string, unknown> = {
    document: {
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
    origin: options.framedBy ?? origin,
    framed: options.framed ?? true,
    search: options.search ?? search,
    extras,
  });
  const host = createHost({
    window: frame.window,
    hostOrigins: options.hostOrigins ?? [origin],
    audience: 'https://relay.example:8443/a b',
    hostTimeoutMs: options.hostTimeoutMs ?? 2_000,
  });
  const fire = (method: string, payload: unknown): void => {
    for (const listener of listeners.get(method) ?? []) listener(payload);
  };
  replies.set('runApex', good({ runApex: JSON.stringify({ assertion: 'head.body.signature' }) }));
  return {
    host,
    calls,
    scripts,
    replies,
    fire,
    late,
    listeners,
    named: (method: string) => calls.filter((one) => one.method === method),
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
    refuseNextRecord: () => page.replies.set('screenPop', bad('An error occurred.')),
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
    page.replies.set('getCallCenterSettings', bad('no call center'));
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
    page.replies.set('screenPop', 'twice');
    await page.host.pop({ kind: 'record', record });
    page.replies.set('screenPop', 'never');
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
    page.replies.set('runApex', bad('Could not load Apex class: PatchcordIdentity'));
    await expect(page.host.proveIdentity()).rejects.toMatchObject({
      code: 'host.refused',
      message: expect.stringContaining('permission set'),
    });
    for (const value of [null, {}, { runApex: 'not json' }, { runApex: '{}' }, { runApex: '{"assertion":7}' }]) {
      page.replies.set('runApex', good(value));
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
    expect(page.named('setSoftphonePanelVisibility')).toEqual([
      { method: 'setSoftphonePanelVisibility', args: { visible: true } },
    ]);
  });

  it('hears which record is shown, once per record, a person account as its contact', async () => {
    const page = salesforcePage({});
    page.replies.set(
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

  it('refreshes the timeline when a log was saved', async () => {
    const page = salesforcePage({});
    await page.host.start();
    page.host.logSaved({ id: 'call-1' }, '00T000000000001');
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
    page.replies.set('screenPop', bad('Record not found'));
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({ code: 'crm.not-found' });
  });
});
