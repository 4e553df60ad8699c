/**
 * Owns the reference relay half: a CRM in memory that keeps every promise of the contract, and misbehaves on order. Test double, and the CRM of
 * a relay that runs without one. Must never outlive the process.
 */
import { type CallLog, type Match, PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { type Fields, fingerprints, type LastWritten, ownChanges } from '../last-written.ts';
import { resultOf, textOf, titleOf } from '../log-words.ts';
import { isNumber } from '../number-match.ts';
import type { CrmAgent, CrmRelay, LogWritten } from '../relay-contract.ts';

/** A record of the memory CRM with its numbers as somebody typed them. */
export interface MemoryRecord {
  readonly object: string;
  readonly id: string;
  readonly name: string;
  readonly detail?: string;
  readonly numbers: readonly string[];
  readonly doNotCall?: boolean;
}

/** One log as it stands in the memory CRM. */
export interface MemoryLog {
  readonly id: string;
  readonly callId: string;
  readonly title: string;
  readonly direction: string;
  readonly outcome: string | null;
  readonly result: string;
  readonly seconds: number;
  readonly note: string;
  readonly record: string | null;
  readonly owner: string;
}

/** When the ordered fault strikes: at a search, before anything is written, or after (the answer is lost). */
export type MemoryFault = {
  readonly when: 'search' | 'before' | 'after';
  readonly error: PatchcordError;
  readonly times?: number;
};

export interface MemoryRelay extends CrmRelay {
  /** All logs, oldest first. */
  logs(): readonly MemoryLog[];
  /** What a person does in the CRM. */
  edit(logId: string, change: { readonly note?: string; readonly result?: string }): void;
  remove(logId: string): void;
  addRecord(record: MemoryRecord): void;
  /** The next `times` (default 1) writes or searches fail. */
  fail(fault: MemoryFault): void;
}

interface Stored {
  fields: Record<string, string | number | null>;
  written: LastWritten;
}

/** A CRM that forgets everything when the process ends. */
export function createMemoryRelay(options: { readonly records?: readonly MemoryRecord[] } = {}): MemoryRelay {
  const records: MemoryRecord[] = [...(options.records ?? [])];
  const stored = new Map<string, Stored>();
  const idByCall = new Map<string, string>();
  const removed = new Set<string>();
  let faults: { when: 'search' | 'before' | 'after'; error: PatchcordError; left: number }[] = [];
  let serial = 0;

  function strike(when: 'search' | 'before' | 'after'): void {
    const fault = faults.find((one) => one.when === when);
    if (fault === undefined) return;
    fault.left -= 1;
    if (fault.left <= 0) faults = faults.filter((one) => one !== fault);
    throw fault.error;
  }

  function write(log: CallLog, agent: CrmAgent, logId: string | null): string {
    const wanted = fieldsOf(log, agent);
    const id = logId ?? idByCall.get(log.callId);
    if (id !== undefined) {
      const known = stored.get(id);
      if (known === undefined && !removed.has(id))
        throw new PatchcordError('crm.not-found', 'This log is not in the memory CRM.');
      if (known === undefined) return id;
      const { changes, written } = ownChanges(wanted, known.fields, known.written);
      known.fields = { ...known.fields, ...changes };
      known.written = written;
      return id;
    }
    serial += 1;
    const created = `log-${serial}`;
    stored.set(created, { fields: { ...wanted }, written: fingerprints(wanted) });
    idByCall.set(log.callId, created);
    return created;
  }

  const relay: MemoryRelay = {
    crm: 'memory',
    can: { atomicLog: true, recordings: false, batch: 100 },
    async findByNumber(number, country): Promise<readonly Match[]> {
      strike('search');
      return records
        .filter((record) => record.numbers.some((typed) => isNumber(typed, number, country)))
        .sort((one, other) => one.name.localeCompare(other.name))
        .map((record) => ({
          record: { crm: 'memory' as const, object: record.object, id: record.id, name: record.name },
          number,
          ...(record.detail === undefined ? {} : { detail: record.detail }),
          reason: `${record.object}: same number`,
          ...(record.doNotCall === true ? { doNotCall: true } : {}),
        }));
    },
    async writeLog(log, agent, logId) {
      strike('before');
      const id = write(log, agent, logId);
      strike('after');
      return id;
    },
    writeLogs: (batch) =>
      Promise.all(
        batch.map(async ({ log, agent, logId }): Promise<LogWritten> => {
          try {
            return { logId: await relay.writeLog(log, agent, logId) };
          } catch (error) {
            if (!(error instanceof PatchcordError)) throw error;
            return { error };
          }
        }),
      ),
    linkTo: (record: RecordRef) => `memory:${record.object}/${record.id}`,
    logs: () => [...stored].map(([id, { fields }]) => shown(id, fields)),
    edit(logId, change) {
      const known = stored.get(logId);
      if (known === undefined) throw new RangeError(`No log ${logId} in the memory CRM.`);
      known.fields = {
        ...known.fields,
        ...(change.note === undefined ? {} : { note: change.note }),
        ...(change.result === undefined ? {} : { result: change.result }),
      };
    },
    remove(logId) {
      if (stored.delete(logId)) removed.add(logId);
    },
    addRecord: (record) => {
      records.push(record);
    },
    fail: ({ when, error, times }) => {
      faults.push({ when, error, left: times ?? 1 });
    },
  };
  return relay;
}

function fieldsOf(log: CallLog, agent: CrmAgent): Fields {
  return {
    callId: log.callId,
    title: titleOf(log),
    direction: log.direction,
    outcome: log.outcome,
    result: log.disposition ?? resultOf(log),
    seconds: Math.round(log.talkMs / 1000),
    note: textOf(log, 32_000),
    record: log.record === null ? null : `${log.record.object}:${log.record.id}`,
    owner: agent.crmUserId,
  };
}

function shown(id: string, fields: Readonly<Record<string, string | number | null>>): MemoryLog {
  const word = (name: string): string => String(fields[name] ?? '');
  return {
    id,
    callId: word('callId'),
    title: word('title'),
    direction: word('direction'),
    outcome: fields.outcome === null ? null : word('outcome'),
    result: word('result'),
    seconds: Number(fields.seconds ?? 0),
    note: word('note'),
    record: fields.record === null ? null : word('record'),
    owner: word('owner'),
  };
}
