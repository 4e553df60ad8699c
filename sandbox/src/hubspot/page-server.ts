/**
 * Owns the server side of the HubSpot host pages: which page and which frame an address is, the panel's messages on their way to the call desk,
 * and what the page asks of the sandbox. Must never answer the relay: REST is the only door for that.
 */
import { randomUUID } from 'node:crypto';
import type { Faults, HttpReply, HttpRequest } from '../http.ts';
import { isObject, json, objectBody, text } from '../http.ts';
import { bundled } from '../page/bundle.ts';
import { pageHtml } from '../page/html.ts';
import type { CallMe, CallMeRequest, DemoPerson } from '../people.ts';
import { createCallDesk } from './call-desk.ts';
import { type CallingApp, channelNumbers } from './calling-settings.ts';
import { cardRoutes } from './cards/index.ts';
import { hostFaults } from './faults.ts';
import type { PageIdentity, RecordReference } from './page-messages.ts';
import { pageState } from './page-state.ts';
import { objectTypes } from './properties.ts';
import type { Providers } from './providers.ts';
import type { Recordings } from './recordings.ts';
import type { Portal } from './records.ts';
import type { Owner } from './rest-call.ts';
import { createSignedFetch } from './signed-fetch.ts';
import type { Transcripts } from './transcripts.ts';
import { createWireLint, type LintFinding } from './wire-lint.ts';

/** One message of the panel on the host wire, as a page reported it. */
export interface HostMessage {
  readonly at: number;
  /** Which page load; two tabs are two pages. */
  readonly page: string;
  readonly location: PageIdentity['location'];
  readonly user: string;
  readonly message: Readonly<Record<string, unknown>>;
}

export interface PageServer {
  handle(request: HttpRequest): Promise<HttpReply> | HttpReply;
  messages(): readonly HostMessage[];
  lint(): readonly LintFinding[];
  ghosts(): readonly string[];
  /** What the pages show has changed, though no record did. */
  touch(): void;
}

/** Bundled once, however many portals a process starts. */
let files: Promise<[string, string]> | undefined;

