/**
 * Owns what the portal does with the panel's messages: which engagement a call has, what is answered and what is written, the same for all tabs
 * (the HubSpot contract, sections 1.3 to 1.8). Must never draw or post: the page does. What breaks the contract is `wire-lint.ts`.
 */
import { callerMatches } from './caller-id.ts';
import type { PageIdentity, PanelMessage, RecordReference } from './page-messages.ts';
import { objectTypeIds, objectTypes } from './properties.ts';
import { type Portal, Refusal } from './records.ts';
import type { Owner } from './rest-call.ts';
import type { WireLint } from './wire-lint.ts';

export interface CallDesk {
  /** `failing` answers with the matching `*_FAILED` and writes nothing. */
  hear(from: PageIdentity, message: PanelMessage, failing?: { message?: string }): readonly PanelMessage[];
  /** The engagement of this user's live inbound call, which a new frame gets in its SYNC. */
  liveInbound(userId: number): number | undefined;
  /** Engagements the portal made that nobody has brought to an end. */
  unfinished(): readonly string[];
  /** Whether the portal's page made this engagement and still waits for its completion. */
  awaits(engagementId: string): boolean;
}

interface DeskCall {
  readonly externalCallId: string;
  readonly direction: 'INBOUND' | 'OUTBOUND';
  readonly userId: number;
  engagementId?: string;
  ended: boolean;
  completed: boolean;
}

const endStatuses: Readonly<Record<string, string>> = {
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELED: 'CANCELED',
  BUSY: 'BUSY',
  NO_ANSWER: 'NO_ANSWER',
  REJECTED: 'CANCELED',
  MISSED: 'MISSED',
};
const live = new Set(['CALLING_CRM_USER', 'CONNECTING', 'HOLD', 'IN_PROGRESS', 'QUEUED', 'RINGING']);

