/**
 * Access tokens of CRMs that were connected by their OAuth page. Owns their renewal over several relays: a refresh token may be good for one use,
 * so one relay renews, keeps what it got before anybody uses it, and the others wait for that. Must never log a token.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { refreshHubSpotTokens, refreshSalesforceToken, type SalesforceApp } from '@patchcord/crm-adapters/relay';
import type { KeptSecret, Vault } from './vault.ts';

/** What a CRM gave for an account. */
export interface ConnectedTokens {
  readonly refreshToken: string;
  readonly accessToken: string;
  /** Epoch ms; null where the CRM does not say: it is used until the CRM refuses it. */
  readonly expiresAt: number | null;
  /** Where the API of this account is, for a CRM that says so with its tokens. */
  readonly instanceUrl?: string;
}

/** What `disconnect` found. */
export interface EndedConnection {
  readonly connected: boolean;
  /** What was kept, to be given back to the CRM; null when there was nothing, or no key opens it any more. */
  readonly tokens: ConnectedTokens | null;
}

/** What is sealed. */
interface Kept extends ConnectedTokens {
  /** A relay is renewing until then; it may have died. */
  readonly renewingUntil: number;
}

/** Which CRM: under which name its tokens are sealed, and what people call it. */
const kinds = {
  hubspot: { sealedAs: 'hubspot-tokens', name: 'HubSpot' },
  salesforce: { sealedAs: 'salesforce-tokens', name: 'Salesforce' },
} as const;
export type ConnectedCrm = keyof typeof kinds;

const renewBeforeMs = 60_000;
const leaseMs = 20_000;
const lookMs = 100;
/** What is held is compared with what is kept this often: another relay may have disconnected the account, or connected it anew. */
const heldMs = 60_000;

export class CrmTokens {
  readonly #vault: Vault;
  readonly #now: () => number;
  /** What this relay has opened, by tenant and CRM. */
  readonly #held = new Map<string, { readonly kept: Kept; readonly seenAt: number }>();

  constructor(vault: Vault, now: () => number) {
    this.#vault = vault;
    this.#now = now;
  }

