import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpReply, type HttpServer, startHttpServer } from '../../../sandbox/src/http.ts';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';
import { startPortal, type TestPortal } from './portal.ts';

let portal: TestPortal;
const others: HttpServer[] = [];
beforeEach(async () => {
  portal = await startPortal({ calling: null, inboundDelayMs: 20 });
});
afterEach(() => portal.sandbox.close());
afterAll(async () => {
  for (const server of others) await server.close();
});

/** The developer's side: an API key or a token, on one of the three path styles. */
async function developer(method: string, path: string, body?: unknown, by: 'key' | 'token' | 'nobody' = 'key') {
  const { apiKey, token } = portal.sandbox.calling.developer;
  const url = `${portal.sandbox.apiUrl}${path}${by === 'key' ? `?hapikey=${apiKey}` : ''}`;
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...(by === 'token' ? { authorization: `Bearer ${token}` } : {}) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) };
}
async function server(handle: (path: string, range: string | undefined, headers: Headers) => HttpReply) {
  const started = await startHttpServer({
    port: 0,
    host: 'localhost',
    handle: ({ path, query, headers }) =>
      handle(`${path}?${query}`, headers.range, new Headers(headers as Record<string, string>)),
  });
  others.push(started);
  return started;
}
const styles = [
  '/crm/v3/extensions/calling/99/settings',
  '/crm/extensions/calling/2026-03/99/settings',
  '/crm/extensions/calling/2026-09/99/settings',
];
const complete = {
  name: 'Patchcord',
  url: 'https://relay.example/hubspot/',
  width: 400,
  height: 640,
  isReady: true,
  supportsCustomObjects: false,
  supportsInboundCalling: true,
  usesCallingWindow: true,
  usesRemote: true,
};
const newCall = async (over: Record<string, string> = {}): Promise<string> => {
  const properties = { hs_timestamp: '2026-11-21T10:00:00Z', ...over };
  return ((await portal.call('POST', '/crm/v3/objects/calls', { properties })).body as { id: string }).id;
};

describe('calling settings', () => {
  it.each(styles)('are made, read, changed and removed at %s', async (path) => {
    expect((await developer('GET', path)).status).toBe(404);
    expect((await developer('PATCH', path, { isReady: true })).status).toBe(404);
    expect(await developer('POST', path, complete)).toMatchObject({ status: 200, body: complete });
    expect(await developer('POST', path, complete)).toMatchObject({
      status: 400,
      body: { subCategory: 'CallingSettingError.SETTINGS_ALREADY_EXISTS' },
    });
    expect(await developer('PATCH', path, { usesRemote: false }, 'token')).toMatchObject({
      status: 200,
      body: { usesRemote: false, name: 'Patchcord' },
    });
    expect((await developer('GET', path, undefined, 'token')).body).toMatchObject({ usesRemote: false });
    expect((await developer('DELETE', path)).status).toBe(204);
    expect(portal.sandbox.calling.settings()).toBeNull();
  });

  it('need all fields on the newest path, and leave inbound calls off where nobody says otherwise', async () => {
    const few = { name: 'Patchcord', url: 'https://relay.example/hubspot/' };
    expect((await developer('POST', styles[2] ?? '', few)).status).toBe(400);
    expect((await developer('POST', styles[0] ?? '', few)).body).toMatchObject({
      supportsInboundCalling: false,
      usesCallingWindow: true,
    });
    expect((await developer('PATCH', styles[0] ?? '', { height: '600' })).status).toBe(400);
    expect((await developer('PATCH', styles[0] ?? '', { colour: 'red' })).status).toBe(400);
  });

  it('are nobody else’s to touch', async () => {
    expect((await developer('GET', styles[0] ?? '', undefined, 'nobody')).status).toBe(401);
    expect((await portal.call('GET', styles[0] ?? '')).status).toBe(403);
    expect((await developer('GET', '/crm/v3/extensions/calling/98/settings')).status).toBe(404);
  });
});

