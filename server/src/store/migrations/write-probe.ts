/** One row that readiness writes: a store that can be read and not written (a full disk, a read-only standby) is no store. */
import type { Migration } from 'kysely/migration';

export const writeProbe: Migration = {
  async up(db) {
    await db.schema
      .createTable('write_probe')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
  },
  async down(db) {
    await db.schema.dropTable('write_probe').execute();
  },
};
