/**
 * Brings the tables to this version. Owns what happens when the database is of another version than we are; `migrations.ts` owns the changes.
 *
 * Rule of a rolling update: relays of two versions run on one database, so this version starts on a database that a newer one has already
 * migrated, unless the newer one says that we can't live with it: by a migration whose name ends in `-breaking`. A name is all that an older
 * version knows of a migration it has never seen.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { migrations } from './migrations.ts';
import type { Tables } from './tables.ts';

const breaking = /-breaking$/;
const notOpened =
  'The store could not be opened. Check that the folder or the database exists and can be written, and that it is a Patchcord store.';

/**
 * Runs what has not run yet, each relay waiting for the other: two that start together migrate once.
 * @param known What this version knows, all of it unless told otherwise
 * @throws PatchcordError `store.unavailable`: the database can't be had, a migration failed, or a newer Patchcord has made it unfit for us
 */
export async function migrate(
  db: Kysely<Tables>,
  known: () => Promise<Readonly<Record<string, Migration>>> = () => migrations.getMigrations(),
): Promise<void> {
  const ours = await known();
  let strangers = await strangersIn(db, ours);
  for (;;) {
    const unfit = strangers.find((name) => breaking.test(name));
    if (unfit !== undefined) {
      throw new PatchcordError(
        'store.unavailable',
        `A newer Patchcord has changed this database in a way that this version can't work with (migration "${unfit}"). Start the newer version, or restore a backup made before the update.`,
      );
    }
    const all = { ...ours, ...Object.fromEntries(strangers.map((name) => [name, alreadyThere])) };
    const { error, results } = await new Migrator({
      db,
      // Branches meet: what was made earlier and arrives later still runs.
      allowUnorderedMigrations: true,
      provider: { getMigrations: () => Promise.resolve(all) },
    }).migrateToLatest();
    if (error === undefined) return;
    // A newer relay may have migrated between our look and our turn.
    const seen = strangers.length;
    strangers = await strangersIn(db, ours).catch(() => strangers);
    if (strangers.length > seen) continue;
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    throw new PatchcordError(
      'store.unavailable',
      failed === undefined
        ? notOpened
        : `The store could not be brought to this version: migration "${failed}" failed and was rolled back.`,
      { cause: error },
    );
  }
}

/** Migrations that have run here and are not ours. */
async function strangersIn(db: Kysely<Tables>, ours: Readonly<Record<string, Migration>>): Promise<readonly string[]> {
  try {
    return (await ranMigrations(db)).filter((name) => !Object.hasOwn(ours, name));
  } catch (cause) {
    throw new PatchcordError('store.unavailable', notOpened, { cause });
  }
}

/** Names of the migrations that this database has seen, in the order of their names; none when it is new. */
export async function ranMigrations(db: Kysely<Tables>): Promise<readonly string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === 'kysely_migration')) return [];
  const rows = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute();
  return rows.map(({ name }) => name);
}

const alreadyThere: Migration = { up: () => Promise.resolve() };
