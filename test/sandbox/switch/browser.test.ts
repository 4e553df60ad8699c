/**
 * The switch in front of a real browser: Chromium with a stock sip.js, a tone for a microphone and an ear that measures.
 * Every claim about sound is made on both sides.
 */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HOLD_TONE_HZ, keyToneHz, type Switch, startSwitch } from '../../../sandbox/src/switch/index.ts';
import { type BrowserPage, MICROPHONE_HZ, startBrowser } from './browser-page.ts';
import type { BrowserPhone } from './browser-phone.ts';

const ERIKA = '+493023125001';
const JONAS = '+493023125002';
const CLOCK = '+442079460123';
const ECHO = '+12025550143';
/** Louder than this is heard, quieter than the other is not; between them lies 26 dB. */
const HEARD = 0.1;
const SILENT = 0.005;

let browser: BrowserPage;
let sandbox: Switch;
let page: Page;

type Answer<Name extends keyof BrowserPhone> = Awaited<ReturnType<BrowserPhone[Name]>>;

/** Runs one method of the phone in the page. */
async function phone<Name extends keyof BrowserPhone>(
  name: Name,
  ...parameters: Parameters<BrowserPhone[Name]>
): Promise<Answer<Name>> {
  const run = ([method, values]: [string, unknown[]]): unknown => {
    const methods = (globalThis as unknown as { phone: Record<string, (...values: unknown[]) => unknown> }).phone;
    return methods[method]?.(...values);
  };
  return (await page.evaluate(run, [name, parameters] as [string, unknown[]])) as Answer<Name>;
}

const soon = (probe: () => Promise<number> | number, judge: (level: number) => void): Promise<void> =>
  vi.waitFor(async () => judge(await probe()), { timeout: 15_000, interval: 100 });
const isHeard = (level: number): void => expect(level).toBeGreaterThan(HEARD);
const isSilent = (level: number): void => expect(level).toBeLessThan(SILENT);
const pageHears = (call: number, hz: number): Promise<void> => soon(() => phone('level', call, hz), isHeard);
const pageDoesNotHear = (call: number, hz: number): Promise<void> => soon(() => phone('level', call, hz), isSilent);
const farSideHears = (number: string, hz: number): Promise<void> =>
  soon(() => sandbox.heard(number).levelAt(hz), isHeard);
const farSideDoesNotHear = (number: string, hz: number): Promise<void> =>
  soon(() => sandbox.heard(number).levelAt(hz), isSilent);

async function register(extension: string, on: Page = page): Promise<void> {
  const account = { url: sandbox.url, domain: sandbox.domain, extension, ...sandbox.credential(extension) };
  await on.evaluate(
    (given) =>
      (globalThis as unknown as { phone: { register(account: unknown): Promise<void> } }).phone.register(given),
    account,
  );
}

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser.close());

beforeEach(async () => {
  sandbox = await startSwitch({
    domain: 'sandbox.example',
    credentialSecret: 'browser test secret',
    sound: 'tones',
    iceAddresses: ['127.0.0.1'],
  });
  page = await browser.newPage();
  await register('1001');
});
afterEach(async () => {
  await page.context().close();
  await sandbox.close();
});

