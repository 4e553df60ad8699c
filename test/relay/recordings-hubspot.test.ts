/** A recording and the words of a call, from the phone system to the HubSpot emulator through the real relay and the real client. */
import { newCallId } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../sandbox/src/hubspot/sandbox.ts';
import {
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';

const secret = 'the-secret-of-the-phone-system-in-tests-01';
let sandbox: HubSpotSandbox;
let one: RelayInTest;
let panel: Panel;

beforeAll(async () => {
  sandbox = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'the-client-secret-of-the-app-in-tests',
    appId: 99,
    searchDelayMs: 0,
  });
  const { clientId, clientSecret, refreshToken } = sandbox.oauth;
  const crm = {
    kind: 'hubspot',
    apiUrl: sandbox.apiUrl,
    portalId: sandbox.portalId,
    appId: 99,
    ...{ clientId, clientSecret, refreshToken },
    pageLogGraceMs: 100,
  } as const;
  const callRecords = { asterisk: { secret }, settleMs: 0, signedInSettleMs: 0, groupMs: 0 };
  const tenant = testTenant({ crm, callRecords, transcripts: { keep: true, settleMs: 0 } });
  one = await startRelayInTest(testConfig({ tenants: [tenant] }), { configuredCrm: true });
  const key = sandbox.calling.developer.apiKey;
  const settings = await fetch(`${sandbox.apiUrl}/crm/v3/extensions/calling/99/settings/recording?hapikey=${key}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ urlToRetrieveAuthedRecording: `${one.relay.url}/v1/hubspot/recordings/%s` }),
  });
  expect(settings.status).toBe(200);
  panel = await one.connect((await one.signIn()).token);
});
afterAll(async () => {
  await one?.closed();
  await sandbox?.close();
});

it('HubSpot downloads the recording in parts and has the words, once each, beside the log of the call', async () => {
  const callId = newCallId();
  const said = { startMs: 0, endMs: 900, final: true } as const;
  panel.publish(...envelopes(callId, answeredCall.slice(0, 3)));
  await panel.acknowledged();
  one.relay.transcript.tell('acme', 'ada', callId, { ...said, line: 1, speaker: 'agent', text: 'Good morning' });
  one.relay.transcript.tell('acme', 'ada', callId, {
    ...said,
    line: 1,
    speaker: 'far-side',
    text: 'Hello',
    startMs: 500,
  });
  panel.publish(...envelopes(callId, answeredCall.slice(3), 4));
  await panel.acknowledged();
  const wav = wavOf([440, 880]);
  const put = (): Promise<Response> =>
    one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=agent,far-side`, {
      method: 'PUT',
      body: new Uint8Array(wav),
      headers: { authorization: `Bearer ${secret}` },
    });
  expect((await put()).status).toBe(201);
  await expect
    .poll(() => sandbox.recordings.all(), { timeout: 20_000, interval: 50 })
    .toEqual([
      {
        engagementId: expect.any(String) as string,
        state: 'playable',
        problems: [],
        contentType: 'application/octet-stream',
        bytes: wav.length,
        channels: 2,
      },
    ]);
  const [{ engagementId } = { engagementId: '' }] = sandbox.recordings.all();
  expect(sandbox.portal.get('calls', engagementId)?.properties.hs_call_external_id).toBe(callId);
  await expect.poll(() => sandbox.transcripts.all(), { timeout: 20_000, interval: 50 }).toHaveLength(1);
  expect(sandbox.transcripts.ofCall(engagementId)?.transcriptUtterances).toMatchObject([
    { speaker: { name: 'Ada Byron' }, text: 'Good morning', startTimeMillis: 2_000 },
    { speaker: { name: 'Grace Hopper' }, text: 'Hello', startTimeMillis: 2_500 },
  ]);
  expect((await put()).status).toBe(200);
  const told = sandbox.requests().filter(({ path }) => path.endsWith('/recordings/ready'));
  expect(told).toHaveLength(1);
});
