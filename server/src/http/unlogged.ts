/**
 * The calls whose log is not in the CRM, why, and what to do: `GET /v1/unlogged` for the agent, `GET /v1/admin/unlogged?tenant=` for those who
 * answer for the team, and `POST /v1/calls/:id/log/retry`. Owns the advice; must never show another agent's call to an agent.
 */
import {
  type AgentId,
  type CallId,
  CallIdSchema,
  PatchcordError,
  type TenantId,
  type Unlogged,
} from '@patchcord/call-protocol';
import { type Response, Router } from 'express';
import * as v from 'valibot';
import type { StoredCall } from '../store/contract.ts';
import { isOwnEntry, toSummary } from './calls.ts';
import { adminOnly, withRole, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** A log waits this long before anybody has to hear of it. */
const patienceMs = 120_000;
const mostCalls = 200;

const advice = {
  failed: 'Try again. If it fails again, tell your admin the reason: the CRM refuses the call as it is.',
  waiting: 'Nothing to do: it is tried again by itself. If it stays here for hours, tell your admin.',
} as const;

export function unloggedRoutes(parts: RelayParts): Router {
  const list = async (tenant: TenantId, agent: AgentId | null): Promise<Unlogged> => {
    const calls = await parts.store.calls.unlogged({
      tenant,
      agent,
      waitingSince: parts.now() - patienceMs,
      limit: mostCalls,
    });
    return { calls: calls.filter(isOwnEntry).flatMap(toUnlogged) };
  };
  const ofTenant = async (tenant: unknown, response: Response): Promise<void> => {
    if (typeof tenant !== 'string' || parts.tenants.find(tenant) === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    response.json(await list(tenant as TenantId, null));
  };

  const router = Router();
  router.get(
    '/v1/unlogged',
    withSession(parts, async (session, _request, response) => {
      response.json(await list(session.tenant, session.agent));
    }),
  );
  // A supervisor's session reaches its own tenant, whatever it asks for; the admin token has to name one.
  router.get(
    '/v1/team/unlogged',
    withRole(parts, 'supervisor', (session, _request, response) => ofTenant(session.tenant, response)),
  );
  router.get('/v1/admin/unlogged', adminOnly(parts), (request, response) => ofTenant(request.query.tenant, response));
  router.post(
    '/v1/calls/:id/log/retry',
    withSession(parts, async (session, request, response) => {
      const id = v.safeParse(CallIdSchema, request.params.id);
      const found = id.success ? (await parts.store.calls.readCalls([id.output])).get(id.output) : undefined;
      if (found === undefined || found.call.tenant !== session.tenant || found.call.agent !== session.agent) {
        throw new PatchcordError('call.unknown', 'You have no such call.');
      }
      response.status(202).json({ callId: found.call.callId, log: await retry(parts, found.call) });
    }),
  );
  return router;
}

/** What was given up waits again; what waits is looked at now. */
async function retry(parts: RelayParts, call: StoredCall): Promise<StoredCall['logState']> {
  const revived =
    call.logState === 'failed' && (await parts.store.outbox.revive(logEffectOf(call.callId), parts.now()));
  parts.delivery.wake();
  return revived ? 'waiting' : call.logState;
}

function logEffectOf(callId: CallId): string {
  return `crm.log ${callId}`;
}

function toUnlogged(call: StoredCall): Unlogged['calls'] {
  const state = call.logState === 'failed' ? 'failed' : 'waiting';
  return toSummary(call).map((summary) => ({
    ...summary,
    agent: call.agent,
    since: call.touchedAt,
    advice: advice[state],
  }));
}
