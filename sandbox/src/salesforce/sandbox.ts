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
  type RecordedRequest,
  recordable,
  startHttpServer,
  underFault,
} from '../http.ts';
import { createOpenIdEndpoints } from '../oidc/provider.ts';
import { type CallMe, type DemoPerson, demoPeople } from '../people.ts';
import { type ConnectedApp, createConnectedApp } from './connected-app.ts';
import { plantDemoCalls } from './demo-calls.ts';
import { cut, cutAnswer, refusal, requestFaults, requestFits, restFaults } from './faults.ts';
import { hostFaults } from './host-faults.ts';
import { createOrgAuth, type Org, type OrgAuth } from './oauth.ts';
import { createPageServer, type HostMessage } from './page-server.ts';
import { createRecords, eighteen, type Records, type Row } from './records.ts';
import { createRest } from './rest.ts';
import { createRights, type Rights } from './rights.ts';
import { rowFaultsOf } from './row-faults.ts';
import type { SalesforceUser } from './salesforce-user.ts';
import { createSchema, taskStatuses } from './schema.ts';
import { seedOrg, seedUsers } from './seed.ts';
import type { SearchLag } from './sosl.ts';

export interface SalesforceSandboxOptions {
  readonly port?: number;
  readonly host?: string;
  /** The panel's page for this CRM, e.g. `http://localhost:8080/salesforce/`. */
  readonly panelUrl: string;
  /** Plants a month of past calls, so that history, board and reports have something to show. Default none. */
  readonly demoCalls?: boolean;
  readonly people?: readonly DemoPerson[];
  readonly onCallMe?: CallMe;
  /** API calls in 24 hours; beyond them everything is refused. Default 15,000. */
  readonly dailyLimit?: number;
  /** Accounts can be persons. Default false: their fields do not exist. */
  readonly personAccounts?: boolean;
  /** The one Task status that counts as closed. Default `Completed`. */
  readonly closedStatus?: string;
  /** The org's clock. */
  readonly now?: () => Date;
}

/** The objects worth looking at from a test, read at the moment they are asked for. */
export interface RecordTables {
  readonly Contact: readonly Row[];
  readonly Lead: readonly Row[];
  readonly Account: readonly Row[];
  readonly Task: readonly Row[];
  readonly Case: readonly Row[];
  readonly Opportunity: readonly Row[];
  readonly Patchcord_Call__c: readonly Row[];
  readonly User: readonly Row[];
}

