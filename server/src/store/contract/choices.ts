/**
 * Which record agents chose for a number that several records have. The number is a keyed hash: whoever reads the table learns no number. Must
 * never decide what a choice is worth.
 */
import type { AgentId, CrmName, TenantId } from '@patchcord/call-protocol';

/** A record as one was chosen. */
export interface ChosenRecord {
  readonly crm: CrmName;
  readonly object: string;
  readonly id: string;
}

/** One record of one number. */
export interface RecordChoice extends ChosenRecord {
  readonly tenant: TenantId;
  /** Keyed hash of the number in E.164. */
  readonly number: string;
}

/** How often a record was chosen, last when and by whom. */
export interface RememberedChoice extends RecordChoice {
  readonly times: number;
  /** Epoch ms. */
  readonly lastAt: number;
  readonly lastBy: AgentId;
}

/** Choices that age does not take: those of a number, by its hash, or with null all of the tenant's. */
export interface HeldChoices {
  readonly tenant: TenantId;
  readonly number: string | null;
}

export interface ChoiceStore {
  /** Counts a choice. */
  remember(choice: RecordChoice, by: AgentId, at: number): Promise<void>;
  /** An agent thought better of it: the choice counts once less, and is forgotten when nothing is left. */
  takeBack(choice: RecordChoice): Promise<void>;
  /** What was chosen for a number, most often first, then latest. */
  ofNumber(tenant: TenantId, number: string): Promise<readonly RememberedChoice[]>;
  forget(choice: RecordChoice): Promise<void>;
  /** Forgets what was last chosen before this time, except what is held; how many. */
  forgetBefore(at: number, held: readonly HeldChoices[]): Promise<number>;
}
