/**
 * What the reports of one leg say together, and what of it is told to whom. Pure, in any order. Owns the merging of reports; which of them
 * counts beside a phone's own word is the fold's rule. Must never compare the clocks of two machines: times are told as spans from the start.
 */
import type { CallOutcome, CallReportData, Direction, Party, WireEvent } from '@patchcord/call-protocol';

/** One leg as all its reports tell it. Spans are ms after its start. */
export interface ReportedFacts {
  readonly direction: Direction;
  readonly farSide: Party;
  readonly sipCallId: string;
  readonly conversation: string | null;
  /** Epoch ms by the clock of the phone system that told the most. */
  readonly startedAt: number;
  readonly answeredAfter: number | null;
  /** Null while no report of its end has arrived. */
  readonly endedAfter: number | null;
  readonly outcome: CallOutcome;
}

const stages = { ended: 0, answered: 1, started: 2 } as const;
/** A PBX knows more of a call than the edge in front of it. */
const knowing = { asterisk: 0, freeswitch: 1, kamailio: 2 } as const;

/** Null when nothing was reported. */
export function reportedFacts(events: readonly WireEvent[]): ReportedFacts | null {
  const reports = [
    ...new Map(
      events.flatMap((event) => (event.name === 'call.reported' ? [[`${event.source} ${event.id}`, event.data]] : [])),
    ).values(),
  ].sort(
    (a, b) =>
      stages[a.state] - stages[b.state] ||
      knowing[a.pbx] - knowing[b.pbx] ||
      compare(a.reportId, b.reportId) ||
      compare(JSON.stringify(a), JSON.stringify(b)),
  );
  const [lead] = reports;
  if (lead === undefined) return null;
  const startOf = new Map<string, number>();
  for (const report of reports) if (!startOf.has(report.pbx)) startOf.set(report.pbx, report.startedAt);
  const after = (report: CallReportData, at: number | null): number | null =>
    at === null ? null : Math.max(0, at - (startOf.get(report.pbx) ?? report.startedAt));

  const ended = reports.filter(({ state }) => state === 'ended');
  const answeredAfter = firstGiven(reports.map((report) => after(report, report.answeredAt)));
  const endedAfter = firstGiven(
    ended.map((report) => after(report, report.endedAt ?? report.answeredAt ?? report.startedAt)),
  );
  return {
    direction: lead.direction,
    farSide: farSideOf(reports),
    sipCallId: lead.sipCallId,
    conversation: firstGiven(reports.map(({ conversation }) => conversation)),
    startedAt: lead.startedAt,
    answeredAfter,
    endedAfter: endedAfter === null ? null : Math.max(endedAfter, answeredAfter ?? 0),
    outcome: outcomeOf(
      lead.direction,
      answeredAfter,
      firstGiven(ended.map(({ outcome }) => outcome)),
      firstGiven(ended.map(({ cause }) => cause)),
    ),
  };
}

/** The cause is Q.850's; 26 is what Asterisk gives a leg that lost the race (its own addition). */
function outcomeOf(
  direction: Direction,
  answeredAfter: number | null,
  said: CallOutcome | null,
  cause: number | null,
): CallOutcome {
  if (answeredAfter !== null) return 'answered';
  if (said !== null) return said;
  if (direction === 'inbound') return cause === 26 ? 'answered-elsewhere' : cause === 21 ? 'declined' : 'missed';
  if (cause === 17) return 'busy';
  if (cause === 21) return 'declined';
  if (cause === 18 || cause === 19 || cause === 20) return 'no-answer';
  return cause === 16 || cause === 31 ? 'cancelled' : 'failed';
}

function farSideOf(reports: readonly CallReportData[]): Party {
  const told = reports.map(({ farSide }) => farSide);
  const numbered = told.find(({ number }) => number !== '') ?? told[0] ?? { number: '' };
  const name = numbered.name ?? told.find((party) => party.name !== undefined)?.name;
  return { ...numbered, ...(name === undefined ? {} : { name }) };
}

function firstGiven<T>(values: readonly (T | null)[]): T | null {
  return values.find((value) => value !== null) ?? null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
