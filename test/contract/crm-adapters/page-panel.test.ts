// @vitest-environment jsdom
import type { RecordRef } from '@patchcord/call-protocol';
import { createPagePanel } from '@patchcord/crm-adapters/panel';
import { describe, expect, it } from 'vitest';
import { type FakeFrame, fakeFrame } from './fake-frame.ts';
import { type HostPage, panelHostContract } from './panel-host-contract.ts';

const origin = 'https://intranet.example';
const record: RecordRef = { crm: 'page', object: 'customer', id: 'c-17', name: 'Elena Marchetti' };

function pageAround(frame: FakeFrame, hostTimeoutMs: number, greeting = true): HostPage {
  const host = createPagePanel({
    window: frame.window,
    hostOrigins: [origin],
    audience: 'https://relay.example',
    hostTimeoutMs,
  });
  return {
    host,
    greet: () => {
      if (greeting) frame.post({ patchcord: 1, type: 'hello', hostOrigin: origin });
    },
    click: (number, { id, object, name }) =>
      frame.post({ patchcord: 1, type: 'dial', number, record: { id, object, name } }),
    misbehave() {
      const dial = { patchcord: 1, type: 'dial', number: '+14155550101' };
      for (const data of [null, undefined, 'dial', 7, {}, { patchcord: 2, type: 'dial', number: '1' }])
        frame.post(data);
      frame.post({ patchcord: 1, type: 'dial' });
      frame.post({ patchcord: 1, type: 'dial', number: 14155550101 });
      frame.post({ patchcord: 1, type: 'dial', number: '9'.repeat(200) });
      frame.post({ patchcord: 1, type: 'record-shown', record: { id: 7 } });
      frame.post(dial, { source: {} });
      frame.post(dial, { origin: 'https://evil.example' });
      frame.post(dial, { origin: `${origin}.evil.example` });
    },
    opened: () =>
      frame.posted
        .filter(({ message }) => message.type === 'open-record')
        .map(({ message }) => (message.record as { id: string }).id),
    close: () => {},
  };
}

panelHostContract('plain page', {
  framed: ({ greeting, hostTimeoutMs }) => pageAround(fakeFrame({ origin, framed: true }), hostTimeoutMs, greeting),
  alone: () => pageAround(fakeFrame({ origin, framed: false }), 50),
  foreign: () => {
    const frame = fakeFrame({ origin: 'https://evil.example', framed: true });
    const page = pageAround(frame, 2_000);
    return { ...page, greet: () => frame.post({ patchcord: 1, type: 'hello', hostOrigin: 'https://evil.example' }) };
  },
  whenAlone: 'works',
  whenForeign: 'host.not-authentic',
  record,
  provesIdentity: false,
});

describe('the plain page', () => {
  it('answers ready to the exact origin, however often the page says hello', async () => {
    const frame = fakeFrame({ origin, framed: true });
    const page = pageAround(frame, 2_000);
    const starting = page.host.start();
    page.greet();
    page.greet();
    await starting;
    expect(frame.posted).toEqual([
      { message: { patchcord: 1, type: 'ready' }, targetOrigin: origin },
      { message: { patchcord: 1, type: 'ready' }, targetOrigin: origin },
    ]);
  });

  it('is for the page that greeted it; opened by itself it is an audience of its own', async () => {
    const page = pageAround(fakeFrame({ origin, framed: true }), 2_000);
    expect(page.host.audienceKey?.()).toBeNull();
    const starting = page.host.start();
    page.greet();
    await starting;
    expect(page.host.audienceKey?.()).toBe(origin);
    expect(pageAround(fakeFrame({ origin, framed: false }), 50).host.audienceKey?.()).toBe('alone');
  });

  it('refuses a page that names another origin than its own', async () => {
    const frame = fakeFrame({ origin, framed: true });
    const page = pageAround(frame, 2_000);
    const starting = page.host.start();
    frame.post({ patchcord: 1, type: 'hello', hostOrigin: 'https://elsewhere.example' });
    await expect(starting).rejects.toMatchObject({ code: 'host.not-authentic' });
    expect(frame.posted).toEqual([]);
  });

  it('can do less without a page around it', async () => {
    const page = pageAround(fakeFrame({ origin, framed: false }), 50);
    await page.host.start();
    expect(page.host.can).toEqual({ proveIdentity: false, pops: [], clickToDial: false, raise: false });
    await expect(page.host.pop({ kind: 'record', record })).rejects.toMatchObject({ code: 'host.refused' });
  });

  it('tells state and saved logs, a state once', async () => {
    const frame = fakeFrame({ origin, framed: true });
    const page = pageAround(frame, 2_000);
    const starting = page.host.start();
    page.greet();
    await starting;
    page.host.showState('in-call', 'Elena');
    page.host.showState('in-call', 'Elena');
    page.host.logSaved({ id: 'call-1' }, 'log-9');
    expect(frame.posted.slice(1).map(({ message }) => message)).toEqual([
      { patchcord: 1, type: 'state', state: 'in-call', label: 'Elena' },
      { patchcord: 1, type: 'log-saved', call: 'call-1', logId: 'log-9' },
    ]);
  });

  it('hears the record in front of the agent, also who comes late, and hears it once', async () => {
    const frame = fakeFrame({ origin, framed: true });
    const page = pageAround(frame, 2_000);
    const starting = page.host.start();
    page.greet();
    await starting;
    const first: (RecordRef | null)[] = [];
    const late: (RecordRef | null)[] = [];
    page.host.onRecordShown((shown) => first.push(shown));
    const { id, object, name } = record;
    frame.post({ patchcord: 1, type: 'record-shown', record: { id, object, name } });
    frame.post({ patchcord: 1, type: 'record-shown', record: { id, object, name } });
    page.host.onRecordShown((shown) => late.push(shown));
    await Promise.resolve();
    frame.post({ patchcord: 1, type: 'record-shown', record: null });
    expect(first).toEqual([record, null]);
    expect(late).toEqual([record, null]);
  });
});
