/** Remembered choices over kysely. Knows no number, only its hash. */
import type { ExpressionBuilder } from 'kysely';
import type { ChoiceStore, RecordChoice, RememberedChoice } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createChoiceStore(database: Database): ChoiceStore {
  const { db } = database;
  const rowOf = (choice: RecordChoice) => (row: ExpressionBuilder<Tables, 'record_choices'>) =>
    row.and({
      tenant: choice.tenant,
      number: choice.number,
      crm: choice.crm,
      object: choice.object,
      record_id: choice.id,
    });

  return {
    remember: (choice, by, at) =>
      asking(async () => {
        const { tenant, number, crm, object, id } = choice;
        await db
          .insertInto('record_choices')
          .values({ tenant, number, crm, object, record_id: id, times: 1, last_at: at, last_by: by })
          .onConflict((conflict) =>
            conflict.columns(['tenant', 'number', 'crm', 'object', 'record_id']).doUpdateSet((own) => ({
              times: own('record_choices.times', '+', 1),
              last_at: own.ref('excluded.last_at'),
              last_by: own.ref('excluded.last_by'),
            })),
          )
          .execute();
      }),

    takeBack: (choice) =>
      asking(async () => {
        await database.batch([
          {
            query: db
              .updateTable('record_choices')
              .set((own) => ({ times: own('times', '-', 1) }))
              .where(rowOf(choice)),
          },
          { query: db.deleteFrom('record_choices').where(rowOf(choice)).where('times', '<', 1) },
        ]);
      }),

    ofNumber: (tenant, number) =>
      asking(async () => {
        const rows = await db
          .selectFrom('record_choices')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('number', '=', number)
          .orderBy('times', 'desc')
          .orderBy('last_at', 'desc')
          .execute();
        return rows.map(
          (row): RememberedChoice => ({
            tenant: row.tenant as RememberedChoice['tenant'],
            number: row.number,
            crm: row.crm as RememberedChoice['crm'],
            object: row.object,
            id: row.record_id,
            times: row.times,
            lastAt: row.last_at,
            lastBy: row.last_by as RememberedChoice['lastBy'],
          }),
        );
      }),

    forget: (choice) =>
      asking(async () => {
        await db.deleteFrom('record_choices').where(rowOf(choice)).execute();
      }),

    forgetBefore: (at, held) =>
      asking(async () => {
        const result = await db
          .deleteFrom('record_choices')
          .where('last_at', '<', at)
          .where((row) =>
            row.not(
              row.or(held.map(({ tenant, number }) => row.and({ tenant, ...(number === null ? {} : { number }) }))),
            ),
          )
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}
