/**
 * A browser on a real Asterisk 22, with a credential that the relay pushed: it registers over WSS as the user its credential names, and phones
 * with a desk phone of the same Asterisk. Sound is judged on both sides.
 */

import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkConfig, type TenantConfig } from '../../server/src/config.ts';
import type { CredentialIssuer, Device, SipCredential } from '../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../server/src/credentials/issuers.ts';
import { createLog } from '../../server/src/logging.ts';
import type { Store } from '../../server/src/store/contract.ts';
import { openStore } from '../../server/src/store/open.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';
import { type Asterisk, startAsterisk } from './asterisk.ts';
import { type Baresip, startBaresip } from './baresip.ts';
import { labFromEnvironment } from './namespaces.ts';

const lab = labFromEnvironment();
const [deskAddress = ''] = lab.far.addresses;
const [ourTone, deskTone] = [440, 600];

let asterisk: Asterisk;
let browser: TestBrowser;
let server: PhonePageServer;
let desk: Baresip;
let store: Store;
let tenant: TenantConfig;
let issuer: CredentialIssuer;

beforeAll(async () => {
  [asterisk, browser, server] = await Promise.all([
    startAsterisk(lab),
    startBrowser({ toneHz: ourTone }),
    servePhonePage(),
  ]);
  desk = await startBaresip(lab, {
    user: asterisk.desk.user,
    password: asterisk.desk.password,
    registrar: `${asterisk.address}:5060`,
    address: deskAddress,
    toneHz: deskTone,
    autoAnswer: true,
  });
  store = await openStore({ kind: 'sqlite', folder: mkdtempSync(join(lab.folder, 'store-')) });
  const [only] = checkConfig({
    tenants: [
      {
        id: 'lab',
        name: 'Lab',
        country: 'US',
        hostOrigins: ['https://crm.example.com'],
        crm: { kind: 'memory' },
        sip: {
          domain: asterisk.domain,
          servers: [asterisk.wssUrl],
          credential: { kind: 'asterisk-ari', ...asterisk.ari },
          revocation: { calls: 'end' },
        },
        agents: [{ id: 'ada', name: 'Ada Byron', extension: '1101', crmUserId: 'ada' }],
      },
    ],
  }).tenants;
  if (only === undefined) throw new Error('The configuration lost its tenant.');
  tenant = only;
  issuer = issuerOf(tenant, { store: store.credentials, log: createLog('silent'), now: Date.now });
});
afterAll(async () => {
  await desk?.stop();
  await browser?.close();
  await server?.close();
  await store?.close();
  await asterisk?.stop();
});

let phone: PhoneInBrowser;
let device: Device;
let credential: SipCredential;

beforeEach(async () => {
  device = { agent: 'ada' as AgentId, id: randomUUID() as DeviceId, extension: '1101', name: 'Ada Byron' };
  credential = await issuer.issue(device);
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  const account = accountFor({ url: asterisk.wssUrl, domain: asterisk.domain }, credential.user ?? '');
  await phone.start({ ...account, instance: device.id }, credential);
  await phone.next('sip.registered');
});
afterEach(async () => {
  await phone.stop();
  await phone.page.close();
  await revoke();
});

async function revoke(): Promise<void> {
  await store.credentials.revokeIssued(tenant.id as TenantId, device.agent, device.id, Date.now());
  await issuer.revoke(device, device.id);
}
const hearsDesk = () =>
  listenUntil(phone.page.mainFrame(), 'the desk phone', (heard) => heard.amplitude(deskTone) > 0.01);

describe('a browser on Asterisk with a pushed credential', () => {
  it('calls a desk phone, which sees the extension and hears it, and is heard', async () => {
    const { call } = await phone.dial(asterisk.desk.user);
    expect((await desk.waitFor('established')).detail).toContain('sip:1101@');
    await phone.next('sip.answered', call);
    await hearsDesk();
    await desk.hears(ourTone);
    await phone.command('hangUp', call);
    await desk.waitFor('closed');
  });

  it('is rung by its extension, through the companion, and keeps its line over a renewal', async () => {
    const next = await issuer.issue(device);
    expect(next.user).toBe(credential.user);
    await phone.renew(next);
    await desk.dial('1101');
    const { signal } = await phone.next('sip.invited');
    expect(signal.from.number).toBe('1001');
    await phone.answer(signal.call);
    await desk.waitFor('established');
    await hearsDesk();
    await desk.hears(ourTone);
    await desk.hangUp();
    await phone.next('sip.ended', signal.call);
  });

  it('loses its call at once when the device is revoked and the policy ends calls, whoever began it', async () => {
    const { call } = await phone.dial(asterisk.desk.user);
    await phone.next('sip.answered', call);
    await hearsDesk();
    await revoke();
    await phone.next('sip.ended', call);
    expect(
      JSON.parse(await asterisk.cli('core show channels concise').then((text) => JSON.stringify(text.trim()))),
    ).toBe('');
  });

  it('loses a call that came in, too', async () => {
    await desk.dial('1101');
    const { signal } = await phone.next('sip.invited');
    await phone.answer(signal.call);
    await hearsDesk();
    await revoke();
    await phone.next('sip.ended', signal.call);
  });

  it('survives a reload of the configuration', async () => {
    await asterisk.cli('module reload res_pjsip.so');
    await phone.renew(await issuer.issue(device));
    const { call } = await phone.dial(asterisk.desk.user);
    await phone.next('sip.answered', call);
    await hearsDesk();
    await phone.command('hangUp', call);
  });
});
