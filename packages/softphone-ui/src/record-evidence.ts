/**
 * The record in front of the agent as evidence of who calls: where several match and it is one of them, it is offered first and says why. Must
 * never choose: what is open may have nothing to do with the call.
 */
import type { Match, RecordRef } from '@patchcord/call-protocol';
import { sameRecord } from './call-duties.ts';
import { texts } from './texts.ts';

/** The matches in the order to offer them, best evidence first. */
export function rankedMatches(matches: readonly Match[], inFront: RecordRef | null): readonly Match[] {
  if (inFront === null || matches.length < 2) return matches;
  const open = matches.find(({ record }) => sameRecord(record, inFront));
  if (open === undefined) return matches;
  const reason = `${texts.matchInFront} · ${open.reason}`.slice(0, 255);
  return [{ ...open, reason }, ...matches.filter((other) => other !== open)];
}
