/**
 * `POST /v1/dial-wishes/:wish/claim`: which phone of an agent dials what they asked for outside it. Every phone hears of the wish; the first that
 * asks may dial, on whichever relay.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** A wish is old after that: no phone dials it any more. */
const wishLifeMs = 600_000;
const WishSchema = v.pipe(v.string(), v.uuid());

export function dialWishRoutes(parts: RelayParts): Router {
  return Router().post(
    '/v1/dial-wishes/:wish/claim',
    withSession(parts, async ({ tenant, agent }, request, response) => {
      if (!(await parts.limits.take('to-call', `${tenant} ${agent}`))) throw tooMany(60_000);
      const { wish } = request.params;
      if (!v.is(WishSchema, wish)) throw new PatchcordError('request.invalid', '"wish" must be a UUID.');
      const granted = await firstUse(parts, `dial-claimed ${tenant} ${agent} ${wish.toLowerCase()}`);
      response.json({ granted });
    }),
  );
}

/** Whether nobody used this before, on any relay. */
export async function firstUse({ store, now }: Pick<RelayParts, 'store' | 'now'>, key: string): Promise<boolean> {
  return (await store.identity.useProofs([{ key, expiresAt: now() + wishLifeMs }])).has(key);
}
