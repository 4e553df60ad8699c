/**
 * Owns the server side of the Salesforce host page: its HTML and scripts, the state it shows, and what the page does in the
 * agent's name (Apex, logs, new records). Must never answer the relay: REST with a token is the only door for that.
 */
import { randomUUID } from 'node:crypto';
import type { Faults, HttpReply, HttpRequest } from '../http.ts';
import { isObject, json, objectBody, text } from '../http.ts';
import { bundled } from '../page/bundle.ts';
import { pageHtml } from '../page/html.ts';
import { type CallMe, type CallMeRequest, type DemoPerson, unknownCaller } from '../people.ts';
import { viewOf } from './access.ts';
import { callApex, runApex } from './apex.ts';
import { hostFaults } from './host-faults.ts';
import { lightningFile } from './lightning/page-files.ts';
import type { OrgAuth } from './oauth.ts';
import { type Records, Refusal } from './records.ts';
import type { Rights } from './rights.ts';
import { rowFaultsOf } from './row-faults.ts';
import type { SalesforceUser } from './salesforce-user.ts';
import { sObjectNamed } from './schema.ts';

/** One message of the panel on the host wire, as a page reported it. */
export interface HostMessage {
  readonly at: number;
  /** Which page load; two tabs are two pages. */
  readonly page: string;
  readonly user: string;
  readonly message: Readonly<Record<string, unknown>>;
}

export interface PageServer {
  handle(request: HttpRequest): Promise<HttpReply> | HttpReply;
  messages(): readonly HostMessage[];
}

