/** Whether the store can do its work now. Owns the write probe and the comparison of migrations; asked by readiness, never by a request. */
import { PatchcordError } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import { asking, type Database } from './database.ts';
import { migrations } from './migrations.ts';

/**
 * Writes and commits one row, and looks whether every migration this version knows has run. A newer version may have run more: its changes
 * are made so that this one can live with them.
 * @throws PatchcordError `store.unavailable`
 */
export async function checkStore({ db }: Database, now = Date.now()): Promise<void> {
  const [known, ran] = await asking(async () => {
    await db
      .insertInto('write_probe')
      .values({ id: 1, at: now })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ at: now }))
      .execute();
    const rows = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    return [Object.keys(await migrations.getMigrations()), new Set(rows.rows.map((row) => row.name))] as const;
  });
  const missing = known.filter((name) => !ran.has(name));
  if (missing.length > 0) {
    throw new PatchcordError(
      'store.unavailable',
      `The store lacks the migration "${missing[0]}": a copy of another version was put in its place. Restart the relay.`,
    );
  }
}
