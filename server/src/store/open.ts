/** Opens the store the configuration names: PostgreSQL by its URL, or SQLite in a folder. The one place that knows which. */
import { sql } from 'kysely';
import type { Store } from './contract.ts';
import { asking, type Database, openPostgres, openSqlite } from './database.ts';
import { createCallStore } from './kysely-calls.ts';
import { createCredentialStore } from './kysely-credentials.ts';
import { createIdentityStore } from './kysely-identity.ts';
import { createOutboxStore } from './kysely-outbox.ts';

/** Where the data lies. */
export type StoreLocation =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'sqlite'; readonly folder: string };

/**
 * Opens the store and brings its tables to this version.
 * @throws PatchcordError `store.unavailable` with what to check
 */
export async function openStore(location: StoreLocation): Promise<Store> {
  const database = location.kind === 'postgres' ? await openPostgres(location.url) : await openSqlite(location.folder);
  return storeOver(database);
}

function storeOver(database: Database): Store {
  const { db } = database;
  const dayMs = 86_400_000;
  return {
    calls: createCallStore(database),
    outbox: createOutboxStore(database),
    identity: createIdentityStore(database),
    credentials: createCredentialStore(database),
    check: () =>
      asking(async () => {
        await sql`select count(*) from outbox where state = 'nothing'`.execute(db);
      }),
    forgetExpired: (now) =>
      asking(async () => {
        await db.deleteFrom('sessions').where('expires_at', '<', now).execute();
        await db.deleteFrom('pairing_codes').where('expires_at', '<', now).execute();
        await db.deleteFrom('used_proofs').where('expires_at', '<', now).execute();
        // a day longer, so that an operator can still see what was issued
        await db
          .deleteFrom('issued_credentials')
          .where('expires_at', '<', now - dayMs)
          .execute();
      }),
    close: () => database.close(),
  };
}
