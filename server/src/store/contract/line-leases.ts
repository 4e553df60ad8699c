/**
 * Which device of an agent owns the line, at whichever relay it asked: one row per agent, changed by compare-and-set only, so that several relays
 * never grant the same epoch twice. Must never see what is kept unless it is sealed, nor decide who may have the line: that is `line-lease/rules.ts`.
 */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';

/** Whose line it is. */
export interface LineOf {
  readonly tenant: TenantId;
  readonly agent: AgentId;
}

/** Another device that asked for the line while it was held. */
export interface LineWish {
  readonly device: DeviceId;
  /** For the agent: "Chrome on Windows". */
  readonly place: string;
  /** The socket that waits for it. */
  readonly via: string;
  readonly at: number;
}

/** The line of one agent. Times are epoch ms by the clock of the relay that wrote them. */
export interface LineLease extends LineOf {
  /** Grows with every grant. */
  readonly epoch: number;
  /** Grows with every change of who holds or wants it: what a change must name. */
  readonly version: number;
  /** Who holds it, or held it last. */
  readonly device: DeviceId;
  readonly place: string;
  /** The socket it was granted or renewed through. */
  readonly via: string;
  readonly grantedAt: number;
  /** Held until then, unless it is renewed; 0: it is free. */
  readonly heldUntil: number;
  /** The holder gave it back: its epoch is worth nothing any more. */
  readonly hasLeft: boolean;
  /** Since when nobody holds it, where somebody said so; null: it is held, or ran out. */
  readonly lostAt: number | null;
  readonly wish: LineWish | null;
  /** Sealed; null: nothing is kept. */
  readonly kept: string | null;
  readonly keptAt: number | null;
}

/** A lease as a holder names it. */
export interface HeldLine extends LineOf {
  readonly epoch: number;
  readonly device: DeviceId;
}

export interface LineGrant extends HeldLine {
  readonly place: string;
  readonly via: string;
  readonly heldUntil: number;
}

export interface LineLeaseStore {
  find(line: LineOf): Promise<LineLease | null>;
  /**
   * Gives the line to a device, and takes whatever wish there was away. What is kept stays.
   * @param fromVersion Of the lease the decision was made from; 0: there was none
   * @returns false when the lease moved since: nothing was changed
   */
  grant(grant: LineGrant, fromVersion: number, now: number): Promise<boolean>;
  /**
   * Holders say again that they are there: each keeps its epoch, unless it left, was overtaken, or another device waits for it. One transaction.
   * @param wishesSince Whoever waited since before this is not waiting any more
   * @returns for each, in order, whether it goes on
   */
  renew(grants: readonly LineGrant[], wishesSince: number): Promise<readonly boolean[]>;
  /** Notes that another device waits for the line; false when the lease moved since. */
  want(line: LineOf, wish: LineWish, fromVersion: number, now: number): Promise<boolean>;
  /** Whoever waited does not any more; false when it was not waiting. */
  unwant(line: LineOf, via: string, now: number): Promise<boolean>;
  /** The holder gives the line back; false when it is not this epoch's any more. */
  leave(line: HeldLine, now: number): Promise<boolean>;
  /** The holder's socket is gone and none of its other sockets renewed meanwhile: the line is free, its epoch comes back with its device. */
  release(line: HeldLine, via: string, now: number): Promise<boolean>;
  /** Keeps what the next owner needs to know, sealed; null: nothing any more. False when it is not this epoch's any more. */
  keep(line: HeldLine, sealed: string | null, now: number): Promise<boolean>;
  /** Access ended: what this device (null: any) was granted until `before` is nobody's, and nothing of it is kept. */
  end(line: LineOf, device: DeviceId | null, before: number, now: number): Promise<void>;
  /** Lines in which something changed at or after this time: granted, wanted, given back, lost. Renewals are none. */
  changedSince(at: number): Promise<readonly (LineOf & { readonly version: number })[]>;
  /** Lines that nobody has held since before this time and whose calls nobody saw to yet. */
  lostBefore(at: number, now: number, limit: number): Promise<readonly LineLease[]>;
  /** Takes it on itself to see to the calls of a lost line, until then; false when somebody else has, or the lease moved. */
  claimLost(lease: LineLease, now: number, until: number): Promise<boolean>;
  /** The calls of a lost line were seen to, or it had none. `forget`: nothing is kept of it any more. */
  seenTo(lease: LineLease, forget: boolean): Promise<void>;
  /** Forgets what is kept of lines that nobody has held since before this time, or that was kept before `idleSince` while the agent has no call. */
  forgetKept(lostBefore: number, idleSince: number): Promise<void>;
}
