/** How the relay reaches a tenant's CRM, one variant per kind. */
import * as v from 'valibot';
import { LimitsSchema } from './crm-limits.ts';
import { encryptedUnlessLoopback, givenSecret, text, url } from './fields.ts';
import { SalesforceSchema } from './salesforce.ts';

export const CrmSchema = v.variant(
  'kind',
  [
    SalesforceSchema,
    v.strictObject({
      kind: v.literal('hubspot'),
      limits: LimitsSchema,
      apiUrl: v.optional(
        v.pipe(url('the API host', 'https:', 'http:'), encryptedUnlessLoopback),
        'https://api.hubapi.com',
      ),
      portalId: v.pipe(
        v.union([v.string(), v.number()], 'must be the portal (hub) id'),
        v.transform(String),
        v.regex(/^\d+$/, 'must be digits: the portal (hub) id'),
      ),
      /** Where agents open HubSpot. */
      uiUrl: v.exactOptional(v.pipe(url('where agents open HubSpot', 'https:', 'http:'), encryptedUnlessLoopback)),
      appId: v.pipe(
        v.union([v.string(), v.number()], 'must be the app id'),
        v.transform(String),
        v.regex(/^\d+$/, 'must be digits: the app id'),
      ),
      clientId: text('the client id of the app'),
      clientSecret: givenSecret('the client secret of the app'),
      /** Absent: the account is connected by its OAuth page (POST /v1/admin/connect/<tenant>), and its tokens are kept sealed. */
      refreshToken: v.exactOptional(givenSecret('the refresh token of the installation')),
    }),
    v.strictObject({
      kind: v.literal('memory'),
      /** People that a look-up finds, for trying the relay without a CRM. */
      records: v.optional(
        v.array(
          v.strictObject({
            object: text('what it is, for instance "Contact"'),
            id: text('its id'),
            name: text('its name'),
            detail: v.exactOptional(v.string()),
            numbers: v.array(text('a number')),
          }),
        ),
        [],
      ),
    }),
  ],
  'must say its "kind": "salesforce", "hubspot" or "memory"',
);

/** Whether an administrator connects this CRM by its OAuth page, so that its tokens lie sealed in the store. */
export function isConnectedByPage(
  crm: v.InferOutput<typeof CrmSchema>,
): crm is Extract<v.InferOutput<typeof CrmSchema>, { readonly kind: 'salesforce' | 'hubspot' }> {
  if (crm.kind === 'salesforce') return crm.privateKey === undefined;
  return crm.kind === 'hubspot' && crm.refreshToken === undefined;
}
