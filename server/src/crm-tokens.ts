/**
 * Access tokens of CRMs that were connected by their OAuth page. Owns their renewal over several relays: a refresh token may be good for one use,
 * so one relay renews, keeps what it got before anybody uses it, and the others wait for that. Must never log a token.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { type HubSpotTokens, refreshHubSpotTokens } from '@patchcord/crm-adapters/relay';
import type { Vault } from './vault.ts';

/** What is sealed. */
interface Kept {
  readonly refreshToken: string;
  readonly accessToken: string;
  /** Epoch ms. */
  readonly expiresAt: number;
  /** A relay is renewing until then; it may have died. */
  readonly renewingUntil: number;
}

export const hubSpotKind = 'hubspot-tokens';
const renewBeforeMs = 60_000;
const leaseMs = 20_000;
const lookMs = 100;

export class CrmTokens {
  readonly #vault: Vault;
  readonly #now: () => number;
  constructor(vault: Vault, now: () => number) {
    this.#vault = vault;
    this.#now = now;
  }

  /** Keeps what an installation gave, in the place of whatever was there. */
  async connect(tenant: TenantId, tokens: HubSpotTokens): Promise<void> {
    for (;;) {
      const before = await this.#vault.read(tenant, hubSpotKind);
      const kept: Kept = { ...tokens, renewingUntil: 0 };
      if (await this.#vault.put(tenant, hubSpotKind, JSON.stringify(kept), before?.version ?? 0)) return;
    }
  }

  /** A source of access tokens for one account. `refused`: a token the CRM no longer takes, whatever its life was to be. */
  hubSpot(
    tenant: TenantId,
    app: { readonly apiUrl: string; readonly clientId: string; readonly clientSecret: string },
  ): (refused?: string) => Promise<string> {
    let held: Kept | null = null;
    let asking: Promise<string> | null = null;
    const good = (kept: Kept, refused: string | undefined): boolean =>
      kept.accessToken !== refused && kept.expiresAt - renewBeforeMs > this.#now();

    const renew = async (refused: string | undefined): Promise<string> => {
      for (;;) {
        const found = await this.#vault.read(tenant, hubSpotKind);
        if (found === null) {
          throw new PatchcordError(
            'crm.not-authentic',
            'HubSpot is not connected yet. An administrator connects it with POST /v1/admin/connect/<tenant>.',
          );
        }
        const kept = JSON.parse(found.text) as Kept;
        if (good(kept, refused)) {
          held = kept;
          return kept.accessToken;
        }
        if (kept.renewingUntil > this.#now()) {
          await delay(lookMs);
          continue;
        }
        const claimed: Kept = { ...kept, renewingUntil: this.#now() + leaseMs };
        if (!(await this.#vault.put(tenant, hubSpotKind, JSON.stringify(claimed), found.version))) continue;
        let tokens: HubSpotTokens;
        try {
          tokens = await refreshHubSpotTokens({ ...app, refreshToken: kept.refreshToken, now: this.#now() });
        } catch (error) {
          await this.#vault.put(tenant, hubSpotKind, JSON.stringify(kept), found.version + 1);
          throw error;
        }
        const next: Kept = { ...tokens, renewingUntil: 0 };
        // Kept first, used then: a crash in between must not lose the only refresh token.
        await this.#vault.put(tenant, hubSpotKind, JSON.stringify(next), found.version + 1);
        held = next;
        return next.accessToken;
      }
    };

    return (refused) => {
      if (held !== null && good(held, refused)) return Promise.resolve(held.accessToken);
      asking ??= renew(refused).finally(() => {
        asking = null;
      });
      return asking;
    };
  }
}
