/**
 * A call centre that nobody has on a desk: 20,000 agents on 4 relays, PostgreSQL and Redis, as a simulation of queues. What each piece of work
 * costs is read from docs/benchmarks.md (what `npm run bench` measured); how much work there is, is stated below. Says for every resource how
 * full it is and how long work waits, and which one is full first. A model: one queue per resource, no network, no slow disk.
 */
import { readFileSync } from 'node:fs';
import type { Row } from './measurement.ts';

/** What the call centre does. Change it here and run again. */
const load = {
  agents: 20_000,
  tenants: 20,
  relays: 4,
  callsPerAgentHour: 12,
  /** Messages a panel sends per call, and events in them. */
  messagesPerCall: 4,
  eventsPerCall: 6,
  mintEveryS: 480,
  /** Requests beside: matches, history, profile, renewed sessions. */
  requestsPerCall: 3,
  boardsPerTenant: 5,
  /** A log is written, and in some calls once more for the note. */
  crmWritesPerCall: 1.3,
  /** HubSpot's limit of a private app, per tenant. */
  crmWritesPerSecond: 19,
  seconds: 120,
} as const;

/** Not measured by our benchmarks: stated. */
const stated = {
  /** Commits a second of PostgreSQL 15 on 2 cores with 8 connections and an fsync each (group commit). */
  postgresCommits: 2_700,
  postgresConnections: 8,
  /** Messages of 300 B a second through one Redis. */
  redisMessages: 70_000,
  /** A request that is no mint: session and proof checked, one read. */
  requestShareOfMint: 0.5,
  /** RSS of a relay before its first panel, MB. */
  relayMb: 160,
} as const;

interface Costs {
  readonly mintMs: number;
  readonly eventMs: number;
  readonly deliveryMs: number;
  readonly panelKb: number;
}

export async function run(): Promise<readonly Row[]> {
  const costs = measuredCosts(readFileSync('docs/benchmarks.md', 'utf8'));
  console.error(
    `costs: mint ${costs.mintMs.toFixed(2)} ms, event ${costs.eventMs.toFixed(2)} ms, delivery ${(costs.deliveryMs * 1_000).toFixed(1)} µs, panel ${costs.panelKb} KB`,
  );
  const usual = simulate(costs, { relays: load.relays, factor: 1, returning: 0 });
  const lost = simulate(costs, { relays: load.relays - 1, factor: 1, returning: load.agents / load.relays });
  const rows = [
    ...toRows('a busy hour', usual),
    ...toRows('one relay lost, its panels come back', lost),
    memoryRow(costs),
  ];
  const full = usual
    .map(({ name, utilisation }) => ({ name, factor: 1 / utilisation }))
    .sort((a, b) => a.factor - b.factor);
  for (const { name, factor } of full)
    console.error(`${name}: full at ${factor.toFixed(1)} times this load (${Math.round(load.agents * factor)} agents)`);
  return await Promise.resolve(rows);
}

/** Reads what was measured; a table that is missing has not been measured yet. */
function measuredCosts(text: string): Costs {
  const median = (section: string, subject: string, unit: string): number => {
    const from = text.indexOf(`<!-- ${section} -->`);
    const table = from < 0 ? '' : text.slice(from, text.indexOf(`<!-- /${section} -->`));
    for (const line of table.split('\n')) {
      const cells = line.split('|').map((cell) => cell.trim());
      if (cells[2] === subject && cells[7] === unit) return Number(cells[4]);
    }
    throw new Error(`docs/benchmarks.md has no measured "${subject}" in ${unit}: npm run bench -- ${section} --write`);
  };
  return {
    mintMs: 1_000 / median('mint', 'relay, SQLite', '1/cpu-s'),
    eventMs: 1_000 / median('scale', 'one relay', '1/cpu-s'),
    deliveryMs: 1_000 / median('fanout', 'relay', '1/cpu-s'),
    panelKb: median('idle-memory', 'relay', 'KB each'),
  };
}

interface Resource {
  readonly name: string;
  readonly utilisation: number;
  readonly waits: readonly number[];
}

/** First come, first served, by one or more servers. Arrivals must come in the order of time. */
class Station {
  readonly name: string;
  readonly waits: number[] = [];
  busyMs = 0;
  readonly #freeAt: number[];

  constructor(name: string, servers = 1) {
    this.name = name;
    this.#freeAt = Array.from({ length: servers }, () => 0);
  }

  get servers(): number {
    return this.#freeAt.length;
  }

