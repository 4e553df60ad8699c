/** How a tenant's agents prove who they are, and how long that holds. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, text, url } from './fields.ts';

export const SignInSchema = v.strictObject({
  /** How long an agent stays signed in; within it the phone renews its access by itself. */
  sessionHours: v.optional(
    v.pipe(v.number('must be a number of hours'), v.minValue(0.25), v.maxValue(720, 'must be at most 720 hours')),
    12,
  ),
  /** Sign-in by the CRM's own OAuth page (Salesforce, HubSpot), beside what the CRM proves by itself. */
  crm: v.optional(v.boolean(), false),
  /** Consumer secret of the Salesforce app, where the app demands one beside PKCE. */
  clientSecret: v.exactOptional(givenSecret('the consumer secret of the Salesforce app')),
  /** Sign-in by an OpenID provider: for the plain page, or for people who have one account for everything. */
  oidc: v.exactOptional(
    v.strictObject({
      issuer: v.pipe(url('the issuer, as the provider names itself', 'https:', 'http:'), encryptedUnlessLoopback),
      clientId: text('the client id at the provider'),
      clientSecret: v.exactOptional(givenSecret('the client secret at the provider')),
      /** What the button says. */
      label: v.optional(text('what the button says'), 'Sign in with your account'),
      scopes: v.optional(v.array(text('a scope')), ['openid', 'profile', 'email']),
      /** The claim that names the agent, and which setting of the agent it must equal. An e-mail must be verified. */
      claim: v.optional(text('a claim'), 'email'),
      agentField: v.optional(v.picklist(['email', 'id', 'crmUserId'], 'must be "email", "id" or "crmUserId"'), 'email'),
      /** Values of a claim that make a supervisor or an admin; absent: the configuration of the agent decides. */
      role: v.exactOptional(
        v.strictObject({
          claim: text('a claim'),
          supervisor: v.optional(v.array(text('a value')), []),
          admin: v.optional(v.array(text('a value')), []),
        }),
      ),
    }),
  ),
});
