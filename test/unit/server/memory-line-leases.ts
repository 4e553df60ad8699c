/** Leases of lines in memory, for tests of who gets them: keeps the promises of the store's contract, and answers a moment later, as a store does. */
import type { HeldLine, LineGrant, LineLease, LineLeaseStore, LineOf } from '../../../server/src/store/contract.ts';

type Row = { -readonly [K in keyof LineLease]: LineLease[K] } & {
  seenToEpoch: number | null;
  claimedUntil: number;
  changedAt: number;
};

function leaseIn({ seenToEpoch: _seenTo, claimedUntil: _claimed, changedAt: _changed, ...lease }: Row): LineLease {
  return lease;
}

/** @param options.answer What every answer waits for: whoever asks at the same time may be faster. */
export function memoryLineLeases(options: { readonly answer?: () => Promise<void> } = {}): LineLeaseStore {
  const answer = options.answer ?? (() => Promise.resolve());
  const rows = new Map<string, Row>();
  const rowOf = ({ tenant, agent }: LineOf): Row | undefined => rows.get(`${tenant} ${agent}`);
  const heldRow = (line: HeldLine): Row | undefined => {
    const row = rowOf(line);
    return row?.epoch === line.epoch && row.device === line.device && !row.hasLeft ? row : undefined;
  };
  /** Everything between two answers happens at once, as in a transaction. */
  async function asked<T>(work: () => T): Promise<T> {
    await answer();
    const result = work();
    await answer();
    return result;
  }
  function change(row: Row | undefined, now: number, changes: Partial<Row>): boolean {
    if (row === undefined) return false;
    Object.assign(row, { ...changes, version: row.version + 1, changedAt: now });
    return true;
  }
  const granted = (grant: LineGrant, now: number): Partial<Row> => ({
    epoch: grant.epoch,
    device: grant.device,
    place: grant.place,
    via: grant.via,
    grantedAt: now,
    heldUntil: grant.heldUntil,
    hasLeft: false,
    lostAt: null,
    wish: null,
  });

  return {
    find: (line) =>
      asked(() => {
        const row = rowOf(line);
        return row === undefined ? null : leaseIn(row);
      }),
    grant: (grant, fromVersion, now) =>
      asked(() => {
        const row = rowOf(grant);
        if (row !== undefined) return row.version === fromVersion && change(row, now, granted(grant, now));
        if (fromVersion !== 0) return false;
        const { tenant, agent } = grant;
        const fresh = { tenant, agent, version: 1, kept: null, keptAt: null, seenToEpoch: null, claimedUntil: 0 };
        rows.set(`${tenant} ${agent}`, { ...fresh, ...granted(grant, now), changedAt: now } as Row);
        return true;
      }),
    renew: (grants, wishesSince) =>
      asked(() =>
        grants.map((grant) => {
          const row = heldRow(grant);
          if (row === undefined || (row.wish !== null && row.wish.at >= wishesSince)) return false;
          const { heldUntil, via, place } = grant;
          Object.assign(row, { heldUntil, via, place, lostAt: null, wish: null, seenToEpoch: null });
          row.version += 1;
          return true;
        }),
      ),
    want: (line, wish, fromVersion, now) =>
      asked(() => {
        const row = rowOf(line);
        return row?.version === fromVersion && change(row, now, { wish });
      }),
    unwant: (line, via, now) =>
      asked(() => {
        const row = rowOf(line);
        return row?.wish?.via === via && change(row, now, { wish: null });
      }),
    leave: (line, now) => asked(() => change(heldRow(line), now, { heldUntil: 0, hasLeft: true, lostAt: now })),
    release: (line, via, now) =>
      asked(() => {
        const row = heldRow(line);
        return row?.via === via && row.heldUntil > 0 && change(row, now, { heldUntil: 0, lostAt: now });
      }),
    keep: (line, sealed, now) =>
      asked(() => {
        const row = heldRow(line);
        if (row === undefined) return false;
        Object.assign(row, { kept: sealed, keptAt: sealed === null ? null : now });
        return true;
      }),
    end: (line, device, before, now) =>
      asked(() => {
        const row = rowOf(line);
        if (row === undefined || row.grantedAt > before || (device !== null && row.device !== device)) return;
        const ended = { heldUntil: 0, hasLeft: true, lostAt: now, kept: null, keptAt: null, seenToEpoch: row.epoch };
        change(row, now, ended);
      }),
    changedSince: (at) =>
      asked(() =>
        [...rows.values()]
          .filter(({ changedAt }) => changedAt >= at)
          .map(({ tenant, agent, version }) => ({ tenant, agent, version })),
      ),
    lostBefore: (at, now, limit) =>
      asked(() =>
        [...rows.values()]
          .filter((row) => (row.lostAt === null ? row.heldUntil > 0 && row.heldUntil < at : row.lostAt < at))
          .filter((row) => (row.seenToEpoch === null || row.seenToEpoch < row.epoch) && row.claimedUntil <= now)
          .slice(0, limit)
          .map(leaseIn),
      ),
    claimLost: (lease, now, until) =>
      asked(() => {
        const row = rowOf(lease);
        if (row?.version !== lease.version || row.claimedUntil > now) return false;
        row.claimedUntil = until;
        return true;
      }),
    seenTo: (lease, forget) =>
      asked(() => {
        const row = rowOf(lease);
        if (row?.version !== lease.version) return;
        Object.assign(row, {
          seenToEpoch: row.epoch,
          claimedUntil: 0,
          ...(forget ? { kept: null, keptAt: null } : {}),
        });
      }),
    forgetKept: (lostBefore) =>
      asked(() => {
        for (const row of rows.values()) {
          const isLost =
            row.lostAt === null ? row.heldUntil > 0 && row.heldUntil < lostBefore : row.lostAt < lostBefore;
          if (isLost) Object.assign(row, { kept: null, keptAt: null });
        }
      }),
  };
}
