import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpServer, json, objectBody, startHttpServer, text } from '../../../sandbox/src/http.ts';
import { cardRoutes } from '../../../sandbox/src/hubspot/cards/index.ts';
import { createPortal } from '../../../sandbox/src/hubspot/records.ts';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';
import { createSignedFetch } from '../../../sandbox/src/hubspot/signed-fetch.ts';
import { bundled } from '../../../sandbox/src/page/bundle.ts';
import { startBrowser, type TestBrowser } from '../../browser/chromium.ts';

const secret = 'a-client-secret-that-only-tests-know';
const owner = { id: '77', userId: 901, email: 'grace@example.com', firstName: 'Grace', lastName: 'Hopper' };
const now = Date.now();

/** Where pictures go, when somebody wants to look at them. */
const pictures = process.env.PATCHCORD_CARD_PICTURES;

interface Asked {
  readonly path: string;
  readonly user: string | null;
  readonly signed: boolean;
  readonly body: Record<string, unknown>;
}

const calls = [
  {
    callId: 'call-1',
    logId: '90001',
    direction: 'inbound',
    outcome: 'answered',
    farSide: { number: '+14155550101', name: 'Ada Byron' },
    agent: 'Grace Hopper',
    startedAt: now - 3_600_000,
    talkMs: 245_000,
    note: 'Wants a quote for forty seats.',
    disposition: 'Connected',
    recording: { url: 'https://phone.example.com/r/1', durationMs: 240_000 },
    transcript: [
      { speaker: 'agent', speakerName: 'Grace Hopper', text: 'Good morning, Acme.', startMs: 0 },
      { speaker: 'far-side', speakerName: 'Ada Byron', text: 'Good morning. I want a quote.', startMs: 4_000 },
    ],
  },
  {
    callId: 'call-2',
    logId: '90002',
    direction: 'outbound',
    outcome: 'no-answer',
    farSide: { number: '+14155550102' },
    agent: 'Alan Turing',
    startedAt: now - 86_400_000,
    talkMs: 0,
    note: '',
    disposition: null,
    recording: null,
    transcript: null,
  },
];
const settings = {
  tenant: { name: 'Acme' },
  connection: { state: 'connected', text: 'Calls are logged in HubSpot account 4242.' },
  you: { agent: 'Grace Hopper', extension: '1001', role: 'admin', mayChange: true },
  agents: [
    { name: 'Grace Hopper', extension: '1001', crmUserId: '901', signedIn: true, provider: 'ours' },
    { name: 'Alan Turing', extension: '1002', crmUserId: '902', signedIn: false, provider: 'other' },
  ],
  policies: [
    {
      id: 'screen-pop.inbound',
      title: 'Inbound calls',
      value: 'ring',
      text: '',
      options: [
        { value: 'ring', label: 'The caller’s record opens when the phone rings' },
        { value: 'never', label: 'The caller’s record does not open by itself' },
      ],
    },
  ],
  selfTest: [
    { id: 'a', title: 'Calling settings', verdict: 'good', found: 'HubSpot opens our calling window.' },
    { id: 'b', title: 'Provider', verdict: 'bad', found: 'Alan calls with another app.', advice: 'Let Alan choose.' },
  ],
};

let browser: TestBrowser;
let relay: HttpServer;
let site: HttpServer;
let page: Page;
let asked: Asked[] = [];
let failures = 0;
const planned = new Map<string, Record<string, unknown>>();

beforeAll(async () => {
  relay = await startHttpServer({
    port: 0,
    host: '127.0.0.1',
    handle: (request) => {
      const body = objectBody(request) ?? {};
      const url = `${relay.origin}${request.path}?${request.query}`;
      const signed =
        request.headers['x-hubspot-signature-v3'] ===
        signatureV3({
          secret,
          method: 'POST',
          url,
          body: request.raw.toString('utf8'),
          timestamp: `${request.headers['x-hubspot-request-timestamp']}`,
        });
      asked.push({ path: request.path, user: request.query.get('userId'), signed, body });
      if (request.path.endsWith('/card/settings')) return json(200, settings);
      if (request.path.endsWith('/card/settings/change'))
        return json(200, {
          ...settings,
          policies: [{ ...settings.policies[0], value: body.value, text: 'Changed by Grace Hopper.' }],
        });
      if (request.path.endsWith('/pairing-codes'))
        return json(403, { error: { code: 'identity.refused', message: 'Ask Linus.', retryable: false } });
      if (request.path.endsWith('/card/dial')) {
        failures -= 1;
        return failures >= 0 ? { status: 502 } : json(200, { state: 'sent', numbers: [] });
      }
      const id = `${body.id}`;
      if (request.path.endsWith('/call-backs'))
        planned.set(id, { ...body, name: 'Ada Byron', askedBy: 'Grace Hopper', doneAt: null });
      if (request.path.endsWith('/change'))
        planned.set(id, { ...planned.get(id), doneAt: body.done === true ? now : null });
      const entry = planned.get(id);
      if (entry !== undefined) return json(200, { note: null, ...entry });
      return json(200, { calls, more: false, toCall: null, phone: { agent: 'Grace Hopper', online: true } });
    },
  });
  const portal = createPortal({ ownerIds: new Set(['77']), searchDelayMs: 0 });
  const contact = portal.create('contacts', {
    firstname: 'Ada',
    lastname: 'Byron',
    phone: '+14155550101',
    mobilephone: '+14155550102',
  });
  const signedFetch = createSignedFetch({ portalId: 4242, appId: 99, clientSecret: secret });
  const routes = cardRoutes({ portal, owners: [owner], appId: 99, relayUrl: relay.origin, signedFetch });
  const script = await bundled(import.meta.url, './card-page.ts');
  const look = await bundled(import.meta.url, '../../../sandbox/src/page/look.css');
  site = await startHttpServer({
    port: 0,
    host: '127.0.0.1',
    handle: async (request) => {
      const card = await routes(request);
      if (card !== undefined) return card;
      if (request.path === '/page.js') return text(200, 'text/javascript', script);
      if (request.path === '/look.css') return text(200, 'text/css', look);
      const html = `<!doctype html><html lang="en"><link rel="stylesheet" href="/look.css"><body style="--canvas:#fff;--ink:#213343;--accent:#1f6f78"><div id="place" data-contact="${contact.id}" style="padding:16px"></div><script src="/page.js"></script></body></html>`;
      return text(200, 'text/html', html);
    },
  });
  browser = await startBrowser({ viewport: { width: 380, height: 900 } });
});
afterAll(async () => {
  await browser.close();
  await site.close();
  await relay.close();
});
beforeEach(() => {
  asked = [];
  failures = 0;
});
afterEach(async () => {
  await page.close();
});