export async function createPageServer(parts: {
  store: Records;
  users: readonly SalesforceUser[];
  auth: OrgAuth;
  rights: Rights;
  faults: Faults;
  orgId: string;
  panelUrl: string;
  people: readonly DemoPerson[];
  onCallMe: CallMe;
}): Promise<PageServer> {
  const { store, users } = parts;
  const apexOrg = { auth: parts.auth, store, rights: parts.rights };
  const [page, css, openCti] = await Promise.all([
    bundled(import.meta.url, './browser/main.ts'),
    bundled(import.meta.url, './browser/page.css'),
    bundled(import.meta.url, './browser/opencti.ts'),
  ]);
  const messages: HostMessage[] = [];
  const e164 = Object.fromEntries(
    parts.people.flatMap((person) => person.numbers.map((number) => [number.typed, number.e164])),
  );
  let version = 0;
  store.onChange(() => {
    version += 1;
  });

  const userNamed = (name: unknown): SalesforceUser | undefined => users.find((user) => user.username === name);
  const shownUser = ({ id, username, name, email, callCenterId }: SalesforceUser) => ({
    id,
    username,
    name,
    email,
    callCenterId,
  });

  function html(request: HttpRequest): HttpReply {
    const user = userNamed(request.query.get('user')) ?? users[0];
    if (!user) return text(500, 'text/plain', 'The sandbox org has no user.');
    const standby = request.query.get('standby');
    const setup = {
      panelUrl: parts.panelUrl,
      user: shownUser(user),
      orgId: parts.orgId,
      page: randomUUID(),
      app: request.query.get('app') === 'console' ? 'console' : 'standard',
      // `?standby=/path&timeout=ms` stands for a call center with reqStandbyUrl, on the phone's own host, and reqTimeout.
      callCenter: {
        standbyUrl:
          standby === null ? null : new URL(parts.panelUrl).origin + new URL(standby, parts.panelUrl).pathname,
        timeoutMs: Number(request.query.get('timeout')) || null,
      },
    };
    return text(200, 'text/html', pageHtml({ title: 'Sales desk (sandbox, not Salesforce)', setup }));
  }

  function log(user: SalesforceUser, args: Record<string, unknown>): unknown {
    const given = isObject(args.object) ? args.object : {};
    const { Id, entityApiName, ...values } = given;
    try {
      const object = sObjectNamed(typeof Id === 'string' ? (store.objectOf(Id) ?? '') : `${entityApiName}`);
      if (!object) throw new Refusal('INVALID_TYPE', 'saveLog needs an Id to update or an entityApiName to create.');
      // The page writes in the agent's name: their rights hold, and the faults that are on order for `HOST saveLog`.
      const view = viewOf(store, parts.rights, user, rowFaultsOf(parts.faults, 'HOST saveLog'));
      if (typeof Id === 'string') view.update(object, Id, values);
      const recordId = typeof Id === 'string' ? Id : view.create(object, values);
      return { success: true, returnValue: { recordId }, errors: null };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const fieldErrors = Object.fromEntries(
        error.fields.map((field) => [field, [{ statusCode: error.code, message: error.message, field }]]),
      );
      return {
        success: false,
        returnValue: null,
        errors: [{ code: 'SERVER_ERROR', description: error.message, details: { fieldErrors } }],
      };
    }
  }

  async function callMe(user: SalesforceUser, body: Record<string, unknown>): Promise<HttpReply> {
    const order: CallMeRequest = {
      from: `${body.from}`,
      agent: user.email,
      ...(typeof body.name === 'string' ? { name: body.name } : {}),
      ...(body.kind === 'contact' || body.kind === 'unknown' || body.kind === 'withheld' ? { kind: body.kind } : {}),
    };
    try {
      await parts.onCallMe(order);
      return json(202, {});
    } catch (error) {
      return json(502, { error: error instanceof Error ? error.message : String(error) });
    }
  }

  async function act(request: HttpRequest): Promise<HttpReply> {
    const body = objectBody(request) ?? {};
    const user = userNamed(body.user);
    if (!user) return json(400, { error: 'Unknown sandbox user.' });
    const args = isObject(body.args) ? body.args : {};
    switch (request.path) {
      case '/sandbox/host': {
        const message = isObject(body.message) ? body.message : {};
        messages.push({ at: Date.now(), page: `${body.page}`, user: user.username, message });
        const fault = parts.faults.take(hostFaults, `${message.methodName}`);
        return json(200, fault ? { fault } : {});
      }
      case '/sandbox/apex': {
        const part = (name: string): string => (typeof args[name] === 'string' ? args[name] : '');
        return json(
          200,
          await runApex(apexOrg, user, {
            apexClass: part('apexClass'),
            methodName: part('methodName'),
            methodParams: part('methodParams'),
          }),
        );
      }
      case '/sandbox/aura': {
        const reply = await callApex(apexOrg, user, {
          apexClass: `${args.apexClass}`,
          methodName: `${args.methodName}`,
          params: isObject(args.params) ? args.params : {},
        });
        return reply.ok ? json(200, { returnValue: reply.value ?? null }) : json(400, { message: reply.message });
      }
      case '/sandbox/log':
        return json(200, log(user, args));
      case '/sandbox/call-me':
        return callMe(user, body);
      case '/sandbox/records': {
        const object = sObjectNamed(`${body.object}`);
        if (!object) return json(400, { error: `There is no object ${String(body.object)}.` });
        try {
          return json(201, { id: store.create(object, isObject(body.values) ? body.values : {}, user.id) });
        } catch (error) {
          if (error instanceof Refusal) return json(400, { error: error.message });
          throw error;
        }
      }
      default:
        return json(404, { error: 'Not here.' });
    }
  }

  return {
    messages: () => [...messages],
    async handle(request) {
      if (request.method === 'POST') return act(request);
      if (request.path === '/page.js') return text(200, 'text/javascript', page);
      if (request.path === '/page.css') return text(200, 'text/css', css);
      const script = /^\/support\/api\/(\d{2})\.0\/lightning\/opencti(_min)?\.js$/.exec(request.path);
      // Versions the contract speaks of; an org answers 404 for what it does not have yet.
      if (script?.[1] !== undefined && Number(script[1]) >= 42 && Number(script[1]) <= 68)
        return text(200, 'text/javascript', openCti.replaceAll('__API_VERSION__', script[1]));
      if (request.path === '/sandbox/state') {
        if (request.query.get('since') === `${version}`) return { status: 204 };
        return json(200, {
          version,
          accounts: store.all('Account'),
          contacts: store.all('Contact'),
          leads: store.all('Lead'),
          cases: store.all('Case'),
          opportunities: store.all('Opportunity'),
          tasks: store.all('Task'),
          users: users.filter((user) => !user.username.startsWith('relay.')).map(shownUser),
          unknownCaller,
          e164,
        });
      }
      if (request.path === '/sandbox/host-messages') return json(200, { messages });
      if (request.path === '/' || request.path.startsWith('/lightning/')) return html(request);
      const file = await lightningFile(request, { store, rights: parts.rights, users });
      return file ?? text(404, 'text/plain', 'Not here. The page is at /, REST under /services/.');
    },
  };
}
