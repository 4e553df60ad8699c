/** The live side, put together: backplane, hub, streams, and the watch on what other relays revoked. Owns their start and end. */
import type { TenantId } from '@patchcord/call-protocol';
import type { Registry } from '@prometheus-io/client';
import type { Log } from '../logging.ts';
import type { Store } from '../store/contract.ts';
import type { Backplane } from './backplane.ts';
import { LiveHub } from './hub.ts';
import { createLiveMetrics, type LiveMetrics } from './live-metrics.ts';
import { createLocalBackplane } from './local-backplane.ts';
import { watchRevocations } from './revocation-watch.ts';
import { LiveStreams, tellingStore } from './stream.ts';

export interface LiveView {
  /** The store to work with: its commits are told to streams here and elsewhere. */
  readonly store: Store;
  readonly hub: LiveHub;
  readonly backplane: Backplane;
  readonly streams: LiveStreams;
  readonly metrics: LiveMetrics;
  /** What is wrong, in words for an operator. Nothing of it keeps the relay from its work. */
  troubles(): readonly string[];
  close(): Promise<void>;
}

/** Starts the live side. Does not wait for Redis: it joins when it is there. */
export async function startLive(options: {
  readonly store: Store;
  readonly redisUrl: string | undefined;
  readonly registry: Registry;
  readonly log: Log;
  readonly now: () => number;
}): Promise<LiveView> {
  const { log, now } = options;
  const metrics = createLiveMetrics(options.registry);
  const deployment = await options.store.feed.deployment();
  const backplane = await openBackplane(options, metrics, deployment);
  const hub = new LiveHub({
    backplane,
    revocations: options.store.revocations,
    feed: options.store.feed,
    log,
    now,
  });
  const streams = new LiveStreams({ feed: options.store.feed, backplane, log, now, deployment });
  const stopWatching = watchRevocations({
    revocations: options.store.revocations,
    hub,
    backplane,
    log,
    now,
    tick: () => streams.tick(),
  });
  return {
    store: tellingStore(options.store, (tenant: TenantId) => streams.committed(tenant)),
    hub,
    backplane,
    streams,
    metrics,
    troubles: () =>
      backplane.status() === 'away' ? ['Redis does not answer: other relays hear of live events a little later'] : [],
    close: async () => {
      stopWatching();
      await backplane.close();
    },
  };
}

async function openBackplane(
  options: { readonly redisUrl: string | undefined; readonly log: Log },
  metrics: LiveMetrics,
  deployment: string,
): Promise<Backplane> {
  if (options.redisUrl === undefined) return createLocalBackplane();
  // 28 MB and 160 ms that a relay without Redis does not pay.
  const { RedisBackplane } = await import('./redis-backplane.ts');
  return new RedisBackplane({ url: options.redisUrl, deployment, metrics, log: options.log });
}
