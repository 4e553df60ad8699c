/**
 * What every relay half promises, run against a living CRM (or its emulator). A new CRM passes this suite, or it is no adapter.
 * Must never know a CRM's field names: the subject translates.
 */
import {
  type CallLog,
  errorCode,
  type Match,
  type PatchcordError,
  type RecordRef,
  toE164,
} from '@patchcord/call-protocol';
import type { CrmAgent, CrmRelay, LogWritten } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { finishedCall } from './call-log-fixture.ts';

/** A log as a person reads it in the CRM. */
export interface LogSeen {
  readonly id: string;
  readonly direction: 'inbound' | 'outbound';
  readonly seconds: number;
  readonly result: string;
  readonly text: string;
  readonly numbers: readonly string[];
  /** `object:id`, as in a RecordRef. */
  readonly records: readonly string[];
  readonly ownedBy: string;
}

/** What goes wrong next: the CRM does the work but its answer is lost, or it refuses. */
export type Trouble = 'answer-lost' | 'server-error' | 'rate-limited' | 'session-expired' | 'reset';

export interface RelayCrmSubject {
  readonly relay: CrmRelay;
  readonly agent: CrmAgent;
  /** How the CRM names this agent as owner of a log. */
  readonly ownerName: string;
  logs(): readonly LogSeen[];
  /** A person rewrites the text of a log. */
  rewrite(logId: string, text: string): void;
  /** A person deletes a log. */
  remove(logId: string): void;
  /** The record with this name, as the CRM refers to it. */
  record(name: string): RecordRef;
  /** The next write (`skip` writes later) meets this trouble. */
  trouble(kind: Trouble, skip?: number): void;
  /** How many requests one first write takes: each of them is one place to crash at. */
  readonly writeRequests: number;
  /** The same for a batch of first writes. */
  readonly batchRequests: number;
  /** This log as the CRM will refuse it; the next write of it is refused. */
  poisoned(log: CallLog): CallLog;
  /** Requests that write or read logs so far, where the CRM counts them. */
  requests?(): number;
  close(): Promise<void>;
}

