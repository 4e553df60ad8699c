/**
 * Owns the HubSpot sandbox as one server: the host page, REST, tokens, faults and the contract linter's findings, on one
 * origin. Must never be reachable from another machine: it hands out what a real portal guards.
 */
import {
  createFaults,
  createRequestLog,
  type Faults,
  faultsEndpoint,
  type HttpReply,
  type HttpRequest,
  json,
  jsonBody,
  type RecordedRequest,
  recordable,
  startHttpServer,
  underFault,
} from '../http.ts';
import { type CallMe, type DemoPerson, demoPeople } from '../people.ts';
import { type CallingApp, type CallingSettings, createCallingApp, demoSettings } from './calling-settings.ts';
import { seedCalls } from './demo-calls.ts';
import { hostFaults, rateLimited, refusal, restFaults } from './faults.ts';
import { type HostilePage, startHostilePage } from './hostile-page.ts';
import { inboundCalls } from './inbound-call.ts';
import { createPortalAuth } from './oauth.ts';
import { createPageServer, type HostMessage } from './page-server.ts';
import { createProviders, type Providers } from './providers.ts';
import { createRateCounter, oauthLimits, type RateLimits } from './rate-limit.ts';
import { createRecordings, type Recordings } from './recordings.ts';
import { type Association, createPortal, type Portal, type PortalRecord, Refusal } from './records.ts';
import { createRest, type Owner } from './rest.ts';
import { missingScopes, scopesFor } from './scopes.ts';
import { demoOwners, seedPortal } from './seed.ts';
import { createTranscripts, type Transcripts } from './transcripts.ts';
import { createWebhooks, type WebhookOptions, type Webhooks } from './webhooks.ts';
import type { LintFinding } from './wire-lint.ts';

export interface HubSpotSandboxOptions {
  readonly port?: number;
  readonly host?: string;
  /** The panel's page for this CRM, e.g. `http://localhost:8080/hubspot/`. */
  readonly panelUrl: string;
  /** Where a card's signed requests go, e.g. `http://localhost:8080`. */
  readonly relayUrl: string;
  readonly clientSecret: string;
  readonly appId: number | string;
  readonly people?: readonly DemoPerson[];
  readonly onCallMe?: CallMe;
  /** Defaults to what an OAuth app is granted. */
  readonly rateLimits?: RateLimits;
  /** How long a search misses what was just written, in milliseconds. Default 3000. */
  readonly searchDelayMs?: number;
  /** How long the engagement of `inbound-call` takes to appear, in milliseconds. Default 200. */
  readonly inboundDelayMs?: number;
  /** What differs from the app's usual calling settings; null: its developer has not made any yet. */
  readonly calling?: Partial<CallingSettings> | null;
  /** Where the app takes webhooks; without it there are none. */
  readonly webhooks?: WebhookOptions;
  /** A past for the timelines, for a person to look at. Default none. */
  readonly demoCalls?: boolean;
}

export interface HubSpotSandbox {
  /**
   * The host page: the first contact's record. Which frames there are is in the calling settings. `?user=<userId>`, `?contact=`, `?company=`,
   * `?deal=` or `?ticket=<id>`; for a test that needs one frame whatever the settings: `?location=remote|widget|window`,
   * `?usesCallingWindow=true|false`; `?navigation=full|inplace`: whether a record is a new page, and the frame with it (full without it).
   */
  readonly url: string;
  /** HubSpot's detached calling window. */
  readonly windowUrl: string;
  readonly apiUrl: string;
  readonly portalId: number;
  readonly oauth: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly refreshToken: string;
    expireTokens(): void;
    /** What the installed app may do from its next token on. */
    grant(scopes: readonly string[]): void;
    uninstall(): void;
  };
  readonly owners: readonly Owner[];
  readonly records: {
    readonly contacts: readonly PortalRecord[];
    readonly companies: readonly PortalRecord[];
    readonly deals: readonly PortalRecord[];
    readonly tickets: readonly PortalRecord[];
    readonly calls: readonly PortalRecord[];
    readonly associations: readonly Association[];
  };
  /** The store itself. */
  readonly portal: Portal;
  readonly faults: Faults;
  /** REST and token requests, oldest first, without headers. */
  requests(): readonly RecordedRequest[];
  /** Requests that the rate limits let in, and those they refused, since the start. */
  counts(): { readonly taken: number; readonly refused: number };
  /** What the panel said on the host wire, from every open page. */
  hostMessages(): readonly HostMessage[];
  /** What the panel did that HubSpot's contract does not allow. */
  lint(): readonly LintFinding[];
  /** Engagements that HubSpot's page made and nobody brought to an end: their frame is gone and their status says that they go on. */
  ghosts(): readonly string[];
  /** The app's calling settings and its developer's keys. */
  readonly calling: CallingApp;
  readonly providers: Providers;
  readonly recordings: Recordings;
  readonly transcripts: Transcripts;
  readonly webhooks: Webhooks;
  /** A page of another origin that embeds the panel and plays HubSpot; started at the first use. */
  hostilePage(): Promise<HostilePage>;
  close(): Promise<void>;
}

const portalId = 24_500_123;

