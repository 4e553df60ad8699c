/**
 * Owns what is asked of a HubSpot account about its people and its set-up: who owns a record, with which app its users call, and whether everything
 * the relay needs works (HubSpot contract, sections 1.9 and 2.7). Must never change anything but our own two properties.
 */
import { type E164, errorCode, PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { AskOptions, CrmAgent, CrmRelay, SetUpFinding } from '../relay-contract.ts';
import type { Account } from './account.ts';
import { idOf, isObject, listOf, text } from './answers.ts';
import { isRecordId, keyProperty } from './call.ts';
import type { CallerSearch } from './callers.ts';
import type { HubSpotClient } from './client.ts';
import { recordTypes } from './log-writer.ts';

const ownerProperty = 'hubspot_owner_id';
const nameProperties: Readonly<Record<string, readonly string[]>> = {
  contact: ['firstname', 'lastname', 'email'],
  company: ['name', 'domain'],
  deal: ['dealname'],
  ticket: ['subject'],
};
/** Reserved for fiction: nobody has it, and looking for it shows that looking works. */
const nobodysNumber = '+12025550142' as E164;
const pageSize = 500;
/** Owners beyond this are not looked at. */
const mostPages = 10;

type SetUp = Required<Pick<CrmRelay, 'describeRecord' | 'userOfOwner' | 'callingApps' | 'checkSetUp'>>;

export function createSetUp(options: {
  readonly client: HubSpotClient;
  readonly account: Account;
  readonly callers: CallerSearch;
  readonly appId: string | null;
}): SetUp {
  const { client, account, callers, appId } = options;

  async function describeRecord(
    { crm, object, id }: RecordRef,
    { urgent = true }: AskOptions = {},
  ): ReturnType<SetUp['describeRecord']> {
    const type = recordTypes[object];
    const names = nameProperties[object];
    if (crm !== 'hubspot' || type === undefined || names === undefined || !isRecordId(id))
      throw new PatchcordError('crm.not-found', 'HubSpot has no record of this kind.');
    const path = `/crm/v3/objects/${type.path}/${id}?properties=${[...names, ownerProperty].join(',')}`;
    const { body } = await client.request('GET', path, undefined, 'to read the record', [], { urgent });
    const properties = isObject(body) && isObject(body.properties) ? body.properties : {};
    const parts = names.map((name) => text(properties[name]).trim());
    const name =
      object === 'contact' ? [parts[0], parts[1]].filter(Boolean).join(' ') || parts[2] : parts.find(Boolean);
    return { name: (name ?? '').slice(0, 255) || null, ownerId: idOf(properties[ownerProperty]) || null };
  }

  async function userOfOwner(ownerId: string, { urgent = true }: AskOptions = {}): Promise<string | null> {
    if (!isRecordId(ownerId)) return null;
    const path = `/crm/v3/owners/${ownerId}?idProperty=id`;
    const { status, body } = await client.request('GET', path, undefined, 'to find the owner', [404], { urgent });
    return status === 404 || !isObject(body) ? null : idOf(body.userId) || null;
  }

  async function callingApps(): Promise<ReadonlyMap<string, 'ours' | 'other'>> {
    const path = '/crm/extensions/calling/v3/connection-statuses';
    const { body } = await client.request('GET', path, undefined, 'to list who calls with which app');
    const apps = new Map<string, 'ours' | 'other'>();
    for (const one of listOf(body, 'results').filter(isObject)) {
      const provider = isObject(one.provider) ? one.provider : {};
      const user = idOf(one.userId);
      if (user === '' || one.connected === false) continue;
      apps.set(user, appId !== null && idOf(provider.appId) === appId ? 'ours' : 'other');
    }
    return apps;
  }

  /** The users of the account who may own something. */
  async function usersWithOwner(): Promise<ReadonlySet<string>> {
    const users = new Set<string>();
    let after = '';
    for (let page = 0; page < mostPages; page += 1) {
      const query = new URLSearchParams({ limit: String(pageSize), ...(after === '' ? {} : { after }) });
      const { body } = await client.request('GET', `/crm/v3/owners?${query}`, undefined, 'to list the owners');
      for (const owner of listOf(body, 'results').filter(isObject)) users.add(idOf(owner.userId));
      const paging = isObject(body) && isObject(body.paging) && isObject(body.paging.next) ? body.paging.next : {};
      after = text(paging.after);
      if (after === '') break;
    }
    return users;
  }

  const property = (): Promise<SetUpFinding> =>
    look('property', 'The account can be reached, and a call is logged once', async () => {
      await account.callProperties();
      return good(`HubSpot answers, and ${keyProperty} takes a value once only.`);
    });

  const search = (): Promise<SetUpFinding> =>
    look('search', 'Callers are found', async () => {
      await callers.find(nobodysNumber, 'US', { urgent: true, agent: undefined });
      return good('HubSpot searches its contacts and companies for us.');
    });

  const people = (agents: readonly CrmAgent[]): Promise<SetUpFinding> =>
    look('agents', 'Each agent is a user of HubSpot', async () => {
      const users = await usersWithOwner();
      const missing = agents.filter(({ crmUserId }) => !users.has(crmUserId)).map(({ name }) => name);
      if (missing.length === 0) return good(`All ${agents.length} agents are known to HubSpot.`);
      return {
        verdict: 'bad',
        found: `HubSpot knows no user with the id given for ${namesOf(missing)}.`,
        advice:
          'Look up the user id in HubSpot (Settings, Users & Teams, the number in the address) and correct “crmUserId”.',
      };
    });

  const providers = (agents: readonly CrmAgent[]): Promise<SetUpFinding> =>
    look(
      'provider',
      'HubSpot calls through this phone',
      async () => {
        const apps = await callingApps();
        const others = agents.filter(({ crmUserId }) => apps.get(crmUserId) === 'other').map(({ name }) => name);
        if (others.length > 0) {
          return {
            verdict: 'bad',
            found: `${namesOf(others)} call through another app.`,
            advice:
              'Each of them chooses this phone in HubSpot: Settings, General, Calling, “Make and receive calls through”.',
          };
        }
        const known = agents.filter(({ crmUserId }) => apps.has(crmUserId)).length;
        if (known < agents.length)
          return unsure(
            `HubSpot says it of ${known} of ${agents.length} agents.`,
            'The others open the phone in HubSpot once.',
          );
        return good('All agents call through this phone.');
      },
      'unsure',
    );

  return {
    describeRecord,
    userOfOwner,
    callingApps,
    checkSetUp: (agents) => Promise.all([property(), search(), people(agents), providers(agents)]),
  };
}

type Verdict = Pick<SetUpFinding, 'verdict' | 'found' | 'advice'>;
const good = (found: string): Verdict => ({ verdict: 'good', found });
const unsure = (found: string, advice: string): Verdict => ({ verdict: 'unsure', found, advice });

/** Looks, and says in words what kept it from seeing. */
async function look(
  id: string,
  title: string,
  work: () => Promise<Verdict>,
  otherwise: 'bad' | 'unsure' = 'bad',
): Promise<SetUpFinding> {
  try {
    return { id, title, ...(await work()) };
  } catch (error) {
    const code = errorCode(error);
    const found =
      code === 'internal' ? 'HubSpot answered something that can’t be read.' : (error as PatchcordError).message;
    // What may be different in a minute is no verdict.
    const verdict = code === 'crm.unavailable' || code === 'crm.rate-limited' ? 'unsure' : otherwise;
    return { id, title, verdict, found, advice: adviceFor(code) };
  }
}

function adviceFor(code: string): string {
  if (code === 'crm.not-authentic') return 'An administrator connects the account again.';
  if (code === 'crm.unavailable' || code === 'crm.rate-limited') return 'Run the self-test again in a minute.';
  return 'Install the app in this account again and grant the scopes it asks for, then run the self-test again.';
}

function namesOf(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
