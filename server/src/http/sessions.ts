/**
 * `POST /v1/sessions`: a proof of who the agent is for a session bound to the caller's key; `POST /v1/sessions/resume`: the next tokens;
 * `DELETE /v1/sessions/current`: the end of it. Owns the cookie and how many wrong proofs an address may offer.
 *
 * The cookie holds the refresh token so that a page can go on after a reload. Partitioned: only frames under the same top-level site see it.
 * Alone it is worth nothing: resuming needs a proof of the key in that partition, in a header that no other site can send.
 */
import {
  type AgentId,
  errorCode,
  ResumeRequestSchema,
  type Session,
  SessionRequestSchema,
  type TenantId,
} from '@patchcord/call-protocol';
import { json, type Response, Router } from 'express';
import { revokeDevice } from '../credentials/revoke.ts';
import type { SessionOwner, SessionTokensGiven } from '../identity/sessions.ts';
import { toAgent } from '../tenants.ts';
import { readCookie, setCookie } from './cookies.ts';
import { deviceLabel } from './device-label.ts';
import { tooMany } from './errors.ts';
import { proofOf, read, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

const signInUsedTwice =
  'Your sign-in was used from two places, so it was ended. Sign in again and tell your administrator.';

export function sessionRoutes(parts: RelayParts): Router {
  const router = Router();

  router.post('/v1/sessions', json({ limit: '16kb' }), async (request, response) => {
    const address = request.ip ?? '';
    if (!(await parts.limits.take('sign-ins', address))) throw tooMany(60_000);
    const { device, proof, remember } = read(SessionRequestSchema, request.body);
    // Only a code is short enough to guess. Counting the others would let one broken page lock its whole office out.
    const guessable = proof.kind === 'pairing-code';
    const blockedMs = guessable ? await parts.limits.waitMs('refused-proofs', address) : 0;
    if (blockedMs > 0) throw tooMany(blockedMs);
    const possession = parts.possessions.read({ ...proofOf(request), token: null });
    await possession.spend();
    let known: Awaited<ReturnType<typeof parts.proofs.agentOf>>;
    try {
      known = guessable
        ? await parts.limits.whileNotRefused(
            'refused-proofs',
            address,
            () => parts.proofs.agentOf(proof),
            (error) => errorCode(error) === 'identity.refused',
          )
        : await parts.proofs.agentOf(proof);
    } catch (error) {
      if (errorCode(error) === 'identity.refused') {
        parts.metrics.refused.inc({ why: proof.kind });
        parts.log.warn({ kind: proof.kind, address, err: error }, 'a sign-in was refused');
        void parts.audit.note({
          tenant: null,
          actor: 'stranger',
          act: 'session.refused',
          data: { way: proof.kind, address },
          at: parts.now(),
        });
      }
      throw error;
    }
    const { tenant, agent, way, role } = known;
    const opened = await parts.sessions.open({
      tenant: tenant.config.id as TenantId,
      agent: agent.id as AgentId,
      device,
      thumbprint: possession.thumbprint,
      label: deviceLabel(request.headers['user-agent']),
      way,
      role,
      lifeMs: tenant.config.signIn.sessionHours * 3_600_000,
    });
    await parts.audit.note({
      tenant: tenant.config.id as TenantId,
      actor: `agent:${agent.id}`,
      act: 'session.opened',
      subject: `device:${device}`,
      data: { way, session: opened.sessionId, address },
      at: parts.now(),
    });
    parts.log.info({ tenant: tenant.config.id, agent: agent.id, device, kind: way }, 'signed in');
    const { sessionId, ...tokens } = opened;
    if (remember) remembers(response, possession.thumbprint, tokens);
    const session: Session = { ...tokens, agent: toAgent(tenant.config, agent) };
    response.status(201).json(session);
  });

  router.post('/v1/sessions/resume', json({ limit: '4kb' }), async (request, response) => {
    const { thumbprint } = parts.possessions.read({ ...proofOf(request), token: null });
    const { refresh } = read(ResumeRequestSchema, request.body ?? {});
    const name = cookieName(thumbprint);
    const kept = readCookie(request, name);
    const { owner, ...tokens } = await parts.sessions.resume(kept ?? refresh, proofOf(request), ended);
    const { tenant, agent } = parts.tenants.knownAgent(owner.tenant, owner.agent);
    if (kept !== undefined) remembers(response, thumbprint, tokens);
    const session: Session = { ...tokens, agent: toAgent(tenant.config, agent) };
    response.json(session);
  });

  router.delete(
    '/v1/sessions/current',
    withSession(parts, async (session, request, response) => {
      await parts.sessions.end(session.sessionId);
      parts.hub.end(session.tenant, session.agent, 4401, 'signed out', session.device);
      await parts.audit.note({
        tenant: session.tenant,
        actor: `agent:${session.agent}`,
        act: 'session.ended',
        subject: `device:${session.device}`,
        data: { session: session.sessionId },
        at: parts.now(),
      });
      const { thumbprint } = parts.possessions.read({
        ...proofOf(request),
        token: /^DPoP (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '',
      });
      setCookie(response, cookieName(thumbprint), '', { partitioned: true, maxAgeSeconds: 0 });
      response.status(204).end();
    }),
  );

  async function ended(owner: SessionOwner): Promise<void> {
    parts.metrics.refused.inc({ why: 'refresh-reuse' });
    parts.log.warn(
      { tenant: owner.tenant, agent: owner.agent, device: owner.device },
      'a used refresh token came back',
    );
    // Whoever used the copy may have minted, too.
    await revokeDevice(parts, owner.tenant, owner.agent, owner.device, signInUsedTwice);
    await parts.audit.note({
      tenant: owner.tenant,
      actor: 'stranger',
      act: 'session.reuse-stopped',
      subject: `device:${owner.device}`,
      data: { session: owner.sessionId, agent: owner.agent },
      at: parts.now(),
    });
  }

  function remembers(response: Response, thumbprint: string, tokens: SessionTokensGiven): void {
    setCookie(response, cookieName(thumbprint), tokens.refresh, {
      partitioned: true,
      maxAgeSeconds: Math.floor((tokens.endsAt - parts.now()) / 1_000),
    });
  }

  return router;
}

/** One per key: pages for other people or accounts in the same partition have keys, and so cookies, of their own. */
function cookieName(thumbprint: string): string {
  return `__Host-patchcord-${thumbprint.slice(0, 16)}`;
}
