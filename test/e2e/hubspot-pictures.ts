/** The pictures of the HubSpot guide and the README. Owns what is in them; where they go is `pictures.ts`'s to say. */
import { randomBytes } from 'node:crypto';
import type { Frame, Locator, Page } from 'playwright-core';
import { extensions, openStage, type Stage } from '../../scripts/stage.ts';
import { startBrowser } from '../browser/chromium.ts';
import { wavOf } from '../unit/server/wav-samples.ts';
import { hubspotPage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

const tenant = 'hubspot-sandbox';
/** The stage's own. */
const appId = 7_000_042;
const sharedNumber = '+14155550123';
const conversation = [
  ['agent', 'Patchcord support, this is Robin. How can I help?'],
  ['far-side', 'Hello Robin, it is Mina from Juniper Dental. You sent invoice 2041 twice.'],
  ['agent', 'I see it. The first one counts, I take the second one back today.'],
  ['far-side', 'Thank you. Please call me when it is done.'],
] as const;

type Take = (page: Page, name: string, part?: string) => Promise<void>;

/** @param take Keeps what a page shows, or a part of it, under a name */
export async function takeHubSpotPictures(take: Take): Promise<void> {
  const telephony = await startSwitchTelephony();
  const recorder = randomBytes(24).toString('hex');
  const stage = await openStage({
    telephony,
    demoCalls: true,
    hubspotTenant: {
      transcripts: { keep: true },
      callRecords: { asterisk: { secret: recorder } },
    },
  });
  const browser = await startBrowser({ viewport: { width: 1440, height: 900 } });
  try {
    const crm = hubspotPage(stage);
    await setRecordings(stage);
    const tab = await browser.newPage();
    await tab.goto(stage.hubspot.url);
    await crm.showRecord(tab, 'Mina Sato');
    const card = tab.getByRole('region', { name: 'Patchcord card' });

    const window = await openWindow(tab);
    const panel = await panelIn(window);
    const button = (name: string | RegExp) => panel.getByRole('button', { name, exact: typeof name === 'string' });
    const ready = () => button('Call').waitFor({ timeout: 20_000 });

    // The first sign-in: the code on the card, and the phone that asks for it.
    await card.getByRole('button', { name: 'Get a code' }).click({ timeout: 15_000 });
    const code = await card.getByText(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/).textContent();
    await panel.getByLabel('Pairing code').fill(code ?? '');
    await beside(tab, window, take, 'hubspot-sign-in', card);
    await button('Sign in').click();
    await ready();
    await tab.reload();
    await card.getByText('None over this phone yet').waitFor();
    await take(tab, 'hubspot-card-empty', 'section.extension');

    await telephony.switchboard.callAgent(extensions.hubspot.robin, {
      callerNumber: sharedNumber,
      toneHz: 600,
      ringSeconds: 60,
    });
    await panel.getByText('Priya Raman').first().waitFor();
    await panel.getByText('Luis Ortega').first().waitFor();
    await take(window, 'hubspot-several');
    await button('Decline').click();
    await ready();

    // A call from a record, told in the calling window and in the tab.
    await tab.bringToFront();
    await tab.locator('button.dial').first().click();
    await panel.getByRole('timer').waitFor({ timeout: 20_000 });
    const call = await until('the call', () => lastCall(stage));
    for (const [line, [speaker, text]] of conversation.entries())
      stage.relay().transcript.tell(tenant, 'robin', call, {
        line,
        speaker,
        text,
        startMs: line * 4_000,
        endMs: line * 4_000 + 3_500,
        final: true,
      });
    await panel.getByLabel('Note').fill('Invoice 2041 went out twice. I take the second one back and call her.');
    await panel.getByText('Saved').waitFor();
    await beside(tab, window, take, 'hubspot-in-call');
    await window.bringToFront();
    await button('Hang up').click();
    await panel.getByRole('button', { name: 'Save and finish' }).waitFor();
    await panel.getByRole('radio', { name: 'Call back later' }).check();
    await take(window, 'hubspot-wrap-up');
    await button('Plan a call-back').click();
    await button('In 15 min').click();
    await button('Save and finish').click();
    await ready();
    await panel.getByText('Saved. The call goes to your CRM.').waitFor({ state: 'hidden' });
    await handOver(stage, recorder, call);

    // The card afterwards: the call with its words, and the call-back.
    await until('the recording and the words on the card', async () => {
      await tab.reload();
      await card.locator('summary', { hasText: ' · To ' }).first().waitFor();
      return (await card.getByText('Play the recording').count()) > 0 ? true : undefined;
    });
    await card.locator('summary', { hasText: ' · To ' }).first().click();
    await card.locator('summary', { hasText: 'Transcript' }).first().click();
    await take(tab, 'hubspot-card-calls', 'section.extension');
    await panel.getByRole('button', { name: /^To call/ }).click();
    await take(window, 'hubspot-to-call');

    await tab.goto(new URL(`/help-desk/${stage.hubspot.portalId}/thread/801`, stage.hubspot.url).href);
    await card.getByText('Next call-back').waitFor();
    await take(tab, 'hubspot-help-desk');

    await window.bringToFront();
    await panel.getByRole('tab', { name: 'Settings' }).click();
    await button('Check the set-up').click();
    await panel
      .getByText(/^(?:Everything works|Nothing is wrong|One thing is|\d things are)/)
      .first()
      .waitFor({ timeout: 30_000 });
    await take(window, 'hubspot-self-test');

    const settings = await browser.newPage();
    await settings.goto(stage.hubspot.url);
    await settings.getByRole('link', { name: 'Settings' }).click();
    await settings.getByRole('button', { name: 'Run the self-test' }).click();
    await settings
      .getByText(/Nothing is wrong|not right/)
      .first()
      .waitFor({ timeout: 30_000 });
    await take(settings, 'hubspot-settings', '.app-settings');
    await settings.close();

    await window.close();
    await tab.goto(stage.hubspot.url);
    await crm.showRecord(tab, 'Mina Sato');
    await tab
      .frameLocator('#hubspot-calling-extension-iframe')
      .getByText('The phone window is not connected')
      .waitFor();
    await take(tab, 'hubspot-window-closed');
  } finally {
    await browser.close();
    await stage.close();
    await telephony.close();
  }
}

async function openWindow(tab: Page): Promise<Page> {
  const opening = tab.waitForEvent('popup');
  await tab.locator('[data-open-window]').click();
  const window = await opening;
  await window.setViewportSize({ width: 424, height: 736 });
  return window;
}

async function panelIn(window: Page): Promise<Frame> {
  return until(
    'the panel',
    () => window.frames().find((frame) => new URL(frame.url() || 'about:blank').pathname === '/hubspot/'),
    15_000,
  );
}

/** The number HubSpot's page keeps of the call that was begun last: ours. */
function lastCall(stage: Stage): string | undefined {
  const ours = stage.hubspot.records.calls.filter(({ properties }) =>
    /^[0-9a-f-]{36}$/.test(properties.hs_call_external_id ?? ''),
  );
  return ours.at(-1)?.properties.hs_call_external_id ?? undefined;
}

/** As `npm run hubspot -- configure` does. */
async function setRecordings({ hubspot, relayUrl }: Stage): Promise<void> {
  const { apiKey } = hubspot.calling.developer;
  const url = `${hubspot.apiUrl}/crm/v3/extensions/calling/${appId}/settings/recording?hapikey=${apiKey}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ urlToRetrieveAuthedRecording: `${relayUrl}/v1/hubspot/recordings/%s` }),
  });
  if (!response.ok) throw new Error(`The recording settings were refused: ${await response.text()}`);
}

/** As a phone system hands a recording over. */
async function handOver(stage: Stage, secret: string, call: string): Promise<void> {
  await until('the recording taken', async () => {
    const response = await fetch(
      `${stage.relayUrl}/v1/recordings/${tenant}/asterisk/calls/${call}?channels=agent,far-side`,
      {
        method: 'PUT',
        headers: { authorization: `Bearer ${secret}` },
        body: new Uint8Array(wavOf([600, 440], { seconds: 12 })),
      },
    );
    return response.ok ? true : undefined;
  });
}

/** Two windows as they stand on one screen: the tab, and the calling window before it. */
async function beside(tab: Page, window: Page, take: Take, name: string, at?: Locator): Promise<void> {
  await at?.scrollIntoViewIfNeeded();
  const shots = [];
  for (const page of [tab, window]) {
    await page.bringToFront();
    await page.waitForTimeout(400);
    shots.push((await page.screenshot()).toString('base64'));
  }
  const [behind, before] = shots;
  const screen = await tab.context().newPage();
  await screen.setContent(
    `<body style="margin:0"><img src="data:image/png;base64,${behind}" style="display:block"><img src="data:image/png;base64,${before}" style="position:absolute;right:24px;top:96px;border:1px solid #888;border-radius:8px;box-shadow:0 12px 48px rgb(0 0 0 / 45%)">`,
  );
  await take(screen, name);
  await screen.close();
}