export function createCallDesk(parts: { portal: Portal; portalId: number; appId: number; lint: WireLint }): CallDesk {
  const { portal, lint } = parts;
  const calls = new Map<string, DeskCall>();

  function hear(from: PageIdentity, message: PanelMessage, failing?: { message?: string }): readonly PanelMessage[] {
    const { type, data } = message;
    lint.heard(from, message);
    const error = failing && { message: failing.message ?? 'The sandbox was told to fail.' };
    switch (type) {
      case 'OUTGOING_CALL_STARTED':
      case 'INCOMING_CALL':
        return started(from, message, error);
      case 'CALL_ANSWERED':
      case 'CALL_ENDED':
        progressed(message);
        return [];
      case 'CALL_COMPLETED':
        return completed(from, message, error);
      case 'FINALIZE_ENGAGEMENT':
      case 'PUBLISH_TO_CHANNEL': {
        const { engagementId, externalCallId } = data;
        // Only a call of a help-desk channel has a conversation to get into: here, one that stands on a ticket.
        const ofHelpDesk = portal.associated('calls', `${engagementId}`, 'tickets').length > 0;
        const outcome = failing || !ofHelpDesk ? 'FAILED' : 'SUCCEEDED';
        return [{ type: `${type}_${outcome}`, data: { engagementId, externalCallId } }];
      }
      case 'NAVIGATE_TO_RECORD': {
        const { objectCoordinates, engagementId } = data;
        const target = recordOf(objectCoordinates);
        // Contacts and companies only, says the documentation.
        const may = target?.type === 'contacts' || target?.type === 'companies';
        if (failing || !target || !may || !portal.get(target.type, target.id))
          return [{ type: 'NAVIGATE_TO_RECORD_FAILED', data: { engagementId, objectCoordinates } }];
        const call = [...calls.values()].find((one) => one.engagementId === `${engagementId}`);
        if (call?.engagementId !== undefined) link(call.engagementId, [target]);
        return [];
      }
      case 'SET_WIDGET_URL':
        return failing ? [{ type: 'SET_WIDGET_URL_FAILED', data: { error } }] : [];
      default:
        return [];
    }
  }

  function started(
    from: PageIdentity,
    { type, data }: PanelMessage,
    error: { message: string } | undefined,
  ): readonly PanelMessage[] {
    const direction = type === 'INCOMING_CALL' ? 'INBOUND' : 'OUTBOUND';
    const externalCallId = typeof data.externalCallId === 'string' ? data.externalCallId : '';
    if (direction === 'INBOUND' && (from.location === 'widget' || !from.inboundSupported)) return [];
    if (calls.has(externalCallId)) return [];
    const call: DeskCall = { externalCallId, direction, userId: from.owner.userId, ended: false, completed: false };
    calls.set(externalCallId, call);
    const replies: PanelMessage[] = [];
    const farSide = direction === 'INBOUND' ? data.fromNumber : data.toNumber;
    const matches = typeof farSide === 'string' ? callerMatches(portal, parts.portalId, farSide) : [];
    if (error) replies.push({ type: 'CREATE_ENGAGEMENT_FAILED', data: { error } });
    else if (data.createEngagement === true) {
      const [match, another] = matches;
      const matched = match && !another ? recordOf(match.objectCoordinates) : undefined;
      // Whom a number that nobody clicked belongs to is HubSpot's own guess; ours is: the one record that has it.
      const about = direction === 'OUTBOUND' && from.dialed ? [from.dialed, from.viewing] : [matched];
      call.engagementId = engagementFor(from.owner, call, data, about);
      lint.engaged(externalCallId, call.engagementId);
      const created = { engagementId: Number(call.engagementId), externalCallId };
      replies.push(
        { type: 'ENGAGEMENT_CREATED', data: { engagementId: created.engagementId } },
        { type: 'CREATE_ENGAGEMENT_SUCCEEDED', data: created },
      );
    }
    if (direction === 'INBOUND')
      replies.push(
        error
          ? { type: 'CALLER_ID_MATCH_FAILED', data: { error } }
          : { type: 'CALLER_ID_MATCH_SUCCEEDED', data: { callerIdMatches: matches, callId: externalCallId } },
      );
    return replies;
  }

  function link(engagementId: string, targets: readonly (RecordReference | undefined)[]): void {
    for (const target of targets)
      if (target && target.type !== 'calls' && portal.get(target.type, target.id))
        portal.associate('calls', engagementId, target.type, target.id);
  }

  function engagementFor(
    owner: Owner,
    call: DeskCall,
    data: Readonly<Record<string, unknown>>,
    about: readonly (RecordReference | undefined)[],
  ): string {
    const number = (value: unknown): string => (typeof value === 'string' ? value : '');
    const record = portal.create('calls', {
      hs_timestamp: typeof data.callStartTime === 'number' ? `${data.callStartTime}` : new Date().toISOString(),
      hs_call_title: call.direction === 'INBOUND' ? 'Inbound call' : 'Outbound call',
      hs_call_direction: call.direction,
      hs_call_status: 'CONNECTING',
      hs_call_from_number: number(data.fromNumber),
      hs_call_to_number: number(data.toNumber),
      hs_call_external_id: call.externalCallId,
      hs_call_app_id: `${parts.appId}`,
      hs_call_source: 'INTEGRATIONS_PLATFORM',
      hubspot_owner_id: owner.id,
    });
    link(record.id, about);
    return record.id;
  }

  function progressed({ type, data }: PanelMessage): void {
    const call = calls.get(`${data.externalCallId}`);
    if (!call) return;
    if (type === 'CALL_ENDED') call.ended = true;
    const ending = data.callEndStatus === undefined ? undefined : endStatuses[`${data.callEndStatus}`];
    const status = type === 'CALL_ANSWERED' ? 'IN_PROGRESS' : ending;
    const record = call.engagementId === undefined ? undefined : portal.get('calls', call.engagementId);
    if (record && status !== undefined) portal.update('calls', record.id, { hs_call_status: status });
  }

  function completed(
    from: PageIdentity,
    { data }: PanelMessage,
    error: { message: string } | undefined,
  ): readonly PanelMessage[] {
    const call = calls.get(`${data.externalCallId}`);
    if (call) call.completed = true;
    const { engagementId: named, engagementProperties } = data;
    const given = typeof named === 'number' || typeof named === 'string' ? `${named}` : undefined;
    const engagementId = given ?? call?.engagementId;
    if (engagementId === undefined) return [];
    if (error) return [{ type: 'UPDATE_ENGAGEMENT_FAILED', data: { error } }];
    try {
      const properties =
        typeof engagementProperties === 'object' && engagementProperties !== null ? engagementProperties : {};
      portal.update('calls', engagementId, properties as Record<string, unknown>);
      // The deal or ticket that the person stands on gets the call as well.
      if (from.viewing?.type === 'deals' || from.viewing?.type === 'tickets') link(engagementId, [from.viewing]);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      return [{ type: 'UPDATE_ENGAGEMENT_FAILED', data: { error: { message: refusal.message } } }];
    }
    return [{ type: 'UPDATE_ENGAGEMENT_SUCCEEDED', data: { engagementId: Number(engagementId) } }];
  }

  function goesOn(engagementId: string | undefined): engagementId is string {
    const record = engagementId === undefined ? undefined : portal.get('calls', engagementId);
    return record !== undefined && live.has(record.properties.hs_call_status ?? '');
  }

  return {
    hear,
    liveInbound(userId) {
      const call = [...calls.values()].findLast(
        (one) => one.direction === 'INBOUND' && one.userId === userId && !one.ended && goesOn(one.engagementId),
      );
      return call?.engagementId === undefined ? undefined : Number(call.engagementId);
    },
    unfinished: () => [...calls.values()].map((call) => call.engagementId).filter(goesOn),
    awaits: (engagementId) => [...calls.values()].some((call) => call.engagementId === engagementId && !call.completed),
  };
}

/** Ids come as numbers or as strings; both are met in the field. */
export function recordOf(coordinates: unknown): RecordReference | undefined {
  if (typeof coordinates !== 'object' || coordinates === null) return undefined;
  const { objectId, objectTypeId } = coordinates as Record<string, unknown>;
  const type = objectTypes.find((one) => objectTypeIds[one] === objectTypeId);
  return type && (typeof objectId === 'number' || typeof objectId === 'string')
    ? { type, id: `${objectId}` }
    : undefined;
}
