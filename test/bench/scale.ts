/**
 * Two relays on one PostgreSQL and one Redis against one alone: the work of a shift (events stored and acknowledged, logs told, a board watching),
 * shared between them. What counts is processor time per event: the work two relays do in the time one needs, if each has its core.
 */
import { DpopKey } from '../dpop-key.ts';
import { type ClusterRelay, clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { EventStream } from '../relay/event-stream.ts';
import { startRedis } from '../relay/redis-server.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { startPostgres } from '../store/postgres-server.ts';
import { type Row, toRow } from './measurement.ts';

const phones = 24;
const callsEach = 6;
const eventsPerCall = 4;
/** Rounds that warm the code up and do not count. */
const warming = 2;

export async function run(rounds: number): Promise<readonly Row[]> {
  const postgres = await startPostgres();
  const redis = await startRedis();
  const cleanups: (() => unknown)[] = [];
  try {
    /** A deployment of `count` relays with their phones and a board each. */
    const deploy = async (
      count: number,
    ): Promise<{ readonly relays: ClusterRelay[]; readonly fleet: SteadyPhone[] }> => {
      const config = { databaseUrl: await postgres.createDatabase(), redisUrl: redis.url, tenants: [tenantOf(phones)] };
      const relays: ClusterRelay[] = [];
      for (let n = 0; n < count; n += 1) {
        const relay = await clusterRelay(config);
        cleanups.push(() => relay.remove());
        await relay.start();
        relays.push(relay);
        const key = new DpopKey();
        const { token } = await relay.signIn('lead', key, crypto.randomUUID());
        const url = `${relay.url}/v1/live/events`;
        const board = await EventStream.open(url, key.headers({ method: 'GET', url, token }));
        cleanups.push(() => board.close());
      }
      const fleet = await Promise.all(
        Array.from({ length: phones }, async (_, n) => {
          const phone = new SteadyPhone([relays[n % count] as ClusterRelay], `agent-${n}`, 0);
          cleanups.push(() => phone.close());
          await phone.signIn();
          await phone.connect();
          return phone;
        }),
      );
      return { relays, fleet };
    };
    const deployments = { one: await deploy(1), two: await deploy(2) };
    const capacity: Record<'one' | 'two', number[]> = { one: [], two: [] };
    for (let round = -warming; round < rounds; round += 1) {
      for (const name of ['one', 'two'] as const) {
        const { relays, fleet } = deployments[name];
        const before = await Promise.all(relays.map((relay) => relay.cpuMs()));
        await Promise.all(
          fleet.map(async (phone) => {
            for (let n = 0; n < callsEach; n += 1) await phone.reportCallStepwise();
            await phone.until(
              () => phone.heard.filter(({ type }) => type.includes('log.')).length >= phone.calls.length,
            );
          }),
        );
        const spent = await Promise.all(relays.map(async (relay, n) => (await relay.cpuMs()) - (before[n] ?? 0)));
        if (round < 0) continue;
        // The busiest relay is the first to be full.
        capacity[name].push((phones * callsEach * eventsPerCall) / (Math.max(...spent) / 1_000));
      }
    }
    const row = (subject: string, samples: readonly number[]): Row =>
      toRow(
        { bench: 'scale', case: 'events of a shift, PostgreSQL and Redis', subject, unit: '1/cpu-s', samples },
        { name: 'one relay', samples: capacity.one },
      );
    return [row('one relay', capacity.one), row('two relays', capacity.two)];
  } finally {
    for (const clean of cleanups.reverse()) await clean();
    await redis.remove();
    await postgres.stop();
  }
}