/** Runs the suite; `start` makes a CRM with the demo people in it and nothing logged. */
export function relayCrmContract(name: string, start: () => Promise<RelayCrmSubject>): void {
  describe(`${name}: the relay half of a CRM`, () => {
    let crm: RelayCrmSubject;
    beforeAll(async () => {
      crm = await start();
    });
    afterAll(() => crm.close());
    let before = 0;
    beforeEach(() => {
      before = crm.logs().length;
    });
    const newLogs = (): readonly LogSeen[] => crm.logs().slice(before);
    const write = (log: CallLog, id: string | null = null): Promise<string> => crm.relay.writeLog(log, crm.agent, id);
    /** What the outbox does: again and again while it is worth it. */
    async function deliver(log: CallLog, id: string | null = null): Promise<string> {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await write(log, id);
        } catch (error) {
          if (attempt === 8 || !(error as PatchcordError).retryable) throw error;
        }
      }
    }
    const find = (number: string, country = 'US'): Promise<readonly Match[]> =>
      crm.relay.findByNumber(toE164(number), country);
    const names = (matches: readonly Match[]): readonly (string | undefined)[] =>
      matches.map(({ record }) => record.name);

    it('finds a record however its number was typed', async () => {
      for (const [number, expected, country] of [
        ['+14155550101', 'Elena Marchetti', 'US'],
        ['+14155550102', 'Theo Okafor', 'US'],
        ['+14155550103', 'Mina Sato', 'US'],
        ['+442079460958', 'Oliver Whitcombe', 'GB'],
      ] as const)
        expect(names(await find(number, country)), number).toEqual([expected]);
    });

    it('finds a lead or a foreign number', async () => {
      expect(names(await find('+493023125007'))).toEqual(['Jonas Weber']);
    });

    it('offers everybody who shares a number, each with its reason', async () => {
      const matches = await find('+14155550123');
      expect([...names(matches)].sort()).toEqual(['Luis Ortega', 'Priya Raman']);
      for (const match of matches) {
        expect(match.number).toBe('+14155550123');
        expect(match.reason).not.toBe('');
      }
    });

    it('never offers a record whose number only looks alike', async () => {
      // The same national digits in another country.
      expect(await find('+494155550101')).toEqual([]);
      expect(await find('+14155550199')).toEqual([]);
    });

    it('writes one log with direction, numbers, seconds, result, note, record and owner', async () => {
      const record = crm.record('Elena Marchetti');
      const id = await write(finishedCall({ record, note: 'Wants <two> more & a quote', disposition: null }));
      const [log, ...others] = newLogs();
      expect(others).toEqual([]);
      expect(log).toMatchObject({ id, direction: 'outbound', seconds: 62, ownedBy: crm.ownerName });
      expect(log?.records).toEqual([`${record.object}:${record.id}`]);
      expect(log?.text).toContain('Wants <two> more & a quote');
      expect(log?.result).toBe('Connected');
      expect(log?.numbers).toEqual(['+14155550190', '+14155550101']);
    });

    it('writes a missed call as such', async () => {
      await write(
        finishedCall({
          direction: 'inbound',
          outcome: 'missed',
          answeredAt: null,
          talkMs: 0,
          reason: 'nobody answered',
        }),
      );
      const log = newLogs()[0];
      expect(log).toMatchObject({ direction: 'inbound', seconds: 0 });
      expect(log?.numbers).toEqual(['+14155550101', '+14155550190']);
      expect(log?.text).toContain('Missed');
    });

    it('puts a call on a lead', async () => {
      const record = crm.record('Jonas Weber');
      await write(finishedCall({ record }));
      expect(newLogs()[0]?.records).toEqual([`${record.object}:${record.id}`]);
    });

    it('writes the same call five times and leaves one log', async () => {
      const log = finishedCall({ record: crm.record('Mina Sato') });
      const ids = new Set<string>();
      for (let time = 1; time <= 5; time += 1) ids.add(await write(log));
      expect(ids.size).toBe(1);
      expect(newLogs()).toHaveLength(1);
    });

    it('leaves one log when two relays write the same call at once', async () => {
      const log = finishedCall();
      const ids = new Set(await Promise.all([1, 2, 3].map(() => deliver(log))));
      expect(ids.size).toBe(1);
      expect(newLogs()).toHaveLength(1);
    });

    it('leaves one complete log wherever a request was lost on the way', async () => {
      for (const kind of ['answer-lost', 'server-error', 'reset'] as const)
        for (let skip = 0; skip < crm.writeRequests; skip += 1) {
          const record = crm.record('Elena Marchetti');
          const log = finishedCall({ record, note: `${kind} ${skip}` });
          const count = crm.logs().length;
          crm.trouble(kind, skip);
          const id = await deliver(log);
          const made = crm.logs().slice(count);
          expect(made, `${kind} at request ${skip}`).toHaveLength(1);
          expect(made[0]).toMatchObject({ id, records: [`${record.object}:${record.id}`] });
        }
    });

    it('says when a refusal is worth another try, and how long to wait', async () => {
      crm.trouble('rate-limited');
      const limited = await write(finishedCall()).catch((error: unknown) => error as PatchcordError);
      expect(errorCode(limited)).toBe('crm.rate-limited');
      expect(limited).toMatchObject({ retryable: true });
      expect((limited as PatchcordError).retryAfterMs).toBeGreaterThan(0);
      crm.trouble('server-error');
      const broken = await write(finishedCall()).catch((error: unknown) => error as PatchcordError);
      expect(errorCode(broken)).toBe('crm.unavailable');
      expect(broken).toMatchObject({ retryable: true });
      expect(newLogs()).toEqual([]);
    });

    it('signs in again when its session ended', async () => {
      crm.trouble('session-expired');
      await write(finishedCall());
      expect(newLogs()).toHaveLength(1);
    });

    it('brings the note and the result of wrap-up into the log it wrote before', async () => {
      const log = finishedCall({ record: crm.record('Theo Okafor') });
      const id = await write(log);
      expect(await write({ ...log, note: 'Call back on Monday', stage: 'final' }, id)).toBe(id);
      expect(newLogs()).toHaveLength(1);
      expect(newLogs()[0]?.text).toContain('Call back on Monday');
      expect(await write({ ...log, note: 'Call back on Tuesday', stage: 'final' }, null)).toBe(id);
      expect(newLogs()[0]?.text).toContain('Tuesday');
    });

    it('moves the log to the record that was chosen later', async () => {
      const log = finishedCall({ record: crm.record('Theo Okafor') });
      const id = await write(log);
      const chosen = crm.record('Elena Marchetti');
      await write({ ...log, record: chosen }, id);
      expect(newLogs()[0]?.records).toContain(`${chosen.object}:${chosen.id}`);
    });

    it('keeps what a person wrote into the log, and still updates the rest', async () => {
      const log = finishedCall({ note: 'first' });
      const id = await write(log);
      crm.rewrite(id, 'My own words');
      await write({ ...log, note: 'second', talkMs: 99_000, stage: 'final' }, id);
      await write({ ...log, note: 'third', talkMs: 99_000, stage: 'final' }, null);
      const [seen, ...others] = newLogs();
      expect(others).toEqual([]);
      expect(seen?.text).toBe('My own words');
      expect(seen?.seconds).toBe(99);
    });

    it('leaves a log deleted that a person deleted', async () => {
      const log = finishedCall();
      const id = await write(log);
      crm.remove(id);
      expect(await write({ ...log, note: 'late' }, id)).toBe(id);
      expect(newLogs()).toEqual([]);
    });

    describe('in batches', () => {
      const writeAll = async (
        logs: readonly { readonly log: CallLog; readonly logId?: string | null }[],
      ): Promise<readonly LogWritten[]> => {
        const { writeLogs } = crm.relay;
        if (writeLogs === undefined) throw new Error('This CRM says that it has batches.');
        return writeLogs(logs.map(({ log, logId = null }) => ({ log, agent: crm.agent, logId })));
      };
      const idsOf = (written: readonly LogWritten[]): readonly string[] =>
        written.map((one) => ('logId' in one ? one.logId : `${one.error.code}: ${one.error.message}`));
      const some = (count: number, change: Partial<CallLog> = {}): readonly CallLog[] =>
        Array.from({ length: count }, (_, index) => finishedCall({ note: `note ${index}`, ...change }));

      it('writes many calls, each complete and under its own id, and repeats them without a second log', async () => {
        const records = [crm.record('Elena Marchetti'), crm.record('Theo Okafor'), null];
        const logs = records.flatMap((record) => some(5, { record }));
        const asked = crm.requests?.() ?? 0;
        const ids = idsOf(await writeAll(logs.map((log) => ({ log }))));
        if (crm.requests !== undefined) expect(crm.requests() - asked).toBeLessThan(logs.length);
        expect(new Set(ids).size).toBe(15);
        expect(newLogs()).toHaveLength(15);
        logs.forEach((log, index) => {
          const seen = newLogs().find(({ id }) => id === ids[index]);
          expect(seen?.text).toContain(log.note);
          expect(seen?.records).toEqual(log.record === null ? [] : [`${log.record.object}:${log.record.id}`]);
        });
        expect(idsOf(await writeAll(logs.map((log) => ({ log }))))).toEqual(ids);
        expect(idsOf(await writeAll(logs.map((log, index) => ({ log, logId: ids[index] ?? null }))))).toEqual(ids);
        expect(newLogs()).toHaveLength(15);
      });

      it('fails one log that is refused, and none of its neighbours', async () => {
        const [first, ...others] = some(9);
        if (first === undefined) throw new Error('no log');
        const written = await writeAll([{ log: crm.poisoned(first) }, ...others.map((log) => ({ log }))]);
        const [refused, ...good] = written;
        expect(refused).toMatchObject({ error: { code: 'crm.invalid', retryable: false } });
        expect(good.every((one) => 'logId' in one)).toBe(true);
        expect(newLogs().filter(({ text }) => /note [1-8]/.test(text))).toHaveLength(8);
      });

      it('takes new calls, known ones and such as were logged before but not known, together', async () => {
        const [known, lost, fresh] = some(3);
        if (known === undefined || lost === undefined || fresh === undefined) throw new Error('no logs');
        const knownId = await write(known);
        const lostId = await write(lost);
        const ids = idsOf(
          await writeAll([
            { log: { ...known, note: 'known, later' }, logId: knownId },
            { log: { ...lost, note: 'lost, later' } },
            { log: fresh },
          ]),
        );
        expect(ids.slice(0, 2)).toEqual([knownId, lostId]);
        expect(newLogs()).toHaveLength(3);
        expect(newLogs().map(({ text }) => text.split('\n')[0])).toEqual(['known, later', 'lost, later', 'note 2']);
      });

      it('keeps what a person wrote into a log, and leaves a deleted log deleted', async () => {
        const [edited, deleted, plain] = some(3);
        if (edited === undefined || deleted === undefined || plain === undefined) throw new Error('no logs');
        const ids = idsOf(await writeAll([{ log: edited }, { log: deleted }, { log: plain }]));
        crm.rewrite(ids[0] ?? '', 'My own words');
        crm.remove(ids[1] ?? '');
        const later = [edited, deleted, plain].map((log, index) => ({
          log: { ...log, note: 'second', talkMs: 99_000 },
          logId: ids[index] ?? null,
        }));
        expect(idsOf(await writeAll(later))).toEqual(ids);
        const [first] = later;
        if (first === undefined) throw new Error('no log');
        expect(idsOf(await writeAll([{ log: { ...first.log, note: 'third' } }]))).toEqual(ids.slice(0, 1));
        expect(newLogs().map(({ id }) => id)).toEqual([ids[0], ids[2]]);
        expect(newLogs()[0]).toMatchObject({ text: 'My own words', seconds: 99 });
        expect(newLogs()[1]?.text).toContain('second');
      });

      it('moves a log to the record that was chosen later', async () => {
        const [moved, stays] = some(2, { record: crm.record('Theo Okafor') });
        if (moved === undefined || stays === undefined) throw new Error('no logs');
        const ids = idsOf(await writeAll([{ log: moved }, { log: stays }]));
        const chosen = crm.record('Elena Marchetti');
        await writeAll([
          { log: { ...moved, record: chosen }, logId: ids[0] ?? null },
          { log: stays, logId: ids[1] ?? null },
        ]);
        expect(newLogs()[0]?.records).toContain(`${chosen.object}:${chosen.id}`);
        expect(newLogs()[1]?.records).toEqual([`${stays.record?.object}:${stays.record?.id}`]);
      });

      it('leaves one complete log of each call wherever a request was lost on the way', async () => {
        for (const kind of ['answer-lost', 'server-error', 'reset'] as const)
          for (let skip = 0; skip < crm.batchRequests; skip += 1) {
            const record = crm.record('Elena Marchetti');
            const logs = some(4, { record });
            const count = crm.logs().length;
            const ids: (string | null)[] = logs.map(() => null);
            crm.trouble(kind, skip);
            for (let attempt = 1; attempt <= 4 && ids.includes(null); attempt += 1) {
              const left = logs.flatMap((log, index) => (ids[index] === null ? [{ log, index }] : []));
              const written = await writeAll(left).catch((error: unknown) => {
                if (!(error as PatchcordError).retryable) throw error;
                return [];
              });
              written.forEach((one, at) => {
                const to = left[at]?.index;
                if ('logId' in one && to !== undefined) ids[to] = one.logId;
              });
            }
            const made = crm.logs().slice(count);
            expect(made.map(({ id }) => id).sort(), `${kind} at request ${skip}`).toEqual([...ids].sort());
            for (const log of made) expect(log.records).toEqual([`${record.object}:${record.id}`]);
          }
      });

      it('leaves one log of each call when two relays write the same batch at once', async () => {
        const logs = some(6).map((log) => ({ log }));
        const all = await Promise.all([writeAll(logs), writeAll(logs)]);
        for (const written of all)
          for (const one of written) if ('error' in one) expect(one.error.retryable).toBe(true);
        expect(newLogs()).toHaveLength(6);
      });
    });

    it('writes a call without a number or with an extension', async () => {
      await write(finishedCall({ direction: 'inbound', farSide: { number: '' } }));
      await write(finishedCall({ farSide: { number: '202', name: 'Sam' }, nearNumber: '101' }));
      expect(newLogs()).toHaveLength(2);
    });

    it('links to a record', () => {
      expect(crm.relay.linkTo(crm.record('Elena Marchetti'))).toContain(crm.record('Elena Marchetti').id);
    });
  });
}
