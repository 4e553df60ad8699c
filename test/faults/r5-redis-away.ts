/**
 * R5: Redis is killed, frozen, cut off, while calls go on. Two relays on one PostgreSQL; a phone reports calls to one, a board watches the
 * tenant on the other. Counts what the store lost, what the board missed, saw twice or out of order, and how soon relays hear each other again.
 */

import type { CallId } from '@patchcord/call-protocol';
import { openStore } from '../../server/src/store/open.ts';
import { DpopKey } from '../dpop-key.ts';
import type { Drill } from '../drill.ts';
import { type ClusterRelay, clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { EventStream } from '../relay/event-stream.ts';
import { startPartition, startRedis } from '../relay/redis-server.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { startPostgres } from '../store/postgres-server.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const drill: Drill = {
  about:
    'Redis killed, frozen and cut off: calls and logs go on, boards miss nothing, relays hear each other again within 2 s',
  async run({ short, say }) {
    const awayMs = short ? 3_000 : 60_000;
    const cleanups: (() => unknown)[] = [];
    try {
      const postgres = await startPostgres();
      cleanups.push(() => postgres.stop());
      const redis = await startRedis();
      cleanups.push(() => redis.remove());
      const network = await startPartition(redis.url);
      cleanups.push(() => network.close());
      const databaseUrl = await postgres.createDatabase();
      const relays: ClusterRelay[] = [];
      for (let n = 0; n < 2; n += 1) {
        const relay = await clusterRelay({ databaseUrl, redisUrl: network.url, tenants: [tenantOf(2)] });
        cleanups.push(() => relay.remove());
        await relay.start();
        relays.push(relay);
      }
      const [here, there] = relays;
      if (here === undefined || there === undefined) throw new Error('two relays are needed');

      const phone = new SteadyPhone([here], 'agent-0', 0);
      cleanups.push(() => phone.close());
      await phone.signIn();
      await phone.connect();
      // The agent's second browser: on the other relay it hears what became of the logs.
      const second = new SteadyPhone([there], 'agent-0', 0);
      cleanups.push(() => second.close());
      await second.signIn();
      await second.connect();
      const key = new DpopKey();
      const { token } = await there.signIn('lead', key, crypto.randomUUID());
      const route = `${there.url}/v1/live/events`;
      const board = await EventStream.open(route, {
        'x-forwarded-for': '10.255.0.1',
        ...key.headers({ method: 'GET', url: route, token }),
      });
      cleanups.push(() => board.close());

      const missingRedis = async (relay: ClusterRelay): Promise<boolean> => {
        const { ready, reasons } = (await (await relay.request('/readyz')).json()) as {
          ready: boolean;
          reasons: string[];
        };
        if (!ready) throw new Error(`a relay is not ready: ${reasons.join(', ')}`);
        return reasons.some((why) => why.includes('Redis'));
      };
      const untilBoth = async (missing: boolean): Promise<number> => {
        const from = performance.now();
        while (!(await Promise.all(relays.map(missingRedis))).every((is) => is === missing)) {
          if (performance.now() - from > 20_000)
            throw new Error(`Redis is ${missing ? 'still' : 'not'} heard after 20 s`);
          await sleep(20);
        }
        return Math.round(performance.now() - from);
      };
      await untilBoth(false);

      let reporting = true;
      const reports = (async () => {
        while (reporting) {
          phone.reportCall();
          await sleep(short ? 40 : 200);
        }
      })();
      const troubles = [
        ['killed', () => redis.kill(), () => redis.start()],
        ['frozen', () => redis.freeze(), () => redis.thaw()],
        ['cut off', () => network.begin(), () => network.end()],
      ] as const;
      let slowestResume = 0;
      let noticed = 0;
      for (const [name, begin, end] of troubles) {
        await sleep(300);
        await begin();
        noticed += (await untilBoth(true)) < 5_000 ? 1 : 0;
        await sleep(awayMs);
        await end();
        const resumedMs = await untilBoth(false);
        slowestResume = Math.max(slowestResume, resumedMs);
        say(`${name}: heard again after ${resumedMs} ms, ${phone.calls.length} calls so far`);
      }
      await sleep(300);
      reporting = false;
      await reports;
      await phone.until(() => phone.unacknowledged === 0);
      const store = await openStore({ kind: 'postgres', url: databaseUrl });
      const readAll = async (): Promise<{ id: string; type: string; call: string }[]> => {
        const all = [];
        for (const call of phone.calls) {
          const kept = await store.feed.ofCall(call as CallId, 0, 100);
          all.push(...(kept?.events ?? []).map(({ envelope: { id, type } }) => ({ id, type, call })));
        }
        return all;
      };
      let stored = await readAll();
      const unlogged = (): number =>
        phone.calls.length - stored.filter(({ type }) => type.includes('log.saved')).length;
      for (let n = 0; n < 60 && unlogged() > 0; n += 1) {
        await sleep(500);
        stored = await readAll();
      }
      await store.close();
      const kept = new Set(stored.map(({ id }) => id));
      const lost = [...phone.acknowledged].filter((id) => !kept.has(id)).length + unlogged();
      const seenIds = (): Set<string> => new Set(board.events.map(({ event }) => event.id));
      const late = setTimeout(() => board.close(), 15_000);
      await board.until(() => seenIds().size >= kept.size).catch(() => {});
      clearTimeout(late);
      const seen = new Map<string, number[]>();
      for (const { event, seq } of board.events)
        seen.set(event.subject ?? '', [...(seen.get(event.subject ?? '') ?? []), seq ?? 0]);
      const doubled = board.events.length - seenIds().size;
      const wrongOrder = [...seen.values()].filter((seqs) => seqs.some((seq, index) => seq !== index + 1)).length;
      const seenAll = seenIds();
      const missed = [...kept].filter((id) => !seenAll.has(id)).length;
      // What was told while Redis was away, the second browser asks for by number.
      const told = new Set(second.heard.filter(({ type }) => type.includes('log.saved')).map(({ call }) => call));
      let filled = 0;
      let unfilled = 0;
      for (const call of phone.calls.filter((one) => !told.has(one))) {
        const answer = await there.request(`/v1/calls/${call}/events?after=4`, {
          token: second.token,
          key: second.key,
        });
        const { events } = (await answer.json()) as { events: { event: { type: string } }[] };
        if (events.some(({ event }) => event.type.includes('log.saved'))) filled += 1;
        else unfilled += 1;
      }
      return {
        n: phone.calls.length,
        lost,
        missed,
        duplicated: doubled,
        wrongOrder,
        toldAcross: told.size,
        gapsFilled: filled,
        unfilled,
        slowestResumeMs: slowestResume,
        slowestAcknowledgementMs: Math.round(phone.slowestMs),
        passed:
          phone.calls.length > 20 &&
          lost === 0 &&
          missed === 0 &&
          doubled === 0 &&
          wrongOrder === 0 &&
          unfilled === 0 &&
          told.size > 0 &&
          noticed === troubles.length &&
          slowestResume <= (short ? 10_000 : 2_000),
      };
    } finally {
      for (const clean of cleanups.reverse()) await clean();
    }
  },
};
