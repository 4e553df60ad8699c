/**
 * The relay's door: starts one from a configuration, in this process. Owns putting the parts together and taking them apart in the right order;
 * `main.ts` is the command line around it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentId, type AgentRole, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { type CrmRelay, toE164 } from '@patchcord/crm-adapters/relay';
import { Phrases } from './after-call/phrases.ts';
import { Alerts } from './alerts.ts';
import { createApp } from './app.ts';
import { Audit } from './audit.ts';
import { Brakes } from './brakes/brakes.ts';
import { rulesOf } from './brakes/rules.ts';
import { EventRecorder } from './call-log/record-events.ts';
import { RecordKeys } from './call-log/record-keys.ts';
import { finishSilentCalls } from './call-log/sweep.ts';
import { checkConfig, type RelayConfig, type RelayConfigInput, type TenantConfig } from './config.ts';
import { reconcileIssuers, revokeAgent } from './credentials/revoke.ts';
import { connectCrm } from './crm.ts';
import { CrmNotices } from './crm-notices.ts';
import { CrmTokens } from './crm-tokens.ts';
import { CrmLimits } from './delivery/crm-limits.ts';
import { Delivery } from './delivery/delivery.ts';
import { clientAddress } from './http/client-address.ts';
import type { RelayParts } from './http/parts.ts';
import { longestRequestMs } from './http/patience.ts';
import { type RouteAddress, routesOf } from './http/routes.ts';
import { watchSilentSockets } from './http/silent-sockets.ts';
import { PairingCodes } from './identity/pairing-codes.ts';
import { Possessions } from './identity/possession.ts';
import { ProofLedger } from './identity/proof-ledger.ts';
import { Proofs } from './identity/proofs.ts';
import { Sessions } from './identity/sessions.ts';
import { SignIns } from './identity/sign-ins.ts';
import { ClockWatch } from './keeping/clock-watch.ts';
import { Retention } from './keeping/retention.ts';
import { Limits } from './limits.ts';
import { LeftCalls } from './line-lease/left-calls.ts';
import { LineLeases } from './line-lease/line-leases.ts';
import { startLive } from './live/live.ts';
import { OpenPhones } from './live/open-phones.ts';
import { createLiveDoor, type LiveSocketParts } from './live/socket.ts';
import { openSocketDoors } from './live/socket-doors.ts';
import { createTranscripts, type TranscriptDoor } from './live/transcripts.ts';
import { createLog, type Log } from './logging.ts';
import { createMetrics } from './metrics.ts';
import { type OutboxWatch, observedCrm, observedRecorder, observedStore } from './observed.ts';
import { loadPanel, type PanelSource } from './panel-assets.ts';
import { Assembly } from './recordings/assembly.ts';
import { recordingPlace, voicemailPlace } from './recordings/places.ts';
import { Recordings } from './recordings/recordings.ts';
import { Recoveries } from './recoveries.ts';
import { CallSounds } from './sound/call-sounds.ts';
import { createSoundDoor } from './sound/socket.ts';
import { createSoundMetrics } from './sound/sound-metrics.ts';
import { createChannel } from './speech/channel.ts';
import { openSpeechService } from './speech/services.ts';
import type { SpeechToText } from './speech/speech-to-text.ts';
import { Started } from './started.ts';
import { openStore } from './store/open.ts';
import { Tenants } from './tenants.ts';
import { forgetLooseLines } from './transcripts/kept.ts';
import { encryptionKeys, Vault } from './vault.ts';
import { createMessageWork } from './voicemails/message-work.ts';
import { Voicemails } from './voicemails/voicemails.ts';
import type { CallerDirectory } from './who-is/caller-directory.ts';
import { Choices } from './who-is/choices.ts';
import { directoryOf } from './who-is/directory-of.ts';
import { MatchesInTime } from './who-is/matches-in-time.ts';
import { usualPatienceMs } from './who-is/may-call.ts';
import { NumberHashes } from './who-is/number-hash.ts';
import { WhoIs } from './who-is/who-is.ts';

export { checkConfig, loadConfig, type RelayConfig, type RelayConfigInput, type TenantConfig } from './config.ts';
export type { PanelSource } from './panel-assets.ts';

/** What a test or the sandbox may bring; everything has a default. */
export interface RelayDependencies {
  /** The built panel for `/salesforce/`, `/hubspot/` and `/page/`; without it these pages say that it is not built. */
  readonly panel?: PanelSource;
  readonly connectCrm?: (tenant: TenantConfig) => CrmRelay;
  /** The company directory of a tenant; null: it has none. */
  readonly openDirectory?: (tenant: TenantConfig) => CallerDirectory | null;
  /** The speech service of a tenant that has its calls transcribed. */
  readonly openSpeech?: (tenant: TenantConfig) => SpeechToText;
  readonly log?: Log;
  /** Epoch ms. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly liveTiming?: LiveSocketParts['timing'];
  /** How long an agent who pressed "call" waits for the verdict on the number, ms. */
  readonly mayCallWithinMs?: number;
  /** How often silent calls, expired rows and denials are seen to. */
  readonly housekeepingMs?: number;
}

