/**
 * Signing in at somebody else's page, from the window that opens to the claim it leaves: OpenID Connect (which Salesforce speaks too) and
 * HubSpot's OAuth. Owns what a sign-in must remember meanwhile, sealed and for one use, and which agent the answer is. The session itself is
 * opened by the phone, for a claim and the verifier that only the phone knows.
 *
 * ```
 * phone ── window, challenge ──→ begin ──→ provider ──→ finish ── claim ──→ phone ── claim + verifier ──→ POST /v1/sessions
 *                                  └ state, nonce, PKCE verifier, browser: sealed in the store, ten minutes, once
 * ```
 * Somebody lured to a sign-in that an attacker began signs nobody in: the claim goes to the page that opened the window, and only to our origin.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type AgentId, type AgentRole, PatchcordError, type SignInWay, type TenantId } from '@patchcord/call-protocol';
import {
  exchangeHubSpotCode,
  hubSpotAuthorizeUrl,
  hubSpotUserOf,
  salesforceUserOf,
} from '@patchcord/crm-adapters/relay';
import type { JWTPayload } from 'jose';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { CrmTokens } from '../crm-tokens.ts';
import type { IdentityStore } from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import { anotherAccount, CrmConnections, type Disconnected } from './crm-connections.ts';
import type { OpenIdProvider, SignInChecks } from './oidc.ts';

export const callbackPath = '/v1/sign-in/callback';
const attemptMs = 10 * 60_000;
const claimMs = 2 * 60_000;
type WayName = 'oidc' | 'salesforce' | 'hubspot' | 'connect';

/** What is sealed while a person is at the provider's page. */
interface Memory {
  readonly nonce: string;
  readonly verifier: string;
  /** Hash of the cookie of the browser it began in; null where an administrator began it elsewhere. */
  readonly browser: string | null;
}

export type Finished =
  | { readonly kind: 'claim'; readonly claim: string }
  | { readonly kind: 'connected'; readonly tenant: TenantId };

export class SignIns {
  readonly #tenants: Tenants;
  readonly #store: IdentityStore;
  readonly #vault: Vault;
  readonly #connections: CrmConnections;
  readonly #publicUrl: () => string;
  readonly #now: () => number;
  readonly #providers = new Map<string, OpenIdProvider>();

