/**
 * Where an agent is signed in, and the end of one device: `GET /v1/devices`, `DELETE /v1/devices/:id` for the agent, the same under
 * `/v1/admin/agents/:tenant/:agent/devices` for an administrator.
 */
import {
  type AgentId,
  type DeviceId,
  DeviceIdSchema,
  type Devices,
  PatchcordError,
  type TenantId,
} from '@patchcord/call-protocol';
import { type Request, Router } from 'express';
import * as v from 'valibot';
import { revokeDevice } from '../credentials/revoke.ts';
import { actorOf, adminOnly, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

const signedOutElsewhere = 'This device was signed out from another one.';
const signedOutByAdmin = 'Your administrator signed this device out. Sign in again.';

export function deviceRoutes(parts: RelayParts): Router {
  /** Several frames of one device have sessions of their own; for people it is one device. */
  async function list(tenant: TenantId, agent: AgentId, current: DeviceId | null): Promise<Devices> {
    const devices = new Map<DeviceId, Devices['devices'][number]>();
    for (const session of await parts.sessions.of(tenant, agent)) {
      const known = devices.get(session.device);
      devices.set(session.device, {
        id: session.device,
        label: session.label,
        way: session.way,
        since: known?.since ?? session.createdAt,
        lastSeenAt: Math.max(known?.lastSeenAt ?? 0, session.lastSeenAt),
        current: session.device === current,
      });
    }
    return { devices: [...devices.values()] };
  }

  async function end(tenant: TenantId, agent: AgentId, request: Request, actor: string, reason: string): Promise<void> {
    const { id } = request.params;
    const device = v.is(DeviceIdSchema, id) ? (id as DeviceId) : null;
    if (device === null || !(await parts.sessions.of(tenant, agent)).some((session) => session.device === device)) {
      throw new PatchcordError('request.invalid', 'This agent is not signed in on such a device.');
    }
    await revokeDevice(parts, tenant, agent, device, reason);
    parts.delivery.wake();
    await parts.audit.note({
      tenant,
      actor,
      act: 'device.revoked',
      subject: `device:${device}`,
      data: { agent },
      at: parts.now(),
    });
  }

  function named(request: Request): { readonly tenant: TenantId; readonly agent: AgentId } {
    const { tenant, agent } = request.params as { tenant: string; agent: string };
    if (parts.tenants.agent(tenant, agent) === undefined) {
      throw new PatchcordError('request.invalid', 'The configuration has no such agent in such a tenant.');
    }
    return { tenant: tenant as TenantId, agent: agent as AgentId };
  }

  const router = Router();
  router.get(
    '/v1/devices',
    withSession(parts, async (session, _request, response) => {
      response.json(await list(session.tenant, session.agent, session.device));
    }),
  );
  router.delete(
    '/v1/devices/:id',
    withSession(parts, async (session, request, response) => {
      await end(session.tenant, session.agent, request, `agent:${session.agent}`, signedOutElsewhere);
      response.status(204).end();
    }),
  );
  router.get('/v1/admin/agents/:tenant/:agent/devices', adminOnly(parts), async (request, response) => {
    const { tenant, agent } = named(request);
    response.json(await list(tenant, agent, null));
  });
  router.delete('/v1/admin/agents/:tenant/:agent/devices/:id', adminOnly(parts), async (request, response) => {
    const { tenant, agent } = named(request);
    await end(tenant, agent, request, actorOf(response), signedOutByAdmin);
    response.status(204).end();
  });
  return router;
}
