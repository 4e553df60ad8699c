/** `GET /v1/matches?number=`: who has this number, or this extension: records of the agent's CRM, colleagues, and what else the tenant asks. */
import { E164Schema, ExtensionSchema, type Match, type Matches, PatchcordError } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function matchRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/matches',
    withSession(parts, async (session, request, response) => {
      // An unescaped "+" in a query means a space.
      const asked = typeof request.query.number === 'string' ? request.query.number.replace(/^ /, '+') : undefined;
      const number = v.safeParse(E164Schema, asked);
      const extension = v.safeParse(ExtensionSchema, asked);
      if (!number.success && !extension.success) {
        throw new PatchcordError(
          'number.invalid',
          '"number" must be in E.164: "+" and 7 to 15 digits; or an extension: 1 to 6 digits.',
        );
      }
      if (!(await parts.limits.take('matches', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      const answer = (found: readonly Match[], to: Matches['number']): void => {
        response.json({ number: to, matches: [...found] } satisfies Matches);
      };
      if (number.success) answer(await parts.whoIs.find(tenant, agent, number.output), number.output);
      else if (extension.success)
        answer(await parts.whoIs.findExtension(tenant, agent, extension.output), extension.output);
    }),
  );
}
