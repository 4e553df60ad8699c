/**
 * Owns HubSpot's calling SDK and what it needs to be safe (HubSpot contract, section 1.1): it trusts whoever says SYNC first, keeps no queue,
 * answers what it does not know with ERROR, takes some messages for replies and prints all of them. Must never let it hear a message that did not
 * pass the guard, nor say anything before INITIALIZED.
 */
import * as sdkModule from '@hubspot/calling-extensions-sdk';
import { settledOnce } from '../waiting.ts';
import { type HostContext, mayPass, objectOf, readContext } from './wire.ts';

interface Sdk {
  sendMessage(message: { type: string; data?: object }): void;
  readonly iFrameManager: {
    logDebugMessage: (...parts: unknown[]) => void;
    /** The SDK's own listener on the window. */
    readonly messageHandler: (event: { readonly data: unknown; readonly origin: string }) => void;
    remove(): void;
  };
}
type Handler = (data: unknown, event: unknown) => void;
type SdkClass = new (options: { debugMode: boolean; eventHandlers: Record<string, Handler> }) => Sdk;

/** Bundlers take the SDK's ESM build, where the class is the default; Node's loader wraps its CommonJS build once more. */
function sdkClass(): SdkClass {
  const module: unknown = sdkModule.default;
  return (typeof module === 'function' ? module : (module as { default: unknown }).default) as SdkClass;
}

export interface CallingSdk {
  /** Begins to listen; once. */
  connect(): void;
  /** What SYNC told about this frame; null before. */
  context(): HostContext | null;
  /** Settles with the first SYNC. */
  readonly greeted: Promise<HostContext>;
  /** Runs at once, or in the order asked for as soon as INITIALIZED was said. */
  whenGreeted(run: () => void): void;
  /** To HubSpot's page; nothing goes out before the page greeted. */
  say(type: string, data?: object): void;
  stop(): void;
}

export interface CallingSdkOptions {
  readonly window: Window;
  readonly hostOrigins: readonly string[];
  /** What INITIALIZED says. */
  readonly greeting: (context: HostContext) => object;
  /** Every message that is not SYNC, from HubSpot's page for certain, its data unchecked. */
  readonly hear: (type: string, data: unknown) => void;
}

export function createCallingSdk({ window, hostOrigins, greeting, hear }: CallingSdkOptions): CallingSdk {
  const greeted = settledOnce<HostContext>();
  let sdk: Sdk | null = null;
  let context: HostContext | null = null;
  let waiting: (() => void)[] = [];

  function guard({ source, origin, data }: MessageEvent<unknown>): void {
    if (!mayPass({ source, origin, data }, window.parent, hostOrigins)) return;
    const message = data as { readonly type: string; readonly messageId?: unknown };
    // A message whose id begins like the SDK's own ids is taken for a reply and dropped; we ask for none, so ours begin otherwise. SYNC is
    // echoed and keeps its id.
    const id = message.messageId;
    const passed = message.type === 'SYNC' || !id ? message : { ...message, messageId: `host_${String(id)}` };
    sdk?.iFrameManager.messageHandler({ data: passed, origin });
  }

  /** The first SYNC; HubSpot repeats it until it is answered, and the SDK answers once. */
  function onReady(data: unknown): void {
    if (context !== null) return;
    context = readContext(data);
    say('INITIALIZED', greeting(context));
    const queued = waiting;
    waiting = [];
    for (const run of queued) run();
    greeted.resolve(context);
  }

  function say(type: string, data?: object): void {
    if (context !== null) sdk?.sendMessage(data === undefined ? { type } : { type, data });
  }

  return {
    connect() {
      if (sdk !== null) return;
      window.addEventListener('message', guard);
      sdk = new (sdkClass())({
        debugMode: false,
        eventHandlers: {
          onReady,
          // Refusals come here as well, under no name of their own: the SDK would look a common handler up under `FAILED`, not `onFailed`.
          defaultEventHandler: (data, event) => hear(String(objectOf(event).type), data),
        },
      });
      const { iFrameManager } = sdk;
      // It listens to whoever speaks to the window. From here on it hears what the guard lets through; other listeners keep hearing all.
      window.removeEventListener('message', iFrameManager.messageHandler as unknown as EventListener);
      // It prints every message, numbers included, whatever its debug mode.
      iFrameManager.logDebugMessage = () => {};
    },
    context: () => context,
    greeted: greeted.promise,
    whenGreeted(run) {
      if (context === null) waiting.push(run);
      else run();
    },
    say,
    stop() {
      window.removeEventListener('message', guard);
      sdk?.iFrameManager.remove();
      sdk = null;
      waiting = [];
    },
  };
}
