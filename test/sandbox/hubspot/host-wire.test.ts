import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, Frame } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import { launchChromium, type OpenPage, openPage, servePanel } from '../salesforce/browser-page.ts';

type Heard = [string, Record<string, unknown>][];
declare const heard: Heard;
declare const cti: Record<string, (payload?: unknown) => void>;

let browser: Browser;
let panel: { origin: string; close(): Promise<void> };
let sandbox: HubSpotSandbox;
let open: OpenPage;
let frame: Frame;

beforeAll(async () => {
  browser = await launchChromium();
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./widget.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
  });
  panel = await servePanel(
    '<!doctype html><body>Widget of the test<script src="/script.js"></script>',
    bundle.outputFiles[0]?.text,
  );
});
afterAll(async () => {
  await browser.close();
  await panel.close();
});

const start = () =>
  startHubSpotSandbox({
    panelUrl: `${panel.origin}/hubspot/`,
    relayUrl: 'http://localhost:1',
    clientSecret: 'test-client-secret',
    appId: 99,
  });
/** One frame in an ordinary tab, which keeps it when another record is shown; a test says what it wants otherwise. */
const visit = async (wanted: Readonly<Record<string, string>> = {}): Promise<void> => {
  const query = { location: 'remote', usesCallingWindow: 'false', navigation: 'inplace', ...wanted };
  open = await openPage(browser, `${sandbox.url}?${new URLSearchParams(query)}`);
  frame = await open.panel('typeof heard === "object" && heard.some(([name]) => name === "onReady")');
};
beforeEach(async () => {
  sandbox = await start();
});
afterEach(async () => {
  await open.context.close();
  await sandbox.close();
});

/** Calls the SDK, then waits for the events named. */
const say = (method: string, payload?: unknown) =>
  frame.evaluate(([name, given]) => cti[`${name}`]?.(given), [method, payload] as const);
const waitFor = async (name: string, count = 1): Promise<Record<string, unknown>> => {
  await frame.waitForFunction(([wanted, times]) => heard.filter(([one]) => one === wanted).length >= Number(times), [
    name,
    count,
  ] as const);
  return frame.evaluate((wanted) => heard.filter(([one]) => one === wanted).at(-1)?.[1] ?? {}, name);
};
const contact = (firstname: string): string =>
  `${sandbox.records.contacts.find((one) => one.properties.firstname === firstname)?.id}`;
const rules = (): string[] => sandbox.lint().map((finding) => finding.rule);

describe('the handshake', () => {
  it.each(['remote', 'widget', 'window'])('tells a frame in place "%s" where and whose it is', async (location) => {
    await visit({ location, usesCallingWindow: `${location === 'window'}` });
    expect(await waitFor('onReady')).toMatchObject({
      portalId: sandbox.portalId,
      userId: 4201,
      ownerId: 7701,
      iframeLocation: location,
      usesCallingWindow: location === 'window',
      hostUrl: new URL(sandbox.url).origin,
    });
    await say('initialized', { isLoggedIn: true, isAvailable: true });
    await open.page.waitForSelector('.status:has-text("ready")');
    expect(rules()).toEqual([]);
  });

  it('is made again after every load of the frame', async () => {
    await visit();
    await open.page.evaluate('sandbox.reloadFrame()');
    await expect.poll(() => sandbox.hostMessages().filter((one) => one.message.type === 'SYNC_ACK').length).toBe(2);
  });
});

