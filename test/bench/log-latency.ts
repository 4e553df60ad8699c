/** From the acknowledged end of a call to `log.saved` at the panel, with a CRM that takes 150 ms for every answer. */
import { startHubSpotSandbox } from '@patchcord/sandbox';
import { clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { type Row, toRow } from './measurement.ts';
import { startSlowLink } from './slow-link.ts';

/** One: the record of every call is searched, and two phones that hang up all the time already wait for HubSpot's 4 searches a second. */
const phones = 1;
const callsEach = 8;
const crmMs = 150;

export async function run(rounds: number): Promise<readonly Row[]> {
  const portal = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:1/hubspot/',
    relayUrl: 'http://127.0.0.1:1',
    clientSecret: 'a-client-secret-for-this-bench-0001',
    appId: 99,
  });
  const link = await startSlowLink(portal.apiUrl, crmMs);
  const [owner] = portal.owners;
  if (owner === undefined) throw new Error('the sandbox portal has no owner');
  const tenant = tenantOf(phones);
  const relay = await clusterRelay({
    tenants: [
      {
        ...tenant,
        crm: {
          kind: 'hubspot',
          apiUrl: link.url,
          portalId: portal.portalId,
          appId: 99,
          clientId: portal.oauth.clientId,
          clientSecret: portal.oauth.clientSecret,
          refreshToken: portal.oauth.refreshToken,
        },
        agents: tenant.agents.map((agent, n) => ({
          ...agent,
          crmUserId: n === 0 ? String(owner.userId) : agent.crmUserId,
        })),
      },
    ],
  });
  const fleet: SteadyPhone[] = [];
  const samples: number[] = [];
  try {
    await relay.start();
    for (let n = 0; n < phones; n += 1) {
      const phone = new SteadyPhone([relay], `agent-${n}`, 0);
      fleet.push(phone);
      await phone.signIn();
      await phone.connect();
    }
    for (let round = 0; round < rounds; round += 1)
      await Promise.all(
        fleet.map(async (phone) => {
          for (let n = 0; n < callsEach; n += 1) samples.push(await phone.logLatency());
        }),
      );
    return [
      toRow(
        {
          bench: 'log-latency',
          case: `hang-up → log.saved, CRM ${crmMs} ms`,
          subject: 'relay, SQLite',
          unit: 'ms',
          samples,
        },
        { name: 'one CRM answer', samples: [crmMs] },
      ),
    ];
  } finally {
    for (const phone of fleet) phone.close();
    await relay.remove();
    await link.close();
    await portal.close();
  }
}
