/** The contract of credential issuers on real servers: Kamailio in both ways, Asterisk over ARI. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { TenantId } from '@patchcord/call-protocol';
import { checkConfig, type TenantConfig } from '../../server/src/config.ts';
import type { SipCredential } from '../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../server/src/credentials/issuers.ts';
import { createLog } from '../../server/src/logging.ts';
import { openStore } from '../../server/src/store/open.ts';
import { agents, type IssuerWorld, issuerContract } from '../contract/credential-issuers/issuer-contract.ts';
import { type Asterisk, startAsterisk } from './asterisk.ts';
import { type Edge, startEdge } from './edge.ts';
import { labFromEnvironment } from './namespaces.ts';
import { WssClient } from './wss-client.ts';

const lab = labFromEnvironment();
const secret = 'a secret of the laboratory, long enough';
/** Shorter than an operator may choose: lapsing is to be seen. */
const briefSeconds = 3;

function tenantOf(sip: object): TenantConfig {
  const config = checkConfig({
    tenants: [
      {
        id: 'lab',
        name: 'Lab',
        country: 'US',
        hostOrigins: ['https://crm.example.com'],
        crm: { kind: 'memory' },
        sip: { domain: 'patchcord.test', servers: ['wss://sip.example.com'], ...sip },
        agents: Object.values(agents).map(({ agent, extension, name }) => ({
          id: agent,
          extension,
          name,
          crmUserId: agent,
        })),
      },
    ],
  });
  const [tenant] = config.tenants;
  if (tenant === undefined) throw new Error('The configuration lost its tenant.');
  return tenant;
}

/** What is the same for every PBX: the store, the phones. */
async function worldOf(
  tenant: TenantConfig,
  pbx: { readonly wssUrl: string; readonly domain: string },
  own: Pick<IssuerWorld, 'bindings' | 'restart'> & { stop(): Promise<void> },
): Promise<IssuerWorld> {
  const store = await openStore({ kind: 'sqlite', folder: mkdtempSync(join(lab.folder, 'store-')) });
  const parts = { store: store.credentials, log: createLog('silent'), now: Date.now };
  const { sip } = tenant;
  const brief = {
    ...tenant,
    sip: { ...sip, credential: { ...sip.credential, ttlSeconds: briefSeconds } },
  } as TenantConfig;
  const clients: { readonly user: string; readonly client: WssClient }[] = [];
  const connect = async (user: string, instance?: string) => {
    const client = await WssClient.connect(pbx, instance === undefined ? {} : { instance });
    clients.push({ user, client });
    return client;
  };
  return {
    tenant: tenant.id as TenantId,
    store,
    issuer: issuerOf(tenant, parts),
    brief: issuerOf(brief, parts),
    register: async (credential: SipCredential, user, device) =>
      (await (await connect(user, device)).register(user, credential)).status,
    cut: async (user) => {
      await Promise.all(clients.flatMap((one) => (one.user === user ? [one.client.close()] : [])));
    },
    async invite(credential, user) {
      const to = `sip:nobody@${pbx.domain}`;
      return (await (await connect(user)).request('INVITE', to, { from: user, to: 'nobody', credential })).status;
    },
    bindings: own.bindings,
    restart: own.restart,
    waitUntil: (at) => new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now()))),
    async close() {
      await Promise.all(clients.map(({ client }) => client.close()));
      await store.close();
      await own.stop();
    },
  };
}

async function kamailio(sip: (edge: Edge) => object): Promise<IssuerWorld> {
  const edge = await startEdge(lab, { credentialSecret: secret, turnSecret: secret });
  return worldOf(tenantOf(sip(edge)), edge, {
    bindings: (user) =>
      edge.rpc('ul.lookup', 'location', user).then(
        (found) => JSON.stringify(found).split('"Address"').length - 1,
        () => 0,
      ),
    restart: () => edge.restartKamailio(),
    stop: () => edge.stop(),
  });
}

async function asterisk(): Promise<IssuerWorld> {
  const pbx: Asterisk = await startAsterisk(lab);
  const tenant = tenantOf({ credential: { kind: 'asterisk-ari', ...pbx.ari } });
  return worldOf(tenant, pbx, {
    bindings: async (user) =>
      (await pbx.cli('pjsip show contacts')).split('\n').filter((line) => line.includes(` ${user}/`)).length,
    restart: () => pbx.restart(),
    stop: () => pbx.stop(),
  });
}

issuerContract('kamailio-ephemeral', () =>
  kamailio(({ rpcUrl }) => ({
    credential: { kind: 'kamailio-ephemeral', secret },
    revocation: { kamailioRpcUrl: rpcUrl },
  })),
);
issuerContract('kamailio-htable', () =>
  kamailio(({ rpcUrl }) => ({ credential: { kind: 'kamailio-htable' }, revocation: { kamailioRpcUrl: rpcUrl } })),
);
issuerContract('asterisk-ari', asterisk);
