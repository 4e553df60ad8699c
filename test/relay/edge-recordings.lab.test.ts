/**
 * Calls that the real edge records where no page does: Kamailio and rtpengine, two plain phones with a tone each, and for one call a browser with its encrypted
 * sound. What the relay has in the end is listened to; also when it was away meanwhile, and when the call was not to be recorded.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryRelay, type MemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { type LabProcess, startLabProcess } from '../sip-lab/lab-process.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const lab = labFromEnvironment();
const secret = 'the-secret-of-the-edge-in-this-laboratory-01';
const [callerAddress = '', deskAddress = '', otherAddress = ''] = lab.far.addresses;
const folder = join(lab.folder, 'relay-of-recordings');
const spool = join(lab.folder, 'recorded');
const program = fileURLToPath(new URL('../../deploy/kamailio/recordings/ship-recordings.ts', import.meta.url));
const pageHz = 440;
const arriving = { timeout: 20_000, interval: 100 };

let crm: MemoryRelay;
let relay: RelayInTest;
let port: number;
let edge: Edge;
let caller: Baresip;
let desk: Baresip;
let unrecorded: Baresip;
let browser: TestBrowser;
let server: PhonePageServer;
let shipper: LabProcess;

function startRelayAt(onPort: number): Promise<RelayInTest> {
  const [ada, bob] = testTenant().agents;
  if (ada === undefined || bob === undefined) throw new Error('two agents');
  const eve = { ...bob, id: 'eve', name: 'Eve', extension: '1003', crmUserId: '005000000000003' };
  const callRecords = {
    kamailio: { secret, from: [`${lab.edge.address}/32`] },
    settleMs: 200,
    signedInSettleMs: 200,
    groupMs: 0,
  };
  const recording = { mode: 'always' } as const;
  const agents = [ada, bob, { ...eve, recording: { mode: 'on-demand' } as const }];
  return startRelayInTest(
    testConfig({
      ...{ host: '0.0.0.0', port: onPort, publicUrl: 'https://relay.example.com', dataDir: folder },
      tenants: [testTenant({ agents, callRecords, recording })],
    }),
    { connectCrm: () => crm, folder },
  );
}

beforeAll(async () => {
  crm = createMemoryRelay();
  relay = await startRelayAt(0);
  ({ port } = relay.relay);
  const url = `http://${lab.agent.address}:${port}`;
  [edge, browser, server] = await Promise.all([
    startEdge(lab, {
      ...{ credentialSecret: secret, turnSecret: secret, recordCalls: spool },
      callRecords: { url: `${url}/v1/call-records/acme/kamailio`, secret },
    }),
    startBrowser({ toneHz: pageHz }),
    servePhonePage(),
  ]);
  [caller, desk, unrecorded] = await Promise.all([
    startBaresip(lab, {
      ...{ user: '2001', address: callerAddress, toneHz: 600, autoAnswer: true },
      // The edge leaves it a codec that can be read.
      codecs: ['G722', 'PCMU'],
    }),
    startBaresip(lab, { user: '1002', address: deskAddress, toneHz: 850 }),
    startBaresip(lab, { user: '1003', address: otherAddress, toneHz: 850 }),
  ]);
  const header = join(lab.folder, 'header');
  await mkdir(spool, { recursive: true });
  await writeFile(header, `Authorization: Bearer ${secret}\n`, { mode: 0o600 });
  shipper = startLabProcess({
    ...{ namespace: lab.edge.namespace, command: [process.execPath, program] },
    env: {
      ...{ PATCHCORD_URL: `${url}/v1/recordings/acme/kamailio`, PATCHCORD_HEADER: header, PATCHCORD_SPOOL: spool },
      ...{ PATCHCORD_EVERY: '0.2', PATCHCORD_AGAIN: '0.5' },
    },
  });
});
beforeEach(() => {
  for (const { id } of crm.logs()) crm.remove(id);
});
afterEach(() => expect(shipper.running(), shipper.tail()).toBe(true));
afterAll(async () => {
  await Promise.all([shipper?.stop(), caller?.stop(), desk?.stop(), unrecorded?.stop()]);
  await browser?.close();
  await server?.close();
  await edge?.stop();
  await relay?.closed();
  await rm(folder, { recursive: true, force: true });
});

/** Is answered, and heard on both sides long enough that there is something to listen to: two seconds and more are at the edge. */
async function talk(phone: Baresip): Promise<void> {
  await caller.dial(phone.user);
  await phone.waitFor('incoming');
  await phone.answer();
  await Promise.all([caller.waitFor('established'), phone.waitFor('established')]);
  await Promise.all([caller.hears(phone.toneHz), phone.hears(caller.toneHz)]);
  await recorded();
}
/** Packets of 20 ms of both sides, 232 bytes each in the file. */
async function recorded(seconds = 2): Promise<void> {
  const size = async (): Promise<number> => {
    const [name] = await readdir(join(spool, 'pcaps'));
    return name === undefined ? 0 : (await stat(join(spool, 'pcaps', name))).size;
  };
  await expect.poll(size, arriving).toBeGreaterThan(seconds * 100 * 232);
}
/** Files of calls that rtpengine or the program still has. */
async function left(): Promise<readonly string[]> {
  const all = await readdir(spool, { recursive: true, withFileTypes: true });
  return all.flatMap((entry) => (entry.isFile() ? [entry.name] : []));
}
async function loggedCall(): Promise<string> {
  await expect.poll(() => crm.logs().map(({ callId }) => callId), arriving).toHaveLength(1);
  return crm.logs()[0]?.callId ?? expect.fail('a call is logged');
}

