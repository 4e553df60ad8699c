/** The pictures of the Salesforce guide. Owns what is in them; where they go is `pictures.ts`'s to say. */
import type { Page } from 'playwright-core';
import { extensions, openStage } from '../../scripts/stage.ts';
import { startBrowser } from '../browser/chromium.ts';
import { salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

const mina = '+14155550103';
const sharedNumber = '+14155550123';
const stranger = '+14155550187';

/** What both say while the picture of a live call is taken. */
const conversation = [
  ['agent', 'Patchcord support, this is Robin. How can I help?'],
  ['far-side', 'Hello Robin, it is Mina from Juniper Dental. Our delivery has not come yet.'],
  ['agent', 'I am looking at the order now. It left the warehouse this morning.'],
  ['far-side', 'Oh good. Could you tell me when it will be here?'],
] as const;

/** @param take Keeps what a page shows under a name */
export async function takeSalesforcePictures(take: (page: Page, name: string) => Promise<void>): Promise<void> {
  const telephony = await startSwitchTelephony();
  const stage = await openStage({ telephony, demoCalls: true });
  const browser = await startBrowser({ viewport: { width: 1440, height: 900 } });
  try {
    const crm = salesforcePage(stage);
    const page = await browser.newPage();
    const panel = await crm.open(page);
    const button = (name: string | RegExp) => panel.getByRole('button', { name, exact: typeof name === 'string' });
    const ring = (from: string) =>
      telephony.switchboard.callAgent(extensions.salesforce.robin, {
        callerNumber: from,
        toneHz: 600,
        ringSeconds: 60,
      });
    const declined = async (): Promise<void> => {
      await button('Decline').click();
      await button('Call').waitFor();
    };

    await crm.showRecord(page, 'Elena Marchetti');
    await ring(sharedNumber);
    await panel.getByText('Priya Raman').first().waitFor();
    await take(page, 'salesforce-several');
    await declined();

    await ring(stranger);
    await button('Answer').waitFor();
    await panel.getByText('Not in your CRM').first().waitFor();
    await take(page, 'salesforce-no-match');
    await declined();

    await ring(mina);
    await until('the caller’s record', async () => ((await crm.shownRecord(page)) === 'Mina Sato' ? true : undefined));
    await take(page, 'salesforce-ring');

    await button('Answer').click();
    await panel.getByRole('timer').waitFor();
    const call = await liveCallId(page);
    for (const [index, [speaker, text]] of conversation.entries())
      stage.relay().transcript.tell('salesforce-sandbox', 'robin', call, {
        line: index,
        speaker,
        text,
        startMs: index * 4_000,
        endMs: index * 4_000 + 3_500,
        final: index < conversation.length - 1,
      });
    await page.getByText('Could you tell me when it will be here?').first().waitFor();
    await panel.getByLabel('Note').fill('Delivery left the warehouse this morning. Call back when it has arrived.');
    await take(page, 'salesforce-in-call');

    await button(/^(?:End|Hang up)/).click();
    await panel.getByRole('button', { name: 'Save and finish' }).waitFor();
    await panel.getByRole('radio', { name: 'Call back later' }).check();
    await take(page, 'salesforce-wrap-up');
    await button('Save and finish').click();
    await panel.getByText('Saved. The call goes to your CRM.').waitFor({ state: 'hidden' });

    await until('the log', () =>
      stage.salesforce.records.Task.some(({ Description }) => String(Description).includes('left the warehouse'))
        ? true
        : undefined,
    );
    await page.getByText('Delivery left the warehouse this morning').first().waitFor();
    await take(page, 'salesforce-history');

    await page.getByRole('link', { name: 'Reports', exact: true }).click();
    await page.locator('.reports').getByRole('table').first().waitFor();
    await take(page, 'salesforce-report');
    await page.getByRole('link', { name: 'Board', exact: true }).click();
    await page.getByRole('table').getByText('Robin Avery').first().waitFor();
    await take(page, 'salesforce-board');

    await page.getByRole('link', { name: 'People', exact: true }).click();
    await panel.getByRole('tab', { name: 'Settings' }).click();
    await button('Check the set-up').click();
    await panel
      .getByText(/^(?:Everything works|Nothing is wrong|One thing is|\d things are)/)
      .first()
      .waitFor({ timeout: 30_000 });
    await take(page, 'salesforce-self-test');
  } finally {
    await browser.close();
    await stage.close();
    await telephony.close();
  }
}

/** Asked as any component of the page would ask: over the message channel. */
async function liveCallId(page: Page): Promise<string> {
  return page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const { channel } = (window as unknown as { sandbox: { channel: Channel } }).sandbox;
        const stop = channel.subscribe('Patchcord_Phone__c', (message) => {
          const id = (message as { news?: { calls?: readonly { id: string }[] } }).news?.calls?.[0]?.id;
          if (id === undefined) return;
          stop();
          resolve(id);
        });
        channel.publish('Patchcord_Phone__c', { command: { command: 'sync', id: 'picture' } });
      }),
  );
}

interface Channel {
  subscribe(channel: string, listener: (message: unknown) => void): () => void;
  publish(channel: string, message: unknown): void;
}
