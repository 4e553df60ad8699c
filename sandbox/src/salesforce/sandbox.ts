/**
 * Owns the Salesforce sandbox as one server: the host page, the org's Open CTI script, REST, tokens and faults, on one origin.
 * Must never be reachable from another machine: it hands out what a real org guards.
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
  objectBody,
  type RecordedRequest,
  recordable,
  startHttpServer,
  underFault,
} from '../http.ts';
import { createOpenIdEndpoints } from '../oidc/provider.ts';
import { type CallMe, type DemoPerson, demoPeople } from '../people.ts';
import { hostFaults, refusal, restFaults } from './faults.ts';
import { createOrgAuth, type Org, type SalesforceUser } from './oauth.ts';
import { createPageServer, type HostMessage } from './page-server.ts';
import { createRecords, eighteen, type Records, type Row } from './records.ts';
import { createRest } from './rest.ts';
import { seedOrg, seedUsers } from './seed.ts';

export interface SalesforceSandboxOptions {
  readonly port?: number;
  readonly host?: string;
  /** The panel's page for this CRM, e.g. `http://localhost:8080/salesforce/`. */
  readonly panelUrl: string;
  readonly people?: readonly DemoPerson[];
  readonly onCallMe?: CallMe;
  /** API calls in 24 hours; beyond them everything is refused. Default 15,000. */
  readonly dailyLimit?: number;
}

/** The objects worth looking at from a test, read at the moment they are asked for. */
export interface RecordTables {
  readonly Contact: readonly Row[];
  readonly Lead: readonly Row[];
  readonly Account: readonly Row[];
  readonly Task: readonly Row[];
  readonly Patchcord_Call__c: readonly Row[];
  readonly User: readonly Row[];
}

export interface SalesforceSandbox {
  /** The host page. `?user=<username>` chooses whose page it is, `?record=<id>` the record shown. */
  readonly url: string;
  /** REST and `/services/oauth2/token`. */
  readonly instanceUrl: string;
  readonly org: Org;
  readonly connectedApp: {
    readonly clientId: string;
    readonly clientSecret: string;
    /** The relay's public key (SPKI or certificate PEM): assertions for the JWT bearer grant are checked against it. */
    registerConnectedApp(publicKeyPem: string): void;
    /** Makes every access token that was handed out invalid. */
    expireSessions(): void;
  };
  readonly users: readonly SalesforceUser[];
  readonly records: RecordTables;
  /** The store itself: `create`, `plant`, `remove`. */
  readonly store: Records;
  readonly faults: Faults;
  /** REST and token requests, oldest first, without headers. */
  requests(): readonly RecordedRequest[];
  /** What the panel said on the host wire, from every open page. */
  hostMessages(): readonly HostMessage[];
  close(): Promise<void>;
}

/** What a Developer Edition is granted in 24 hours. */
const defaultDailyLimit = 15_000;

export async function startSalesforceSandbox(options: SalesforceSandboxOptions): Promise<SalesforceSandbox> {
  const orgId = eighteen('00DPc0000000001');
  const store = createRecords();
  const users = seedUsers(store);
  const owner = users[0];
  if (!owner) throw new Error('The sandbox org has no user.');
  seedOrg(store, orgId, options.people ?? demoPeople, owner.id);

  let origin = '';
  let used = 17;
  const dailyLimit = options.dailyLimit ?? defaultDailyLimit;
  const auth = createOrgAuth({ orgId, users, origin: () => origin });
  const faults = createFaults([...restFaults, ...hostFaults]);
  const log = createRequestLog();
  const rest = createRest(store, () => ({ used, limit: dailyLimit }));
  const pages = await createPageServer({
    store,
    users,
    auth,
    faults,
    orgId,
    panelUrl: options.panelUrl,
    people: options.people ?? demoPeople,
    onCallMe: options.onCallMe ?? (async () => {}),
  });

  async function data(request: HttpRequest): Promise<HttpReply> {
    used += 1;
    const limitInfo = { 'Sforce-Limit-Info': `api-usage=${used}/${dailyLimit}` };
    const fault = faults.take(restFaults, `${request.method} ${request.path}`);
    const run = (): HttpReply => {
      if (request.path === '/services/oauth2/token')
        return request.method === 'POST'
          ? auth.token(request)
          : json(405, { error: 'invalid_request', error_description: 'must use HTTP POST' });
      if (used > dailyLimit)
        return json(
          403,
          [{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }],
          limitInfo,
        );
      const user = auth.userOf(request);
      if (!user) return json(401, [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }]);
      if (request.path === '/services/oauth2/userinfo')
        return json(200, {
          user_id: user.id,
          organization_id: orgId,
          preferred_username: user.username,
          name: user.name,
          email: user.email,
        });
      const query = request.query.size > 0 ? `?${request.query.toString()}` : '';
      const result = rest({
        method: request.method,
        url: request.path + query,
        body: jsonBody(request),
        userId: user.id,
      });
      const headers = { ...limitInfo, ...result.headers };
      return result.body === undefined ? { status: result.status, headers } : json(result.status, result.body, headers);
    };
    const reply = await underFault(fault, (order) => refusal(order, request.path, objectBody(request)), run);
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

  // Agents may also sign in by the org's own page; Salesforce speaks OpenID Connect there.
  const openId = createOpenIdEndpoints({
    issuer: () => origin,
    clientId: auth.clientId,
    clientSecret: null,
    people: users.map((user) => ({
      id: user.id,
      name: user.name,
      claims: () => ({ sub: `${origin}/id/${orgId}/${user.id}`, name: user.name, email: user.email }),
    })),
    paths: { authorize: '/services/oauth2/authorize', token: '/services/oauth2/token', keys: '/id/keys' },
  });

  const server = await startHttpServer({
    port: options.port ?? 0,
    host: options.host ?? 'localhost',
    handle: (request) => {
      const isCode = request.raw.includes('grant_type=authorization_code');
      const signIn = request.path !== '/services/oauth2/token' || isCode ? openId.handle(request) : null;
      if (signIn !== null) return signIn;
      if (request.path.startsWith('/services/')) return data(request);
      if (request.path === '/sandbox/faults') return faultsEndpoint(faults, request);
      if (request.path === '/sandbox/requests') return json(200, { requests: log.all() });
      return pages.handle(request);
    },
  });
  origin = server.origin;

  return {
    url: `${origin}/`,
    instanceUrl: origin,
    org: { id: orgId, signingCertificatePem: auth.signingKeyPem, loginUrl: origin },
    connectedApp: {
      clientId: auth.clientId,
      clientSecret: auth.clientSecret,
      registerConnectedApp: auth.registerConnectedApp,
      expireSessions: auth.expireSessions,
    },
    users,
    records: {
      get Contact() {
        return store.all('Contact');
      },
      get Lead() {
        return store.all('Lead');
      },
      get Account() {
        return store.all('Account');
      },
      get Task() {
        return store.all('Task');
      },
      get Patchcord_Call__c() {
        return store.all('Patchcord_Call__c');
      },
      get User() {
        return store.all('User');
      },
    },
    store,
    faults,
    requests: log.all,
    hostMessages: pages.messages,
    close: server.close,
  };
}
