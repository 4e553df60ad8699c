/** Messages in mailboxes, written down by a speech service and told in the log of their call: through the real relay, store and CRM clients. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newCallId, type Voicemail, VoicemailsSchema } from '@patchcord/call-protocol';
import { startSalesforceSandbox } from '@patchcord/sandbox';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHubSpotSandbox } from '../../sandbox/src/hubspot/sandbox.ts';
import type { Decode } from '../speech/decode.ts';
import { type SegmentsService, segmentsKey, startSegments } from '../speech/segments-server.ts';
import { speak, toneDecoder } from '../speech/tone-alphabet.ts';
import {
  adminToken,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { riff } from '../unit/server/wav-samples.ts';

const patient = { timeout: 60_000, interval: 50 };
const secret = 'the-secret-of-the-phone-system-in-tests-01';
const callRecords = { asterisk: { secret }, settleMs: 150, signedInSettleMs: 150, groupMs: 100 };
/** Heard in the place of the tones, where a test says so. */
let said: string | null = null;
const decode: Decode = (rate) => {
  const words = said;
  if (words === null) return toneDecoder('near')(rate);
  return { push: () => [], flush: () => [{ text: words, startMs: 0, endMs: 900 }] };
};

let speech: SegmentsService;
beforeAll(async () => {
  speech = await startSegments({ decode });
});
afterAll(() => speech.close());

const transcription = () => ({
  service: { kind: 'segments', url: speech.url, key: segmentsKey } as const,
  language: 'en',
  redact: ['@@-####'],
});

/** A WAV file of 8 kHz, as phone systems leave it. */
function spoken(words: readonly string[], coding: 'pcm16' | 'ulaw' = 'pcm16'): Buffer {
  const samples = speak(words, { alphabet: 'near', rate: 8_000 });
  const width = coding === 'pcm16' ? 2 : 1;
  const data = Buffer.alloc(samples.length * width);
  for (const [index, sample] of samples.entries())
    if (coding === 'pcm16') data.writeInt16LE(sample, index * 2);
    else data[index] = muLaw(sample);
  const format = Buffer.alloc(16);
  format.writeUInt16LE(coding === 'pcm16' ? 1 : 7, 0);
  format.writeUInt16LE(1, 2);
  format.writeUInt32LE(8_000, 4);
  format.writeUInt32LE(8_000 * width, 8);
  format.writeUInt16LE(width, 12);
  format.writeUInt16LE(8 * width, 14);
  return riff([
    ['fmt ', format],
    ['data', data],
  ]);
}
/** ITU-T G.711, written from its own definition: eight chords of sixteen steps. */
function muLaw(sample: number): number {
  const size = Math.min(32_635, Math.abs(sample)) + 132;
  let chord = 7;
  while (chord > 0 && size < 2 ** (chord + 7)) chord -= 1;
  return ~((sample < 0 ? 0x80 : 0) | (chord << 4) | ((size >> (chord + 3)) & 15)) & 0xff;
}

let serial = 0;
async function leave(one: RelayInTest, message: object, sound: Buffer, type = 'audio/wav'): Promise<string> {
  serial += 1;
  const data = new FormData();
  const whole = { id: `m-${serial}`, mailbox: '1001', number: '+14155550101', at: Date.now(), ...message };
  data.set('message', JSON.stringify(whole));
  data.set('sound', new Blob([new Uint8Array(sound)], { type }), 'msg');
  const headers = { authorization: `Bearer ${secret}` };
  const response = await one.fetch('/v1/voicemails/acme/asterisk', { method: 'POST', body: data, headers });
  expect(response.status, await response.clone().text()).toBe(201);
  return ((await response.json()) as { voicemail: string }).voicemail;
}
async function inList(one: RelayInTest, token: string, id: string): Promise<Voicemail | undefined> {
  const response = await one.fetch('/v1/voicemails', { token });
  return v.parse(VoicemailsSchema, await response.json()).voicemails.find((each) => each.id === id);
}

