/**
 * Owns the panel half of the HubSpot adapter: which frame this is and what it may say, and who hears what HubSpot says. The SDK is calling-sdk.ts,
 * the life of a call call-telling.ts. In a remote frame beside a calling window nothing is told but INITIALIZED and records to open: the window
 * frame tells the rest. Must never write a log: the relay does, whoever made it.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, HostCall, LogCreation, PanelHost, PanelHostOptions } from '../panel-contract.ts';
import { listeners, listenersOfState, withDeadline } from '../waiting.ts';
import { createCallTelling } from './call-telling.ts';
import { createCallingSdk } from './calling-sdk.ts';
import { createDialReading } from './dial-reading.ts';
import { createRecordOpening } from './record-opening.ts';
import { isMirror, objectOf, readEngagement, readMatches } from './wire.ts';

/** HubSpot's page repeats SYNC every 100 ms from the moment our frame has loaded. */
const defaultTimeoutMs = 5_000;
/** HubSpot tells which record is in front of the agent by the way, never that it is left. */
const inFrontMs = 60_000;
const size = { width: 400, height: 650 };
/** Room for note, disposition and record. */
const wrapUpHeight = 760;

export function createHubSpotPanel(options: PanelHostOptions): PanelHost {
  const { window, hostOrigins } = options;
  const hostTimeoutMs = options.hostTimeoutMs ?? defaultTimeoutMs;
  const dialled = listeners<readonly [DialRequest]>();
  const hangUps = listeners<readonly []>();
  const looked = listeners<readonly []>();
  const matches = listeners<Parameters<Parameters<PanelHost['onMatchesFound']>[0]>>();
  const logs = listeners<readonly [string, LogCreation]>();
  const shown = listenersOfState<RecordRef | null>(
    (one, other) => one?.id === other?.id && one?.object === other?.object,
  );
  const refused = new Map<string, string>();
  const readClick = createDialReading();
  let signedIn = false;
  let available = false;
  let height = size.height;
  let leaves: ReturnType<typeof setTimeout> | undefined;
  let opened: Window | null = null;

  const sdk = createCallingSdk({
    window,
    hostOrigins,
    greeting: ({ engagementId }) => ({
      isLoggedIn: signedIn,
      isAvailable: available,
      sizeInfo: size,
      ...(engagementId === null ? {} : { engagementId }),
    }),
    hear,
  });
  const calls = createCallTelling({ say: sdk.say, context: sdk.context, onLog: logs.tell });
  const records = createRecordOpening({
    sdk,
    // A click in this frame counts for the page around it as well.
    mayOpenTab: () => window.navigator.userActivation?.isActive === true,
    hostTimeoutMs,
    liveEngagement: calls.liveEngagement,
    opened: ({ record }) => showRecord(record),
  });

  /**
   * Told by the frame that owns the line; a frame that never does says nothing of it. A widget lies on a record page for calls that go out: HubSpot
   * ignores there what comes in, and would never answer.
   */
  function tell(call: HostCall, run: () => void, unheard?: () => void): void {
    sdk.whenGreeted(() => {
      const context = sdk.context();
      if (isMirror(context)) return;
      if (call.direction === 'outbound' || context?.location !== 'widget') run();
      else unheard?.();
    });
  }

  function showRecord(record: RecordRef | null): void {
    clearTimeout(leaves);
    shown.tell(record);
    if (record !== null) leaves = setTimeout(() => shown.tell(null), inFrontMs);
  }

  const hearing: Readonly<Record<string, (data: unknown) => void>> = {
    DIAL_NUMBER(data) {
      const click = readClick(data);
      if (click === null) return;
      showRecord(click.viewed ?? null);
      dialled.tell(click);
    },
    END_CALL: () => hangUps.tell(),
    VISIBILITY_CHANGED(data) {
      const { isMinimized, isHidden } = objectOf(data);
      if (isMinimized !== true && isHidden !== true) looked.tell();
    },
    CALLER_ID_MATCH_SUCCEEDED(data) {
      const { callId, records: found } = readMatches(data);
      const call = found.length === 0 ? null : calls.matchedCall(callId);
      if (call !== null) matches.tell(call, found);
    },
    CREATE_ENGAGEMENT_SUCCEEDED: calls.created,
    ENGAGEMENT_CREATED: calls.created,
    CREATE_ENGAGEMENT_FAILED: calls.refused,
    NAVIGATE_TO_RECORD_FAILED: records.refused,
  };

  function hear(type: string, data: unknown): void {
    // Every refusal is kept for whoever looks for the reason; some are acted on as well. A call of no help-desk channel is never finalized there.
    if (type.endsWith('_FAILED') && type !== 'FINALIZE_ENGAGEMENT_FAILED')
      refused.set(
        type,
        `${type.slice(0, -7).replaceAll('_', ' ').toLowerCase()} (${readEngagement(data).message || 'no reason given'})`,
      );
    hearing[type]?.(data);
  }

  return {
    crm: 'hubspot',
    can: { proveIdentity: false, pops: ['record'], clickToDial: true, raise: true, createsLogs: true },
    async start() {
      if (window.parent === window)
        throw new PatchcordError(
          'host.absent',
          'This page is the phone inside HubSpot. Open HubSpot and choose Patchcord under “Make and receive calls through” in Settings > Calling.',
        );
      sdk.connect();
      await withDeadline(
        sdk.greeted,
        hostTimeoutMs,
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
      const { portalId, userId } = sdk.context() ?? { portalId: null, userId: null };
      return portalId === null || userId === null ? null : `${portalId}:${userId}`;
    },
    async selfChecks() {
      const { hubspotSelfChecks } = await import('./self-checks.ts');
      return hubspotSelfChecks({
        window,
        hostOrigins,
        context: sdk.context,
        windowOpen: () => opened?.closed === false,
        refusals: () => [...refused.values()],
      });
    },
    holdsLine: () => (isMirror(sdk.context()) ? 'never' : 'elected'),
    openPhoneWindow() {
      const { hostUrl, portalId } = sdk.context() ?? { hostUrl: '', portalId: null };
      if (portalId === null || !hostOrigins.includes(hostUrl)) return false;
      // By its name first: a window that is there must not be loaded anew, its call would end.
      const found = window.open(
        '',
        'patchcord-calling-window',
        `popup,width=${size.width + 40},height=${wrapUpHeight}`,
      );
      if (found === null) return false;
      opened = found;
      try {
        if (found.location.href === 'about:blank')
          found.location.href = `${hostUrl}/calling-integration-popup-ui/${portalId}`;
      } catch {
        // HubSpot's page is in it already.
      }
      found.focus();
      return true;
    },
    onLogCreated: logs.add,
    showAvailability(state) {
      const before = { signedIn, available };
      signedIn = state.signedIn;
      available = state.signedIn && state.available;
      // Until HubSpot greets, INITIALIZED will say it.
      if (sdk.context() === null || isMirror(sdk.context())) return;
      if (signedIn !== before.signedIn) sdk.say(signedIn ? 'LOGGED_IN' : 'LOGGED_OUT');
      if (available !== before.available) sdk.say(available ? 'USER_AVAILABLE' : 'USER_UNAVAILABLE');
    },
    pop: (target, wish = {}) => records.open(target, wish),
    callStarted(call) {
      // Whoever calls in, the agent may have left that record long ago.
      if (call.direction === 'inbound') showRecord(null);
      tell(
        call,
        () => calls.started(call),
        () => {
          if (call.pageCreatesLog === true)
            logs.tell(call.id, { reason: 'HubSpot hears of no incoming calls in this frame.', certain: true });
        },
      );
    },
    callAnswered: (call) => tell(call, () => calls.answered(call)),
    callTransferred: (call) => tell(call, () => calls.transferred(call)),
    callEnded: (call, outcome) => tell(call, () => calls.ended(call, outcome)),
    callCompleted: (call) => tell(call, () => calls.completed(call)),
    logSaved() {},
    showState(state) {
      const wanted = state === 'wrap-up' ? wrapUpHeight : size.height;
      // Only there the phone lies on the page; a window keeps the size its agent gave it.
      if (wanted === height || sdk.context()?.location !== 'widget') return;
      height = wanted;
      sdk.say('RESIZE_WIDGET', { width: size.width, height });
    },
    onDialRequested: dialled.add,
    onRecordShown: shown.add,
    onLookedAt: looked.add,
    onHangUpRequested: hangUps.add,
    onMatchesFound: matches.add,
    stop() {
      sdk.stop();
      calls.stop();
      clearTimeout(leaves);
      for (const one of [dialled, hangUps, looked, matches, logs, shown]) one.clear();
    },
  };
}