describe('recordings', () => {
  const settings = `${styles[0]}/recording`;
  /** A WAV of two channels with one second of silence. */
  const wav = (channels: number): Buffer => {
    const head = Buffer.alloc(44);
    head.write('RIFF', 0, 'latin1');
    head.write('WAVEfmt ', 8, 'latin1');
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(1, 20);
    head.writeUInt16LE(channels, 22);
    head.write('data', 36, 'latin1');
    return Buffer.concat([head, Buffer.alloc(16_000 * channels)]);
  };
  const known = {
    hs_call_external_id: 'c 1',
    hs_call_external_account_id: 'acme',
    hs_call_app_id: '99',
    hs_call_source: 'INTEGRATIONS_PLATFORM',
  };
  /** An app that plays by the rules, or not. */
  async function app(sound: Buffer, way: 'good' | 'plain') {
    const seen: string[] = [];
    const relay = await server((url, range, headers) => {
      if (url.startsWith('/sound')) {
        if (way === 'plain') return { status: 200, headers: { 'content-type': 'audio/wav' }, body: sound };
        const [from = 0, to = sound.length - 1] = (range ?? '')
          .replace('bytes=', '')
          .split('-')
          .filter(Boolean)
          .map(Number);
        const part = sound.subarray(from, Math.min(to, sound.length - 1) + 1);
        const contentRange = `bytes ${from}-${from + part.length - 1}/${sound.length}`;
        const type = { 'content-type': 'application/octet-stream', 'content-range': contentRange };
        return { status: 206, headers: type, body: part };
      }
      const signature = signatureV3({
        secret: 'test-client-secret',
        method: 'GET',
        url: relay.origin + url,
        body: '',
        timestamp: `${headers.get('x-hubspot-request-timestamp')}`,
      });
      seen.push(url, `${signature === headers.get('x-hubspot-signature-v3')}`);
      return { status: 200, body: JSON.stringify({ authenticatedUrl: `${relay.origin}/sound` }) };
    });
    expect((await developer('POST', settings, { urlToRetrieveAuthedRecording: `${relay.origin}/rec/%s` })).status).toBe(
      200,
    );
    return seen;
  }
  const ready = (id: string) =>
    portal.call('POST', '/crm/v3/extensions/calling/recordings/ready', { engagementId: Number(id) });

  it('are asked for with a signature, fetched with a range, and played', async () => {
    const sound = wav(2);
    const seen = await app(sound, 'good');
    const id = await newCall(known);
    expect((await ready(id)).status).toBe(204);
    await portal.sandbox.recordings.settled();
    expect(seen).toEqual(['/rec/c%201?appId=99&externalAccountId=acme', 'true']);
    expect(portal.sandbox.recordings.of(id)).toEqual({
      engagementId: id,
      state: 'playable',
      problems: [],
      contentType: 'application/octet-stream',
      bytes: sound.length,
      channels: 2,
    });
    const played = await fetch(`${portal.sandbox.url}sandbox/recordings/${id}`, { headers: { range: 'bytes=0-' } });
    expect(played.status).toBe(206);
    const got = Buffer.from(await played.arrayBuffer());
    expect(createHash('sha1').update(got).digest('hex')).toBe(createHash('sha1').update(sound).digest('hex'));
  });

  it('that nobody can wind or transcribe are named', async () => {
    await app(wav(1), 'plain');
    const id = await newCall({ hs_call_external_id: 'c2' });
    await ready(id);
    await portal.sandbox.recordings.settled();
    expect(portal.sandbox.recordings.of(id)).toMatchObject({ state: 'playable', channels: 1 });
    const problems = portal.sandbox.recordings.of(id)?.problems.join(' ');
    for (const word of ['hs_call_external_account_id', '206', 'octet-stream', 'One channel'])
      expect(problems).toContain(word);
  });

  it('need settings with one %s, an existing call and a number for it', async () => {
    expect((await developer('POST', settings, { urlToRetrieveAuthedRecording: 'https://x.example/rec' })).status).toBe(
      400,
    );
    const id = await newCall(known);
    expect((await ready(id)).status).toBe(400);
    await app(wav(2), 'good');
    expect((await ready('1')).status).toBe(404);
    const text = await portal.call('POST', '/crm/v3/extensions/calling/recordings/ready', { engagementId: id });
    expect(text.status).toBe(400);
  });
});

