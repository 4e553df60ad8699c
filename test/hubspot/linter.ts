/**
 * Owns the rules that a calling app keeps towards HubSpot (the HubSpot contract, sections 1.3 and 1.5), over all frames of one account. Must never
 * answer anything: it only remembers what was broken.
 */

export type FrameLocation = 'widget' | 'remote' | 'window';

/** A message of the phone, as HubSpot's page got it. */
export interface Said {
  /** One load of one frame. */
  readonly frame: string;
  readonly location: FrameLocation;
  readonly usesCallingWindow: boolean;
  readonly type: string;
  readonly messageId: unknown;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Linter {
  hear(said: Said): void;
  readonly breaches: readonly string[];
}

const endStatuses = new Set(['COMPLETED', 'FAILED', 'CANCELED', 'BUSY', 'NO_ANSWER', 'REJECTED', 'MISSED']);
/** What each step of a call may follow; the start follows nothing. */
const before: Readonly<Record<string, readonly string[]>> = {
  CALL_ANSWERED: ['start'],
  CALL_TRANSFERRED: ['start', 'CALL_ANSWERED'],
  CALL_ENDED: ['start', 'CALL_ANSWERED', 'CALL_TRANSFERRED'],
  CALL_COMPLETED: ['CALL_ENDED'],
  FINALIZE_ENGAGEMENT: ['CALL_COMPLETED'],
};
const starts = new Set(['INCOMING_CALL', 'OUTGOING_CALL_STARTED']);
const others = new Set([
  ...['SYNC_ACK', 'INITIALIZED', 'LOGGED_IN', 'LOGGED_OUT', 'USER_AVAILABLE', 'USER_UNAVAILABLE'],
  ...['NAVIGATE_TO_RECORD', 'RESIZE_WIDGET'],
]);
const ofMirrors = new Set(['SYNC_ACK', 'INITIALIZED', 'NAVIGATE_TO_RECORD']);

export function createLinter(): Linter {
  const breaches: string[] = [];
  const ready = new Set<string>();
  const calls = new Map<string, string>();
  return {
    breaches,
    hear({ frame, location, usesCallingWindow, type, messageId, data }) {
      const breach = (words: string): void => {
        breaches.push(`${type} from ${frame}: ${words}`);
      };
      if (typeof messageId !== 'string' || messageId === '') breach('no messageId');
      if (type === 'INITIALIZED') {
        if (ready.has(frame)) breach('a second time');
        ready.add(frame);
      } else if (type !== 'SYNC_ACK' && !ready.has(frame)) breach('before INITIALIZED');
      if (location === 'remote' && usesCallingWindow && !ofMirrors.has(type)) breach('a remote beside a window spoke');
      if (others.has(type)) return;
      const id = data.externalCallId;
      if (typeof id !== 'string' || id === '') return breach('no externalCallId');
      const at = calls.get(id);
      if (starts.has(type)) {
        if (at !== undefined) breach('a second start');
        for (const key of ['fromNumber', 'toNumber'])
          if (data[key] !== undefined && typeof data[key] !== 'string') breach(`${key} is no text`);
        if (typeof data.createEngagement !== 'boolean') breach('does not say who creates');
        calls.set(id, 'start');
        return;
      }
      const allowed = before[type];
      if (allowed === undefined) return breach('HubSpot knows no such message');
      if (at === undefined || !allowed.includes(at)) breach(`after ${at ?? 'nothing'}`);
      calls.set(id, type);
      if (type === 'CALL_ENDED' && !endStatuses.has(String(data.callEndStatus))) breach(`status ${data.callEndStatus}`);
      if (data.engagementId !== undefined && typeof data.engagementId !== 'number') breach('engagementId is no number');
      const properties = data.engagementProperties ?? {};
      if (typeof properties !== 'object' || Object.values(properties).some((value) => typeof value !== 'string'))
        breach('engagementProperties are not all texts');
    },
  };
}
