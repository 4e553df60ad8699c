/** `POST /v1/credentials`: short-lived SIP and TURN credentials for the device of this session. */
import { PatchcordError } from '@patchcord/call-protocol';
import { Router } from 'express';
import { mintCredentials } from '../credentials/mint.ts';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function credentialRoutes(parts: RelayParts): Router {
  return Router().post(
    '/v1/credentials',
    withSession(parts, async (session, _request, response) => {
      if (!(await parts.limits.take('credentials', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
      const stop = parts.metrics.mint.startTimer();
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      await parts.brakes.mayMint(session.tenant, session.agent);
      const credentials = await mintCredentials(tenant.config, agent, session.device, {
        store: parts.store.credentials,
        log: parts.log,
        now: parts.now,
        metrics: parts.metrics,
        stillAllowed: async () => {
          if (await parts.sessions.isOpen(session.sessionId)) return;
          throw new PatchcordError('identity.required', 'This session was ended. Sign in again.');
        },
      });
      await parts.audit.note({
        tenant: session.tenant,
        actor: `agent:${session.agent}`,
        act: 'credential.issued',
        subject: `device:${session.device}`,
        data: { kind: tenant.config.sip.credential.kind, until: credentials.sip.expiresAt },
        at: parts.now(),
      });
      stop();
      response.status(201).json(credentials);
    }),
  );
}