interface Heard {
  readonly seconds: number;
  /** The loudest that a tone is on a channel in any half of a second. */
  loudest(channel: 0 | 1, hz: number): number;
}
/** The recording of the logged call, as its agent gets it. */
async function recordingOf(agent: string): Promise<Heard> {
  const callId = await loggedCall();
  const { token } = await relay.signIn(agent);
  const link = async (): Promise<string | undefined> => {
    const response = await relay.fetch(`/v1/calls/${callId}/recording`, { token });
    return response.status === 200 ? ((await response.json()) as { url: string }).url : undefined;
  };
  let url: string | undefined;
  await expect
    .poll(async () => {
      url = await link();
      return url !== undefined || shipper.tail();
    }, arriving)
    .toBe(true);
  const opened = await fetch(`http://127.0.0.1:${port}${new URL(url ?? '').pathname}`);
  const wav = Buffer.from(await opened.arrayBuffer());
  const [channels, rate] = [wav.readUInt16LE(22), wav.readUInt32LE(24)];
  expect(channels).toBe(2);
  const frames = (wav.length - 44) / 4;
  return {
    seconds: frames / rate,
    loudest(channel, hz) {
      let most = 0;
      for (let from = 0; from + rate / 2 <= frames; from += rate / 4) {
        const samples = Float32Array.from(
          { length: rate / 2 },
          (_, at) => wav.readInt16LE(44 + (from + at) * 4 + channel * 2) / 32_768,
        );
        most = Math.max(most, goertzel(samples, rate, hz));
      }
      return most;
    },
  };
}
/** This tone on this channel, and not a trace of the other's. */
function expectAlone(heard: Heard, channel: 0 | 1, hz: number, otherHz: number): void {
  expect(heard.loudest(channel, hz), `${hz} Hz on channel ${channel}`).toBeGreaterThan(0.05);
  expect(heard.loudest(channel, otherHz), `${otherHz} Hz on channel ${channel}`).toBeLessThan(0.003);
}

describe('a call that no page sees', () => {
  it('is recorded at the edge, each side on its own channel, and its files leave the edge', async () => {
    await talk(desk);
    await caller.sendDtmf('123');
    await caller.hears(desk.toneHz);
    await caller.hangUp();
    const heard = await recordingOf('bob');
    expectAlone(heard, 0, caller.toneHz, desk.toneHz);
    expectAlone(heard, 1, desk.toneHz, caller.toneHz);
    await expect.poll(left, arriving).toEqual([]);
  });

  it('is recorded on the same channels when the one who was called holds it, and ends it', async () => {
    await talk(desk);
    await desk.hold();
    await desk.resume();
    await Promise.all([caller.hears(desk.toneHz), desk.hears(caller.toneHz)]);
    await desk.hangUp();
    const heard = await recordingOf('bob');
    expectAlone(heard, 0, caller.toneHz, desk.toneHz);
    expectAlone(heard, 1, desk.toneHz, caller.toneHz);
  });

  it('is kept at the edge while the relay is away, and handed over when it is back', async () => {
    await talk(desk);
    await relay.relay.close();
    await caller.hangUp();
    await expect.poll(() => shipper.tail(5), arriving).toContain('the relay did not take a recording, it is kept');
    expect(await left()).not.toEqual([]);
    relay = await startRelayAt(port);
    const heard = await recordingOf('bob');
    expectAlone(heard, 0, caller.toneHz, desk.toneHz);
    expectAlone(heard, 1, desk.toneHz, caller.toneHz);
    await expect.poll(left, arriving).toEqual([]);
  });

  it('leaves no sound anywhere where the agent is not always recorded', async () => {
    await talk(unrecorded);
    await caller.hangUp();
    const callId = await loggedCall();
    await expect.poll(left, arriving).toEqual([]);
    expect(shipper.tail(5)).toContain('its mode is "on-demand"');
    const { token } = await relay.signIn('eve');
    expect((await relay.fetch(`/v1/calls/${callId}/recording`, { token })).status).toBe(404);
  });

  it('leaves nothing when nobody answers', async () => {
    await caller.dial(desk.user);
    await desk.waitFor('incoming');
    await caller.hangUp();
    await loggedCall();
    // rtpengine itself waits for half a minute before it gives up a call without an answer.
    await expect.poll(left, { timeout: 60_000, interval: 500 }).toEqual([]);
  });
});

it('the encrypted sound of a browser is recorded as well, the agent who calls on the first channel', async () => {
  const phone = await PhoneInBrowser.open(await browser.newPage(), server);
  const credential = { ...ephemeralCredential(secret, '1001', 300), expiresAt: Date.now() + 300_000 };
  await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001'), credential);
  await phone.next('sip.registered');
  const { call } = await phone.dial(caller.user);
  await phone.next('sip.answered', call);
  await caller.hears(pageHz);
  const { toneHz } = caller;
  await listenUntil(phone.page.mainFrame(), `${toneHz} Hz`, (heard) => heard.amplitude(toneHz) > 0.01);
  await caller.hangUp();
  await phone.next('sip.ended', call);
  await phone.stop();
  await phone.page.close();
  const heard = await recordingOf('ada');
  expect(heard.loudest(0, pageHz)).toBeGreaterThan(0.01);
  expect(heard.loudest(0, toneHz)).toBeLessThan(0.003);
  expectAlone(heard, 1, toneHz, pageHz);
  await expect.poll(left, arriving).toEqual([]);
});
