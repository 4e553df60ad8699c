/**
 * One call's events, folded into its log. Pure: the same events give the same log in whatever order, however often they are given.
 * Owns what a log says; must never read a clock, a store or a CRM.
 *
 * Rules. Events are ordered by their number in the id (`<callId>:<n>`) within one journal, journals by time. The first `call.started` and `call.answered` count, and
 * the first `call.ended` that a phone sent; one that the relay made by rule counts only while no phone sent any. Of the records chosen the
 * agent's own last choice wins over what the panel chose for them, and that over what the relay found. Of notes and dispositions the last one given counts, each for itself.
 */
import type { AgentId, CallId, CallLog, TenantId, WireEvent } from '@patchcord/call-protocol';

/** Whose call it is: known from the session that published it, not from the events. */
export interface CallOwner {
  readonly callId: CallId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** The agent's extension or number. */
  readonly extension: string;
}

type Named<N extends WireEvent['name']> = Extract<WireEvent, { readonly name: N }>;

/** The source of events the relay itself makes for a tenant. */
export function relaySource(tenant: TenantId): string {
  return `/tenants/${tenant}/relay`;
}

/** The log these events tell, or null while no `call.started` is among them: then nobody knows who called whom. */
export function foldCall(owner: CallOwner, events: readonly WireEvent[]): CallLog | null {
  const ordered = inOrder(events);
  const started = first(ordered, 'call.started');
  if (started === undefined) return null;

  const ended = firstEnd(ordered, relaySource(owner.tenant));
  const answered = first(ordered, 'call.answered');
  const wrapUps = ordered.filter((event) => event.name === 'wrap-up.saved' || event.name === 'wrap-up.submitted');
  const submitted = wrapUps.some((event) => event.name === 'wrap-up.submitted');

  return {
    callId: owner.callId,
    tenant: owner.tenant,
    agent: owner.agent,
    direction: started.data.direction,
    farSide: started.data.farSide,
    nearNumber: owner.extension,
    startedAt: started.at,
    answeredAt: answered?.at ?? null,
    endedAt: ended?.at ?? null,
    // A device's clock may be set back during a call: never less than nothing.
    talkMs: answered === undefined || ended === undefined ? 0 : Math.max(0, ended.at - answered.at),
    outcome: ended?.data.outcome ?? null,
    reason: ended?.data.reason ?? '',
    record: chosenRecord(ordered, relaySource(owner.tenant)),
    note: lastGiven(wrapUps.map((event) => event.data.note)) ?? '',
    disposition: lastGiven(wrapUps.map((event) => event.data.disposition)) ?? null,
    transferredTo: transferredTo(ordered),
    consultFor: (started.data.consultFor as CallId | undefined) ?? null,
    joinedWith: (first(ordered, 'call.joined')?.data.with as CallId | undefined) ?? null,
    sipCallId: sipCallId(ordered),
    stage: ended === undefined ? 'live' : submitted ? 'final' : 'ended',
  };
}

/**
 * Whether this log belongs into the CRM: the call is over, and it was this agent's. A call that another device or colleague took is logged
 * by whoever took it; a consult call that ended in a transfer is part of the call that was transferred.
 */
export function belongsInCrm(log: CallLog): boolean {
  return log.stage !== 'live' && log.outcome !== 'answered-elsewhere' && log.joinedWith === null;
}

/**
 * One total order, whatever came first. A journal (one source, one mark) is ordered by its numbers, since a clock may jump; journals are merged
 * by time, where an event counts no earlier than those numbered before it.
 */
function inOrder(events: readonly WireEvent[]): readonly WireEvent[] {
  const journals = new Map<string, Map<string, { readonly event: WireEvent; readonly n: number }>>();
  for (const event of events) {
    const { mark, n } = placeOf(event);
    const journal = `${event.source} ${mark}`;
    journals.set(journal, (journals.get(journal) ?? new Map()).set(event.id, { event, n }));
  }
  const placed = [...journals].flatMap(([journal, entries]) => {
    let at = Number.NEGATIVE_INFINITY;
    return [...entries.values()]
      .sort((a, b) => a.n - b.n || a.event.at - b.event.at || compare(a.event.id, b.event.id))
      .map(({ event }, index) => {
        at = Math.max(at, event.at);
        return { event, at, journal, index };
      });
  });
  return placed
    .sort((a, b) => a.at - b.at || compare(a.journal, b.journal) || a.index - b.index)
    .map(({ event }) => event);
}

/** Reads `<callId>:<n>`, or `<callId>:<mark>-<n>` where a panel had to begin a new journal. Events that carry no number stand last. */
function placeOf(event: WireEvent): { readonly mark: string; readonly n: number } {
  const match = /:(?:(\w+)-)?(\d{1,9})$/.exec(event.id);
  return match === null ? { mark: '', n: Number.MAX_SAFE_INTEGER } : { mark: match[1] ?? '', n: Number(match[2]) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function first<N extends WireEvent['name']>(events: readonly WireEvent[], name: N): Named<N> | undefined {
  return events.find((event): event is Named<N> => event.name === name);
}

function firstEnd(events: readonly WireEvent[], byRule: string): Named<'call.ended'> | undefined {
  const ends = events.filter((event): event is Named<'call.ended'> => event.name === 'call.ended');
  return ends.find((event) => event.source !== byRule) ?? ends[0];
}

/** An inbound call knows its SIP Call-ID from the start, an outbound one from its INVITE on. */
function sipCallId(events: readonly WireEvent[]): string | null {
  for (const event of events) {
    if (event.name === 'call.started' || event.name === 'call.ringing' || event.name === 'call.ended') {
      if (event.data.sipCallId !== undefined) return event.data.sipCallId;
    }
  }
  return null;
}

function chosenRecord(events: readonly WireEvent[], relay: string): CallLog['record'] {
  const choices = events.filter((event): event is Named<'record.chosen'> => event.name === 'record.chosen');
  const choice =
    choices.findLast((event) => event.data.by === 'agent') ??
    choices.findLast((event) => event.source !== relay) ??
    choices.at(-1);
  return choice?.data.record ?? null;
}

function transferredTo(events: readonly WireEvent[]): string | null {
  return events.reduce<string | null>((to, event) => {
    if (event.name === 'call.transferred') return event.data.to;
    // taken back: the transfer that seemed done was refused after all
    if (event.name === 'call.transfer-failed' && event.data.to === to) return null;
    return to;
  }, null);
}

function lastGiven(values: readonly (string | undefined)[]): string | undefined {
  return values.findLast((value) => value !== undefined);
}
