/** What the relay keeps of a call that the edge recorded: only what is always recorded, and nothing that was said in a pause. */
import { newCallId } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/config.ts';
import { keptOfEdge } from '../../../server/src/recordings/edge-rule.ts';
import { silenced } from '../../../server/src/recordings/stretches.ts';
import type { StoredCall, StoredRecording } from '../../../server/src/store/contract.ts';
import {
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from './relay-in-test.ts';
import { loudness, wavOf } from './wav-samples.ts';

const secret = 'the-secret-of-the-edge-in-these-tests-01';
const settleMs = 300_000;

let one: RelayInTest;
let ada: Panel;
let bob: Panel;
let token: string;
let aheadMs = 0;

beforeAll(async () => {
  const [first, second] = testTenant().agents;
  if (first === undefined || second === undefined) throw new Error('two agents');
  const tenant = testTenant({
    agents: [first, { ...second, recording: { mode: 'on-demand' } }],
    recording: { mode: 'always', countries: { DE: 'ask', FR: 'never' } },
    callRecords: { kamailio: { secret }, asterisk: { secret }, settleMs: 0, signedInSettleMs: settleMs, groupMs: 0 },
  });
  one = await startRelayInTest(testConfig({ tenants: [tenant] }), { now: () => Date.now() + aheadMs });
  ({ token } = await one.signIn('ada'));
  ada = await one.connect(token);
  bob = await one.connect((await one.signIn('bob')).token);
});
afterAll(() => one.closed());

const wav = wavOf([600, 850], { seconds: 12 });

/** A call with this at the far side, and what its phone tells beside. */
async function call(
  options: { number?: string; e164?: string; by?: Panel; tells?: readonly Life[]; answered?: boolean } = {},
): Promise<string> {
  const { number = '(415) 555-0101', e164, by = ada, tells = [], answered = true } = options;
  const callId = newCallId();
  const farSide = { number, ...(e164 === undefined ? {} : { e164 }) };
  const life = answeredCall.flatMap((event): readonly Life[] => {
    if (event.name === 'call.answered') return answered ? [event, ...tells] : [];
    return [event.name === 'call.started' ? { ...event, data: { ...(event.data as object), farSide } } : event];
  });
  by.publish(...envelopes(callId, life));
  await by.acknowledged();
  return callId;
}
async function put(callId: string, kind = 'kamailio'): Promise<{ status: number; code: string; message: string }> {
  const response = await one.fetch(`/v1/recordings/acme/${kind}/calls/${callId}?channels=caller,callee`, {
    method: 'PUT',
    body: wav as Buffer<ArrayBuffer>,
    headers: { authorization: `Bearer ${secret}` },
  });
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return { status: response.status, code: error?.code ?? '', message: error?.message ?? '' };
}
/** After its phone has told all it had; what the relay itself still notes of the call (its log was written) counts too, so it is sent again as an edge does. */
async function later(callId: string, kind?: string): ReturnType<typeof put> {
  for (let left = 5; ; left -= 1) {
    aheadMs += settleMs + 60_000;
    const answer = await put(callId, kind);
    if (answer.code !== 'call.unknown' || left === 0) return answer;
  }
}

describe('a recording from the edge', () => {
  it('is kept where every call is recorded, once its phone can tell no more of it', async () => {
    const callId = await call();
    expect(await put(callId)).toMatchObject({ status: 404, code: 'call.unknown' });
    expect(await later(callId)).toMatchObject({ status: 201 });
    expect(await put(callId)).toMatchObject({ status: 200 });
  });

  it.each([
    ['an agent who records on demand', 'on-demand', () => ({ by: bob })],
    ['a country that must be asked', 'ask', () => ({ number: '+49 30 23125007', e164: '+493023125007' })],
    ['a country where nothing is recorded', 'never', () => ({ number: '011 33 1 42 68 53 00', e164: '+33142685300' })],
    ['a number that may be of any country', 'never', () => ({ number: '+999123456789' })],
  ] as const)('is refused for good with %s', async (_, mode, options) => {
    const refused = await later(await call(options()));
    expect(refused).toMatchObject({ status: 403, code: 'recording.not-allowed' });
    expect(refused.message).toContain(`its mode is "${mode}"`);
  });

  it.each([['1004'], ['']])('is kept with an extension or a withheld number (%j): they are at home', async (number) => {
    expect((await later(await call({ number }))).status).toBe(201);
  });

  it('is refused when nobody answered', async () => {
    expect(await later(await call({ answered: false }))).toMatchObject({ status: 403 });
  });

  it('is the edge’s alone to be judged so: a phone system that records has rules of its own', async () => {
    expect((await put(await call({ by: bob }), 'asterisk')).status).toBe(201);
  });

  it('is silent where its phone was paused, and a second around', async () => {
    const tells: readonly Life[] = [
      { name: 'recording.started', data: { startMs: 0, by: 'policy' } },
      { name: 'recording.paused', data: { startMs: 4_000 } },
      { name: 'recording.resumed', data: { startMs: 7_000, by: 'agent' } },
    ];
    const callId = await call({ tells });
    expect((await later(callId)).status).toBe(201);
    expect((await put(callId)).status).toBe(200);
    const { token: again } = await one.signIn('ada');
    const answer = await one.fetch(`/v1/calls/${callId}/recording`, { token: again });
    const { url } = (await answer.json()) as { url: string };
    const sound = Buffer.from(
      await (await fetch(new URL(new URL(url).pathname, `http://127.0.0.1:${one.relay.port}`))).arrayBuffer(),
    );
    expect(sound.length).toBe(wav.length);
    const between = (fromMs: number, toMs: number): Buffer =>
      Buffer.concat([sound.subarray(0, 44), sound.subarray(44 + fromMs * 32, 44 + toMs * 32)]);
    expect(
      between(3_000, 8_000)
        .subarray(44)
        .every((byte) => byte === 0),
    ).toBe(true);
    for (const heard of [between(0, 3_000), between(8_000, 12_000)]) {
      expect(loudness(heard, 1, 600)).toBeGreaterThan(0.2);
      expect(loudness(heard, 2, 850)).toBeGreaterThan(0.2);
    }
  });

  it('is refused when its phone recorded nothing of the call', async () => {
    const tells: readonly Life[] = [
      { name: 'recording.started', data: { startMs: 0, by: 'policy' } },
      { name: 'recording.stopped', data: { startMs: 0, by: 'policy' } },
    ];
    expect(await later(await call({ tells }))).toMatchObject({ status: 403, code: 'recording.not-allowed' });
  });
});

it('the recording that the phone’s own sound made, or is making, stays', () => {
  const [config] = checkConfig(testConfig({ tenants: [testTenant({ recording: { mode: 'always' } })] })).tenants;
  if (config === undefined) throw new Error('a tenant');
  const log = { farSide: { number: '1004' }, answeredAt: 1, stage: 'final' };
  const call = { agent: 'ada', touchedAt: 0, log } as unknown as StoredCall;
  const now = settleMs;
  expect(keptOfEdge({ call, config, keptFromPhone: false, known: null, now })).toHaveLength(1);
  const ofRelay = { madeBy: 'relay' } as StoredRecording;
  for (const found of [
    { keptFromPhone: true, known: null },
    { keptFromPhone: false, known: ofRelay },
  ])
    expect(() => keptOfEdge({ call, config, ...found, now })).toThrow('its phone sent, which stays');
});

it('silence is what each codec has for it, across pieces of any size', () => {
  for (const [codec, quiet, frame] of [
    ['pcm16', 0, 4],
    ['alaw', 0xd5, 2],
    ['ulaw', 0xff, 2],
  ] as const) {
    const sound = { codec, rate: 1_000, frame };
    const kept = [
      { fromMs: 2, toMs: 4 },
      { fromMs: 5, toMs: 5 },
      { fromMs: 7, toMs: Number.POSITIVE_INFINITY },
    ];
    const all = Buffer.alloc(10 * frame, 1);
    const pieces = [all.subarray(0, 3 * frame), all.subarray(3 * frame, 4 * frame), all.subarray(4 * frame)];
    let at = 0;
    const heard = Buffer.concat(
      pieces.map((piece) => {
        const result = silenced(piece, at, sound, kept);
        at += piece.length;
        return result;
      }),
    );
    const expected = [0, 0, 1, 1, 0, 0, 0, 1, 1, 1].map((is) => (is ? 1 : quiet));
    expect([...heard].filter((_, index) => index % frame === 0)).toEqual(expected);
    expect(silenced(all, 0, sound, [{ fromMs: 0, toMs: Number.POSITIVE_INFINITY }])).toBe(all);
    expect(all.every((byte) => byte === 1)).toBe(true);
  }
});
