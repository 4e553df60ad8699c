/**
 * Owns the past of the demo company: calls of the last days on its records, as the product itself would have logged them. For a person to look at;
 * tests start with an empty timeline.
 */
import type { Portal } from './records.ts';
import type { Owner } from './rest-call.ts';
import type { Transcripts } from './transcripts.ts';

interface PastCall {
  readonly person: string;
  readonly daysAgo: number;
  readonly at: string;
  readonly direction: 'INBOUND' | 'OUTBOUND';
  readonly status: string;
  readonly outcome: string;
  readonly seconds: number;
  readonly by: 0 | 1;
  readonly note: string;
  /** What the call was about, beside the person. */
  readonly about?: { readonly kind: 'deals' | 'tickets'; readonly name: string };
  readonly words?: readonly (readonly ['agent' | 'far side', string])[];
}

const connected = 'f240bbac-87c9-4f6e-bf70-924b57d47db7';
const noAnswer = '73a0d17f-1163-4015-bdd5-ec830791da20';
const voicemail = 'b2cf5968-551e-4856-9783-52b3da59a7d0';

const past: readonly PastCall[] = [
  {
    person: 'Elena',
    daysAgo: 1,
    at: '10:12',
    direction: 'OUTBOUND',
    status: 'COMPLETED',
    outcome: connected,
    seconds: 252,
    by: 0,
    note: 'Second order agreed: forty hoods, delivery in two parts. Contract goes out today.',
    about: { kind: 'deals', name: 'Forty lens hoods, second order' },
    words: [
      ['agent', 'Good morning Elena, Robin here. You asked for the second batch?'],
      ['far side', 'Yes, forty this time. Can you send them in two deliveries?'],
      ['agent', 'We can. Twenty next week and twenty at the end of the month.'],
      ['far side', 'Perfect. Send me the contract and I sign it today.'],
    ],
  },
  {
    person: 'Elena',
    daysAgo: 6,
    at: '16:40',
    direction: 'INBOUND',
    status: 'MISSED',
    outcome: noAnswer,
    seconds: 0,
    by: 0,
    note: '',
  },
  {
    person: 'Theo',
    daysAgo: 2,
    at: '09:05',
    direction: 'OUTBOUND',
    status: 'NO_ANSWER',
    outcome: voicemail,
    seconds: 0,
    by: 1,
    note: 'Left word that the new labels are in.',
    about: { kind: 'deals', name: 'Pallet labels, yearly frame' },
  },
  {
    person: 'Mina',
    daysAgo: 0,
    at: '08:31',
    direction: 'INBOUND',
    status: 'COMPLETED',
    outcome: connected,
    seconds: 118,
    by: 0,
    note: 'Pays the first invoice, the second is void. Credit note to her by mail.',
    about: { kind: 'tickets', name: 'Invoice 2041 was sent twice' },
  },
  {
    person: 'Oliver',
    daysAgo: 3,
    at: '11:20',
    direction: 'OUTBOUND',
    status: 'COMPLETED',
    outcome: connected,
    seconds: 431,
    by: 1,
    note: 'Went through the customs form line by line. He sends it tonight.',
    about: { kind: 'tickets', name: 'Parcel held at the border' },
  },
  {
    person: 'Jonas',
    daysAgo: 4,
    at: '14:02',
    direction: 'OUTBOUND',
    status: 'COMPLETED',
    outcome: connected,
    seconds: 689,
    by: 0,
    note: 'Wants a sample of the torque keys before he decides. Call back in two weeks.',
    about: { kind: 'deals', name: 'Torque keys for Berlin' },
  },
  {
    person: 'Priya',
    daysAgo: 5,
    at: '17:15',
    direction: 'OUTBOUND',
    status: 'BUSY',
    outcome: noAnswer,
    seconds: 0,
    by: 1,
    note: '',
  },
];

/** Writes the past into the portal. */
export function seedCalls(
  parts: { portal: Portal; owners: readonly Owner[]; transcripts: Transcripts; appId: number },
  now = Date.now(),
): void {
  const { portal, owners, transcripts } = parts;
  for (const [index, one] of past.entries()) {
    const contact = portal.all('contacts').find(({ properties }) => properties.firstname === one.person);
    const owner = owners[one.by] ?? owners[0];
    if (!contact || !owner) continue;
    const number =
      contact.properties.hs_calculated_phone_number ?? contact.properties.hs_calculated_mobile_number ?? '';
    const name = `${contact.properties.firstname} ${contact.properties.lastname}`;
    const inbound = one.direction === 'INBOUND';
    const [hour = 9, minute = 0] = one.at.split(':').map(Number);
    const at = new Date(now);
    at.setDate(at.getDate() - one.daysAgo);
    at.setHours(hour, minute, 0, 0);
    const record = portal.create(
      'calls',
      {
        hs_timestamp: `${Math.min(at.getTime(), now - 60_000)}`,
        hs_call_title: one.status === 'MISSED' ? `Missed call from ${name}` : `Call ${inbound ? 'from' : 'to'} ${name}`,
        hs_call_body: one.note,
        hs_call_direction: one.direction,
        hs_call_status: one.status,
        hs_call_disposition: one.outcome,
        hs_call_duration: `${one.seconds * 1000}`,
        hs_call_from_number: inbound ? number : '+14155550190',
        hs_call_to_number: inbound ? '+14155550190' : number,
        hs_call_external_id: `past-${index + 1}`,
        hs_call_app_id: `${parts.appId}`,
        hs_call_source: 'INTEGRATIONS_PLATFORM',
        hubspot_owner_id: owner.id,
      },
      { indexedAt: 0 },
    );
    portal.associate('calls', record.id, 'contacts', contact.id);
    const about = one.about;
    const work =
      about &&
      portal.all(about.kind).find(({ properties }) => (properties.dealname ?? properties.subject) === about.name);
    if (about && work) portal.associate('calls', record.id, about.kind, work.id);
    if (one.words)
      transcripts.handle(
        {
          method: 'POST',
          path: '',
          query: new URLSearchParams(),
          size: 0,
          body: {
            engagementId: Number(record.id),
            transcriptCreateUtterances: one.words.map(([who, text], line) => ({
              speaker:
                who === 'agent'
                  ? { id: owner.id, name: `${owner.firstName} ${owner.lastName}` }
                  : { id: contact.id, name },
              text,
              startTimeMillis: line * 6000,
              endTimeMillis: line * 6000 + 5200,
            })),
          },
        },
        undefined,
      );
  }
}
