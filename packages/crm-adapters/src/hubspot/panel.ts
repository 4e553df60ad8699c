/**
 * Owns the panel half of the HubSpot adapter, over HubSpot's own SDK. The SDK keeps no queue, trusts whoever says SYNC first and prints
 * numbers; all three are put right here (HubSpot contract, section 1.1). In a remote frame beside a calling window nothing about calls is told:
 * the window frame tells it. Must never let HubSpot create or change a log: the relay does.
 */
import * as sdkModule from '@hubspot/calling-extensions-sdk';
import { PatchcordError } from '@patchcord/call-protocol';
import type { DialRequest, PanelHost, PanelHostOptions } from '../panel-contract.ts';
import { listeners, settledOnce, withDeadline } from '../waiting.ts';
import {
  coordinatesOf,
  endStatuses,
  type HostContext,
  mayPass,
  readContext,
  readDial,
  readFailedNavigation,
  readMatches,
  startMessage,
} from './wire.ts';

/** HubSpot's page repeats SYNC every 100 ms from the moment our frame has loaded. */
const defaultTimeoutMs = 5_000;
/** A second DIAL_NUMBER for the same number within this time is the same click. */
const sameClickMs = 2_000;
/** HubSpot says nothing when a record opened, only when it did not. */
const refusalWithinMs = 500;

interface Sdk {
  sendMessage(message: { type: string; data?: object }): void;
  readonly iFrameManager: { logDebugMessage: (...parts: unknown[]) => void; remove(): void };
}
type Handler = (data: unknown) => void;
type SdkClass = new (options: { debugMode: boolean; eventHandlers: Record<string, Handler> }) => Sdk;

/** Bundlers take the SDK's ESM build, where the class is the default; Node's loader wraps its CommonJS build once more. */
function sdkClass(): SdkClass {
  const module: unknown = sdkModule.default;
  return (typeof module === 'function' ? module : (module as { default: unknown }).default) as SdkClass;
}

type Step = 'started' | 'answered' | 'ended' | 'completed';
/** Calls of a shift; remembered so that no step is ever told twice. */
const rememberedCalls = 500;

