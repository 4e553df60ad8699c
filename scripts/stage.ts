/**
 * One whole product on one machine: relay, panel, both CRM sandboxes, the plain page, and a telephone system. `npm start` opens it, browser
 * tests play on it. Owns how the parts are put together; must hold no behaviour of its own.
 */
import { generateKeyPairSync, randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallMeRequest,
  demoAgents,
  demoPeople,
  type HubSpotSandbox,
  type PlainPageSandbox,
  type SalesforceSandbox,
  startHubSpotSandbox,
  startPlainPageSandbox,
  startSalesforceSandbox,
} from '@patchcord/sandbox';
import { type PanelSource, type Relay, type RelayConfigInput, startRelay } from '@patchcord/server';
import { panelForRelay } from './panel-bundle.ts';

/** The telephone system the stage is connected to: the sandbox switch, or a real edge. */
export interface Telephony {
  readonly domain: string;
  readonly servers: readonly string[];
  /** Shared with the relay, which mints credentials with it. */
  readonly credentialSecret: string;
  readonly turn?: { readonly urls: readonly string[]; readonly secret: string };
  readonly revocation?: { readonly kamailioRpcUrl: string };
  /** What of an office phone it plays along with; absent: calls. */
  readonly features?: NonNullable<RelayConfigInput['tenants'][number]['features']>;
  /** Somebody calls an agent's extension; "call me" buttons end here. */
  callAgent(extension: string, from: CallMeRequest): Promise<void>;
}

export interface StageOptions {
  readonly telephony: Telephony;
  /** Fixed ports for a person; absent: free ones. */
  readonly ports?: {
    readonly relay: number;
    readonly salesforce: number;
    readonly hubspot: number;
    readonly page: number;
  };
  /** Where the database lives; absent: a private folder that is removed at the end. */
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly logLevel?: NonNullable<RelayConfigInput['logLevel']>;
  /** Seconds a SIP credential lives; absent: the relay's default. */
  readonly credentialSeconds?: number;
  readonly delivery?: NonNullable<RelayConfigInput['delivery']>;
  /** Past calls in the Salesforce org and the HubSpot portal, for a person to look at. */
  readonly demoCalls?: boolean;
  /** What differs in the configuration of the HubSpot customer. */
  readonly hubspotTenant?: Partial<RelayConfigInput['tenants'][number]>;
  readonly salesforceTenant?: Partial<RelayConfigInput['tenants'][number]>;
  /** Runs the relay in another place than this process, where it can be killed. Default: here. */
  readonly runRelay?: (
    config: RelayConfigInput,
    options: { readonly panel: PanelSource },
  ) => Promise<Pick<Relay, 'close'>>;
}

/** Agents by CRM: the same two people, each with a line of their own per CRM. */
export const extensions = {
  salesforce: { robin: '101', sam: '102' },
  hubspot: { robin: '201', sam: '202' },
  page: { robin: '301', sam: '302' },
} as const;

export interface Stage {
  readonly relayUrl: string;
  readonly adminToken: string;
  readonly salesforce: SalesforceSandbox;
  readonly hubspot: HubSpotSandbox;
  readonly page: PlainPageSandbox;
  /** The relay that runs now; replaced by `restartRelay`. @throws when it runs in another place, or not at all */
  relay(): Relay;
  /** Stops the relay and starts it again on the same data and port. */
  restartRelay(): Promise<void>;
  stopRelay(): Promise<void>;
  close(): Promise<void>;
}

const dispositions = [
  { value: 'interested', label: 'Interested' },
  { value: 'call-back', label: 'Call back later' },
  { value: 'not-interested', label: 'Not interested' },
  { value: 'wrong-number', label: 'Wrong number' },
  { value: 'resolved', label: 'Resolved' },
];

