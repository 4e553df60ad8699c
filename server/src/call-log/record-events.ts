/**
 * Takes what a panel publishes: checks each event, stores it, folds its call and enqueues what follows, in one transaction, and only then says
 * so. Owns who may speak of which call. Must never acknowledge what is not on disk, nor drop an event without saying why.
 */
import {
  type AgentId,
  type CallId,
  CallIdSchema,
  type CallLog,
  type DeviceId,
  type Envelope,
  errorCode,
  PatchcordError,
  type PhoneEvent,
  parseEvent,
  type RecordRef,
  type TenantId,
  toEnvelope,
  type WireEvent,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import { relayOnly, toStoredEvent } from '../live/relay-event.ts';
import type { Metrics } from '../metrics.ts';
import type { CallStore, CallWithEvents, Change, NewEffect, StoredEvent } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { crmLogEffect, webhookEffects } from './effects.ts';
import { belongsInCrm, foldCall, relaySource } from './fold.ts';

/** Nobody talks that much: a panel that sends more is broken, and one call must not fill the disk. */
export const eventsPerCall = 2_000;
const conflictsAllowed = 8;
/** Drafts of a note are saved every few seconds; the CRM gets them this much later, together, unless something that matters comes first. */
export const draftMs = 15_000;
/** A consult call may end a moment before its transfer is confirmed: its log is not even looked at before; `consult-fate.ts` says what then. */
const joinMs = 5_000;

export interface Publisher {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
}

export interface PublishResult {
  /** Ids that are on disk now: just stored, or known from before. */
  readonly acknowledged: readonly string[];
  /** Ids that can never be taken, and why. */
  readonly refused: readonly { readonly id: string; readonly message: string }[];
}

interface Readable {
  readonly event: WireEvent;
  readonly envelope: Envelope;
  readonly callId: CallId | null;
}

export class EventRecorder {
  readonly #store: CallStore;
  readonly #tenants: Tenants;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  readonly #effectsWait: () => void;

  constructor(options: {
    readonly store: CallStore;
    readonly tenants: Tenants;
    readonly metrics: Metrics;
    readonly now: () => number;
    /** Told after each commit that enqueued something. */
    readonly effectsWait: () => void;
  }) {
    this.#store = options.store;
    this.#tenants = options.tenants;
    this.#metrics = options.metrics;
    this.#now = options.now;
    this.#effectsWait = options.effectsWait;
  }

  /**
   * Stores what can be stored. Repeats are harmless.
   * @throws PatchcordError `store.unavailable`: nothing was taken, send it again; `identity.refused`: the agent is not configured any more
   */
  async publish(publisher: Publisher, inputs: readonly unknown[]): Promise<PublishResult> {
    this.#tenants.knownAgent(publisher.tenant, publisher.agent);
    const source = sourceOf(publisher);
    const refused: { id: string; message: string }[] = [];
    const readable = new Map<string, Readable>();
    for (const input of inputs) {
      try {
        const one = readEvent(input, source);
        if (!readable.has(one.event.id)) readable.set(one.event.id, one);
      } catch (error) {
        refused.push({ id: idOf(input), message: refusal(error) });
      }
    }
    const acknowledged = await this.#take(publisher, source, [...readable.values()], refused);
    this.#metrics.events.inc({ result: 'refused' }, refused.length);
    return { acknowledged, refused };
  }

  /**
   * Ends, by rule, a call whose phone fell silent: the end is dated at its last event, and a later word from the phone overrules it. Works
   * for an agent who is not configured any more, too.
   * @returns whether the call was still open
   */
  async finishByRule(callId: CallId): Promise<boolean> {
    const ended = await this.#tellOfCall(callId, 'by-rule', ({ call: { log }, events }) => {
      if (log === null || log.stage !== 'live') return null;
      const outcome = log.answeredAt !== null ? 'answered' : log.direction === 'inbound' ? 'missed' : 'failed';
      return {
        name: 'call.ended',
        call: callId,
        at: Math.max(log.startedAt, ...events.map((event) => event.at)),
        data: {
          outcome,
          reason: 'The phone stopped reporting before the call ended; the times end with its last report.',
          by: 'network',
        },
      };
    });
    return ended !== null;
  }

  /**
   * Keeps the one record that has the number of the far side, so that no later search can lose it; a choice made in the panel wins over it. The
   * log is not enqueued again: whoever asks is about to write it.
   * @returns the call as it stands now; null when it is gone or is being written from elsewhere all the time
   */
  async keepOnlyMatch(callId: CallId, record: RecordRef): Promise<CallWithEvents | null> {
    await this.#tellOfCall(
      callId,
      'only-match',
      ({ call: { log } }) =>
        log === null || log.record !== null
          ? null
          : { name: 'record.chosen', call: callId, at: this.#now(), data: { record, by: 'only-match' } },
      { writesLog: false },
    );
    return (await this.#store.readCalls([callId])).get(callId) ?? null;
  }

  /** Stores an event that the relay makes of a call; `make` is asked again when the call moved meanwhile. Null when nothing was stored. */
  async #tellOfCall(
    callId: CallId,
    what: string,
    make: (found: CallWithEvents) => PhoneEvent | null,
    options: { readonly writesLog: boolean } = { writesLog: true },
  ): Promise<WireEvent | null> {
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const calls = await this.#store.readCalls([callId]);
      const found = calls.get(callId);
      const made = found === undefined ? null : make(found);
      if (found === undefined || made === null) return null;
      const event: WireEvent = { ...made, id: `${callId}:${what}`, source: relaySource(found.call.tenant) };
      const envelope = toEnvelope(event, event.id, event.source);
      const change = this.#change(found.call, [{ event, envelope, callId }], calls, options);
      if (await this.#store.commit(change)) {
        this.#committed(change, calls);
        return event;
      }
    }
    return null;
  }

  async #take(
    publisher: Publisher,
    source: string,
    readable: readonly Readable[],
    refused: { id: string; message: string }[],
  ): Promise<string[]> {
    if (readable.length === 0) return [];
    const callIds = [...new Set(readable.flatMap(({ callId }) => (callId === null ? [] : [callId])))];
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const [known, calls] = await Promise.all([
        this.#store.knownEvents(
          source,
          readable.map(({ event }) => event.id),
        ),
        this.#store.readCalls(callIds),
      ]);
      const barred: { id: string; message: string }[] = [];
      const fresh = readable.filter((one) => {
        if (known.has(one.event.id)) return false;
        const why = this.#whyNot(publisher, one, calls);
        if (why !== null) barred.push({ id: one.event.id, message: why });
        return why === null;
      });
      if (fresh.length > 0) {
        const change = this.#change(publisher, fresh, calls);
        if (!(await this.#store.commit(change))) continue;
        this.#committed(change, calls);
      }
      refused.push(...barred);
      this.#metrics.events.inc({ result: 'stored' }, fresh.length);
      this.#metrics.events.inc({ result: 'known' }, known.size);
      return [...known, ...fresh.map(({ event }) => event.id)];
    }
    throw new PatchcordError('store.unavailable', 'The call is being written from elsewhere. Send the events again.', {
      retryable: true,
    });
  }

  #whyNot(publisher: Publisher, one: Readable, calls: ReadonlyMap<CallId, CallWithEvents>): string | null {
    const found = one.callId === null ? undefined : calls.get(one.callId);
    if (found === undefined) return null;
    if (found.call.tenant !== publisher.tenant || found.call.agent !== publisher.agent) {
      return 'This call belongs to another agent; only the agent who has the call may report it.';
    }
    return found.events.length >= eventsPerCall ? `A call may have ${eventsPerCall} events; this one has them.` : null;
  }

  #change(
    owner: { readonly tenant: TenantId; readonly agent: AgentId },
    fresh: readonly Readable[],
    calls: ReadonlyMap<CallId, CallWithEvents>,
    options: { readonly writesLog: boolean } = { writesLog: true },
  ): Change {
    const now = this.#now();
    // Both may be gone from the configuration while a call of theirs is open; the call must be finished all the same.
    const tenant = this.#tenants.find(owner.tenant);
    const agent = this.#tenants.agent(owner.tenant, owner.agent)?.agent;
    const events: StoredEvent[] = fresh.map(({ envelope }) => toStoredEvent(envelope, owner.tenant, owner.agent, now));
    const changedCalls: Change['calls'][number][] = [];
    const logs: NewEffect[] = [];
    // Sorted, so that two relays lock the same rows in the same order.
    const callIds = [...new Set(fresh.flatMap(({ callId }) => (callId === null ? [] : [callId])))].sort();
    for (const callId of callIds) {
      const before = calls.get(callId);
      const extension = agent?.extension ?? before?.call.log?.nearNumber ?? '';
      const log = foldCall({ callId, tenant: owner.tenant, agent: owner.agent, extension }, [
        ...(before?.events ?? []),
        ...fresh.filter((one) => one.callId === callId).map(({ event }) => event),
      ]);
      const onlyDrafts = fresh.every((one) => one.callId !== callId || one.event.name === 'wrap-up.saved');
      if (options.writesLog && log !== null && belongsInCrm(log) && !sameLog(before?.call.log ?? null, log)) {
        const soon = before?.call.log?.stage === log.stage && onlyDrafts ? now + draftMs : now;
        const settled = log.consultFor === null ? soon : Math.max(soon, now + joinMs);
        logs.push(crmLogEffect(owner.tenant, owner.agent, agent, callId, settled));
      }
      changedCalls.push({
        callId,
        tenant: owner.tenant,
        agent: owner.agent,
        fromVersion: before?.call.version ?? 0,
        log,
        touchedAt: now,
        logWaiting: logs.at(-1)?.callId === callId,
      });
    }
    return {
      events,
      calls: changedCalls,
      effects: [...logs, ...(tenant === undefined ? [] : webhookEffects(tenant.config, events, now))],
    };
  }

  #committed(change: Change, before: ReadonlyMap<CallId, CallWithEvents>): void {
    for (const { callId, log } of change.calls) {
      if (log === null || log.outcome === null || (before.get(callId)?.call.log?.outcome ?? null) !== null) continue;
      this.#metrics.calls.inc({ direction: log.direction, outcome: log.outcome });
    }
    if (change.effects.length > 0) this.#effectsWait();
  }
}