export interface Relay {
  /** What browsers call it: `publicUrl`, or where it listens. No trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Every HTTP route it serves: what a check of access walks. */
  readonly routes: readonly RouteAddress[];
  /** For whoever transcribes calls: tells the agent's frames and supervisors a line. A final one is kept where the customer's "transcripts.keep" says so. */
  readonly transcript: TranscriptDoor;
  /** A pairing code for an agent, as `POST /v1/admin/pairing-codes` gives it. */
  createPairingCode(tenant: string, agent: string): Promise<{ readonly code: string; readonly expiresAt: number }>;
  /** Finishes calls whose phones are gone, or fell silent 12 hours ago; the relay does it by itself every minute. Returns how many. */
  sweep(): Promise<number>;
  /** Tells the SIP edges again of revocations that still matter; the relay does it by itself every minute. */
  remindEdges(): Promise<number>;
  /** Stops taking work, finishes what is under way (at most 10 s), closes sockets and store. */
  close(): Promise<void>;
}

/** @throws Error for a tenant that has none; nobody asks for it */
function speechServiceOf({ transcription }: TenantConfig): SpeechToText {
  if (transcription === undefined) throw new Error('This tenant names no speech service.');
  return openSpeechService(transcription.service);
}

const housekeepingMs = 60_000;
const drainMs = 10_000;

/**
 * Starts a relay. A start that fails leaves nothing running.
 * @throws PatchcordError `config.invalid` (with every problem), `store.unavailable`, `internal` (the port cannot be had)
 */
export async function startRelay(input: RelayConfigInput, dependencies: RelayDependencies = {}): Promise<Relay> {
  const config = checkConfig(input);
  // Read now: a file of rates that can't be read is told before anything runs, not at the first call.
  for (const tenant of config.tenants) rulesOf(tenant);
  const log = dependencies.log ?? createLog(config.logLevel);
  const started = new Started(log);
  try {
    return await assemble(config, dependencies, log, started);
  } catch (error) {
    await started.stop();
    throw error;
  }
}

