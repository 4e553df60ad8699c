/**
 * Owns the host's end of the calling wire in the page: the SYNC loop on every load of the frame, who may speak, and the posting
 * of replies with their faults (the HubSpot contract, sections 1.3 and 1.8). Must never know what a message means: the server's
 * call desk and the page do.
 */
import { postJson } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';

export interface PanelMessage {
  readonly type: string;
  readonly messageId?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface Heard {
  readonly replies?: readonly PanelMessage[];
  readonly lint?: number;
  readonly fault?: { readonly fault: string; readonly delayMs?: number };
}

export interface HostWire {
  send(type: string, data?: Readonly<Record<string, unknown>>): void;
  /** Starts the handshake again: called on every load of the frame. */
  sync(): void;
}

const syncEveryMs = 100;
const syncForMs = 30_000;

export function createHostWire(options: {
  frame: () => HTMLIFrameElement | undefined;
  panelOrigin: string;
  /** What SYNC carries beside `hostUrl`, and what a report says about this page. */
  context: () => Readonly<Record<string, unknown>>;
  report: () => Readonly<Record<string, unknown>>;
  onSynced: (version: unknown) => void;
  onSyncFailed: () => void;
  onMessage: (message: PanelMessage, failed: boolean) => void;
  onLint: (count: number) => void;
}): HostWire {
  const instanceId = `${Date.now()}`.split('').reverse().join('');
  let syncing: ReturnType<typeof setInterval> | undefined;
  let queue: Promise<void> = Promise.resolve();
  let sent = 0;

  function post(type: string, rest: Readonly<Record<string, unknown>>): void {
    sent += 1;
    options
      .frame()
      ?.contentWindow?.postMessage(
        { type, messageId: `${instanceId}_${Date.now()}_${sent}`, ...rest },
        options.panelOrigin,
      );
  }

  function sync(): void {
    clearInterval(syncing);
    const first = Date.now();
    const once = (): void => {
      if (Date.now() - first <= syncForMs) {
        post('SYNC', { hostUrl: location.origin, ...options.context() });
        return;
      }
      clearInterval(syncing);
      options.onSyncFailed();
    };
    syncing = setInterval(once, syncEveryMs);
    once();
  }

  async function hear(message: PanelMessage): Promise<void> {
    const { value } = await postJson('/sandbox/host', { ...options.report(), message });
    const heard = (value ?? {}) as Heard;
    options.onLint(heard.lint ?? 0);
    const { fault, delayMs } = heard.fault ?? { fault: '' };
    const replies = fault === 'host-reversed' ? [...(heard.replies ?? [])].reverse() : (heard.replies ?? []);
    const reply = (): void => {
      for (const one of replies) post(one.type, one.data === undefined ? {} : { data: one.data });
    };
    options.onMessage(
      message,
      replies.some((one) => one.type === `${message.type}_FAILED`),
    );
    if (fault === 'host-never') return;
    if (fault === 'host-late') setTimeout(reply, delayMs ?? 3000);
    else if (fault === 'host-wrong-origin')
      for (const one of replies) strangerSays({ ...one, messageId: `stranger_${Date.now()}` }, options.frame());
    else reply();
    if (fault === 'host-twice') reply();
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    if (event.origin !== options.panelOrigin || event.source !== options.frame()?.contentWindow) return;
    const message = event.data as (PanelMessage & { version?: unknown }) | null;
    if (typeof message !== 'object' || message === null || !message.type || !message.messageId) return;
    if (message.type === 'SYNC_ACK') {
      if (syncing === undefined) return;
      clearInterval(syncing);
      syncing = undefined;
      options.onSynced(message.version);
    }
    queue = queue.then(() => hear(message)).catch((error: unknown) => console.error('sandbox host:', error));
  });

  return { send: (type, data) => post(type, data === undefined ? {} : { data }), sync };
}
