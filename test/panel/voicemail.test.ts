/** Voicemail in a real browser: listened to, deleted and brought back by keyboard, live, and where only the phone system has the messages. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const small = { viewport: { width: 320, height: 560 } };

it('a message is played when asked, is heard then, read, deleted and brought back', async () => {
  const panel = await chromium.open('?office', small);
  const { page } = panel;
  const tab = page.getByRole('tab', { name: /Voicemail/ });
  await page.getByText('1 new message').waitFor({ state: 'attached' });
  await tab.click();
  const play = page.getByRole('button', { name: 'Play the message from Ada Lindqvist' });
  await play.waitFor();
  expect(await page.locator('audio').count()).toBe(0);
  await play.press('Enter');
  await page.getByText('they arrived wet again').waitFor();
  // It ran, under the policy of the page, and can be sought in.
  await page.waitForFunction(() => (document.querySelector('audio')?.played.length ?? 0) > 0);
  expect(await page.evaluate(() => document.querySelector('audio')?.seekable.length)).toBe(1);
  await page.getByText('1 new message').waitFor({ state: 'detached' });
  await page.waitForFunction(() => window.lab.relay.voicemails[0]?.heard === true);
  await keepPicture(page, 'voicemail');
  expect(await violationsOf(page)).toEqual([]);
  const items = page.getByRole('list', { name: 'Messages' }).locator('.recent-name');
  await page.getByRole('button', { name: 'Delete the message from Ada Lindqvist' }).press('Enter');
  await page.getByText('Deleted: message from Ada Lindqvist.').waitFor();
  expect(await items.allTextContents()).toEqual(['+49 30 901820', 'Withheld number']);
  await page.getByRole('button', { name: 'Undo' }).press('Enter');
  await play.waitFor();
  await page.waitForFunction(() => window.lab.relay.voicemails.every(({ deletedAt }) => deletedAt === null));
  await page.getByRole('button', { name: 'Call +49 30 901820' }).press('Enter');
  await page.waitForFunction(() => window.lab.sip.sent('dial').at(-1)?.target === '+4930901820');
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

it('what was said is read at a glance; what is being written down is seen as soon as it is there', async () => {
  const panel = await chromium.open('?office', small);
  const { page } = panel;
  await page.getByRole('tab', { name: /Voicemail/ }).click();
  await page.getByText('Hello, this is Ada Lindqvist.').waitFor();
  await page.getByText('Transcribing…').waitFor();
  await page.getByText('Could not be transcribed: The speech-to-text service does not take the key.').waitFor();
  await keepPicture(page, 'voicemail-words');
  expect(await violationsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  await keepPicture(page, 'voicemail-words-dark');
  expect(await violationsOf(page)).toEqual([]);
  const words =
    'This is a rather long message about three pallets that stand in the rain, and about whom to call when they are dry.';
  await page.evaluate((text) => {
    const { relay } = window.lab;
    relay.voicemails = relay.voicemails.map((one, index) =>
      index === 1 ? { ...one, text, noText: undefined } : index === 2 ? { ...one, noText: 'none' } : one,
    );
    relay.tell({ name: 'voicemail.changed', at: Date.now(), data: { voicemail: crypto.randomUUID() } });
  }, words);
  const summary = page.locator('summary', { hasText: 'This is a rather long message' });
  await summary.waitFor();
  await page.getByText('No words in it.').waitFor();
  expect(await page.getByText(words).isVisible()).toBe(false);
  await summary.press('Enter');
  await page.getByText(words).waitFor();
  await page.getByText('Transcribing…').waitFor({ state: 'detached' });
  await panel.close();
});

it('what happens elsewhere is seen at once; a list that can’t be loaded says so', async () => {
  const panel = await chromium.open('?office', small);
  const { page } = panel;
  await page.getByRole('tab', { name: /Voicemail/ }).click();
  await page.getByRole('button', { name: /^Play/ }).first().waitFor();
  await page.evaluate(() => {
    const { relay } = window.lab;
    relay.voicemails = [];
    relay.tell({ name: 'voicemail.changed', at: Date.now(), data: { voicemail: crypto.randomUUID() } });
  });
  await page.getByText('No messages. What callers leave for you').waitFor();
  await page.evaluate(() => {
    const { relay } = window.lab;
    relay.failures.set('/v1/voicemails', { status: 503, code: 'relay.unreachable', message: 'The store is away.' });
    const data = { voicemail: crypto.randomUUID(), mailbox: '201', from: { number: '204' }, durationMs: 9_000 };
    relay.tell({ name: 'voicemail.received', at: Date.now(), data });
  });
  await page.getByText('New voicemail from 204.').waitFor();
  await page.getByText('The store is away.').waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await page.evaluate(() => window.lab.relay.failures.clear());
  await page.getByRole('button', { name: 'Load again' }).press('Enter');
  await page.getByText('No messages. What callers leave for you').waitFor();
  await panel.close();
});

it('where the phone system alone has the messages, their number is told and the mailbox called', async () => {
  const panel = await chromium.open('?office&mailbox', small);
  const { page } = panel;
  await page.getByRole('tab', { name: /Voicemail/ }).click();
  await page.getByText('has not said whether messages wait').waitFor();
  await page.evaluate(() => window.lab.sip.mailbox({ waiting: true, newMessages: 3, oldMessages: 2 }));
  await page.getByText('3 new, 2 old').waitFor();
  await page.getByText('3 new messages').first().waitFor({ state: 'attached' });
  expect(await violationsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Call the mailbox' }).press('Enter');
  await page.waitForFunction(() => window.lab.sip.sent('dial').at(-1)?.target === '*97');
  expect(panel.complaints).toEqual([]);
  await panel.close();
});