function sourceOf({ tenant, agent, device }: Publisher): string {
  return `/tenants/${tenant}/agents/${agent}/devices/${device}`;
}

/** Checks one event; whatever it says of its source is replaced by what the session proved. */
function readEvent(input: unknown, source: string): Readable {
  const checked = parseEvent(input);
  const event: WireEvent = { ...checked, source };
  if (relayOnly.has(event.name))
    throw new PatchcordError('request.invalid', `Only the relay may publish ${event.name}.`);
  const envelope = toEnvelope(event, event.id, source);
  if (event.call === undefined) {
    if (/^(?:call|record|wrap-up)\./.test(event.name)) {
      throw new PatchcordError('request.invalid', `${event.name} needs its call id in "subject".`);
    }
    return { event, envelope, callId: null };
  }
  const callId = v.safeParse(CallIdSchema, event.call);
  if (!callId.success) throw new PatchcordError('request.invalid', '"subject" must be a call id: a UUID.');
  if (!event.id.startsWith(`${event.call}:`) || !/:(?:\w{1,32}-)?\d{1,9}$/.test(event.id)) {
    throw new PatchcordError(
      'request.invalid',
      'The id of an event of a call must be "<call id>:<number>" or "<call id>:<mark>-<number>".',
    );
  }
  return { event, envelope, callId: callId.output };
}

function idOf(input: unknown): string {
  const id = typeof input === 'object' && input !== null && 'id' in input ? input.id : undefined;
  return typeof id === 'string' ? id.slice(0, 160) : '';
}

function refusal(error: unknown): string {
  // An `internal` message may hold anything; ours are written for people.
  return errorCode(error) === 'request.invalid' ? (error as PatchcordError).message : 'The event cannot be read.';
}

function sameLog(a: CallLog | null, b: CallLog): boolean {
  return a !== null && JSON.stringify(a) === JSON.stringify(b);
}
