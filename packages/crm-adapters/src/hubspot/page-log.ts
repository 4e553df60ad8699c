/**
 * Owns the call objects that HubSpot's own page made for calls of ours: finding one, telling whose it is, what of its first values is the page's and
 * not a person's, and taking away one too many (HubSpot contract, sections 1.5 and 2.1). Must never trust an id it was told, nor overwrite or
 * take away what a person may have written.
 */
import { type CallLog, errorCode } from '@patchcord/call-protocol';
import { type Fields, fingerprints, type LastWritten } from '../last-written.ts';
import { idOf, isObject, listOf, text } from './answers.ts';
import { callSpelling, defaultDispositions, isRecordId, keyProperty, writtenProperty } from './call.ts';
import type { HubSpotAnswer, HubSpotClient } from './client.ts';
import { editsIn } from './edits.ts';

/** Stands among the fingerprints of a call object that HubSpot made and that we go on in. */
const madeKey = 'made';
const byHubSpot = 'hubspot';
/** What is written into a call object that HubSpot makes on our behalf: none of its values is a person's. */
export const madeByHubSpot: LastWritten = { [madeKey]: byHubSpot };

const externalId = 'hs_call_external_id';
const appIdProperty = 'hs_call_app_id';
/** HubSpot offers nobody to edit these: whatever stands there, the page or an app put it. */
const neverAPersons: readonly string[] = [
  'hs_call_status',
  'hs_call_duration',
  'hs_call_from_number',
  'hs_call_to_number',
  externalId,
  'hs_call_external_account_id',
  appIdProperty,
  'hs_call_source',
];
/** The page fills these when it makes the object; a person may edit them after we wrote. */
const filledByPage: readonly string[] = ['hs_timestamp', 'hs_call_title', 'hs_call_direction', 'hubspot_owner_id'];
/** What a person leaves in a call object. */
const persons = [
  'hs_call_body',
  'hs_call_disposition',
  'hs_call_recording_url',
  'hs_call_summary',
  'hs_attachment_ids',
];
/** What a person may have changed before the first write; these show it by their history only. */
const changedByPersons = [...filledByPage, 'hs_call_disposition'];
const namesToKnow = [externalId, appIdProperty, keyProperty, ...persons].join(',');

type Properties = Readonly<Record<string, unknown>>;

/** A call object as it stands. */
export interface MadeObject {
  readonly properties: Properties;
  readonly written: LastWritten;
  /** What a person changed in it before anything of ours was written over it. */
  readonly edited?: ReadonlySet<string>;
}

/** Whether HubSpot made this object for the call, and nothing of ours was written over its values yet. */
export function isUnwritten(properties: Properties, written: LastWritten, log: CallLog): boolean {
  if (written[madeKey] !== undefined) return Object.keys(written).length === 1;
  const untouched = text(properties[writtenProperty]) === '' && text(properties[keyProperty]) === '';
  return untouched && same(properties[externalId], log.callId);
}

/**
 * Which values in an object that HubSpot made count as ours to change, as fingerprints. Of the first write: what the page fills by itself, a text that
 * is part of ours, an outcome that HubSpot puts by itself. Later: only what nobody can edit.
 */
export function ownedFrom({ properties, written, edited }: MadeObject, log: CallLog, wanted: Fields): LastWritten {
  const first = isUnwritten(properties, written, log);
  if (!first && written[madeKey] === undefined) return written;
  const ofPage = [...filledByPage, ...firstTexts(properties, wanted)].filter((name) => edited?.has(name) !== true);
  const names = [...neverAPersons, ...(first ? ofPage : [])];
  const theirs = names.filter((name) => name in wanted).map((name) => [name, text(properties[name])] as const);
  return { ...written, ...fingerprints(Object.fromEntries(theirs), callSpelling), ...madeByHubSpot };
}

function firstTexts(properties: Properties, wanted: Fields): readonly string[] {
  const plain = (value: unknown): string => callSpelling('hs_call_body', value);
  const isPart = plain(wanted.hs_call_body).includes(plain(properties.hs_call_body));
  const chosen = text(properties.hs_call_disposition);
  return [
    ...(isPart ? ['hs_call_body'] : []),
    ...(chosen === '' || defaultDispositions.has(chosen) ? ['hs_call_disposition'] : []),
  ];
}

/**
 * What people changed in objects of HubSpot's that are about to be written for the first time, by object id.
 * @throws PatchcordError `crm.*`
 */
export async function editedBefore(
  client: HubSpotClient,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  return ids.length === 0 ? new Map() : await editsIn(client, ids, changedByPersons);
}

export interface PageLogs {
  findPageLogs(call: string): Promise<readonly string[]>;
  isLogOf(logId: string, call: string): Promise<boolean | null>;
  removeSecondLog(logId: string, call: string, kept: string | null): Promise<boolean>;
}

