/** Which SIP credentials were given out, and which are denied. Must never hold a password. */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';

export interface IssuedCredential {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly username: string;
  readonly expiresAt: number;
  readonly issuedAt: number;
}

export interface CredentialStore {
  /** False when this user name was issued before: it names one device, and a denial must not hit another. */
  addIssued(credential: IssuedCredential): Promise<boolean>;
  /** Credentials of an agent that would still be accepted. */
  liveCredentials(tenant: TenantId, agent: AgentId, now: number): Promise<readonly IssuedCredential[]>;
  /**
   * Every credential of the agent that expires at or before `until` (epoch s) is refused from now on. Never moves back. The extension is kept
   * with it: the edge knows nothing else, and the agent may leave the configuration.
   */
  denyUntil(tenant: TenantId, agent: AgentId, extension: string, until: number, now: number): Promise<void>;
  /** Epoch seconds, 0 when nothing was ever denied. */
  deniedUntil(tenant: TenantId, agent: AgentId): Promise<number>;
  /** Every denial that reaches beyond this time (epoch s). */
  denials(after: number): Promise<
    readonly {
      readonly tenant: TenantId;
      readonly agent: AgentId;
      /** Null for a denial older than this column. */
      readonly extension: string | null;
      readonly until: number;
    }[]
  >;
}
