/** Links that leave the relay name the address that browsers know it by, and nothing else: to sound, and to the player in the CRM's record. */
import { generateKeyPairSync } from 'node:crypto';
import { newCallId } from '@patchcord/call-protocol';
import { startSalesforceSandbox } from '@patchcord/sandbox';
import { expect, it } from 'vitest';
import {
  answeredCall,
  envelopes,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';

const patient = { timeout: 30_000, interval: 50 };
const secret = 'the-secret-of-the-phone-system-in-tests-01';
const authorization = `Bearer ${secret}`;
const sound = () => wavOf([440, 880], { seconds: 1 }) as Buffer<ArrayBuffer>;

async function leaveMessage(one: RelayInTest): Promise<string> {
  const form = new FormData();
  form.set('message', JSON.stringify({ id: 'm-1', mailbox: '1001', number: '+14155550101', at: 1_790_000_000 }));
  form.set('sound', new Blob([sound()], { type: 'audio/wav' }), 'msg.wav');
  const headers = { authorization };
  const response = await one.fetch('/v1/voicemails/acme/asterisk', { method: 'POST', body: form, headers });
  expect(response.status).toBe(201);
  return ((await response.json()) as { voicemail: string }).voicemail;
}

it.each([
  ['has a public address names it in every link', 'https://phone.example.com'],
  ['has none names where it listens, and gives the CRM nothing that would end', undefined],
])('a relay that %s', async (_title, known) => {
  const org = await startSalesforceSandbox({ host: '127.0.0.1', panelUrl: 'http://127.0.0.1:9/salesforce/' });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  org.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const userOf = (name: string) => org.users.find(({ email }) => email.startsWith(`${name}@`));
  const { loginUrl, id: orgId, signingCertificatePem: assertionPublicKey } = org.org;
  const crm = {
    ...{ kind: 'salesforce' as const, loginUrl, clientId: org.connectedApp.clientId, orgId, assertionPublicKey },
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    username: userOf('relay')?.username ?? '',
  };
  const agents = [{ id: 'robin', name: 'Robin', extension: '1001', crmUserId: userOf('robin')?.id ?? '' }];
  const callRecords = { asterisk: { secret }, settleMs: 150, signedInSettleMs: 150, groupMs: 100 };
  const one = await startRelayInTest(
    testConfig({
      ...(known === undefined ? {} : { publicUrl: known }),
      tenants: [testTenant({ crm, agents, callRecords, features: { voicemail: { listed: true } } })],
    }),
    { configuredCrm: true },
  );
  try {
    const { token } = await one.signIn('robin');
    const panel = await one.connect(token);
    const call = newCallId();
    panel.publish(...envelopes(call, answeredCall));
    await panel.acknowledged();
    const path = `/v1/recordings/acme/asterisk/calls/${call}?channels=agent,far-side`;
    expect((await one.fetch(path, { method: 'PUT', body: sound(), headers: { authorization } })).status).toBe(201);
    const voicemail = await leaveMessage(one);

    const address = known ?? `http://127.0.0.1:${one.relay.port}`;
    for (const [asked, opens] of [
      [`/v1/calls/${call}/recording`, '/v1/recording-files/'],
      [`/v1/voicemails/${voicemail}/audio`, '/v1/voicemail-files/'],
    ] as const) {
      const { url } = (await (await one.fetch(asked, { token })).json()) as { url: string };
      expect(url.slice(0, `${address}${opens}`.length)).toBe(`${address}${opens}`);
      expect((await one.fetch(new URL(url).pathname)).status).toBe(200);
    }

    const record = () => org.records.Patchcord_Call__c.find(({ Call_Key__c: key }) => key === call);
    // Where it listens is no address for a record of the CRM. What the log says was written with the same act.
    const task = () => org.records.Task.find(({ CallObject: of }) => of === call);
    await expect.poll(() => String(task()?.Description), patient).toContain('Recorded by the phone system.');
    await expect
      .poll(() => record()?.Recording_Url__c ?? null, patient)
      .toBe(known === undefined ? null : `${known}/t/acme/page/#recording=${call}`);
  } finally {
    await one.closed();
    await org.close();
  }
});
