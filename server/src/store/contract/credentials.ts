/** Which SIP credentials were given out, which are withdrawn, which are denied. Must never hold a password: an HA1 at most. */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';

/** One credential of one device. Times are epoch ms. */
export interface IssuedCredential {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  /** Unique in the tenant; what the device signs with, where the PBX wants it so. */
  readonly username: string;
  /** Which issuer made it (`sip.credential.kind`). Null: issued before this was kept. */
  readonly kind: string | null;
  /** Kept here: the agent may leave the configuration while the credential lives. */
  readonly extension: string | null;
  /** User part of the address of record, when it isn't the extension. */
  readonly user: string | null;
  /** MD5(username:realm:password), where somebody has to check the digest for us or put the credential back; else null. */
  readonly ha1: string | null;
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly revokedAt: number | null;
}

export interface CredentialStore {
  /** False when this user name was issued before: it names one device, and a denial must not hit another. */
  addIssued(credential: IssuedCredential): Promise<boolean>;
  /** Puts a new credential of the same device in the place of the one with this user name, or adds it. False: the name is another device's. */
  renewIssued(credential: IssuedCredential): Promise<boolean>;
  /** Credentials of an agent that would still be accepted, the one that lapses first at the front. */
  liveCredentials(tenant: TenantId, agent: AgentId, now: number): Promise<readonly IssuedCredential[]>;
  /** The same for the whole tenant. */
  liveOfTenant(tenant: TenantId, now: number): Promise<readonly IssuedCredential[]>;
  /** The live credential with this user name. */
  liveByUsername(tenant: TenantId, username: string, now: number): Promise<IssuedCredential | null>;
  /** The live credentials of an extension. */
  liveOfExtension(tenant: TenantId, extension: string, now: number): Promise<readonly IssuedCredential[]>;
  /** Withdraws every live credential of an agent, or of one device, and returns them. */
  revokeIssued(
    tenant: TenantId,
    agent: AgentId,
    device: DeviceId | null,
    now: number,
  ): Promise<readonly IssuedCredential[]>;
  /** What was withdrawn and lapses only after this time: a PBX that knows nothing but signatures has to be told of it again. */
  revokedCredentials(tenant: TenantId, lapsedAfter: number): Promise<readonly IssuedCredential[]>;
  /** Everything an agent was given that lapses after this time, withdrawn or not: what may still be registered somewhere. */
  issuedTo(tenant: TenantId, agent: AgentId, lapsedAfter: number): Promise<readonly IssuedCredential[]>;
  /** The extension an agent was last issued a credential for; null when never, or too long ago. */
  lastExtension(tenant: TenantId, agent: AgentId): Promise<string | null>;
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
