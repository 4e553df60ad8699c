/** Recordings in a bucket, through the real relay: handed over, kept sealed, sought in by a player, looked at, listed, and what an operator is told. */
import { newCallId } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Server, startS3Server } from '../contract/sound-places/s3-server.ts';
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
const wav = wavOf([440, 880], { seconds: 20 });

let s3: S3Server;
let one: RelayInTest;
let panel: Panel;
let token: string;
beforeAll(async () => {
  s3 = await startS3Server();
  one = await startRelayInTest(
    testConfig({
      recordings: { days: 30, linkMinutes: 5, bucket: s3.settings },
      tenants: [
        testTenant({
          callRecords: { settleMs: 0, signedInSettleMs: 0, groupMs: 0, asterisk: { secret } },
          transcripts: { keep: true, settleMs: 0 },
        }),
      ],
    }),
  );
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(async () => {
  await one.closed();
  await s3.close();
});

async function call(): Promise<string> {
  const callId = newCallId();
  panel.publish(...envelopes(callId, answeredCall));
  await panel.acknowledged();
  return callId;
}
function put(callId: string): Promise<Response> {
  return one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=agent,far-side`, {
    method: 'PUT',
    body: wav as Buffer<ArrayBuffer>,
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'audio/wav' },
  });
}
interface Heard {
  readonly url: string;
  readonly state: string;
  readonly durationMs: number;
  readonly speakers: readonly string[];
  readonly peaks: readonly (readonly number[])[];
}
async function listening(callId: string): Promise<Heard> {
  const response = await one.fetch(`/v1/calls/${callId}/recording`, { token });
  expect(response.status).toBe(200);
  return (await response.json()) as Heard;
}

describe('a recording in a bucket', () => {
  it('is sealed there, and any part of it is given out', async () => {
    const callId = await call();
    expect((await put(callId)).status).toBe(201);
    const keys = [...s3.objects.keys()].filter((key) => key.endsWith('.rec'));
    expect(keys).toHaveLength(1);
    const sound = wav.subarray(44);
    const lies = s3.objects.get(keys[0] ?? '')?.body ?? Buffer.alloc(0);
    expect(lies.length).toBeGreaterThan(sound.length);
    expect(lies.includes(sound.subarray(1_000, 1_064))).toBe(false);
    expect([...s3.objects.keys()]).toContain('patchcord/patchcord-database');

    const { url, state, durationMs, speakers, peaks } = await listening(callId);
    expect({ state, durationMs, speakers }).toEqual({
      state: 'ready',
      durationMs: 20_000,
      speakers: ['far-side', 'agent'],
    });
    expect(peaks.map((channel) => channel.length)).toEqual([1_000, 1_000]);
    expect(Math.min(...peaks.flat())).toBeGreaterThan(100);
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect(whole.length).toBe(wav.length);
    const part = await fetch(url, { headers: { range: 'bytes=100000-299999' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100000-299999/${wav.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100_000, 300_000))).toBe(true);
    const beyond = await fetch(url, { headers: { range: `bytes=${wav.length}-` } });
    expect(beyond.status).toBe(416);
    const history = (await (await one.fetch('/v1/calls', { token })).json()) as {
      readonly calls: readonly { readonly callId: string; readonly recording?: string }[];
    };
    expect(history.calls.find((entry) => entry.callId === callId)?.recording).toBe('ready');
  });

  it('has the words of its call beside it, for whoever may hear it', async () => {
    const callId = await call();
    const line = { line: 0, speaker: 'agent', text: 'Good morning.', startMs: 400, endMs: 900, final: true } as const;
    one.relay.transcript.tell('acme', 'ada', callId, line);
    const words = async (): Promise<unknown> => (await one.fetch(`/v1/calls/${callId}/transcript`, { token })).json();
    const { line: _line, final: _final, ...said } = line;
    await expect.poll(words, { timeout: 20_000 }).toEqual({ lines: [said] });
    expect((await one.fetch(`/v1/calls/${newCallId()}/transcript`, { token })).status).toBe(404);
    expect((await one.fetch(`/v1/calls/${callId}/transcript`)).status).toBe(401);
  });

  it('is not taken while the storage refuses, and an operator reads why', async () => {
    const callId = await call();
    s3.clockMs = 3_600_000;
    const response = await put(callId);
    expect(response.status).toBe(503);
    expect(JSON.stringify(await response.json())).not.toContain(s3.settings.accessKeyId);
    const ready = JSON.stringify(await (await one.fetch('/readyz')).json());
    expect(ready).toContain('Set the clock');
    expect(ready).not.toContain(s3.settings.secretAccessKey);
    s3.clockMs = 0;
    expect((await put(callId)).status).toBe(201);
    expect(JSON.stringify(await (await one.fetch('/readyz')).json())).not.toContain('Set the clock');
  });
});
