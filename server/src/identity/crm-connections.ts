/**
 * Connecting a tenant's CRM by its OAuth page, and undoing it. Owns which CRMs are connected this way, what they are asked for, and that an
 * account which is not the configured one is refused and leaves nothing behind. What the window remembers meanwhile is `sign-ins.ts`.
 */
import { createHash } from 'node:crypto';
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import {
  exchangeHubSpotCode,
  exchangeSalesforceCode,
  hubSpotAuthorizeUrl,
  hubSpotUserOf,
  revokeHubSpotToken,
  revokeSalesforceToken,
  type SalesforceApp,
  salesforceAuthorizeUrl,
} from '@patchcord/crm-adapters/relay';
import { isConnectedByPage } from '../config/crm.ts';
import type { TenantConfig } from '../config.ts';
import type { CrmTokens } from '../crm-tokens.ts';
import type { Tenants } from '../tenants.ts';

/** What connecting an account asks HubSpot for (HubSpot contract, section 2.8). */
const hubSpotScopes = [
  'oauth',
  'crm.objects.contacts.read',
  'crm.objects.contacts.write',
  'crm.objects.companies.read',
  'crm.objects.owners.read',
];
/** What it may be refused: each only makes something better. */
const hubSpotOptionalScopes = [
  'crm.schemas.contacts.write',
  'crm.objects.deals.read',
  'tickets',
  'crm.extensions_calling_transcripts.read',
  'crm.extensions_calling_transcripts.write',
];

/**
 * Whether the CRM was connected, and whether it knows that it no longer is: if not, an administrator removes the app there, unless another tenant of
 * this relay is connected to the same account.
 */
export interface Disconnected {
  readonly connected: boolean;
  readonly givenBack: boolean;
}

type ConnectedConfig = Extract<TenantConfig['crm'], { readonly kind: 'salesforce' | 'hubspot' }>;

export class CrmConnections {
  readonly #tenants: Pick<Tenants, 'all'>;
  readonly #tokens: CrmTokens;
  readonly #redirectUri: () => string;
  readonly #now: () => number;

  constructor(options: {
    readonly tenants: Pick<Tenants, 'all'>;
    readonly tokens: CrmTokens;
    readonly redirectUri: () => string;
    readonly now: () => number;
  }) {
    this.#tenants = options.tenants;
    this.#tokens = options.tokens;
    this.#redirectUri = options.redirectUri;
    this.#now = options.now;
  }

  /** Where an administrator allows it. @throws PatchcordError `request.invalid` where the CRM is not connected this way */
  authorizeUrl({ crm }: TenantConfig, checks: { readonly state: string; readonly verifier: string }): URL {
    if (!isConnectedByPage(crm)) throw notThisWay();
    const common = { clientId: crm.clientId, redirectUri: this.#redirectUri(), state: checks.state };
    if (crm.kind === 'hubspot') {
      return hubSpotAuthorizeUrl({
        ...common,
        uiUrl: crm.uiUrl ?? 'https://app.hubspot.com',
        scopes: hubSpotScopes,
        optionalScopes: hubSpotOptionalScopes,
      });
    }
    const codeChallenge = createHash('sha256').update(checks.verifier).digest('base64url');
    return salesforceAuthorizeUrl({ ...common, loginUrl: crm.loginUrl, codeChallenge });
  }

  /**
   * Takes what the page gave, and keeps it sealed.
   * @throws PatchcordError `identity.refused` for another account than the configured one, `crm.unavailable`
   */
  async connect({ id, crm }: TenantConfig, code: string, verifier: string): Promise<void> {
    if (!isConnectedByPage(crm)) throw notThisWay();
    const exchange = { code, redirectUri: this.#redirectUri() };
    if (crm.kind === 'hubspot') {
      const tokens = await exchangeHubSpotCode({ ...crm, ...exchange, now: this.#now() });
      const user = await hubSpotUserOf(crm, tokens.accessToken);
      if (user.portalId !== crm.portalId || user.appId !== crm.appId) {
        // Nothing of another account stays, neither here nor there.
        await this.#giveBack(crm, tokens.refreshToken).catch(() => {});
        throw anotherAccount('HubSpot account');
      }
      const replaced = await this.#tokens.connect(id as TenantId, 'hubspot', tokens);
      if (replaced !== null && replaced.refreshToken !== tokens.refreshToken)
        await this.#giveBack(crm, replaced.refreshToken).catch(() => {});
      return;
    }
    const given = await exchangeSalesforceCode({ ...salesforceApp(crm), ...exchange, codeVerifier: verifier });
    if (given.orgId.slice(0, 15) !== crm.orgId.slice(0, 15)) {
      // Nothing of another org stays, neither here nor there.
      await this.#giveBack(crm, given.refreshToken).catch(() => {});
      throw anotherAccount('Salesforce organisation');
    }
    const { accessToken, refreshToken, instanceUrl } = given;
    const replaced = await this.#tokens.connect(id as TenantId, 'salesforce', {
      accessToken,
      refreshToken,
      instanceUrl,
      expiresAt: null,
    });
    // Where the org does not hear of it, relays let go of the old connection within a minute all the same.
    if (replaced !== null && replaced.refreshToken !== refreshToken)
      await this.#giveBack(crm, replaced.refreshToken).catch(() => {});
  }

  /**
   * Forgets what the CRM gave, and gives it back where the CRM takes that.
   * @throws PatchcordError `request.invalid` where the CRM is not connected this way, `store.unavailable`
   */
  async disconnect({ id, crm }: TenantConfig): Promise<Disconnected> {
    if (!isConnectedByPage(crm)) throw notThisWay();
    const { connected, tokens } = await this.#tokens.disconnect(id as TenantId, crm.kind);
    if (tokens === null) return { connected, givenBack: false };
    try {
      return { connected: true, givenBack: await this.#giveBack(crm, tokens.refreshToken) };
    } catch {
      return { connected: true, givenBack: false };
    }
  }

  /**
   * Has the CRM forget a refresh token. A CRM may give the same one whenever the same account allows the same app: what another tenant of this relay
   * goes on with stays.
   * @returns whether the CRM was told
   */
  async #giveBack(crm: ConnectedConfig, refreshToken: string): Promise<boolean> {
    for (const { config } of this.#tenants.all()) {
      if (config.crm.kind !== crm.kind) continue;
      const configured = config.crm.kind === 'hubspot' && config.crm.refreshToken === refreshToken;
      if (configured || (await this.#tokens.holds(config.id as TenantId, crm.kind, refreshToken))) return false;
    }
    if (crm.kind === 'hubspot') await revokeHubSpotToken({ ...crm, refreshToken });
    else await revokeSalesforceToken({ loginUrl: crm.loginUrl, token: refreshToken });
    return true;
  }
}

/** The app of an org as the token endpoint wants to know it. */
export function salesforceApp(crm: {
  readonly loginUrl: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly instanceUrl?: string | undefined;
}): SalesforceApp {
  const { loginUrl, clientId, clientSecret, instanceUrl } = crm;
  return {
    loginUrl,
    clientId,
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(instanceUrl === undefined ? {} : { instanceUrl }),
  };
}

function notThisWay(): PatchcordError {
  return new PatchcordError(
    'request.invalid',
    'This tenant’s CRM is not connected by its OAuth page: that is for Salesforce without "privateKey", and for HubSpot without "refreshToken". Check the tenant.',
  );
}

/** The person chose the wrong account at the provider's page. */
export function anotherAccount(what: string): PatchcordError {
  return new PatchcordError(
    'identity.refused',
    `This is another ${what} than the one your phone belongs to. Choose the right one and sign in again.`,
  );
}
