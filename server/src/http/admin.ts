/** What an administrator does by hand: revoke an agent, see the logs that could not be written and why, ask for them again. */
import { type AgentId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { json, Router } from 'express';
import * as v from 'valibot';
import { revokeAgent } from '../credentials/revoke.ts';
import { actorOf, adminOnly, read } from './guards.ts';
import type { RelayParts } from './parts.ts';
import { webhookRoutes } from './webhooks.ts';

const reasonOfRevocation = 'Your access to the phone was withdrawn. Ask your administrator.';

export function adminRoutes(parts: RelayParts): Router {
  const router = Router();
  router.use(webhookRoutes(parts));

  router.post(
    '/v1/admin/agents/:tenant/:agent/revoke',
    adminOnly(parts),
    json({ limit: '4kb' }),
    async (request, response) => {
      const { tenant, agent } = request.params as { tenant: string; agent: string };
      if (parts.tenants.find(tenant) === undefined) {
        throw new PatchcordError('request.invalid', 'The configuration has no such tenant.');
      }
      const body = read(v.object({ reason: v.optional(v.pipe(v.string(), v.maxLength(200))) }), request.body ?? {});
      const known = parts.tenants.agent(tenant, agent) !== undefined;
      const result = await revokeAgent(parts, tenant as TenantId, agent as AgentId, body.reason ?? reasonOfRevocation);
      // Who has left the configuration is revoked like any other; a slip of the pen must not look like success.
      if (!known && result.sessions === 0 && result.credentials === 0) {
        throw new PatchcordError(
          'request.invalid',
          'The tenant has no such agent, and nothing of one was left to end.',
        );
      }
      await parts.audit.note({
        tenant: tenant as TenantId,
        actor: actorOf(response),
        act: 'agent.revoked',
        subject: `agent:${agent}`,
        data: { sessions: result.sessions, credentials: result.credentials, pbx: result.edge },
        at: parts.now(),
      });
      parts.delivery.wake();
      response.json(result);
    },
  );

  router.get('/v1/admin/deliveries', adminOnly(parts), async (request, response) => {
    const tenant = typeof request.query.tenant === 'string' ? request.query.tenant : '';
    if (parts.tenants.find(tenant) === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    const dead = await parts.store.outbox.dead(tenant as TenantId, 200);
    response.json({
      deliveries: dead.map(({ id, kind, callId, attempts, createdAt, reason }) => ({
        id,
        kind,
        callId,
        attempts,
        createdAt,
        reason,
      })),
    });
  });

  router.post('/v1/admin/deliveries/retry', adminOnly(parts), json({ limit: '4kb' }), async (request, response) => {
    const wanted = read(
      v.union([
        v.strictObject({ id: v.pipe(v.string(), v.maxLength(300)) }),
        v.strictObject({ tenant: v.pipe(v.string(), v.maxLength(128)) }),
      ]),
      request.body,
    );
    if ('tenant' in wanted) {
      const { tenant } = wanted;
      if (parts.tenants.find(tenant) === undefined) {
        throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
      }
      const retried = await parts.store.outbox.reviveAll(tenant as TenantId, parts.now());
      await parts.audit.note({
        tenant: tenant as TenantId,
        actor: actorOf(response),
        act: 'deliveries.retried',
        data: { retried },
        at: parts.now(),
      });
      parts.delivery.wake();
      response.status(202).json({ tenant, retried });
      return;
    }
    const { id } = wanted;
    if (!(await parts.store.outbox.revive(id, parts.now()))) {
      throw new PatchcordError('request.invalid', 'There is no delivery with this id that was given up.');
    }
    await parts.audit.note({
      tenant: null,
      actor: actorOf(response),
      act: 'deliveries.retried',
      data: { retried: 1, delivery: id },
      at: parts.now(),
    });
    parts.delivery.wake();
    response.status(202).json({ id });
  });

  return router;
}
