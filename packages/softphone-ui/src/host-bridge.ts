/**
 * Between phone and host page: tells the host what the phone does, brings the host's wishes to the phone. Label and icon are shown by every
 * frame; the life of a call is told by the owner frame alone, each step once, and a new owner goes on where the last one stopped. Where the page
 * can make the log of a call, the relay is asked first whether it shall; the call itself never waits for that. Must never decide about a wish:
 * the model does.
 */
import type { CallId, LogCreator, PhoneEvent } from '@patchcord/call-protocol';
import type { DialRequest, HostCall, LogCreation, PanelHost } from '@patchcord/crm-adapters/panel';
import type { CallState, PhoneState, SharedPhone } from '@patchcord/phone-engine';
import type { KeptCall, ToldStep } from './kept-calls.ts';
import type { Numbers } from './numbers.ts';
import { texts } from './texts.ts';

export interface HostBridgeOptions {
  readonly host: PanelHost;
  readonly phone: SharedPhone;
  readonly numbers: () => Numbers;
  /** The agent's own, as the far side or a colleague knows it. */
  readonly nearNumber: () => string;
  readonly dial: (request: DialRequest) => void;
  readonly hangUp: () => void;
  readonly recordShown: Parameters<PanelHost['onRecordShown']>[0];
  readonly matchesFound: Parameters<PanelHost['onMatchesFound']>[0];
  /** Asks the relay who makes the log of a call; only for a page that can. */
  readonly logCreator: (call: CallId) => Promise<LogCreator>;
  /** What became of a log that the page was to make, once per call and log. */
  readonly logMade: (call: CallId, creation: LogCreation) => void;
  /** Everything the next owner would have to know, after every change. */
  readonly keep: (calls: readonly KeptCall[]) => void;
}

export interface HostBridge {
  /**
   * Calls of the owner before: what the host has heard of them is gone on with, of those in `resumable` as of this frame's own. To be called before
   * the phone has them.
   */
  takeOver(calls: readonly KeptCall[], resumable: ReadonlySet<CallId>): void;
  /** Puts down again what the next owner would have to know. */
  keep(): void;
  stop(): void;
}

interface Telling {
  call: CallState;
  /** What the host has heard, or hears as soon as nothing waits. */
  step: ToldStep;
  pageCreatesLog: boolean;
  logId: string | null;
  /** Steps that wait until it is known who makes the log; null: nothing waits. */
  behind: (() => void)[] | null;
}

/** The page did not say, so far, whether it made a log. */
const silent = '?';
/** Calls whose log the page may still name; more than an agent makes while one is under way. */
const rememberedCalls = 100;

