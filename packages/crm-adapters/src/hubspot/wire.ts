/**
 * Owns the wire between the panel and HubSpot's page: who may speak to us, the messages we send, and the reading of what comes in (HubSpot
 * contract, sections 1.1 and 1.3; clicks on numbers are read in dial-reading.ts). Everything that comes in is untrusted and leaves here checked
 * or as null. Functions and small tables only. What a call becomes in HubSpot stands in call.ts.
 */
import type { CallOutcome, RecordRef } from '@patchcord/call-protocol';
import type { HostCall } from '../panel-contract.ts';

/** What SYNC tells about the frame we are in. Unsigned: never a proof of who the agent is. */
export interface HostContext {
  readonly portalId: number | null;
  readonly userId: number | null;
  /** HubSpot's call object of the inbound call that was live when this frame was loaded. */
  readonly engagementId: number | null;
  readonly location: 'widget' | 'remote' | 'window';
  readonly usesCallingWindow: boolean;
  /** The origin of HubSpot's page: SYNC passed the guard, so it is the sender's and on the list. */
  readonly hostUrl: string;
}

/** A remote frame beside a calling window: the window frame talks to HubSpot, or every tab would announce the same call. */
export function isMirror(context: HostContext | null): boolean {
  return context?.location === 'remote' && context.usesCallingWindow;
}

/**
 * Whether a message may reach HubSpot's SDK. The SDK itself takes a SYNC from any window and any origin, makes its `hostUrl` the peer it
 * trusts from then on (a SET_WIDGET_URL later changes it once more), and throws on `null`.
 */
export function mayPass(
  event: { readonly source: unknown; readonly origin: string; readonly data: unknown },
  parent: unknown,
  hostOrigins: readonly string[],
): boolean {
  const { data } = event;
  if (event.source !== parent || !hostOrigins.includes(event.origin)) return false;
  if (typeof data !== 'object' || data === null) return false;
  const { hostUrl, type } = data as { hostUrl?: unknown; type?: unknown };
  if (hostUrl !== undefined && hostUrl !== event.origin) return false;
  // A SYNC without hostUrl would leave the referrer as the trusted peer.
  if (type === 'SYNC') return hostUrl === event.origin;
  // Types a widget does not know make the SDK answer ERROR, and an ERROR answered with ERROR never ends.
  return typeof type === 'string' && knownTypes.has(type);
}

const knownTypes: ReadonlySet<string> = new Set([
  'DIAL_NUMBER',
  'END_CALL',
  'ENGAGEMENT_CREATED',
  'CREATE_ENGAGEMENT_SUCCEEDED',
  'CREATE_ENGAGEMENT_FAILED',
  'UPDATE_ENGAGEMENT_SUCCEEDED',
  'UPDATE_ENGAGEMENT_FAILED',
  'CALLER_ID_MATCH_SUCCEEDED',
  'CALLER_ID_MATCH_FAILED',
  'NAVIGATE_TO_RECORD_FAILED',
  'PUBLISH_TO_CHANNEL_SUCCEEDED',
  'PUBLISH_TO_CHANNEL_FAILED',
  'FINALIZE_ENGAGEMENT_SUCCEEDED',
  'FINALIZE_ENGAGEMENT_FAILED',
  'INITIATE_CALL_ID_SUCCEEDED',
  'INITIATE_CALL_ID_FAILED',
  'SET_WIDGET_URL_FAILED',
  'SET_CALL_STATE',
  'VISIBILITY_CHANGED',
]);

export function readContext(data: unknown): HostContext {
  const { portalId, userId, engagementId, iframeLocation, usesCallingWindow, hostUrl } = objectOf(data);
  return {
    portalId: numberOf(portalId),
    userId: numberOf(userId),
    engagementId: numberOf(engagementId),
    location: iframeLocation === 'remote' || iframeLocation === 'window' ? iframeLocation : 'widget',
    usesCallingWindow: usesCallingWindow !== false,
    hostUrl: textOf(hostUrl),
  };
}

