/** How the relay reaches a tenant's CRM, one variant per kind. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, ms, text, url } from './fields.ts';

const count = v.pipe(v.number('must be a number'), v.integer(), v.minValue(1));

/**
 * How fast this CRM may be asked, all relays together. What is absent is what the CRM grants by contract, and what it says in its answers;
 * `delivery/crm-limits.ts` has the numbers.
 */
const LimitsSchema = v.optional(
  v.strictObject({
    /** Requests in `perMs`. */
    requests: v.exactOptional(count),
    perMs: v.exactOptional(ms(100, 86_400_000)),
    searchesPerSecond: v.exactOptional(count),
    /** Requests under way at once. */
    atOnce: v.exactOptional(count),
    /** Share of the day's allowance that logs may use up; look-ups go on. */
    dailyShare: v.exactOptional(v.pipe(v.number('must be a number'), v.minValue(0.01), v.maxValue(1))),
  }),
  {},
);

export const CrmSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('salesforce'),
      limits: LimitsSchema,
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
