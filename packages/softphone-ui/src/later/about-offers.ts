/** What a call is offered to be about: for which record that can be asked, and in what order the answers stand. Pure; must never choose one. */
import type { RecordRef, Related } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { sameRecord } from '../call-duties.ts';
import { type RelatedList, shownSubject } from '../related-records.ts';
import { texts } from '../texts.ts';

/** The record whose cases and deals can be asked for: the call's own, when it is the CRM's. */
export function askableRecord({ record, matches }: CallState): RecordRef | null {
  const match = record === null ? undefined : matches.find((other) => sameRecord(other.record, record));
  return (match?.source ?? 'crm') === 'crm' ? record : null;
}

/** Everything to choose from: what is open in front of the agent first, then what the CRM says, each once; the choice made is always among it. */
export function offersFor(call: CallState, shown: RecordRef | null, list: RelatedList | null): readonly Related[] {
  const inFront = shownSubject(call, shown);
  const related = Array.isArray(list) ? (list as readonly Related[]) : [];
  const known = (record: RecordRef) => related.find((other) => sameRecord(other.record, record));
  const offers: Related[] = [];
  const add = (offer: Related): void => {
    if (!offers.some((other) => sameRecord(other.record, offer.record))) offers.push(offer);
  };
  if (inFront !== null) add({ ...(known(inFront) ?? { record: inFront }), reason: texts.aboutInFront });
  if (call.about !== null && known(call.about) === undefined) add({ record: call.about, reason: texts.aboutChosen });
  for (const offer of related) add(offer);
  return offers;
}
