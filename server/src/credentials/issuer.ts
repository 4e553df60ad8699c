/**
 * The contract of a credential issuer: how one kind of PBX is given a short-lived credential for one device, and has it taken away again.
 * One driver per kind in `drivers/`, one registry in `issuers.ts`, one test suite over all. Must never see or keep a password longer than
 * handing it on: the store gets an HA1 at most.
 */
import type { AgentId, DeviceId } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { CredentialStore } from '../store/contract.ts';

export type IssuerKind = TenantConfig['sip']['credential']['kind'];

/** One browser of one agent, as the PBX is to know it. */
export interface Device {
  readonly agent: AgentId;
  readonly id: DeviceId;
  readonly extension: string;
  /** The agent's name, for the caller id. */
  readonly name: string;
  /** When the newest of the credentials lapses that the agent was given within a minute, epoch ms: names made of a second are taken up to there. */
  readonly newestLapsesAt?: number | null;
}

/** Whose access ends. The extension is known even when the agent has left the configuration. */
export interface AgentLine {
  readonly agent: AgentId;
  readonly extension: string;
}

/** What a device signs with. */
export interface SipCredential {
  readonly username: string;
  /** User part of the address of record, when it isn't the extension. The same for a device as long as it lives. */
  readonly user?: string;
  readonly password: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

interface Reconciled {
  /** What the PBX still had and we had withdrawn. */
  readonly removed: number;
  /** What the PBX had forgotten and lives. */
  readonly restored: number;
}

export interface CredentialIssuer {
  readonly kind: IssuerKind;
  /** Whether a credential can be refused before it lapses. */
  readonly revocable: boolean;
  /** What revoking can't do with this PBX as it is configured, for an administrator; null when it does everything. */
  readonly limits: string | null;
  /** Nothing follows the note when one is issued: what was checked with it still holds when `issue` resolves. */
  readonly notesLast?: true;
  /**
   * A new credential for the device: noted in the store first, then made known to the PBX. When this resolves the PBX takes it.
   * @throws PatchcordError `store.unavailable`; `sip.unreachable`, `sip.refused` from the PBX, both retryable; `config.invalid`
   */
  issue(device: Device): Promise<SipCredential>;
  /**
   * The PBX refuses everything this device has, and forgets where it is. The store says already that it is withdrawn. May be repeated, also
   * after somebody who may has signed in again: a credential that the store says lives goes on.
   * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable
   */
  revoke(line: AgentLine, device: DeviceId): Promise<void>;
  /** The same for every device of the agent. */
  revokeAgent(line: AgentLine): Promise<void>;
  /**
   * Ends the calls of a device that is gone for good, as far as this PBX can be asked to; absent where it can't. Nothing else of the device ends.
   * @param sipCallIds Call-IDs of the calls as the device told them
   * @returns how many were asked to end
   * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable
   */
  endCalls?(line: AgentLine, device: DeviceId, sipCallIds: readonly string[]): Promise<number>;
  /**
   * Whether the PBX has a way to the device now: its registration lives, and with it the connection it came over. Absent where it can't be asked.
   * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable: nobody knows
   */
  isRegistered?(line: AgentLine, device: DeviceId): Promise<boolean>;
  /** Brings the PBX to what the store says, whatever either missed. On start and every minute. */
  reconcile(): Promise<Reconciled>;
}

/** What a driver works with. */
export interface IssuerParts {
  readonly tenant: TenantConfig;
  readonly store: CredentialStore;
  readonly log: Log;
  /** Epoch ms. */
  readonly now: () => number;
  /** Counts what the PBX answers. */
  readonly metrics?: Pick<Metrics, 'pbx'> | undefined;
}

/** A registration outlives its credential at most by this, ms: the longest `registerSeconds`. */
export const longestRegistrationMs = 3_600_000;

/** How a tenant's credential is configured, if it is of this kind. Narrowing for the drivers, which are made for one kind each. */
export type CredentialSettings<K extends IssuerKind> = Extract<TenantConfig['sip']['credential'], { readonly kind: K }>;
