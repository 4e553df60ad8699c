/** `GET /v1/calls/:id/events?after=<seq>`: a call's events after a number, in order: for readers that noticed a gap, or were away. */
import { type CallEvents, CallIdSchema, PatchcordError } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

const pageSize = 200;

export function callEventRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/calls/:id/events',
    withSession(parts, async (session, request, response) => {
      const id = v.safeParse(CallIdSchema, request.params.id);
      const after = Number(request.query.after ?? 0);
      if (!Number.isSafeInteger(after) || after < 0)
        throw new PatchcordError('request.invalid', '"after" must be the number of the last event that is known.');
      const found = id.success ? await parts.store.feed.ofCall(id.output, after, pageSize + 1) : null;
      const mayRead =
        found !== null &&
        found.tenant === session.tenant &&
        (session.role !== 'agent' || found.agent === session.agent);
      // Whether somebody else's call exists is nobody's business.
      if (!mayRead) throw new PatchcordError('call.unknown', 'There is no such call among those you may see.');
      const events = found.events.slice(0, pageSize).map(({ seq, envelope }) => ({ seq, event: envelope }));
      const answer: CallEvents = { events, more: found.events.length > pageSize };
      response.json(answer);
    }),
  );
}