export interface SalesforceSandbox {
  /** The host page. `?user=<username>` chooses whose page it is, `?record=<id>` the record shown. */
  readonly url: string;
  /** REST and `/services/oauth2/token`. */
  readonly instanceUrl: string;
  readonly org: Org;
  readonly connectedApp: ConnectedApp & Pick<OrgAuth, 'expireSessions' | 'revokeRefreshTokens'>;
  /** Deactivates a user, or lets them in again. */
  setActive(username: string, active: boolean): void;
  readonly users: readonly SalesforceUser[];
  readonly records: RecordTables;
  /** The store itself: `create`, `plant`, `remove`. */
  readonly store: Records;
  /** What users may see and write: `rights.deny({ user, object, field, id, apexClass, deeds })`. */
  readonly rights: Rights;
  /** How late the search index is; 0 at the start. */
  readonly search: SearchLag;
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
  const shape = {
    personAccounts: options.personAccounts ?? false,
    ...(options.closedStatus === undefined ? {} : { closedStatus: options.closedStatus }),
  };
  const store = createRecords({
    schema: createSchema(shape),
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  const users = seedUsers(store);
  const owner = users[0];
  if (!owner) throw new Error('The sandbox org has no user.');
  seedOrg(store, orgId, options.people ?? demoPeople, owner.id, taskStatuses(shape));
  if (options.demoCalls) plantDemoCalls(store, users);
  const search: SearchLag = { lagMs: 0 };

  let origin = '';
  let used = 17;
  const dailyLimit = options.dailyLimit ?? defaultDailyLimit;
  const app = createConnectedApp();
  const auth = createOrgAuth({
    orgId,
    app,
    users,
    isActive: (user) => store.get('User', user.id)?.IsActive !== false,
    origin: () => origin,
    now: () => store.now().getTime(),
  });
  const rights = createRights();
  const faults = createFaults([...restFaults, ...hostFaults]);
  const log = createRequestLog();
  const rest = createRest({ records: store, rights, search, usage: () => ({ used, limit: dailyLimit }) });
  const pages = await createPageServer({
    store,
    users,
    auth,
    rights,
    faults,
    orgId,
    panelUrl: options.panelUrl,
    people: options.people ?? demoPeople,
    onCallMe: options.onCallMe ?? (async () => {}),
  });

  async function data(request: HttpRequest): Promise<HttpReply> {
    used += 1;
    const limitInfo = { 'Sforce-Limit-Info': `api-usage=${used}/${dailyLimit}` };
    const subject = `${request.method} ${request.path}`;
    const asks = {
      path: request.path,
      search: request.query.toString(),
      body: request.raw.toString('utf8'),
    };
    const fault = faults.take(requestFaults, subject, requestFits(asks, auth.userOf(request)));
    const rowFaults = rowFaultsOf(faults, subject);
    const run = (): HttpReply => {
      if (request.path === '/services/oauth2/token')
        return request.method === 'POST'
          ? auth.token(request)
          : json(405, { error: 'invalid_request', error_description: 'must use HTTP POST' });
      if (request.path === '/services/oauth2/authorize') return auth.authorize(request);
      if (request.path === '/services/oauth2/revoke') return auth.revoke(request);
      if (used > dailyLimit)
        return json(
          403,
          [{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }],
          limitInfo,
        );
      const user = auth.userOf(request);
      if (!user) return json(401, [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }]);
      if (request.path === '/services/oauth2/userinfo') return json(200, auth.identity(user));
      if (request.path.startsWith('/id/'))
        return request.path === `/id/${orgId}/${user.id}`
          ? json(200, auth.identity(user))
          : json(403, { error: 'Bad_Id' });
      const query = request.query.size > 0 ? `?${request.query.toString()}` : '';
      const result = rest(
        { method: request.method, url: request.path + query, body: jsonBody(request) },
        { user, rowFaults },
      );
      const headers = { ...limitInfo, ...result.headers };
      return result.body === undefined ? { status: result.status, headers } : json(result.status, result.body, headers);
    };
    const reply =
      fault?.fault === cutAnswer ? cut(run()) : await underFault(fault, (order) => refusal(order, request.path), run);
    const met = fault?.fault ?? rowFaults.met()[0];
    log.add({
      at: Date.now(),
      method: request.method,
      path: request.path,
      query: Object.fromEntries(request.query),
      body: recordable(request),
      status: 'status' in reply ? reply.status : 0,
      ...(met === undefined ? {} : { fault: met }),
    });
    return reply;
  }

  // Agents may also sign in by the org's own page; Salesforce speaks OpenID Connect there.
  const openId = createOpenIdEndpoints({
    issuer: () => origin,
    clientId: app.clientId,
    clientSecret: null,
    people: users.map((user) => ({
      id: user.id,
      name: user.name,
      claims: () => ({ sub: `${origin}/id/${orgId}/${user.id}`, name: user.name, email: user.email }),
    })),
    paths: { authorize: '/services/oauth2/authorize', token: '/services/oauth2/token', keys: '/id/keys' },
  });

  /** Whether it is the app that asks for tokens, and not an agent who signs in: then no API is asked for. */
  function isWebFlow(request: HttpRequest): boolean {
    if (request.path === '/services/oauth2/token') {
      const form = new URLSearchParams(request.raw.toString('utf8'));
      return form.get('grant_type') !== 'authorization_code' || auth.knowsCode(form.get('code') ?? '');
    }
    if (request.path !== '/services/oauth2/authorize') return false;
    const scope = request.query.get('scope') ?? 'api';
    return request.method === 'POST' || /\b(api|refresh_token|offline_access|full)\b/.test(scope);
  }

  const server = await startHttpServer({
    port: options.port ?? 0,
    host: options.host ?? 'localhost',
    handle: (request) => {
      const signIn = isWebFlow(request) ? null : openId.handle(request);
      if (signIn !== null) return signIn;
      if (/^\/(services|id)\//.test(request.path)) return data(request);
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
    connectedApp: Object.assign(app, {
      expireSessions: auth.expireSessions,
      revokeRefreshTokens: auth.revokeRefreshTokens,
    }),
    setActive(username, active) {
      const user = users.find((one) => one.username === username);
      const row = user && store.get('User', user.id);
      if (!row) throw new RangeError(`There is no user ${username}.`);
      store.plant('User', { ...row, IsActive: active });
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
      get Case() {
        return store.all('Case');
      },
      get Opportunity() {
        return store.all('Opportunity');
      },
      get Patchcord_Call__c() {
        return store.all('Patchcord_Call__c');
      },
      get User() {
        return store.all('User');
      },
    },
    store,
    rights,
    search,
    faults,
    requests: log.all,
    hostMessages: pages.messages,
    close: server.close,
  };
}
