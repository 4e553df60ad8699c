/**
 * Owns what HubSpot's page is told of a call, each step once and in order, and which of HubSpot's call objects belongs to it (HubSpot contract,
 * sections 1.3 and 1.5; docs/adr/0012). Must never guess between two calls, nor send a property of the log: the relay writes those.
 */
import type { CallOutcome } from '@patchcord/call-protocol';
import type { HostCall, LogCreation } from '../panel-contract.ts';
import { endStatuses, type HostContext, numberOf, readEngagement, startMessage } from './wire.ts';

/** Calls of a shift; remembered so that no step is ever told twice. */
const rememberedCalls = 500;
/** How long HubSpot may take to say that it made a log. */
const creationMs = 10_000;
/** How long an answer that names no call may still be about a call. */
const namelessMs = 60_000;

type Step = 'started' | 'answered' | 'ended' | 'completed';

interface Told {
  step: Step;
  readonly inbound: boolean;
  /** HubSpot's call object, once it said so. */
  engagementId: number | null;
  /** HubSpot was asked to make the log and has not answered. Epoch ms of the question. */
  askedAt: number | null;
  deadline: ReturnType<typeof setTimeout> | undefined;
  transferred: boolean;
  matched: boolean;
}

export interface CallTelling {
  started(call: HostCall): void;
  answered(call: HostCall): void;
  transferred(call: HostCall): void;
  ended(call: HostCall, outcome: CallOutcome): void;
  completed(call: HostCall): void;
  /** CREATE_ENGAGEMENT_SUCCEEDED, or ENGAGEMENT_CREATED, which says the same without the call. */
  created(data: unknown): void;
  /** CREATE_ENGAGEMENT_FAILED. */
  refused(data: unknown): void;
  /** Whose caller HubSpot found: the call it names, else the one that can be meant. */
  matchedCall(named: string | null): string | null;
  /** HubSpot's object of the inbound call that is live, where there is exactly one. */
  liveEngagement(): number | null;
  stop(): void;
}