describe('a call from a record', () => {
  it('reaches the widget with the callee, and becomes one engagement on the timeline', async () => {
    await visit();
    await say('initialized', { isLoggedIn: true });
    await open.page.click('.associated a.link');
    await open.page.click('.associated button.dial');
    const dial = await waitFor('onDialNumber');
    const company = sandbox.records.companies.find((one) => one.properties.name === 'Northlight Cameras')?.id;
    expect(dial).toMatchObject({
      phoneNumber: '(415) 555-0101',
      countryCode: 'US',
      objectType: 'COMPANY',
      objectId: Number(company),
      calleeInfo: { calleeId: Number(contact('Elena')), calleeObjectTypeId: '0-1' },
      ownerId: 7701,
      toPhoneNumberSrc: 'phone',
    });
    await say('outgoingCall', {
      externalCallId: 'c1',
      toNumber: '+14155550101',
      fromNumber: '+14155550190',
      createEngagement: true,
    });
    const { engagementId } = await waitFor('onCreateEngagementSucceeded');
    await waitFor('onEngagementCreated');
    await say('callAnswered', { externalCallId: 'c1' });
    await say('callEnded', { externalCallId: 'c1', engagementId, callEndStatus: 'COMPLETED' });
    await say('callCompleted', {
      externalCallId: 'c1',
      engagementId,
      engagementProperties: { hs_call_title: 'Call to Elena', hs_call_duration: '61000' },
    });
    expect(await waitFor('onUpdateEngagementSucceeded')).toEqual({ engagementId });
    expect(sandbox.records.calls).toEqual([
      expect.objectContaining({
        id: `${engagementId}`,
        properties: expect.objectContaining({
          hs_call_status: 'COMPLETED',
          hs_call_external_id: 'c1',
          hubspot_owner_id: '7701',
        }),
      }),
    ]);
    await open.page.waitForSelector('.timeline >> text=Call to Elena');
    await open.page.click(`[data-contact="${contact('Elena')}"]`);
    await open.page.waitForSelector('.timeline >> text=Call to Elena');
    expect(rules()).toEqual([]);
  });

  it('makes no engagement when the app creates its own', async () => {
    await visit();
    await say('initialized', {});
    await say('outgoingCall', { externalCallId: 'c1', toNumber: '+14155550101', createEngagement: false });
    await say('callEnded', { externalCallId: 'c1', callEndStatus: 'NO_ANSWER' });
    await expect.poll(() => sandbox.hostMessages().length).toBe(4);
    expect(sandbox.records.calls).toEqual([]);
  });
});

describe('a call from outside', () => {
  const ring = (fromNumber: string) =>
    say('incomingCall', { externalCallId: 'c2', fromNumber, toNumber: '+14155550190', createEngagement: true });

  it.each([
    ['nobody', '+14155550187', 0],
    ['one contact', '+442079460958', 1],
    ['both who share the number', '+14155550123', 2],
  ])('matches %s', async (_what, number, count) => {
    await visit();
    await say('initialized', {});
    await ring(number);
    expect((await waitFor('onCallerIdMatchSucceeded')).callerIdMatches).toHaveLength(count);
    await waitFor('onCreateEngagementSucceeded');
  });

  it('opens the record it is told to, or says that it cannot', async () => {
    await visit();
    await say('initialized', {});
    await ring('+442079460958');
    const { callerIdMatches } = await waitFor('onCallerIdMatchSucceeded');
    const { objectCoordinates } = (callerIdMatches as { objectCoordinates: { objectId: number } }[])[0] ?? {};
    await say('navigateToRecord', { objectCoordinates });
    await open.page.waitForSelector(`[data-shown="${contact('Oliver')}"]`);
    await say('navigateToRecord', { engagementId: 1, objectCoordinates: { ...objectCoordinates, objectId: 1 } });
    expect(await waitFor('onNavigateToRecordFailed')).toMatchObject({ engagementId: 1 });
  });

  it('goes on over a full navigation: the new frame gets its engagement', async () => {
    await visit({ navigation: 'full' });
    await say('initialized', {});
    await ring('+442079460958');
    const { engagementId } = await waitFor('onCreateEngagementSucceeded');
    const { callerIdMatches } = await waitFor('onCallerIdMatchSucceeded');
    await say('navigateToRecord', (callerIdMatches as unknown[])[0]);
    await open.page.waitForURL(`**/record/0-1/${contact('Oliver')}**`);
    frame = await open.panel('typeof heard === "object" && heard.some(([name]) => name === "onReady")');
    expect(await waitFor('onReady')).toMatchObject({ engagementId });
  });

  it('is ignored from a widget', async () => {
    await visit({ location: 'widget' });
    await say('initialized', {});
    await ring('+442079460958');
    await expect.poll(rules).toEqual(['inbound-widget']);
    expect(sandbox.records.calls).toEqual([]);
  });
});

describe('the widget around the panel', () => {
  it('is sized, hidden after a call and shown again, which the panel hears', async () => {
    await visit({ location: 'widget' });
    await say('initialized', {});
    await say('resizeWidget', { width: 380, height: 500 });
    await expect.poll(async () => (await open.page.locator('iframe').boundingBox())?.height).toBe(500);
    await say('outgoingCall', { externalCallId: 'c1', toNumber: '+1', createEngagement: false });
    await say('callEnded', { externalCallId: 'c1' });
    await say('callCompleted', { externalCallId: 'c1' });
    expect(await waitFor('onVisibilityChanged')).toEqual({ isMinimized: false, isHidden: true });
    await open.page.click('.call-button');
    expect(await waitFor('onVisibilityChanged', 2)).toEqual({ isMinimized: false, isHidden: false });
    await open.page.click('[aria-label="Minimise the calling widget"]');
    expect(await waitFor('onVisibilityChanged', 3)).toEqual({ isMinimized: true, isHidden: false });
  });

  it('can ask the panel to hang up', async () => {
    await visit();
    await open.page.evaluate('sandbox.endCall()');
    await waitFor('onEndCall');
  });
});