/** Which call object HubSpot speaks of, and of which call where it says so; `message` is why it was not made. */
export function readEngagement(data: unknown): {
  readonly engagementId: number | null;
  readonly callId: string | null;
  readonly message: string;
} {
  const { engagementId, externalCallId, error } = objectOf(data);
  return {
    engagementId: numberOf(engagementId),
    callId: typeof externalCallId === 'string' ? externalCallId : null,
    message: textOf(objectOf(error).message).slice(0, 200),
  };
}

/** The records HubSpot found for a caller. Ids come as numbers or texts. */
export function readMatches(data: unknown): { readonly callId: string | null; readonly records: readonly RecordRef[] } {
  const { callerIdMatches, callId, externalCallId } = objectOf(data);
  const found = Array.isArray(callerIdMatches) ? callerIdMatches : [];
  const id = externalCallId ?? callId;
  const records: RecordRef[] = [];
  for (const one of found.slice(0, 50)) {
    const match = objectOf(one);
    const { objectTypeId, objectId } = objectOf(match.objectCoordinates);
    const record = recordOf(objectTypeId, objectId);
    if (record === null || !isCaller(record)) continue;
    const name =
      record.object === 'company'
        ? textOf(match.name)
        : [match.firstName, match.lastName]
            .map(textOf)
            .filter((part) => part !== '')
            .join(' ') || textOf(match.email);
    records.push(name === '' ? record : { ...record, name: name.slice(0, 255) });
  }
  return { callId: typeof id === 'string' || typeof id === 'number' ? String(id) : null, records };
}

/** Who can be at the other end of a call: HubSpot matches and calls contacts and companies only. */
export function isCaller({ object }: RecordRef): boolean {
  return object === 'contact' || object === 'company';
}

/** Where HubSpot finds a record; null for one it cannot open from a widget. */
export function coordinatesOf(
  record: RecordRef,
  portalId: number,
): { readonly portalId: number; readonly objectId: number; readonly objectTypeId: string } | null {
  const objectTypeId = record.object === 'contact' ? '0-1' : record.object === 'company' ? '0-2' : null;
  const objectId = numberOf(record.id);
  return record.crm !== 'hubspot' || objectTypeId === null || objectId === null
    ? null
    : { portalId, objectId, objectTypeId };
}

/** The id of the record a failed navigation was about. */
export function readFailedNavigation(data: unknown): number | null {
  return numberOf(objectOf(objectOf(data).objectCoordinates).objectId);
}

/** Values as they go over the wire; the SDK's constant of this name holds keys that do not work. */
export const endStatuses: Readonly<Record<CallOutcome, string>> = {
  answered: 'COMPLETED',
  missed: 'MISSED',
  declined: 'REJECTED',
  busy: 'BUSY',
  'no-answer': 'NO_ANSWER',
  cancelled: 'CANCELED',
  failed: 'FAILED',
  'answered-elsewhere': 'CANCELED',
};

/** A call begins. `createEngagement`: HubSpot shall make the log. */
export function startMessage(
  call: HostCall,
  createEngagement: boolean,
): { readonly type: string; readonly data: object } {
  const far = call.farSide.e164 ?? call.farSide.number;
  const near = call.nearNumber ?? '';
  const common = { externalCallId: call.id, callStartTime: call.startedAt, createEngagement };
  return call.direction === 'inbound'
    ? { type: 'INCOMING_CALL', data: { ...common, fromNumber: far, toNumber: near } }
    : {
        type: 'OUTGOING_CALL_STARTED',
        data: { ...common, toNumber: far, ...(near === '' ? {} : { fromNumber: near }) },
      };
}

/** What HubSpot calls its objects, by id and by name. */
const objects: Readonly<Record<string, string>> = {
  ...{ '0-1': 'contact', '0-2': 'company', '0-3': 'deal', '0-5': 'ticket' },
  ...{ CONTACT: 'contact', COMPANY: 'company', DEAL: 'deal', TICKET: 'ticket' },
};

export function recordOf(type: unknown, id: unknown): RecordRef | null {
  const object = typeof type === 'string' && Object.hasOwn(objects, type) ? objects[type] : undefined;
  const number = numberOf(id);
  return object === undefined || number === null ? null : { crm: 'hubspot', object, id: String(number) };
}

/** A positive whole number, given as such or as digits. */
export function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : null;
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
