/**
 * Webhooks as an administrator handles them: `GET /v1/admin/webhooks?tenant=` (how the endpoints fare), `POST /v1/admin/webhooks/test` (an event
 * now, and what came back), `POST /v1/admin/webhooks/replay` (stored events of a span again, under the ids they had). Must never send to an
 * address that is not in the configuration, nor show a secret.
 */
import { randomUUID } from 'node:crypto';
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { json, type Request, Router } from 'express';
import * as v from 'valibot';
import { webhookEffects } from '../call-log/effects.ts';
import type { TenantConfig } from '../config.ts';
import { tryWebhook } from '../delivery/deliver-webhook.ts';
import type { StoredEvent } from '../store/contract.ts';
import { actorOf, adminOnly, read } from './guards.ts';
import type { RelayParts } from './parts.ts';

const tenantName = v.pipe(v.string(), v.maxLength(128));
const endpoint = v.pipe(v.string(), v.maxLength(2_000));
const TestSchema = v.strictObject({ tenant: tenantName, url: endpoint });
const time = v.pipe(v.number(), v.integer(), v.minValue(0));
const ReplaySchema = v.strictObject({
  tenant: tenantName,
  /** All endpoints of the tenant when absent. */
  url: v.optional(endpoint),
  /** When the relay received the events, epoch ms; both included. */
  from: time,
  to: time,
});

const page = 500;
/** Of one replay: whoever needs more asks for a shorter span. */
const longestReplay = 100_000;

export function webhookRoutes(parts: RelayParts): Router {
  const router = Router();
  const tenantOfBody = (request: Request): unknown => (request.body as { tenant?: unknown } | undefined)?.tenant;
  const tenantConfig = (id: string): TenantConfig => {
    const tenant = parts.tenants.find(id);
    if (tenant === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    return tenant.config;
  };
  const webhookOf = (tenant: TenantConfig, url: string): TenantConfig['webhooks'][number] => {
    const webhook = tenant.webhooks.find((one) => one.url === url);
    if (webhook === undefined) {
      throw new PatchcordError('request.invalid', '"url" must be one of the webhooks in this tenant’s configuration.');
    }
    return webhook;
  };

  router.get('/v1/admin/webhooks', adminOnly(parts), async (request, response) => {
    const tenant = tenantConfig(typeof request.query.tenant === 'string' ? request.query.tenant : '');
    response.json({
      webhooks: tenant.webhooks.map(({ url, events, allowPrivate }) => {
        const { failures, lastTakenAt, lastFailedAt, reason, restUntil } = parts.delivery.endpoints.of(tenant.id, url);
        const resting = restUntil > parts.now();
        return {
          url,
          events: events ?? null,
          allowPrivate,
          health: failures === 0 ? 'well' : resting ? 'resting' : 'failing',
          failures,
          lastTakenAt,
          lastFailedAt,
          reason,
        };
      }),
    });
  });

  router.post(
    '/v1/admin/webhooks/test',
    json({ limit: '8kb' }),
    adminOnly(parts, tenantOfBody),
    async (request, response) => {
      const wanted = read(TestSchema, request.body);
      const tenant = tenantConfig(wanted.tenant);
      const webhook = webhookOf(tenant, wanted.url);
      const tried = await tryWebhook(tenant, webhook, `evt_test_${randomUUID()}`, parts.now());
      await parts.audit.note({
        tenant: tenant.id as TenantId,
        actor: actorOf(response),
        act: 'webhook.tested',
        // The path of a webhook may be a secret.
        data: { host: new URL(webhook.url).host },
        at: parts.now(),
      });
      response.json(tried);
    },
  );

  router.post(
    '/v1/admin/webhooks/replay',
    json({ limit: '8kb' }),
    adminOnly(parts, tenantOfBody),
    async (request, response) => {
      const { url, from, to, ...wanted } = read(ReplaySchema, request.body);
      const tenant = tenantConfig(wanted.tenant);
      if (to < from) throw new PatchcordError('request.invalid', '"to" must not be before "from".');
      const webhooks = url === undefined ? tenant.webhooks : [webhookOf(tenant, url)];
      let events = 0;
      let deliveries = 0;
      let after: StoredEvent | null = null;
      for (;;) {
        const some: readonly StoredEvent[] = await parts.store.outbox.eventsBetween({
          tenant: tenant.id as TenantId,
          from,
          to,
          after,
          limit: page,
        });
        after = some.at(-1) ?? null;
        if (after === null) break;
        const effects = webhookEffects({ ...tenant, webhooks }, some, parts.now());
        await parts.store.outbox.enqueue(effects);
        events += some.length;
        deliveries += effects.length;
        if (deliveries >= longestReplay) {
          throw new PatchcordError(
            'request.invalid',
            `The span holds too much: ${deliveries} deliveries, up to the event received at ${after.receivedAt}, were asked for. Go on from there.`,
          );
        }
      }
      await parts.audit.note({
        tenant: tenant.id as TenantId,
        actor: actorOf(response),
        act: 'webhooks.replayed',
        data: { events, deliveries, from, to },
        at: parts.now(),
      });
      parts.delivery.wake();
      response.status(202).json({ events, deliveries });
    },
  );

  return router;
}
