/**
 * R9: a day's work in minutes. One relay in a process of its own signs phones in, mints, takes calls, loses sockets and gets them back, as often as
 * a day of a small office would have it; its memory and its open files are read along the way. After the warm-up a growth that a day would
 * show as more than 1 % an hour, or files that are not given back, fail.
 */
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { DpopKey } from '../dpop-key.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { adminToken, relayProcess } from '../store/relay-process.ts';
import { answeredCall, envelopes, Panel, testTenant } from '../unit/server/relay-in-test.ts';

export const drill: Drill = {
  about: 'soak: a day of sign-ins, mints, calls and reconnects, with an eye on memory and open files',
  run: ({ short, say }) => soak({ cycles: short ? 60 : 1_500, say }),
};

/** One cycle is a sign-in, a mint, a call and a reconnect: a day of the full form has 1,500 of them. */
const cyclesPerHour = 62.5;
const samplesTaken = 90;
/** Fewer hours than this say nothing of a slope: V8 is still finding its size. */
const leastHours = 12;

interface Sample {
  readonly cycle: number;
  readonly rssMb: number;
  readonly fds: number;
}

/** @param options.cycles The first third is warm-up */
export async function soak(options: {
  readonly cycles: number;
  readonly say?: (text: string) => void;
}): Promise<DrillResult> {
  const agents = Array.from({ length: 500 }, (_none, index) => ({
    id: `agent-${index}`,
    name: `Agent ${index}`,
    extension: String(10_000 + index),
    crmUserId: `user-${index}`,
  }));
  const relay = await relayProcess({ tenants: [testTenant({ agents })], trustProxy: 1 });
  const samples: Sample[] = [];
  try {
    await relay.start();
    for (let cycle = 0; cycle <= options.cycles; cycle += 1) {
      if (cycle % Math.max(1, Math.floor(options.cycles / samplesTaken)) === 0) {
        samples.push({ cycle, ...sizes(await relay.metrics()) });
        if (samples.length % 15 === 0) options.say?.(JSON.stringify(samples.at(-1)));
      }
      await workOnce(relay.url, agents[cycle % agents.length]?.id ?? '', cycle);
    }
  } finally {
    await relay.remove();
  }
  return judge(samples, options.cycles);
}

/** Memory and files as the relay itself tells them. */
function sizes(metrics: string): { readonly rssMb: number; readonly fds: number } {
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
  return { rssMb: value('process_resident_memory_bytes') / 1_048_576, fds: value('process_open_fds') };
}

async function workOnce(url: string, agent: string, cycle: number): Promise<void> {
  const key = new DpopKey();
  // Everybody from an address of their own: what is tried here is endurance, not the limits.
  const address = { 'x-forwarded-for': `10.${(cycle >> 16) & 255}.${(cycle >> 8) & 255}.${cycle & 255}` };
  const post = async <T>(path: string, body: unknown, headers: Readonly<Record<string, string>>): Promise<T> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...address, ...headers },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  const { code } = await post<{ code: string }>(
    '/v1/admin/pairing-codes',
    { tenant: 'acme', agent },
    { authorization: `Bearer ${adminToken}` },
  );
  const proof = (path: string, token: string | null = null): Record<string, string> =>
    key.headers({ method: 'POST', url: `${url}${path}`, token });
  const { token } = await post<{ token: string }>(
    '/v1/sessions',
    { device: randomUUID(), proof: { kind: 'pairing-code', code } },
    proof('/v1/sessions'),
  );
  await post('/v1/credentials', {}, proof('/v1/credentials', token));
  const open = async (): Promise<Panel> => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/live`, { origin: url, headers: address });
    const panel = new Panel(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    panel.send({
      type: 'authenticate',
      token,
      proof: key.proof({ method: 'GET', url: `${url.replace(/^http/, 'ws')}/v1/live`, token }),
    });
    await panel.next(({ type }) => type === 'authenticated');
    return panel;
  };
  const [first, ...rest] = envelopes(randomUUID(), answeredCall);
  const before = await open();
  before.publish(first);
  await before.acknowledged();
  before.socket.terminate();
  const after = await open();
  after.publish(...rest);
  await after.event('log.saved');
  after.socket.close();
  await after.closed;
}

function judge(samples: readonly Sample[], cycles: number): DrillResult {
  const warm = samples.filter(({ cycle }) => cycle >= cycles / 3);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const atMean = mean(warm.map(({ cycle }) => cycle));
  const rssMean = mean(warm.map(({ rssMb }) => rssMb));
  const spread = warm.reduce((sum, { cycle }) => sum + (cycle - atMean) ** 2, 0);
  const slope =
    warm.reduce((sum, { cycle, rssMb }) => sum + (cycle - atMean) * (rssMb - rssMean), 0) / Math.max(1, spread);
  const percentAnHour = ((slope * cyclesPerHour) / rssMean) * 100;
  const fdsBefore = Math.max(...samples.filter(({ cycle }) => cycle < cycles / 3).map(({ fds }) => fds));
  const fdsAfter = warm.at(-1)?.fds ?? Number.NaN;
  const hours = (cycles / cyclesPerHour) * (2 / 3);
  const slopeCounts = hours >= leastHours;
  return {
    passed: fdsAfter <= fdsBefore + 5 && (!slopeCounts || percentAnHour < 1) && rssMean > 0,
    n: cycles,
    lost: 0,
    duplicated: 0,
    failed: 0,
    hours: Math.round(hours * 10) / 10,
    rssMb: Math.round(rssMean),
    rssPercentAnHour: Math.round(percentAnHour * 100) / 100,
    fdsBefore,
    fdsAfter,
    ...(slopeCounts ? {} : { note: 'too short to judge the slope of memory; open files are judged' }),
  };
}