describe('what was said in a message', () => {
  let one: RelayInTest;
  let token: string;
  let panel: Panel;
  beforeAll(async () => {
    const tenant = testTenant({
      callRecords,
      transcription: transcription(),
      transcripts: { keep: true, settleMs: 0 },
    });
    one = await startRelayInTest(testConfig({ tenants: [tenant] }));
    ({ token } = await one.signIn());
    panel = await one.connect(token);
  });
  afterAll(() => one.closed());
  const stateOf = async (id: string) => {
    const found = await inList(one, token, id);
    return found?.text ?? `(${found?.noText ?? 'nothing'})`;
  };

  it('is heard from the file, told live and listed', async () => {
    const id = await leave(one, {}, spoken(['ba', 'de', 'gi', 'mo']));
    expect((await panel.event('voicemail.changed')).data).toEqual({ voicemail: id });
    await expect.poll(() => stateOf(id), patient).toBe('ba de gi mo');
    const ulaw = await leave(one, {}, spoken(['mo', 'gi', 'be'], 'ulaw'));
    await expect.poll(() => stateOf(ulaw), patient).toBe('mo gi be');
  });

  it('lies sealed in the database, without card numbers and what the customer named', async () => {
    said = 'Unmistakable words, card 4111 1111 1111 1111, policy AB 1234, thank you';
    const id = await leave(one, {}, spoken(['ba', 'de']));
    await expect.poll(() => stateOf(id), patient).toContain('Unmistakable');
    said = null;
    expect(await stateOf(id)).toMatch(/^Unmistakable words, card \[card …1111\], policy \[removed\], thank you$/);
    const files = (await readdir(one.folder)).filter((name) => name.startsWith('patchcord.sqlite'));
    expect(files.length).toBeGreaterThan(0);
    const bytes = await Promise.all(files.map((name) => readFile(join(one.folder, name))));
    const whole = Buffer.concat(bytes).toString('latin1');
    expect(whole).toContain(id);
    for (const secret of ['4111 1111', 'Unmistakable']) expect(whole).not.toContain(secret);
  });

  it('is heard from an MP3 by a service for files, which gets the file as it is', async () => {
    const asked = speech.seen.length;
    said = 'Call me back, card 4111 1111 1111 1111';
    const id = await leave(one, { seconds: 2.6 }, mp3(100), 'audio/mpeg');
    await expect.poll(() => stateOf(id), patient).toBe('Call me back, card [card …1111]');
    said = null;
    expect(speech.seen.slice(asked)).toMatchObject([{ form: 'mp3', seconds: 2.4, fields: { language: 'en' } }]);
  });

  it('is not heard from an MP3 by a service of sessions, and says what to do', async () => {
    const service = { kind: 'pcm-ws', dialect: 'vosk', url: 'ws://127.0.0.1:9' } as const;
    const tenant = testTenant({ callRecords, transcription: { ...transcription(), service } });
    const other = await startRelayInTest(testConfig({ tenants: [tenant] }));
    try {
      const { token: theirs } = await other.signIn();
      const id = await leave(other, { seconds: 2.4 }, mp3(100), 'audio/mpeg');
      await expect
        .poll(async () => (await inList(other, theirs, id))?.noText, patient)
        .toBe('The speech service takes no MP3. Have the phone system leave messages as WAV.');
    } finally {
      await other.closed();
    }
  });

  it('is none where nobody spoke, and nobody is asked for what the phone system wrote down', async () => {
    const asked = speech.seen.length;
    const quiet = await leave(one, {}, silentWav());
    await expect.poll(() => stateOf(quiet), patient).toBe('(none)');
    const written = await leave(one, { text: 'I wrote this down myself.' }, spoken(['ba']));
    expect(await stateOf(written)).toBe('I wrote this down myself.');
    expect(speech.seen.length).toBe(asked);
  });

  it('waits for a service that is away, once more than it failed', async () => {
    speech.failNext.push('break', { status: 503 }, 'garbage');
    const asked = speech.seen.length;
    const id = await leave(one, {}, spoken(['da', 'be']));
    expect(await stateOf(id)).toMatch(/^\(waiting\)|da be$/);
    await expect.poll(() => stateOf(id), patient).toBe('da be');
    expect(speech.seen.length - asked).toBe(4);
  });

  it('is given up, in words, when the service refuses; an administrator may have it tried again', async () => {
    speech.failNext.push({ status: 401 });
    const id = await leave(one, {}, spoken(['ga', 'be']));
    await expect.poll(() => stateOf(id), patient).toMatch(/^\(.*key/i);
    const dead = await one.fetch('/v1/admin/deliveries?tenant=acme', { token: adminToken });
    expect(JSON.stringify(await dead.json())).toContain(`voicemail.words ${id}`);
    const retry = { token: adminToken, json: { id: `voicemail.words ${id}` } };
    expect((await one.fetch('/v1/admin/deliveries/retry', retry)).status).toBeLessThan(300);
    await expect.poll(() => stateOf(id), patient).toBe('ga be');
  });

  it('is not asked for any more once its owner deleted the message', async () => {
    const asked = speech.seen.length;
    speech.failNext.push({ status: 503, headers: { 'retry-after': '2' } });
    const id = await leave(one, {}, spoken(['ga', 'me']));
    await expect.poll(() => speech.seen.length, patient).toBe(asked + 1);
    expect((await one.fetch(`/v1/voicemails/${id}`, { token, method: 'DELETE' })).status).toBe(200);
    // Nobody writes it down any more.
    await expect.poll(() => stateOf(id), patient).toBe('(nothing)');
    expect(speech.seen.length).toBe(asked + 1);
  });
});

/** Silent frames of MPEG-1 layer III, 64 kbit/s, 48 kHz, one channel: 24 ms each. */
function mp3(frames: number): Buffer {
  const frame = Buffer.alloc(192);
  frame.writeUInt32BE(0xfffb54c4);
  return Buffer.concat(Array.from({ length: frames }, () => frame));
}

/** Half a second in which nothing is to be heard. */
function silentWav(): Buffer {
  const one = spoken(['ba', 'be', 'bi']);
  one.fill(0, one.indexOf('data') + 8);
  return one;
}

const missed = (number = '+14155550101', at = Date.now()) =>
  [
    {
      name: 'call.started',
      data: { direction: 'inbound', farSide: { number, e164: number }, sipCallId: randomUUID() },
    },
    { name: 'call.ringing', data: {} },
    { name: 'call.ended', data: { outcome: 'missed', reason: 'Nobody answered', by: 'network' } },
  ].map((life, index) => ({ ...life, at: at - 20_000 + index * 5_000 })) as Parameters<typeof envelopes>[1];

describe('the log of the call in which a message was left', () => {
  const hourMs = 3_600_000;
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const patiently = { ...callRecords, settleMs: hourMs, signedInSettleMs: hourMs };
  const config = () =>
    testConfig({
      tenants: [
        testTenant({
          ...{ callRecords: patiently, transcription: transcription(), transcripts: { keep: true, settleMs: 0 } },
        }),
      ],
    });
  let one: RelayInTest;
  let panel: Panel;
  let token: string;
  beforeAll(async () => {
    one = await startRelayInTest(config(), { now });
    ({ token } = await one.signIn());
    panel = await one.connect(token);
  });
  afterAll(() => one.closed());
  const tell = async (life: Parameters<typeof envelopes>[1]): Promise<string> => {
    const call = newCallId();
    panel.publish(...envelopes(call, life));
    await panel.acknowledged();
    return call;
  };
  const logsOf = (...ids: readonly string[]) => one.crm.logs().filter(({ callId }) => ids.includes(callId));

  it('is that of the missed call: one log, which becomes a voicemail with its words', async () => {
    const call = await tell(missed());
    const id = await leave(one, {}, spoken(['ba', 'de']));
    const told = () => logsOf(call, id).map(({ result, note }) => [result, note.includes('ba de')]);
    await expect.poll(told, patient).toEqual([['Voicemail', true]]);
    expect(logsOf(call)[0]).toMatchObject({ title: 'Voicemail from Grace Hopper' });
    // Whoever may hear the call's recording hears the message by it.
    const link = await one.fetch(`/v1/calls/${call}/recording`, { token });
    const { url } = (await link.json()) as { url: string };
    expect((await fetch(url)).headers.get('content-type')).toBe('audio/wav');
    const other = await one.signIn('bob');
    expect((await one.fetch(`/v1/calls/${call}/recording`, { token: other.token })).status).toBe(404);
  });

  it('is that of a call which its phone tells after the message came', async () => {
    const id = await leave(one, { number: '+14155550143' }, spoken(['be']));
    const call = await tell(missed('+14155550143'));
    await expect.poll(() => logsOf(call, id).map(({ result }) => result), patient).toEqual(['Voicemail']);
    expect(logsOf(call)).toHaveLength(1);
  });

  it('is written for a call that the mailbox took from the phone, and for no colleague’s', async () => {
    const [started, ringing, ended] = missed('+14155550144');
    if (started === undefined || ringing === undefined || ended === undefined) throw new Error('three events');
    const elsewhere = { outcome: 'answered-elsewhere', reason: 'Answered elsewhere', by: 'network' };
    const call = await tell([started, ringing, { ...ended, data: elsewhere }]);
    expect(logsOf(call)).toHaveLength(0);
    const id = await leave(one, { number: '+14155550144' }, spoken(['be']));
    await expect.poll(() => logsOf(call, id).map(({ result }) => result), patient).toEqual(['Voicemail']);
  });

  it('is its own where nobody told of a call, once, on the record of the number, and not before one might', async () => {
    one.crm.addRecord({ object: 'Contact', id: 'linus', name: 'Linus', numbers: ['+14155550177'] });
    const id = await leave(one, { number: '+14155550177' }, spoken(['be', 'do']));
    const next = await tell(missed('+14155550145'));
    await expect.poll(() => logsOf(next).length, patient).toBe(1);
    expect(logsOf(id)).toHaveLength(0);
    aheadMs += hourMs + 1_000;
    await expect.poll(() => logsOf(id).map(({ note }) => note.includes('be do')), patient).toEqual([true]);
    const expected = { result: 'Voicemail', record: 'Contact:linus', outcome: 'missed', direction: 'inbound' };
    expect(logsOf(id)[0]).toMatchObject(expected);
    ({ token } = await one.signIn());
    panel = await one.connect(token);
  });

  it('is not that of a call which was answered', async () => {
    const [started, ringing, ended] = missed('+14155550142', now());
    if (started === undefined || ringing === undefined || ended === undefined) throw new Error('three events');
    const talked = { ...ended, data: { outcome: 'answered', reason: '', by: 'agent' } };
    const call = await tell([started, { ...ringing, name: 'call.answered' }, talked]);
    const id = await leave(one, { number: '+14155550142' }, spoken(['be', 'do']));
    aheadMs += hourMs + 1_000;
    await expect.poll(() => logsOf(id).length, patient).toBe(1);
    expect(logsOf(call).map(({ result }) => result)).toEqual(['Connected']);
    ({ token } = await one.signIn());
    panel = await one.connect(token);
  });

  it('is one as well when the relay stops in between and another goes on', async () => {
    const call = await tell(missed('+14155550146', now()));
    speech.failNext.push({ status: 503, headers: { 'retry-after': '1' } });
    const id = await leave(one, { number: '+14155550146', at: now() }, spoken(['go', 'ma']));
    const { crm, folder } = one;
    await one.relay.close();
    const next = await startRelayInTest(config(), { folder, connectCrm: () => crm, now });
    try {
      const told = () => logsOf(call, id).map(({ result, note }) => [result, note.includes('go ma')]);
      await expect.poll(told, patient).toEqual([['Voicemail', true]]);
    } finally {
      await next.closed();
    }
  });
});

it('HubSpot has one call object with the outcome "left voicemail", and plays the message', async () => {
  const sandbox = await startHubSpotSandbox({
    ...{ panelUrl: 'http://localhost:1/hubspot/', relayUrl: 'http://localhost:1', appId: 99, searchDelayMs: 0 },
    clientSecret: 'the-client-secret-of-the-app-in-tests',
  });
  const { clientId, clientSecret, refreshToken } = sandbox.oauth;
  const crm = {
    ...{ kind: 'hubspot' as const, apiUrl: sandbox.apiUrl, portalId: sandbox.portalId, appId: 99, pageLogGraceMs: 100 },
    ...{ clientId, clientSecret, refreshToken },
  } as const;
  const tenant = testTenant({
    crm,
    callRecords,
    transcription: transcription(),
    transcripts: { keep: true, settleMs: 0 },
  });
  const one = await startRelayInTest(testConfig({ tenants: [tenant] }), { configuredCrm: true });
  try {
    const key = sandbox.calling.developer.apiKey;
    const settings = `${sandbox.apiUrl}/crm/v3/extensions/calling/99/settings/recording?hapikey=${key}`;
    const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const body = JSON.stringify({ urlToRetrieveAuthedRecording: `${one.relay.url}/v1/hubspot/recordings/%s` });
    expect((await fetch(settings, { ...json, body })).status).toBe(200);
    const panel = await one.connect((await one.signIn()).token);
    const call = newCallId();
    panel.publish(...envelopes(call, missed()));
    await panel.acknowledged();
    const sound = spoken(['ba', 'de']);
    const id = await leave(one, {}, sound);
    const logs = () =>
      sandbox.portal.all('calls').filter(({ properties: { hs_call_external_id: of } }) => of === call || of === id);
    await expect
      .poll(() => logs().map(({ properties }) => properties.hs_call_body?.includes('ba de')), patient)
      .toEqual([true]);
    expect(logs()[0]?.properties).toMatchObject({
      ...{ hs_call_external_id: call, hs_call_disposition: 'b2cf5968-551e-4856-9783-52b3da59a7d0' },
      hs_call_direction: 'INBOUND',
    });
    await expect.poll(() => sandbox.recordings.all().map(({ bytes }) => bytes), patient).toEqual([sound.length]);
  } finally {
    await one.closed();
    await sandbox.close();
  }
});

it('Salesforce has one Task, a voicemail with its words', async () => {
  const org = await startSalesforceSandbox({ host: '127.0.0.1', panelUrl: 'http://127.0.0.1:9/salesforce/' });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  org.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const userOf = (name: string) => org.users.find(({ email }) => email.startsWith(`${name}@`));
  const crm = {
    ...{
      kind: 'salesforce' as const,
      loginUrl: org.org.loginUrl,
      clientId: org.connectedApp.clientId,
      orgId: org.org.id,
    },
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    username: userOf('relay')?.username ?? '',
    assertionPublicKey: org.org.signingCertificatePem,
  } as const;
  const agents = [{ id: 'robin', name: 'Robin', extension: '1001', crmUserId: userOf('robin')?.id ?? '' }];
  const keeping = { transcription: transcription(), transcripts: { keep: true, settleMs: 0 } };
  const tenant = testTenant({ crm, callRecords, agents, ...keeping });
  const one = await startRelayInTest(testConfig({ tenants: [tenant] }), { configuredCrm: true });
  try {
    const panel = await one.connect((await one.signIn('robin')).token);
    const call = newCallId();
    panel.publish(...envelopes(call, missed()));
    await panel.acknowledged();
    const id = await leave(one, {}, spoken(['ba', 'de']));
    const tasks = () => org.records.Task.filter(({ CallObject: of }) => of === call || of === id);
    await expect.poll(() => tasks().map((task) => String(task.Description).includes('ba de')), patient).toEqual([true]);
    expect(tasks()[0]).toMatchObject({ CallObject: call, CallDisposition: 'Voicemail' });
    expect(String(tasks()[0]?.Subject)).toMatch(/^Voicemail from /);
  } finally {
    await one.closed();
    await org.close();
  }
});