  constructor(options: {
    readonly tenants: Tenants;
    readonly store: IdentityStore;
    readonly vault: Vault;
    readonly crmTokens: CrmTokens;
    readonly publicUrl: () => string;
    readonly now: () => number;
  }) {
    this.#tenants = options.tenants;
    this.#store = options.store;
    this.#vault = options.vault;
    this.#publicUrl = options.publicUrl;
    this.#now = options.now;
    this.#connections = new CrmConnections({
      tenants: options.tenants,
      tokens: options.crmTokens,
      redirectUri: () => this.#redirectUri(),
      now: options.now,
    });
  }

  /** The ways of the tenants whose page this is, as far as the page can say: only what leads to a sign-in, nothing that is proven by it. */
  ways(page: { readonly host: string; readonly origin: string; readonly audience: string }): readonly SignInWay[] {
    return this.#tenants
      .all()
      .map(({ config }) => config)
      .filter((config) => isPageOf(config, page, this.#publicUrl()))
      .flatMap((config) =>
        waysOf(config).map(({ name, label }) => ({
          path: `/v1/sign-in/${encodeURIComponent(config.id)}/${name}`,
          label,
        })),
      );
  }

  /**
   * Begins a sign-in of the browser with this cookie; the address to send it to.
   * @throws PatchcordError `request.invalid` for a way the tenant does not have, `crm.unavailable`
   */
  async begin(tenantId: string, way: string, challenge: string, browser: string): Promise<URL> {
    const tenant = this.#tenants.find(tenantId);
    const known = tenant === undefined ? undefined : waysOf(tenant.config).find(({ name }) => name === way);
    if (tenant === undefined || known === undefined) {
      throw new PatchcordError(
        'request.invalid',
        'There is no such way to sign in. Go back to the phone and try again.',
      );
    }
    return await this.#remember(tenant, known.name, challenge, sha256(browser));
  }

  /**
   * Begins the connection of a tenant's CRM account, for an administrator.
   * @throws PatchcordError `request.invalid` where the CRM is not connected this way
   */
  async beginConnection(tenantId: string): Promise<URL> {
    return await this.#remember(this.#existing(tenantId), 'connect', '', null);
  }

  /**
   * Undoes the connection of a tenant's CRM account.
   * @throws PatchcordError `request.invalid` where the CRM is not connected this way, `store.unavailable`
   */
  disconnect(tenantId: string): Promise<Disconnected> {
    return this.#connections.disconnect(this.#existing(tenantId).config);
  }

  #existing(tenantId: string): Tenant {
    const tenant = this.#tenants.find(tenantId);
    if (tenant !== undefined) return tenant;
    throw new PatchcordError('request.invalid', 'The configuration has no such tenant. Check the id.');
  }

  /**
   * Ends what a provider sent back.
   * @throws PatchcordError `identity.refused` in words for the person, `crm.unavailable`
   */
  async finish(address: URL, browser: string | undefined): Promise<Finished> {
    const state = address.searchParams.get('state') ?? '';
    const stateHash = sha256(state);
    const attempt = state === '' ? null : await this.#store.takeSignIn(stateHash, this.#now());
    if (attempt === null) {
      throw refused(
        'This sign-in is older than ten minutes, or was finished before. Go back to the phone and begin again.',
      );
    }
    const memory = JSON.parse(this.#vault.open(`sign-in ${stateHash}`, attempt.sealed)) as Memory;
    if (memory.browser !== null && (browser === undefined || sha256(browser) !== memory.browser)) {
      throw refused('This sign-in was begun in another browser. Go back to the phone and begin again.');
    }
    const tenant = this.#tenants.find(attempt.tenant);
    if (tenant === undefined) throw refused('The configuration of the phone service has changed. Begin again.');
    if (attempt.way === 'connect') {
      await this.#connections.connect(tenant.config, codeOf(address), memory.verifier);
      return { kind: 'connected', tenant: attempt.tenant };
    }
    const { agent, role } = await this.#agentOf(tenant, attempt.way, address, { ...memory, state });
    const claim = randomBytes(32).toString('base64url');
    await this.#store.addClaim({
      claimHash: sha256(claim),
      tenant: attempt.tenant,
      agent: agent.id as AgentId,
      way: attempt.way,
      role,
      challenge: attempt.challenge,
      expiresAt: this.#now() + claimMs,
    });
    return { kind: 'claim', claim };
  }

  async #remember(tenant: Tenant, way: WayName, challenge: string, browser: string | null): Promise<URL> {
    const random = (): string => randomBytes(32).toString('base64url');
    const checks: SignInChecks = { state: random(), nonce: random(), verifier: random() };
    const url = await this.#authorizeUrl(tenant.config, way, checks);
    const stateHash = sha256(checks.state);
    const memory: Memory = { nonce: checks.nonce, verifier: checks.verifier, browser };
    await this.#store.addSignIn({
      stateHash,
      tenant: tenant.config.id as TenantId,
      way,
      challenge,
      sealed: this.#vault.seal(`sign-in ${stateHash}`, JSON.stringify(memory)),
      expiresAt: this.#now() + attemptMs,
    });
    return url;
  }

  #authorizeUrl(config: TenantConfig, way: WayName, checks: SignInChecks): URL | Promise<URL> {
    if (way === 'connect') return this.#connections.authorizeUrl(config, checks);
    if (way === 'hubspot' && config.crm.kind === 'hubspot') {
      return hubSpotAuthorizeUrl({
        uiUrl: config.crm.uiUrl ?? 'https://app.hubspot.com',
        clientId: config.crm.clientId,
        redirectUri: this.#redirectUri(),
        scopes: ['oauth'],
        state: checks.state,
      });
    }
    return this.#provider(config, way).then((provider) => provider.authorizeUrl(this.#redirectUri(), checks));
  }

  async #agentOf(
    tenant: Tenant,
    way: string,
    address: URL,
    checks: SignInChecks,
  ): Promise<{ readonly agent: AgentConfig; readonly role: AgentRole | null }> {
    const { crm, signIn } = tenant.config;
    if (way === 'hubspot' && crm.kind === 'hubspot') {
      const tokens = await exchangeHubSpotCode({ ...crm, code: codeOf(address), redirectUri: this.#redirectUri() });
      const user = await hubSpotUserOf(crm, tokens.accessToken);
      if (user.portalId !== crm.portalId || user.appId !== crm.appId) throw anotherAccount('HubSpot account');
      return { agent: found(this.#tenants.agentOfCrmUser(tenant, user.userId)), role: null };
    }
    const claims = await (await this.#provider(tenant.config, way)).claimsOf(this.#returned(address), checks);
    if (way === 'salesforce' && crm.kind === 'salesforce') {
      const user = salesforceUserOf(claims.sub);
      if (user.orgId.slice(0, 15) !== crm.orgId.slice(0, 15)) throw anotherAccount('Salesforce organisation');
      return { agent: found(this.#tenants.agentOfCrmUser(tenant, user.userId)), role: null };
    }
    const { oidc } = signIn;
    if (oidc === undefined) throw refused('The configuration of the phone service has changed. Begin again.');
    const value = claims[oidc.claim];
    if (typeof value !== 'string' || value === '') {
      throw refused(`Your organisation did not say who you are (claim "${oidc.claim}"). Ask your administrator.`);
    }
    // Whoever may write any address into an account must not become the agent who has it.
    if (oidc.claim === 'email' && claims.email_verified !== true) {
      throw refused('Your organisation has not verified your e-mail address. Ask your administrator.');
    }
    const folded = (text: string | undefined): string | undefined =>
      oidc.agentField === 'email' ? text?.toLowerCase() : text;
    const agent = tenant.config.agents.find((one) => folded(one[oidc.agentField]) === folded(value));
    return { agent: found(agent), role: oidc.role === undefined ? null : roleIn(claims, oidc.role) };
  }

  async #provider({ id, crm, signIn }: TenantConfig, way: string): Promise<OpenIdProvider> {
    const name = `${id} ${way}`;
    const known = this.#providers.get(name);
    if (known !== undefined) return known;
    const settings =
      way === 'salesforce' && crm.kind === 'salesforce'
        ? {
            issuer: crm.loginUrl,
            clientId: crm.clientId,
            clientSecret: crm.clientSecret ?? signIn.clientSecret,
            scopes: ['openid'],
          }
        : signIn.oidc;
    if (settings === undefined) throw refused('The configuration of the phone service has changed. Begin again.');
    // Only now: a relay whose agents sign in otherwise starts without it.
    const { OpenIdProvider } = await import('./oidc.ts');
    const provider = this.#providers.get(name) ?? new OpenIdProvider(settings);
    this.#providers.set(name, provider);
    return provider;
  }

  #redirectUri(): string {
    return `${this.#publicUrl()}${callbackPath}`;
  }

  /** The address as the browser saw it: what we hear behind a proxy may be another. */
  #returned(address: URL): URL {
    return new URL(`${this.#redirectUri()}${address.search}`);
  }
}

function waysOf({ crm, signIn }: TenantConfig): readonly { readonly name: WayName; readonly label: string }[] {
  return [
    ...(signIn.crm && crm.kind === 'salesforce'
      ? [{ name: 'salesforce' as const, label: 'Sign in with Salesforce' }]
      : []),
    ...(signIn.crm && crm.kind === 'hubspot' ? [{ name: 'hubspot' as const, label: 'Sign in with HubSpot' }] : []),
    ...(signIn.oidc === undefined ? [] : [{ name: 'oidc' as const, label: signIn.oidc.label }]),
  ];
}

function isPageOf(
  { crm, hostOrigins }: TenantConfig,
  page: { readonly host: string; readonly origin: string; readonly audience: string },
  own: string,
): boolean {
  if (page.host !== (crm.kind === 'memory' ? 'page' : crm.kind)) return false;
  if (crm.kind === 'hubspot' && !page.audience.startsWith(`hubspot:${crm.portalId}:`)) return false;
  if (page.host === 'page' && page.origin === own) return true;
  return hostOrigins.some((origin) => {
    if (!origin.includes('*')) return origin === page.origin;
    return page.origin.startsWith('https://') && page.origin.endsWith(origin.slice('https://*'.length));
  });
}

function roleIn(
  claims: JWTPayload,
  rule: { readonly claim: string; readonly supervisor: readonly string[]; readonly admin: readonly string[] },
): AgentRole {
  const values = [claims[rule.claim]].flat().filter((value): value is string => typeof value === 'string');
  if (values.some((value) => rule.admin.includes(value))) return 'admin';
  return values.some((value) => rule.supervisor.includes(value)) ? 'supervisor' : 'agent';
}

function codeOf(address: URL): string {
  const code = address.searchParams.get('code');
  if (code !== null && code !== '') return code;
  throw refused('You did not allow the sign-in, or your CRM does not allow it to you.');
}

function found(agent: AgentConfig | undefined): AgentConfig {
  if (agent !== undefined) return agent;
  throw refused('You were recognised, but no phone is set up for you. Ask your administrator to add you as an agent.');
}

function refused(message: string): PatchcordError {
  return new PatchcordError('identity.refused', message);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
