/** How the relay reaches a tenant's CRM, one variant per kind. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, text, url } from './fields.ts';

export const CrmSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('salesforce'),
      loginUrl: v.pipe(
        url('where tokens come from, "https://login.salesforce.com" or your My Domain', 'https:', 'http:'),
        encryptedUnlessLoopback,
      ),
      clientId: text('the consumer key of the connected app'),
      privateKey: givenSecret('the private key (PEM) whose certificate the connected app holds'),
      username: text('the integration user'),
      /** Where agents open the org; absent: what the org says at sign-in. */
      instanceUrl: v.exactOptional(
        v.pipe(url('where agents open the org', 'https:', 'http:'), encryptedUnlessLoopback),
      ),
      /** IANA zone in which the day of a call is counted. */
      timeZone: v.exactOptional(text('an IANA time zone, for instance "Europe/Berlin"')),
      orgId: v.pipe(
        text('the organisation id'),
        v.regex(
          /^00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$/,
          'must be an organisation id: "00D" and 12 or 15 letters and digits',
        ),
      ),
      assertionPublicKey: v.pipe(
        givenSecret('the certificate or public key (PEM) that Apex signs agent assertions with'),
        v.startsWith('-----BEGIN', 'must be PEM: it starts with "-----BEGIN"'),
      ),
    }),
    v.strictObject({
      kind: v.literal('hubspot'),
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
      refreshToken: givenSecret('the refresh token of the installation'),
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
