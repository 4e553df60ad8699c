/**
 * The two CRM pages as an agent uses them, and what their CRM holds afterwards, in the same words for both. Owns selectors of the sandbox
 * pages and the reading of their records; knows no telephone system.
 */
import type { Frame, Page } from 'playwright-core';
import { extensions, type Stage } from '../../scripts/stage.ts';
import { until } from './telephony.ts';

/** One call as the CRM keeps it, whichever CRM. */
export interface LoggedCall {
  readonly direction: 'inbound' | 'outbound';
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  /** The CRM's own word for how it ended. */
  readonly result: string;
  readonly text: string;
  readonly record: string | null;
  readonly owner: string;
}

export interface CrmPage {
  readonly name: 'Salesforce' | 'HubSpot';
  readonly extension: string;
  /** What this CRM calls an answered, a transferred, a missed and a busy call. */
  readonly words: Readonly<Record<'answered' | 'transferred' | 'missed' | 'busy', string>>;
  /** Opens the page, signs in, and waits until the line is ready. */
  open(page: Page): Promise<Frame>;
  /** Loads the page without waiting for the phone. */
  visit(page: Page): Promise<Frame>;
  showRecord(page: Page, person: string): Promise<void>;
  /** Clicks the number on the record that is shown. */
  clickNumber(page: Page): Promise<void>;
  shownRecord(page: Page): Promise<string>;
  calls(): readonly LoggedCall[];
  readonly stage: Stage;
}

/** The frame with the panel, once it is there. */
async function panelOf(page: Page, path: string): Promise<Frame> {
  return until(
    `the panel's frame ${path}`,
    () => page.frames().find((frame) => new URL(frame.url() || 'about:blank').pathname === path),
    15_000,
  );
}

async function ready(frame: Frame): Promise<void> {
  await frame.getByRole('button', { name: 'Call', exact: true }).waitFor({ timeout: 15_000 });
  await frame.getByText('The line is ready.').waitFor({ state: 'attached', timeout: 15_000 });
}

/** The Salesforce page of a stage. */
export function salesforcePage(stage: Stage): CrmPage {
  const { records, users } = stage.salesforce;
  const visit = async (page: Page): Promise<Frame> => {
    await page.goto(stage.salesforce.url);
    return panelOf(page, '/salesforce/');
  };
  return {
    name: 'Salesforce',
    stage,
    extension: extensions.salesforce.robin,
    words: { answered: 'Connected', transferred: 'Transferred', missed: 'Missed', busy: 'Busy' },
    visit,
    async open(page) {
      const frame = await visit(page);
      await ready(frame);
      return frame;
    },
    showRecord: async (page, person) => page.locator('a.person', { hasText: person }).click(),
    clickNumber: async (page) => page.locator('button.dial:enabled').first().click(),
    shownRecord: async (page) => (await page.locator('[data-shown] h1').textContent()) ?? '',
    calls: () =>
      records.Patchcord_Call__c.map((marker) => {
        const task = records.Task.find((one) => String(one.Id).slice(0, 15) === String(marker.Task_Id__c).slice(0, 15));
        if (task === undefined) throw new Error('A call record of the org has no task.');
        const who = [...records.Contact, ...records.Lead].find((one) => one.Id === task.WhoId);
        return {
          direction: marker.Direction__c === 'Inbound' ? ('inbound' as const) : ('outbound' as const),
          from: String(marker.From_Number__c),
          to: String(marker.To_Number__c),
          seconds: Number(task.CallDurationInSeconds),
          result: String(task.CallDisposition),
          text: String(task.Description),
          record: who === undefined ? null : String(who.Name),
          owner: users.find((user) => user.id === task.OwnerId)?.name ?? String(task.OwnerId),
        };
      }),
  };
}

/** The HubSpot page of a stage. Where the account has a calling window, that is opened beside the tab, and the frame is the one in it. */
export function hubspotPage(stage: Stage): CrmPage {
  const { records, owners, calling } = stage.hubspot;
  const visit = async (page: Page): Promise<Frame> => {
    await page.goto(stage.hubspot.url);
    if (calling.settings()?.usesCallingWindow !== true) return panelOf(page, '/hubspot/');
    const opening = page.waitForEvent('popup');
    await page.locator('[data-open-window]').click();
    const callingWindow = await opening;
    page.once('close', () => void callingWindow.close());
    return panelOf(callingWindow, '/hubspot/');
  };
  return {
    name: 'HubSpot',
    stage,
    extension: extensions.hubspot.robin,
    words: { answered: 'COMPLETED', transferred: 'COMPLETED', missed: 'MISSED', busy: 'BUSY' },
    visit,
    async open(page) {
      const frame = await visit(page);
      // A person reads the code on the card and types it into the phone.
      const card = page.getByRole('region', { name: 'Patchcord card' });
      await card.getByRole('button', { name: 'Get a code' }).click({ timeout: 15_000 });
      const code = (await card.getByText(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/).textContent()) ?? '';
      await frame.getByLabel('Pairing code').fill(code);
      await frame.getByRole('button', { name: 'Sign in', exact: true }).click();
      await ready(frame);
      return frame;
    },
    async showRecord(page, person) {
      await page.getByTitle(person, { exact: true }).click();
      await page.locator('[data-shown] h1', { hasText: person }).waitFor();
    },
    clickNumber: async (page) => page.locator('button.dial').first().click(),
    shownRecord: async (page) => (await page.locator('[data-shown] h1').textContent()) ?? '',
    calls: () =>
      records.calls.map((call) => {
        const { properties } = call;
        const link = records.associations.find(
          (one) => one.fromType === 'calls' && one.fromId === call.id && one.toType === 'contacts',
        );
        const contact = records.contacts.find((one) => one.id === link?.toId);
        const owner = owners.find((one) => one.id === properties.hubspot_owner_id);
        return {
          direction: properties.hs_call_direction === 'INBOUND' ? ('inbound' as const) : ('outbound' as const),
          from: properties.hs_call_from_number ?? '',
          to: properties.hs_call_to_number ?? '',
          seconds: Number(properties.hs_call_duration ?? 0) / 1000,
          result: properties.hs_call_status ?? '',
          text: properties.hs_call_body ?? '',
          record: contact === undefined ? null : `${contact.properties.firstname} ${contact.properties.lastname}`,
          owner: owner === undefined ? '' : `${owner.firstName} ${owner.lastName}`,
        };
      }),
  };
}
