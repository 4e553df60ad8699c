/**
 * The same callers as in a Salesforce org, in a HubSpot portal: the phone's reading of the caller, the panel's reading of the number, its duties
 * when a call rings, the relay's adapter, the emulated portal. HubSpot finds less: what it cannot calculate from what somebody typed is only
 * found in a usual spelling. So whoever is found must be right, whom HubSpot can calculate must be found, and nobody else ever becomes a call's
 * record.
 */
import type { E164, Extension, Match } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callerOf } from '../../../../packages/phone-engine/src/sip/party.ts';
import { createNumbers } from '../../../../packages/softphone-ui/src/numbers.ts';
import { numberMetadata } from '../../../../server/src/number-metadata.ts';
import { startTestPortal, type TestPortal } from '../hubspot-portal.ts';
import { countries } from './countries.ts';
import { evidence } from './evidence.ts';
import { poppedFor } from './popped.ts';
import type { Planted, World } from './world.ts';

/** Person accounts are Salesforce's own. */
const worlds = [...countries, ...evidence].filter((world) => world.personAccounts !== true);
/** What a field of an org is in a portal; what has no counterpart stays unplanted. */
const properties: Readonly<Record<string, string>> = {
  Phone: 'phone',
  MobilePhone: 'mobilephone',
  Fax: 'fax',
  LastName: 'lastname',
  FirstName: 'firstname',
  Name: 'name',
  Company: 'company',
  MailingCountry: 'country',
  BillingCountry: 'country',
  Country: 'country',
};

let test: TestPortal;
let relay: CrmRelay;
let asked = 0;
let found = 0;
let missed = 0;
let wrong = 0;

beforeAll(async () => {
  test = await startTestPortal();
  relay = test.freshRelay();
});
afterAll(async () => {
  process.stdout.write(`${asked} callers: ${found} found or rightly not, ${missed} not to be found, ${wrong} wrong\n`);
  await test.close();
});

/** Empties the portal and plants a world, as an account in that country. The answer: each record's id by its key. */
function plant({ records, country }: World): ReadonlyMap<string, string> {
  const { portal } = test.hubspot;
  for (const type of ['contacts', 'companies'] as const)
    for (const { id } of portal.all(type)) portal.archive(type, id);
  const ids = new Map<string, string>();
  for (const [key, one] of Object.entries(records)) {
    const type = typeOf(one);
    if (type === null) continue;
    const values = Object.entries(one.fields).flatMap(([field, value]) => {
      const name = properties[field];
      const isKnown = name !== undefined && portal.property(type, name) !== undefined;
      return isKnown && typeof value === 'string' ? [[name, value] as const] : [];
    });
    const { id } = portal.create(type, Object.fromEntries(values), { indexedAt: 0, region: country });
    // A home or an assistant's number is no property that every account has.
    if (values.some(([name]) => name === 'phone' || name === 'mobilephone')) ids.set(key, id);
  }
  return ids;
}

/** A lead is a contact in another stage; one that was converted is gone. */
function typeOf({ object, fields }: Planted): 'contacts' | 'companies' | null {
  if (object === 'User' || fields.IsConverted === true) return null;
  return object === 'Account' ? 'companies' : 'contacts';
}

/** The number as the phone has it: a SIP address is taken apart as the line does it, anything else is as it stands. */
function arrived(caller: string): string {
  const uri = /^sips?:([^@]*)@([^;]*)/i.exec(caller);
  if (uri === null) return caller;
  return callerOf(undefined, { displayName: undefined, user: uri[1], host: uri[2] ?? '' }, false).number;
}

/** Whether HubSpot itself calculates this number for the record. */
function isCalculated(id: string, number: string): boolean {
  const own = test.hubspot.portal.get('contacts', id)?.properties;
  return own?.hs_calculated_phone_number === number || own?.hs_calculated_mobile_number === number;
}

describe.each(worlds.map((world) => [`${world.what} (${world.country})`, world] as const))('%s', (_what, world) => {
  let ids: ReadonlyMap<string, string>;
  const numbers = createNumbers({ country: world.country, metadata: numberMetadata([world.country]) });
  beforeAll(() => {
    ids = plant(world);
  });

  it.each(world.calls.map(([caller, ...keys]) => [caller, keys] as const))('"%s" finds %j', async (caller, keys) => {
    asked += 1;
    let number = '';
    let matches: readonly Match[] = [];
    const popped = await poppedFor(arrived(caller), numbers, async (wanted) => {
      number = wanted;
      matches = isE164(wanted) ? await relay.findByNumber(wanted, world.country, { agent: test.robin }) : [];
      return matches;
    });
    const expected = new Set(keys.map((key) => ids.get(key)).filter((id) => id !== undefined));
    const got = matches.map(({ record }) => record.id);
    const isWrong = got.some((id) => !expected.has(id)) || (popped !== null && !expected.has(popped.id));
    if (isWrong) wrong += 1;
    expect(isWrong, `${number}: ${got.join()} instead of ${[...expected].join()}`).toBe(false);
    for (const id of expected) if (isCalculated(id, number)) expect(got).toContain(id);
    expect(popped?.id ?? null).toBe(got.length === 1 ? got[0] : null);
    if (got.length === expected.size) found += 1;
    else missed += 1;
  });
});

it('looks at 300 callers and more, none of them wrong, and misses few', () => {
  expect(asked).toBeGreaterThanOrEqual(300);
  expect(wrong).toBe(0);
  expect(missed).toBeLessThanOrEqual(25);
});

it('makes no contact, whoever calls', () => {
  const written = test.hubspot
    .requests()
    .filter(({ method, path }) => method !== 'GET' && !/\/search$|\/oauth\//.test(path));
  expect(written).toEqual([]);
});

function isE164(number: E164 | Extension): number is E164 {
  return number.startsWith('+');
}
