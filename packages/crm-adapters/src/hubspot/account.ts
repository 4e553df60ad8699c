/**
 * Owns what one HubSpot account says of itself: the properties of calls and their options, our two properties, and who owns what (HubSpot
 * contract, sections 2.1, 2.3 and 2.7). All of it is kept for a while, and asked anew when a write shows that it changed. Must never write a call.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent } from '../relay-contract.ts';
import { idOf, isObject, listOf, text } from './answers.ts';
import { type CallProperties, isRecordId, keyProperty, writtenProperty } from './call.ts';
import type { HubSpotClient } from './client.ts';
import { refusalBehind } from './refusals.ts';

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

/** A call without these is none. */
const indispensable: ReadonlySet<string> = new Set(['hs_timestamp', keyProperty, writtenProperty]);

export interface Account {
  /** @throws PatchcordError `crm.*` */
  callProperties(): Promise<CallProperties>;
  /**
   * The owner record of an agent; null when the user owns nothing (a user without a seat). Asked once for a whole batch.
   * @throws PatchcordError `crm.*`
   */
  ownerOf(agent: CrmAgent): Promise<string | null>;
  /** A write was refused. @returns whether something of the account is seen differently now, so that it is worth another try */
  learn(error: unknown, agent: CrmAgent): boolean;
}

function isEditable({ calculated, modificationMetadata }: Readonly<Record<string, unknown>>): boolean {
  return calculated !== true && !(isObject(modificationMetadata) && modificationMetadata.readOnlyValue === true);
}

interface Kept<T> {
  readonly at: number;
  readonly value: Promise<T>;
}

/**
 * @param notice hears, once each, what an administrator should know although calls are logged
 */