  /** Keeps what an installation gave, in the place of whatever was there. @returns what was there, to be given back to the CRM */
  async connect(tenant: TenantId, crm: ConnectedCrm, tokens: ConnectedTokens): Promise<ConnectedTokens | null> {
    const kind = kinds[crm].sealedAs;
    for (;;) {
      const before = await this.#readable(tenant, kind);
      const kept: Kept = { ...tokens, renewingUntil: 0 };
      if (before === null) await this.#vault.remove(tenant, kind);
      if (!(await this.#vault.put(tenant, kind, JSON.stringify(kept), before?.version ?? 0))) continue;
      this.#held.delete(`${tenant} ${crm}`);
      return before === null ? null : (JSON.parse(before.text) as Kept);
    }
  }

  /** Forgets the tokens of an account, also those that no key opens any more. Other relays notice within a minute. */
  async disconnect(tenant: TenantId, crm: ConnectedCrm): Promise<EndedConnection> {
    const kind = kinds[crm].sealedAs;
    this.#held.delete(`${tenant} ${crm}`);
    const found = await this.#readable(tenant, kind);
    const connected = await this.#vault.remove(tenant, kind);
    return { connected, tokens: found === null || !connected ? null : (JSON.parse(found.text) as Kept) };
  }

  /** Whether this is the refresh token by which the tenant's account is connected. */
  async holds(tenant: TenantId, crm: ConnectedCrm, refreshToken: string): Promise<boolean> {
    const found = await this.#readable(tenant, kinds[crm].sealedAs);
    return found !== null && (JSON.parse(found.text) as Kept).refreshToken === refreshToken;
  }

  /** What is kept; null also where no key opens it. */
  #readable(tenant: TenantId, kind: string): Promise<KeptSecret | null> {
    return this.#vault.read(tenant, kind).catch((error: unknown) => {
      if (errorCode(error) === 'config.invalid') return null;
      throw error;
    });
  }

  /** A source of access tokens for one HubSpot account. `refused`: a token the CRM no longer takes, whatever its life was to be. */
  hubSpot(
    tenant: TenantId,
    app: { readonly apiUrl: string; readonly clientId: string; readonly clientSecret: string },
  ): (refused?: string) => Promise<string> {
    const source = this.#source(tenant, 'hubspot', (refreshToken) =>
      refreshHubSpotTokens({ ...app, refreshToken, now: this.#now() }),
    );
    return async (refused) => (await source(refused ?? null)).accessToken;
  }

  /** The same for one Salesforce org, with the address of its API. */
  salesforce(
    tenant: TenantId,
    app: SalesforceApp,
  ): (refused: string | null) => Promise<{ readonly token: string; readonly instanceUrl: string }> {
    const source = this.#source(tenant, 'salesforce', async (refreshToken) => {
      const got = await refreshSalesforceToken({ ...app, refreshToken });
      return { ...got, expiresAt: null };
    });
    return async (refused) => {
      const { accessToken, instanceUrl } = await source(refused);
      return { token: accessToken, instanceUrl: instanceUrl ?? '' };
    };
  }

  #source(
    tenant: TenantId,
    crm: ConnectedCrm,
    refresh: (refreshToken: string) => Promise<ConnectedTokens>,
  ): (refused: string | null) => Promise<ConnectedTokens> {
    const { sealedAs: kind, name } = kinds[crm];
    const key = `${tenant} ${crm}`;
    let asking: Promise<Kept> | null = null;
    const good = (kept: Kept, refused: string | null): boolean =>
      kept.accessToken !== refused && (kept.expiresAt === null || kept.expiresAt - renewBeforeMs > this.#now());

    const renew = async (refused: string | null): Promise<Kept> => {
      for (;;) {
        const found = await this.#vault.read(tenant, kind).catch((error: unknown) => {
          // Logs must outlive this, as any other time without access: they wait until an administrator has put it right.
          if (error instanceof PatchcordError && error.code === 'config.invalid')
            throw new PatchcordError('crm.not-authentic', error.message, { cause: error });
          throw error;
        });
        if (found === null) {
          this.#held.delete(key);
          throw new PatchcordError(
            'crm.not-authentic',
            `${name} is not connected yet. An administrator connects it with POST /v1/admin/connect/<tenant>.`,
          );
        }
        const kept = JSON.parse(found.text) as Kept;
        if (good(kept, refused)) return kept;
        if (kept.renewingUntil > this.#now()) {
          await delay(lookMs);
          continue;
        }
        const claimed: Kept = { ...kept, renewingUntil: this.#now() + leaseMs };
        if (!(await this.#vault.put(tenant, kind, JSON.stringify(claimed), found.version))) continue;
        let tokens: ConnectedTokens;
        try {
          tokens = await refresh(kept.refreshToken);
        } catch (error) {
          await this.#vault.put(tenant, kind, JSON.stringify(kept), found.version + 1);
          throw error;
        }
        const next: Kept = { ...kept, ...tokens, renewingUntil: 0 };
        // Kept first, used then: a crash in between must not lose the only refresh token.
        // Connected anew or disconnected meanwhile: that is the word.
        if (!(await this.#vault.put(tenant, kind, JSON.stringify(next), found.version + 1))) continue;
        return next;
      }
    };

    return async (refused) => {
      const held = this.#held.get(key);
      const isGood = held !== undefined && good(held.kept, refused);
      const ageMs = this.#now() - (held?.seenAt ?? 0);
      if (isGood && ageMs >= 0 && ageMs < heldMs) return held.kept;
      // Who asked before us may have known of another refusal: then it is asked once more.
      for (let time = 1; ; time += 1) {
        asking ??= renew(refused).finally(() => {
          asking = null;
        });
        let kept: Kept;
        try {
          kept = await asking;
        } catch (error) {
          // A store that is away says nothing of the account.
          if (isGood && errorCode(error) === 'store.unavailable') return held.kept;
          throw error;
        }
        if (kept.accessToken === refused && time === 1) continue;
        this.#held.set(key, { kept, seenAt: this.#now() });
        return kept;
      }
    };
  }
}
