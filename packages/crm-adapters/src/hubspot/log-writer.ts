/**
 * Owns writing calls as call objects, upserted by a unique property of ours that holds the call id: one call, or up to a hundred with a handful
 * of batch requests (HubSpot contract, sections 2.1, 2.2, 2.4 and 2.5). What the properties mean stands in call.ts. Must never write a
 * property that a person edited, and never search for what it just wrote: the index lags.
 */
import { type CallLog, errorCode, PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { type Fields, fingerprints, fromStored, type LastWritten, ownChanges, toStored } from '../last-written.ts';
import type { CrmAgent, LogToWrite, LogWritten } from '../relay-contract.ts';
import { callSpelling, isRecordId, keyProperty, writtenProperty } from './call.ts';
import { fromRefusal, type HubSpotClient, isObject, text } from './client.ts';
import { editedBefore, isUnwritten, type MadeObject, ownedFrom } from './page-log.ts';

/** HubSpot's own limit of a batch. */
export const logsAtOnce = 100;

/** Names under which the records a call was put on are remembered among the fingerprints: with whom it was, and about what. */
const recordKey = 'record';
const aboutKey = 'about';
export const recordTypes: Readonly<Record<string, { readonly path: string; readonly typeId: string }>> = {
  contact: { path: 'contacts', typeId: '0-1' },
  company: { path: 'companies', typeId: '0-2' },
  deal: { path: 'deals', typeId: '0-3' },
  ticket: { path: 'tickets', typeId: '0-5' },
};

interface StoredCall extends MadeObject {
  readonly id: string;
}

/** One log of a batch on its way. */
interface Item {
  readonly index: number;
  readonly log: CallLog;
  readonly logId: string | null;
  readonly wanted: Fields;
}

/** `contact:501` or nothing, for each of the two. */
interface Places {
  readonly [recordKey]: string;
  readonly [aboutKey]: string;
}

export interface LogWriter {
  /** Whether the call stands in HubSpot under our key. */
  isLogged(log: CallLog): Promise<boolean>;
  writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string>;
  writeLogs(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]>;
}

export function createLogWriter(options: {
  readonly client: HubSpotClient;
  /** The properties this call shall have in this account. */
  readonly wantedOf: (log: CallLog, agent: CrmAgent) => Promise<Fields>;
}): LogWriter {
  const { client, wantedOf } = options;
  const creating = 'to log the call';
  const reading = 'to read the logged call';
  const updating = 'to update the logged call';

  /** The call object of this call, or null when there is none. */
  async function read(log: CallLog, logId: string | null, wanted: Fields): Promise<StoredCall | null> {
    const names = [...Object.keys(wanted), keyProperty, writtenProperty].join(',');
    const key = logId === null ? `${log.callId}?idProperty=${keyProperty}&` : `${logId}?`;
    const path = `/crm/v3/objects/calls/${key}properties=${names}`;
    const answer = await client.request('GET', path, undefined, reading, [404]);
    return answer.status === 404 ? null : storedCall(answer.body);
  }

  /** Creates or updates by the call id. The answer of each call, under its call id; a call that is missing was refused. */
  async function upsert(items: readonly Item[]): Promise<ReadonlyMap<string, StoredCall>> {
    const written = new Map(items.map(({ log, wanted }) => [log.callId, fingerprints(wanted, callSpelling)]));
    const answer = await client.request(
      'POST',
      '/crm/v3/objects/calls/batch/upsert',
      {
        inputs: items.map(({ log, wanted }) => ({
          idProperty: keyProperty,
          id: log.callId,
          properties: { ...withoutEmpty(wanted), [writtenProperty]: toStored(written.get(log.callId) ?? {}) },
        })),
      },
      creating,
    );
    // 207: a batch of which some failed still answers with success.
    const [error] = listOf(answer.body, 'errors');
    if (error !== undefined && items.length === 1) throw fromRefusal(400, error, new Headers(), creating);
    const found = new Map<string, StoredCall>();
    for (const result of listOf(answer.body, 'results').filter(isObject)) {
      const properties = isObject(result.properties) ? result.properties : {};
      const key = items.length === 1 ? items[0]?.log.callId : text(properties[keyProperty]).toLowerCase();
      const item = items.find(({ log }) => log.callId.toLowerCase() === key?.toLowerCase());
      if (item !== undefined && isRecordId(text(result.id)))
        found.set(item.log.callId, {
          id: text(result.id),
          properties: item.wanted,
          written: written.get(item.log.callId) ?? {},
        });
    }
    return found;
  }

  async function create(log: CallLog, wanted: Fields): Promise<StoredCall> {
    const made = (await upsert([{ index: 0, log, logId: null, wanted }])).get(log.callId);
    if (made === undefined) throw unanswered(creating);
    return made;
  }

  /** Puts the call on its records; repeating it changes nothing. A record it stood on before is taken off. */
  async function associate(callId: string, now: Places, before: LastWritten): Promise<void> {
    for (const key of [recordKey, aboutKey] as const) {
      const was = before[key] ?? '';
      if (now[key] === was) continue;
      const target = recordOf(now[key]);
      if (target !== null)
        await client.request(
          'PUT',
          `/crm/v4/objects/calls/${callId}/associations/default/${target.path}/${target.id}`,
          undefined,
          'to put the call on its record',
        );
      const old = was === now[recordKey] || was === now[aboutKey] ? null : recordOf(was);
      if (old !== null)
        await client.request(
          'DELETE',
          `/crm/v4/objects/calls/${callId}/associations/${old.path}/${old.id}`,
          undefined,
          'to take the call off a record',
          [404, 405],
        );
    }
  }

  /** The properties to write now, or null when everything stands there already. */
  function changesOf(stored: StoredCall, log: CallLog, wanted: Fields): Record<string, string> | null {
    const owned = ownedFrom(stored, log, wanted);
    const { changes, own, written } = ownChanges(wanted, stored.properties, owned, callSpelling);
    const { [recordKey]: _record, [aboutKey]: _about, ...fields } = written;
    const places = placesOf(log);
    const next: LastWritten = {
      ...fields,
      ...(places.record === '' ? {} : { [recordKey]: places.record }),
      ...(places.about === '' ? {} : { [aboutKey]: places.about }),
    };
    const remembered = toStored(next);
    const isKeyed = text(stored.properties[keyProperty]) !== '' || !isUnwritten(stored.properties, stored.written, log);
    if (Object.keys(changes).length === 0 && remembered === toStored(stored.written)) return null;
    return {
      ...emptied(own),
      ...(isKeyed ? {} : { [keyProperty]: log.callId }),
      [writtenProperty]: remembered,
    };
  }

  /** The same objects, with what people changed in those that are written for the first time. */
  async function withEdits(
    several: readonly { readonly stored: StoredCall; readonly log: CallLog }[],
  ): Promise<readonly StoredCall[]> {
    const fresh = several.filter(({ stored, log }) => isUnwritten(stored.properties, stored.written, log));
    const edits = await editedBefore(
      client,
      fresh.map(({ stored }) => stored.id),
    );
    return several.map(({ stored }) => {
      const edited = edits.get(stored.id);
      return edited === undefined ? stored : { ...stored, edited };
    });
  }

  /** @returns the id of the call object that is the log: another one where our key stands there already */
  async function bringUpToDate(found: StoredCall, log: CallLog, wanted: Fields): Promise<string> {
    const [stored = found] = await withEdits([{ stored: found, log }]);
    await associate(stored.id, placesOf(log), stored.written);
    const properties = changesOf(stored, log, wanted);
    if (properties === null) return stored.id;
    const path = `/crm/v3/objects/calls/${stored.id}`;
    const takesKey = properties[keyProperty] !== undefined;
    // 404: deleted by a person meanwhile; it stays deleted.
    const accept = takesKey ? [404, 400, 409] : [404];
    const answer = await client.request('PATCH', path, { properties }, updating, accept);
    if (answer.status < 400 || answer.status === 404) return stored.id;
    const keyed = await read(log, null, wanted);
    if (keyed === null || keyed.id === stored.id)
      throw fromRefusal(answer.status, answer.body, new Headers(), updating);
    return await bringUpToDate(keyed, log, wanted);
  }

  async function writeOne(log: CallLog, wanted: Fields, logId: string | null): Promise<string> {
    const stored = await read(log, logId, wanted);
    // A known log that is gone was deleted by a person: it stays deleted.
    if (stored === null && logId !== null) return logId;
    return await bringUpToDate(stored ?? (await create(log, wanted)), log, wanted);
  }

  /** What stands in HubSpot of these calls, under the call id. */
  async function readAll(items: readonly Item[]): Promise<ReadonlyMap<string, StoredCall>> {
    const found = new Map<string, StoredCall>();
    const names = [...new Set(items.flatMap(({ wanted }) => Object.keys(wanted))), keyProperty, writtenProperty];
    const ask = async (some: readonly Item[], byKey: boolean): Promise<void> => {
      if (some.length === 0) return;
      const answer = await client.request(
        'POST',
        '/crm/v3/objects/calls/batch/read',
        {
          properties: names,
          ...(byKey ? { idProperty: keyProperty } : {}),
          inputs: some.map(({ log, logId }) => ({ id: byKey ? log.callId : logId })),
        },
        reading,
        // none of them is there
        [404],
      );
      for (const result of listOf(answer.body, 'results')) {
        const stored = storedCall(result);
        const key = text(stored?.properties[keyProperty]).toLowerCase();
        const item = some.find(({ log, logId }) => (byKey ? log.callId.toLowerCase() === key : logId === stored?.id));
        if (item !== undefined && stored !== null) found.set(item.log.callId, stored);
      }
    };
    await ask(
      items.filter(({ logId }) => logId === null),
      true,
    );
    await ask(
      items.filter(({ logId }) => logId !== null),
      false,
    );
    return found;
  }

  /** Creates all that can be created. A refused one spoils its batch or is left out of the answer: then the batch is halved until it is found. */
  async function createAll(
    items: readonly Item[],
    refused: (item: Item, error: PatchcordError) => void,
  ): Promise<ReadonlyMap<string, StoredCall>> {
    if (items.length === 0) return new Map();
    let made: ReadonlyMap<string, StoredCall>;
    try {
      made = await upsert(items);
    } catch (error) {
      if (!(error instanceof PatchcordError) || errorCode(error) !== 'crm.invalid') throw error;
      const [only] = items;
      if (only !== undefined && items.length === 1) {
        refused(only, error);
        return new Map();
      }
      made = new Map();
    }
    const left = items.filter(({ log }) => !made.has(log.callId));
    if (left.length === 0) return made;
    const [only] = left;
    if (items.length === 1 && only !== undefined) {
      refused(only, unanswered(creating));
      return made;
    }
    const half = left.length === items.length ? Math.ceil(left.length / 2) : left.length;
    const more = [await createAll(left.slice(0, half), refused), await createAll(left.slice(half), refused)];
    return new Map([...made, ...more.flatMap((one) => [...one])]);
  }

  return {
    isLogged: async (log) => (await read(log, null, {})) !== null,

    async writeLog(log, agent, logId) {
      if (logId !== null && !isRecordId(logId)) throw notAnId(logId);
      return await writeOne(log, await wantedOf(log, agent), logId);
    },

    async writeLogs(batch) {
      const results: (LogWritten | null)[] = batch.map(({ logId }) =>
        logId === null || isRecordId(logId) ? null : { error: notAnId(logId) },
      );
      const wanted = await Promise.all(batch.map(({ log, agent }) => wantedOf(log, agent)));
      const items = batch.flatMap(({ log, logId }, index): Item[] =>
        results[index] === null ? [{ index, log, logId, wanted: wanted[index] ?? {} }] : [],
      );
      const stood = await readAll(items);
      for (const { index, log, logId } of items)
        if (logId !== null && !stood.has(log.callId)) results[index] = { logId };
      const made = await createAll(
        items.filter(({ index, log }) => results[index] === null && !stood.has(log.callId)),
        ({ index }, error) => {
          results[index] = { error };
        },
      );

      /** What is alone in its trouble is written alone: its error is then its own. */
      const alone = async ({ index, log, wanted: own }: Item, id: string): Promise<void> => {
        try {
          results[index] = { logId: await writeOne(log, own, id) };
        } catch (error) {
          if (!(error instanceof PatchcordError)) throw error;
          results[index] = { error };
        }
      };
      const known = items.flatMap((item) => {
        const stored = stood.get(item.log.callId) ?? made.get(item.log.callId);
        return stored === undefined || results[item.index] !== null ? [] : [{ item, stored }];
      });
      try {
        const placed = await placeAll(known);
        const seen = await withEdits(known.map(({ item, stored }) => ({ stored, log: item.log })));
        const changed = known.flatMap(({ item, stored: found }, index) => {
          if (!placed.has(item)) return [];
          const stored = seen[index] ?? found;
          const properties = changesOf(stored, item.log, item.wanted);
          if (properties === null) results[item.index] = { logId: stored.id };
          return properties === null ? [] : [{ item, stored, properties }];
        });
        const updated = await updateAll(changed);
        for (const { item, stored } of changed) if (updated.has(stored.id)) results[item.index] = { logId: stored.id };
        for (const { item, stored } of known) if (results[item.index] === null) await alone(item, stored.id);
      } catch (error) {
        if (!(error instanceof PatchcordError)) throw error;
        // Those that are finished are finished; the others are written again, which finds what stands there by now.
        for (const { item } of known) results[item.index] ??= { error };
      }
      return results.map((result) => result ?? { error: unanswered(creating) });
    },
  };

  /** Puts calls on their records, one request per kind of record. @returns those that stand where they should */
  async function placeAll(
    known: readonly { readonly item: Item; readonly stored: StoredCall }[],
  ): Promise<ReadonlySet<Item>> {
    const missing = new Map<Item, number>();
    const byPath = new Map<string, { readonly item: Item; readonly from: string; readonly to: string }[]>();
    for (const { item, stored } of known) {
      const now = placesOf(item.log);
      missing.set(item, 0);
      for (const key of [recordKey, aboutKey] as const) {
        const before = stored.written[key] ?? '';
        if (now[key] === before) continue;
        missing.set(item, (missing.get(item) ?? 0) + 1);
        const target = recordOf(now[key]);
        // One that moves is rare and takes two steps: it is written alone.
        if (before === '' && target !== null)
          byPath.set(target.path, [...(byPath.get(target.path) ?? []), { item, from: stored.id, to: target.id }]);
      }
    }
    for (const [path, links] of byPath) {
      const answer = await client.request(
        'POST',
        `/crm/v4/associations/calls/${path}/batch/associate/default`,
        { inputs: links.map(({ from, to }) => ({ from: { id: from }, to: { id: to } })) },
        'to put calls on their records',
        // One that is refused spoils the batch: each is written alone then.
        [400, 404, 409],
      );
      const linked = new Set(
        listOf(answer.body, 'results')
          .filter(isObject)
          .map(({ from, to }) => (isObject(from) && isObject(to) ? `${String(from.id)} ${String(to.id)}` : '')),
      );
      for (const { item, from, to } of links)
        if (answer.status < 400 && linked.has(`${from} ${to}`)) missing.set(item, (missing.get(item) ?? 0) - 1);
    }
    return new Set([...missing].flatMap(([item, count]) => (count === 0 ? [item] : [])));
  }

  /** @returns ids of the call objects that took their change */
  async function updateAll(
    changed: readonly { readonly stored: StoredCall; readonly properties: Record<string, string> }[],
  ): Promise<ReadonlySet<string>> {
    if (changed.length === 0) return new Set();
    const answer = await client.request(
      'POST',
      '/crm/v3/objects/calls/batch/update',
      { inputs: changed.map(({ stored, properties }) => ({ id: stored.id, properties })) },
      updating,
      // 409: our key stands on another object already, which whoever is written alone finds out.
      [400, 404, 409],
    );
    if (answer.status >= 400) return new Set();
    return new Set(
      listOf(answer.body, 'results')
        .filter(isObject)
        .map(({ id }) => text(id)),
    );
  }
}

function storedCall(value: unknown): StoredCall | null {
  if (!isObject(value)) return null;
  const properties = isObject(value.properties) ? value.properties : {};
  return { id: text(value.id), properties, written: fromStored(properties[writtenProperty]) };
}

/** `contact:501` for a record a call can stand on, else nothing. */
function placeOf(record: RecordRef | null): string {
  if (record === null || record.crm !== 'hubspot') return '';
  return recordTypes[record.object] !== undefined && isRecordId(record.id) ? `${record.object}:${record.id}` : '';
}

function placesOf(log: CallLog): Places {
  const record = placeOf(log.record);
  const about = placeOf(log.about ?? null);
  return { [recordKey]: record, [aboutKey]: about === record ? '' : about };
}

function recordOf(place: string): { readonly path: string; readonly id: string } | null {
  const [object = '', id = ''] = place.split(':');
  const type = recordTypes[object];
  return type === undefined || !isRecordId(id) ? null : { path: type.path, id };
}

function notAnId(logId: string): PatchcordError {
  return new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a HubSpot id.`);
}

function unanswered(doing: string): PatchcordError {
  return new PatchcordError('crm.unavailable', `HubSpot answered ${doing} without an id. It is tried again.`, {
    retryable: true,
  });
}

/** A first write leaves out what has no value; an update sends an empty text, which clears. */
function withoutEmpty(fields: Fields): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, String(value)]),
  );
}

function emptied(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value === null ? '' : String(value)]));
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = isObject(value) ? value[name] : undefined;
  return Array.isArray(list) ? list : [];
}
