/**
 * What the relay counts, for Prometheus. Owns the names and keeps every label bounded: never an agent, a number or an id in one.
 * One registry per relay, so that two in one process don't mix.
 */
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';

export interface Metrics {
  readonly registry: Registry;
  readonly events: Counter<'result'>;
  readonly calls: Counter<'direction' | 'outcome'>;
  readonly endedByRule: Counter;
  readonly callReports: Counter<'pbx' | 'result'>;
  readonly recordings: Counter<'result'>;
  readonly voicemails: Counter<'result'>;
  readonly deliveries: Counter<'kind' | 'result'>;
  readonly outbox: Gauge<'kind' | 'state'>;
  readonly outboxAge: Gauge<'kind'>;
  readonly sockets: Gauge;
  readonly lines: Counter<'result'>;
  readonly recoveries: Counter<'way' | 'result'>;
  readonly leftCalls: Counter<'result'>;
  readonly mint: Histogram;
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly refused: Counter<'why'>;
  readonly alerts: Counter<'kind'>;
  readonly brakeRefusals: Counter<'why'>;
  readonly store: Histogram<'operation' | 'result'>;
  readonly crm: Histogram<'crm' | 'operation' | 'result'>;
  readonly pbx: Counter<'pbx' | 'operation' | 'result'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  watchProcess(registers);
  const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
  return {
    registry,
    events: new Counter({
      name: 'patchcord_events_total',
      help: 'Events published by panels: stored, known (a repeat) or refused.',
      labelNames: ['result'],
      registers,
    }),
    calls: new Counter({
      name: 'patchcord_calls_total',
      help: 'Calls that ended.',
      labelNames: ['direction', 'outcome'],
      registers,
    }),
    endedByRule: new Counter({
      name: 'patchcord_calls_ended_by_rule_total',
      help: 'Calls that the relay ended by rule, because nobody said how they ended.',
      registers,
    }),
    callReports: new Counter({
      name: 'patchcord_call_reports_total',
      help: 'Reports of phone systems: stored, known (a repeat), ignored (no agent has the extension) or refused.',
      labelNames: ['pbx', 'result'],
      registers,
    }),
    recordings: new Counter({
      name: 'patchcord_recordings_total',
      help: 'Recordings handed over: stored, known (a repeat) or refused.',
      labelNames: ['result'],
      registers,
    }),
    voicemails: new Counter({
      name: 'patchcord_voicemails_total',
      help: 'Messages handed over: stored, known (a repeat) or refused.',
      labelNames: ['result'],
      registers,
    }),
    deliveries: new Counter({
      name: 'patchcord_deliveries_total',
      help: 'Deliveries by kind: done, retried, dead or lost (the lease ran out).',
      labelNames: ['kind', 'result'],
      registers,
    }),
    outbox: new Gauge({
      name: 'patchcord_outbox_effects',
      help: 'Effects in the outbox: waiting, or dead until somebody looks.',
      labelNames: ['kind', 'state'],
      registers,
    }),
    outboxAge: new Gauge({
      name: 'patchcord_outbox_oldest_seconds',
      help: 'Age of the oldest effect that waits.',
      labelNames: ['kind'],
      registers,
    }),
    sockets: new Gauge({ name: 'patchcord_sockets', help: 'Authenticated live sockets.', registers }),
    lines: new Counter({
      name: 'patchcord_lines_total',
      help: 'Leases of agents’ lines: granted, renewed, refused (another device has it), overtaken, left, lost (its holder is gone).',
      labelNames: ['result'],
      registers,
    }),
    recoveries: new Counter({
      name: 'patchcord_recoveries_total',
      help: 'Calls that were to be taken up again, by way: worked or failed.',
      labelNames: ['way', 'result'],
      registers,
    }),
    leftCalls: new Counter({
      name: 'patchcord_left_calls_total',
      help: 'Calls whose phone was gone and nobody took up: ended at the phone system, unreachable (it did not answer) or unknown (it can’t, or has no such call).',
      labelNames: ['result'],
      registers,
    }),
    mint: new Histogram({
      name: 'patchcord_credential_mint_seconds',
      help: 'Time to mint SIP and TURN credentials, storing included.',
      buckets: seconds,
      registers,
    }),
    requests: new Histogram({
      name: 'patchcord_http_request_seconds',
      help: 'HTTP requests by route.',
      labelNames: ['method', 'route', 'status'],
      buckets: seconds,
      registers,
    }),
    alerts: new Counter({
      name: 'patchcord_alerts_total',
      help: 'Alerts raised, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    brakeRefusals: new Counter({
      name: 'patchcord_brake_refusals_total',
      help: 'Calls that the edge refused by the call rules.',
      labelNames: ['why'],
      registers,
    }),
    refused: new Counter({
      name: 'patchcord_refused_total',
      help: 'What was turned away: identity proofs, sockets, too many requests.',
      labelNames: ['why'],
      registers,
    }),
    store: new Histogram({
      name: 'patchcord_store_seconds',
      help: 'Time of one operation of the store; result: ok or the code of the error.',
      labelNames: ['operation', 'result'],
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5],
      registers,
    }),
    crm: new Histogram({
      name: 'patchcord_crm_seconds',
      help: 'Time of one operation of a CRM; result: ok or the code of the error, which tells the class of the answer.',
      labelNames: ['crm', 'operation', 'result'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    pbx: new Counter({
      name: 'patchcord_pbx_answers_total',
      help: 'Answers of the control ports of PBXs and edges; result: ok or the code of the error.',
      labelNames: ['pbx', 'operation', 'result'],
      registers,
    }),
  };
}

/** One watch over the event loop of this process, however many relays live in it. Each scrape begins a new window. */
const eventLoop = monitorEventLoopDelay({ resolution: 20 });

/** Longest and 99th percentile delay of the event loop since the last call, ms beyond what the timer itself takes. */
function takeEventLoopDelay(): { readonly p99Ms: number; readonly maxMs: number } {
  eventLoop.enable();
  const beyond = (ns: number): number => (Number.isFinite(ns) ? Math.max(0, ns / 1e6 - 20) : 0);
  const delay =
    eventLoop.count === 0
      ? { p99Ms: 0, maxMs: 0 }
      : { p99Ms: beyond(eventLoop.percentile(99)), maxMs: beyond(eventLoop.max) };
  eventLoop.reset();
  return delay;
}

/** What every process is watched for, under the names Prometheus gives them everywhere. */
function watchProcess(registers: Registry[]): void {
  eventLoop.enable();
  new Gauge({
    name: 'patchcord_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape: 99th percentile and longest.',
    labelNames: ['of'],
    registers,
    collect() {
      const { p99Ms, maxMs } = takeEventLoopDelay();
      this.set({ of: 'p99' }, p99Ms / 1_000);
      this.set({ of: 'max' }, maxMs / 1_000);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the process.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'process_cpu_seconds_total',
    help: 'User and system time of the process.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.set((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_open_fds',
    help: 'Open files and sockets of the process; 0 where the system does not tell.',
    registers,
    collect() {
      try {
        this.set(readdirSync('/proc/self/fd').length);
      } catch {
        this.set(0);
      }
    },
  });
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, epoch seconds.',
    registers,
    collect() {
      this.set(Math.round(performance.timeOrigin / 1_000));
    },
  });
}