export async function startHubSpotSandbox(options: HubSpotSandboxOptions): Promise<HubSpotSandbox> {
  const owners = demoOwners;
  const owner = owners[0];
  if (!owner) throw new Error('The sandbox portal has no owner.');
  const appId = Number(options.appId);
  const portal = createPortal({
    ownerIds: new Set(owners.map((one) => one.id)),
    searchDelayMs: options.searchDelayMs ?? 3000,
  });
  seedPortal(portal, options.people ?? demoPeople, owner.id);
  const auth = createPortalAuth({ clientSecret: options.clientSecret, appId, portalId, users: owners });
  const faults = createFaults([...restFaults, ...hostFaults]);
  const log = createRequestLog();
  const rate = createRateCounter(options.rateLimits ?? oauthLimits);
  const settings = options.calling === null ? null : demoSettings(options.panelUrl, options.calling);
  const calling = createCallingApp({ appId, settings });
  const providers = createProviders(owners, { id: appId, name: 'Patchcord' });
  let touch = (): void => {};
  const transcripts = createTranscripts(portal, () => touch());
  const { clientSecret } = options;
  const { recordingUrl } = calling;
  const recordings = createRecordings({ portal, appId, clientSecret, recordingUrl, onChange: () => touch() });
  const inbound = inboundCalls({ portal, owners, portalId, appId, delayMs: options.inboundDelayMs ?? 200 });
  const rest = createRest({ portal, owners, calling, providers, recordings, transcripts, inbound });
  if (options.demoCalls) seedCalls({ portal, owners, transcripts, appId });
  const webhooks = createWebhooks({ portal, portalId, appId, clientSecret }, options.webhooks);
  const pages = await createPageServer({
    portal,
    calling,
    providers,
    recordings,
    transcripts,
    owners,
    portalId,
    appId,
    faults,
    panelUrl: options.panelUrl,
    relayUrl: options.relayUrl,
    clientSecret: options.clientSecret,
    people: options.people ?? demoPeople,
    onCallMe: options.onCallMe ?? (async () => {}),
  });

  touch = pages.touch;

  let taken = 0;
  let refused = 0;
  /** The developer's own calls, and those of an installed app with a scope for them. */
  function stranger(request: HttpRequest): Refusal | null {
    if (/\/extensions\/calling\/.*\/settings(\/|$)/.test(request.path)) return calling.refuses(request);
    const granted = auth.accepts(request);
    const needed = scopesFor(request);
    if (granted === undefined)
      return new Refusal(401, 'Authentication credentials not found or expired.', 'INVALID_AUTHENTICATION');
    return needed.length === 0 || needed.some((scope) => granted.includes(scope)) ? null : missingScopes(needed);
  }
  async function api(request: HttpRequest): Promise<HttpReply> {
    const fault = faults.take(restFaults, `${request.method} ${request.path}`);
    const run = (): HttpReply => {
      if (request.path.startsWith('/oauth/')) return auth.handle(request);
      const refusal = stranger(request);
      if (refusal) return json(refusal.status, refusal.body());
      const isSearch = request.path.endsWith('/search');
      const policy = rate.count(isSearch);
      if (policy) {
        refused += 1;
        return rateLimited(policy);
      }
      taken += 1;
      const result = rest({
        method: request.method,
        path: request.path,
        query: request.query,
        body: jsonBody(request),
        size: request.raw.length,
      });
      const headers = isSearch ? {} : rate.headers();
      return result.body === undefined ? { status: result.status, headers } : json(result.status, result.body, headers);
    };
    const reply = await underFault(fault, refusal, run);
    log.add({
      at: Date.now(),
      method: request.method,
      path: request.path,
      query: Object.fromEntries(request.query),
      body: recordable(request),
      status: 'status' in reply ? reply.status : 0,
      ...(fault ? { fault: fault.fault } : {}),
    });
    return reply;
  }

  const server = await startHttpServer({
    port: options.port ?? 0,
    host: options.host ?? 'localhost',
    handle: (request) => {
      if (/^\/(crm|oauth|calling\/v1)\//.test(request.path)) return api(request);
      if (request.path === '/sandbox/faults') return faultsEndpoint(faults, request);
      if (request.path === '/sandbox/requests') return json(200, { requests: log.all() });
      return pages.handle(request);
    },
  });

  let hostile: Promise<HostilePage> | undefined;
  return {
    url: `${server.origin}/`,
    windowUrl: `${server.origin}/calling-integration-popup-ui/${portalId}`,
    apiUrl: server.origin,
    portalId,
    oauth: {
      clientId: auth.clientId,
      clientSecret: options.clientSecret,
      refreshToken: auth.refreshToken,
      expireTokens: auth.expireTokens,
      grant: auth.grant,
      uninstall: auth.uninstall,
    },
    owners,
    records: {
      get contacts() {
        return portal.all('contacts');
      },
      get companies() {
        return portal.all('companies');
      },
      get deals() {
        return portal.all('deals');
      },
      get tickets() {
        return portal.all('tickets');
      },
      get calls() {
        return portal.all('calls');
      },
      get associations() {
        return portal.associations();
      },
    },
    portal,
    faults,
    requests: log.all,
    counts: () => ({ taken, refused }),
    hostMessages: pages.messages,
    lint: pages.lint,
    ghosts: pages.ghosts,
    calling,
    providers,
    recordings,
    transcripts,
    webhooks,
    hostilePage() {
      hostile ??= startHostilePage(options.panelUrl);
      return hostile;
    },
    async close() {
      inbound.stop();
      webhooks.stop();
      await (await hostile)?.close();
      await server.close();
    },
  };
}
