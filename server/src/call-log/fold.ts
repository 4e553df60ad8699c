/**
 * One call's events, folded into its log. Pure: the same events give the same log in whatever order, however often they are given.
 * Owns what a log says; must never read a clock, a store or a CRM.
 *
 * Rules. Events are ordered by their number in the id (`<callId>:<n>`) within one journal, journals by time. The first `call.started` and `call.answered` count, and
 * the first `call.ended` that a phone sent; one that the relay made by rule counts only while no phone sent any. Of the records chosen the
 * agent's own last choice wins over what the panel chose for them, and that over what the relay found. Of notes and dispositions the last one given counts, each for itself,
 * as of what the call was about; that it was about nothing after all counts too.
 *
 * A call that one device took up from another (`call.taken-over`, `call.recovered`) is that device's from then on: only its word counts for the end. Whoever
 * was left behind may still say that the call ended for it.
 *
 * What a phone system reported of the call fills what no phone said. The phone's own word and clock win: a report is told in spans from the
 * start, put onto the phone's clock by whatever moment both know. Its end counts where no phone sent one, and over an end by rule.
 *
 * A message that the caller left is part of the call; where it is all that is known, it makes one: a missed call, of the message's times.
 */
import type { AgentId, CallId, CallLog, TenantId, WireEvent } from '@patchcord/call-protocol';
import { phrasesOf, summaryOf } from './heard-facts.ts';
import { recordingOf } from './recorded-facts.ts';
import { type ReportedFacts, reportedFacts } from './reported-facts.ts';

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

/**
 * The log these events tell, or null while nobody said who called whom: neither a `call.started`, a report nor a message is among them.
 * @param events The call's own, and what a phone system reported of the same leg
 */
export function foldCall(owner: CallOwner, events: readonly WireEvent[]): CallLog | null {
  const ordered = inOrder(events.filter(({ name }) => name !== 'call.reported'));
  const started = first(ordered, 'call.started');
  const reported = reportedFacts(events);
  const left = first(ordered, 'voicemail.linked');
  const direction = started?.data.direction ?? reported?.direction ?? (left === undefined ? undefined : 'inbound');
  const farSide = whoItWas(ordered, started?.data.farSide ?? reported?.farSide ?? left?.data.from);
  if (direction === undefined || farSide === undefined) return null;

  const byRule = relaySource(owner.tenant);
  const ends = ordered.filter((event): event is Named<'call.ended'> => event.name === 'call.ended');
  const keeper = ordered.findLast(({ name }) => name === 'call.taken-over' || name === 'call.recovered')?.source;
  const ownEnd = ends.find(({ source }) => source !== byRule && (keeper === undefined || source === keeper));
  const ruleEnd = ends.find(({ source }) => source === byRule);
  const answered = first(ordered, 'call.answered');
  const told = reported === null ? null : onPhoneClock(reported, started?.at, answered?.at, ownEnd?.at);
  const startedAt = started?.at ?? told?.startedAt ?? left?.at ?? 0;
  // Another device of the agent may have answered: the phone's own end decides for this one.
  const answeredAt =
    answered?.at ?? (ownEnd === undefined || ownEnd.data.outcome === 'answered' ? (told?.answeredAt ?? null) : null);
  const end =
    ownEnd !== undefined
      ? fromPhone(ownEnd)
      : told?.endedAt != null
        ? fromReport(told.endedAt)
        : ruleEnd !== undefined
          ? fromPhone(ruleEnd)
          : left !== undefined && started === undefined && reported === null
            ? fromMessage(left)
            : null;
  const endedByRule = ruleEnd !== undefined && ownEnd === undefined && told?.endedAt == null;

  function fromPhone({ at, data }: Named<'call.ended'>): End {
    return { at, outcome: data.outcome, reason: data.reason };
  }
  function fromReport(at: number): End {
    const outcome = answeredAt === null ? (reported?.outcome ?? 'failed') : 'answered';
    return { at, outcome, reason: ordered.some(isPhones) ? endedByPbx : seenByPbx };
  }

  /** What the relay itself notes of a call, or the CRM, is no word of a phone. */
  function isPhones({ source }: WireEvent): boolean {
    return source !== byRule && source !== `/tenants/${owner.tenant}/crm`;
  }

  /** A message is all there is of this call: nobody told that it rang. */
  function fromMessage({ at, data }: Named<'voicemail.linked'>): End {
    return { at: at + data.durationMs, outcome: 'missed', reason: 'The caller left a message.' };
  }

  const wrapUps = ordered.filter((event) => event.name === 'wrap-up.saved' || event.name === 'wrap-up.submitted');
  const about = ordered.findLast((event): event is Named<'record.associated'> => event.name === 'record.associated')
    ?.data.record;
  const submitted = wrapUps.some((event) => event.name === 'wrap-up.submitted');

  return {
    callId: owner.callId,
    tenant: owner.tenant,
    agent: owner.agent,
    direction,
    farSide,
    nearNumber: owner.extension,
    startedAt,
    answeredAt,
    endedAt: end?.at ?? null,
    // A device's clock may be set back during a call: never less than nothing.
    talkMs: answeredAt === null || end === null ? 0 : Math.max(0, end.at - answeredAt),
    // What took the call elsewhere was the mailbox.
    outcome: left !== undefined && end?.outcome === 'answered-elsewhere' ? 'missed' : (end?.outcome ?? null),
    reason: end?.reason ?? '',
    record: chosenRecord(ordered, byRule),
    ...(about == null ? {} : { about }),
    note: lastGiven(wrapUps.map((event) => event.data.note)) ?? '',
    disposition: lastGiven(wrapUps.map((event) => event.data.disposition)) ?? null,
    transferredTo: transferredTo(ordered),
    consultFor: (started?.data.consultFor as CallId | undefined) ?? null,
    joinedWith: (first(ordered, 'call.joined')?.data.with as CallId | undefined) ?? null,
    sipCallId: sipCallId(ordered) ?? reported?.sipCallId ?? null,
    ...(reported?.conversation == null ? {} : { conversation: reported.conversation }),
    ...(endedByRule ? { endedByRule } : {}),
    ...(left === undefined ? {} : { voicemail: { id: left.data.voicemail, durationMs: left.data.durationMs } }),
    // A recording of the leg is of whoever took the call there: not of a phone that rang and did not.
    ...recordingOf(answeredAt === null ? ordered.filter(({ name }) => name !== 'recording.available') : ordered),
    ...phrasesOf(ordered),
    ...summaryOf(ordered),
    stage: end === null ? 'live' : submitted ? 'final' : 'ended',
  };
}