const by = (testId: string): Locator => page.locator(`[data-test-id="${testId}"]`);
const to = (end: string) => asked.filter(({ path }) => path.endsWith(end));

async function open(card: string): Promise<void> {
  page = await browser.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(`${site.origin}/?card=${card}`);
}
async function picture(name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

describe('the genuine card in the sandbox', () => {
  it('shows the calls, and its requests are signed for the person who looks', async () => {
    await open('patchcord_calls_card');
    await page.getByText('Ada Byron').first().click();
    await page.getByText('Transcript').click();
    await page.getByText('Good morning. I want a quote.').waitFor();
    expect(asked).toEqual([
      {
        path: '/v1/hubspot/card/calls',
        user: '901',
        signed: true,
        body: { objectTypeId: '0-1', objectId: expect.stringMatching(/^\d+$/) },
      },
    ]);
    expect(await page.getByRole('link', { name: /Play the recording/ }).getAttribute('target')).toBe('_blank');
    const found = await page.workers()[0]?.evaluate(() => [typeof fetch, typeof indexedDB, typeof WebSocket]);
    expect(found, 'what HubSpot takes from a card').toEqual(['undefined', 'undefined', 'undefined']);
    await picture('card');
  });

  it('dials the chosen number, and HubSpot’s one repeat after a 502 is the same wish', async () => {
    failures = 1;
    await open('patchcord_calls_card');
    await page.getByLabel('Number').selectOption({ label: 'Mobile: +14155550102' });
    await page.getByRole('button', { name: 'Call +14155550102' }).click();
    await page.getByRole('status').getByText('Sent to your phone').waitFor();
    const [first, second] = to('/dial');
    expect(to('/dial')).toHaveLength(2);
    expect(second?.body).toEqual(first?.body);
    expect(first?.body).toMatchObject({ number: '+14155550102' });
    await picture('sent');
  });

  it('says that nobody answered after the repeat failed too, and keeps the wish for the next click', async () => {
    failures = 2;
    await open('patchcord_calls_card');
    await by('call').click();
    await page.getByRole('alert').getByText('The call was not sent').waitFor();
    await by('call').click();
    await page.getByText('Sent to your phone').waitFor();
    expect(new Set(to('/dial').map(({ body }) => body.wish)).size).toBe(1);
  });

  it('plans a call-back at a chosen day and time, and takes it back', async () => {
    await open('patchcord_calls_card');
    await by('plan').click();
    await page.getByLabel('When').selectOption({ label: 'At another time' });
    const day = new Date(now + 2 * 86_400_000);
    const two = (value: number) => `${value}`.padStart(2, '0');
    await page.getByLabel('Day').fill(`${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`);
    await page.getByLabel('Time').fill('14:30');
    await page.getByLabel('What it is about').fill('The quote');
    await picture('form');
    await by('save').click();
    await by('undo').waitFor();
    expect(to('/call-backs')[0]?.body).toMatchObject({
      note: 'The quote',
      number: '+14155550101',
      dueAt: new Date(day.getFullYear(), day.getMonth(), day.getDate(), 14, 30).getTime(),
    });
    await picture('planned');
    await by('undo').click();
    await page.getByText('None planned.').waitFor();
  });

  it('passes the relay’s own words on out of HubSpot’s envelope', async () => {
    await open('patchcord_calls_card');
    await page.getByText('Connect my phone').click();
    await by('pair').click();
    await page.getByRole('alert').getByText('Ask Linus.').waitFor();
  });

  it('draws the settings page, and a policy changes when the relay says so', async () => {
    await open('patchcord_settings');
    await page.getByLabel('Inbound calls').selectOption({ label: 'The caller’s record does not open by itself' });
    await page.getByText('Changed by Grace Hopper').waitFor();
    expect(to('/change')[0]?.body).toEqual({ id: 'screen-pop.inbound', value: 'never' });
    await page.setViewportSize({ width: 900, height: 900 });
    await picture('settings');
  });

  it('says so where there is no such card', async () => {
    await open('patchcord_nothing');
    await page.getByRole('alert').getByText('No extension has the uid').waitFor();
  });
});
