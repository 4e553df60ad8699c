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
      /**
       * Who makes the log of a call that a phone in HubSpot tells: HubSpot's `page`, which puts it on the deal or ticket on the screen, shows it while
       * it runs and goes on in a task queue; or the `relay` alone, whatever page is open. Exactly one of them does, and the relay writes it in the end.
       * A change counts for calls that begin after it.
       */
      logsMadeBy: v.optional(v.picklist(['page', 'relay'], 'must be "page" or "relay"'), 'page'),
      /** How long after a call the relay waits for a page that said nothing, ms: HubSpot's search does not find at once what was just made. */
      pageLogGraceMs: v.optional(
        v.pipe(v.number('must be a number'), v.integer(), v.minValue(0), v.maxValue(600_000)),
        60_000,
      ),
      /** Whose calls a card on a record shows: `all` of the customer's, as HubSpot's timeline does, or each agent their `own`. */
      cardCalls: v.optional(v.picklist(['all', 'own'], 'must be "all" or "own"'), 'all'),
      /**
       * Who hears and reads calls on a card: whoever had the call, supervisors and administrators (`own`), or every agent (`all`). Apart from `cardCalls`:
       * a call's place in the timeline is one thing, its sound another.
       */
      cardRecordings: v.optional(v.picklist(['all', 'own'], 'must be "all" or "own"'), 'own'),
      /** The number that callers dial: HubSpot wants one of a call that no phone saw. Without it such a call is logged in silence. */
      mainNumber: v.exactOptional(
        v.pipe(v.string(), v.regex(/^\+[1-9]\d{6,14}$/, 'must be a number with its country code, as +14155550100')),
      ),
      /** Internal name of the property of contacts and companies that says that somebody must not be called: HubSpot has none of its own. */
      doNotCallProperty: v.exactOptional(
        v.pipe(
          text('the internal name of a property, for instance "do_not_call"'),
          v.regex(/^[a-z][a-z0-9_]{0,99}$/, 'must be the internal name of a property, for instance "do_not_call"'),
        ),
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
            doNotCall: v.exactOptional(v.boolean()),
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
