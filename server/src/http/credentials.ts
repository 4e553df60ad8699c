/**
 * `POST /v1/credentials`: short-lived SIP and TURN credentials for the device of this session. Owns what is remembered of sessions that have
 * minted: with it a mint is one transaction and no question. It is a guess that the transaction checks, never a permission.
 */
import { type Credentials, errorCode, PatchcordError } from '@patchcord/call-protocol';
import { type Request, Router } from 'express';
import { mintLimit } from '../brakes/brakes.ts';
import { mintCredentials } from '../credentials/mint.ts';
import type { Possession } from '../identity/possession.ts';
import type { MintStanding } from '../store/contract.ts';
import { tooMany } from './errors.ts';
import { presented } from './guards.ts';
import type { RelayParts } from './parts.ts';

const mostRemembered = 10_000;
/** How often a standing may change under one mint. */
const tries = 3;

interface Asking {
  readonly session: MintStanding;
  readonly possession: Possession;
}

export function credentialRoutes(parts: RelayParts): Router {
  /** Sessions in the order of their last mint. */
  const remembered = new Map<string, MintStanding>();

  const standing = (id: string, now: number): Promise<MintStanding | null> =>
    parts.store.minting.standing(id, now - mintLimit.withinMs, now);

  /** Who asks: by what is remembered, when it fits the token. */
  async function whoAsks(request: Request): Promise<Asking> {
    const shown = presented(request);
    if (remembered.has(shown.token?.split('.')[0] ?? '')) {
      try {
        return await parts.sessions.look(shown, (id) => Promise.resolve(remembered.get(id) ?? null));
      } catch (error) {
        // Renewed meanwhile, perhaps; the store knows.
        if (errorCode(error) !== 'identity.required') throw error;
      }
    }
    return parts.sessions.look(shown, standing);
  }

  async function mint(request: Request, asking: Asking): Promise<Credentials> {
    const { possession } = asking;
    let { session } = asking;
    const waitMs = await parts.limits.waitMs('credentials', limitOf(session));
    if (waitMs > 0) throw tooMany(waitMs);
    for (let n = 0; n < tries; n += 1) {
      parts.brakes.mayMint(session);
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      const minted = await mintCredentials(tenant.config, agent, session, possession, parts);
      if (minted !== null) {
        if (minted.noted) remember(session, minted.credentials);
        return minted.credentials;
      }
      remembered.delete(session.id);
      ({ session } = await parts.sessions.look(presented(request), standing));
    }
    throw new PatchcordError('store.unavailable', 'The session is changing all the time. Try again.', {
      retryable: true,
    });
  }

  function remember(session: MintStanding, { sip }: Credentials): void {
    remembered.delete(session.id);
    // What changes with time is the transaction's business.
    remembered.set(session.id, { ...session, issuedLately: 0, brakes: [], newestLapsesAt: sip.expiresAt });
    if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value as string);
  }

  return Router().post('/v1/credentials', async (request, response) => {
    const asking = await whoAsks(request);
    const stop = parts.metrics.mint.startTimer();
    try {
      const credentials = await mint(request, asking);
      stop();
      response.status(201).json(credentials);
    } finally {
      // What was refused has used its proof up, too. A copy of a proof gets no further, and costs the agent no mint.
      await asking.possession.spend();
      await parts.limits.take('credentials', limitOf(asking.session));
    }
  });
}

function limitOf({ tenant, agent }: MintStanding): string {
  return `${tenant} ${agent}`;
}