/** Connects both until `stop`. */
export function startHostBridge(options: HostBridgeOptions): HostBridge {
  const { host, phone } = options;
  const told = new Map<CallId, Telling>();
  /** The log the relay was told of by call; null: of none. An empty id: that there is none; {@link silent}: of a silence. */
  const made = new Map<CallId, string | null>();
  let shown = '';
  let shownAvailability: boolean | null = null;
  let stopped = false;

  function show(state: PhoneState): void {
    const { kind, label } = hostState(state, options.numbers());
    if (shown !== `${kind} ${label}`) {
      shown = `${kind} ${label}`;
      host.showState(kind, label);
    }
    const available = state.available && state.line.status === 'ready';
    if (shownAvailability !== available) {
      shownAvailability = available;
      host.showAvailability({ signedIn: true, available });
    }
  }

  /** One step, in its order; the words are put together when it is told. */
  function say(telling: Telling, act: (call: HostCall) => void): void {
    const tell = (): void => act(toHostCall(telling, options));
    if (telling.behind === null) tell();
    else telling.behind.push(tell);
  }

  function begin(call: CallState): Telling {
    const asks = host.can.createsLogs === true;
    const telling: Telling = { call, step: 'started', pageCreatesLog: false, logId: null, behind: asks ? [] : null };
    told.set(call.id, telling);
    say(telling, (words) => host.callStarted(words));
    if (asks) void settleCreator(telling);
    return telling;
  }

  async function settleCreator(telling: Telling): Promise<void> {
    const { id } = telling.call;
    remember(id, null);
    try {
      const { creator, logId } = await options.logCreator(id);
      telling.logId = logId;
      telling.pageCreatesLog = creator === 'page' && logId === null;
      // Where the page makes none, that it made none is no news.
      if (!telling.pageCreatesLog) remember(id, '');
    } catch {
      // The page makes none; a relay that was only slow, and counts on the page, hears so.
      logMade(id, { reason: texts.logCreatorUnknown, certain: true });
    }
    const acts = telling.behind ?? [];
    telling.behind = null;
    if (stopped) return;
    for (const act of acts) act();
    keep();
  }

  function remember(call: CallId, logId: string | null): void {
    made.delete(call);
    made.set(call, logId);
    const oldest = made.size > rememberedCalls ? made.keys().next().value : undefined;
    if (oldest !== undefined) made.delete(oldest);
  }

  function logMade(id: string, creation: LogCreation): void {
    const call = id as CallId;
    const before = made.get(call);
    // A call of another frame; or there is a log, whatever else is said of it.
    if (before === undefined || stopped || phone.role() !== 'owner') return;
    const isMade = 'logId' in creation;
    const said = isMade ? creation.logId : creation.certain ? '' : silent;
    // That the page makes none is news before anything else was said, or for certain after a silence.
    if (said === before || (!isMade && before !== null && before !== silent)) return;
    remember(call, said);
    const telling = told.get(call);
    if (telling !== undefined && isMade) telling.logId = said;
    options.logMade(call, creation);
    keep();
  }

  function keep(): void {
    if (phone.role() !== 'owner') return;
    options.keep(
      [...told.values()].map(({ call, step, pageCreatesLog, logId, behind }) => ({
        call,
        told: behind === null ? step : null,
        pageCreatesLog,
        logId,
      })),
    );
  }

  function tell({ calls }: PhoneState): void {
    if (phone.role() !== 'owner') return;
    for (const call of calls) {
      const telling = told.get(call.id) ?? begin(call);
      telling.call = call;
      if (call.answeredAt === null || telling.step !== 'started') continue;
      telling.step = 'answered';
      say(telling, (words) => host.callAnswered(words));
    }
    for (const [id, telling] of told) {
      // A call that left without its end having been told (nobody answered) is completed when the end comes.
      if (calls.some((call) => call.id === id) || telling.step !== 'ended') continue;
      told.delete(id);
      say(telling, (words) => host.callCompleted(words));
    }
    keep();
  }

  /** The end comes as an event, with its outcome; only the owner has events, and each one once. */
  function happened(event: PhoneEvent): void {
    const telling = told.get(event.call as CallId);
    if (telling === undefined || telling.step === 'ended') return;
    if (event.name === 'call.transferred') say(telling, (words) => host.callTransferred?.(words));
    if (event.name !== 'call.ended') return;
    const { outcome } = event.data;
    telling.step = 'ended';
    say(telling, (words) => host.callEnded(words, outcome));
    tell(phone.state());
  }

  function follow(state: PhoneState): void {
    show(state);
    tell(state);
  }

  follow(phone.state());
  const stop = [
    phone.onState(follow),
    phone.onRole(() => follow(phone.state())),
    phone.onEvent(happened),
    host.onDialRequested(options.dial),
    host.onHangUpRequested(options.hangUp),
    host.onRecordShown(options.recordShown),
    host.onMatchesFound(options.matchesFound),
    host.onLogCreated?.(logMade) ?? (() => undefined),
    host.onLookedAt?.(() => phone.lookedAt()) ?? (() => undefined),
  ];
  return {
    takeOver(calls, resumable) {
      for (const { call, told: step, pageCreatesLog, logId } of calls) {
        // One that goes on and the host never heard of begins for it now.
        if (told.has(call.id) || (step === null && resumable.has(call.id))) continue;
        // Of one that does not go on it hears nothing any more.
        const behind = step === null ? [] : null;
        const over = call.end?.outcome;
        const telling: Telling = { call, step: step ?? 'started', pageCreatesLog, logId, behind };
        told.set(call.id, telling);
        if (pageCreatesLog) remember(call.id, logId);
        if (over === undefined || step === 'ended') continue;
        telling.step = 'ended';
        say(telling, (words) => host.callEnded(words, over));
      }
    },
    keep,
    stop() {
      stopped = true;
      for (const end of stop) end();
    },
  };
}

function toHostCall({ call, pageCreatesLog, logId }: Telling, options: HostBridgeOptions): HostCall {
  const { host, numbers, nearNumber } = options;
  const e164 = call.farSide.e164 ?? numbers().toE164(call.farSide.number);
  return {
    id: call.id,
    direction: call.direction,
    farSide: e164 === null ? call.farSide : { ...call.farSide, e164 },
    nearNumber: nearNumber(),
    startedAt: call.startedAt,
    ...(host.can.createsLogs === true ? { pageCreatesLog } : {}),
    ...(logId === null ? {} : { logId }),
  };
}

/** The phone in one word, and in a few for the eye. A call that rings comes first: it is what the agent must not miss. */
export function hostState(
  state: PhoneState,
  numbers: Numbers,
): { kind: Parameters<PanelHost['showState']>[0]; label: string } {
  const live = state.calls.filter((call) => call.phase !== 'ended');
  const ringing = live.find((call) => call.phase === 'incoming');
  if (ringing !== undefined) return { kind: 'ringing', label: texts.hostRinging(numbers.nameOf(ringing.farSide)) };
  const talking = live[0];
  if (talking !== undefined) return { kind: 'in-call', label: texts.hostInCall(numbers.nameOf(talking.farSide)) };
  if (state.calls.length > 0) return { kind: 'wrap-up', label: texts.hostWrapUp };
  if (state.line.status !== 'ready') return { kind: 'offline', label: texts.hostOffline };
  return { kind: 'ready', label: state.available ? texts.hostReady : texts.hostUnavailable };
}