const seenByPbx = 'The phone system reported this call; no phone did.';
const endedByPbx = 'The phone stopped reporting; the phone system says how the call ended.';

interface End {
  readonly at: number;
  readonly outcome: NonNullable<CallLog['outcome']>;
  readonly reason: string;
}

/** The reported times on the phone's clock: by the start, else the answer, else the end that both know; as they are when no phone spoke. */
function onPhoneClock(
  { startedAt, answeredAfter, endedAfter }: ReportedFacts,
  start: number | undefined,
  answer: number | undefined,
  end: number | undefined,
): { readonly startedAt: number; readonly answeredAt: number | null; readonly endedAt: number | null } {
  const begin =
    start ??
    (answer !== undefined && answeredAfter !== null ? answer - answeredAfter : undefined) ??
    (end !== undefined && endedAfter !== null ? end - endedAfter : undefined) ??
    startedAt;
  const at = (after: number | null): number | null => (after === null ? null : begin + after);
  // The nearer moment that both know: the talk then lasts as long as the phone system says.
  const endedAt =
    answer !== undefined && answeredAfter !== null && endedAfter !== null
      ? answer + (endedAfter - answeredAfter)
      : at(endedAfter);
  return { startedAt: begin, answeredAt: at(answeredAfter), endedAt };
}

/**
 * Whether this log belongs into the CRM: the call is over, and it was this agent's. A call that another device or colleague took is logged
 * by whoever took it; a consult call that ended in a transfer is part of the call that was transferred.
 */
export function belongsInCrm(log: CallLog): boolean {
  return log.stage !== 'live' && log.outcome !== 'answered-elsewhere' && log.joinedWith === null;
}

/**
 * Whether this is the word of a phone that rang and did not take the call, so that another one of the agent's, a desk phone, may have. A call that
 * failed is not: that is this phone's own story.
 */
export function leftToOthers(log: CallLog): boolean {
  const { outcome } = log;
  return (
    log.direction === 'inbound' &&
    log.answeredAt === null &&
    (outcome === 'answered-elsewhere' || outcome === 'missed' || outcome === 'declined')
  );
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

/** An inbound call knows its SIP Call-ID from the start, an outbound one from its INVITE on. */
function sipCallId(events: readonly WireEvent[]): string | null {
  for (const event of events) {
    if (event.name === 'call.started' || event.name === 'call.ringing' || event.name === 'call.ended') {
      if (event.data.sipCallId !== undefined) return event.data.sipCallId;
    }
  }
  return null;
}

/** Whom the call began with; who withheld the number and was named later is that one. A transfer over there changes nothing: the log is of this call. */
function whoItWas(events: readonly WireEvent[], began: CallLog['farSide'] | undefined): CallLog['farSide'] | undefined {
  return began?.number === '' ? (first(events, 'call.identified')?.data.farSide ?? began) : began;
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
