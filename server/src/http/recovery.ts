/** `GET /v1/admin/recovery?tenant=`: which way of taking up a call worked with which far side, newest first. */
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import { adminOnly } from './guards.ts';
import type { RelayParts } from './parts.ts';

export function recoveryRoutes(parts: RelayParts): Router {
  return Router().get('/v1/admin/recovery', adminOnly(parts), async (request, response) => {
    const tenant = typeof request.query.tenant === 'string' ? request.query.tenant : '';
    const found = parts.tenants.find(tenant);
    if (found === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    const { way, endAfterSeconds } = found.config.sip.recovery;
    response.json({ way, endAfterSeconds, farSides: await parts.recoveries.all(tenant as TenantId) });
  });
}
