/**
 * Between phone and host page: tells the host what the phone does, brings the host's wishes to the phone. Label and icon are shown by every
 * frame; the life of a call is told by the owner frame alone, each step once. Must never decide about a wish: the model does.
 */
import type { CallId, PhoneEvent } from '@patchcord/call-protocol';
import type { DialRequest, HostCall, PanelHost } from '@patchcord/crm-adapters/panel';
import type { CallState, PhoneState, SharedPhone } from '@patchcord/phone-engine';
import type { Numbers } from './numbers.ts';
import { texts } from './texts.ts';

export interface HostBridgeOptions {
  readonly host: PanelHost;
  readonly phone: SharedPhone;
  readonly numbers: () => Numbers;
  readonly dial: (request: DialRequest) => void;
  readonly hangUp: () => void;
  readonly recordShown: Parameters<PanelHost['onRecordShown']>[0];
  readonly matchesFound: Parameters<PanelHost['onMatchesFound']>[0];
}

type Told = 'started' | 'answered' | 'ended';

/** Connects both until the returned function is called. */
export function startHostBridge(options: HostBridgeOptions): () => void {
  const { host, phone } = options;
  /** What the host has heard of each call. Calls that an earlier owner told about are not told again. */
  const told = new Map<CallId, { step: Told; call: CallState }>();
  let shown = '';
  let shownAvailability: boolean | null = null;
  let wasOwner = false;

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

  function tell(state: PhoneState): void {
    const tells = wasOwner && phone.role() === 'owner';
    for (const call of state.calls) {
      const before = told.get(call.id)?.step ?? null;
      const step = before === 'ended' ? 'ended' : call.answeredAt === null ? 'started' : 'answered';
      told.set(call.id, { step, call });
      if (!tells) continue;
      if (before === null) host.callStarted(toHostCall(call, options.numbers()));
      if (step === 'answered' && before !== 'answered') host.callAnswered(toHostCall(call, options.numbers()));
    }
    for (const [id, { step, call }] of told) {
      if (state.calls.some((other) => other.id === id)) continue;
      // A call that left without its end having been told (nobody answered) is completed when the end comes; a mirror hears of none.
      if (tells && step !== 'ended') continue;
      told.delete(id);
      if (tells) host.callCompleted(toHostCall(call, options.numbers()));
    }
    wasOwner = phone.role() === 'owner';
  }

  /** The end comes as an event, with its outcome; only the owner has events, and each one once. */
  function ended(event: PhoneEvent): void {
    if (event.name !== 'call.ended') return;
    const entry = [...told.values()].find(({ call }) => call.id === event.call);
    if (entry === undefined || entry.step === 'ended') return;
    told.set(entry.call.id, { step: 'ended', call: entry.call });
    host.callEnded(toHostCall(entry.call, options.numbers()), event.data.outcome);
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
    phone.onEvent(ended),
    host.onDialRequested(options.dial),
    host.onHangUpRequested(options.hangUp),
    host.onRecordShown(options.recordShown),
    host.onMatchesFound(options.matchesFound),
    host.onLookedAt?.(() => phone.lookedAt()) ?? (() => undefined),
  ];
  return () => {
    for (const end of stop) end();
  };
}

function toHostCall(call: CallState, numbers: Numbers): HostCall {
  const e164 = call.farSide.e164 ?? numbers.toE164(call.farSide.number);
  return {
    id: call.id,
    direction: call.direction,
    farSide: e164 === null ? call.farSide : { ...call.farSide, e164 },
    startedAt: call.startedAt,
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
