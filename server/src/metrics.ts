/**
 * What the relay counts, for Prometheus. Owns the names and keeps every label bounded: never an agent, a number or an id in one.
 * One registry per relay, so that two in one process don't mix.
 */
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';

export interface Metrics {
  readonly registry: Registry;
  readonly events: Counter<'result'>;
  readonly calls: Counter<'direction' | 'outcome'>;
  readonly deliveries: Counter<'kind' | 'result'>;
  readonly outbox: Gauge<'kind' | 'state'>;
  readonly outboxAge: Gauge<'kind'>;
  readonly sockets: Gauge;
  readonly mint: Histogram;
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly refused: Counter<'why'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
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
    refused: new Counter({
      name: 'patchcord_refused_total',
      help: 'What was turned away: identity proofs, sockets, too many requests.',
      labelNames: ['why'],
      registers,
    }),
  };
}
