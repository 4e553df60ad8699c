/** Alerts for who watches over a customer's phones, and lifting what the brakes hold. */
import { type AgentId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { type Request, Router } from 'express';
import { actorOf, adminOnly } from './guards.ts';
import type { RelayParts } from './parts.ts';

const most = 200;

export function alertRoutes(parts: RelayParts): Router {
  const router = Router();

  router.get('/v1/admin/alerts', adminOnly(parts), async (request, response) => {
    const tenant = typeof request.query.tenant === 'string' ? request.query.tenant : '';
    if (parts.tenants.find(tenant) === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    const alerts = await parts.store.alerts.list(tenant as TenantId, {
      limit: most,
      open: request.query.open === 'true',
    });
    response.json({ alerts });
  });

  const named = (request: Request): unknown => request.query.tenant;
  router.post('/v1/admin/alerts/:id/acknowledge', adminOnly(parts, named), async (request, response) => {
    const { id } = request.params as { id: string };
    const alert = await parts.store.alerts.find(id);
    // Who reaches one tenant names it in the query; an alert of another is not there for them.
    if (alert === null || (named(request) ?? alert.tenant) !== alert.tenant)
      throw new PatchcordError('request.invalid', 'There is no alert with this id.');
    const at = parts.now();
    const actor = actorOf(response);
    const first = await parts.store.alerts.acknowledge(id, actor, at);
    if (first) {
      await parts.audit.note({
        tenant: alert.tenant,
        actor,
        act: 'alert.acknowledged',
        subject: alert.agent === null ? null : `agent:${alert.agent}`,
        data: { kind: alert.kind },
        at,
      });
    }
    response.json({ id, first });
  });

  router.post('/v1/admin/agents/:tenant/:agent/release', adminOnly(parts), async (request, response) => {
    const { tenant, agent } = request.params as { tenant: string; agent: string };
    if (parts.tenants.agent(tenant, agent) === undefined) {
      throw new PatchcordError('request.invalid', 'The configuration has no such agent in such a tenant.');
    }
    await release(tenant as TenantId, agent as AgentId, actorOf(response));
    response.json({ tenant, agent, released: true });
  });

  router.post('/v1/admin/tenants/:tenant/release', adminOnly(parts), async (request, response) => {
    const { tenant } = request.params as { tenant: string };
    if (parts.tenants.find(tenant) === undefined) {
      throw new PatchcordError('request.invalid', 'The configuration has no such tenant.');
    }
    await release(tenant as TenantId, null, actorOf(response));
    response.json({ tenant, released: true });
  });

  async function release(tenant: TenantId, agent: AgentId | null, actor: string): Promise<void> {
    const lifted = await parts.brakes.release(tenant, agent);
    await parts.audit.note({
      tenant,
      actor,
      act: 'brake.released',
      subject: agent === null ? null : `agent:${agent}`,
      data: { lifted },
      at: parts.now(),
    });
  }

  return router;
}
