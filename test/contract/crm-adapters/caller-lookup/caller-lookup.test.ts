/**
 * Callers as they arrive, through the whole look-up: the phone's reading of the caller, the panel's reading of the number, its duties when a
 * call rings, the relay's adapter with the real jsforce, the emulated org. Every row says which records must be found, and in which order;
 * exactly one becomes the call's record, several or none become nothing.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { E164, Extension, Match } from '@patchcord/call-protocol';
import { createSalesforceRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CrmRelay } from '../../../../packages/crm-adapters/src/relay-contract.ts';
import { callerOf } from '../../../../packages/phone-engine/src/sip/party.ts';
import { createNumbers } from '../../../../packages/softphone-ui/src/numbers.ts';
import { type SalesforceSandbox, startSalesforceSandbox } from '../../../../sandbox/src/salesforce/sandbox.ts';
import { numberMetadata } from '../../../../server/src/number-metadata.ts';
import { countries } from './countries.ts';
import { evidence } from './evidence.ts';
import { poppedFor } from './popped.ts';
import type { Planted, World } from './world.ts';

interface Org {
  readonly sandbox: SalesforceSandbox;
  readonly relay: CrmRelay;
}

const orgs: Record<'plain' | 'persons', Org | null> = { plain: null, persons: null };
const worlds = [...countries, ...evidence];
let asked = 0;
let found = 0;
let wrong = 0;

async function startOrg(personAccounts: boolean): Promise<Org> {
  const sandbox = await startSalesforceSandbox({
    panelUrl: 'http://localhost:1/salesforce/',
    personAccounts,
    people: [],
    dailyLimit: 1_000_000,
  });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  sandbox.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const integration = sandbox.users.find((user) => user.name === 'Patchcord Relay');
  if (integration === undefined) throw new Error('The sandbox org lacks its integration user.');
  const relay = createSalesforceRelay({
    loginUrl: sandbox.org.loginUrl,
    clientId: sandbox.connectedApp.clientId,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    username: integration.username,
    timeoutMs: 10_000,
  });
  return { sandbox, relay };
}

beforeAll(async () => {
  const [plain, persons] = await Promise.all([startOrg(false), startOrg(true)]);
  Object.assign(orgs, { plain, persons });
});

afterAll(async () => {
  process.stdout.write(`${asked} callers looked up: ${found} found as they should be, ${wrong} wrong\n`);
  await Promise.all([orgs.plain?.sandbox.close(), orgs.persons?.sandbox.close()]);
});

/** Empties the org of everybody but its users, and plants a world. The answer: each record's id by its key. */
function plant({ sandbox }: Org, world: World): ReadonlyMap<string, string> {
  for (const object of ['Contact', 'Lead', 'Account'] as const) sandbox.store.clear(object);
  const ids = new Map<string, string>();
  const owner = sandbox.users[0]?.id ?? '';
  const put = (key: string, one: Planted): void => {
    const id = sandbox.store.plant(one.object, {
      ...one.fields,
      ...(one.object === 'User' ? {} : { OwnerId: owner }),
      ...(one.of === undefined ? {} : { AccountId: ids.get(one.of) ?? null }),
    });
    const contact = sandbox.store.get(one.object, id)?.PersonContactId;
    ids.set(key, typeof contact === 'string' ? contact : id);
  };
  for (const [key, one] of Object.entries(world.records)) put(key, one);
  return ids;
}

/** The number as the phone has it: a SIP address is taken apart as the line does it, anything else is as it stands. */
function arrived(caller: string): string {
  const uri = /^sips?:([^@]*)@([^;]*)/i.exec(caller);
  if (uri === null) return caller;
  return callerOf(undefined, { displayName: undefined, user: uri[1], host: uri[2] ?? '' }, false).number;
}

describe.each(worlds.map((world) => [`${world.what} (${world.country})`, world] as const))('%s', (_what, world) => {
  let org: Org;
  let ids: ReadonlyMap<string, string>;
  const numbers = createNumbers({ country: world.country, metadata: numberMetadata([world.country]) });

  beforeAll(() => {
    const started = world.personAccounts ? orgs.persons : orgs.plain;
    if (started === null) throw new Error('The org was not started.');
    org = started;
    ids = plant(org, world);
  });

  it.each(world.calls.map(([caller, ...keys]) => [caller, keys] as const))('"%s" finds %j', async (caller, keys) => {
    asked += 1;
    const agent = { crmUserId: org.sandbox.users[0]?.id ?? '', name: 'Robin Avery' };
    let matches: readonly Match[] = [];
    const popped = await poppedFor(arrived(caller), numbers, async (number) => {
      matches = isE164(number)
        ? await org.relay.findByNumber(number, world.country, { agent })
        : ((await org.relay.findByExtension?.(number, agent)) ?? []);
      return matches;
    });
    const expected = keys.map((key) => ids.get(key));
    const got = matches.map(({ record }) => record.id);
    if (popped !== null && popped.id !== expected[0]) wrong += 1;
    expect(got).toEqual(expected);
    expect(popped?.id ?? null).toBe(keys.length === 1 ? expected[0] : null);
    found += 1;
  });
});

it('finds nobody whom the agent may not see, and does for one who may', async () => {
  const org = orgs.plain;
  const [robin, sam] = org?.sandbox.users ?? [];
  if (org === null || robin === undefined || sam === undefined) throw new Error('The org was not started.');
  const id = org.sandbox.store.plant('Contact', { LastName: 'Hidden', Phone: '(212) 555-0155' });
  org.sandbox.rights.deny({ user: robin.username, id });
  const foundBy = async ({ id: crmUserId, name }: { id: string; name: string }) =>
    (await org.relay.findByNumber('+12125550155' as E164, 'US', { agent: { crmUserId, name } })).map(
      ({ record }) => record.id,
    );
  expect(await foundBy(robin)).toEqual([]);
  expect(await foundBy(sam)).toEqual([id]);
});

it('looks at 200 callers and more', () => {
  expect(worlds.flatMap(({ calls }) => calls).length).toBeGreaterThanOrEqual(200);
});

function isE164(number: E164 | Extension): number is E164 {
  return number.startsWith('+');
}
