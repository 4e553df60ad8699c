/**
 * How the relay reaches a Salesforce org, and in whose name: by a key of the External Client App, or by what an administrator allowed on the org's
 * OAuth page. Owns which settings belong together; must never quote a value.
 */
import * as v from 'valibot';
import { LimitsSchema } from './crm-limits.ts';
import { encryptedUnlessLoopback, givenSecret, hostOrigin, text, timeZone, url } from './fields.ts';

const certificate = v.pipe(
  givenSecret('the certificate or public key (PEM) that Apex signs agent assertions with'),
  v.startsWith('-----BEGIN', 'must be PEM: it starts with "-----BEGIN"'),
);

/** Hosts of an org that serve Open CTI's script (Salesforce contract, section 1.1). */
const scriptHost = v.pipe(
  text('where the org serves the Open CTI script'),
  v.regex(
    /^https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.(?:my\.salesforce\.com|lightning\.force\.com|vf\.force\.com)$/,
    'must be an exact https: origin of the org, without a path: "https://acme.my.salesforce.com", or one under lightning.force.com or vf.force.com',
  ),
);

const settings = v.strictObject({
  kind: v.literal('salesforce'),
  limits: LimitsSchema,
  loginUrl: v.pipe(
    url('where tokens come from, "https://login.salesforce.com" or your My Domain', 'https:', 'http:'),
    encryptedUnlessLoopback,
  ),
  clientId: text('the consumer key of the app'),
  /** Consumer secret of the app, where it demands one beside PKCE. */
  clientSecret: v.exactOptional(givenSecret('the consumer secret of the app')),
  /**
   * In whose name the relay reads and writes: each agent's own, so that sharing, ownership and history are theirs, or one integration user's.
   * Absent: `agent` where the relay has a key, `integration` where the org is connected by its OAuth page.
   */
  actAs: v.exactOptional(v.picklist(['agent', 'integration'], 'must be "agent" or "integration"')),
  /** With `username`: how the relay signs in. Without both, an administrator connects the org (POST /v1/admin/connect/<tenant>). */
  privateKey: v.exactOptional(givenSecret('the private key (PEM) whose certificate the app holds')),
  username: v.exactOptional(text('the integration user')),
  /** Where agents open the org; absent: what the org says at sign-in. */
  instanceUrl: v.exactOptional(v.pipe(url('where agents open the org', 'https:', 'http:'), encryptedUnlessLoopback)),
  /** IANA zone in which the day of a call is counted. */
  timeZone: v.exactOptional(timeZone),
  orgId: v.pipe(
    text('the organisation id'),
    v.regex(
      /^00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$/,
      'must be an organisation id: "00D" and 12 or 15 letters and digits',
    ),
  ),
  assertionPublicKey: v.exactOptional(certificate),
  /** Several while the org's certificate is being renewed: each is believed. */
  assertionPublicKeys: v.exactOptional(
    v.pipe(
      v.array(certificate),
      v.minLength(1, 'needs at least one certificate'),
      v.maxLength(5, 'takes at most five'),
    ),
  ),
  /** Where the phone gets the Open CTI script; absent: it tries the hosts of the page's My Domain. */
  scriptHost: v.exactOptional(scriptHost),
  /**
   * Further origins that may frame the panel. Absent: the `my.salesforce.com` and `--c.vf.force.com` forms of the same My Domain; `[]`: none but
   * `hostOrigins`.
   */
  frameAlso: v.exactOptional(v.array(hostOrigin)),
});

const halfAKey = (given: string): string =>
  `is missing beside "${given}"; set both, or leave both out and connect the org by its OAuth page (POST /v1/admin/connect/<tenant>)`;

/** One Salesforce org. What comes out always says in whose name, and has its certificates as a list. */
export const SalesforceSchema = v.pipe(
  settings,
  v.forward(
    v.partialCheck(
      [['privateKey'], ['username']],
      (crm) => crm.privateKey !== undefined || crm.username === undefined,
      halfAKey('username'),
    ),
    ['privateKey'],
  ),
  v.forward(
    v.partialCheck(
      [['privateKey'], ['username']],
      (crm) => crm.username !== undefined || crm.privateKey === undefined,
      halfAKey('privateKey'),
    ),
    ['username'],
  ),
  v.forward(
    v.partialCheck(
      [['assertionPublicKey'], ['assertionPublicKeys']],
      ({ assertionPublicKey: one, assertionPublicKeys: several }) => (one === undefined) !== (several === undefined),
      'or "assertionPublicKeys" is needed, one of both: the certificate (PEM) that Apex signs with, or a list of them while it is being renewed',
    ),
    ['assertionPublicKey'],
  ),
  v.forward(
    v.partialCheck(
      [['actAs'], ['privateKey']],
      ({ actAs, privateKey }) => actAs !== 'agent' || privateKey !== undefined,
      'must be "integration" where the org is connected by its OAuth page: only with "privateKey" and "username" can the relay act for each agent',
    ),
    ['actAs'],
  ),
  v.transform(({ assertionPublicKey, assertionPublicKeys, actAs, ...rest }) => ({
    ...rest,
    actAs: actAs ?? (rest.privateKey === undefined ? ('integration' as const) : ('agent' as const)),
    assertionPublicKeys: assertionPublicKeys ?? (assertionPublicKey === undefined ? [] : [assertionPublicKey]),
  })),
);
export type SalesforceSettings = v.InferOutput<typeof SalesforceSchema>;

/**
 * The other origins under which pages of the same My Domain frame us: `acme.lightning.force.com` is also `acme.my.salesforce.com` and, for
 * Visualforce without a package, `acme--c.vf.force.com`; a sandbox has its partition in between (Salesforce contract, section 2.3).
 */
export function framesOfMyDomain(origin: string): readonly string[] {
  const [, domain, partition = ''] =
    /^https:\/\/([a-z0-9-]+)((?:\.[a-z]+)?)\.lightning\.force\.com$/.exec(origin) ?? [];
  if (domain === undefined) return [];
  return [`https://${domain}${partition}.my.salesforce.com`, `https://${domain}--c${partition}.vf.force.com`];
}
