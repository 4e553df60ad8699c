/** Two browser tabs over one Salesforce org, the whole product on the sandbox switch: one phone, whichever tab the agent looks at. */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { type CrmPage, salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

interface Tab {
  readonly page: Page;
  panel: Frame;
}

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;
let crm: CrmPage;
/** The first tab has the line, the second shows it. */
let first: Tab;
let second: Tab;
let before = { tasks: 0, calls: 0, pops: 0, placed: 0 };

beforeAll(async () => {
  telephony = await startSwitchTelephony();
  browser = await startBrowser();
  stage = await openStage({ telephony });
  crm = salesforcePage(stage);
  await browser.context.addInitScript(installRingEar);
  first = await openTab();
  second = await openTab();
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
  await telephony?.close();
});
beforeEach(() => {
  before = counts();
});

async function openTab(): Promise<Tab> {
  const page = await browser.newPage();
  const panel = await crm.open(page);
  // Driven pages all claim the focus at once. An agent has one in front.
  const devtools = await browser.context.newCDPSession(page);
  await devtools.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  return { page, panel };
}

const counts = () => ({
  tasks: stage.salesforce.records.Task.length,
  calls: stage.salesforce.records.Patchcord_Call__c.length,
  pops: stage.salesforce.hostMessages().filter((one) => one.message.methodName === 'screenPop').length,
  placed: telephony.switchboard.calls().length,
});
const button = (tab: Tab, name: string) => tab.panel.getByRole('button', { name, exact: true });
/** Nobody clicks in a tab that is behind another: there a click on a frame that is new can go nowhere. */
async function press(tab: Tab, name: string): Promise<void> {
  await tab.page.bringToFront();
  await button(tab, name).click();
}
const hears = (tab: Tab, hz: number) => listenUntil(tab.panel, `${hz} Hz`, (sound) => sound.amplitude(hz) > 0.02);
const lines = () => telephony.switchboard.registered().filter((one) => one.extension === crm.extension);

/** Both tabs are back where a call can begin. */
async function idle(): Promise<void> {
  for (const tab of [first, second]) await tab.panel.getByRole('textbox', { name: 'Number' }).waitFor();
}

/** Saves the wrap-up in one tab and waits until the CRM has exactly one more task and one more call. */
async function logged(tab: Tab): Promise<void> {
  await press(tab, 'Save and finish');
  await until('the log', () => (counts().calls > before.calls ? true : undefined), 20_000);
  await idle();
  expect(counts()).toMatchObject({ tasks: before.tasks + 1, calls: before.calls + 1 });
}

test.each([
  ['without', () => second],
  ['with', () => first],
])(
  'an inbound call rings once, opens its record only in the tab the agent looks at, the one %s the line, and is answered in the other',
  async (_which, looked) => {
    const seen = looked();
    const other = seen === first ? second : first;
    for (const [tab, person] of [
      [seen, 'Elena Marchetti'],
      [other, 'Theo Okafor'],
    ] as const) {
      await tab.page.bringToFront();
      await crm.showRecord(tab.page, person);
    }
    const tonesBefore = (await ringIn(second)).started;
    // The agent works in Salesforce and does not touch the phone.
    await seen.page.bringToFront();
    await telephony.call(telephony.first, crm.extension);
    for (const tab of [first, second]) await tab.panel.getByText('Incoming call', { exact: true }).waitFor();

    await until('the ring in the tab with the line', async () =>
      (await ringIn(first)).level > 0.02 ? true : undefined,
    );
    expect(await ringIn(second)).toEqual({ level: 0, started: tonesBefore });

    await until('the caller’s record in the tab the agent looks at', async () =>
      (await crm.shownRecord(seen.page)) === 'Mina Sato' ? true : undefined,
    );
    await press(other, 'Answer');
    await hears(first, telephony.first.toneHz);
    await telephony.first.hears(440);
    expect(lines()).toHaveLength(1);
    await telephony.first.hangUp();
    await logged(first);
    expect(counts().pops).toBe(before.pops + 1);
    expect(await crm.shownRecord(other.page)).toBe('Theo Okafor');
    expect(crm.calls().at(-1)).toMatchObject({ record: 'Mina Sato', result: crm.words.answered });
  },
);

test('a number clicked in the tab without the line is dialled once', async () => {
  await crm.showRecord(second.page, 'Mina Sato');
  await crm.clickNumber(second.page);
  for (const tab of [first, second]) await tab.panel.getByRole('timer').waitFor();
  await hears(first, telephony.first.toneHz);
  expect(counts().placed).toBe(before.placed + 1);
  await press(second, 'Hang up');
  await logged(second);
  expect(counts().placed).toBe(before.placed + 1);
});

test('a frame that is made anew in the tab without the line changes nothing for the call', async () => {
  await crm.showRecord(first.page, 'Mina Sato');
  await crm.clickNumber(first.page);
  await hears(first, telephony.first.toneHz);
  await second.panel.getByRole('timer').waitFor();
  const gone = second.panel;
  await second.page.evaluate('sandbox.recreateFrame()');
  second.panel = await until('the new frame', () =>
    second.page.frames().find((one) => one !== gone && new URL(one.url() || 'about:blank').pathname === '/salesforce/'),
  );
  await second.panel.getByRole('timer').waitFor();
  await second.panel.getByText('Mina Sato').first().waitFor();
  await hears(first, telephony.first.toneHz);
  await telephony.first.hears(440);
  expect(lines()).toHaveLength(1);
  expect(counts().placed).toBe(before.placed + 1);
  await press(second, 'Hang up');
  await logged(second);
});

/** The ring as the ringer gets it (its lower tone), and how many tones this tab ever started. */
async function ringIn(tab: Tab): Promise<{ level: number; started: number }> {
  const { samples, rate, started } = await tab.panel.evaluate(() => {
    const ear = (window as unknown as { ringEar: RingEar }).ringEar;
    return { samples: [...ear.read()], rate: ear.rate(), started: ear.started() };
  });
  return { level: samples.length === 0 ? 0 : goertzel(Float32Array.from(samples), rate, 523.25), started };
}

interface RingEar {
  read(): Float32Array;
  rate(): number;
  started(): number;
}

/** Runs in every frame before its scripts: listens to what is sent to a ringer, and counts the tones that are started. */
function installRingEar(): void {
  let analyser: AnalyserNode | undefined;
  let started = 0;
  const connect = AudioNode.prototype.connect as (this: AudioNode, target: AudioNode, ...rest: number[]) => AudioNode;
  AudioNode.prototype.connect = function (this: AudioNode, target: AudioNode, ...rest: number[]) {
    if (target instanceof MediaStreamAudioDestinationNode) {
      analyser = new AnalyserNode(this.context, { fftSize: 16_384 });
      connect.call(this, analyser);
    }
    return connect.call(this, target, ...rest);
  } as typeof AudioNode.prototype.connect;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (this: OscillatorNode, when?: number) {
    started += 1;
    start.call(this, when);
  };
  const ear: RingEar = {
    rate: () => analyser?.context.sampleRate ?? 48_000,
    started: () => started,
    read() {
      const samples = new Float32Array(analyser?.fftSize ?? 0);
      analyser?.getFloatTimeDomainData(samples);
      return samples;
    },
  };
  Object.defineProperty(window, 'ringEar', { value: ear });
}
