/** `GET /v1/admin/audit?tenant=&after=&limit=`: who did what, oldest first; `next` is what `after` goes on from. */
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { adminOnly, read } from './guards.ts';
import type { RelayParts } from './parts.ts';

const QuerySchema = v.object({
  /** Absent: entries of the relay as a whole. */
  tenant: v.optional(v.pipe(v.string(), v.maxLength(128))),
  after: v.optional(v.pipe(v.string(), v.maxLength(64)), ''),
  limit: v.optional(v.pipe(v.string(), v.regex(/^\d{1,4}$/), v.transform(Number), v.maxValue(1_000)), '200'),
});

export function auditRoutes(parts: RelayParts): Router {
  return Router().get('/v1/admin/audit', adminOnly(parts), async (request, response) => {
    const { tenant, after, limit } = read(QuerySchema, request.query);
    if (tenant !== undefined && parts.tenants.find(tenant) === undefined) {
      throw new PatchcordError('request.invalid', '"tenant" must name a tenant of the configuration.');
    }
    const entries = await parts.store.audit.read((tenant as TenantId | undefined) ?? null, after, limit);
    response.json({ entries, next: entries.at(-1)?.id ?? after });
  });
}
