/**
 * `PUT /v1/calls/<call id>/log-creator`: who makes the log of a call that begins. The first answer is kept, and the delivery reads the same one; it
 * changes once at most, from `page` to `relay`, when the relay takes over from a page that made none. Owns who may ask for which call. Must never decide
 * for `page` once a call is logged or over: after that a page is told `page` only to go on in the log that it made.
 */
import { type AgentId, CallIdSchema, type LogCreator, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { isReportedCall } from '../call-log/call-report.ts';
import { hasPageLogs } from '../delivery/page-log.ts';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function logCreatorRoutes(parts: RelayParts): Router {
  return Router().put(
    '/v1/calls/:id/log-creator',
    withSession(parts, async (session, request, response) => {
      const id = v.safeParse(CallIdSchema, request.params.id);
      if (!id.success || isReportedCall(id.output))
        throw new PatchcordError('request.invalid', 'The path must name a call of a phone: a random UUID (version 4).');
      const callId = id.output;
      const tenantId = session.tenant as TenantId;
      const agentId = session.agent as AgentId;
      const { tenant } = parts.tenants.knownAgent(tenantId, agentId);
      if (!(await parts.limits.take('log-creators', `${tenantId} ${agentId}`))) throw tooMany(60_000);
      // Its events may be on their way, so that nobody's call can be asked about. What is decided then counts for the asker alone: decisions are kept by
      // agent, and whoever names a colleague's call before it is told decides nothing for it.
      const call = (await parts.store.calls.readCalls([callId])).get(callId)?.call;
      if (call !== undefined && (call.tenant !== tenantId || call.agent !== agentId))
        throw new PatchcordError('identity.refused', 'This call belongs to another agent.');
      response.json((await decided()) satisfies LogCreator);

      async function decided(): Promise<LogCreator> {
        const logId = call?.logId ?? null;
        const { crm } = tenant.config;
        if (!hasPageLogs(tenant.crm)) return { creator: 'relay', logId };
        const isOver = call !== undefined && call.log !== null && call.log.stage !== 'live';
        const wanted = crm.kind === 'hubspot' && crm.logsMadeBy === 'page' && logId === null && !isOver;
        const row = await parts.store.logCreators.decide(
          { tenant: tenantId, agent: agentId, callId },
          wanted ? 'page' : 'relay',
          parts.now(),
        );
        return { creator: row.creator, logId: logId ?? row.pageLogId };
      }
    }),
  );
}
