/**
 * After an outage of ten minutes with 10,000 logs waiting: how fast they are in the CRM, against the CRM's own limit, and how often it had to
 * refuse. HubSpot, since Salesforce grants no rate. Real parts: a relay process on SQLite, the emulated portal with its rolling limit, HTTP
 * between them.
 *
 * Time is compressed in one place only: the outage lasts one minute instead of ten, with all calls reported in it. A minute is enough for what
 * an outage changes in the relay: its rests between two looks at the CRM have reached their longest (30 s), and every log waits. The limit of
 * the portal (110 requests in 10 s, rolling), the relay's own settings and everything after the outage take their real time.
 */
import { randomUUID } from 'node:crypto';
import {
  accountOf,
  metricSum,
  officeInHubSpot,
  type Pace,
  planCalls,
  ReportingPhone,
  seeded,
  until,
} from '../faults/office.ts';
import { relayProcess } from '../store/relay-process.ts';
import { type Row, toRow } from './measurement.ts';

/** HubSpot's limit for an OAuth app: requests in 10 s (HubSpot contract, section 2.5). */
const granted = 110;

export interface Drained {
  readonly logs: number;
  /** Requests in the time it took, as a share of what the CRM would have taken. */
  readonly usedOfLimit: number;
  readonly logsPerSecond: number;
  /** From the end of the outage to the first log: the CRM is looked at every 30 s at the latest. */
  readonly firstAfterMs: number;
  /** Refusals for the limit after the outage. */
  readonly refusals: number;
  readonly lost: number;
  readonly duplicated: number;
}

/** One outage, one drain. */
export async function drainOnce(options: {
  readonly logs: number;
  readonly outageMs: number;
  readonly seed: number;
}): Promise<Drained> {
  const agents = 8;
  const crm = await officeInHubSpot(agents, { perTenSeconds: granted, searchesPerSecond: 5 });
  const { tenant } = crm;
  const relay = await relayProcess({
    tenants: [tenant],
    trustProxy: ['loopback'],
    delivery: { leaseMs: 15_000, firstRetryMs: 1_000, longestRetryMs: 900_000, attempts: 60 },
  });
  const phones: ReportingPhone[] = [];
  try {
    await relay.start();
    const calls = planCalls(crm, options.logs, seeded(options.seed), { searches: false });
    const pace: Pace = { allowed: options.logs, begun: 0 };
    crm.away();
    const outage = new Promise((resolve) => setTimeout(resolve, options.outageMs));
    for (const [index, agent] of tenant.agents.entries())
      phones.push(
        new ReportingPhone({
          urls: [relay.url],
          token: await relay.signIn(tenant.id, agent.id, randomUUID()),
          index,
          calls: calls.filter((_, at) => at % agents === index),
          pace,
        }),
      );
    await until('every event is acknowledged', () => phones.every((phone) => phone.finished), 600_000);
    await outage;
    crm.calm();
    const refusedBefore = crm.refusals();
    const backAt = performance.now();
    // The first probe that is answered begins the drain; the one before may be a rest away.
    await until('the first log is written', () => crm.logs().length > 0, 120_000);
    const begun = { at: performance.now(), asked: crm.taken() };
    await until('all logs are written', () => crm.logs().length >= options.logs, 600_000);
    const spent = performance.now() - begun.at;
    const asked = crm.taken() - begun.asked;
    await until(
      'no log waits',
      async () =>
        metricSum(await relay.metrics(), /^patchcord_outbox_effects\{.*kind="crm\.log".*state="waiting"/) === 0,
      120_000,
    );
    const { lost, duplicated } = accountOf([{ crm, calls }]);
    return {
      logs: options.logs,
      usedOfLimit: asked / ((granted * spent) / 10_000),
      logsPerSecond: options.logs / (spent / 1_000),
      firstAfterMs: begun.at - backAt,
      refusals: crm.refusals() - refusedBefore,
      lost,
      duplicated,
    };
  } finally {
    for (const phone of phones) phone.close();
    await relay.remove();
    await crm.close();
  }
}

/** Full outages: 10,000 logs. */
export async function run(rounds: number): Promise<readonly Row[]> {
  const all: Drained[] = [];
  for (let round = 0; round < rounds; round += 1)
    all.push(await drainOnce({ logs: 10_000, outageMs: 60_000, seed: round }));
  const row = (name: string, unit: string, read: (one: Drained) => number, reference: number, against: string): Row =>
    toRow(
      { bench: 'drain', case: 'outage, 10,000 logs', subject: name, unit, samples: all.map(read) },
      { name: against, samples: [reference] },
    );
  return [
    row('requests used', '% of the CRM limit', ({ usedOfLimit }) => usedOfLimit * 100, 100, 'limit'),
    row('logs written', '/s', ({ logsPerSecond }) => logsPerSecond, granted / 10, 'one request a log'),
    row('back → first log', 's', ({ firstAfterMs }) => firstAfterMs / 1_000, 30, 'longest rest'),
    row('refused with 429', 'requests', ({ refusals }) => refusals, 1, 'one'),
    row('lost or doubled', 'logs', ({ lost, duplicated }) => lost + duplicated, 1, 'one'),
  ];
}
