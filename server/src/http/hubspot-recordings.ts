/**
 * `GET /v1/hubspot/recordings/<call id>`: HubSpot asks where it may fetch the recording of a call (HubSpot contract, section 1.9), signed with the
 * app's secret. Owns that a link goes only to the account and the app that the call was written for. Must never say which calls or customers exist.
 */
import { CallIdSchema, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { recordingLink } from '../recordings/link.ts';
import { fromHubSpotItself, signedBody } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';

export function hubSpotRecordingRoutes(parts: RelayParts): Router {
  return Router().get('/v1/hubspot/recordings/:externalId', signedBody, async (request, response) => {
    const signers = await fromHubSpotItself(parts, request, 'hubspot-recording', ['appId', 'externalAccountId']);
    const { appId, externalAccountId } = request.query;
    // `hs_call_external_account_id` is the customer's id here: so says the call itself.
    const tenant = signers.find(
      ({ config: { id, crm } }) => crm.kind === 'hubspot' && id === externalAccountId && String(crm.appId) === appId,
    );
    const callId = v.safeParse(CallIdSchema, request.params.externalId);
    const link =
      tenant === undefined || !callId.success
        ? null
        : await recordingLink(parts, tenant.config.id as TenantId, callId.output, { use: 'download' });
    if (link === null) {
      throw new PatchcordError('call.unknown', 'There is no recording of this call for this account and app.');
    }
    response.json({ authenticatedUrl: link.url });
  });
}