describe('transcripts', () => {
  const path = '/crm/v3/extensions/calling/transcripts';
  const said = { speaker: { id: '1', name: 'Robin' }, text: 'Hello', startTimeMillis: 0, endTimeMillis: 900 };

  it('belong to a call, and are read and removed by their id', async () => {
    const engagementId = Number(await newCall());
    const made = await portal.call('POST', path, { engagementId, transcriptCreateUtterances: [said] });
    const { id } = made.body as { id: string };
    expect((await portal.call('GET', `${path}/${id}`)).body).toMatchObject({
      engagementId,
      transcriptUtterances: [said],
    });
    expect((await portal.call('DELETE', `${path}/${id}`)).status).toBe(204);
    expect((await portal.call('GET', `${path}/${id}`)).status).toBe(404);
  });

  it.each([
    ['nothing said', []],
    ['no speaker', [{ ...said, speaker: undefined }]],
    ['an end before its start', [{ ...said, startTimeMillis: 1000 }]],
    ['an empty line', [{ ...said, text: '' }]],
  ])('are refused with %s', async (_what, transcriptCreateUtterances) => {
    const engagementId = Number(await newCall());
    expect((await portal.call('POST', path, { engagementId, transcriptCreateUtterances })).status).toBe(400);
    expect(portal.sandbox.transcripts.all()).toEqual([]);
  });
});

describe('who calls through what', () => {
  it('is told for one user and for many', async () => {
    portal.sandbox.providers.choose(4202, 'hubspot');
    const path = '/crm/extensions/calling/v3/connection-statuses';
    expect((await portal.call('GET', `${path}?userId=4201`)).body).toEqual({
      results: [{ userId: 4201, connected: true, provider: { type: 'THIRD_PARTY', appId: 99, appName: 'Patchcord' } }],
    });
    const both = await portal.call('POST', `${path}/batch/read`, { inputs: [{ id: '4202' }, { id: '1' }] });
    expect(both.body).toMatchObject({ results: [{ userId: 4202, provider: { type: 'HUBSPOT' } }] });
  });
});

describe('a call that no browser saw', () => {
  const number = (e164Number: string) => ({ e164Number, phoneNumberType: 'UNKNOWN' });
  const order = {
    externalCallId: 'x1',
    createEngagement: true,
    engagementProperties: {},
    finalCallStatus: 'MISSED',
    fromNumber: number('+442079460958'),
    toNumber: number('+14155550190'),
    potentialRecipientUserIds: [4201],
  };
  const report = (over: object = {}) =>
    portal.call('POST', '/crm/extensions/calling/2026-03/inbound-call', { ...order, ...over });

  it('is logged after the answer, on the caller, and twice when it is told twice', async () => {
    expect((await report()).body).toMatchObject({ callerIdMatches: [{ firstName: 'Oliver' }] });
    expect(portal.sandbox.records.calls).toEqual([]);
    await expect.poll(() => portal.sandbox.records.calls).toHaveLength(1);
    await report();
    await expect.poll(() => portal.sandbox.records.calls).toHaveLength(2);
    expect(portal.sandbox.portal.associated('calls', '90001', 'contacts')).toHaveLength(1);
  });

  it('is not logged a second time where one of its values must be unique', async () => {
    const key = { name: 'our_key', label: 'Key', type: 'string', fieldType: 'text', groupName: 'call_information' };
    await portal.call('POST', '/crm/v3/properties/calls', { ...key, hasUniqueValue: true });
    for (const _time of [1, 2]) expect((await report({ engagementProperties: { our_key: 'x1' } })).status).toBe(200);
    await expect.poll(() => portal.sandbox.records.calls).toHaveLength(1);
    await report({ externalCallId: 'x2' });
    await expect.poll(() => portal.sandbox.records.calls).toHaveLength(2);
  });

  it.each([
    ['an unknown status', { finalCallStatus: 'DECLINED' }],
    ['an unknown kind of number', { fromNumber: { e164Number: '+442079460958', phoneNumberType: 'DESK' } }],
    ['a user id as text', { potentialRecipientUserIds: ['4201'] }],
    ['an unknown property', { engagementProperties: { shoe: '44' } }],
  ])('is refused with %s', async (_what, over) => {
    expect((await report(over)).status).toBe(400);
  });
});
