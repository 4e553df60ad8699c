/**
 * The limits of a HubSpot account with the real client and the relay's own gates: who goes first. That HubSpot is never asked too fast is shown with
 * a clock that stands still in between (`test/unit/server/crm-limits.test.ts`): here a slow machine would bunch what was sent apart.
 */
import type { E164 } from '@patchcord/call-protocol';
import { type CrmRelay, createHubSpotRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import type { TenantConfig } from '../../../server/src/config.ts';
import { CrmLimits } from '../../../server/src/delivery/crm-limits.ts';
import { finishedCall } from './call-log-fixture.ts';

/** 110 requests in half a second instead of ten. */
const speed = 20;
/** More than five, so that it does not take as long. */
const searchesPerSecond = 20;
let hubspot: HubSpotSandbox;
let limits: CrmLimits;
beforeAll(async () => {
  hubspot = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'limits-client-secret',
    appId: 99,
    searchDelayMs: 0,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 100_000 },
  });
  limits = new CrmLimits(Date.now);
});
afterAll(() => hubspot.close());

function tenant(id: string, requests = 110): CrmRelay {
  const crm = {
    kind: 'hubspot',
    apiUrl: hubspot.apiUrl,
    portalId: String(hubspot.portalId),
    appId: '99',
    limits: { requests, perMs: 10_000 / speed, searchesPerSecond },
  } as unknown as TenantConfig['crm'];
  return createHubSpotRelay({
    apiUrl: hubspot.apiUrl,
    accessToken: hubspot.oauth,
    portalId: hubspot.portalId,
    appId: 99,
    gate: limits.gateOf({ id, crm }),
  });
}
const robin = () => ({ crmUserId: String(hubspot.owners[0]?.userId), name: 'Robin Avery' });

it('a tenant with much to write keeps neither another one nor a ringing call waiting', async () => {
  const [busy, calm] = [tenant('busy'), tenant('calm')];
  // What an account says of itself is asked first, so that only the calls are compared.
  await Promise.all([busy, calm].map((relay) => relay.writeLog(finishedCall(), robin(), null)));
  const before = hubspot.records.calls.length;
  const done: string[] = [];
  const noted = async (what: string, work: Promise<unknown>): Promise<void> => {
    await work;
    done.push(what);
  };
  const backlog = Array.from({ length: 60 }, () => noted('busy', busy.writeLog(finishedCall(), robin(), null)));
  const others = [
    noted('calm', calm.writeLog(finishedCall(), robin(), null)),
    noted('calm', calm.writeLog(finishedCall(), robin(), null)),
    ...Array.from({ length: 5 }, () =>
      noted('who calls', busy.findByNumber('+14155550101' as E164, 'US', { agent: robin() })),
    ),
  ];
  await Promise.all(others);
  expect(done.filter((what) => what === 'busy').length).toBeLessThan(30);
  await Promise.all(backlog);
  expect(hubspot.records.calls.length - before).toBe(62);
});

it('searches keep to their own pace and hold up nothing else', async () => {
  const relay = tenant('searching', 10_000);
  const done: string[] = [];
  const searches = Array.from({ length: 20 }, async () => {
    await relay.findByNumber('+14155550101' as E164, 'US', { agent: robin() });
    done.push('search');
  });
  await relay.writeLog(finishedCall(), robin(), null);
  expect(done.length).toBeLessThan(20);
  await Promise.all(searches);
});

it('a look-up that is refused for its second is answered after it, and logs go on meanwhile', async () => {
  const relay = tenant('refused');
  const done: string[] = [];
  hubspot.faults.add({ fault: 'search-limited', on: 'POST */contacts/search' });
  const found = relay.findByNumber('+14155550101' as E164, 'US').then((matches) => {
    done.push('who calls');
    return matches;
  });
  await relay.writeLog(finishedCall(), robin(), null);
  done.push('log');
  expect(await found).toHaveLength(1);
  expect(done).toEqual(['log', 'who calls']);
});