async function assemble(
  config: RelayConfig,
  dependencies: RelayDependencies,
  log: Log,
  started: Started,
): Promise<Relay> {
  const now = dependencies.now ?? Date.now;
  const panel = dependencies.panel === undefined ? null : await loadPanel(dependencies.panel);
  const metrics = createMetrics();
  const outboxWatch: OutboxWatch = { lastLookAt: null };
  const opened = await openStore(
    config.databaseUrl === undefined
      ? { kind: 'sqlite', folder: config.dataDir }
      : { kind: 'postgres', url: config.databaseUrl },
  );
  started.with('store', () => opened.close());
  const liveView = await startLive({
    store: observedStore(opened, metrics, outboxWatch, now),
    redisUrl: config.redisUrl,
    registry: metrics.registry,
    log,
    now,
  });
  started.with('live view', () => liveView.close());
  const { store, hub } = liveView;

  const server = createServer({ maxHeaderSize: 16_384 });
  let listensAt = '';
  const address = (): string => {
    // A server that stops listening has no address any more, and still answers those who are connected.
    const port = (server.address() as AddressInfo | null)?.port;
    if (port !== undefined)
      listensAt = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
    return listensAt;
  };
  const publicUrl = (): string => (config.publicUrl === undefined ? address() : new URL(config.publicUrl).origin);
  /** Without a public URL this is a laptop, and people type either name of it. */
  const origins = (): readonly string[] =>
    config.publicUrl === undefined ? [address(), address().replace('127.0.0.1', 'localhost')] : [publicUrl()];

  const crmLimits = new CrmLimits(now);
  const notices = new CrmNotices({ raise: (alert) => alerts.raise(alert), log });
  const connect =
    dependencies.connectCrm ??
    ((tenant: TenantConfig) =>
      connectCrm(
        tenant,
        crmLimits.gateOf(tenant),
        crmTokens,
        (text) => notices.take(tenant.id as TenantId, text),
        // Where it listens is no address for a CRM's records, and not known yet.
        config.publicUrl === undefined ? undefined : `${publicUrl()}/t/${tenant.id}/page/#recording=`,
      ));
  const vault = new Vault(store.vault, () => encryptionKeys(config), now);
  const crmTokens = new CrmTokens(vault, now);
  const tenants = new Tenants(config.tenants, (tenant) => observedCrm(connect(tenant), tenant.id, metrics));
  const hashes = new NumberHashes(vault);
  const choices = new Choices({ store: store.choices, hashes, log });
  const whoIs = new WhoIs({
    choices,
    log,
    now,
    openDirectory: dependencies.openDirectory ?? ((tenant) => directoryOf(tenant, now)),
  });
  started.with('directories', () => whoIs.close());
  const audit = new Audit(store.audit, log);
  const limits = new Limits();
  const ledger = new ProofLedger(store.identity);
  const possessions = new Possessions({ origins, ledger, now });
  const roleOf = (tenant: TenantId, agent: AgentId): AgentRole => tenants.agent(tenant, agent)?.agent.role ?? 'agent';
  const signIns = new SignIns({ tenants, store: store.identity, vault, crmTokens, publicUrl, now });
  const sessions = new Sessions({ store: store.identity, possessions, roleOf, now });
  const codes = new PairingCodes(store.identity, now);
  const proofs = new Proofs({ tenants, codes, store: store.identity, ledger, audience: publicUrl, now });
  const recoveries = new Recoveries({ store: store.recoveries, metrics, log });
  const recorder = observedRecorder(
    new EventRecorder({
      store: store.calls,
      tenants,
      metrics,
      now,
      effectsWait: () => delivery.wake(),
      told: ({ log: call, before, fresh }) => {
        const { tenant, agent, farSide } = call;
        void recoveries.take(tenant, before, fresh);
        const config = tenants.find(tenant)?.config;
        const number = farSide.e164 ?? toE164(farSide.number, config?.country ?? 'US');
        if (number !== null && config !== undefined)
          void choices.take({ id: tenant, crm: config.crm.kind }, agent, number, before, fresh);
      },
      committed: (logs) => {
        for (const call of logs) void brakes.hearLog(call);
      },
    }),
  );
  const recordings = new Recordings({
    store,
    tenants,
    recorder,
    vault,
    settings: config.recordings,
    place: recordingPlace(config),
    log,
    now,
  });
  const assembly = new Assembly({
    store,
    recordings,
    audit,
    count: (result) => metrics.recordings.inc({ result }),
    log,
    now,
  });
  const voicemails = new Voicemails({
    store,
    tenants,
    hub,
    vault,
    settings: config.voicemails,
    place: voicemailPlace(config),
    effectsWait: () => delivery.wake(),
    log,
    now,
  });
  const messages = createMessageWork({ store, tenants, recorder, voicemails, now });
  const delivery = new Delivery({
    store,
    tenants,
    recorder,
    hub,
    metrics,
    log,
    settings: config.delivery,
    limits: crmLimits,
    raise: (alert) => alerts.raise(alert),
    messages,
    now,
    random: dependencies.random ?? Math.random,
  });
  const alerts = new Alerts({ tenants, store, hub, metrics, log, now, effectsWait: () => delivery.wake() });
  const brakes = new Brakes({
    tenants,
    store,
    alerts,
    audit,
    metrics,
    log,
    now,
    revoke: async (tenant, agent, reason) => {
      await revokeAgent(parts, tenant, agent, reason);
    },
  });
  let closing: Promise<void> | null = null;
  const parts: RelayParts = {
    config,
    publicUrl,
    origins,
    store,
    tenants,
    whoIs,
    audit,
    possessions,
    signIns,
    sessions,
    codes,
    proofs,
    hub,
    streams: liveView.streams,
    live: liveView.metrics,
    recorder,
    recordings,
    assembly,
    voicemails,
    recoveries,
    matchesInTime: new MatchesInTime({ whoIs, log, now }),
    hashes,
    mayCallWithinMs: dependencies.mayCallWithinMs ?? usualPatienceMs,
    vault,
    delivery,
    alerts,
    brakes,
    limits,
    metrics,
    log,
    now,
    closing: () => closing !== null,
    outboxWatch,
    troubles: () => [...liveView.troubles(), ...recordings.troubles(), ...voicemails.troubles()],
  };

  const app = createApp(parts, panel);
  server.on('request', app);
  const closeSilent = watchSilentSockets(server);
  // Every wait of the server ends by itself.
  server.headersTimeout = 15_000;
  // Of a recording; `bodyInTime` waits much less for everything else.
  server.requestTimeout = longestRequestMs;
  server.keepAliveTimeout = 65_000;
  server.timeout = 120_000;
  server.maxRequestsPerSocket = 10_000;
  const trusts = app.get('trust proxy fn') as (address: string, hops: number) => boolean;
  const openPhones = new OpenPhones({ store: store.openPhones, relay: delivery.relay, log, now });
  const lines = new LineLeases({
    store: store.lineLeases,
    vault,
    backplane: liveView.backplane,
    metrics,
    log,
    now,
  });
  hub.onEnded((tenant, agent, device, at) => void lines.end(tenant, agent, device, at));
  const phrases = new Phrases({ tenants, hub, recorder, log, now });
  const transcript = createTranscripts({
    tenants,
    hub,
    heard: (...line) => phrases.hear(...line),
    outbox: store.outbox,
    kept: store.transcripts,
    effectsWait: () => delivery.wake(),
    log,
    now,
  });
  const sounds = new CallSounds({
    tenants,
    store,
    transcripts: transcript,
    recordings: recordings.unfinished,
    recorded: (tenant, callId) => assembly.over(tenant, callId),
    openService: dependencies.openSpeech ?? speechServiceOf,
    createChannel,
    metrics: createSoundMetrics(metrics.registry),
    log,
    now,
    random: dependencies.random ?? Math.random,
  });
  const signed = {
    tenants,
    sessions,
    metrics,
    hub,
    log,
    now,
    ...(dependencies.liveTiming === undefined ? {} : { timing: dependencies.liveTiming }),
  };
  const sockets = openSocketDoors(
    server,
    { limits, metrics, log, origins, addressOf: (request) => clientAddress(request, trusts) },
    [createLiveDoor({ ...signed, openPhones, lines, recorder, limits }), createSoundDoor({ ...signed, sounds })],
  );

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.port, config.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new PatchcordError(
      'internal',
      `The relay cannot listen on ${config.host}, port ${config.port}: ${(cause as { code?: string }).code ?? 'unknown reason'}. Free it or set PORT and HOST.`,
      { cause },
    );
  }
  started.with('server', () => {
    sockets.terminate();
    server.close();
    server.closeAllConnections();
  });
  started.with('delivery', () => delivery.stop(1_000));
  delivery.start();
  started.with('sound', () => sounds.stop(1_000));
  sounds.start();
  started.with('assembly', () => assembly.stop());
  assembly.start();
  started.with('open phones', () => openPhones.stop());
  openPhones.start();
  started.with('lines', () => lines.stop());
  lines.start();
  const leftCalls = new LeftCalls({ store, tenants, recorder, lines, phones: openPhones, metrics, log, now });
  started.with('left calls', () => leftCalls.stop());
  leftCalls.start();
  started.with('brakes', () => brakes.stop());
  brakes.start();
  await audit.noteConfiguration(config.tenants, now());

  const clock = new ClockWatch(now);
  const retention = new Retention({
    store,
    tenants,
    hashes,
    settings: config.retention,
    log,
    now: () => clock.passed(),
    stopping: () => closing !== null,
  });
  const recordKeys = new RecordKeys({ store: store.calls, now: clock.passed(), stopping: () => closing !== null });
  const sweep = async (): Promise<number> => {
    // What is concluded is concluded from this moment's phones.
    await openPhones.tell();
    const left = await leftCalls.look();
    const silent = { store: store.calls, recorder, log, now, goneBefore: openPhones.goneBefore() };
    return left + (await finishSilentCalls(silent));
  };
  const remindEdges = (): Promise<number> => reconcileIssuers({ tenants, store, log, now, metrics });
  /** One job that fails must not cost the others their turn. */
  const keepHouse = async (): Promise<void> => {
    const jobs = {
      retention: () => retention.run(),
      recordings: () => recordings.keepHouse(clock.passed()),
      voicemails: () => voicemails.keepHouse(clock.passed()),
      transcripts: () => forgetLooseLines({ store }, config.retention.callDays, clock.passed()),
      'silent calls': sweep,
      'what has expired': () => store.forgetExpired(clock.passed()),
      denials: remindEdges,
      audit: () => audit.flush(),
      'calls of records': () => recordKeys.run(clock.passed()),
    };
    for (const [job, run] of Object.entries(jobs)) {
      if (closing !== null) return;
      try {
        await run();
      } catch (error) {
        log.error({ err: error, job }, 'housekeeping failed');
      }
    }
  };
  let clockOwedMs = 0;
  const clockLook = setInterval(() => {
    const backMs = clockOwedMs + clock.look();
    clockOwedMs = 0;
    if (backMs === 0) return;
    log.warn({ backMs }, 'the clock was set back: what waits for a time is brought forward');
    store.keeping.setBackClock(now(), backMs).then(
      () => delivery.clockSetBack(),
      (error: unknown) => {
        clockOwedMs += backMs;
        log.error({ err: error }, 'the outbox could not be set back with the clock yet');
      },
    );
  }, 1_000);
  clockLook.unref();
  // The PBX may have been restarted while nobody was here to put back what it forgot.
  let keepingHouse: Promise<void> | null = remindEdges()
    .catch((error: unknown) => {
      log.error({ err: error }, 'the PBXs could not be brought up to date');
      return 0;
    })
    .then(() => {
      keepingHouse = null;
    });
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
    // `/readyz` says so from here on; a balancer gets the time it was promised to look, and still finds us answering.
    if (config.drainNoticeMs > 0) await new Promise((resolve) => setTimeout(resolve, config.drainNoticeMs));
    clearInterval(housekeeping);
    clearInterval(clockLook);
    lines.stop();
    void leftCalls.stop();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    // Connections of requests that are under way close when these are answered.
    const closeIdle = setInterval(() => {
      server.closeIdleConnections();
      closeSilent();
    }, 50);
    liveView.streams.endAll();
    messages.stop();
    // What was taken is finished and acknowledged before the store goes.
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, drainMs).unref());
    // A PBX that does not answer, or a long cleaning, is not waited for beyond that: both begin again where they were.
    await Promise.all([
      sockets.close(drainMs),
      delivery.stop(drainMs),
      Promise.race([Promise.all([brakes.stop(), keepingHouse]), deadline]),
    ]);
    sockets.terminate();
    await transcript.close();
    await phrases.stop();
    await Promise.race([assembly.stop(), deadline]);
    await Promise.race([closed, deadline]);
    clearInterval(closeIdle);
    server.closeAllConnections();
    await closed;
    await openPhones.stop();
    await leftCalls.stop();
    await liveView.close();
    await audit.flush();
    await whoIs.close();
    await store.close();
    log.info('relay stopped');
  };

  return {
    url,
    port,
    transcript,
    routes: routesOf(app),
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
