/**
 * Owns the rules of the calling wire that a panel has to keep (the HubSpot contract, sections 1.1 to 1.8), and what was found against them. Must
 * never answer a message or touch a record.
 */
import type { PageIdentity, PanelMessage } from './page-messages.ts';
import type { Portal } from './records.ts';

/** Something the panel did that the calling contract does not allow. */
export interface LintFinding {
  readonly at: number;
  readonly page: string;
  readonly rule: string;
  readonly text: string;
}

export interface WireLint {
  heard(from: PageIdentity, message: PanelMessage): void;
  /** A frame was loaded anew on this page: INITIALIZED is due again. */
  loaded(page: string): void;
  /** The engagement that the portal made for a call. */
  engaged(externalCallId: string, engagementId: string): void;
  findings(): readonly LintFinding[];
}

/** Every word of the panel that HubSpot knows. */
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
const aboutCalls = new Set([
  'OUTGOING_CALL_STARTED',
  'INCOMING_CALL',
  'CALL_ANSWERED',
  'CALL_TRANSFERRED',
  'CALL_ENDED',
  'CALL_COMPLETED',
  'FINALIZE_ENGAGEMENT',
  'PUBLISH_TO_CHANNEL',
]);
const endStatuses = new Set(['COMPLETED', 'FAILED', 'CANCELED', 'BUSY', 'NO_ANSWER', 'REJECTED', 'MISSED']);

export function createWireLint(portal: Portal): WireLint {
  const pages = new Map<string, { saidLoggedOut: boolean }>();
  const calls = new Map<string, { ended: boolean; completed: boolean; engagementId?: string }>();
  const found: LintFinding[] = [];

  function heard(from: PageIdentity, { type, data }: PanelMessage): void {
    const complain = (rule: string, text: string): void => {
      found.push({ at: Date.now(), page: from.page, rule, text });
    };
    if (!known.has(type)) complain('unknown-message', `${type} is no message of the calling contract.`);
    const page = pages.get(from.page);
    if (type === 'INITIALIZED') pages.set(from.page, { saidLoggedOut: data.isLoggedIn === false });
    else if (!page) complain('before-initialized', `${type} was sent before INITIALIZED.`);
    if (type === 'LOGGED_IN' && page && !page.saidLoggedOut)
      complain('unasked-login', 'LOGGED_IN follows only an INITIALIZED with isLoggedIn: false, or LOGGED_OUT.');
    if (page && type === 'LOGGED_IN') page.saidLoggedOut = false;
    if (page && type === 'LOGGED_OUT') page.saidLoggedOut = true;
    if (from.location === 'remote' && from.usesCallingWindow && aboutCalls.has(type))
      complain('remote-speaks', `${type} came from a remote frame, but the calling window owns the calls.`);
    switch (type) {
      case 'OUTGOING_CALL_STARTED':
      case 'INCOMING_CALL':
        started(from, type, data, complain);
        return;
      case 'CALL_ANSWERED':
      case 'CALL_TRANSFERRED':
      case 'CALL_ENDED':
        progressed(type, data, complain);
        return;
      case 'CALL_COMPLETED':
        completed(data, complain);
        return;
      case 'RESIZE_WIDGET':
        if (typeof data.width !== 'number' || typeof data.height !== 'number')
          complain('size', 'RESIZE_WIDGET needs width and height as numbers.');
        return;
      default:
    }
  }

  type Complain = (rule: string, text: string) => void;

  function started(from: PageIdentity, type: string, data: PanelMessage['data'], complain: Complain): void {
    const id = data.externalCallId;
    if (typeof id !== 'string' || id === '')
      complain('external-call-id', `${type} needs an externalCallId that is a non-empty string.`);
    if (type === 'INCOMING_CALL' && typeof data.fromNumber !== 'string')
      complain('from-number', 'INCOMING_CALL needs fromNumber.');
    if (data.callStartTime !== undefined && typeof data.callStartTime !== 'number')
      complain('start-time', `${type}: callStartTime is a number of milliseconds.`);
    if (type === 'INCOMING_CALL' && from.location === 'widget') {
      complain('inbound-widget', 'INCOMING_CALL from a widget is ignored: the app has no inbound support there.');
      return;
    }
    if (type === 'INCOMING_CALL' && !from.inboundSupported)
      complain(
        'inbound-unsupported',
        'INCOMING_CALL is ignored: supportsInboundCalling is off in the calling settings.',
      );
    if (calls.has(`${id}`)) complain('duplicate-start', `${type} came twice for call ${String(id)}.`);
    else calls.set(`${id}`, { ended: false, completed: false });
  }

  function progressed(type: string, data: PanelMessage['data'], complain: Complain): void {
    const call = calls.get(`${data.externalCallId}`);
    if (!call) {
      complain('unknown-call', `${type} for call ${String(data.externalCallId)}, which was never started.`);
      return;
    }
    if (type !== 'CALL_ENDED') {
      if (call.ended) complain('after-ended', `${type} for call ${String(data.externalCallId)} after CALL_ENDED.`);
      return;
    }
    if (call.ended) complain('ended-twice', `CALL_ENDED came twice for call ${String(data.externalCallId)}.`);
    call.ended = true;
    if (data.callEndStatus !== undefined && !endStatuses.has(`${data.callEndStatus}`))
      complain('end-status', `${String(data.callEndStatus)} is no callEndStatus.`);
  }

  function completed(data: PanelMessage['data'], complain: Complain): void {
    const id = `${data.externalCallId}`;
    const call = calls.get(id);
    if (!call) complain('unknown-call', `CALL_COMPLETED for call ${id}, which was never started.`);
    else if (!call.ended) complain('completed-before-ended', `CALL_COMPLETED for call ${id} before CALL_ENDED.`);
    if (call?.completed) complain('completed-twice', `CALL_COMPLETED came twice for call ${id}.`);
    if (call) call.completed = true;
    const { engagementId, engagementProperties } = data;
    if (call?.engagementId !== undefined && engagementId !== undefined && `${engagementId}` !== call.engagementId)
      complain(
        'second-engagement',
        `Call ${id} has engagement ${call.engagementId}, CALL_COMPLETED names ${String(engagementId)}.`,
      );
    if (typeof engagementProperties !== 'object' || engagementProperties === null) return;
    for (const [name, value] of Object.entries(engagementProperties))
      if (typeof value !== 'string') complain('string-properties', `engagementProperties.${name} is no string.`);
  }

  /** Looked for anew every time: the second engagement may come from anywhere, REST included. */
  function doubles(): LintFinding[] {
    return [...calls.keys()].flatMap((id) => {
      const twins = portal.all('calls').filter((record) => record.properties.hs_call_external_id === id);
      const last = twins.at(-1);
      if (twins.length < 2 || !last) return [];
      const text = `Call ${id} has ${twins.length} engagements.`;
      return [{ at: Date.parse(last.createdAt), page: '', rule: 'more-than-one-engagement', text }];
    });
  }

  return {
    heard,
    loaded: (page) => void pages.delete(page),
    engaged(externalCallId, engagementId) {
      const call = calls.get(externalCallId);
      if (call) call.engagementId = engagementId;
    },
    findings: () => [...found, ...doubles()],
  };
}
