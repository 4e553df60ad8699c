/** Streams of calls' sound over kysely. A position is written only by whoever has the stream: two relays never mix theirs. */
import type { SoundPosition, SoundStore } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createSoundStore(database: Database): SoundStore {
  const { db } = database;
  return {
    claim: ({ tenant, agent, callId }, holder, now) =>
      asking(async () => {
        const row = await db
          .insertInto('sound_streams')
          .values({ call_id: callId, tenant, agent, holder, position: '', at: now })
          .onConflict((conflict) =>
            conflict
              .column('call_id')
              .doUpdateSet({ holder, at: now })
              .where('sound_streams.tenant', '=', tenant)
              .where('sound_streams.agent', '=', agent),
          )
          .returning('position')
          .executeTakeFirst();
        if (row === undefined) return 'other';
        return row.position === '' ? null : (JSON.parse(row.position) as SoundPosition);
      }),

    put: (positions, now) =>
      asking(async () => {
        if (positions.length === 0) return [];
        // In one order, so that two relays never wait for each other in a circle.
        const sorted = [...positions].sort((a, b) => (a.callId < b.callId ? -1 : 1));
        const results = await database.batch(
          sorted.map(({ callId, holder, position }) => ({
            query: db
              .updateTable('sound_streams')
              .set({ position: JSON.stringify(position), at: now })
              .where('call_id', '=', callId)
              .where('holder', '=', holder)
              .returning('call_id'),
          })),
        );
        return sorted.filter((_, index) => results?.[index]?.length === 0).map(({ callId }) => callId);
      }),

    remove: (callId, holder) =>
      asking(async () => {
        await db.deleteFrom('sound_streams').where('call_id', '=', callId).where('holder', '=', holder).execute();
      }),

    forget: (before) =>
      asking(async () => {
        await db.deleteFrom('sound_streams').where('at', '<', before).execute();
      }),
  };
}
