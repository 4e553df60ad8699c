/** `/healthz` (the process lives), `/readyz` (it can take work, and why not), `/metrics` (Prometheus). Must never say "ready" by heart. */
import { isIPv4 } from 'node:net';
import { errorCode, PatchcordError } from '@patchcord/call-protocol';
import { type Request, Router } from 'express';
import { bearer, sameSecret } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** A worker that looks every two seconds and has not looked for this long is gone or stuck. */
const workerSilentMs = 30_000;
/** Work that waits this long is worth a look; the CRM may be away, which is no reason to take the relay out. */
const lagMs = 600_000;
/** A probe is a write: what is asked more often than this gets the answer of the last one. */
const probeEveryMs = 1_000;

/** Something that keeps the relay from work (`unready`) or from some of it (`degraded`). */
interface Reason {
  readonly weight: 'unready' | 'degraded';
  readonly why: string;
}

export function healthRoutes(parts: RelayParts): Router {
  const router = Router();
  const startedAt = parts.now();
  let probe: { readonly at: number; readonly answer: Promise<number> } | null = null;

  /** ms that a committed write took. */
  const probeStore = (): Promise<number> => {
    const at = performance.now();
    if (probe === null || at - probe.at >= probeEveryMs) {
      probe = { at, answer: parts.store.check().then(() => Math.round(performance.now() - at)) };
    }
    return probe.answer;
  };

  // It is answered by the event loop: a stuck one answers nobody.
  router.get('/healthz', (_request, response) => {
    response.json({ alive: true });
  });

  router.get('/readyz', async (_request, response) => {
    const reasons: Reason[] = [];
    const now = parts.now();
    const unready = (why: string): void => void reasons.push({ weight: 'unready', why });
    const degraded = (why: string): void => void reasons.push({ weight: 'degraded', why });
    if (parts.closing()) unready('the relay is stopping');

    let storeMs: number | null = null;
    const outbox = { waiting: 0, dead: 0, oldestSeconds: 0 };
    try {
      storeMs = await probeStore();
      for (const row of await parts.store.outbox.depth()) {
        outbox[row.state] += row.count;
        if (row.state !== 'waiting') continue;
        outbox.oldestSeconds = Math.max(outbox.oldestSeconds, Math.round((now - row.oldestAt) / 1_000));
      }
    } catch (error) {
      const known = errorCode(error) === 'store.unavailable';
      unready(known ? 'the store does not take a write' : 'the store cannot be asked');
    }
    const silentMs = now - (parts.outboxWatch.lastLookAt ?? startedAt);
    if (silentMs > workerSilentMs) unready(`the outbox worker has not looked for ${Math.round(silentMs / 1_000)} s`);
    if (outbox.oldestSeconds * 1_000 > lagMs) degraded(`the oldest delivery has waited for ${outbox.oldestSeconds} s`);
    if (outbox.dead > 0) degraded('deliveries were given up and wait for a person');
    for (const why of parts.troubles()) degraded(why);

    const ready = reasons.every(({ weight }) => weight !== 'unready');
    response.status(ready ? 200 : 503).json({
      ready,
      state: !ready ? 'unready' : reasons.length > 0 ? 'degraded' : 'ok',
      reasons: reasons.map(({ why }) => why),
      storeMs,
      outbox,
    });
  });

  router.get('/metrics', async (request, response) => {
    if (!mayRead(request, parts.config.metricsToken)) {
      throw new PatchcordError(
        'identity.required',
        'Metrics need the METRICS_TOKEN of the relay as a bearer token; without one they are for this machine only.',
      );
    }
    const now = parts.now();
    parts.metrics.outbox.reset();
    parts.metrics.outboxAge.reset();
    for (const row of await parts.store.outbox.depth()) {
      parts.metrics.outbox.set({ kind: row.kind, state: row.state }, row.count);
      if (row.state === 'waiting')
        parts.metrics.outboxAge.set({ kind: row.kind }, Math.max(0, now - row.oldestAt) / 1_000);
    }
    response.type('text/plain; version=0.0.4; charset=utf-8').send(await parts.metrics.registry.metrics());
  });
  return router;
}

function mayRead(request: Request, token: string | undefined): boolean {
  if (token !== undefined) return sameSecret(bearer(request) ?? '', token);
  // A proxy on this machine that we were not told of makes everybody local.
  if (request.headers['x-forwarded-for'] !== undefined && request.ip === request.socket.remoteAddress) return false;
  const address = (request.ip ?? '').replace(/^::ffff:/, '');
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}
