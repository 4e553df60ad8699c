/**
 * Minting credentials over the real route (session, proof of possession, limits, storage, audit), per processor second; against node:http that
 * does nothing, and against node:http that does only what no minting can leave out. PATCHCORD_PROFILE=folder keeps a processor profile.
 */
import { DpopKey } from '../dpop-key.ts';
import { clusterRelay, nextAddress, tenantOf } from '../relay/cluster-relay.ts';
import { type Row, toRow } from './measurement.ts';
import { bareServer, cpuMsOf, requestAll } from './processes.ts';

/** So many that nobody asks more often than an agent may. */
const agents = 400;
const perRound = 800;
/** Rounds that warm the code up and do not count. */
const warming = 3;

export async function run(rounds: number): Promise<readonly Row[]> {
  const profile = process.env.PATCHCORD_PROFILE;
  const relay = await clusterRelay(
    { tenants: [tenantOf(agents)] },
    profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
  );
  const bare = await bareServer('http');
  const least = await bareServer('mint');
  try {
    await relay.start();
    const sessions = await Promise.all(
      Array.from({ length: agents }, async (_, n) => {
        const key = new DpopKey();
        return { key, token: (await relay.signIn(`agent-${n}`, key, crypto.randomUUID())).token };
      }),
    );
    const url = `${relay.url}/v1/credentials`;
    const port = Number(new URL(relay.url).port);
    const requestsOf = (count: number) =>
      Array.from({ length: count }, (_, n) => {
        const { key, token } = sessions[n % sessions.length] as (typeof sessions)[number];
        const headers = { ...key.headers({ method: 'POST', url, token }), 'x-forwarded-for': nextAddress() };
        return { method: 'POST', path: '/v1/credentials', headers };
      });
    const rate = async (pid: number, at: number): Promise<number> => {
      const requests = requestsOf(perRound);
      const from = await cpuMsOf(pid);
      await requestAll(at, requests, 201);
      return perRound / (((await cpuMsOf(pid)) - from) / 1_000);
    };
    const samples: { bare: number[]; least: number[]; relay: number[] } = { bare: [], least: [], relay: [] };
    for (let round = 0; round < warming; round += 1)
      for (const at of [bare.port, least.port, port]) await requestAll(at, requestsOf(perRound), 201);
    for (let round = 0; round < rounds; round += 1) {
      samples.bare.push(await rate(bare.pid, bare.port));
      samples.least.push(await rate(least.pid, least.port));
      samples.relay.push(await rate(relay.pid(), port));
    }
    const row = (subject: string, of: readonly number[], name: string, reference: readonly number[]): Row =>
      toRow(
        { bench: 'mint', case: 'POST /v1/credentials', subject, unit: '1/cpu-s', samples: of },
        { name, samples: reference },
      );
    const work = 'node:http, least work';
    return [
      row('node:http', samples.bare, 'node:http', samples.bare),
      row(work, samples.least, 'node:http', samples.bare),
      row('relay, SQLite', samples.relay, 'node:http', samples.bare),
      row('relay, SQLite', samples.relay, work, samples.least),
    ];
  } finally {
    bare.stop();
    least.stop();
    await relay.stop();
    await relay.remove();
  }
}
