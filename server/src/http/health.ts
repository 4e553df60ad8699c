/** `/healthz` (the process lives), `/readyz` (it can take work), `/metrics` (Prometheus). */
import { isIPv4 } from 'node:net';
import { PatchcordError } from '@patchcord/call-protocol';
import { type Request, Router } from 'express';
import { bearer, sameSecret } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function healthRoutes(parts: RelayParts): Router {
  const router = Router();
  router.get('/healthz', (_request, response) => {
    response.json({ alive: true });
  });

  router.get('/readyz', async (_request, response) => {
    if (parts.closing()) {
      response.status(503).json({ ready: false, why: 'the relay is stopping' });
      return;
    }
    try {
      await parts.store.check();
      const depth = await parts.store.outbox.depth();
      const count = (state: string) =>
        depth.filter((row) => row.state === state).reduce((sum, row) => sum + row.count, 0);
      response.json({ ready: true, outbox: { waiting: count('waiting'), dead: count('dead') } });
    } catch {
      response.status(503).json({ ready: false, why: 'the store does not answer' });
    }
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
