/** The words of calls, for tenants that keep them, and whether the CRM has them. Must never hold a line that may still change. */
import type { CallId, TenantId, TranscriptLine } from '@patchcord/call-protocol';

export interface KeptLine {
  readonly tenant: TenantId;
  readonly callId: CallId;
  /** Final, without card numbers. */
  readonly line: TranscriptLine;
  /** Epoch ms. */
  readonly at: number;
}

export interface TranscriptStore {
  /** Keeps a line; a later one with the same number of the same speaker takes its place, unless that is another tenant's. Its call may not be known yet. */
  keep(line: KeptLine): Promise<void>;
  /** What was said in a call, by time; empty when nothing was kept. */
  of(tenant: TenantId, callId: CallId): Promise<readonly TranscriptLine[]>;
  /** The CRM's id of the transcript it was given, '' when it had one of its own; null when it has none of ours. */
  writtenAs(callId: CallId): Promise<string | null>;
  written(tenant: TenantId, callId: CallId, crmId: string, at: number): Promise<void>;
  /** Forgets up to `limit` lines from before this time that belong to no call; those of a call go with it. How many. */
  forgetLoose(before: number, limit: number): Promise<number>;
}
