/**
 * Short-lived SIP credentials on the real edge, from the agent's side: renewed in a call before they lapse, and dead at once when an admin
 * revokes them. What the edge refuses on the wire (expired, tampered, foreign) is in test/sip-lab/lab.test.ts.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { ephemeralCredential, WssClient } from '../sip-lab/wss-client.ts';
import { type CrmPage, salesforcePage } from './crm-pages.ts';
import { type LabTelephony, startLabTelephony } from './lab-telephony.ts';
import { until } from './telephony.ts';

/** The shortest life the relay grants, seconds. */
const credentialSeconds = 30;

let telephony: LabTelephony;
let browser: TestBrowser;
let stage: Stage;
let crm: CrmPage;
let page: Page;
let panel: Frame;

beforeAll(async () => {
  telephony = await startLabTelephony();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await telephony?.close();
});
beforeEach(async () => {
  stage = await openStage({ telephony, credentialSeconds, logLevel: 'silent' });
  crm = salesforcePage(stage);
  page = await browser.newPage();
  panel = await crm.open(page);
});
afterEach(async () => {
  await page?.close();
  await stage?.close();
});

const button = (name: string) => panel.getByRole('button', { name, exact: true });

/** Names of the credentials with which the edge accepted a REGISTER of this line, in order. */
function acceptedCredentials(): readonly string[] {
  const messages = telephony.edge.sipTrace();
  const accepted = new Set(
    messages
      .filter((one) => one.status === 200 && one.cseq.method === 'REGISTER')
      .map((one) => `${one.callId} ${one.cseq.number}`),
  );
  const names = messages
    .filter((one) => one.method === 'REGISTER' && accepted.has(`${one.callId} ${one.cseq.number}`))
    .map((one) => /username="([^"]+)"/.exec(one.header('Authorization') ?? '')?.[1] ?? '')
    .filter((name) => name.endsWith(`:${crm.extension}`));
  return [...new Set(names)];
}

async function inCall(): Promise<void> {
  await crm.showRecord(page, 'Mina Sato');
  await crm.clickNumber(page);
  await panel.getByRole('timer').waitFor();
  await listenUntil(panel, '600 Hz', (sound) => sound.amplitude(600) > 0.02);
}

test('a call outlives its credential, which was renewed before it lapsed', async () => {
  await inCall();
  const [first] = acceptedCredentials();
  const lapsesAt = Number(first?.split(':')[0]) * 1_000;
  await until(
    'a second credential at the edge',
    () => (acceptedCredentials().length > 1 ? true : undefined),
    credentialSeconds * 1_000,
  );
  expect(Date.now(), 'renewed before it lapsed').toBeLessThan(lapsesAt);
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, lapsesAt + 1_000 - Date.now())));
  await listenUntil(panel, '600 Hz after the first credential lapsed', (sound) => sound.amplitude(600) > 0.02);
  await telephony.first.hears(440);
  await button('Hold').click();
  await panel.getByText('On hold', { exact: true }).waitFor();
  await button('Hang up').click();
  await button('Save and finish').click();
  await until('one log', () => (crm.calls().length === 1 ? true : undefined));
});

test('a revoked agent is out: the panel says so, and the edge refuses what they still hold', async () => {
  const bindings = () => telephony.edge.rpc('ul.lookup', 'location', crm.extension).catch(() => null);
  expect(await bindings(), 'bindings before the revocation').not.toBeNull();
  // What the agent's browser could still be holding: a credential that has not lapsed.
  const held = ephemeralCredential(telephony.credentialSecret, crm.extension, credentialSeconds - 1);

  const answer = await fetch(`${stage.relayUrl}/v1/admin/agents/salesforce-sandbox/robin/revoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'The laptop was stolen.' }),
  });
  expect(answer.status).toBeLessThan(300);

  await panel.getByText('Your access was ended').waitFor();
  await until('no binding is left', async () => ((await bindings()) === null ? true : undefined));
  const thief = await WssClient.connect(telephony.edge);
  try {
    expect((await thief.register(crm.extension, held)).status).toBe(403);
    const invite = await thief.request('INVITE', `sip:${telephony.first.number}@${telephony.domain}`, {
      from: crm.extension,
      to: telephony.first.number,
      credential: held,
    });
    expect(invite.status).toBe(403);
  } finally {
    await thief.close();
  }
});
