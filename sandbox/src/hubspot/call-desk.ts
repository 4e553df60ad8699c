/**
 * Owns what the portal does with the panel's messages: which engagement a call has, what is answered, what is written, and
 * what breaks the contract (the HubSpot contract, sections 1.3 to 1.8). Must never draw or post: the page does.
 */
import { callerMatches } from './caller-id.ts';
import type { ObjectType } from './properties.ts';
import { type Portal, Refusal } from './records.ts';
import type { Owner } from './rest.ts';

export interface PanelMessage {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Something the panel did that the calling contract does not allow. */
export interface LintFinding {
  readonly at: number;
  readonly page: string;
  readonly rule: string;
  readonly text: string;
}

export interface PageIdentity {
  readonly page: string;
  readonly owner: Owner;
  readonly location: 'widget' | 'remote' | 'window';
  readonly usesCallingWindow: boolean;
  /** The record on screen. */
  readonly viewing?: { readonly type: ObjectType; readonly id: string } | undefined;
  /** The record whose number was clicked last. */
  readonly dialed?: { readonly type: ObjectType; readonly id: string } | undefined;
}

export interface CallDesk {
  /** `failing` answers with the matching `*_FAILED` and writes nothing. */
  hear(from: PageIdentity, message: PanelMessage, failing?: { message?: string }): readonly PanelMessage[];
  /** A frame was loaded anew on this page: INITIALIZED is due again. */
  loaded(page: string): void;
  /** The engagement of the one live inbound call, which a new frame gets in its SYNC. */
  liveInbound(): number | undefined;
  lint(): readonly LintFinding[];
}

interface DeskCall {
  readonly externalCallId: string;
  readonly direction: 'INBOUND' | 'OUTBOUND';
  engagementId?: string;
  ended: boolean;
  completed: boolean;
}

const known = new Set([
  'INITIALIZED',
  'LOGGED_IN',
  'LOGGED_OUT',
  'USER_AVAILABLE',
  'USER_UNAVAILABLE',
  'OUTGOING_CALL_STARTED',
  'INCOMING_CALL',
  'CALL_ANSWERED',
  'CALL_TRANSFERRED',
  'CALL_DATA',
  'CALL_ENDED',
  'CALL_COMPLETED',
  'FINALIZE_ENGAGEMENT',
  'PUBLISH_TO_CHANNEL',
  'NAVIGATE_TO_RECORD',
  'RESIZE_WIDGET',
  'SET_WIDGET_URL',
  'ERROR',
]);
const endStatuses: Readonly<Record<string, string>> = {
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELED: 'CANCELED',
  BUSY: 'BUSY',
  NO_ANSWER: 'NO_ANSWER',
  REJECTED: 'CANCELED',
  MISSED: 'MISSED',
};

export function createCallDesk(parts: { portal: Portal; portalId: number; appId: number }): CallDesk {
  const { portal } = parts;
  const calls = new Map<string, DeskCall>();
  const initialised = new Set<string>();
  const findings: LintFinding[] = [];

  function hear(from: PageIdentity, message: PanelMessage, failing?: { message?: string }): readonly PanelMessage[] {
    const { type, data } = message;
    const complain = (rule: string, text: string): void => {
      findings.push({ at: Date.now(), page: from.page, rule, text });
    };
    if (!known.has(type)) complain('unknown-message', `${type} is no message of the calling contract.`);
    if (type === 'INITIALIZED') initialised.add(from.page);
    else if (!initialised.has(from.page)) complain('before-initialized', `${type} was sent before INITIALIZED.`);
    if (from.location === 'remote' && from.usesCallingWindow && callMessages.has(type))
      complain('remote-speaks', `${type} came from a remote frame, but the calling window owns the calls.`);
    const error = { message: failing?.message ?? 'The sandbox was told to fail.' };

    switch (type) {
      case 'OUTGOING_CALL_STARTED':
      case 'INCOMING_CALL':
        return started(from, message, complain, failing ? error : undefined);
      case 'CALL_ANSWERED':
      case 'CALL_ENDED':
        progressed(message, complain);
        return [];
      case 'CALL_COMPLETED':
        return completed(message, complain, failing ? error : undefined);
      case 'FINALIZE_ENGAGEMENT':
      case 'PUBLISH_TO_CHANNEL': {
        const { engagementId, externalCallId } = data;
        const outcome = failing ? 'FAILED' : 'SUCCEEDED';
        return [{ type: `${type}_${outcome}`, data: { engagementId, externalCallId } }];
      }
      case 'NAVIGATE_TO_RECORD': {
        const { objectCoordinates, engagementId } = data;
        const target = recordOf(objectCoordinates);
        if (!failing && target && portal.get(target.type, target.id)) {
          const call = [...calls.values()].find(
            (one) => one.engagementId !== undefined && one.engagementId === `${engagementId}`,
          );
          if (call?.engagementId !== undefined) portal.associate('calls', call.engagementId, target.type, target.id);
          return [];
        }
        return [{ type: 'NAVIGATE_TO_RECORD_FAILED', data: { engagementId, objectCoordinates } }];
      }
      default:
        return [];
    }
  }

  function started(
    from: PageIdentity,
    { type, data }: PanelMessage,
    complain: (rule: string, text: string) => void,
    error: { message: string } | undefined,
  ): readonly PanelMessage[] {
    const direction = type === 'INCOMING_CALL' ? 'INBOUND' : 'OUTBOUND';
    const externalCallId = typeof data.externalCallId === 'string' ? data.externalCallId : '';
    if (externalCallId === '')
      complain('external-call-id', `${type} needs an externalCallId that is a non-empty string.`);
    if (typeof data.fromNumber !== 'string' && direction === 'INBOUND')
      complain('from-number', 'INCOMING_CALL needs fromNumber.');
    if (direction === 'INBOUND' && from.location === 'widget') {
      complain('inbound-widget', 'INCOMING_CALL from a widget is ignored: the app has no inbound support there.');
      return [];
    }
    if (calls.has(externalCallId)) {
      complain('duplicate-start', `${type} came twice for call ${externalCallId}.`);
      return [];
    }
    const call: DeskCall = { externalCallId, direction, ended: false, completed: false };
    calls.set(externalCallId, call);
    const replies: PanelMessage[] = [];
    const matches =
      direction === 'INBOUND' && typeof data.fromNumber === 'string'
        ? callerMatches(portal, parts.portalId, data.fromNumber)
        : [];
    if (error) replies.push({ type: 'CREATE_ENGAGEMENT_FAILED', data: { error } });
    else if (data.createEngagement === true) {
      const [match, another] = matches;
      const matched = match && !another ? recordOf(match.objectCoordinates) : undefined;
      const about = direction === 'OUTBOUND' ? [from.dialed, from.viewing] : [matched];
      call.engagementId = engagementFor(from.owner, call, data, about);
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

  function engagementFor(
    owner: Owner,
    call: DeskCall,
    data: Readonly<Record<string, unknown>>,
    about: readonly ({ type: ObjectType; id: string } | undefined)[],
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
    for (const target of about)
      if (target && portal.get(target.type, target.id)) portal.associate('calls', record.id, target.type, target.id);
    return record.id;
  }

  function progressed({ type, data }: PanelMessage, complain: (rule: string, text: string) => void): void {
    const call = calls.get(`${data.externalCallId}`);
    if (!call) {
      complain('unknown-call', `${type} for call ${String(data.externalCallId)}, which was never started.`);
      return;
    }
    const status =
      type === 'CALL_ANSWERED'
        ? 'IN_PROGRESS'
        : data.callEndStatus === undefined
          ? undefined
          : endStatuses[`${data.callEndStatus}`];
    if (type === 'CALL_ENDED') {
      call.ended = true;
      if (data.callEndStatus !== undefined && status === undefined)
        complain('end-status', `${String(data.callEndStatus)} is no callEndStatus.`);
    }
    if (call.engagementId !== undefined && status !== undefined)
      portal.update('calls', call.engagementId, { hs_call_status: status });
  }

  function completed(
    { data }: PanelMessage,
    complain: (rule: string, text: string) => void,
    error: { message: string } | undefined,
  ): readonly PanelMessage[] {
    const call = calls.get(`${data.externalCallId}`);
    if (!call)
      complain('unknown-call', `CALL_COMPLETED for call ${String(data.externalCallId)}, which was never started.`);
    else if (!call.ended)
      complain('completed-before-ended', `CALL_COMPLETED for call ${call.externalCallId} before CALL_ENDED.`);
    if (call?.completed) complain('completed-twice', `CALL_COMPLETED came twice for call ${call.externalCallId}.`);
    if (call) call.completed = true;
    const given =
      typeof data.engagementId === 'number' || typeof data.engagementId === 'string'
        ? `${data.engagementId}`
        : undefined;
    if (call?.engagementId !== undefined && given !== undefined && given !== call.engagementId)
      complain(
        'second-engagement',
        `Call ${call.externalCallId} has engagement ${call.engagementId}, CALL_COMPLETED names ${given}.`,
      );
    const engagementId = given ?? call?.engagementId;
    const properties =
      typeof data.engagementProperties === 'object' && data.engagementProperties !== null
        ? (data.engagementProperties as Record<string, unknown>)
        : {};
    for (const [name, value] of Object.entries(properties))
      if (typeof value !== 'string') complain('string-properties', `engagementProperties.${name} is no string.`);
    if (engagementId === undefined) return [];
    if (error) return [{ type: 'UPDATE_ENGAGEMENT_FAILED', data: { error } }];
    try {
      portal.update('calls', engagementId, properties);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      return [{ type: 'UPDATE_ENGAGEMENT_FAILED', data: { error: { message: refusal.message } } }];
    }
    const { hs_call_external_id: externalId } = portal.get('calls', engagementId)?.properties ?? {};
    const twins = externalId
      ? portal.all('calls').filter((record) => record.properties.hs_call_external_id === externalId)
      : [];
    if (twins.length > 1) complain('more-than-one-engagement', `Call ${externalId} has ${twins.length} engagements.`);
    return [{ type: 'UPDATE_ENGAGEMENT_SUCCEEDED', data: { engagementId: Number(engagementId) } }];
  }

  return {
    hear,
    loaded: (page) => void initialised.delete(page),
    liveInbound() {
      const live = [...calls.values()].find(
        (call) => call.direction === 'INBOUND' && !call.ended && call.engagementId !== undefined,
      );
      return live?.engagementId === undefined ? undefined : Number(live.engagementId);
    },
    lint: () => [...findings],
  };
}

const callMessages = new Set([
  'OUTGOING_CALL_STARTED',
  'INCOMING_CALL',
  'CALL_ANSWERED',
  'CALL_ENDED',
  'CALL_COMPLETED',
]);

/** Ids come as numbers or as strings; both are met in the field. */
export function recordOf(coordinates: unknown): { type: ObjectType; id: string } | undefined {
  if (typeof coordinates !== 'object' || coordinates === null) return undefined;
  const { objectId, objectTypeId } = coordinates as Record<string, unknown>;
  const type = objectTypeId === '0-1' ? 'contacts' : objectTypeId === '0-2' ? 'companies' : undefined;
  return type && (typeof objectId === 'number' || typeof objectId === 'string')
    ? { type, id: `${objectId}` }
    : undefined;
}
