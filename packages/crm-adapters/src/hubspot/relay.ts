/**
 * Owns the relay half of the HubSpot adapter: finding a caller, and writing one call as one call object, upserted by a unique property of ours
 * that holds the call id (HubSpot contract, sections 2.1 to 2.4). What the properties mean stands in call.ts. Must never write a property that
 * a person edited, and never search for what it just wrote: the index lags.
 */
import { type CallLog, type Match, PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { type Fields, fingerprints, fromStored, type LastWritten, ownChanges, toStored } from '../last-written.ts';
import type { CrmAgent, CrmRelay } from '../relay-contract.ts';
import { type CallProperties, callProperties, callSpelling, isRecordId, keyProperty, writtenProperty } from './call.ts';
import { createHubSpotClient, fromRefusal, type HubSpotOAuth, isObject, text } from './client.ts';
import { filtersFor, ranked, type SearchedType, searchBody } from './search.ts';

export interface HubSpotRelayOptions {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  /** A token for every request, or the app's OAuth grant. */
  readonly accessToken: (() => Promise<string>) | HubSpotOAuth;
  readonly portalId: number | string;
  /** The app's id; makes recordings and transcripts of these calls possible. */
  readonly appId?: number | string;
  /** Where agents open HubSpot, for links. Default `https://app.hubspot.com`. */
  readonly uiUrl?: string;
  /** Our disposition value → HubSpot's outcome id, for values that are not a label of the account. */
  readonly dispositionIds?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
  /** Deadline of one request, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How long what the account says about itself is kept, ms. Default ten minutes. */
  readonly describeForMs?: number;
}

/** Name under which the record a call was put on is remembered among the fingerprints. */
const recordKey = 'record';
const types: Readonly<Record<string, { readonly path: string; readonly typeId: string }>> = {
  contact: { path: 'contacts', typeId: '0-1' },
  company: { path: 'companies', typeId: '0-2' },
  deal: { path: 'deals', typeId: '0-3' },
  ticket: { path: 'tickets', typeId: '0-5' },
};
const callTypeId = '0-48';

const ownProperties = [
  {
    name: keyProperty,
    label: 'Patchcord call id',
    description: 'One call, one log: the key under which Patchcord writes this call. Do not change.',
    hasUniqueValue: true,
  },
  {
    name: writtenProperty,
    label: 'Patchcord: what was written last',
    description: 'Lets Patchcord see what a person edited, so that it never overwrites it. Do not change.',
    hasUniqueValue: false,
  },
] as const;

/** Connects the relay to one HubSpot account. Nothing is sent before the first call. */
export function createHubSpotRelay(options: HubSpotRelayOptions): CrmRelay {
  const client = createHubSpotClient({
    apiUrl: options.apiUrl,
    accessToken: options.accessToken,
    timeoutMs: options.timeoutMs ?? 10_000,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  const keepMs = options.describeForMs ?? 600_000;
  const uiUrl = (options.uiUrl ?? 'https://app.hubspot.com').replace(/\/$/, '');
  const owners = new Map<string, { readonly at: number; readonly id: string | null }>();
  /** Properties that a search refused; HubSpot does not say which, so each is learned once. */
  const unknownInSearch = new Set<string>();
  let described: { readonly at: number; readonly value: Promise<CallProperties> } | null = null;

  function propertiesOfCalls(): Promise<CallProperties> {
    if (described === null || Date.now() - described.at > keepMs) {
      const asked = { at: Date.now(), value: describeCalls() };
      described = asked;
      asked.value.catch(() => {
        if (described === asked) described = null;
      });
    }
    return described.value;
  }

  /** Reads what calls can hold, and creates our two properties where they are missing. */
  async function describeCalls(): Promise<CallProperties> {
    const answer = await client.request('GET', '/crm/v3/properties/calls', undefined, 'to describe calls');
    const list = listOf(answer.body, 'results').filter(isObject);
    const named = (name: string): Record<string, unknown> | undefined => list.find((one) => one.name === name);
    const groupName = text(named('hs_call_title')?.groupName) || text(list[0]?.groupName);
    for (const own of ownProperties) {
      const existing = named(own.name);
      if (existing === undefined) {
        const created = await client.request(
          'POST',
          '/crm/v3/properties/calls',
          { ...own, type: 'string', fieldType: 'text', groupName },
          `to create the call property ${own.name}`,
          [403, 409],
        );
        if (created.status === 403)
          throw new PatchcordError(
            'crm.invalid',
            `HubSpot does not let the app create the call property ${own.name}. Grant the scope crm.schemas.contacts.write, or create it by hand: single-line text${own.hasUniqueValue ? ', unique values required' : ''}.`,
          );
      } else if (own.hasUniqueValue && existing.hasUniqueValue !== true)
        throw new PatchcordError(
          'crm.invalid',
          `The call property ${own.name} exists in HubSpot without "require unique values", so that a call could be logged twice. Delete it; it is created again.`,
        );
    }
    const optionsOf = (name: string): readonly Record<string, unknown>[] =>
      listOf(named(name), 'options').filter(isObject);
    return {
      groupName,
      names: new Set(list.map((one) => text(one.name))),
      statuses: new Set(optionsOf('hs_call_status').map((option) => text(option.value))),
      dispositions: new Map(
        optionsOf('hs_call_disposition').map((option) => [text(option.label).toLowerCase(), text(option.value)]),
      ),
    };
  }

  /** The owner record of an agent; null when the user owns nothing (a user without a seat). */
  async function ownerOf(agent: CrmAgent): Promise<string | null> {
    if (!isRecordId(agent.crmUserId)) return null;
    const known = owners.get(agent.crmUserId);
    if (known !== undefined && Date.now() - known.at < keepMs) return known.id;
    const answer = await client.request(
      'GET',
      `/crm/v3/owners/${agent.crmUserId}?idProperty=userId`,
      undefined,
      'to find the owner',
      [404],
    );
    const id = answer.status === 404 || !isObject(answer.body) ? '' : text(answer.body.id);
    owners.set(agent.crmUserId, { at: Date.now(), id: isRecordId(id) ? id : null });
    return isRecordId(id) ? id : null;
  }

  async function search(type: SearchedType, number: Parameters<typeof filtersFor>[1]): Promise<readonly unknown[]> {
    const doing = `to search ${type} for the caller`;
    const all = filtersFor(type, number).filter(({ propertyName }) => !unknownInSearch.has(`${type}.${propertyName}`));
    const ask = (filters: typeof all, accept: readonly number[]) =>
      client.request('POST', `/crm/v3/objects/${type}/search`, searchBody(type, filters), doing, accept);
    const answer = await ask(all, all.length > 1 ? [400] : []);
    if (answer.status < 400) return listOf(answer.body, 'results');
    // One unknown property spoils the whole search with a bare 400: ask one by one, and remember which it was.
    const rows: unknown[] = [];
    for (const filter of all) {
      const one = await ask([filter], [400]);
      if (one.status < 400) rows.push(...listOf(one.body, 'results'));
      else unknownInSearch.add(`${type}.${filter.propertyName}`);
    }
    return rows;
  }

  /** The call object of this call, or null when there is none. */
  async function read(log: CallLog, logId: string | null, wanted: Fields): Promise<StoredCall | null> {
    const names = [...Object.keys(wanted), writtenProperty].join(',');
    const key = logId === null ? `${log.callId}?idProperty=${keyProperty}&` : `${logId}?`;
    const answer = await client.request(
      'GET',
      `/crm/v3/objects/calls/${key}properties=${names}`,
      undefined,
      'to read the logged call',
      [404],
    );
    if (answer.status === 404 || !isObject(answer.body)) return null;
    const properties = isObject(answer.body.properties) ? answer.body.properties : {};
    return { id: text(answer.body.id), properties, written: fromStored(properties[writtenProperty]) };
  }

  async function create(log: CallLog, wanted: Fields): Promise<StoredCall> {
    const doing = 'to log the call';
    const written = fingerprints(wanted, callSpelling);
    const answer = await client.request(
      'POST',
      '/crm/v3/objects/calls/batch/upsert',
      {
        inputs: [
          {
            idProperty: keyProperty,
            id: log.callId,
            properties: { ...withoutEmpty(wanted), [writtenProperty]: toStored(written) },
          },
        ],
      },
      doing,
    );
    // 207: a batch of one that failed still answers with success.
    const error = listOf(answer.body, 'errors')[0];
    if (error !== undefined) throw fromRefusal(400, error, new Headers(), doing);
    const result = listOf(answer.body, 'results')[0];
    const id = isObject(result) ? text(result.id) : '';
    if (!isRecordId(id))
      throw new PatchcordError('crm.unavailable', `HubSpot answered ${doing} without an id. It is tried again.`, {
        retryable: true,
      });
    return { id, properties: wanted, written };
  }

  /** Puts the call on its record; repeating it changes nothing. The record it stood on before is taken off. */
  async function associate(callId: string, record: RecordRef | null, before: string): Promise<string> {
    const type = record === null ? undefined : types[record.object];
    const now =
      record?.crm === 'hubspot' && type !== undefined && isRecordId(record.id) ? `${record.object}:${record.id}` : '';
    if (now === before) return now;
    if (now !== '' && type !== undefined && record !== null)
      await client.request(
        'PUT',
        `/crm/v4/objects/calls/${callId}/associations/default/${type.path}/${record.id}`,
        undefined,
        'to put the call on its record',
      );
    const [oldObject = '', oldId = ''] = before.split(':');
    const old = types[oldObject];
    if (old !== undefined && isRecordId(oldId))
      await client.request(
        'DELETE',
        `/crm/v4/objects/calls/${callId}/associations/${old.path}/${oldId}`,
        undefined,
        'to take the call off a record',
        [404, 405],
      );
    return now;
  }

  async function bringUpToDate(stored: StoredCall, log: CallLog, wanted: Fields): Promise<void> {
    const onRecord = await associate(stored.id, log.record, stored.written[recordKey] ?? '');
    const { changes, written } = ownChanges(wanted, stored.properties, stored.written, callSpelling);
    const { [recordKey]: _before, ...fields } = written;
    const next: LastWritten = onRecord === '' ? fields : { ...fields, [recordKey]: onRecord };
    const remembered = toStored(next);
    if (Object.keys(changes).length === 0 && remembered === toStored(stored.written)) return;
    await client.request(
      'PATCH',
      `/crm/v3/objects/calls/${stored.id}`,
      { properties: { ...emptied(changes), [writtenProperty]: remembered } },
      'to update the logged call',
      // Deleted by a person meanwhile: it stays deleted.
      [404],
    );
  }

  return {
    crm: 'hubspot',
    can: { atomicLog: false, recordings: false },
    async findByNumber(number, country): Promise<readonly Match[]> {
      const [contacts, companies] = await Promise.all([search('contacts', number), search('companies', number)]);
      return ranked({ contacts, companies }, number, country);
    },
    async writeLog(log, agent, logId) {
      if (logId !== null && !isRecordId(logId))
        throw new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a HubSpot id.`);
      const [properties, ownerId] = await Promise.all([propertiesOfCalls(), ownerOf(agent)]);
      const wanted = callProperties(log, {
        properties,
        ownerId,
        appId: options.appId === undefined ? null : String(options.appId),
        dispositionIds: options.dispositionIds ?? {},
      });
      const stored = await read(log, logId, wanted);
      // A known log that is gone was deleted by a person: it stays deleted.
      if (stored === null && logId !== null) return logId;
      const call = stored ?? (await create(log, wanted));
      await bringUpToDate(call, log, wanted);
      return call.id;
    },
    linkTo(record) {
      const typeId = record.object === 'call' ? callTypeId : (types[record.object]?.typeId ?? record.object);
      return `${uiUrl}/contacts/${options.portalId}/record/${encodeURIComponent(typeId)}/${encodeURIComponent(record.id)}`;
    },
  };
}

interface StoredCall {
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly written: LastWritten;
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