export function createCallTelling(options: {
  readonly say: (type: string, data: object) => void;
  readonly context: () => HostContext | null;
  readonly onLog: (call: string, creation: LogCreation) => void;
}): CallTelling {
  const { say, onLog } = options;
  const calls = new Map<string, Told>();
  /** Calls that may be the one SYNC names; null once that is settled. */
  let ofSync: string[] | null = [];
  let held: (() => void)[] | null = null;

  function remember(call: HostCall, step: Step): Told {
    const told: Told = {
      step,
      inbound: call.direction === 'inbound',
      engagementId: null,
      askedAt: null,
      deadline: undefined,
      transferred: false,
      matched: false,
    };
    calls.set(call.id, told);
    for (const [id, oldest] of calls) {
      if (calls.size <= rememberedCalls) break;
      clearTimeout(oldest.deadline);
      calls.delete(id);
    }
    return told;
  }

  /** A call whose earlier steps were told by another frame, or by this one before it was loaded anew, goes on without a second start. */
  function known(call: HostCall, before: Step): Told {
    const here = calls.get(call.id);
    const told = here ?? remember(call, before);
    if (told.engagementId === null && call.logId !== undefined) take(told, numberOf(call.logId));
    if (
      here === undefined &&
      told.inbound &&
      told.engagementId === null &&
      before !== 'ended' &&
      call.pageCreatesLog !== false
    )
      mayBeOfSync(call.id);
    return told;
  }

  /**
   * The call that was live when this frame was loaded; with two of them nobody knows. They all come in one go, and what is told of them waits for
   * the last.
   */
  function mayBeOfSync(id: string): void {
    if (ofSync === null) return;
    if (ofSync.push(id) > 1) return;
    held = [];
    queueMicrotask(() => {
      const [only, ...others] = ofSync ?? [];
      const told = only === undefined || others.length > 0 ? undefined : calls.get(only);
      const engagementId = options.context()?.engagementId ?? null;
      ofSync = null;
      if (only !== undefined && told?.engagementId === null && engagementId !== null && !isGiven(engagementId)) {
        take(told, engagementId);
        onLog(only, { logId: String(engagementId) });
      }
      const waiting = held ?? [];
      held = null;
      for (const run of waiting) run();
    });
  }

  /** Now, or behind what waits. */
  function inOrder(run: () => void): void {
    if (held === null) run();
    else held.push(run);
  }

  const isGiven = (engagementId: number): boolean =>
    [...calls.values()].some((told) => told.engagementId === engagementId);

  function take(told: Told, engagementId: number | null): void {
    if (engagementId === null) return;
    clearTimeout(told.deadline);
    told.askedAt = null;
    told.engagementId = engagementId;
  }

  /** The one call that an answer without a name can be about; with two of them nobody knows, and the relay looks for the logs itself. */
  function onlyWaiting(): string | null {
    const since = Date.now() - namelessMs;
    const ids = [...calls].filter(([, { askedAt }]) => askedAt !== null && askedAt > since).map(([id]) => id);
    return ids.length === 1 ? (ids[0] ?? null) : null;
  }

  const dataOf = (call: HostCall, { engagementId }: Told): object => ({
    externalCallId: call.id,
    ...(engagementId === null ? {} : { engagementId }),
  });

  /** A call of a help-desk channel gets into its ticket's conversation by this; of any other call HubSpot refuses it, without harm. */
  function finalize(id: string, told: Told): void {
    if (told.inbound && told.step === 'completed' && told.engagementId !== null)
      say('FINALIZE_ENGAGEMENT', { externalCallId: id, engagementId: told.engagementId });
  }

  return {
    started(call) {
      if (calls.has(call.id)) return;
      const told = remember(call, 'started');
      if (call.logId !== undefined) take(told, numberOf(call.logId));
      const asks = call.pageCreatesLog === true && call.logId === undefined;
      if (asks) {
        told.askedAt = Date.now();
        told.deadline = setTimeout(() => {
          told.deadline = undefined;
          const reason = `HubSpot did not say within ${creationMs / 1_000} s that it made the log.`;
          onLog(call.id, { reason, certain: false });
        }, creationMs);
      }
      const { type, data } = startMessage(call, asks);
      inOrder(() => say(type, data));
    },
    answered(call) {
      const told = known(call, 'started');
      if (told.step !== 'started') return;
      told.step = 'answered';
      inOrder(() => say('CALL_ANSWERED', { externalCallId: call.id }));
    },
    transferred(call) {
      const told = known(call, 'answered');
      if (told.transferred || (told.step !== 'started' && told.step !== 'answered')) return;
      told.transferred = true;
      inOrder(() => say('CALL_TRANSFERRED', { externalCallId: call.id }));
    },
    ended(call, outcome) {
      const told = known(call, 'answered');
      if (told.step !== 'started' && told.step !== 'answered') return;
      told.step = 'ended';
      // The SDK's constant of this name holds keys that do not work: these are the values.
      inOrder(() => say('CALL_ENDED', { ...dataOf(call, told), callEndStatus: endStatuses[outcome] }));
    },
    completed(call) {
      const told = known(call, 'ended');
      if (told.step !== 'ended') return;
      told.step = 'completed';
      // The phone stays open for the next call: a hidden calling window would be a line that is gone. No properties: the relay writes the log.
      inOrder(() => {
        say('CALL_COMPLETED', { ...dataOf(call, told), hideWidget: false });
        finalize(call.id, told);
      });
    },
    created(data) {
      const { engagementId, callId } = readEngagement(data);
      if (engagementId === null || isGiven(engagementId)) return;
      const id = callId ?? onlyWaiting();
      const told = id === null ? undefined : calls.get(id);
      if (id === null || told === undefined || told.engagementId !== null) return;
      take(told, engagementId);
      onLog(id, { logId: String(engagementId) });
      finalize(id, told);
    },
    refused(data) {
      const { callId, message } = readEngagement(data);
      const id = callId ?? onlyWaiting();
      const told = id === null ? undefined : calls.get(id);
      if (id === null || told === undefined || told.askedAt === null) return;
      // Without a name it may be the late answer about a call that HubSpot was silent on.
      const certain = callId !== null || [...calls.values()].filter(({ askedAt }) => askedAt !== null).length === 1;
      told.askedAt = null;
      clearTimeout(told.deadline);
      onLog(id, { reason: `HubSpot made no log${message === '' ? '.' : `: ${message}`}`, certain });
    },
    matchedCall(named) {
      const open = [...calls].filter(
        ([, { inbound, step, matched }]) => inbound && !matched && (step === 'started' || step === 'answered'),
      );
      const id = named !== null && calls.has(named) ? named : open.length === 1 ? (open[0]?.[0] ?? null) : null;
      const told = id === null ? undefined : calls.get(id);
      if (told !== undefined) told.matched = true;
      return id;
    },
    liveEngagement() {
      const live = [...calls.values()].filter(
        ({ inbound, step }) => inbound && (step === 'started' || step === 'answered'),
      );
      return live.length === 1 ? (live[0]?.engagementId ?? null) : null;
    },
    stop() {
      for (const { deadline } of calls.values()) clearTimeout(deadline);
      calls.clear();
    },
  };
}