  /** @returns when the work is done, ms */
  serve(at: number, ms: number): number {
    let first = 0;
    for (let n = 1; n < this.#freeAt.length; n += 1) if ((this.#freeAt[n] ?? 0) < (this.#freeAt[first] ?? 0)) first = n;
    const begins = Math.max(at, this.#freeAt[first] ?? 0);
    this.waits.push(begins - at);
    this.busyMs += ms;
    this.#freeAt[first] = begins + ms;
    return begins + ms;
  }
}

type Step = (at: number, then: (at: number, step: Step) => void) => void;

/** Runs the centre for `load.seconds` and says how its resources fared. `returning` panels come back in the first half minute. */
function simulate(
  costs: Costs,
  {
    relays,
    factor,
    returning,
    seed = 1,
  }: { readonly relays: number; readonly factor: number; readonly returning: number; readonly seed?: number },
): Resource[] {
  const random = generator(seed);
  const endMs = load.seconds * 1_000;
  const cores = Array.from({ length: relays }, () => new Station('relay CPU'));
  const postgres = new Station('PostgreSQL commits', stated.postgresConnections);
  const redis = new Station('Redis messages');
  const crms = Array.from({ length: load.tenants }, () => new Station('CRM limit'));
  const queue = new Heap();
  const schedule = (at: number, step: Step): void => queue.push(at, step);
  const commitMs = (1_000 * stated.postgresConnections) / stated.postgresCommits;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const deliveriesMs = load.boardsPerTenant * costs.deliveryMs;

  const message =
    (tenant: number): Step =>
    (at, then) => {
      const events = load.eventsPerCall / load.messagesPerCall;
      const computed = pick(cores).serve(at, events * costs.eventMs);
      then(computed, (asked, next) => {
        const stored = postgres.serve(asked, commitMs);
        next(stored, (told) => {
          const heard = redis.serve(told, 1_000 / stated.redisMessages);
          schedule(heard, (when) => void cores[tenant % relays]?.serve(when, events * deliveriesMs));
        });
      });
    };
  const mint: Step = (at, then) => {
    then(pick(cores).serve(at, costs.mintMs), (asked) => void postgres.serve(asked, commitMs * 2));
  };
  const request: Step = (at) => void pick(cores).serve(at, costs.mintMs * stated.requestShareOfMint);
  const log =
    (tenant: number): Step =>
    (at, then) => {
      const sent = crms[tenant]?.serve(at, 1_000 / load.crmWritesPerSecond) ?? at;
      then(sent, (asked) => void postgres.serve(asked, commitMs));
    };
  const arrivals = (perSecond: number, step: () => Step): void => {
    for (let at = 0; ; ) {
      at += (-Math.log(1 - random()) / (perSecond * factor)) * 1_000;
      if (at >= endMs) return;
      schedule(at, step());
    }
  };

  const callsPerSecond = (load.agents * load.callsPerAgentHour) / 3_600;
  const tenant = (): number => Math.floor(random() * load.tenants);
  arrivals(callsPerSecond * load.messagesPerCall, () => message(tenant()));
  arrivals(load.agents / load.mintEveryS, () => mint);
  arrivals(callsPerSecond * load.requestsPerCall, () => request);
  arrivals(callsPerSecond * load.crmWritesPerCall, () => log(tenant()));
  // Each comes with the panel's jitter: a session renewed, a socket authenticated, what was missed asked for, credentials minted.
  for (let n = 0; n < returning; n += 1) {
    const at = random() * 30_000;
    for (const step of [request, request, request, mint]) schedule(at, step);
  }

  for (let next = queue.pop(); next !== null; next = queue.pop()) next.step(next.at, schedule);
  const together = (name: string, stations: readonly Station[]): Resource => ({
    name,
    utilisation: stations.reduce((sum, one) => sum + one.busyMs / one.servers, 0) / stations.length / endMs,
    waits: stations.flatMap(({ waits }) => waits),
  });
  return [
    together('relay CPU', cores),
    together('PostgreSQL commits', [postgres]),
    together('Redis messages', [redis]),
    together('CRM limit', crms),
  ];
}

function toRows(scenario: string, resources: readonly Resource[]): Row[] {
  return resources.map(({ name, utilisation, waits }) => {
    const sorted = [...waits].sort((a, b) => a - b);
    const at = (q: number): number => Math.round((sorted[Math.floor((sorted.length - 1) * q)] ?? Number.NaN) * 10) / 10;
    return {
      bench: 'simulation',
      case: scenario,
      subject: name,
      n: sorted.length,
      median: at(0.5),
      p95: at(0.99),
      max: at(1),
      unit: 'ms waited (p95 column: p99)',
      against: 'its capacity',
      ratio: Math.round(utilisation * 1_000) / 1_000,
    };
  });
}

function memoryRow(costs: Costs): Row {
  const each = load.agents / (load.relays - 1);
  const mb = Math.round(stated.relayMb + (each * costs.panelKb) / 1_024);
  const subject = 'relay memory';
  return {
    bench: 'simulation',
    case: `${Math.round(each)} panels at one relay`,
    subject,
    n: 1,
    median: mb,
    p95: mb,
    max: mb,
    unit: 'MB',
    against: '1 GB',
    ratio: Math.round((mb / 1_024) * 100) / 100,
  };
}

/** Work in the order of its time. */
class Heap {
  readonly #items: { readonly at: number; readonly step: Step }[] = [];

  push(at: number, step: Step): void {
    const items = this.#items;
    let n = items.length;
    items.push({ at, step });
    while (n > 0) {
      const parent = (n - 1) >> 1;
      const above = items[parent];
      if (above === undefined || above.at <= at) break;
      items[n] = above;
      n = parent;
    }
    items[n] = { at, step };
  }

  pop(): { readonly at: number; readonly step: Step } | null {
    const items = this.#items;
    const [top] = items;
    const last = items.pop();
    if (top === undefined || last === undefined) return null;
    if (items.length === 0) return top;
    let n = 0;
    for (;;) {
      let child = 2 * n + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && (items[child + 1]?.at ?? 0) < (items[child]?.at ?? 0)) child += 1;
      const below = items[child];
      if (below === undefined || below.at >= last.at) break;
      items[n] = below;
      n = child;
    }
    items[n] = last;
    return top;
  }
}

/** mulberry32: the same seed, the same hour. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
