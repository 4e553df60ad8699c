/** What minting asks before it gives out a credential, and how it notes one: in one question and one transaction, since every phone mints all day. */
import type { AuditEntry } from './audit.ts';
import type { BrakeState } from './brakes.ts';
import type { IssuedCredential } from './credentials.ts';
import type { StoredSession } from './identity.ts';

/** An open session, and what stands for or against giving it a credential. */
export interface MintStanding extends StoredSession {
  /** Epoch seconds; 0: nothing of the agent's was ever denied. */
  readonly deniedUntil: number;
  /** Credentials issued to the agent since the time that was asked for. */
  readonly issuedLately: number;
  /** When the one of them lapses that lapses last, epoch ms; null when there are none. */
  readonly newestLapsesAt: number | null;
  /** What the brakes hold against the agent or its tenant now. */
  readonly brakes: readonly BrakeState[];
}

/** What is kept together with the credential, or not at all. */
export interface MintNote {
  /** What was found before, by this relay, perhaps long ago: it counts only if it is still so. */
  readonly standing: Pick<MintStanding, 'id' | 'tenant' | 'agent' | 'accessHash' | 'deniedUntil'>;
  /** How many credentials may have been issued to the agent since a time. */
  readonly limit: { readonly since: number; readonly most: number };
  /** The proof of possession, used up with it. */
  readonly proof: { readonly key: string; readonly expiresAt: number };
  readonly audit: AuditEntry;
  /** Epoch ms. */
  readonly now: number;
}

/**
 * `taken`: the user name was given out before (`renew`: to another device). `replayed`: the proof was used before. `stale`: the session has
 * ended or has other tokens now, something was denied, a brake stops the agent, or the limit is reached: `standing` says which.
 */
export type MintOutcome = 'noted' | 'taken' | 'replayed' | 'stale';

export interface MintStore {
  /** Null when there is no such open session. */
  standing(sessionId: string, issuedSince: number, now: number): Promise<MintStanding | null>;
  /**
   * Notes a credential. Whoever ends the session at this moment either stops it or finds the credential.
   * @param how `renew`: in the place of the device's own one with this user name
   */
  note(credential: IssuedCredential, how: 'add' | 'renew', note: MintNote): Promise<MintOutcome>;
}
