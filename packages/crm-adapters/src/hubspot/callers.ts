/**
 * Owns asking HubSpot for a caller: two searches, and what to do when an account does not know a property that is searched (HubSpot contract,
 * section 2.4). What is asked and how the answers are read stands in search.ts. Must never create a record, and never search for what was just
 * written: the index lags.
 */
import { type E164, type Match, PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent } from '../relay-contract.ts';
import type { Account } from './account.ts';
import { listOf } from './answers.ts';
import type { HubSpotClient } from './client.ts';
import { fromRefusal } from './refusals.ts';
import { type Filter, filtersFor, ranked, type SearchedType, searchBody } from './search.ts';

/** Nobody who hears a phone ring waits longer for a name. */
const longestWaitMs = 2_000;

export interface CallerSearch {
  find(
    number: E164,
    country: string,
    options: { readonly urgent: boolean; readonly agent: CrmAgent | undefined },
  ): Promise<readonly Match[]>;
}

export function callerSearch({
  client,
  account,
  doNotCall,
}: {
  readonly client: HubSpotClient;
  readonly account: Account;
  /** The property that says that somebody must not be called. */
  readonly doNotCall: string | null;
}): CallerSearch {
  /** What a search refused; HubSpot does not say which, so each is learned once. */
  const unknown = new Set<string>();
  const nameOf = (type: SearchedType, { propertyName, operator }: Filter): string =>
    `${type}.${propertyName} ${operator}`;

  async function search(type: SearchedType, number: E164, urgent: boolean): Promise<readonly unknown[]> {
    const doing = `to search ${type} for the caller`;
    const filters = filtersFor(type, number).filter((filter) => !unknown.has(nameOf(type, filter)));
    const send = (some: readonly Filter[], accept: readonly number[]) =>
      client.request('POST', `/crm/v3/objects/${type}/search`, searchBody(type, some, doNotCall), doing, accept, {
        search: true,
        urgent,
      });
    /** A phone rings: the second for which searches are refused is waited for, once. */
    const ask: typeof send = async (some, accept) => {
      try {
        return await send(some, accept);
      } catch (error) {
        const waitMs = error instanceof PatchcordError && error.code === 'crm.rate-limited' ? error.retryAfterMs : null;
        if (!urgent || waitMs === null || waitMs === undefined || waitMs > longestWaitMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        return await send(some, accept);
      }
    };
    // Without a filter a search finds everybody.
    if (filters.length === 0) return [];
    const answer = await ask(filters, filters.length > 1 ? [400] : []);
    if (answer.status < 400) return listOf(answer.body, 'results');
    // One unknown property spoils the whole search with a bare 400: ask one by one, and remember which it was.
    const rows: unknown[] = [];
    const refused: string[] = [];
    for (const filter of filters) {
      const one = await ask([filter], [400]);
      if (one.status < 400) rows.push(...listOf(one.body, 'results'));
      else refused.push(nameOf(type, filter));
    }
    // When nothing can be asked at all, the account's properties are not what is wrong.
    if (refused.length === filters.length) throw fromRefusal(answer.status, answer.body, new Headers(), doing);
    for (const name of refused) unknown.add(name);
    return rows;
  }

  return {
    async find(number, country, { urgent, agent }) {
      const [contacts, companies] = await Promise.all([
        search('contacts', number, urgent),
        search('companies', number, urgent),
      ]);
      const found = { contacts, companies };
      const matches = ranked(found, number, country, null, doNotCall);
      // One match needs no comparison, and without a person who waits nobody chooses.
      if (matches.length < 2 || !urgent || agent === undefined) return matches;
      const ownerId = await account.ownerOf(agent).catch(() => null);
      return ownerId === null ? matches : ranked(found, number, country, ownerId, doNotCall);
    },
  };
}
