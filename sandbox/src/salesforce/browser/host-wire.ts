/**
 * Owns the host's end of the Open CTI wire: who may speak, what a reply looks like, which faults are on order, and when a
 * listener hears something (the Salesforce contract, section 1.3). Must never decide what a method does: `methods` does.
 */
import { postJson } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';
import { isRecord } from './org-state.ts';

export interface WireRequest {
  readonly methodName: string;
  readonly callId: number;
  readonly apiVersion: number;
  readonly apiType: 'opencti';
  readonly isCallbackRegistered: boolean;
  readonly isListenerRegistered: boolean;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface WireResponse {
  readonly success: boolean;
  readonly returnValue: unknown;
  readonly errors: readonly { code: string; description: string; details?: unknown }[] | null;
}

export const done: WireResponse = { success: true, returnValue: null, errors: null };
export const value = (returnValue: unknown): WireResponse => ({ success: true, returnValue, errors: null });
export const failure = (code: string, description: string, details?: unknown): WireResponse => ({
  success: false,
  returnValue: null,
  errors: [details === undefined ? { code, description } : { code, description, details }],
});
export const badParameter = (name: string, wanted: string, given: unknown): WireResponse =>
  failure(
    'INVALID_PARAM',
    `An invalid value was passed to the parameter ${name}. A ${wanted} value was expected, but ${given === undefined ? 'undefined' : typeof given} was found instead.`,
  );

interface Fault {
  readonly fault: string;
  readonly delayMs?: number;
  readonly message?: string;
}

/** What a fault answers in place of the method; undefined for faults that let the method run. */
function refusal({ fault, message }: Fault): unknown {
  switch (fault) {
    case 'host-error':
      return failure('GENERIC_ERROR', message ?? 'The host was told to fail.');
    case 'host-invalid-param':
      return failure('INVALID_PARAM', message ?? 'An invalid value was passed to a parameter.');
    case 'host-server-error':
      return failure('SERVER_ERROR', message ?? 'A problem was encountered on the server.');
    case 'host-container-error':
      return failure(
        'SOFTPHONE_CONTAINER_ERROR',
        message ?? "Unable to execute sendPostMessage because the softphone container hasn't initialized yet.",
      );
    case 'host-error-text':
      return { success: false, returnValue: null, errors: [message ?? 'The host was told to fail.'] };
    case 'host-error-singular':
      return {
        success: false,
        returnValue: null,
        error: [{ code: 'GENERIC_ERROR', description: message ?? 'The host was told to fail.' }],
      };
    default:
      return undefined;
  }
}

export interface HostWire {
  /** Tells a listener of the panel, if it registered one. Answers whether it did. */
  fire(methodName: string, payload: unknown, eventName?: string): boolean;
  /** Forgets what a panel registered: its frame is gone. Answers that are still on their way go to whatever frame comes next. */
  forget(): void;
  /** Delivers the answers that `host-held` kept, oldest first, into the frame there is now. Answers how many. */
  release(): number;
}

/** Listens for the panel in `frame()` at `panelOrigin` and answers through `perform`. */
export function createHostWire(options: {
  frame: () => HTMLIFrameElement | undefined;
  panelOrigin: string;
  page: string;
  user: string;
  perform: (request: WireRequest) => Promise<WireResponse> | WireResponse;
  /** Makes the frame anew, for the fault that asks for it. */
  reload: () => void;
}): HostWire {
  const listening = new Set<string>();
  const held: unknown[] = [];
  /** Answers from before a reload, waiting for the call of the new page that carries the same number. */
  let stale: { readonly methodName: string; readonly callId: number }[] = [];
  let apiVersion: number | undefined;
  let generation = 0;
  // One after the other, so that two commands of the panel cannot overtake each other on their way through the fault check.
  let queue: Promise<void> = Promise.resolve();

  const post = (message: unknown): void => options.frame()?.contentWindow?.postMessage(message, options.panelOrigin);

  async function hear(request: WireRequest, from: number): Promise<void> {
    const { methodName, callId, args } = request;
    const mine = (): boolean => from === generation;
    for (const answer of stale.filter((one) => one.methodName === methodName && one.callId === callId)) {
      stale = stale.filter((one) => one !== answer);
      post(answer);
    }
    if (mine()) apiVersion = request.apiVersion;
    const reported = await postJson('/sandbox/host', { page: options.page, user: options.user, message: request });
    const fault = (reported.value as { fault?: Fault } | undefined)?.fault;
    if (mine() && request.isListenerRegistered && methodName !== 'subscribe') listening.add(methodName);
    if (!request.isCallbackRegistered && request.isListenerRegistered) return;
    const response = (fault && refusal(fault)) ?? (await options.perform(request));
    if (mine() && isRecord(response) && response.success === true) {
      if (methodName === 'subscribe') listening.add(`${args.eventName}`);
      if (methodName === 'unsubscribe') listening.delete(`${args.eventName}`);
    }
    if (!request.isCallbackRegistered || fault?.fault === 'host-never') return;
    const reply = {
      apiVersion: request.apiVersion,
      apiType: 'opencti',
      methodName,
      callId,
      eventName: args.eventName,
      shouldExecuteCallback: true,
      shouldExecuteListener: false,
      response,
    };
    switch (fault?.fault) {
      case 'host-late':
        setTimeout(() => post(reply), fault.delayMs ?? 3000);
        return;
      case 'host-held':
        held.push(reply);
        return;
      case 'host-reload':
        options.reload();
        stale.push(reply);
        return;
      case 'host-wrong-origin':
        return strangerSays(reply, options.frame());
      case 'host-other-version':
        return post({ ...reply, apiVersion: request.apiVersion + 1 });
      case 'host-twice':
        post(reply);
        post(reply);
        return;
      default:
        post(reply);
    }
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (event.origin !== options.panelOrigin || event.source !== options.frame()?.contentWindow) return;
    if (!isRequest(event.data)) return;
    const request = event.data;
    const from = generation;
    queue = queue.then(() => hear(request, from)).catch((error: unknown) => console.error('sandbox host:', error));
  });

  return {
    fire(methodName, payload, eventName) {
      if (apiVersion === undefined || !listening.has(eventName ?? methodName)) return false;
      post({
        apiVersion,
        apiType: 'opencti',
        methodName,
        eventName,
        shouldExecuteCallback: false,
        shouldExecuteListener: true,
        response: payload,
      });
      return true;
    },
    forget() {
      generation += 1;
      listening.clear();
      apiVersion = undefined;
    },
    release() {
      const all = held.splice(0);
      for (const reply of all) post(reply);
      return all.length;
    },
  };
}

/** The format that the org checks of every message. */
function isRequest(data: unknown): data is WireRequest {
  return (
    isRecord(data) &&
    data.apiType === 'opencti' &&
    typeof data.methodName === 'string' &&
    Number.isInteger(data.callId) &&
    Number.isInteger(data.apiVersion) &&
    isRecord(data.args)
  );
}
