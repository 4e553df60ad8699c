/**
 * R1: calls are reported while the relay and its database are killed again and again and the CRMs do everything a CRM can do wrong. Counts what
 * the CRMs hold at the end: every call once, and with its last word.
 */
import { randomUUID } from 'node:crypto';
import type { Drill, DrillResult } from '../drill.ts';
import { startPostgres } from '../store/postgres-server.ts';
import { type RelayProcess, relayProcess } from '../store/relay-process.ts';
import {
  type Account,
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
const agentsEach = 8;

interface Course {
  readonly calls: number;
  readonly kills: number;
  /** Absent: SQLite, which dies with the relay. */
  readonly database?: { readonly url: string; kill(): Promise<void>; start(): Promise<void> };
}

interface Ran extends Account {
  readonly failed: number;
  readonly refused: number;
  readonly databaseKills: number;
  /** From the end of all faults until no log waits, s. */
  readonly drainedIn: number;
}

export const drill: Drill = {
  about: '50 kill -9 of relay and database, both CRMs with every fault: each of 5,000 calls is logged exactly once',
  async run({ seed, short, say }): Promise<DrillResult> {
    const postgres = await startPostgres();
    try {
      const database = { url: await postgres.createDatabase(), kill: postgres.kill, start: postgres.start };
      const onPostgres = await run({ calls: short ? 60 : 5_000, kills: short ? 3 : 50, database }, seeded(seed), say);
      const onSqlite = await run({ calls: short ? 30 : 500, kills: short ? 2 : 10 }, seeded(seed + 1), say);
      const clean = ({ lost, duplicated, failed, refused, stale }: Ran): boolean =>
        lost + duplicated + failed + refused + stale === 0;
      return {
        passed: clean(onPostgres) && clean(onSqlite),
        n: onPostgres.n,
        kills: short ? 3 : 50,
        databaseKills: onPostgres.databaseKills,
        lost: onPostgres.lost,
        duplicated: onPostgres.duplicated,
        failed: onPostgres.failed,
        stale: onPostgres.stale,
        refused: onPostgres.refused,
        drainedIn: onPostgres.drainedIn,
        sqliteN: onSqlite.n,
        sqliteKills: short ? 2 : 10,
        sqliteLost: onSqlite.lost,
        sqliteDuplicated: onSqlite.duplicated,
        sqliteFailed: onSqlite.failed,
        sqliteStale: onSqlite.stale,
        sqliteDrainedIn: onSqlite.drainedIn,
        note: 'drainedIn: seconds from the end of all faults until no log waits',
      };
    } finally {
      await postgres.stop();
    }
  },
};

async function run(course: Course, random: () => number, say: (text: string) => void): Promise<Ran> {
  const crms: readonly OfficeCrm[] = [await officeInSalesforce(agentsEach), await officeInHubSpot(agentsEach)];
  const offices = crms.map((crm) => ({ crm, calls: planCalls(crm, course.calls / crms.length, random) }));
  const pace: Pace = { allowed: 0, begun: 0 };
  const phones: ReportingPhone[] = [];
  const relay = await relayProcess({
    tenants: crms.map(({ tenant }) => tenant),
    trustProxy: ['loopback'],
    delivery: { leaseMs: 2_000, firstRetryMs: 50, longestRetryMs: 2_000, attempts: 1_000 },
    ...(course.database === undefined ? {} : { databaseUrl: course.database.url }),
  });
  const mischief = setInterval(() => {
    for (const crm of crms) if (random() < 0.5) crm.trouble(random);
  }, 200);
  let databaseKills = 0;
  try {
    await relay.start();
    for (const { crm, calls } of offices)
      for (const [index, agent] of crm.tenant.agents.entries())
        phones.push(
          new ReportingPhone({
            urls: [relay.url],
            token: await relay.signIn(crm.tenant.id, agent.id, randomUUID()),
            index: phones.length,
            calls: calls.filter((_, at) => at % agentsEach === index),
            pace,
          }),
        );
    for (let kill = 1; kill <= course.kills; kill += 1) {
      pace.allowed += Math.ceil(course.calls / (course.kills + 1));
      // It gets to do something in every life, and dies in the middle of it.
      const begunAt = Date.now();
      while (pace.begun < pace.allowed && Date.now() - begunAt < 4_000) await sleep(20);
      await sleep(random() * 1_500);
      const databaseToo = course.database !== undefined && random() < 0.5;
      if (databaseToo && random() < 0.5) {
        await course.database?.kill();
        // The relay lives on a while without its database.
        await sleep(random() * 300);
        await relay.kill();
      } else {
        await relay.kill();
        if (databaseToo) await course.database?.kill();
      }
      if (databaseToo) {
        databaseKills += 1;
        await course.database?.start();
      }
      await relay.start();
      if (kill % 5 === 0) say(`${kill} kills, ${pace.begun} calls begun, ${logged(crms)} logs`);
    }
    pace.allowed = course.calls;
    await until('every event is acknowledged', () => phones.every((phone) => phone.finished), 180_000);
    clearInterval(mischief);
    for (const crm of crms) crm.calm();
    const calmAt = Date.now();
    say('every event is acknowledged, the faults stop');
    const waiting = async (): Promise<number> =>
      metricSum(await relay.metrics(), /^patchcord_outbox_effects\{.*kind="crm\.log".*state="waiting"/);
    let told = 0;
    await until(
      'no log waits',
      async () => {
        const left = await waiting();
        if (Date.now() - calmAt > told) say(`${left} logs wait`);
        if (Date.now() - calmAt > told) told += 10_000;
        return left === 0;
      },
      180_000,
    );
    const drainedIn = Math.round((Date.now() - calmAt) / 100) / 10;
    const failed = metricSum(await relay.metrics(), /^patchcord_outbox_effects\{.*state="dead"/);
    say(`no log waits any more after ${drainedIn} s`);
    return {
      ...accountOf(offices),
      failed,
      refused: phones.reduce((sum, phone) => sum + phone.refused.length, 0),
      databaseKills,
      drainedIn,
    };
  } catch (error) {
    say(tail(relay));
    throw error;
  } finally {
    clearInterval(mischief);
    for (const phone of phones) phone.close();
    await relay.remove();
    for (const crm of crms) await crm.close();
  }
}

function logged(crms: readonly OfficeCrm[]): number {
  return crms.reduce((sum, crm) => sum + crm.logs().length, 0);
}

function tail(relay: RelayProcess): string {
  return relay.output().slice(-4_000);
}
