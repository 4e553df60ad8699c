/**
 * The relay's door: starts one from a configuration, in this process. Owns putting the parts together and taking them apart in the right order;
 * `main.ts` is the command line around it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import { createApp } from './app.ts';
import { EventRecorder } from './call-log/record-events.ts';
import { finishSilentCalls } from './call-log/sweep.ts';
import { checkConfig, type RelayConfigInput, type TenantConfig } from './config.ts';
import { repeatDenials } from './credentials/revoke.ts';
import { connectCrm } from './crm.ts';
import { Delivery } from './delivery/delivery.ts';
import { clientAddress } from './http/client-address.ts';
import type { RelayParts } from './http/parts.ts';
import { PairingCodes } from './identity/pairing-codes.ts';
import { Proofs } from './identity/proofs.ts';
import { Sessions } from './identity/sessions.ts';
import { Limits } from './limits.ts';
import { LiveHub } from './live/hub.ts';
import { attachLiveSocket, type LiveSocketParts } from './live/socket.ts';
import { createLog, type Log } from './logging.ts';
import { createMetrics } from './metrics.ts';
import { loadPanel, type PanelSource } from './panel-assets.ts';
import { openStore } from './store/open.ts';
import { Tenants } from './tenants.ts';

export { checkConfig, loadConfig, type RelayConfig, type RelayConfigInput, type TenantConfig } from './config.ts';
export type { PanelSource } from './panel-assets.ts';

/** What a test or the sandbox may bring; everything has a default. */
export interface RelayDependencies {
  /** The built panel for `/salesforce/`, `/hubspot/` and `/page/`; without it these pages say that it is not built. */
  readonly panel?: PanelSource;
  readonly connectCrm?: (tenant: TenantConfig) => CrmRelay;
  readonly log?: Log;
  /** Epoch ms. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly liveTiming?: LiveSocketParts['timing'];
  /** How often silent calls, expired rows and denials are seen to. */
  readonly housekeepingMs?: number;
}

export interface Relay {
  /** What browsers call it: `publicUrl`, or where it listens. No trailing slash. */
  readonly url: string;
  readonly port: number;
  /** A pairing code for an agent, as `POST /v1/admin/pairing-codes` gives it. */
  createPairingCode(tenant: string, agent: string): Promise<{ readonly code: string; readonly expiresAt: number }>;
  /** Finishes calls whose phones fell silent 12 hours ago; the relay does it by itself every minute. Returns how many. */
  sweep(): Promise<number>;
  /** Tells the SIP edges again of revocations that still matter; the relay does it by itself every minute. */
  remindEdges(): Promise<number>;
  /** Stops taking work, finishes what is under way (at most 10 s), closes sockets and store. */
  close(): Promise<void>;
}

const housekeepingMs = 60_000;
const drainMs = 10_000;

/**
 * Starts a relay.
 * @throws PatchcordError `config.invalid` (with every problem), `store.unavailable`, `internal` (the port cannot be had)
 */
export async function startRelay(input: RelayConfigInput, dependencies: RelayDependencies = {}): Promise<Relay> {
  const config = checkConfig(input);
  const now = dependencies.now ?? Date.now;
  const log = dependencies.log ?? createLog(config.logLevel);
  const panel = dependencies.panel === undefined ? null : await loadPanel(dependencies.panel);
  const store = await openStore(
    config.databaseUrl === undefined
      ? { kind: 'sqlite', folder: config.dataDir }
      : { kind: 'postgres', url: config.databaseUrl },
  );

  const server = createServer();
  const address = (): string => {
    const { port } = server.address() as AddressInfo;
    return `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  };
  const publicUrl = (): string => (config.publicUrl === undefined ? address() : new URL(config.publicUrl).origin);
  /** Without a public URL this is a laptop, and people type either name of it. */
  const origins = (): readonly string[] =>
    config.publicUrl === undefined ? [address(), address().replace('127.0.0.1', 'localhost')] : [publicUrl()];

  const tenants = new Tenants(config.tenants, dependencies.connectCrm ?? connectCrm);
  const metrics = createMetrics();
  const limits = new Limits();
  const hub = new LiveHub();
  const sessions = new Sessions(store.identity, now);
  const codes = new PairingCodes(store.identity, now);
  const proofs = new Proofs({ tenants, codes, store: store.identity, audience: publicUrl, now });
  const recorder = new EventRecorder({
    store: store.calls,
    tenants,
    metrics,
    now,
    effectsWait: () => delivery.wake(),
  });
  const delivery = new Delivery({
    store,
    tenants,
    recorder,
    hub,
    metrics,
    log,
    settings: config.delivery,
    now,
    random: dependencies.random ?? Math.random,
  });
  let closing: Promise<void> | null = null;
  const parts: RelayParts = {
    config,
    publicUrl,
    store,
    tenants,
    sessions,
    codes,
    proofs,
    hub,
    delivery,
    limits,
    metrics,
    log,
    now,
    closing: () => closing !== null,
  };

  const app = createApp(parts, panel);
  server.on('request', app);
  // Every wait of the server ends by itself.
  server.headersTimeout = 15_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 65_000;
  server.timeout = 120_000;
  server.maxRequestsPerSocket = 10_000;
  const trusts = app.get('trust proxy fn') as (address: string, hops: number) => boolean;
  const live = attachLiveSocket(server, {
    tenants,
    sessions,
    recorder,
    hub,
    limits,
    metrics,
    log,
    now,
    origins,
    addressOf: (request) => clientAddress(request, trusts),
    ...(dependencies.liveTiming === undefined ? {} : { timing: dependencies.liveTiming }),
  });

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.port, config.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    await store.close();
    throw new PatchcordError(
      'internal',
      `The relay cannot listen on ${config.host}, port ${config.port}: ${(cause as { code?: string }).code ?? 'unknown reason'}. Free it or set PORT and HOST.`,
      { cause },
    );
  }
  delivery.start();

  const sweep = (): Promise<number> => finishSilentCalls({ store: store.calls, recorder, log, now });
  const remindEdges = (): Promise<number> => repeatDenials({ tenants, store, log }, now());
  /** One job that fails must not cost the others their turn. */
  const keepHouse = async (): Promise<void> => {
    const jobs = { 'silent calls': sweep, 'what has expired': () => store.forgetExpired(now()), denials: remindEdges };
    for (const [job, run] of Object.entries(jobs)) {
      try {
        await run();
      } catch (error) {
        log.error({ err: error, job }, 'housekeeping failed');
      }
    }
  };
  let keepingHouse: Promise<void> | null = null;
  const housekeeping = setInterval(() => {
    keepingHouse ??= keepHouse().finally(() => {
      keepingHouse = null;
    });
  }, dependencies.housekeepingMs ?? housekeepingMs);
  housekeeping.unref();

  const url = publicUrl();
  const { port } = server.address() as AddressInfo;
  log.info(
    { url, tenants: config.tenants.length, store: config.databaseUrl === undefined ? 'sqlite' : 'postgres' },
    'relay started',
  );

  const close = async (): Promise<void> => {
    clearInterval(housekeeping);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // What was taken is finished and acknowledged before the store goes.
    await Promise.all([live.close(drainMs), delivery.stop(drainMs)]);
    await keepingHouse;
    live.terminate();
    server.closeAllConnections();
    await closed;
    await store.close();
    log.info('relay stopped');
  };

  return {
    url,
    port,
    createPairingCode: (tenant, agent) => {
      tenants.knownAgent(tenant, agent);
      return codes.create(tenant as TenantId, agent as AgentId);
    },
    sweep,
    remindEdges,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
