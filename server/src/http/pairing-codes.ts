/** `POST /v1/hubspot/pairing-codes`, signed by HubSpot, and `POST /v1/admin/pairing-codes`: a code for one agent. */
import {
  type AgentId,
  AgentIdSchema,
  type PairingCode,
  PatchcordError,
  type TenantId,
  TenantIdSchema,
} from '@patchcord/call-protocol';
import { json, type Request, Router } from 'express';
import * as v from 'valibot';
import type { KnownAgent } from '../identity/proofs.ts';
import { tooMany } from './errors.ts';
import { actorOf, adminOnly, read } from './guards.ts';
import { cardRequest, signedBody, withPhone } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';
import { RepeatedRequests } from './repeated-requests.ts';

export function pairingCodeRoutes(parts: RelayParts): Router {
  const create = async ({ tenant, agent }: KnownAgent, actor: string): Promise<PairingCode> => {
    if (!(await parts.limits.take('pairing-codes', `${tenant.config.id} ${agent.id}`))) throw tooMany(300_000);
    const code = await parts.codes.create(tenant.config.id as TenantId, agent.id as AgentId);
    parts.log.info({ tenant: tenant.config.id, agent: agent.id }, 'pairing code made');
    await parts.audit.note({
      tenant: tenant.config.id as TenantId,
      actor,
      act: 'pairing-code.created',
      subject: `agent:${agent.id}`,
      at: parts.now(),
    });
    return code;
  };

  const tenantOfBody = ({ body }: Request): unknown =>
    typeof body === 'object' && body !== null && 'tenant' in body ? body.tenant : undefined;

  const repeated = new RepeatedRequests(parts.now);
  const router = Router();
  router.post('/v1/hubspot/pairing-codes', signedBody, async (request, response) => {
    const card = withPhone(await cardRequest(parts, request));
    // HubSpot asks again when an answer got lost: it is the same code. What comes to another relay meanwhile is refused there, and the person asks anew.
    const code = await repeated.once(card.signature, async () => {
      await parts.proofs.useSignature(card.signature);
      return await create(card, `agent:${card.agent.id}`);
    });
    response.status(201).json(code);
  });
  router.post(
    '/v1/admin/pairing-codes',
    json({ limit: '4kb' }),
    adminOnly(parts, tenantOfBody),
    async (request, response) => {
      const wanted = read(v.object({ tenant: TenantIdSchema, agent: AgentIdSchema }), request.body);
      const known = parts.tenants.agent(wanted.tenant, wanted.agent);
      if (known === undefined) {
        throw new PatchcordError('request.invalid', 'The configuration has no such agent in such a tenant.');
      }
      response.status(201).json(await create(known, actorOf(response)));
    },
  );
  return router;
}
