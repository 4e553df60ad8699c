/** `GET /v1/matches?number=`: records of the agent's CRM whose number equals this one. */
import { E164Schema, type Matches, PatchcordError } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function matchRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/matches',
    withSession(parts, async (session, request, response) => {
      const asked = request.query.number;
      // An unescaped "+" in a query means a space.
      const number = v.safeParse(E164Schema, typeof asked === 'string' ? asked.replace(/^ /, '+') : undefined);
      if (!number.success) {
        throw new PatchcordError('number.invalid', '"number" must be in E.164: "+" and 7 to 15 digits.');
      }
      if (!(await parts.limits.take('matches', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
      const { tenant } = parts.tenants.knownAgent(session.tenant, session.agent);
      const matches = await tenant.crm.findByNumber(number.output, tenant.config.country);
      const body: Matches = { number: number.output, matches: [...matches] };
      response.json(body);
    }),
  );
}
