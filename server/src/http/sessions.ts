/** `POST /v1/sessions`: a proof for a session token. Owns how many wrong proofs an address may offer. */
import { type AgentId, errorCode, type Session, SessionRequestSchema, type TenantId } from '@patchcord/call-protocol';
import { json, Router } from 'express';
import { toAgent } from '../tenants.ts';
import { tooMany } from './errors.ts';
import { read } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function sessionRoutes(parts: RelayParts): Router {
  return Router().post('/v1/sessions', json({ limit: '16kb' }), async (request, response) => {
    const address = request.ip ?? '';
    const blockedMs = await parts.limits.waitMs('refused-proofs', address);
    if (blockedMs > 0) throw tooMany(blockedMs);
    if (!(await parts.limits.take('sign-ins', address))) throw tooMany(60_000);
    const { device, proof } = read(SessionRequestSchema, request.body);
    let known: Awaited<ReturnType<typeof parts.proofs.agentOf>>;
    try {
      known = await parts.proofs.agentOf(proof);
    } catch (error) {
      if (errorCode(error) === 'identity.refused') {
        parts.metrics.refused.inc({ why: proof.kind });
        await parts.limits.take('refused-proofs', address);
        parts.log.warn({ kind: proof.kind, address, err: error }, 'a sign-in was refused');
      }
      throw error;
    }
    const { tenant, agent } = known;
    const opened = await parts.sessions.open(tenant.config.id as TenantId, agent.id as AgentId, device);
    parts.log.info({ tenant: tenant.config.id, agent: agent.id, device, kind: proof.kind }, 'signed in');
    const session: Session = { ...opened, agent: toAgent(tenant.config, agent) };
    response.status(201).json(session);
  });
}
