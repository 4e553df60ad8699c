/** What the brakes remember, the same for every relay: who is stopped or slowed down, what calls cost, what is usual. Holds no number. */
import type { AgentId, TenantId } from '@patchcord/call-protocol';

/** `none`: a person has lifted this cause until then. `slow`: fewer calls a minute. `outbound`: emergency calls only. `all`: no credential either. */
export type BrakeLevel = 'none' | 'slow' | 'outbound' | 'all';

export interface BrakeState {
  readonly tenant: TenantId;
  /** Null: every agent of the tenant. */
  readonly agent: AgentId | null;
  readonly level: BrakeLevel;
  /** Why, as a name; one agent may be held for several causes at once. */
  readonly cause: string;
  /** In words for the agent. */
  readonly reason: string;
  readonly since: number;
  /** Epoch ms; null: until a person lifts it. */
  readonly until: number | null;
}

/** One call to outside, priced. The key is its own and nobody else can choose it: see `brakes/brakes.ts`. */
export interface CallUsage {
  readonly tenant: TenantId;
  readonly key: string;
  readonly agent: AgentId;
  /** ISO country, or the calling code of a network without one. */
  readonly country: string;
  /** Micro-units. */
  readonly perMinute: number;
  readonly connection: number;
  /** The tenant's day it counts to, `2026-11-21`. */
  readonly day: string;
  readonly startedAt: number;
  readonly answeredAt: number | null;
}

export interface UsageDay {
  readonly agent: AgentId;
  readonly day: string;
  readonly calls: number;
  /** Micro-units of calls that have ended. */
  readonly spent: number;
  /** Bit n is set when a call began in hour n of the day. */
  readonly hours: number;
}

export interface BrakeStore {
  /** Every state that holds at this time. */
  states(now: number): Promise<readonly BrakeState[]>;
  /** Sets or replaces the state for this cause. True when it did not hold before, or is a harder one now. */
  setState(state: BrakeState, now: number): Promise<boolean>;
  /** Lifts every state of an agent (null: those of the whole tenant); how many. */
  clearStates(tenant: TenantId, agent: AgentId | null): Promise<number>;
  /** Notes that a call began: in its own row, in the day, in the countries of its agent. Nothing when it is known. */
  begun(call: CallUsage, hour: number, now: number): Promise<{ readonly isNew: boolean; readonly newCountry: boolean }>;
  answered(tenant: TenantId, key: string, at: number): Promise<void>;
  /** Says that it was seen alive: a call nobody speaks of any more is closed by `closeSilent`. */
  heard(tenant: TenantId, keys: readonly string[], now: number): Promise<void>;
  /** Closes a call and adds what it cost to its day, once however often it is said. */
  ended(tenant: TenantId, key: string, at: number, cost: number): Promise<boolean>;
  /** Takes back a call that is known by another key by now: the day does not count it twice. */
  forgetCall(tenant: TenantId, key: string): Promise<void>;
  live(tenant: TenantId): Promise<readonly CallUsage[]>;
  /** Live calls nobody has spoken of since then, of every tenant. */
  silent(before: number, limit: number): Promise<readonly (CallUsage & { readonly heardAt: number })[]>;
  /** What was spent from this day on, per agent and day. */
  days(tenant: TenantId, fromDay: string, agent?: AgentId): Promise<readonly UsageDay[]>;
  countries(tenant: TenantId, agent: AgentId): Promise<readonly string[]>;
  /** Calls an agent has begun since then. */
  begunSince(tenant: TenantId, agent: AgentId, since: number): Promise<number>;
  /** Forgets single calls older than this, days before this day, and states that have run out. */
  forgetUsage(callsBefore: number, daysBefore: string, now: number): Promise<void>;
}