export function createPageLogs(options: {
  readonly client: HubSpotClient;
  /** Our app's id in HubSpot; null when the relay knows none. */
  readonly appId: string | null;
  /** What a person can change in a call of this account. */
  readonly editable: () => Promise<ReadonlySet<string>>;
  /** Hears, once each, what an administrator should know although calls are logged. */
  readonly notice: (text: string) => void;
}): PageLogs {
  const { client, appId, notice } = options;
  /** An object without an app's id may be ours; one of another app never is. */
  const isOurs = (properties: Properties, call: string): boolean => {
    const app = text(properties[appIdProperty]);
    const key = text(properties[keyProperty]);
    return (
      same(properties[externalId], call) &&
      (app === '' || appId === null || app === appId) &&
      (key === '' || same(key, call))
    );
  };

  async function read(logId: string, doing: string): Promise<Record<string, unknown> | null> {
    const path = `/crm/v3/objects/calls/${logId}?properties=${namesToKnow}`;
    const answer = await client.request('GET', path, undefined, doing, [404]);
    return answer.status === 404 ? null : isObject(answer.body) ? answer.body : {};
  }

  /** Puts the log that stays on the deals and tickets where the page put the one that goes. */
  async function moveWork(logId: string, kept: string): Promise<void> {
    const doing = 'to move what a second log is about';
    const path = `/crm/v3/objects/calls/${logId}?associations=deals,tickets`;
    const { body } = await client.request('GET', path, undefined, doing, [404]);
    const links = isObject(body) ? body.associations : undefined;
    for (const kind of ['deals', 'tickets'])
      for (const one of listOf(isObject(links) ? links[kind] : undefined, 'results').filter(isObject)) {
        const id = idOf(one.id) || idOf(one.toObjectId);
        if (id === '') continue;
        const to = `/crm/v4/objects/calls/${kept}/associations/default/${kind}/${id}`;
        await client.request('PUT', to, undefined, doing, [400, 404]);
      }
  }

  /** A page writes no text and chooses no outcome but the obvious ones; what else a person changed, HubSpot's history tells. */
  async function wasEdited(logId: string, properties: Properties): Promise<boolean> {
    const isTheirs = persons.some((name) => {
      const value = name === 'hs_call_body' ? callSpelling(name, properties[name]) : text(properties[name]);
      return value !== '' && !(name === 'hs_call_disposition' && defaultDispositions.has(value));
    });
    if (isTheirs) return true;
    const ours = new Set([...neverAPersons, keyProperty, writtenProperty]);
    const names = [...new Set([...(await options.editable()), ...changedByPersons])].filter((name) => !ours.has(name));
    return ((await editsIn(client, [logId], names)).get(logId)?.size ?? 0) > 0;
  }

  return {
    async findPageLogs(call) {
      const body = {
        filterGroups: [{ filters: [{ propertyName: externalId, operator: 'EQ', value: call }] }],
        properties: namesToKnow.split(','),
        sorts: [],
        limit: 20,
        after: '0',
      };
      const doing = 'to find the call that its page logged';
      let answer: HubSpotAnswer;
      try {
        answer = await client.request('POST', '/crm/v3/objects/calls/search', body, doing, [], { search: true });
      } catch (error) {
        if (errorCode(error) !== 'crm.invalid') throw error;
        // Nothing that a repeat would mend, and no reason to log nothing.
        notice(
          'HubSpot does not let the app search for calls that its page logged, so that a call may be logged twice. Grant the app crm.objects.contacts.read, and see that the property hs_call_external_id can be searched.',
        );
        return [];
      }
      const found = listOf(answer.body, 'results')
        .filter(isObject)
        .flatMap(({ id, properties }) =>
          isObject(properties) && isRecordId(text(id)) && isOurs(properties, call)
            ? [{ id: text(id), properties }]
            : [],
        );
      // The one that carries our key is the log; of several that the page made the first.
      found.sort(
        (one, other) =>
          Number(text(one.properties[keyProperty]) === '') - Number(text(other.properties[keyProperty]) === '') ||
          Number(one.id) - Number(other.id),
      );
      return found.map(({ id }) => id);
    },

    async isLogOf(logId, call) {
      if (!isRecordId(logId)) return false;
      const stored = await read(logId, 'to see whose log this is');
      if (stored === null) return null;
      return isObject(stored.properties) && isOurs(stored.properties, call);
    },

    async removeSecondLog(logId, call, kept) {
      if (!isRecordId(logId) || logId === kept) return false;
      const doing = 'to take away a second log';
      const stored = await read(logId, doing);
      if (stored === null) return true;
      const properties = isObject(stored.properties) ? stored.properties : {};
      // Our key stands in the log that is kept, never in one that a page made beside it.
      if (!isOurs(properties, call) || text(properties[keyProperty]) !== '' || (await wasEdited(logId, properties)))
        return false;
      if (kept !== null && isRecordId(kept)) await moveWork(logId, kept);
      // HubSpot archives: an administrator can bring it back for ninety days.
      await client.request('DELETE', `/crm/v3/objects/calls/${logId}`, undefined, doing, [404]);
      return true;
    },
  };
}

function same(value: unknown, call: string): boolean {
  return text(value).toLowerCase() === call.toLowerCase();
}
