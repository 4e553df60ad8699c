/** Owns what the host page is told of the portal: one snapshot of records, calls with their sound and words, and who answers where. Reads only. */
import { type DemoPerson, unknownCaller } from '../people.ts';
import type { CallDesk } from './call-desk.ts';
import { dispositions, type ObjectType } from './properties.ts';
import type { Providers } from './providers.ts';
import type { Recordings } from './recordings.ts';
import type { Portal, PortalRecord } from './records.ts';
import type { Owner } from './rest-call.ts';
import type { Transcripts } from './transcripts.ts';

export function pageState(parts: {
  portal: Portal;
  owners: readonly Owner[];
  people: readonly DemoPerson[];
  providers: Providers;
  recordings: Recordings;
  transcripts: Transcripts;
  desk: CallDesk;
}): () => Readonly<Record<string, unknown>> {
  const { portal, owners, people } = parts;
  const e164 = Object.fromEntries(people.flatMap((one) => one.numbers.map((number) => [number.typed, number.e164])));
  const countries = Object.fromEntries(people.map((person) => [person.email, person.country]));
  const answers = people.flatMap((person) =>
    person.answers === undefined ? [] : [{ name: `${person.firstName} ${person.lastName}`, answers: person.answers }],
  );

  /** A record with the ids of what it is associated with. */
  function linked({ type, id, properties }: PortalRecord, ...others: ObjectType[]): Record<string, unknown> {
    const links = others.map((to) => [to, portal.associated(type, id, to).map((link) => link.toId)] as const);
    return { id, properties, ...Object.fromEntries(links) };
  }

  return () => ({
    contacts: portal.all('contacts').map((one) => ({
      ...linked(one, 'companies', 'deals', 'tickets'),
      country: countries[one.properties.email ?? ''] ?? 'US',
    })),
    companies: portal.all('companies').map((one) => linked(one, 'contacts', 'deals', 'tickets')),
    deals: portal.all('deals').map((one) => linked(one, 'contacts', 'companies')),
    tickets: portal.all('tickets').map((one) => linked(one, 'contacts', 'companies')),
    calls: portal.all('calls').map((one) => ({
      ...linked(one, 'contacts', 'companies', 'deals', 'tickets'),
      awaited: parts.desk.awaits(one.id),
      recording: parts.recordings.of(one.id),
      transcript: parts.transcripts.ofCall(one.id)?.transcriptUtterances.map((line) => ({
        speaker: line.speaker.name,
        text: line.text,
        startMs: line.startTimeMillis,
      })),
    })),
    owners: owners.map((owner) => ({ ...owner, provider: parts.providers.of(owner.userId) })),
    dispositions,
    unknownCaller,
    e164,
    answers,
  });
}
