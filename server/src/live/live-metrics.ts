/** What is counted of live views. Owns these names; labels stay bounded. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client';

export interface LiveMetrics {
  readonly backplane: Counter<'result'>;
  readonly backplaneUp: Gauge;
  readonly streams: Gauge;
  readonly streamEvents: Counter;
}

export function createLiveMetrics(registry: Registry): LiveMetrics {
  const registers = [registry];
  return {
    backplane: new Counter({
      name: 'patchcord_backplane_messages_total',
      help: 'Messages between relays: sent, heard, dropped (Redis away or behind) or refused (unreadable).',
      labelNames: ['result'],
      registers,
    }),
    backplaneUp: new Gauge({
      name: 'patchcord_backplane_up',
      help: '1 while Redis carries messages between relays, 0 while it is away. Without REDIS_URL it stays 0.',
      registers,
    }),
    streams: new Gauge({ name: 'patchcord_streams', help: 'Open event streams (SSE).', registers }),
    streamEvents: new Counter({
      name: 'patchcord_stream_events_total',
      help: 'Events written to event streams.',
      registers,
    }),
  };
}