describe('a browser on the switch', () => {
  it('calls a person: both hear each other and nobody else, through hold, resume and an ICE restart', async () => {
    const { index, status } = await phone('call', ERIKA);
    expect(status).toBe(200);
    await pageHears(index, 600);
    await farSideHears(ERIKA, MICROPHONE_HZ);
    await pageDoesNotHear(index, 850);
    await farSideDoesNotHear(ERIKA, HOLD_TONE_HZ);

    await phone('hold', index, true);
    await pageDoesNotHear(index, 600);
    await farSideHears(ERIKA, HOLD_TONE_HZ);
    await farSideDoesNotHear(ERIKA, MICROPHONE_HZ);
    expect(sandbox.calls()).toMatchObject([{ state: 'answered', heldByAgent: true }]);

    await phone('hold', index, false);
    await pageHears(index, 600);
    await farSideHears(ERIKA, MICROPHONE_HZ);

    await phone('restartIce', index);
    await pageHears(index, 600);
    await farSideHears(ERIKA, MICROPHONE_HZ);

    sandbox.hold(ERIKA, true);
    await pageHears(index, HOLD_TONE_HZ);
    await pageDoesNotHear(index, 600);
    sandbox.hold(ERIKA, false);

    await phone('bye', index);
    expect(sandbox.calls()).toMatchObject([{ state: 'ended', ended: { by: 'agent' }, number: ERIKA }]);
  });

  it('calls the echo and hears itself', async () => {
    const { index } = await phone('call', ECHO);
    await pageHears(index, MICROPHONE_HZ);
    await farSideHears(ECHO, MICROPHONE_HZ);
  });

  it('presses keys: each is recorded once and answered by its own tone', async () => {
    const { index } = await phone('call', CLOCK);
    await pageHears(index, 1200);
    for (const key of ['5', '#']) {
      const pressed = sandbox.events.next('call.digit');
      await phone('press', index, key);
      expect((await pressed).key).toBe(key);
      await pageHears(index, keyToneHz(key));
      await pageHears(index, 1200);
    }
    expect(sandbox.digits(CLOCK)).toBe('5#');
  });

  it.each([1, 0])('connects although the offer left with %i candidates and no end mark', async (candidates) => {
    const { index } = await phone('call', ERIKA, candidates);
    await pageHears(index, 600);
    await farSideHears(ERIKA, MICROPHONE_HZ);
  });

  it('is refused by a busy number and a number that does not exist', async () => {
    expect((await phone('call', '+493023125486')).status).toBe(486);
    expect((await phone('call', '12')).status).toBe(404);
  });

  it('is called: rings with the name, answers, hears, and the caller hangs up', async () => {
    const placed = await sandbox.callAgent('1001', { callerNumber: JONAS });
    const ringing = await vi.waitFor(async () => {
      const [first] = await phone('incoming');
      expect(first).toBeDefined();
      return first as { index: number; from: string };
    });
    expect(ringing.from).toBe(`Jonas Winter ${JONAS}`);
    await phone('answer', ringing.index);
    expect(await placed.answered).toBe(true);
    await pageHears(ringing.index, 850);
    await farSideHears(JONAS, MICROPHONE_HZ);
    placed.hangUp();
    await phone('until', ringing.index, 'Terminated');
    expect(await placed.ended).toMatchObject({ direction: 'inbound', ended: { by: 'far side' } });
  });

  it('transfers blind: the two far sides hear each other and the call is over for the agent', async () => {
    const { index } = await phone('call', ERIKA);
    await pageHears(index, 600);
    await phone('transferBlind', index, JONAS);
    await phone('until', index, 'Terminated');
    expect(await phone('notified', index)).toEqual(['SIP/2.0 100 Trying', 'SIP/2.0 180 Ringing', 'SIP/2.0 200 OK']);
    await farSideHears(ERIKA, 850);
    await farSideHears(JONAS, 600);
    await farSideDoesNotHear(ERIKA, MICROPHONE_HZ);
  });

  it('gets its call back when a blind transfer is refused', async () => {
    const { index } = await phone('call', ERIKA);
    await phone('transferBlind', index, '+493023125603');
    await vi.waitFor(async () => expect(await phone('notified', index)).toContain('SIP/2.0 603 Decline'), {
      timeout: 15_000,
    });
    expect(await phone('state', index)).toBe('Established');
    await pageHears(index, 600);
    await farSideHears(ERIKA, MICROPHONE_HZ);
  });

  it('transfers attended: after asking, the two far sides hear each other and both calls end', async () => {
    const first = await phone('call', ERIKA);
    await phone('hold', first.index, true);
    const second = await phone('call', JONAS);
    await pageHears(second.index, 850);
    await farSideHears(JONAS, MICROPHONE_HZ);
    await farSideHears(ERIKA, HOLD_TONE_HZ);
    await farSideDoesNotHear(ERIKA, MICROPHONE_HZ);
    await phone('transferAttended', first.index, second.index);
    await phone('until', first.index, 'Terminated');
    await phone('until', second.index, 'Terminated');
    expect(await phone('notified', first.index)).toContain('SIP/2.0 200 OK');
    await farSideHears(ERIKA, 850);
    await farSideHears(JONAS, 600);
    await farSideDoesNotHear(JONAS, MICROPHONE_HZ);
  });

  it('learns from the Reason header that another device of the same agent answered', async () => {
    const laptop = page;
    const desk = await browser.newPage();
    await register('1001', desk);
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    for (page of [laptop, desk]) {
      await vi.waitFor(async () => expect(await phone('incoming')).toHaveLength(1), { timeout: 15_000 });
    }
    await phone('answer', 0);
    expect(await placed.answered).toBe(true);
    page = laptop;
    await phone('until', 0, 'Terminated');
    expect(await phone('reason', 0)).toBe('SIP;cause=200;text="Call completed elsewhere"');
    await desk.context().close();
  });
});
