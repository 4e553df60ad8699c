/**
 * What an agent does in a day, on both CRM pages, with the sound measured at both ends. The same journeys run on the sandbox switch and on
 * real SIP servers. Owns the journeys; a step speaks of what a person sees, hears or finds in the CRM.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, hubspotPage, salesforcePage } from './crm-pages.ts';
import { type TestTelephony, until } from './telephony.ts';

const ourTone = 440;
/** Amplitude from which a tone counts as heard, and up to which it counts as absent. */
const heard = 0.02;
const absent = 0.004;

/** Registers the journeys for one telephone system. */
export function journeys(system: string, startTelephony: () => Promise<TestTelephony>): void {
  for (const crmPage of [salesforcePage, hubspotPage]) {
    describe(`${crmPage === salesforcePage ? 'Salesforce' : 'HubSpot'} on ${system}`, () => {
      let telephony: TestTelephony;
      let stage: Stage;
      let browser: TestBrowser;
      let crm: CrmPage;
      let page: Page;
      let panel: Frame;

      beforeAll(async () => {
        telephony = await startTelephony();
        browser = await startBrowser({ toneHz: ourTone });
      });
      afterAll(async () => {
        await browser?.close();
        await telephony?.close();
      });
      beforeEach(async () => {
        stage = await openStage({ telephony });
        crm = crmPage(stage);
        page = await browser.newPage();
        panel = await crm.open(page);
      });
      afterEach(async () => {
        await page?.close();
        await stage?.close();
      });

      const button = (name: string | RegExp) => panel.getByRole('button', { name, exact: typeof name === 'string' });
      const callFromRecord = async (person: string): Promise<void> => {
        await crm.showRecord(page, person);
        await crm.clickNumber(page);
        await panel.getByRole('timer').waitFor();
      };
      const finishWrapUp = async (note: string): Promise<void> => {
        await panel.getByLabel('Note').fill(note);
        await button('Save and finish').click();
      };
      const theOnlyCall = (good: (call: ReturnType<CrmPage['calls']>[number]) => boolean) =>
        until('exactly one call in the CRM', () => {
          const calls = crm.calls();
          return calls.length === 1 && calls[0] !== undefined && good(calls[0]) ? calls[0] : undefined;
        }).catch((error: unknown) => {
          throw new Error(`${String(error)} The CRM holds: ${JSON.stringify(crm.calls())}`);
        });
      const hears = (hz: number) => listenUntil(panel, `${hz} Hz`, (sound) => sound.amplitude(hz) > heard);

      test('a number clicked on a record becomes a call with sound both ways, hold, keys, and one log with the note', async () => {
        const { first, second } = telephony;
        await callFromRecord('Mina Sato');
        await panel.getByText(first.person).first().waitFor();
        const sound = await hears(first.toneHz);
        expect(sound.amplitude(second.toneHz)).toBeLessThan(absent);
        await first.hears(ourTone);

        await button('Hold').click();
        await button('Resume').waitFor();
        await panel.getByText('On hold', { exact: true }).waitFor();
        await listenUntil(panel, 'silence while on hold', (now) => now.rms < absent);
        await first.hearsNot(ourTone);
        const before = await listen(panel);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const after = await listen(panel);
        expect(after.packetsSent - before.packetsSent, 'microphone packets while on hold').toBe(0);

        await button('Resume').click();
        await hears(first.toneHz);
        await first.hears(ourTone);

        await button('Keypad').click();
        for (const key of ['1', '2'])
          await panel.getByRole('group', { name: 'Keypad' }).getByRole('button', { name: key, exact: true }).click();
        await panel
          .getByRole('group', { name: 'Keypad' })
          .getByRole('button', { name: /^(#|hash|pound)/i })
          .click();
        await first.receivesKeys('12#');

        await button('Hang up').click();
        await finishWrapUp('Wants a quote by Friday');
        const call = await theOnlyCall((one) => one.text.includes('Wants a quote'));
        expect(call).toMatchObject({
          direction: 'outbound',
          from: crm.extension,
          to: first.number,
          record: 'Mina Sato',
          owner: 'Robin Avery',
          result: crm.words.answered,
        });
        expect(call.seconds).toBeGreaterThanOrEqual(1);
      });

      test('an attended transfer joins the two far ends, and the conversation is one log', async () => {
        const { transferable, transferTarget } = telephony;
        await callFromRecord(transferable.person);
        await hears(transferable.toneHz);
        await button('Transfer').click();
        await panel.getByRole('textbox', { name: 'Transfer to' }).fill(transferTarget.number);
        await button('Ask first').click();
        await hears(transferTarget.toneHz);
        await transferTarget.hears(ourTone);
        await transferable.hearsNot(ourTone);
        await button('Complete transfer').click();
        await transferable.hears(transferTarget.toneHz);
        await transferTarget.hears(transferable.toneHz);
        await transferTarget.hearsNot(ourTone);
        await finishWrapUp('Passed on to a colleague');
        const call = await theOnlyCall((one) => one.text.includes('Passed on'));
        expect(call.text).toContain(`Transferred to ${transferTarget.number}`);
        expect(call).toMatchObject({
          direction: 'outbound',
          from: crm.extension,
          to: transferable.number,
          record: transferable.person,
          owner: 'Robin Avery',
          result: crm.words.transferred,
        });
        await transferable.hangUp();
        // A log of the consult call would have come by now: none waits to be written, not even for a page that had a minute to make it.
        await until('no log left to deliver', async () => (await waitingLogs()) === 0 || undefined, 75_000);
        expect(crm.calls()).toHaveLength(1);
      });

      test('a transfer without asking hands the call over', async () => {
        const { transferable, transferTarget } = telephony;
        await callFromRecord(transferable.person);
        await hears(transferable.toneHz);
        await button('Transfer').click();
        await panel.getByRole('textbox', { name: 'Transfer to' }).fill(transferTarget.number);
        await button('Transfer now').click();
        await transferable.hears(transferTarget.toneHz);
        await transferTarget.hears(transferable.toneHz);
        await finishWrapUp('Handed over');
        const call = await theOnlyCall((one) => one.text.includes('Handed over'));
        expect(call.text).toContain(`Transferred to ${transferTarget.number}`);
        await transferable.hangUp();
      });

      test('an inbound call opens its record, is answered, heard and logged', async () => {
        const { first } = telephony;
        await crm.showRecord(page, 'Theo Okafor');
        await telephony.call(first, crm.extension);
        await panel.getByText('Incoming call', { exact: true }).waitFor();
        await until('the caller’s record in front of the agent', async () =>
          (await crm.shownRecord(page)) === 'Mina Sato' ? true : undefined,
        );
        await button('Answer').click();
        await hears(first.toneHz);
        await first.hears(ourTone);
        await first.hangUp();
        await finishWrapUp('Called about an invoice');
        const call = await theOnlyCall((one) => one.text.includes('invoice'));
        expect(call).toMatchObject({
          direction: 'inbound',
          from: first.number,
          to: crm.extension,
          record: 'Mina Sato',
          owner: 'Robin Avery',
          result: crm.words.answered,
        });
      });

      test('an inbound call that nobody answers is one log "missed"', async () => {
        const { first } = telephony;
        const call = await telephony.call(first, crm.extension);
        await panel.getByText('Incoming call', { exact: true }).waitFor();
        // The caller gives up at once: whether or not the panel had time to look them up, the log has its record.
        await call.hangUp();
        await panel.getByText('Incoming call', { exact: true }).waitFor({ state: 'detached' });
        // A log that HubSpot's page made is there, with its record, while it still rings.
        const logged = await theOnlyCall(({ record, result }) => record !== null && result === crm.words.missed);
        expect(logged).toMatchObject({
          direction: 'inbound',
          from: first.number,
          record: 'Mina Sato',
          result: crm.words.missed,
          seconds: 0,
        });
        await panel.getByRole('tab', { name: /Recent/ }).click();
        await panel.getByText('missed').first().waitFor();
      });

      test('two calls swap without a sound of one in the other', async () => {
        const { first, second } = telephony;
        await callFromRecord('Mina Sato');
        await hears(first.toneHz);
        await button('New call').click();
        await panel.getByRole('textbox', { name: 'Second call' }).fill(second.number);
        await button('Call').click();
        const withSecond = await hears(second.toneHz);
        await second.hears(ourTone);
        await first.hearsNot(ourTone);
        await listenUntil(
          panel,
          'only the second far end',
          (sound) => sound.amplitude(second.toneHz) > heard && sound.amplitude(first.toneHz) < absent,
        );
        expect(withSecond.rms).toBeGreaterThan(absent);

        await button(/^Swap to /).click();
        await listenUntil(
          panel,
          'only the first far end',
          (sound) => sound.amplitude(first.toneHz) > heard && sound.amplitude(second.toneHz) < absent,
        );
        await first.hears(ourTone);
        await second.hearsNot(ourTone);

        await button(/^Hang up .+/).click();
        await button('Hang up').click();
        for (let left = 2; left > 0; left -= 1) await button('Save and finish').click();
        await until('two calls in the CRM', () => (crm.calls().length === 2 ? true : undefined));
      });

      /** The logs that the relay still owes, from its own metrics. A later look after those of a page owes none. */
      async function waitingLogs(): Promise<number> {
        const text = await (await fetch(`${stage.relayUrl}/metrics`)).text();
        return [
          ...text.matchAll(/^patchcord_outbox_effects\{(?=[^}]*kind="crm\.log")[^}]*state="waiting"[^}]*\} (\d+)/gm),
        ].reduce((sum, match) => sum + Number(match[1]), 0);
      }
    });
  }
}