/** Puts everything together and starts it. @throws when a part can't start; the parts that did are stopped again. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const { telephony } = options;
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.reverse()) await close();
  };
  try {
    const relayPort = options.ports?.relay ?? (await freePort());
    // Another site than the CRM pages: storage is partitioned and frames are cross-site, as in an agent's browser.
    const relayUrl = `http://127.0.0.1:${relayPort}`;
    const adminToken = randomBytes(32).toString('base64url');
    const clientSecret = randomBytes(24).toString('hex');
    const appId = 7_000_042;
    const callMe = (crm: keyof typeof extensions) => (request: CallMeRequest) =>
      telephony.callAgent(extensionOf(crm, request.agent), request);

    const salesforce = await startSalesforceSandbox({
      port: options.ports?.salesforce ?? 0,
      panelUrl: `${relayUrl}/salesforce/`,
      onCallMe: callMe('salesforce'),
      demoCalls: options.demoCalls ?? false,
    });
    closers.push(() => salesforce.close());
    const hubspot = await startHubSpotSandbox({
      port: options.ports?.hubspot ?? 0,
      panelUrl: `${relayUrl}/hubspot/`,
      relayUrl,
      clientSecret,
      appId,
      onCallMe: callMe('hubspot'),
      demoCalls: options.demoCalls ?? false,
      webhooks: { url: `${relayUrl}/v1/hubspot/webhooks`, properties: ['hs_call_external_id'] },
    });
    closers.push(() => hubspot.close());
    const page = await startPlainPageSandbox({
      port: options.ports?.page ?? 0,
      panelUrl: `${relayUrl}/page/`,
      onCallMe: callMe('page'),
    });
    closers.push(() => page.close());

    const bearer = generateKeyPairSync('rsa', {
      modulusLength: 2_048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    salesforce.connectedApp.registerConnectedApp(bearer.publicKey);
    const integration = salesforce.users.find((user) => user.email.startsWith('relay@'));

    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'patchcord-stage-'));
    if (options.dataDir === undefined) closers.unshift(async () => rmSync(dataDir, { recursive: true, force: true }));
    const common = {
      sip: {
        domain: telephony.domain,
        servers: [...telephony.servers],
        credential: {
          kind: 'kamailio-ephemeral' as const,
          secret: telephony.credentialSecret,
          ...(options.credentialSeconds === undefined ? {} : { ttlSeconds: options.credentialSeconds }),
        },
        ...(telephony.revocation === undefined ? {} : { revocation: telephony.revocation }),
      },
      ...(telephony.turn === undefined
        ? {}
        : { turn: { urls: [...telephony.turn.urls], secret: telephony.turn.secret } }),
      ...(telephony.features === undefined ? {} : { features: telephony.features }),
      country: 'US',
      countries: ['GB', 'DE'],
      dispositions,
    };
    const agents = (crm: keyof typeof extensions, crmUserId: (agent: (typeof demoAgents)[number]) => string) =>
      demoAgents.map((agent) => ({
        id: agent.key,
        name: `${agent.firstName} ${agent.lastName}`,
        extension: extensionOf(crm, agent.email),
        crmUserId: crmUserId(agent),
        email: agent.email,
      }));
    const config = {
      port: relayPort,
      host: '127.0.0.1',
      publicUrl: relayUrl,
      dataDir,
      adminToken,
      ...(options.databaseUrl === undefined ? {} : { databaseUrl: options.databaseUrl }),
      ...(options.delivery === undefined ? {} : { delivery: options.delivery }),
      logLevel: options.logLevel ?? 'warn',
      tenants: [
        {
          ...common,
          id: 'salesforce-sandbox',
          name: 'Salesforce sandbox',
          hostOrigins: [new URL(salesforce.url).origin],
          crm: {
            kind: 'salesforce',
            loginUrl: salesforce.org.loginUrl,
            clientId: salesforce.connectedApp.clientId,
            actAs: 'agent',
            privateKey: bearer.privateKey,
            username: integration?.username ?? '',
            instanceUrl: salesforce.instanceUrl,
            orgId: salesforce.org.id,
            assertionPublicKey: salesforce.org.signingCertificatePem,
          },
          agents: agents(
            'salesforce',
            (agent) => salesforce.users.find((user) => user.email === agent.email)?.id ?? '',
          ),
          ...options.salesforceTenant,
        },
        {
          ...common,
          id: 'hubspot-sandbox',
          name: 'HubSpot sandbox',
          signIn: { crm: true },
          hostOrigins: [new URL(hubspot.url).origin],
          crm: {
            kind: 'hubspot',
            apiUrl: hubspot.apiUrl,
            uiUrl: new URL(hubspot.url).origin,
            portalId: hubspot.portalId,
            appId,
            clientId: hubspot.oauth.clientId,
            clientSecret: hubspot.oauth.clientSecret,
            refreshToken: hubspot.oauth.refreshToken,
            doNotCallProperty: 'do_not_call',
          },
          // The settings page of the app is worth more with somebody who may change something there.
          agents: agents('hubspot', (agent) => String(agent.hubspotUserId)).map((agent) => ({
            ...agent,
            role: agent.id === 'robin' ? ('admin' as const) : ('agent' as const),
          })),
          ...options.hubspotTenant,
        },
        {
          ...common,
          id: 'page-sandbox',
          name: 'Your own page',
          hostOrigins: [new URL(page.url).origin],
          crm: {
            kind: 'memory',
            records: demoPeople.map((person) => ({
              object: person.kind,
              id: person.key,
              name: `${person.firstName} ${person.lastName}`,
              detail: person.company,
              numbers: person.numbers.map((number) => number.e164),
              ...(person.doNotCall === true ? { doNotCall: true } : {}),
            })),
          },
          agents: agents('page', (agent) => agent.key),
        },
      ],
    } satisfies RelayConfigInput;

    panelBuilt ??= panelForRelay();
    const panel = await panelBuilt;
    let here: Relay | undefined;
    let relay: Pick<Relay, 'close'> | undefined;
    const start = async (): Promise<void> => {
      if (options.runRelay === undefined) here = await startRelay(config, { panel });
      relay = here ?? (await options.runRelay?.(config, { panel }));
    };
    await start();
    closers.push(async () => void (await relay?.close()));
    return {
      relayUrl,
      adminToken,
      salesforce,
      hubspot,
      page,
      relay() {
        if (here === undefined) throw new Error('The relay is stopped, or runs in another place.');
        return here;
      },
      async stopRelay() {
        await relay?.close();
        relay = undefined;
        here = undefined;
      },
      async restartRelay() {
        await relay?.close();
        await start();
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Built once in a process: tests open a stage each, and the sources stay what they are meanwhile. */
let panelBuilt: ReturnType<typeof panelForRelay> | undefined;

function extensionOf(crm: keyof typeof extensions, email: string): string {
  return email.startsWith('sam') ? extensions[crm].sam : extensions[crm].robin;
}

/**
 * A free port below those that systems hand out for outgoing connections: between the look and the relay's start nobody is given it by chance.
 */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = randomInt(10_000, 30_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (free) {
      await new Promise((resolve) => server.close(resolve));
      return port;
    }
  }
  throw new Error('No free port between 10000 and 30000 on 127.0.0.1.');
}
