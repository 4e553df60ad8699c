/** A CRM in memory whose own page makes logs too, as HubSpot's does. Owns its objects and its troubles; keeps the promises of the relay contract. */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent, CrmRelay } from '@patchcord/crm-adapters/relay';

export interface PageObject {
  readonly id: string;
  /** Whose call it was made for; empty for one that a person typed in. */
  callId: string;
  readonly madeBy: 'page' | 'relay' | 'report';
  edited: boolean;
  archived: boolean;
  /** As the relay wrote it last; null while it never did. */
  log: CallLog | null;
}

export type Operation = 'isLogOf' | 'findPageLogs' | 'removeSecondLog' | 'writeLog' | 'reportUnseenCall';

export interface PageCrm extends CrmRelay {
  readonly objects: PageObject[];
  /** Everything that was asked, in order. */
  readonly asked: Operation[];
  /** Calls whose logs were looked for, in order. */
  readonly lookedFor: string[];
  /** Whom the last report named. */
  candidates: readonly CrmAgent[];
  /** Before how many attempts each report was said to be. */
  readonly reports: number[];
  /** What the page makes for a call; the index finds it unless `unindexed`. */
  pageMakes(callId: string, unindexed?: boolean): PageObject;
  /** The call of an operation from now on (`skip` later ones) that fails: before it did anything, or with its answer lost. */
  fail(operation: Operation, when: 'before' | 'after', error?: PatchcordError): void;
  live(callId: string): readonly PageObject[];
}

export function createPageCrm(): PageCrm {
  const objects: PageObject[] = [];
  const unindexed = new Set<string>();
  const asked: Operation[] = [];
  const lookedFor: string[] = [];
  let faults: { readonly operation: Operation; readonly when: 'before' | 'after'; readonly error: PatchcordError }[] =
    [];
  let serial = 500;
  const away = new PatchcordError('crm.unavailable', 'The CRM did not answer.', { retryable: true });

  async function doing<T>(operation: Operation, work: () => T): Promise<T> {
    asked.push(operation);
    const fault = faults.find((one) => one.operation === operation);
    faults = faults.filter((one) => one !== fault);
    if (fault?.when === 'before') throw fault.error;
    const result = work();
    if (fault !== undefined) throw fault.error;
    return result;
  }
  function make(callId: string, madeBy: PageObject['madeBy'], log: CallLog | null): PageObject {
    serial += 1;
    const object: PageObject = { id: String(serial), callId, madeBy, edited: false, archived: false, log };
    objects.push(object);
    return object;
  }
  const standing = (id: string): PageObject | undefined => objects.find((one) => one.id === id && !one.archived);
  /** As the real one: an upsert by the call id, or the object that is named, wherever nobody made another one the call's. */
  function write(log: CallLog, logId: string | null): string {
    const keyed = objects.find((one) => one.callId === log.callId && one.log !== null && !one.archived);
    const object = keyed ?? (logId === null ? make(log.callId, 'relay', log) : standing(logId));
    if (object === undefined) return logId ?? '';
    object.log = log;
    return object.id;
  }

  return {
    crm: 'hubspot',
    can: { atomicLog: false, recordings: false, batch: 0 },
    objects,
    asked,
    lookedFor,
    candidates: [],
    reports: [],
    pageMakes(callId, isUnindexed = false) {
      const object = make(callId, 'page', null);
      if (isUnindexed) unindexed.add(object.id);
      return object;
    },
    fail(operation, when, error = away) {
      faults.push({ operation, when, error });
    },
    live: (callId) => objects.filter((one) => one.callId === callId && !one.archived),
    findByNumber: () => Promise.resolve([]),
    linkTo: ({ id }) => `https://crm.example.com/${id}`,
    findPageLogs: (call) =>
      doing('findPageLogs', () => {
        lookedFor.push(call);
        const found = objects.filter((one) => one.callId === call && !one.archived && !unindexed.has(one.id));
        return found.sort((one, other) => Number(one.log === null) - Number(other.log === null)).map(({ id }) => id);
      }),
    isLogOf: (logId, call) =>
      doing('isLogOf', () => {
        const object = standing(logId);
        return object === undefined ? null : object.callId === call;
      }),
    removeSecondLog: (logId, call) =>
      doing('removeSecondLog', () => {
        const object = standing(logId);
        if (object === undefined) return true;
        if (object.callId !== call || object.madeBy !== 'page' || object.log !== null || object.edited) return false;
        object.archived = true;
        return true;
      }),
    writeLog: (log, _agent, logId) => doing('writeLog', () => write(log, logId)),
    reportUnseenCall(log, _agent, candidates, before) {
      this.candidates = candidates;
      this.reports.push(before?.attempts ?? 0);
      return doing('reportUnseenCall', () => {
        const known = objects.find((one) => one.callId === log.callId && !one.archived);
        return known?.id ?? make(log.callId, 'report', log).id;
      });
    },
  };
}
