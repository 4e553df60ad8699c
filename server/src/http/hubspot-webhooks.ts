/**
 * `POST /v1/hubspot/webhooks`: what HubSpot tells of call objects, signed (HubSpot contract, section 2.8). Owns what it means for a log: one that
 * HubSpot made for a call of ours is gone on in or, beside another, taken away; one that a person deleted is never written again. What a person edited needs no word: the adapter
 * sees it. Must never trust an id it has not looked up, nor believe a portal whose own app did not sign.
 */
import { type CallId, CallIdSchema, type TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { hasPageLogs } from '../delivery/page-log.ts';
import type { Tenant } from '../tenants.ts';
import { read } from './guards.ts';
import { fromHubSpotItself, inPortal, signedBody, signedJson } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';

const callType = '0-48';
const idText = v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.regex(/^\d{1,20}$/));

const NotificationSchema = v.object({
  portalId: idText,
  subscriptionType: v.pipe(v.string(), v.maxLength(64)),
  objectId: v.optional(idText),
  objectTypeId: v.optional(v.pipe(v.string(), v.maxLength(20))),
  eventId: v.optional(idText),
  occurredAt: v.optional(v.number()),
  propertyName: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(200)))),
  propertyValue: v.optional(v.nullable(v.string())),
});
type Notification = v.InferOutput<typeof NotificationSchema>;

/** HubSpot sends at most 100 at once, expects an answer within five seconds, and repeats what got none. */
const BatchSchema = v.pipe(v.array(NotificationSchema), v.maxLength(100));

export function hubSpotWebhookRoutes(parts: RelayParts): Router {
  return Router().post('/v1/hubspot/webhooks', signedBody, async (request, response) => {
    const signers = await fromHubSpotItself(parts, request, 'hubspot-webhook');
    let taken = 0;
    for (const notification of read(BatchSchema, signedJson(request))) {
      // Of customers that share the account it is for the one whose log or call it is.
      for (const tenant of inPortal(signers, notification.portalId))
        if (await take(parts, tenant, notification)) taken += 1;
    }
    response.json({ taken });
  });
}

async function take(parts: RelayParts, tenant: Tenant, notification: Notification): Promise<boolean> {
  const { subscriptionType, objectTypeId, objectId: logId, propertyName, propertyValue } = notification;
  const [object, what] = subscriptionType.split('.');
  if (logId === undefined || !(object === 'call' || (object === 'object' && objectTypeId === callType))) return false;
  const tenantId = tenant.config.id as TenantId;
  const at = notification.occurredAt ?? parts.now();
  const eventId = `${what}-${logId}-${notification.eventId ?? at}`;

  if (what === 'deletion' || what === 'privacyDeletion') {
    const calls = await parts.store.calls.callsOfLog(tenantId, logId);
    for (const { callId } of calls) {
      await parts.recorder.noteFromCrm(callId, eventId, { name: 'log.removed', at, call: callId, data: { logId } });
      await parts.store.calls.leaveLog(callId, 'A person deleted this log in the CRM; it is not written again.');
    }
    return calls.length > 0;
  }
  if (what !== 'propertyChange' || propertyName !== 'hs_call_external_id') return false;
  // The call object says which call of ours it is: somebody, HubSpot's own SDK for one, made it before us.
  const callId = v.safeParse(CallIdSchema, propertyValue);
  const found = callId.success ? (await parts.store.calls.readCalls([callId.output])).get(callId.output) : undefined;
  if (found === undefined || found.call.tenant !== tenantId || found.call.logId === logId) return false;
  if (found.call.logId !== null && !hasPageLogs(tenant.crm)) {
    parts.log.warn(
      { tenant: tenantId, callId: found.call.callId as CallId },
      'HubSpot holds a second call object for a call that is logged already',
    );
    return false;
  }
  // The delivery looks it up: it goes on in it, or takes it away where the call has a log.
  return await parts.recorder.noteFromCrm(found.call.callId, eventId, {
    name: 'log.adopted',
    at,
    call: found.call.callId,
    data: { logId },
  });
}
