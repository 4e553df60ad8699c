/** `GET` and `POST /v1/to-call`, `PATCH /v1/to-call/:id`: the signed-in agent's own call-backs and dial list; nobody's else. */
import { PatchcordError, ToCallChangeSchema, type ToCallList, ToCallRequestSchema } from '@patchcord/call-protocol';
import { json, Router } from 'express';
import type { SessionOwner } from '../identity/sessions.ts';
import { addToCall, changeToCall, type ListOwner, openToCall } from '../to-call/to-calls.ts';
import { tooMany } from './errors.ts';
import { read, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function toCallRoutes(parts: RelayParts): Router {
  const ownerOf = (session: SessionOwner): ListOwner => {
    const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
    return { tenant: tenant.config, agent };
  };
  const mayChange = async (session: SessionOwner): Promise<void> => {
    if (!(await parts.limits.take('to-call', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
  };
  const body = json({ limit: '16kb' });
  const router = Router();
  router.get(
    '/v1/to-call',
    withSession(parts, async (session, _request, response) => {
      const list: ToCallList = { entries: [...(await openToCall(parts, ownerOf(session)))] };
      response.json(list);
    }),
  );
  router.post(
    '/v1/to-call',
    body,
    withSession(parts, async (session, request, response) => {
      await mayChange(session);
      const owner = ownerOf(session);
      const { entry, added } = await addToCall(parts, owner, read(ToCallRequestSchema, request.body), owner.agent.name);
      response.status(added ? 201 : 200).json(entry);
    }),
  );
  router.patch(
    '/v1/to-call/:id',
    body,
    withSession(parts, async (session, request, response) => {
      await mayChange(session);
      const { id } = request.params;
      if (typeof id !== 'string' || id.length > 64) throw new PatchcordError('request.invalid', '"id" must be a UUID.');
      response.json(await changeToCall(parts, ownerOf(session), id, read(ToCallChangeSchema, request.body)));
    }),
  );
  return router;
}
