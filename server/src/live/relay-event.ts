/** Events the relay itself makes, in their wire form. Owns their source and ids; panels can't make these. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type Envelope,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { relaySource } from '../call-log/fold.ts';
import type { StoredEvent } from '../store/contract.ts';

/** Names that only the relay may publish. */
export const relayOnly: ReadonlySet<PhoneEvent['name']> = new Set([
  'log.saved',
  'log.failed',
  'log.adopted',
  'log.removed',
  'alert.raised',
  'call.reported',
  'credential.revoked',
  'profile.changed',
  'transcript.partial',
  'transcript.final',
  'transcript.started',
  'transcript.interrupted',
  'phrase.spotted',
  'phrase.missed',
  'call.summarised',
  'recording.available',
  'dial.asked',
  'to-call.changed',
  'voicemail.received',
  'voicemail.linked',
  'voicemail.changed',
]);

/** @param id Same fact, same id, so that saying it twice stores it once; random when absent. */
export function relayEvent(tenant: TenantId, event: PhoneEvent, id: string = randomUUID()): Envelope {
  return toEnvelope(event, id, relaySource(tenant));
}

export function toStoredEvent(envelope: Envelope, tenant: TenantId, agent: AgentId, receivedAt: number): StoredEvent {
  return {
    source: envelope.source,
    id: envelope.id,
    tenant,
    agent,
    callId: (envelope.subject as CallId | undefined) ?? null,
    envelope,
    receivedAt,
  };
}
