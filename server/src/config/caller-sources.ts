/** Who a caller may be when the CRM has nobody with the number: the company's directory, a number service. Nothing here is on by itself. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, loopbackNames, text, url } from './fields.ts';

const EnrichmentSchema = v.pipe(
  v.strictObject({
    /** Asked for a caller nobody knows. With GET, `{number}` stands where the number goes; with POST the body is `{"number": "+…"}`. */
    url: v.pipe(
      url('the address of the number service', 'https:', 'http:'),
      encryptedUnlessLoopback,
      v.check((value) => !/\{(?!number\})/.test(value), 'may have no other place to fill in than "{number}"'),
    ),
    method: v.optional(v.picklist(['GET', 'POST'], 'must be "GET" or "POST"'), 'GET'),
    /** Sent as `Authorization`, whole: "Bearer …". */
    authorization: v.exactOptional(givenSecret('the Authorization header of the number service')),
    /** What agents read as the origin of a name. */
    label: v.optional(v.pipe(text('what agents read as the origin of a name'), v.maxLength(60)), 'number service'),
    /** The service is inside: this machine or its networks. */
    allowPrivate: v.optional(v.boolean(), false),
  }),
  v.forward(
    v.partialCheck(
      [['url'], ['allowPrivate']],
      (service) => service.allowPrivate || !service.url.startsWith('http:'),
      'must be https: unless "allowPrivate" is true',
    ),
    ['url'],
  ),
  v.forward(
    v.partialCheck(
      [['url'], ['method']],
      (service) => service.method === 'POST' || service.url.includes('{number}'),
      'must have "{number}" where the number goes, or "method": "POST"',
    ),
    ['url'],
  ),
);
export type EnrichmentSettings = v.InferOutput<typeof EnrichmentSchema>;

const attribute = v.pipe(
  text('the name of an attribute'),
  v.regex(/^[A-Za-z][A-Za-z0-9;.-]{0,63}$/, 'must be the name of an LDAP attribute'),
);
const attributes = (names: readonly string[]) =>
  v.optional(v.pipe(v.array(attribute), v.minLength(1, 'needs at least one attribute'), v.maxLength(10)), [...names]);

const LdapSchema = v.pipe(
  v.strictObject({
    kind: v.literal('ldap'),
    url: v.pipe(
      url('the address of the directory', 'ldaps:', 'ldap:'),
      v.check((value) => {
        if (!URL.canParse(value)) return true;
        const { protocol, hostname } = new URL(value);
        return protocol === 'ldaps:' || loopbackNames.has(hostname);
      }, 'must be ldaps: unless it stays on this machine'),
    ),
    /** Where the search begins. */
    baseDn: text('where the search begins, for instance "ou=people,dc=acme,dc=example"'),
    /** Who the relay is to the directory; without both it asks as nobody. */
    bindDn: v.exactOptional(text('who the relay is to the directory')),
    bindPassword: v.exactOptional(givenSecret('the password of "bindDn"')),
    /** Certificate of the authority that signed the directory's, PEM; absent: those that the system trusts. */
    ca: v.exactOptional(
      v.pipe(givenSecret('the certificate of the authority'), v.startsWith('-----BEGIN', 'must be PEM')),
    ),
    /** Narrows the entries, in LDAP's own form: "(objectClass=person)". */
    filter: v.exactOptional(
      v.pipe(text('an LDAP filter'), v.maxLength(1_000), v.regex(/^\(.+\)$/s, 'must be in parentheses')),
    ),
    numberAttributes: attributes(['telephoneNumber', 'mobile', 'homePhone']),
    extensionAttributes: attributes(['ipPhone', 'telephoneNumber']),
    /** The first that an entry has. */
    nameAttributes: attributes(['displayName', 'cn']),
    /** What stands below the name. */
    detailAttributes: attributes(['title', 'department', 'o']),
    /** What agents read as the origin of a name. */
    label: v.optional(v.pipe(text('what agents read as the origin of a name'), v.maxLength(60)), 'Company directory'),
  }),
  v.forward(
    v.partialCheck(
      [['bindDn'], ['bindPassword']],
      (directory) => (directory.bindDn === undefined) === (directory.bindPassword === undefined),
      'and "bindPassword" belong together; set both or neither',
    ),
    ['bindDn'],
  ),
);
export type LdapSettings = v.InferOutput<typeof LdapSchema>;

export const CallerSourcesSchema = v.strictObject({
  directory: v.exactOptional(LdapSchema),
  enrichment: v.exactOptional(EnrichmentSchema),
});
