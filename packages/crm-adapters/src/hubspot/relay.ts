/**
 * Owns the relay half of the HubSpot adapter: what the account says of itself, our two properties in it, and finding a caller (HubSpot contract,
 * sections 2.3 and 2.4). How a call becomes a call object stands in log-writer.ts. Must never write a call.
 */
import { type Match, PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent, CrmRelay } from '../relay-contract.ts';
import type { RequestGate } from '../request-gate.ts';
import { type CallProperties, callProperties, isRecordId, keyProperty, writtenProperty } from './call.ts';
import { createHubSpotClient, type HubSpotOAuth, isObject, text } from './client.ts';
import { createLogWriter, logsAtOnce, recordTypes } from './log-writer.ts';
import { filtersFor, ranked, type SearchedType, searchBody } from './search.ts';

export interface HubSpotRelayOptions {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  /** A token for every request, or the app's OAuth grant. */
  readonly accessToken: ((refused?: string) => Promise<string>) | HubSpotOAuth;
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
  /** Asked before every request; without one, requests go out at once. */
  readonly gate?: RequestGate;
}

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
    ...(options.gate === undefined ? {} : { gate: options.gate }),
  });
  const keepMs = options.describeForMs ?? 600_000;
  const uiUrl = (options.uiUrl ?? 'https://app.hubspot.com').replace(/\/$/, '');
  const owners = new Map<string, { readonly at: number; readonly id: Promise<string | null> }>();
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

  /** The owner record of an agent; null when the user owns nothing (a user without a seat). Asked once for a whole batch. */
  function ownerOf(agent: CrmAgent): Promise<string | null> {
    const { crmUserId } = agent;
    if (!isRecordId(crmUserId)) return Promise.resolve(null);
    const known = owners.get(crmUserId);
    if (known !== undefined && Date.now() - known.at < keepMs) return known.id;
    const asked = { at: Date.now(), id: findOwner(crmUserId) };
    owners.set(crmUserId, asked);
    asked.id.catch(() => {
      if (owners.get(crmUserId) === asked) owners.delete(crmUserId);
    });
    return asked.id;
  }

  async function findOwner(crmUserId: string): Promise<string | null> {
    const answer = await client.request(
      'GET',
      `/crm/v3/owners/${crmUserId}?idProperty=userId`,
      undefined,
      'to find the owner',
      [404],
    );
    const id = answer.status === 404 || !isObject(answer.body) ? '' : text(answer.body.id);
    return isRecordId(id) ? id : null;
  }

  async function search(
    type: SearchedType,
    number: Parameters<typeof filtersFor>[1],
    urgent: boolean,
  ): Promise<readonly unknown[]> {
    const doing = `to search ${type} for the caller`;
    const all = filtersFor(type, number).filter(({ propertyName }) => !unknownInSearch.has(`${type}.${propertyName}`));
    const ask = (filters: typeof all, accept: readonly number[]) =>
      client.request('POST', `/crm/v3/objects/${type}/search`, searchBody(type, filters), doing, accept, {
        search: true,
        urgent,
      });
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

  const writer = createLogWriter({
    client,
    async wantedOf(log, agent) {
      const [properties, ownerId] = await Promise.all([propertiesOfCalls(), ownerOf(agent)]);
      return callProperties(log, {
        properties,
        ownerId,
        appId: options.appId === undefined ? null : String(options.appId),
        dispositionIds: options.dispositionIds ?? {},
      });
    },
  });

  return {
    crm: 'hubspot',
    can: { atomicLog: false, recordings: false, batch: logsAtOnce },
    async findByNumber(number, country, { urgent = true } = {}): Promise<readonly Match[]> {
      const [contacts, companies] = await Promise.all([
        search('contacts', number, urgent),
        search('companies', number, urgent),
      ]);
      return ranked({ contacts, companies }, number, country);
    },
    writeLog: writer.writeLog,
    writeLogs: writer.writeLogs,
    linkTo(record) {
      const typeId = record.object === 'call' ? callTypeId : (recordTypes[record.object]?.typeId ?? record.object);
      return `${uiUrl}/contacts/${options.portalId}/record/${encodeURIComponent(typeId)}/${encodeURIComponent(record.id)}`;
    },
  };
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = isObject(value) ? value[name] : undefined;
  return Array.isArray(list) ? list : [];
}
