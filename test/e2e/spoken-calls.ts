/**
 * Calls in which both sides say coded text, with everybody who hears the words: a speech service that speaks its provider's protocol, the panel, the
 * record page, a supervisor, the CRM afterwards. Owns how that is put together and read; a test owns what is said and what must become of it.
 */
import { randomUUID } from 'node:crypto';
import type { Session, TranscriptLine } from '@patchcord/call-protocol';
import { demoAgents } from '@patchcord/sandbox';
import type { Frame, Page } from 'playwright-core';
import { extensions, openStage, type Stage, type Telephony } from '../../scripts/stage.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { EventStream } from '../relay/event-stream.ts';
import { deepgramKey, startDeepgram } from '../speech/deepgram-server.ts';
import { startVosk } from '../speech/vosk-server.ts';
import { phoneKey } from '../unit/server/relay-in-test.ts';
import { type CrmPage, hubspotPage, salesforcePage } from './crm-pages.ts';
import { hearRelay, lineIn } from './heard-relay.ts';
import { giveMouths, opener, saidBy, sayInto } from './mouths.ts';
import { type RelayChild, relayChild } from './relay-child.ts';
import { SpeechEars } from './speech-ears.ts';
import { until } from './telephony.ts';

/** Processors may be busy: nothing here is measured in time. */
export const patience = 30_000;

/** The far side of the calls, and what it says. */
export interface FarMouth {
  /** After what is being said already. */
  say(words: readonly string[]): void | Promise<void>;
  /** Nothing is being said any more. */
  readonly isSilent: boolean;
}

export type Words = Readonly<Record<TranscriptLine['speaker'], string>>;

export interface SpokenStage {
  readonly stage: Stage;
  readonly browser: TestBrowser;
  readonly relay: RelayChild;
  readonly ears: SpeechEars;
  /** HubSpot's calls are heard by Deepgram, Salesforce's by a Vosk of the customer's own. */
  readonly hubspot: CrmPage;
  readonly salesforce: CrmPage;
  /** Opens the CRM's page, once, calls Mina Sato, and resolves when the words of both sides come. */
  call(crm: CrmPage, far: FarMouth): Promise<SpokenCall>;
  /** Hears what a supervisor of the HubSpot customer hears, from now on. */
  supervise(): Promise<Board>;
  close(): Promise<void>;
}

/** A call that is up. */
export interface SpokenCall {
  readonly page: Page;
  /** Each side says one word until a panel that has read nothing yet reads it: from there on nothing may be missing. */
  open(): Promise<void>;
  /** Another one once the page was loaded anew. */
  panel(): Promise<Frame>;
  /** Both sides at once; resolves when both have said it. */
  say(agent: readonly string[], farSide: readonly string[]): Promise<void>;
  /** Every line that the page was told, as often as it was. */
  told(): readonly TranscriptLine[];
  /** How often the relay has said how far it is for good. */
  settled(): number;
  /** The final words in the panel, without those that only opened the call. */
  inPanel(): Promise<Words>;
  /** Hangs up and saves. */
  finish(): Promise<void>;
}

