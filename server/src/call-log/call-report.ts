/**
 * A phone system's report of one agent's leg, and the id of the call it tells. Owns that the same leg always has the same id, whoever reports it
 * and however often, so that a call no browser saw is one call. Must never guess an agent.
 */
import { createHash } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type CallReportData,
  type Pbx,
  type TenantId,
  toCallId,
} from '@patchcord/call-protocol';

/** Of one agent's leg; see {@link CallReportData} for the fields. */
export interface CallReport extends CallReportData {
  readonly tenant: TenantId;
}

/** The source of the events a phone system reports. */
export function pbxSource(tenant: TenantId, pbx: Pbx): string {
  return `/tenants/${tenant}/pbx/${pbx}`;
}

/**
 * The call under which reports of a leg are kept: a name-based UUID (RFC 9562 section 5.8, version 8, SHA-256 of tenant, agent and SIP Call-ID).
 * Knowing the three is enough to find what the phone system said.
 */
export function reportedCallId(tenant: TenantId, agent: AgentId, sipCallId: string): CallId {
  const bytes = createHash('sha256')
    .update(JSON.stringify([tenant, agent, sipCallId]))
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return toCallId([hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-'));
}

/** Whether a call is one the relay made from reports. A phone's own ids are random: version 4. */
export function isReportedCall(callId: string): boolean {
  return callId[14] === '8';
}

/** Stable within the call: the same report sent twice is one event. */
export function reportEventId(callId: CallId, report: CallReportData): string {
  const digest = createHash('sha256').update(report.reportId).digest('base64url').slice(0, 16).replaceAll('-', '_');
  return `${callId}:${report.state}_${digest}-1`;
}
