/**
 * R8: a relay is told to stop (SIGTERM) while 200 phones publish to it and boards watch. Counts what was acknowledged and is not on disk, what
 * did not arrive in the end, what boards missed or saw twice, and how long the stop took. Phones and boards go on at the other relay.
 */
import type { CallId } from '@patchcord/call-protocol';
import { openStore } from '../../server/src/store/open.ts';
import { DpopKey } from '../dpop-key.ts';
import type { Drill } from '../drill.ts';
import { type ClusterRelay, clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { EventStream } from '../relay/event-stream.ts';
import { startRedis } from '../relay/redis-server.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { startPostgres } from '../store/postgres-server.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A board that comes back to where it was, at whichever relay takes it. */
async function watch(
  relays: readonly ClusterRelay[],
  { key, token }: { readonly key: DpopKey; readonly token: string },
  seen: string[],
  codes: number[],
  stopped: () => boolean,
): Promise<void> {
  let at = '';
  for (let n = 0; !stopped(); n += 1) {
    const relay = relays[n % relays.length] as ClusterRelay;
    const route = `${relay.url}/v1/live/events`;
    try {
      const stream = await EventStream.open(
        route,
        { 'x-forwarded-for': `10.254.0.${n % 250}`, ...key.headers({ method: 'GET', url: route, token }) },
        at,
      );
      let taken = 0;
      const take = (): boolean => {
        for (; taken < stream.events.length; taken += 1) seen.push(stream.events[taken]?.event.id ?? '');
        at = stream.lastId;
        return stopped();
      };
      await stream.until(take).catch(() => {});
      take();
      stream.close();
      const end = await stream.ended;
      if (end !== null) codes.push(end.code);
    } catch {
      await sleep(50);
    }
  }
}

export const drill: Drill = {
  about:
    'a relay stops while 200 phones publish: drained within 10 s, nothing acknowledged lost, phones and boards go on elsewhere',
  async run({ short, say }) {
    const [phones, boards, callsEach] = short ? [40, 4, 4] : [200, 20, 20];
    const cleanups: (() => unknown)[] = [];
    try {
      const postgres = await startPostgres();
      cleanups.push(() => postgres.stop());
      const redis = await startRedis();
      cleanups.push(() => redis.remove());
      const databaseUrl = await postgres.createDatabase();
      const relays: ClusterRelay[] = [];
      for (let n = 0; n < 2; n += 1) {
        const relay = await clusterRelay({ databaseUrl, redisUrl: redis.url, tenants: [tenantOf(phones)] });
        cleanups.push(() => relay.remove());
        await relay.start();
        relays.push(relay);
      }
      const [leaving] = relays;
      if (leaving === undefined) throw new Error('two relays are needed');
      const fleet: SteadyPhone[] = [];
      for (let n = 0; n < phones; n += 10) {
        const some = Array.from({ length: 10 }, (_, m) => new SteadyPhone(relays, `agent-${n + m}`, 0));
        fleet.push(...some);
        cleanups.push(...some.map((phone) => () => phone.close()));
        await Promise.all(some.map((phone) => phone.signIn().then(() => phone.connect())));
      }
      let over = false;
      const seen = Array.from({ length: boards }, (): string[] => []);
      const codes: number[] = [];
      const key = new DpopKey();
      const { token } = await leaving.signIn('lead', key, crypto.randomUUID());
      const watching = seen.map((ids) => watch(relays, { key, token }, ids, codes, () => over));
      await sleep(500);
      say(`${phones} phones and ${boards} boards at one relay`);

      let stopped: Promise<{ readonly code: number | null; readonly ms: number }> | null = null;
      for (let round = 0; round < callsEach; round += 1) {
        for (const phone of fleet) phone.reportCall();
        if (round === Math.floor(callsEach / 2)) {
          const from = performance.now();
          stopped = leaving.stop().then((code) => ({ code, ms: Math.round(performance.now() - from) }));
        }
        await sleep(short ? 100 : 250);
      }
      const { code, ms } = (await stopped) ?? { code: null, ms: Number.NaN };
      say(`stopped with ${code} after ${ms} ms`);
      const deadline = sleep(60_000).then(() => 'late');
      await Promise.race([Promise.all(fleet.map((phone) => phone.until(() => phone.unacknowledged === 0))), deadline]);
      const unsent = fleet.reduce((sum, phone) => sum + phone.unacknowledged, 0);

      const store = await openStore({ kind: 'postgres', url: databaseUrl });
      const published = new Set<string>();
      let lost = 0;
      for (const phone of fleet) {
        for (const id of phone.acknowledged) published.add(id);
        for (const call of phone.calls) {
          const kept = new Set(
            (await store.feed.ofCall(call as CallId, 0, 100))?.events.map(({ envelope }) => envelope.id),
          );
          lost += [...phone.acknowledged].filter((id) => id.startsWith(call) && !kept.has(id)).length;
        }
      }
      await store.close();
      const complete = (): boolean =>
        seen.every((ids) => ids.filter((id) => published.has(id)).length >= published.size);
      for (let n = 0; n < 300 && !complete(); n += 1) await sleep(200);
      over = true;
      for (const phone of fleet) phone.close();
      const missed = seen.reduce(
        (sum, ids) => sum + published.size - new Set(ids.filter((id) => published.has(id))).size,
        0,
      );
      const doubled = seen.reduce((sum, ids) => sum + ids.length - new Set(ids).size, 0);
      const movedAway = fleet.filter((phone) => phone.closes.includes(1012)).length;
      // A stream that waits for news is woken by the end of its relay.
      await Promise.all([...relays.map((relay) => relay.kill()), Promise.race([Promise.all(watching), sleep(5_000)])]);
      return {
        n: published.size,
        lost,
        unsent,
        missed,
        duplicated: doubled,
        phonesSentAway: movedAway,
        boardsSentAway: codes.filter((one) => one === 1012).length,
        drainMs: ms,
        passed:
          published.size === phones * callsEach * 4 &&
          lost === 0 &&
          unsent === 0 &&
          missed === 0 &&
          doubled === 0 &&
          movedAway === phones &&
          code === 0 &&
          ms <= 10_000,
      };
    } finally {
      for (const clean of cleanups.reverse()) await clean();
    }
  },
};