export async function createPageServer(parts: {
  portal: Portal;
  calling: CallingApp;
  providers: Providers;
  recordings: Recordings;
  transcripts: Transcripts;
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
  const { portal, owners, portalId, calling, providers, recordings } = parts;
  files ??= Promise.all([
    bundled(import.meta.url, './browser/main.ts'),
    bundled(import.meta.url, './browser/page.css'),
  ]);
  const [page, css] = await files;
  const messages: HostMessage[] = [];
  const lint = createWireLint(portal);
  const desk = createCallDesk({ portal, portalId, appId: parts.appId, lint });
  const state = pageState({ ...parts, desk });
  const signedFetch = createSignedFetch(parts);
  const cards = cardRoutes({ ...parts, signedFetch });
  let version = 0;
  const touch = (): void => {
    version += 1;
  };
  portal.onChange(touch);

  const ownerOf = (userId: unknown): Owner | undefined => owners.find((owner) => `${owner.userId}` === `${userId}`);

  function html(request: HttpRequest, place: string): HttpReply {
    const owner = ownerOf(request.query.get('user')) ?? owners[0];
    const settings = calling.settings();
    const location = locationOf(request, place, calling);
    const asked = request.query.get('usesCallingWindow');
    const usesCallingWindow = asked === null ? (settings?.usesCallingWindow ?? false) : asked === 'true';
    const setup = {
      panelUrl: settings?.url ?? parts.panelUrl,
      appName: settings?.name ?? 'Patchcord',
      width: settings?.width ?? 400,
      height: settings?.height ?? 600,
      portalId,
      owner,
      page: randomUUID(),
      place,
      location,
      usesCallingWindow: location !== 'widget' && usesCallingWindow,
      fullNavigation: request.query.get('navigation') !== 'inplace',
    };
    const title =
      { window: 'Calling', tasks: 'Tasks', 'help-desk': 'Help desk', settings: 'Settings' }[place] ?? 'Contacts';
    const reply = text(200, 'text/html', pageHtml({ title: `${title} (sandbox, not HubSpot)`, setup }));
    // Who is signed in here is known to the page where an app asks for consent.
    const cookie = `sandbox-portal-user=${owner?.userId}; Path=/oauth; SameSite=Lax; HttpOnly`;
    return 'status' in reply ? { ...reply, headers: { ...reply.headers, 'set-cookie': cookie } } : reply;
  }

  function hear(body: Record<string, unknown>, owner: Owner): HttpReply {
    const message = isObject(body.message) ? body.message : {};
    const type = `${message.type}`;
    const from: PageIdentity = {
      page: `${body.page}`,
      owner,
      location: body.location === 'remote' || body.location === 'window' ? body.location : 'widget',
      usesCallingWindow: body.usesCallingWindow === true,
      inboundSupported: calling.settings()?.supportsInboundCalling ?? false,
      viewing: reference(body.viewing),
      dialed: reference(body.dialed),
    };
    messages.push({ at: Date.now(), page: from.page, location: from.location, user: owner.email, message });
    if (type === 'SYNC_ACK') {
      lint.loaded(from.page);
      return json(200, { replies: [] });
    }
    const fault = parts.faults.take(hostFaults, type);
    const failing =
      fault?.fault === 'host-error' ? (fault.message === undefined ? {} : { message: fault.message }) : undefined;
    const replies = desk.hear(from, { type, data: isObject(message.data) ? message.data : {} }, failing);
    touch();
    return json(200, { replies, lint: lint.findings().length, ...(fault && !failing ? { fault } : {}) });
  }

  /** The numbers the help desk offers in its channel: HubSpot asks the app, signed. */
  async function channel(owner: Owner): Promise<HttpReply> {
    const connection = calling.channel();
    if (!connection?.isReady) return json(200, { numbers: [] });
    const body = JSON.stringify({ appId: parts.appId, portalId, userId: owner.userId });
    const response = await signedFetch({ owner, url: connection.url, method: 'POST', body }).catch(() => undefined);
    const answer: unknown = await response?.json().catch(() => undefined);
    return json(200, { numbers: channelNumbers(answer) ?? [] });
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

  function ask(path: string, owner: Owner, body: Record<string, unknown>): Promise<HttpReply> | HttpReply {
    switch (path) {
      case '/sandbox/host':
        return hear(body, owner);
      case '/sandbox/sync':
        return json(200, { engagementId: desk.liveInbound(owner.userId) });
      case '/sandbox/channel':
        return channel(owner);
      case '/sandbox/call-me':
        return callMe(owner, body);
      case '/sandbox/provider':
        if (body.provider !== 'ours' && body.provider !== 'hubspot' && body.provider !== 'none')
          return json(400, { error: 'A provider is "ours", "hubspot" or "none".' });
        providers.choose(owner.userId, body.provider);
        touch();
        return json(200, {});
      default:
        return json(404, { error: 'Not here.' });
    }
  }

  return {
    messages: () => [...messages],
    lint: lint.findings,
    ghosts: desk.unfinished,
    touch,
    async handle(request) {
      const { path, query } = request;
      if (path === '/sandbox/lint') return json(200, { findings: lint.findings() });
      if (path === '/sandbox/host-messages') return json(200, { messages });
      const card = await cards(request);
      if (card) return card;
      if (request.method === 'POST') {
        const body = objectBody(request) ?? {};
        const owner = ownerOf(body.user);
        return owner ? ask(path, owner, body) : json(400, { error: 'Unknown sandbox user.' });
      }
      if (path === '/page.js') return text(200, 'text/javascript', page);
      if (path === '/page.css') return text(200, 'text/css', css);
      if (path === '/sandbox/state')
        return query.get('since') === `${version}` ? { status: 204 } : json(200, { version, ...state() });
      const recording = /^\/sandbox\/recordings\/(\d+)$/.exec(path)?.[1];
      if (recording !== undefined) return recordings.play(recording, request.headers.range);
      const place = placeAt(path);
      return place === undefined
        ? text(404, 'text/plain', 'Not here. The page is at /, REST under /crm/ and /oauth/.')
        : html(request, place);
    },
  };
}

/** HubSpot's own addresses, as far as the sandbox has pages for them. */
function placeAt(path: string): string | undefined {
  if (path === '/' || path.startsWith('/contacts/')) return 'record';
  if (path.startsWith('/calling-integration-popup-ui/')) return 'window';
  if (path.startsWith('/tasks/')) return 'tasks';
  if (path.startsWith('/connected-apps/')) return 'settings';
  return path.startsWith('/help-desk/') ? 'help-desk' : undefined;
}

/** Which frame the page has, by the calling settings; `?location=` is for a test that wants one of them whatever they say. */
function locationOf(request: HttpRequest, place: string, calling: CallingApp): PageIdentity['location'] | 'none' {
  const wanted = request.query.get('location');
  if (wanted === 'widget' || wanted === 'window' || wanted === 'remote') return wanted;
  const settings = calling.settings();
  if (!settings?.isReady) return 'none';
  if (!settings.supportsInboundCalling) return place === 'window' ? 'none' : 'widget';
  if (place === 'window') return 'window';
  return settings.usesRemote ? 'remote' : 'none';
}

function reference(value: unknown): RecordReference | undefined {
  if (!isObject(value) || typeof value.id !== 'string') return undefined;
  const type = objectTypes.find((one) => one === value.type);
  return type && { type, id: value.id };
}
