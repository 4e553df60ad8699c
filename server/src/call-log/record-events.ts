/**
 * Takes what panels publish, phone systems report and CRMs tell of calls: checks each event, stores it, folds its call and enqueues what
 * follows, in one transaction, and only then says so. Owns who may speak of which call. Must never acknowledge what is not on disk, nor drop an event without saying why.
 */
import {
  type AgentId,
  type CallId,
  CallIdSchema,
  type CallLog,
  type DeviceId,
  type EventData,
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
import { relayOnly } from '../live/relay-event.ts';
import type { Metrics } from '../metrics.ts';
import type { CallStore, CallWithEvents, Change } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { type CallReport, isReportedCall, pbxSource, reportEventId, reportedCallId } from './call-report.ts';
import { withoutCards } from './card-numbers.ts';
import { changeOf, type FreshEvent, sipCallIdsOf } from './change.ts';
import { relaySource } from './fold.ts';

/** Nobody talks that much: a panel that sends more is broken, and one call must not fill the disk. */
export const eventsPerCall = 2_000;
/** A leg starts, is answered and ends, and may be told by the edge and the PBX behind it. */
const reportsPerLeg = 50;
const conflictsAllowed = 8;
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

export class EventRecorder {
  readonly #store: CallStore;
  readonly #tenants: Tenants;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  readonly #effectsWait: () => void;
  readonly #toldOf: (logs: readonly CallLog[]) => void;
  readonly #told: NonNullable<ConstructorParameters<typeof EventRecorder>[0]['told']>;

  constructor(options: {
    readonly store: CallStore;
    readonly tenants: Tenants;
    readonly metrics: Metrics;
    readonly now: () => number;
    /** Told after each commit that enqueued something. */
    readonly effectsWait: () => void;
    /** Told after each commit what an agent's phone said of a call: how it stands now, what was known of it and what was new. */
    readonly told?: (call: {
      readonly log: CallLog;
      readonly before: readonly WireEvent[];
      readonly fresh: readonly WireEvent[];
    }) => void;
    /** Told after each commit how the calls in it stand now. */
    readonly committed?: (logs: readonly CallLog[]) => void;
  }) {
    this.#store = options.store;
    this.#tenants = options.tenants;
    this.#metrics = options.metrics;
    this.#now = options.now;
    this.#effectsWait = options.effectsWait;
    this.#toldOf = options.committed ?? (() => {});
    this.#told = options.told ?? (() => {});
  }

  /**
   * Stores what can be stored. Repeats are harmless.
   * @throws PatchcordError `store.unavailable`: nothing was taken, send it again; `identity.refused`: the agent is not configured any more
   */
  async publish(publisher: Publisher, inputs: readonly unknown[]): Promise<PublishResult> {
    this.#tenants.knownAgent(publisher.tenant, publisher.agent);
    const source = sourceOf(publisher);
    const refused: { id: string; message: string }[] = [];
    const readable = new Map<string, FreshEvent>();
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
   * Ends, by rule, a call whose phone fell silent: the end is dated at its last event, or where more is known as `known` says, and a later word
   * from the phone overrules it. Works for an agent who is not configured any more, too.
   * @param known Until when the call was there, epoch ms, and how it ended, in words for a person
   * @returns whether the call was still open
   */
  async finishByRule(callId: CallId, known?: { readonly at: number; readonly reason: string }): Promise<boolean> {
    // What a phone system said of its end in the same moment may have been missed: it counts more than a rule.
    await this.foldAgain(callId);
    const ended = await this.#tellOfCall(callId, 'by-rule', ({ call: { log }, events }) => {
      if (log === null || log.stage !== 'live') return null;
      const outcome = log.answeredAt !== null ? 'answered' : log.direction === 'inbound' ? 'missed' : 'failed';
      return {
        name: 'call.ended',
        call: callId,
        at: Math.max(log.startedAt, log.answeredAt ?? 0, known?.at ?? 0, ...events.map((event) => event.at)),
        data: {
          outcome,
          reason:
            known?.reason ?? 'The phone stopped reporting before the call ended; the times end with its last report.',
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

  /**
   * Takes what a phone system reports of an agent's leg. It is kept with the call made from reports, and folded into the phone's call of the same
   * leg when there is one, now or later. Repeats are harmless.
   * @returns whether it was new
   * @throws PatchcordError `store.unavailable`: nothing was taken, send it again
   */
  async takeReport(agent: AgentId, { tenant, ...data }: CallReport): Promise<boolean> {
    const callId = reportedCallId(tenant, agent, data.sipCallId);
    const at = data.endedAt ?? data.answeredAt ?? data.startedAt;
    const source = pbxSource(tenant, data.pbx);
    const event: WireEvent = { name: 'call.reported', call: callId, at, data, id: reportEventId(callId, data), source };
    const fresh: FreshEvent = { event, envelope: toEnvelope(event, event.id, source), callId };
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const phones = await this.#store.callsOnLeg(tenant, agent, data.sipCallId);
      const calls = await this.#store.readCalls([...new Set([callId, ...phones.map((call) => call.callId)])]);
      const known = calls.get(callId)?.events ?? [];
      if (known.some((one) => one.id === event.id && one.source === source)) return false;
      if (known.length >= reportsPerLeg) {
        throw new PatchcordError('request.invalid', `A leg may have ${reportsPerLeg} reports; this one has them.`);
      }
      const change = this.#change({ tenant, agent }, [fresh], calls);
      if (!(await this.#store.commit(change))) continue;
      this.#committed(change, calls);
      // A phone that spoke of this leg in the same moment could not know of it, nor this of the phone.
      const now = await this.#store.callsOnLeg(tenant, agent, data.sipCallId);
      for (const call of now) if (!calls.has(call.callId)) await this.foldAgain(call.callId);
      return true;
    }
    throw new PatchcordError('store.unavailable', 'The call is being written from elsewhere. Send the report again.', {
      retryable: true,
    });
  }

  /** Folds a phone's call again, with what was reported of its leg meanwhile; null when it is gone or is being written all the time. */
  async foldAgain(callId: CallId): Promise<CallWithEvents | null> {
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const found = (await this.#store.readCalls([callId])).get(callId);
      if (found === undefined) return null;
      const calls = await this.#readWithReports(found.call, [callId], []);
      const change = this.#change(found.call, [], calls, { again: [callId] });
      if (change.calls.length === 0) return found;
      if (!(await this.#store.commit(change))) continue;
      this.#committed(change, calls);
    }
    return null;
  }

  /**
   * Keeps what the CRM said of a call's log: that it made one by itself, or that a person deleted it. `eventId` is the CRM's own, so that a
   * repeat is harmless.
   * @returns whether it was new
   */
  async noteFromCrm(
    callId: CallId,
    eventId: string,
    event: Extract<PhoneEvent, { readonly name: 'log.adopted' | 'log.removed' }>,
  ): Promise<boolean> {
    const told = await this.#tellOfCall(callId, `crm-${eventId}`, () => event, {
      writesLog: event.name === 'log.adopted',
      source: (tenant) => `/tenants/${tenant}/crm`,
    });
    return told !== null;
  }

  /**
   * Says that a call can be listened to; a repeat is harmless.
   * @throws PatchcordError `store.unavailable`: it was not said, say it again
   */
  async noteRecording(callId: CallId, data: EventData<'recording.available'>): Promise<void> {
    const name = 'recording.available';
    const told = await this.#tellOfCall(callId, 'recording', () => ({ name, at: this.#now(), call: callId, data }));
    if (told !== null) return;
    const found = (await this.#store.readCalls([callId])).get(callId);
    if (found === undefined || found.events.some((event) => event.name === name)) return;
    throw new PatchcordError('store.unavailable', 'The call is being written from elsewhere. Send it again.', {
      retryable: true,
    });
  }

  /**
   * Keeps what the relay itself learned of a call: a phrase that was heard, a summary. `mark` names it within the call, so that a repeat is harmless.
   * @returns `unknown` when the tenant has no such call (yet)
   * @throws PatchcordError `store.unavailable`: it was not kept, say it again
   */
  async noteLearned(
    tenant: TenantId,
    callId: CallId,
    mark: string,
    event: PhoneEvent,
  ): Promise<'kept' | 'known' | 'unknown'> {
    const told = await this.#tellOfCall(callId, mark, ({ call }) => (call.tenant === tenant ? event : null));
    if (told !== null) return 'kept';
    const found = (await this.#store.readCalls([callId])).get(callId);
    if (found === undefined || found.call.tenant !== tenant) return 'unknown';
    if (found.events.some(({ id }) => id === `${callId}:${mark}`)) return 'known';
    throw new PatchcordError('store.unavailable', 'The call is being written from elsewhere. Say it again.', {
      retryable: true,
    });
  }

  /**
   * Says that a message was left in a call; one that nobody knows yet is made of it, as this agent's. A repeat is harmless.
   * @throws PatchcordError `store.unavailable`: it was not said, say it again
   */
  async linkVoicemail(
    owner: { readonly tenant: TenantId; readonly agent: AgentId },
    callId: CallId,
    at: number,
    data: EventData<'voicemail.linked'>,
  ): Promise<void> {
    const source = relaySource(owner.tenant);
    const event: WireEvent = {
      ...({ name: 'voicemail.linked', call: callId, at, data } as const),
      ...{ id: `${callId}:voicemail-${data.voicemail}`, source },
    };
    const fresh: FreshEvent = { event, envelope: toEnvelope(event, event.id, source), callId };
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const calls = await this.#readWithReports(owner, [callId], []);
      const found = calls.get(callId);
      if (found?.events.some((one) => one.id === event.id && one.source === source)) return;
      const change = this.#change(found?.call ?? owner, [fresh], calls);
      if (!(await this.#store.commit(change))) continue;
      this.#committed(change, calls);
      return;
    }
    throw new PatchcordError('store.unavailable', 'The call is being written from elsewhere. Say it again.', {
      retryable: true,
    });
  }

  /** Stores an event that the relay makes of a call; `make` is asked again when the call moved meanwhile. Null when nothing was stored. */
  async #tellOfCall(
    callId: CallId,
    what: string,
    make: (found: CallWithEvents) => PhoneEvent | null,
    options: { readonly writesLog?: boolean; readonly source?: (tenant: TenantId) => string } = {},
  ): Promise<WireEvent | null> {
    for (let attempt = 0; attempt < conflictsAllowed; attempt += 1) {
      const read = await this.#store.readCalls([callId]);
      const found = read.get(callId);
      const made = found === undefined ? null : make(found);
      if (found === undefined || made === null) return null;
      const source = (options.source ?? relaySource)(found.call.tenant);
      const event: WireEvent = { ...made, id: `${callId}:${what}`, source };
      if (found.events.some((one) => one.id === event.id && one.source === source)) return null;
      const envelope = toEnvelope(event, event.id, event.source);
      const calls = await this.#readWithReports(found.call, [callId], []);
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
    readable: readonly FreshEvent[],
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
        this.#readWithReports(publisher, callIds, readable),
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
        for (const { callId, log } of change.calls) {
          const said = fresh.filter((one) => one.callId === callId).map(({ event }) => event);
          if (log !== null && said.length > 0)
            this.#told({ log, before: calls.get(callId)?.events ?? [], fresh: said });
        }
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

  #whyNot(publisher: Publisher, one: FreshEvent, calls: ReadonlyMap<CallId, CallWithEvents>): string | null {
    const found = one.callId === null ? undefined : calls.get(one.callId);
    if (found === undefined) return null;
    if (found.call.tenant !== publisher.tenant || found.call.agent !== publisher.agent) {
      return 'This call belongs to another agent; only the agent who has the call may report it.';
    }
    return found.events.length >= eventsPerCall ? `A call may have ${eventsPerCall} events; this one has them.` : null;
  }

  #change(
    owner: { readonly tenant: TenantId; readonly agent: AgentId },
    fresh: readonly FreshEvent[],
    calls: ReadonlyMap<CallId, CallWithEvents>,
    options: { readonly writesLog?: boolean; readonly again?: readonly CallId[] } = {},
  ): Change {
    return changeOf(owner, fresh, calls, { tenants: this.#tenants, now: this.#now }, options);
  }

  /** The calls, and what the phone system reported of the same legs; one question more only where phone systems report. */
  async #readWithReports(
    owner: { readonly tenant: TenantId; readonly agent: AgentId },
    callIds: readonly CallId[],
    fresh: readonly FreshEvent[],
  ): Promise<ReadonlyMap<CallId, CallWithEvents>> {
    const calls = await this.#store.readCalls(callIds);
    if (this.#tenants.find(owner.tenant)?.config.callRecords === undefined) return calls;
    const legs = callIds
      .filter((callId) => !isReportedCall(callId))
      .flatMap((callId) => {
        const own = fresh.filter((one) => one.callId === callId);
        return sipCallIdsOf(calls.get(callId), own).map((sipCallId) =>
          reportedCallId(owner.tenant, owner.agent, sipCallId),
        );
      });
    const missing = [...new Set(legs)].filter((callId) => !calls.has(callId));
    const found = missing.length === 0 ? calls : new Map([...calls, ...(await this.#store.readCalls(missing))]);
    // Whether an answered leg goes up in this phone's call is said by all phones that rang on it.
    const beside = await Promise.all(
      [...found.values()].map(async ({ call: { callId, log } }) => {
        if (!isReportedCall(callId) || log === null || log.answeredAt === null || log.sipCallId === null) return [];
        return await this.#store.callsOnLeg(owner.tenant, owner.agent, log.sipCallId);
      }),
    );
    const others = beside.flat().flatMap(({ callId }) => (found.has(callId) ? [] : [callId]));
    return others.length === 0 ? found : new Map([...found, ...(await this.#store.readCalls(others))]);
  }

  #committed(change: Change, before: ReadonlyMap<CallId, CallWithEvents>): void {
    for (const { callId, log } of change.calls) {
      if (log === null || log.outcome === null || (before.get(callId)?.call.log?.outcome ?? null) !== null) continue;
      // A leg that a phone tells as well is counted with the phone's call.
      if (!isReportedCall(callId) || log.joinedWith === null) {
        this.#metrics.calls.inc({ direction: log.direction, outcome: log.outcome });
      }
      if (log.endedByRule) this.#metrics.endedByRule.inc();
    }
    if (change.effects.length > 0) this.#effectsWait();
    this.#toldOf(change.calls.flatMap(({ log }) => (log === null ? [] : [log])));
  }
}

/** What the events of this device carry as their source. */
export function sourceOf({ tenant, agent, device }: Publisher): string {
  return `/tenants/${tenant}/agents/${agent}/devices/${device}`;
}

/** Checks one event; whatever it says of its source is replaced by what the session proved. */
function readEvent(input: unknown, source: string): FreshEvent {
  const checked = withoutCards(parseEvent(input));
  const event: WireEvent = { ...checked, source };
  if (relayOnly.has(event.name))
    throw new PatchcordError('request.invalid', `Only the relay may publish ${event.name}.`);
  const envelope = toEnvelope(event, event.id, source);
  if (event.call === undefined) {
    if (/^(?:call|record|recording|consent|wrap-up)\./.test(event.name)) {
      throw new PatchcordError('request.invalid', `${event.name} needs its call id in "subject".`);
    }
    return { event, envelope, callId: null };
  }
  const callId = v.safeParse(CallIdSchema, event.call);
  if (!callId.success) throw new PatchcordError('request.invalid', '"subject" must be a call id: a UUID.');
  if (isReportedCall(callId.output)) {
    throw new PatchcordError(
      'request.invalid',
      'This id belongs to a call that a phone system reported; a phone takes a random one (UUID version 4).',
    );
  }
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