export function createHubSpotPanel(options: PanelHostOptions): PanelHost {
  const { window } = options;
  const dialled = listeners<readonly [DialRequest]>();
  const hangUps = listeners<readonly []>();
  const matches = listeners<Parameters<Parameters<PanelHost['onMatchesFound']>[0]>>();
  const ready = settledOnce<HostContext>();
  const calls = new Map<string, { step: Step; inbound: boolean }>();
  const navigations = new Map<number, (error: PatchcordError) => void>();
  let sdk: Sdk | null = null;
  let context: HostContext | null = null;
  let waiting: { type: string; data?: object }[] = [];
  let signedIn = false;
  let available = false;
  let lastDial = { number: '', heardAt: Number.NEGATIVE_INFINITY };

  function guard(event: MessageEvent<unknown>): void {
    if (!mayPass(event, window.parent, options.hostOrigins)) event.stopImmediatePropagation();
  }

  /** In order, and nothing before INITIALIZED: what the SDK is told earlier is lost. */
  function send(type: string, data?: object): void {
    const message = data === undefined ? { type } : { type, data };
    if (context === null || sdk === null) waiting.push(message);
    else sdk.sendMessage(message);
  }

  /** One step of a call, told by the frame that owns it, each once. */
  function tell(type: string, data?: object): void {
    if (!isMirror()) send(type, data);
  }

  /** A remote frame beside a calling window: the window frame talks to HubSpot, or every tab would announce the same call. */
  function isMirror(): boolean {
    return context?.location === 'remote' && context.usesCallingWindow;
  }

  function onReady(data: unknown): void {
    if (context !== null) return;
    context = readContext(data);
    sdk?.sendMessage({ type: 'INITIALIZED', data: { isLoggedIn: false, isAvailable: false } });
    const queued = waiting;
    waiting = [];
    for (const message of queued)
      if (!isMirror() || message.type === 'NAVIGATE_TO_RECORD') send(message.type, message.data);
    ready.resolve(context);
  }

  function onDial(data: unknown): void {
    const dial = readDial(data);
    if (dial === null) return;
    const now = Date.now();
    if (dial.number === lastDial.number && now - lastDial.heardAt < sameClickMs) return;
    lastDial = { number: dial.number, heardAt: now };
    const { at: _at, ...request } = dial;
    dialled.tell(request);
  }

  function onMatches(data: unknown): void {
    const { callId, records } = readMatches(data);
    const ringing = [...calls]
      .filter(([, call]) => call.inbound && (call.step === 'started' || call.step === 'answered'))
      .at(-1)?.[0];
    const id = callId !== null && calls.has(callId) ? callId : ringing;
    if (id !== undefined && records.length > 0) matches.tell(id, records);
  }

  function connect(): void {
    if (sdk !== null) return;
    // Before the SDK's own listener: whatever does not come from HubSpot's page never reaches it.
    window.addEventListener('message', guard);
    sdk = new (sdkClass())({
      debugMode: false,
      eventHandlers: {
        onReady,
        onDialNumber: onDial,
        onEndCall: () => hangUps.tell(),
        onCallerIdMatchSucceeded: onMatches,
        onNavigateToRecordFailed: (data) => {
          const id = readFailedNavigation(data);
          for (const [objectId, refuse] of navigations)
            if (id === null || id === objectId)
              refuse(
                new PatchcordError(
                  'host.refused',
                  'HubSpot did not open the record. Open it from the list of contacts.',
                ),
              );
        },
        // The SDK looks its collective handler up under this name, not under `onFailed`.
        FAILED: () => {},
        defaultEventHandler: () => {},
      },
    });
    // The SDK prints every message, numbers included, whatever its debug mode.
    sdk.iFrameManager.logDebugMessage = () => {};
  }

  return {
    crm: 'hubspot',
    can: { proveIdentity: false, pops: ['record'], clickToDial: true, raise: true },
    async start() {
      if (window.parent === window)
        throw new PatchcordError(
          'host.absent',
          'This page is the phone inside HubSpot. Open HubSpot and choose Patchcord under "Make and receive calls through" in Settings > Calling.',
        );
      connect();
      await withDeadline(
        ready.promise,
        options.hostTimeoutMs ?? defaultTimeoutMs,
        () =>
          new PatchcordError(
            'host.silent',
            'HubSpot did not greet the phone. Reload the page. If it stays, an administrator should check that Patchcord is the calling app of this account and that HubSpot’s address is among the tenant’s host origins.',
            { retryable: true },
          ),
      );
    },
    proveIdentity: () => Promise.resolve(null),
    audienceKey() {
      const { portalId, userId } = context ?? { portalId: null, userId: null };
      return portalId === null || userId === null ? null : `${portalId}:${userId}`;
    },
    showAvailability(state) {
      if (state.signedIn !== signedIn) {
        signedIn = state.signedIn;
        tell(signedIn ? 'LOGGED_IN' : 'LOGGED_OUT');
      }
      const now = state.signedIn && state.available;
      if (now === available) return;
      available = now;
      tell(now ? 'USER_AVAILABLE' : 'USER_UNAVAILABLE');
    },
    async pop(target) {
      const { portalId } = await withDeadline(
        ready.promise,
        options.hostTimeoutMs ?? defaultTimeoutMs,
        () =>
          new PatchcordError('host.silent', 'HubSpot did not greet the phone. Reload the page.', { retryable: true }),
      );
      const coordinates = portalId === null || target.kind !== 'record' ? null : coordinatesOf(target.record, portalId);
      if (coordinates === null)
        throw new PatchcordError('host.refused', 'HubSpot opens contacts and companies from the phone, nothing else.');
      const refused = settledOnce<never>();
      navigations.set(coordinates.objectId, refused.reject);
      send('NAVIGATE_TO_RECORD', { objectCoordinates: coordinates });
      try {
        await Promise.race([refused.promise, new Promise((resolve) => setTimeout(resolve, refusalWithinMs))]);
      } finally {
        navigations.delete(coordinates.objectId);
      }
    },
    callStarted(call) {
      if (calls.has(call.id)) return;
      calls.set(call.id, { step: 'started', inbound: call.direction === 'inbound' });
      const oldest = calls.size > rememberedCalls ? calls.keys().next().value : undefined;
      if (oldest !== undefined) calls.delete(oldest);
      const { type, data } = startMessage(call);
      tell(type, data);
    },
    callAnswered(call) {
      const known = calls.get(call.id);
      if (known?.step !== 'started') return;
      known.step = 'answered';
      tell('CALL_ANSWERED', { externalCallId: call.id });
    },
    callEnded(call, outcome) {
      const known = calls.get(call.id);
      if (known === undefined || known.step === 'ended' || known.step === 'completed') return;
      known.step = 'ended';
      tell('CALL_ENDED', { externalCallId: call.id, callEndStatus: endStatuses[outcome] });
    },
    callCompleted(call) {
      const known = calls.get(call.id);
      if (known?.step !== 'ended') return;
      known.step = 'completed';
      // The phone stays open for the next call; a hidden calling window would be a closed line. No engagement is named: HubSpot would put
      // the relay's log on whatever record is on the screen.
      tell('CALL_COMPLETED', { externalCallId: call.id, hideWidget: false });
    },
    logSaved() {},
    showState() {},
    onDialRequested: dialled.add,
    onRecordShown: () => () => {},
    onHangUpRequested: hangUps.add,
    onMatchesFound: matches.add,
    stop() {
      sdk?.iFrameManager.remove();
      window.removeEventListener('message', guard);
      sdk = null;
      waiting = [];
      dialled.clear();
      hangUps.clear();
      matches.clear();
    },
  };
}
