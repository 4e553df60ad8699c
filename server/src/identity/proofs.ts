/**
 * From a proof to an agent: a Salesforce assertion, a pairing code, a finished sign-in. Owns which tenant a proof may speak for and
 * that no proof works twice. Must never trust a claim before its signature is checked.
 */
import { createHash } from 'node:crypto';
import { type AgentRole, type IdentityProof, PatchcordError } from '@patchcord/call-protocol';
import { verifySalesforceAssertion } from '@patchcord/crm-adapters/relay';
import type { AgentConfig } from '../config.ts';
import type { IdentityStore } from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import type { PairingCodes } from './pairing-codes.ts';
import type { ProofLedger } from './proof-ledger.ts';

export interface KnownAgent {
  readonly tenant: Tenant;
  readonly agent: AgentConfig;
}

/** An agent whose proof was good, how it was given, and the role that an identity provider says. */
export interface ProvenAgent extends KnownAgent {
  readonly way: string;
  readonly role: AgentRole | null;
}

export class Proofs {
  readonly #tenants: Tenants;
  readonly #codes: PairingCodes;
  readonly #store: IdentityStore;
  readonly #ledger: ProofLedger;
  readonly #audience: () => string;
  readonly #now: () => number;

  constructor(options: {
    readonly tenants: Tenants;
    readonly codes: PairingCodes;
    readonly store: IdentityStore;
    readonly ledger: ProofLedger;
    /** The relay's public origin: assertions are made out to it. */
    readonly audience: () => string;
    readonly now: () => number;
  }) {
    this.#tenants = options.tenants;
    this.#codes = options.codes;
    this.#store = options.store;
    this.#ledger = options.ledger;
    this.#audience = options.audience;
    this.#now = options.now;
  }

  /** @throws PatchcordError `identity.refused`, telling what to do and never what a guesser could use */
  async agentOf(proof: IdentityProof): Promise<ProvenAgent> {
    switch (proof.kind) {
      case 'pairing-code': {
        const owner = await this.#codes.redeem(proof.code);
        return { ...this.#tenants.knownAgent(owner.tenant, owner.agent), way: proof.kind, role: null };
      }
      case 'salesforce-assertion':
        return { ...(await this.#agentOfAssertion(proof.assertion)), way: proof.kind, role: null };
      case 'sign-in':
        return await this.#agentOfClaim(proof.claim, proof.verifier);
    }
  }

  /** What the sign-in window left for the page that opened it: only that page knows the verifier, so a claim alone opens nothing. */
  async #agentOfClaim(claim: string, verifier: string): Promise<ProvenAgent> {
    const found = await this.#store.takeClaim(sha256(claim), this.#now());
    if (found === null || found.challenge !== sha256(verifier)) {
      throw new PatchcordError(
        'identity.refused',
        'This sign-in is older than two minutes, was used before, or began on another page. Sign in again.',
      );
    }
    return { ...this.#tenants.knownAgent(found.tenant, found.agent), way: found.way, role: found.role };
  }

  async #agentOfAssertion(assertion: string): Promise<KnownAgent> {
    const claimed = claimedOrganisation(assertion);
    for (const tenant of this.#tenants.all()) {
      const { crm } = tenant.config;
      if (crm.kind !== 'salesforce' || crm.orgId.slice(0, 15) !== claimed) continue;
      const identity = await byAnyKey(crm.assertionPublicKeys, (publicKeyPem) =>
        verifySalesforceAssertion({
          assertion,
          audience: this.#audience(),
          orgId: crm.orgId,
          publicKeyPem,
          now: this.#now(),
        }),
      );
      const key = `salesforce ${crm.orgId.slice(0, 15)} ${identity.jti}`;
      // A minute longer than it lives, for the clock tolerance of the check.
      if (!(await this.#ledger.use(key, identity.expiresAt + 60_000))) {
        throw new PatchcordError('identity.refused', 'This sign-in was used before. Reload the page to sign in again.');
      }
      return this.#agentOfCrmUser(tenant, identity.crmUserId);
    }
    throw new PatchcordError(
      'identity.refused',
      'This Salesforce organisation is not connected to this phone service. Ask your administrator to add it to the relay configuration.',
    );
  }

  /**
   * Uses up a request that HubSpot signed, for all relays together.
   * @param signature Names it: a hash of the signature's bytes. Base64 writes the same signature in many ways, and all of them pass the check
   * @throws PatchcordError `identity.refused` when it was used before
   */
  async useSignature(signature: string): Promise<void> {
    // HubSpot's signatures are good for five minutes, to either side of our clock.
    if (!(await this.#ledger.use(`hubspot ${signature}`, this.#now() + 600_000))) {
      throw new PatchcordError('identity.refused', 'This request was sent before. Ask for a new pairing code.');
    }
  }

  #agentOfCrmUser(tenant: Tenant, crmUserId: string): KnownAgent {
    const agent = this.#tenants.agentOfCrmUser(tenant, crmUserId);
    if (agent === undefined) {
      throw new PatchcordError(
        'identity.refused',
        'You are signed in to the CRM, but no phone is set up for you. Ask your administrator to add you as an agent.',
      );
    }
    return { tenant, agent };
  }
}

/**
 * Checks with each key until one fits: while an org renews its certificate, it may sign with either. What is wrong with an assertion beside its
 * signature is told as it is.
 */
async function byAnyKey<T>(keys: readonly string[], check: (key: string) => Promise<T>): Promise<T> {
  let refusal: unknown = null;
  for (const key of keys) {
    try {
      return await check(key);
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { readonly code?: unknown };
      if (code !== 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** The organisation an assertion says it comes from, unchecked: it only chooses the key. */
function claimedOrganisation(assertion: string): string {
  try {
    const payload: unknown = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const issuer = typeof payload === 'object' && payload !== null && 'iss' in payload ? payload.iss : undefined;
    return typeof issuer === 'string' ? issuer.slice(0, 15) : '';
  } catch {
    return '';
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
