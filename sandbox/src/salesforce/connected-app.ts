/**
 * Owns what an administrator of the emulated org decides about the relay's app: its key, whom it may act for, how its tokens behave. The
 * fields that can be set are a test's pedals. Must never hand out a token.
 */
import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';

/** `not-approved`: the user never allowed the app. `not-admin-approved`: only pre-authorised users may, and this one is none. */
export type Approval = 'approved' | 'not-approved' | 'not-admin-approved';

export interface ConnectedApp {
  readonly clientId: string;
  readonly clientSecret: string;
  /** The relay's public key (SPKI or certificate PEM): assertions for the JWT bearer grant are checked against it. */
  registerConnectedApp(publicKeyPem: string): void;
  /** Decides on one user, by username; everybody is approved at the start. */
  setApproval(username: string, approval: Approval): void;
  approvalOf(username: string): Approval;
  readonly key: KeyObject | undefined;
  /** Addresses that the web-server flow may go back to; while the list is empty, any. */
  callbackUrls: readonly string[];
  /** A refresh gives a new refresh token, and the old one is good no more; one that is used again ends them all. */
  rotatesRefreshTokens: boolean;
  /** The web-server flow is refused without a `code_challenge`. */
  requiresPkce: boolean;
  /** The web-server flow and refreshing need the app's secret. */
  requiresSecret: boolean;
}

export function createConnectedApp(): ConnectedApp {
  const approvals = new Map<string, Approval>();
  let key: KeyObject | undefined;
  return {
    clientId: `3MVG9sandbox${randomBytes(24).toString('hex')}`,
    clientSecret: randomBytes(24).toString('hex'),
    registerConnectedApp(publicKeyPem) {
      key = createPublicKey(publicKeyPem);
    },
    setApproval: (username, approval) => {
      approvals.set(username, approval);
    },
    approvalOf: (username) => approvals.get(username) ?? 'approved',
    get key() {
      return key;
    },
    callbackUrls: [],
    rotatesRefreshTokens: false,
    requiresPkce: true,
    requiresSecret: false,
  };
}
