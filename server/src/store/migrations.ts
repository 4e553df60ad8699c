/**
 * Every change of the tables, in order. A migration that has been released is never edited; a change is a new one, and one that the version
 * before can live with (columns with a default, new tables, never a rename), because relays of both versions run while a cluster is updated.
 */
import type { MigrationProvider } from 'kysely/migration';
import { callsOutboxIdentity } from './migrations/calls-outbox-identity.ts';
import { deniedExtension } from './migrations/denied-extension.ts';

/** Imported objects, not files found at run time: they survive bundling. Names sort in the order they run. */
export const migrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '2026-11-01-calls-outbox-identity': callsOutboxIdentity,
      '2026-11-21-denied-extension': deniedExtension,
    }),
};
