/** `GET /v1/records/related?object=&id=`: what a call with this record may be about, in the agent's own CRM. */
import { PatchcordError, type RelatedRecords } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { Remembered } from '../who-is/remembered.ts';
import { crmAgent } from '../who-is/who-is.ts';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** A phone asks at the ring, at the answer and in the wrap-up: the CRM is asked once. */
const rememberedMs = 30_000;
const mostRemembered = 2_000;
const mostRecords = 20;

const QuerySchema = v.object({
  object: v.pipe(v.string(), v.regex(/^\w{1,80}$/)),
  id: v.pipe(v.string(), v.regex(/^[\w-]{1,80}$/)),
});

export function relatedRecordRoutes(parts: RelayParts): Router {
  const remembered = new Remembered<RelatedRecords>(rememberedMs, mostRemembered, parts.now);
  return Router().get(
    '/v1/records/related',
    withSession(parts, async (session, request, response) => {
      const asked = v.safeParse(QuerySchema, request.query);
      if (!asked.success) {
        throw new PatchcordError(
          'request.invalid',
          '"object" must be the name of an object of the CRM and "id" the id of a record.',
        );
      }
      const { object, id } = asked.output;
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      const { crm, config } = tenant;
      if (crm.relatedTo === undefined) {
        response.json({ records: [] } satisfies RelatedRecords);
        return;
      }
      // By agent: where the relay works in their name, each sees what is shared with them.
      const key = JSON.stringify([session.tenant, session.agent, object.toLowerCase(), id]);
      const body = await remembered.get(key, async () => {
        if (!(await parts.limits.take('matches', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
        const records = (await crm.relatedTo?.({ crm: config.crm.kind, object, id }, crmAgent(agent))) ?? [];
        return { records: records.slice(0, mostRecords) };
      });
      response.json(body);
    }),
  );
}
