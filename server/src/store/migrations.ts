/**
 * Every change of the tables, in order. A migration that has been released is never edited; a change is a new one, and one that the version
 * before can live with (columns with a default, new tables, never a rename), because relays of both versions run while a cluster is updated.
 */
import type { MigrationProvider } from 'kysely/migration';
import { audit } from './migrations/audit.ts';
import { boundSessions } from './migrations/bound-sessions.ts';
import { brakes } from './migrations/brakes.ts';
import { callFeatures } from './migrations/call-features.ts';
import { callLegs } from './migrations/call-legs.ts';
import { callsOutboxIdentity } from './migrations/calls-outbox-identity.ts';
import { deniedExtension } from './migrations/denied-extension.ts';
import { forgettingIndexes } from './migrations/forgetting-indexes.ts';
import { issuedDevices } from './migrations/issued-devices.ts';
import { legalHolds } from './migrations/legal-holds.ts';
import { lineLeases } from './migrations/line-leases.ts';
import { liveFeed } from './migrations/live-feed.ts';
import { logCreators } from './migrations/log-creators.ts';
import { openPhones } from './migrations/open-phones.ts';
import { outboxOrder } from './migrations/outbox-order.ts';
import { recordChoices } from './migrations/record-choices.ts';
import { recordingParts } from './migrations/recording-parts.ts';
import { recordings } from './migrations/recordings.ts';
import { soundStreams } from './migrations/sound-streams.ts';
import { toCall } from './migrations/to-call.ts';
import { voicemailWords } from './migrations/voicemail-words.ts';
import { writeProbe } from './migrations/write-probe.ts';

/** Imported objects, not files found at run time: they survive bundling. Names sort in the order they run. */
export const migrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '2026-11-01-calls-outbox-identity': callsOutboxIdentity,
      '2026-11-21-denied-extension': deniedExtension,
      '2026-11-22-audit': audit,
      '2026-11-22-bound-sessions': boundSessions,
      '2026-11-22-brakes': brakes,
      '2026-11-22-call-legs': callLegs,
      '2026-11-22-issued-devices': issuedDevices,
      '2026-11-22-legal-holds': legalHolds,
      '2026-11-22-live-feed': liveFeed,
      '2026-11-22-outbox-order': outboxOrder,
      '2026-11-22-write-probe': writeProbe,
      '2026-11-23-forgetting-indexes': forgettingIndexes,
      '2026-11-24-record-choices': recordChoices,
      '2026-11-25-log-creators': logCreators,
      '2026-11-25-recordings': recordings,
      '2026-11-25-to-call': toCall,
      '2026-11-26-open-phones': openPhones,
      '2026-11-27-call-features': callFeatures,
      '2026-11-28-line-leases': lineLeases,
      '2026-11-29-sound-streams': soundStreams,
      '2026-11-30-recording-parts': recordingParts,
      '2026-11-30-voicemail-words': voicemailWords,
    }),
};