export async function openSpokenStage(telephony: Telephony): Promise<SpokenStage> {
  const ears = new SpeechEars();
  const relay = relayChild();
  const closers: (() => unknown)[] = [() => relay.remove()];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    const [deepgram, vosk] = await Promise.all([startDeepgram(ears), startVosk(ears)]);
    closers.push(
      () => deepgram.close(),
      () => vosk.close(),
    );
    const transcripts = { keep: true, settleMs: 0 };
    const stage = await openStage({
      telephony,
      dataDir: relay.dataDir,
      // Whatever it may say at all: nothing of it may be a secret.
      logLevel: 'debug',
      runRelay: relay.run,
      salesforceTenant: {
        transcripts,
        transcription: { language: 'en', service: { kind: 'pcm-ws', dialect: 'vosk', url: vosk.url } },
      },
      hubspotTenant: {
        transcripts,
        transcription: {
          language: 'en',
          service: { kind: 'deepgram', url: `${deepgram.url}/v1/listen`, key: deepgramKey },
        },
        agents: demoAgents.map(({ key, firstName, lastName, email, hubspotUserId }) => ({
          id: key,
          name: `${firstName} ${lastName}`,
          extension: key === 'sam' ? extensions.hubspot.sam : extensions.hubspot.robin,
          crmUserId: `${hubspotUserId}`,
          email,
          role: key === 'sam' ? ('supervisor' as const) : ('agent' as const),
        })),
      },
    });
    closers.push(() => stage.close());
    const calling = stage.hubspot.calling.settings();
    if (calling !== null) stage.hubspot.calling.set({ ...calling, usesCallingWindow: false });
    const browser = await startBrowser();
    closers.push(() => browser.close());
    await giveMouths(browser.context);
    const pages = new Map<string, AgentPage>();
    return {
      stage,
      browser,
      relay,
      ears,
      hubspot: hubspotPage(stage),
      salesforce: salesforcePage(stage),
      async call(crm, far) {
        const page = pages.get(crm.name) ?? (await openPage(browser, crm));
        pages.set(crm.name, page);
        return placeCall(page, crm, far);
      },
      supervise: () => supervise(stage),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface AgentPage {
  readonly page: Page;
  readonly heard: ReturnType<typeof hearRelay>;
}

async function openPage(browser: TestBrowser, crm: CrmPage): Promise<AgentPage> {
  const page = await browser.newPage();
  const heard = hearRelay(page);
  await crm.open(page);
  return { page, heard };
}

async function placeCall({ page, heard }: AgentPage, crm: CrmPage, far: FarMouth): Promise<SpokenCall> {
  const toldBefore = heard.lines.length;
  const path = `/${crm.name.toLowerCase()}/`;
  const panel = (): Promise<Frame> =>
    until('the panel of the page', () =>
      page.frames().find((one) => !one.isDetached() && new URL(one.url() || 'about:blank').pathname === path),
    );
  await page.bringToFront();
  if ((await crm.shownRecord(page)) !== 'Mina Sato') await crm.showRecord(page, 'Mina Sato');
  // The page was opened with its line ready; after a call before this one the phone waits for the next number.
  await (await panel()).getByRole('button', { name: 'Call', exact: true }).waitFor({ timeout: patience });
  await crm.clickNumber(page);
  await (await panel()).getByRole('timer').waitFor({ timeout: patience });
  const raw = async (): Promise<Words> => {
    const frame = await panel();
    const of = async (speaker: string): Promise<string> =>
      (await frame.locator(`.is-by-${speaker} .transcript-text:not(.is-partial)`).allTextContents()).join(' ');
    return { agent: await of('agent'), 'far-side': await of('far-side') };
  };
  const call: SpokenCall = {
    page,
    panel,
    open: () => opened(call, raw),
    async say(agent, farSide) {
      const frame = await panel();
      await far.say(farSide);
      await sayInto(frame, agent);
      await saidBy(frame);
      await until('the end of what the far side says', () => (far.isSilent ? true : undefined), 120_000);
    },
    told: () => heard.lines.slice(toldBefore),
    settled: () => heard.settled,
    inPanel: async () => withoutOpeners(await raw()),
    async finish() {
      const frame = await panel();
      await frame.getByRole('button', { name: 'Hang up', exact: true }).click();
      await frame.getByRole('button', { name: 'Save and finish', exact: true }).click();
      await frame.getByRole('textbox', { name: 'Number' }).waitFor({ timeout: patience });
    },
  };
  await call.open();
  return call;
}

async function opened(call: SpokenCall, raw: () => Promise<Words>): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    await call.say([opener.near], [opener.far]);
    const both = await until(
      'a first word of both sides',
      async () => {
        const words = await raw();
        return words.agent !== '' && words['far-side'] !== '' ? true : undefined;
      },
      3_000,
    ).catch(() => false);
    if (both) return;
  }
  throw new Error(`Nobody hears the call. The panel reads: ${JSON.stringify(await raw())}`);
}

const openers: readonly string[] = [opener.near, opener.far, 'hello'];
const withoutOpener = (text: string): string =>
  text
    .split(' ')
    .filter((word) => !openers.includes(word))
    .join(' ');

/** What was said beside the words that opened the call. */
function withoutOpeners(words: Words): Words {
  return { agent: withoutOpener(words.agent), 'far-side': withoutOpener(words['far-side']) };
}

/** What a supervisor hears. */
export interface Board {
  /** The newest of each line, by time. */
  lines(): readonly TranscriptLine[];
  words(): Words;
  close(): void;
}

/** The final words of lines, without those that only opened the call. */
/** What each side said, without what only opened the call. */
export function wordsOf(lines: readonly Pick<TranscriptLine, 'speaker' | 'text'>[]): Words {
  const of = (speaker: TranscriptLine['speaker']): string =>
    lines
      .filter((line) => line.speaker === speaker && line.text !== '')
      .map(({ text }) => text)
      .join(' ');
  return withoutOpeners({ agent: of('agent'), 'far-side': of('far-side') });
}

async function supervise({ relayUrl, adminToken }: Stage): Promise<Board> {
  const post = async <T>(path: string, body: unknown, headers: Record<string, string>): Promise<T> => {
    const response = await fetch(`${relayUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  const { code } = await post<{ code: string }>(
    '/v1/admin/pairing-codes',
    { tenant: 'hubspot-sandbox', agent: 'sam' },
    { authorization: `Bearer ${adminToken}` },
  );
  const session = `${relayUrl}/v1/sessions`;
  const { token } = await post<Session>(
    '/v1/sessions',
    { device: randomUUID(), proof: { kind: 'pairing-code', code } },
    phoneKey.headers({ method: 'POST', url: session }),
  );
  const url = `${relayUrl}/v1/live/events`;
  const stream = await EventStream.open(url, phoneKey.headers({ method: 'GET', url, token, now: Date.now() }));
  const lines = (): readonly TranscriptLine[] => {
    const newest = new Map<string, TranscriptLine>();
    for (const { event } of stream.events) {
      const line = lineIn(event);
      if (line === null) continue;
      const key = `${line.speaker} ${line.line}`;
      if (newest.get(key)?.final !== true || line.final) newest.set(key, line);
    }
    return [...newest.values()].sort((one, other) => one.startMs - other.startMs);
  };
  return { lines, words: () => wordsOf(lines().filter(({ final }) => final)), close: () => stream.close() };
}
