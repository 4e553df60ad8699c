/**
 * Owns the server side of the HubSpot host page: its HTML and script, the state it shows, the panel's messages on their way to
 * the call desk, and the signed request a card sends to the relay. Must never answer the relay: REST is the only door for that.
 */
import { randomUUID } from 'node:crypto';
import type { Faults, HttpReply, HttpRequest } from '../http.ts';
import { isObject, json, objectBody, text } from '../http.ts';
import { bundled } from '../page/bundle.ts';
import { pageHtml } from '../page/html.ts';
import { type CallMe, type CallMeRequest, type DemoPerson, unknownCaller } from '../people.ts';
import { createCallDesk, type LintFinding, type PageIdentity } from './call-desk.ts';
import { hostFaults } from './faults.ts';
import { dispositions, type ObjectType } from './properties.ts';
import type { Portal } from './records.ts';
import type { Owner } from './rest.ts';
import { signatureV3 } from './signature.ts';

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
  lint(): readonly LintFinding[];
}

/** Where a card asks for a pairing code; the query HubSpot appends is the signed identity. */
const pairingPath = '/v1/hubspot/pairing-codes';

export async function createPageServer(parts: {
  portal: Portal;
  owners: readonly Owner[];
  portalId: number;
  appId: number;
  faults: Faults;
  panelUrl: string;
  relayUrl: string;
  clientSecret: string;
  people: readonly DemoPerson[];
  onCallMe: CallMe;
}): Promise<PageServer> {
  const { portal, owners, portalId, appId } = parts;
  const [page, css] = await Promise.all([
    bundled(import.meta.url, './browser/main.ts'),
    bundled(import.meta.url, './browser/page.css'),
  ]);
  const messages: HostMessage[] = [];
  const desk = createCallDesk({ portal, portalId, appId });
  const e164 = Object.fromEntries(
    parts.people.flatMap((person) => person.numbers.map((number) => [number.typed, number.e164])),
  );
  const countries = Object.fromEntries(parts.people.map((person) => [person.email, person.country]));
  let version = 0;
  portal.onChange(() => {
    version += 1;
  });

  const ownerOf = (userId: unknown): Owner | undefined => owners.find((owner) => `${owner.userId}` === `${userId}`);

  function html(request: HttpRequest): HttpReply {
    const owner = ownerOf(request.query.get('user')) ?? owners[0];
    const location = locationIn(request);
    const setup = {
      panelUrl: parts.panelUrl,
      portalId,
      owner,
      page: randomUUID(),
      location,
      usesCallingWindow: location === 'window' || request.query.get('usesCallingWindow') === 'true',
      fullNavigation: request.query.get('navigation') === 'full',
      engagementId: desk.liveInbound(),
    };
    const title = location === 'window' ? 'Calling window (sandbox, not HubSpot)' : 'Contacts (sandbox, not HubSpot)';
    return text(200, 'text/html', pageHtml({ title, setup }));
  }

  function hear(body: Record<string, unknown>, owner: Owner): HttpReply {
    const message = isObject(body.message) ? body.message : {};
    const type = `${message.type}`;
    const from: PageIdentity = {
      page: `${body.page}`,
      owner,
      location: body.location === 'remote' || body.location === 'window' ? body.location : 'widget',
      usesCallingWindow: body.usesCallingWindow === true,
      viewing: reference(body.viewing),
      dialed: reference(body.dialed),
    };
    messages.push({ at: Date.now(), page: from.page, user: owner.email, message });
    if (type === 'SYNC_ACK') {
      desk.loaded(from.page);
      return json(200, { replies: [] });
    }
    const fault = parts.faults.take(hostFaults, type);
    const failing =
      fault?.fault === 'host-error' ? (fault.message === undefined ? {} : { message: fault.message }) : undefined;
    const replies = desk.hear(from, { type, data: isObject(message.data) ? message.data : {} }, failing);
    return json(200, { replies, lint: desk.lint().length, ...(fault && !failing ? { fault } : {}) });
  }

  /** Sends what a card's `hubspot.fetch` would: HubSpot appends who asks, signs, and tries once more after a 5xx. */
  async function pair(owner: Owner): Promise<HttpReply> {
    const query = new URLSearchParams({
      userId: `${owner.userId}`,
      portalId: `${portalId}`,
      userEmail: owner.email,
      appId: `${appId}`,
    });
    const url = `${parts.relayUrl.replace(/\/$/, '')}${pairingPath}?${query.toString()}`;
    const body = '{}';
    const attempt = async (): Promise<Response> => {
      const timestamp = `${Date.now()}`;
      return fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'X-HubSpot-Signature-v3': signatureV3({ secret: parts.clientSecret, method: 'POST', url, body, timestamp }),
          'X-HubSpot-Request-Timestamp': timestamp,
        },
      });
    };
    try {
      let response = await attempt().catch(attempt);
      if (response.status >= 500) response = await attempt();
      const answer: unknown = await response.json().catch(() => undefined);
      if (response.ok && isObject(answer) && typeof answer.code === 'string') return json(200, answer);
      const said = isObject(answer) ? (answer.message ?? answer.error ?? answer.detail) : undefined;
      return json(502, {
        error: `The relay refused (${response.status})${typeof said === 'string' ? `: ${said}` : '.'}`,
      });
    } catch {
      return json(502, { error: `The relay at ${parts.relayUrl} does not answer. Is it running?` });
    }
  }

  async function callMe(owner: Owner, body: Record<string, unknown>): Promise<HttpReply> {
    const order: CallMeRequest = {
      from: `${body.from}`,
      agent: owner.email,
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

  function state(): unknown {
    const linked = (type: ObjectType, id: string, to: ObjectType): string[] =>
      portal.associated(type, id, to).map((link) => link.toId);
    return {
      version,
      contacts: portal.all('contacts').map(({ id, properties }) => ({
        id,
        properties,
        companies: linked('contacts', id, 'companies'),
        country: countries[properties.email ?? ''] ?? 'US',
      })),
      companies: portal
        .all('companies')
        .map(({ id, properties }) => ({ id, properties, contacts: linked('companies', id, 'contacts') })),
      calls: portal.all('calls').map(({ id, properties }) => ({
        id,
        properties,
        contacts: linked('calls', id, 'contacts'),
        companies: linked('calls', id, 'companies'),
      })),
      owners,
      dispositions,
      unknownCaller,
      e164,
    };
  }

  return {
    messages: () => [...messages],
    lint: desk.lint,
    async handle(request) {
      if (request.path === '/sandbox/lint') return json(200, { findings: desk.lint() });
      if (request.path === '/sandbox/host-messages') return json(200, { messages });
      if (request.method === 'POST') {
        const body = objectBody(request) ?? {};
        const owner = ownerOf(body.user);
        if (!owner) return json(400, { error: 'Unknown sandbox user.' });
        if (request.path === '/sandbox/host') return hear(body, owner);
        if (request.path === '/sandbox/pair') return pair(owner);
        if (request.path === '/sandbox/call-me') return callMe(owner, body);
        return json(404, { error: 'Not here.' });
      }
      if (request.path === '/page.js') return text(200, 'text/javascript', page);
      if (request.path === '/page.css') return text(200, 'text/css', css);
      if (request.path === '/sandbox/state')
        return request.query.get('since') === `${version}` ? { status: 204 } : json(200, state());
      if (
        request.path === '/' ||
        request.path.startsWith('/contacts/') ||
        request.path.startsWith('/calling-integration-popup-ui/')
      )
        return html(request);
      return text(404, 'text/plain', 'Not here. The page is at /, REST under /crm/ and /oauth/.');
    },
  };
}

function locationIn(request: HttpRequest): 'widget' | 'remote' | 'window' {
  if (request.path.startsWith('/calling-integration-popup-ui/')) return 'window';
  const wanted = request.query.get('location');
  return wanted === 'widget' || wanted === 'window' ? wanted : 'remote';
}

function reference(value: unknown): { type: ObjectType; id: string } | undefined {
  if (!isObject(value) || typeof value.id !== 'string') return undefined;
  return value.type === 'contacts' || value.type === 'companies' ? { type: value.type, id: value.id } : undefined;
}
