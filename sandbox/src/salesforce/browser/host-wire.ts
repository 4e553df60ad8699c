/**
 * Owns the host's end of the Open CTI wire: who may speak, what a reply looks like, which faults are on order, and when a
 * listener hears something (the Salesforce contract, section 1.3). Must never decide what a method does: `methods` does.
 */
import { postJson } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';

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

interface Fault {
  readonly fault: string;
  readonly delayMs?: number;
  readonly message?: string;
}

export interface HostWire {
  /** Tells a listener of the panel, if it registered one. Answers whether it did. */
  fire(methodName: string, payload: unknown, eventName?: string): boolean;
  /** Forgets what a panel registered: its frame was loaded anew. */
  forget(): void;
}

/** Listens for the panel in `frame()` at `panelOrigin` and answers through `perform`. */
export function createHostWire(options: {
  frame: () => HTMLIFrameElement | undefined;
  panelOrigin: string;
  page: string;
  user: string;
  perform: (request: WireRequest) => Promise<WireResponse> | WireResponse;
}): HostWire {
  const listening = new Set<string>();
  let apiVersion: number | undefined;
  // One after the other, so that two commands of the panel cannot overtake each other on their way through the fault check.
  let queue: Promise<void> = Promise.resolve();

  const post = (message: unknown): void => options.frame()?.contentWindow?.postMessage(message, options.panelOrigin);

  async function hear(request: WireRequest): Promise<void> {
    apiVersion = request.apiVersion;
    const reported = await postJson('/sandbox/host', { page: options.page, user: options.user, message: request });
    const fault = (reported.value as { fault?: Fault } | undefined)?.fault;
    if (request.isListenerRegistered) listening.add(`${request.args.eventName ?? request.methodName}`);
    if (request.methodName === 'unsubscribe') listening.delete(`${request.args.eventName}`);
    if (!request.isCallbackRegistered && request.isListenerRegistered) return;
    const response =
      fault?.fault === 'host-error'
        ? failure('GENERIC_ERROR', fault.message ?? 'The host was told to fail.')
        : await options.perform(request);
    if (!request.isCallbackRegistered || fault?.fault === 'host-never') return;
    const reply = {
      apiVersion: request.apiVersion,
      apiType: 'opencti',
      methodName: request.methodName,
      callId: request.callId,
      eventName: request.args.eventName,
      shouldExecuteCallback: true,
      shouldExecuteListener: false,
      response,
    };
    if (fault?.fault === 'host-late') setTimeout(() => post(reply), fault.delayMs ?? 3000);
    else if (fault?.fault === 'host-wrong-origin') strangerSays(reply, options.frame());
    else post(reply);
    if (fault?.fault === 'host-twice') post(reply);
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (event.origin !== options.panelOrigin || event.source !== options.frame()?.contentWindow) return;
    const request = event.data as WireRequest | null;
    if (typeof request !== 'object' || request === null || request.apiType !== 'opencti') return;
    queue = queue.then(() => hear(request)).catch((error: unknown) => console.error('sandbox host:', error));
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
      listening.clear();
      apiVersion = undefined;
    },
  };
}
