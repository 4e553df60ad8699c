/** One finished call to play with. Owns test data only. */
import { AgentIdSchema, type CallLog, E164Schema, newCallId, TenantIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';

const e164 = (text: string) => v.parse(E164Schema, text);

/** An answered outbound call of 62.4 seconds to a number of the demo people, about nobody yet. */
export function finishedCall(change: Partial<CallLog> = {}): CallLog {
  return {
    callId: newCallId(),
    tenant: v.parse(TenantIdSchema, 'northlight'),
    agent: v.parse(AgentIdSchema, 'robin'),
    direction: 'outbound',
    farSide: { number: '+14155550101', e164: e164('+14155550101') },
    nearNumber: '+14155550190',
    startedAt: Date.UTC(2026, 10, 21, 9, 30, 0),
    answeredAt: Date.UTC(2026, 10, 21, 9, 30, 5),
    endedAt: Date.UTC(2026, 10, 21, 9, 31, 7, 400),
    talkMs: 62_400,
    outcome: 'answered',
    reason: '',
    record: null,
    note: '',
    disposition: null,
    transferredTo: null,
    consultFor: null,
    joinedWith: null,
    sipCallId: 'a84b4c76e66710@edge.example',
    stage: 'ended',
    ...change,
  };
}
