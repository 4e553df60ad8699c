/**
 * `GET /v1/may-call?number=`: whether an agent may call it. `/v1/admin/tenants/:tenant/do-not-call`: the tenant's own list of numbers that must not
 * be called. A change of the list is audited, without the numbers.
 */
import { type E164, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import { json, type Request, Router } from 'express';
import * as v from 'valibot';
import type { TenantConfig } from '../config.ts';
import type { AuditEntry, StoredDoNotCall } from '../store/contract.ts';
import { mayCall } from '../who-is/may-call.ts';
import { tooMany } from './errors.ts';
import { actorOf, adminOnly, read, withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** Numbers of one tenant. */
const most = 100_000;
const addedAtOnce = 500;
const pageSize = 500;

const numberText = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const AddedSchema = v.object({
  numbers: v.pipe(v.array(numberText), v.minLength(1), v.maxLength(addedAtOnce)),
  reason: v.optional(v.pipe(v.string(), v.maxLength(200)), ''),
});
const RemovedSchema = v.union([
  v.strictObject({ number: numberText }),
  v.strictObject({ id: v.pipe(v.string(), v.maxLength(64)) }),
]);

export function mayCallRoutes(parts: RelayParts): Router {
  const router = Router();
  const body = json({ limit: '64kb' });
  const path = '/v1/admin/tenants/:tenant/do-not-call';

  const tenantOf = (request: Request): TenantConfig => {
    const tenant = parts.tenants.find(String(request.params.tenant));
    if (tenant === undefined) throw new PatchcordError('request.invalid', 'The configuration has no such tenant.');
    return tenant.config;
  };
  const note = (tenant: TenantConfig, actor: string, act: AuditEntry['act'], numbers: number): Promise<void> =>
    parts.audit.note({ tenant: tenant.id as TenantId, actor, act, data: { numbers }, at: parts.now() });

  router.get(
    '/v1/may-call',
    withSession(parts, async (session, request, response) => {
      // An unescaped "+" in a query means a space.
      const asked = typeof request.query.number === 'string' ? request.query.number.replace(/^ /, '+') : '';
      if (asked === '' || asked.length > 128)
        throw new PatchcordError('number.invalid', '"number" must be the number as it is dialled.');
      if (!(await parts.limits.take('may-call', `${session.tenant} ${session.agent}`))) throw tooMany(60_000);
      const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
      const { hashes, matchesInTime: matches, log, mayCallWithinMs: withinMs } = parts;
      const { doNotCall: store } = parts.store;
      response.json(await mayCall({ store, hashes, matches, log, withinMs }, tenant, agent, asked));
    }),
  );

  router.get(path, adminOnly(parts), async (request, response) => {
    const { id } = tenantOf(request);
    const { after } = request.query;
    const place =
      typeof after === 'string' ? await parts.store.doNotCall.find(id as TenantId, after.slice(0, 64)) : null;
    if (after !== undefined && place === null)
      throw new PatchcordError('request.invalid', '"after" is no entry of this list (any more). Begin again.');
    const entries = await parts.store.doNotCall.list(id as TenantId, place, pageSize);
    response.json({ numbers: entries.map(toldOf), more: entries.length === pageSize });
  });

  router.post(path, adminOnly(parts), body, async (request, response) => {
    const tenant = tenantOf(request);
    const { numbers, reason } = read(AddedSchema, request.body);
    const actor = actorOf(response);
    // All are read before the first is kept: who sends a list hears of a slip before half of it is there.
    const wanted = [...new Set(numbers.map((number) => numberOf(number, tenant)))];
    const added: StoredDoNotCall[] = [];
    try {
      for (const number of wanted) {
        const entry: StoredDoNotCall = {
          ...{ tenant: tenant.id as TenantId, number, reason, addedBy: actor, addedAt: parts.now() },
          numberHash: await parts.hashes.of(tenant.id as TenantId, number),
        };
        if (!(await parts.store.doNotCall.put(entry, most)))
          throw new PatchcordError(
            'request.invalid',
            `The list has ${most} numbers already; ${added.length} of these were added. Remove some, then send the rest.`,
          );
        added.push(entry);
      }
    } finally {
      if (added.length > 0) await note(tenant, actor, 'do-not-call.added', added.length);
    }
    response.status(201).json({ numbers: added.map(toldOf) });
  });

  router.post(`${path}/remove`, adminOnly(parts), body, async (request, response) => {
    const tenant = tenantOf(request);
    const named = read(RemovedSchema, request.body);
    const id = 'id' in named ? named.id : await parts.hashes.of(tenant.id as TenantId, numberOf(named.number, tenant));
    const removed = await parts.store.doNotCall.remove(tenant.id as TenantId, id);
    if (removed) await note(tenant, actorOf(response), 'do-not-call.removed', 1);
    response.json({ removed });
  });

  return router;
}

/** `id` names an entry also when the number was erased with its person. */
function toldOf({ numberHash, number, reason, addedBy, addedAt }: StoredDoNotCall) {
  return { id: numberHash, number, reason, addedBy, addedAt };
}

/** @throws PatchcordError `number.invalid` without quoting it */
function numberOf(text: string, { country }: TenantConfig): E164 {
  const number = toE164(text, country);
  if (number !== null) return number;
  throw new PatchcordError(
    'number.invalid',
    'One of these is no complete telephone number, so that none was added. Write them like +14155550101.',
  );
}