export function accountOf(options: {
  readonly client: HubSpotClient;
  readonly keepMs: number;
  readonly notice: (text: string) => void;
}): Account {
  const { client, keepMs, notice } = options;
  const owners = new Map<string, Kept<string | null>>();
  let described: Kept<CallProperties> | null = null;
  /** Properties that were blamed: since when, and whether they are left out by now. */
  const blamed = new Map<string, { readonly at: number; readonly leftOut: boolean }>();

  const isFresh = (at: number): boolean => {
    const age = Date.now() - at;
    return age >= 0 && age < keepMs;
  };

  /** Reads what calls can hold, and creates our two properties where they are missing. */
  async function describeCalls(): Promise<CallProperties> {
    const answer = await client.request('GET', '/crm/v3/properties/calls', undefined, 'to describe calls');
    const list = listOf(answer.body, 'results').filter(isObject);
    const named = (name: string): Record<string, unknown> | undefined => list.find((one) => one.name === name);
    const groupName = text(named('hs_call_title')?.groupName) || text(list[0]?.groupName);
    for (const own of ownProperties) await provide(own, named(own.name), groupName);
    const optionsOf = (name: string): readonly Record<string, unknown>[] =>
      listOf(named(name), 'options').filter(isObject);
    const outcomes = optionsOf('hs_call_disposition').map(
      (option) => [text(option.label).toLowerCase(), text(option.value)] as const,
    );
    const leftOut = new Set([...blamed].filter(([, { at, leftOut: out }]) => out && isFresh(at)).map(([name]) => name));
    return {
      groupName,
      names: new Set(list.map((one) => text(one.name)).filter((name) => !leftOut.has(name))),
      editable: new Set(list.filter(isEditable).map((one) => text(one.name))),
      statuses: new Set(optionsOf('hs_call_status').map((option) => text(option.value))),
      dispositions: new Map(outcomes.length > 0 ? outcomes : await legacyOutcomes()),
    };
  }

  async function provide(
    own: (typeof ownProperties)[number],
    existing: Readonly<Record<string, unknown>> | undefined,
    groupName: string,
  ): Promise<void> {
    if (existing !== undefined) {
      if (!own.hasUniqueValue || existing.hasUniqueValue === true) return;
      throw new PatchcordError(
        'crm.invalid',
        `The call property ${own.name} exists in HubSpot without "require unique values", so that a call could be logged twice. Delete it; it is created again.`,
      );
    }
    const created = await client.request(
      'POST',
      '/crm/v3/properties/calls',
      { ...own, type: 'string', fieldType: 'text', groupName },
      `to create the call property ${own.name}`,
      [403, 409],
    );
    if (created.status !== 403) return;
    throw new PatchcordError(
      'crm.invalid',
      `HubSpot does not let the app create the call property ${own.name}. Grant the scope crm.schemas.contacts.write, or create it by hand: single-line text${own.hasUniqueValue ? ', unique values required' : ''}.`,
    );
  }

  /** Outcomes as they were told before they were options of a property. An account without them has those that every account starts with. */
  async function legacyOutcomes(): Promise<readonly (readonly [string, string])[]> {
    try {
      const { body } = await client.request('GET', '/calling/v1/dispositions', undefined, 'to list the call outcomes');
      return (Array.isArray(body) ? body.filter(isObject) : [])
        .filter((one) => one.deleted !== true && text(one.id) !== '')
        .map((one) => [text(one.label).toLowerCase(), text(one.id)] as const);
    } catch {
      // Not worth a log that waits.
      return [];
    }
  }

  async function findOwner(crmUserId: string): Promise<string | null> {
    const path = `/crm/v3/owners/${crmUserId}?idProperty=userId`;
    const answer = await client.request('GET', path, undefined, 'to find the owner', [404]);
    if (answer.status === 404 || !isObject(answer.body) || answer.body.archived === true) return null;
    return idOf(answer.body.id) || null;
  }

  function learnOwner({ crmUserId, name }: CrmAgent): boolean {
    const known = owners.get(crmUserId);
    if (known === undefined || !blamed.has(`owner ${crmUserId}`)) {
      blamed.set(`owner ${crmUserId}`, { at: Date.now(), leftOut: false });
      owners.delete(crmUserId);
      return true;
    }
    blamed.delete(`owner ${crmUserId}`);
    owners.set(crmUserId, { at: Date.now(), value: Promise.resolve(null) });
    notice(
      `HubSpot does not take ${name} as an owner: their calls are logged without one. Check their user in HubSpot.`,
    );
    return true;
  }

  function learnProperty(property: string, code: string): boolean {
    const before = blamed.get(property);
    const again = before !== undefined && isFresh(before.at);
    // Blamed by what was sent before it was left out.
    if (again && before.leftOut) return true;
    // What was asked for anew and is refused once more is left out, where a call can do without it.
    if (again && indispensable.has(property)) return false;
    blamed.set(property, { at: Date.now(), leftOut: again });
    described = null;
    if (again)
      notice(`HubSpot does not take the property ${property} of calls (${code}): calls are logged without it.`);
    return true;
  }

  return {
    callProperties() {
      if (described === null || !isFresh(described.at)) {
        const asked = { at: Date.now(), value: describeCalls() };
        described = asked;
        asked.value.catch(() => {
          if (described === asked) described = null;
        });
      }
      return described.value;
    },

    ownerOf({ crmUserId }) {
      if (!isRecordId(crmUserId)) return Promise.resolve(null);
      const known = owners.get(crmUserId);
      if (known !== undefined && isFresh(known.at)) return known.value;
      const asked = { at: Date.now(), value: findOwner(crmUserId) };
      owners.set(crmUserId, asked);
      asked.value.catch(() => {
        if (owners.get(crmUserId) === asked) owners.delete(crmUserId);
      });
      return asked.value;
    },

    learn(error, agent) {
      const learned = (refusalBehind(error)?.complaints ?? []).map(({ property, code }) => {
        if (code.includes('OWNER') || property === 'hubspot_owner_id') return learnOwner(agent);
        // A missing value is for an administrator, and a value that is none is ours to see to.
        if (!/DOESNT_EXIST|INVALID_OPTION|READ_ONLY/.test(code) || property === '') return false;
        return learnProperty(property, code);
      });
      return learned.includes(true);
    },
  };
}