describe('the linter', () => {
  it('finds what the contract forbids', async () => {
    await visit();
    await say('outgoingCall', { externalCallId: 'c1', toNumber: '+1', createEngagement: true });
    await say('initialized', {});
    await say('outgoingCall', { externalCallId: 'c1', toNumber: '+1', createEngagement: true });
    await say('callCompleted', {
      externalCallId: 'c1',
      engagementId: 4,
      engagementProperties: { hs_call_duration: 61_000 },
    });
    await say('callEnded', { externalCallId: 'c1', callEndStatus: 'INTERNAL_COMPLETED' });
    await expect
      .poll(rules)
      .toEqual([
        'before-initialized',
        'duplicate-start',
        'completed-before-ended',
        'second-engagement',
        'string-properties',
        'end-status',
      ]);
    await open.page.waitForSelector('.lint:has-text("6 contract findings")');
    const listed = (await (await fetch(`${sandbox.apiUrl}/sandbox/lint`)).json()) as { findings: unknown[] };
    expect(listed.findings).toHaveLength(6);
    expect(sandbox.records.calls).toHaveLength(1);
  });

  it('finds a remote frame that speaks for the calling window', async () => {
    await visit({ usesCallingWindow: 'true' });
    await say('initialized', {});
    await say('outgoingCall', { externalCallId: 'c1', toNumber: '+1', createEngagement: false });
    await expect.poll(rules).toEqual(['remote-speaks']);
  });
});

describe('faults of the host', () => {
  const outgoing = (externalCallId: string) =>
    say('outgoingCall', { externalCallId, toNumber: '+14155550101', createEngagement: true });

  it('refuses, answers twice, late or not at all', async () => {
    await visit();
    await say('initialized', {});
    sandbox.faults.add({ fault: 'host-error', on: 'OUTGOING_CALL_STARTED', message: 'No seat.' });
    await outgoing('c1');
    expect(await waitFor('onCreateEngagementFailed')).toEqual({ error: { message: 'No seat.' } });
    expect(sandbox.records.calls).toEqual([]);
    sandbox.faults.add({ fault: 'host-twice', on: 'OUTGOING_CALL_STARTED' });
    await outgoing('c2');
    await waitFor('onCreateEngagementSucceeded', 2);
    sandbox.faults.add({ fault: 'host-late', on: 'OUTGOING_CALL_STARTED', delayMs: 30 });
    await outgoing('c3');
    await waitFor('onCreateEngagementSucceeded', 3);
    sandbox.faults.add({ fault: 'host-never', on: 'OUTGOING_CALL_STARTED' });
    await outgoing('c4');
    await outgoing('c5');
    await waitFor('onCreateEngagementSucceeded', 4);
    expect(sandbox.records.calls).toHaveLength(4);
    expect(
      await frame.evaluate(() =>
        heard.filter(([name]) => name === 'onCreateEngagementSucceeded').map(([, data]) => data.externalCallId),
      ),
    ).toEqual(['c2', 'c2', 'c3', 'c5']);
  });

  it('answers in another order', async () => {
    await visit();
    await say('initialized', {});
    sandbox.faults.add({ fault: 'host-reversed', on: 'INCOMING_CALL' });
    await say('incomingCall', {
      externalCallId: 'c1',
      fromNumber: '+442079460958',
      toNumber: '+14155550190',
      createEngagement: true,
    });
    await waitFor('onEngagementCreated');
    const order = await frame.evaluate(() => heard.map(([name]) => name).filter((name) => name !== 'onReady'));
    expect(order).toEqual(['onCallerIdMatchSucceeded', 'onCreateEngagementSucceeded', 'onEngagementCreated']);
  });

  it('lets a stranger answer, whom the SDK ignores', async () => {
    await visit();
    await say('initialized', {});
    sandbox.faults.add({ fault: 'host-wrong-origin', on: 'OUTGOING_CALL_STARTED' });
    const strange = frame.evaluate(
      () =>
        new Promise<string>((resolve) =>
          addEventListener('message', (event) => event.origin === 'null' && resolve(event.origin)),
        ),
    );
    await outgoing('c1');
    expect(await strange).toBe('null');
    expect(await frame.evaluate(() => heard.some(([name]) => name === 'onCreateEngagementSucceeded'))).toBe(false);
  });
});
