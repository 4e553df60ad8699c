/** The call as the CRM will hold it: the result of folding one call's events. Owns the shape; the fold lives in the relay. */
import type { LoggedPhrase, MachineSummary } from './after-call.ts';
import type { CallOutcome, Direction, Party } from './call.ts';
import type { AgentId, CallId, TenantId } from './ids.ts';
import type { LoggedRecording } from './recording.ts';
import type { RecordRef } from './records.ts';

/** One call of one agent, folded from its events. Times are epoch ms, spans ms. */
export interface CallLog {
  readonly callId: CallId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly direction: Direction;
  readonly farSide: Party;
  /** The agent's own extension or number. */
  readonly nearNumber: string;
  readonly startedAt: number;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
  /** From answer to end; 0 when never answered. */
  readonly talkMs: number;
  readonly outcome: CallOutcome | null;
  readonly reason: string;
  readonly record: RecordRef | null;
  /** What the call was about, beside whom it was with: a case, a deal, an opportunity. */
  readonly about?: RecordRef;
  readonly note: string;
  readonly disposition: string | null;
  readonly transferredTo: string | null;
  readonly consultFor: CallId | null;
  /** The call this consult call was joined with by an attended transfer: one conversation, one log, and it is the other call's. */
  readonly joinedWith: CallId | null;
  readonly sipCallId: string | null;
  /** What the phone system calls the conversation this call is part of: the legs of a transfer, a conference or a ring group share it. */
  readonly conversation?: string;
  /** Nobody said how the call ended: the relay closed it by rule, and its times end with the last report. */
  readonly endedByRule?: true;
  /** What the customer's rules heard, and what they missed; absent: nothing. */
  readonly phrases?: readonly LoggedPhrase[];
  /** Absent: nobody asked, the phone recorded nothing and no phone system handed anything over. */
  readonly recording?: LoggedRecording;
  /** By a machine. */
  readonly summary?: MachineSummary;
  /** The message that the caller left; `text` only while a log is being written, where the customer keeps words. */
  readonly voicemail?: { readonly id: string; readonly durationMs: number; readonly text?: string };
  /** `live` until it ended; `ended` until the agent submits wrap-up; `final` after. The CRM is written from `ended` on. */
  readonly stage: 'live' | 'ended' | 'final';
}
