/**
 * Owns the HubSpot sandbox as one server: the host page, REST, tokens, faults and the contract linter's findings, on one
 * origin. Must never be reachable from another machine: it hands out what a real portal guards.
 */
import { randomUUID } from 'node:crypto';
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
import type { LintFinding } from './call-desk.ts';
import { hostFaults, rateLimited, refusal, restFaults } from './faults.ts';
import { createPortalAuth } from './oauth.ts';
import { createPageServer, type HostMessage } from './page-server.ts';
import { createRateCounter, oauthLimits, type RateLimits } from './rate-limit.ts';
import { type Association, createPortal, type Portal, type PortalRecord } from './records.ts';
import { createRest, type Owner } from './rest.ts';
import { demoOwners, seedPortal } from './seed.ts';

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
}

export interface HubSpotSandbox {
  /**
   * The host page. `?location=remote|widget|window` (remote without it), `?user=<userId>`, `?contact=<id>` or `?company=<id>`,
   * `?usesCallingWindow=true`, `?navigation=full` to load records as HubSpot does: a new page, and the frame with it.
   */
  readonly url: string;
  readonly apiUrl: string;
  readonly portalId: number;
  readonly oauth: {
    readonly clientId: string;
    readonly clientSecret: string;
    readonly refreshToken: string;
    expireTokens(): void;
  };
  readonly owners: readonly Owner[];
  readonly records: {
    readonly contacts: readonly PortalRecord[];
    readonly companies: readonly PortalRecord[];
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
  const rest = createRest({ portal, owners, portalId, appId });
  const pages = await createPageServer({
    portal,
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

  let taken = 0;
  let refused = 0;
  async function api(request: HttpRequest): Promise<HttpReply> {
    const fault = faults.take(restFaults, `${request.method} ${request.path}`);
    const run = (): HttpReply => {
      if (request.path.startsWith('/oauth/')) return auth.handle(request);
      if (!auth.accepts(request))
        return json(401, {
          status: 'error',
          message: 'Authentication credentials not found or expired.',
          correlationId: randomUUID(),
          category: 'INVALID_AUTHENTICATION',
        });
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
      if (/^\/(crm|oauth)\//.test(request.path)) return api(request);
      if (request.path === '/sandbox/faults') return faultsEndpoint(faults, request);
      if (request.path === '/sandbox/requests') return json(200, { requests: log.all() });
      return pages.handle(request);
    },
  });

  return {
    url: `${server.origin}/`,
    apiUrl: server.origin,
    portalId,
    oauth: {
      clientId: auth.clientId,
      clientSecret: options.clientSecret,
      refreshToken: auth.refreshToken,
      expireTokens: auth.expireTokens,
    },
    owners,
    records: {
      get contacts() {
        return portal.all('contacts');
      },
      get companies() {
        return portal.all('companies');
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
    close: server.close,
  };
}
