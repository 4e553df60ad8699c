/** Leases of the agents' lines, over kysely. Every change names what it was made from: two relays never win both. */
import type { ExpressionBuilder, Selectable } from 'kysely';
import type { HeldLine, LineLease, LineLeaseStore, LineOf } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

type Row = ExpressionBuilder<Tables, 'line_leases'>;

/** Nobody waits for it. */
const noWish = { wanted_by: null, wanted_place: null, wanted_via: null, wanted_at: null };

export function createLineLeaseStore(database: Database): LineLeaseStore {
  const { db } = database;
  const at =
    ({ tenant, agent }: LineOf) =>
    (row: Row) =>
      row.and({ tenant, agent });
  /** The lease as this holder has it. */
  const heldBy = (line: HeldLine) => (row: Row) =>
    row.and([at(line)(row), row.and({ epoch: line.epoch, device: line.device, has_left: 0 })]);
  const changing = (row: Row, now: number) => ({ version: row('version', '+', 1), changed_at: now });

  return {
    find: (line) =>
      asking(async () => {
        const row = await db.selectFrom('line_leases').selectAll().where(at(line)).executeTakeFirst();
        return row === undefined ? null : toLease(row);
      }),

    grant: (grant, fromVersion, now) =>
      asking(async () => {
        const columns = {
          epoch: grant.epoch,
          device: grant.device,
          place: grant.place,
          via: grant.via,
          granted_at: now,
          held_until: grant.heldUntil,
          has_left: 0,
          lost_at: null,
          ...noWish,
        };
        if (fromVersion === 0) {
          const rows = await db
            .insertInto('line_leases')
            .values({
              tenant: grant.tenant,
              agent: grant.agent,
              version: 1,
              claimed_until: 0,
              changed_at: now,
              kept: null,
              kept_at: null,
              seen_to_epoch: null,
              ...columns,
            })
            .onConflict((conflict) => conflict.columns(['tenant', 'agent']).doNothing())
            .returning('epoch')
            .execute();
          return rows.length > 0;
        }
        const rows = await db
          .updateTable('line_leases')
          .set((row) => ({ ...columns, ...changing(row, now) }))
          .where(at(grant))
          .where('version', '=', fromVersion)
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    renew: (grants, wishesSince) =>
      asking(async () => {
        if (grants.length === 0) return [];
        // In one order, so that two relays that renew at once never wait for each other in a circle.
        const order = grants
          .map((grant, index) => ({ grant, index, key: `${grant.tenant} ${grant.agent}` }))
          .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.index - b.index));
        const results = await database.batch(
          order.map(({ grant }) => ({
            query: db
              .updateTable('line_leases')
              .set((row) => ({
                held_until: grant.heldUntil,
                via: grant.via,
                place: grant.place,
                lost_at: null,
                seen_to_epoch: null,
                ...noWish,
                version: row('version', '+', 1),
              }))
              .where(heldBy(grant))
              .where((row) => row.or([row('wanted_by', 'is', null), row('wanted_at', '<', wishesSince)]))
              .returning('epoch'),
          })),
        );
        const renewed = new Array<boolean>(grants.length).fill(false);
        for (const [place, { index }] of order.entries()) renewed[index] = (results?.[place]?.length ?? 0) > 0;
        return renewed;
      }),

    want: (line, wish, fromVersion, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set((row) => ({
            wanted_by: wish.device,
            wanted_place: wish.place,
            wanted_via: wish.via,
            wanted_at: wish.at,
            ...changing(row, now),
          }))
          .where(at(line))
          .where('version', '=', fromVersion)
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    unwant: (line, via, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set((row) => ({ ...noWish, ...changing(row, now) }))
          .where(at(line))
          .where('wanted_via', '=', via)
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    leave: (line, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set((row) => ({ held_until: 0, has_left: 1, lost_at: now, ...changing(row, now) }))
          .where(heldBy(line))
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    release: (line, via, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set((row) => ({ held_until: 0, lost_at: now, ...changing(row, now) }))
          .where(heldBy(line))
          .where('via', '=', via)
          .where('held_until', '>', 0)
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    keep: (line, sealed, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set({ kept: sealed, kept_at: sealed === null ? null : now })
          .where(heldBy(line))
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    end: (line, device, before, now) =>
      asking(async () => {
        let query = db
          .updateTable('line_leases')
          .set((row) => ({
            held_until: 0,
            has_left: 1,
            lost_at: now,
            kept: null,
            kept_at: null,
            seen_to_epoch: row.ref('epoch'),
            ...changing(row, now),
          }))
          .where(at(line))
          .where('granted_at', '<=', before);
        if (device !== null) query = query.where('device', '=', device);
        await query.execute();
      }),

    changedSince: (since) =>
      asking(async () => {
        const rows = await db
          .selectFrom('line_leases')
          .select(['tenant', 'agent', 'version'])
          .where('changed_at', '>=', since)
          .execute();
        return rows.map((row) => ({ ...toLine(row), version: row.version }));
      }),

    lostBefore: (before, now, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('line_leases')
          .selectAll()
          .where((row) =>
            row.or([
              row('lost_at', '<', before),
              row.and([row('lost_at', 'is', null), row('held_until', '>', 0), row('held_until', '<', before)]),
            ]),
          )
          .where((row) => row.or([row('seen_to_epoch', 'is', null), row('seen_to_epoch', '<', row.ref('epoch'))]))
          .where('claimed_until', '<=', now)
          .orderBy('tenant')
          .orderBy('agent')
          .limit(limit)
          .execute();
        return rows.map(toLease);
      }),

    claimLost: (lease, now, until) =>
      asking(async () => {
        const rows = await db
          .updateTable('line_leases')
          .set({ claimed_until: until })
          .where(at(lease))
          .where('version', '=', lease.version)
          .where('claimed_until', '<=', now)
          .returning('epoch')
          .execute();
        return rows.length > 0;
      }),

    seenTo: (lease, forget) =>
      asking(async () => {
        await db
          .updateTable('line_leases')
          .set((row) => ({
            seen_to_epoch: row.ref('epoch'),
            claimed_until: 0,
            ...(forget ? { kept: null, kept_at: null } : {}),
          }))
          .where(at(lease))
          .where('version', '=', lease.version)
          .execute();
      }),

    forgetKept: (lostBefore, idleSince) =>
      asking(async () => {
        await db
          .updateTable('line_leases')
          .set({ kept: null, kept_at: null })
          .where('kept', 'is not', null)
          .where((row) =>
            row.or([
              row('lost_at', '<', lostBefore),
              row.and([row('held_until', '>', 0), row('held_until', '<', lostBefore)]),
              row.and([
                row('kept_at', '<', idleSince),
                row.not(
                  row.exists(
                    row
                      .selectFrom('calls')
                      .select('calls.call_id')
                      .whereRef('calls.tenant', '=', 'line_leases.tenant')
                      .whereRef('calls.agent', '=', 'line_leases.agent')
                      .where('calls.open', '=', 1),
                  ),
                ),
              ]),
            ]),
          )
          .execute();
      }),
  };
}

function toLine(row: { readonly tenant: string; readonly agent: string }): LineOf {
  return { tenant: row.tenant as LineOf['tenant'], agent: row.agent as LineOf['agent'] };
}

function toLease(row: Selectable<Tables['line_leases']>): LineLease {
  const { wanted_by: wantedBy, wanted_via: wantedVia, wanted_at: wantedAt } = row;
  return {
    ...toLine(row),
    epoch: row.epoch,
    version: row.version,
    device: row.device as LineLease['device'],
    place: row.place,
    via: row.via,
    grantedAt: row.granted_at,
    heldUntil: row.held_until,
    hasLeft: row.has_left === 1,
    lostAt: row.lost_at,
    wish:
      wantedBy === null || wantedVia === null || wantedAt === null
        ? null
        : { device: wantedBy as LineLease['device'], place: row.wanted_place ?? '', via: wantedVia, at: wantedAt },
    kept: row.kept,
    keptAt: row.kept_at,
  };
}
