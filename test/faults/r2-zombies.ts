/**
 * R2: three relays on one PostgreSQL, each of which stands still now and then for longer than its leases last, and goes on as if no time had
 * passed. Counts what the CRMs hold at the end, and how often a relay wanted to settle what was no longer its own.
 */
import { randomUUID } from 'node:crypto';
import type { Drill, DrillResult } from '../drill.ts';
import { startPostgres } from '../store/postgres-server.ts';
import { type RelayProcess, relayProcess } from '../store/relay-process.ts';
import {
  accountOf,
  metricSum,
  type OfficeCrm,
  officeInHubSpot,
  officeInSalesforce,
  type Pace,
  planCalls,
  ReportingPhone,
  seeded,
  until,
} from './office.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const agentsEach = 6;
const leaseMs = 700;
/** Longer than the slowest answer of a CRM that is still awaited. */
const quietMs = 3_000;

export const drill: Drill = {
  about: 'three relays on one database, frozen for 1 to 30 s again and again: nothing twice, zombies are refused',
  async run({ seed, short, say }): Promise<DrillResult> {
    const count = short ? 120 : 2_000;
    const pauses = short ? 5 : 40;
    const longestMs = short ? 3_000 : 30_000;
    const random = seeded(seed);
    const postgres = await startPostgres();
    const crms: readonly OfficeCrm[] = [await officeInSalesforce(agentsEach), await officeInHubSpot(agentsEach)];
    const relays: RelayProcess[] = [];
    const phones: ReportingPhone[] = [];
    try {
      const databaseUrl = await postgres.createDatabase();
      for (let n = 0; n < 3; n += 1) {
        const relay = await relayProcess({
          tenants: crms.map(({ tenant }) => tenant),
          trustProxy: ['loopback'],
          delivery: { leaseMs, firstRetryMs: 50, longestRetryMs: 1_000, attempts: 1_000 },
          databaseUrl,
        });
        relays.push(relay);
        await relay.start();
      }
      const [first] = relays;
      if (first === undefined) throw new Error('three relays are needed');
      const pace: Pace = { allowed: 0, begun: 0 };
      const offices = crms.map((crm) => ({ crm, calls: planCalls(crm, count / crms.length, random) }));
      for (const { crm, calls } of offices)
        for (const [index, agent] of crm.tenant.agents.entries()) {
          const urls = relays.map(({ url }) => url);
          const turn = phones.length % urls.length;
          phones.push(
            new ReportingPhone({
              urls: [...urls.slice(turn), ...urls.slice(0, turn)],
              token: await first.signIn(crm.tenant.id, agent.id, randomUUID()),
              index: phones.length,
              calls: calls.filter((_, at) => at % agentsEach === index),
              pace,
            }),
          );
        }
      /** One relay is always left, as it is with a rolling restart. */
      const frozen = new Set<number>();
      const freeze = async (): Promise<void> => {
        const free = relays.map((_, index) => index).filter((index) => !frozen.has(index));
        const index = free[Math.floor(random() * free.length)];
        const relay = index === undefined ? undefined : relays[index];
        if (index === undefined || relay === undefined || free.length < 2) return;
        // Answers that come late keep deliveries under way, so that the freeze finds some.
        for (const crm of crms) crm.late(300);
        await sleep(50 + random() * 300);
        frozen.add(index);
        relay.pause();
        await sleep(1_000 + random() * (longestMs - 1_000));
        relay.resume();
        frozen.delete(index);
      };
      let done = 0;
      const freezer = async (): Promise<void> => {
        while (done < pauses) {
          done += 1;
          pace.allowed += Math.ceil(count / pauses);
          await freeze();
          if (done % 10 === 0) say(`${done} pauses, ${pace.begun} calls begun`);
          await sleep(200);
        }
      };
      await Promise.all([freezer(), freezer()]);
      pace.allowed = count;
      for (const crm of crms) crm.calm();
      await until('every event is acknowledged', () => phones.every((phone) => phone.finished), 180_000);
      say('every event is acknowledged');
      const metrics = async (): Promise<readonly string[]> => Promise.all(relays.map((relay) => relay.metrics()));
      const waiting = async (): Promise<number> =>
        metricSum((await metrics())[0] ?? '', /^patchcord_outbox_effects\{.*kind="crm\.log".*state="waiting"/);
      // A delivery that was under way in a frozen relay ends after the queue is empty, and has its log written once more: quiet means for a while.
      let quietSince = Date.now();
      const isQuiet = async (): Promise<boolean> => {
        if ((await waiting()) > 0) quietSince = Date.now();
        return Date.now() - quietSince > quietMs;
      };
      await until('no log waits', isQuiet, 180_000);
      // An answer that a frozen relay still waited for may have come last of all; what it overwrote is written once more, in its own time.
      await until('what a zombie wrote is mended', () => accountOf(offices).stale === 0, 30_000).catch(() => {});
      const all = await metrics();
      const refusedZombies = all.reduce(
        (sum, one) => sum + metricSum(one, /^patchcord_deliveries_total\{.*kind="crm\.log".*result="lost"/),
        0,
      );
      const failed = metricSum(all[0] ?? '', /^patchcord_outbox_effects\{.*state="dead"/);
      const account = accountOf(offices);
      return {
        passed: account.lost + account.duplicated + account.stale + failed === 0 && (short || refusedZombies > 0),
        n: account.n,
        pauses,
        lost: account.lost,
        duplicated: account.duplicated,
        failed,
        stale: account.stale,
        refusedZombies,
        note: 'refusedZombies: settlements of relays whose lease had run out while they stood still',
      };
    } catch (error) {
      for (const relay of relays) say(relay.output().slice(-2_000));
      throw error;
    } finally {
      for (const phone of phones) phone.close();
      for (const relay of relays) {
        relay.resume();
        await relay.remove();
      }
      for (const crm of crms) await crm.close();
      await postgres.stop();
    }
  },
};
