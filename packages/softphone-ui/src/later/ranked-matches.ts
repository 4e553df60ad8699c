/**
 * Whom a call may be with, in the order to offer it. The record in front of the agent is evidence too: where several match and it is one of them, it is
 * offered first and says why. Must never choose: what is open may have nothing to do with the call.
 */
import type { CrmName, Match, RecordRef } from '@patchcord/call-protocol';
import { sameRecord } from '../call-duties.ts';
import { isRecord } from '../record-evidence.ts';
import { texts } from '../texts.ts';

/** Those a call can be with: records of this CRM. */
export function recordsAmong(matches: readonly Match[], crm: CrmName): readonly Match[] {
  return matches.filter((match) => isRecord(match) && match.record.crm === crm);
}

/** The matches in the order to offer them, best evidence first. */
export function rankedMatches(matches: readonly Match[], inFront: RecordRef | null): readonly Match[] {
  if (inFront === null || matches.length < 2) return matches;
  const open = matches.find(({ record }) => sameRecord(record, inFront));
  if (open === undefined) return matches;
  const reason = `${texts.matchInFront} · ${open.reason}`.slice(0, 255);
  return [{ ...open, reason }, ...matches.filter((other) => other !== open)];
}
