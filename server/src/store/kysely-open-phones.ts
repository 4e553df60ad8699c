/** Phones with a live socket, over kysely. A phone is open while its relay, when it spoke last, named it, or it came to that relay since. */
import type { OpenPhoneStore } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';

/** Rows of one statement: three values each, far below what a statement takes. */
const rowsAtOnce = 1_000;

export function createOpenPhoneStore(database: Database): OpenPhoneStore {
  const { db } = database;

  const seen = (relay: string, sources: readonly string[], now: number): BatchStatement => ({
    query: db
      .insertInto('open_phones')
      .values(sources.map((source) => ({ source, relay, seen_at: now })))
      .onConflict((conflict) => conflict.column('source').doUpdateSet({ relay, seen_at: now })),
  });

  const allSeen = (relay: string, sources: readonly string[], now: number): BatchStatement[] => {
    // In one order, so that two relays that name the same phones never wait for each other in a circle.
    const sorted = [...new Set(sources)].sort();
    const pages = Math.ceil(sorted.length / rowsAtOnce);
    return Array.from({ length: pages }, (_, page) =>
      seen(relay, sorted.slice(page * rowsAtOnce, (page + 1) * rowsAtOnce), now),
    );
  };

  return {
    tell: (relay, sources, now) =>
      asking(async () => {
        // No new row: a relay that has said goodbye must not come back to life by this.
        const said = db.updateTable('relay_heartbeats').set({ phones_at: now }).where('relay', '=', relay);
        await database.batch([...allSeen(relay, sources, now), { query: said }]);
      }),

    join: (relay, sources, now) =>
      asking(async () => {
        await database.batch(allSeen(relay, sources, now));
      }),

    isOpen: (source) =>
      asking(async () => {
        const row = await db
          .selectFrom('open_phones')
          .innerJoin('relay_heartbeats', 'relay_heartbeats.relay', 'open_phones.relay')
          .select('open_phones.source')
          .where('open_phones.source', '=', source)
          .whereRef('relay_heartbeats.phones_at', '<=', 'open_phones.seen_at')
          .executeTakeFirst();
        return row !== undefined;
      }),

    forget: (before) =>
      asking(async () => {
        await db.deleteFrom('open_phones').where('seen_at', '<', before).execute();
      }),
  };
}
