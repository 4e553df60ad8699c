/**
 * Owns the server's part of drawn extensions: the bundles, what a card asks of HubSpot about its record, and its `hubspot.fetch`, which HubSpot's server sends
 * signed (the HubSpot contract, section 3.4). Must never send a request to anybody but the relay.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HttpReply, type HttpRequest, isObject, json, objectBody, text } from '../../http.ts';
import { bundled } from '../../page/bundle.ts';
import { type ObjectType, objectTypeIds } from '../properties.ts';
import type { Portal } from '../records.ts';
import type { Owner } from '../rest-call.ts';
import type { SignedFetch } from '../signed-fetch.ts';
import { bundleExtension, extensionRoot } from './bundle.ts';

/** Requests of one app and account that HubSpot runs at once. */
const mostRequests = 20;
/** Bytes a card may send and get. */
const mostBytes = 1_000_000;
const longestMs = 120_000;
const usualMs = 15_000;

interface Extension {
  readonly uid: string;
  readonly name: string;
  readonly location: string;
  readonly entrypoint: string;
  readonly objectTypes: readonly string[];
}

/** Made at the first request, once, however many portals a process starts. */
const scripts = new Map<string, Promise<string>>();

function once(name: string, make: () => Promise<string>): Promise<string> {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const made = make();
  scripts.set(name, made);
  // What did not build is built again for whoever asks next.
  made.catch(() => scripts.delete(name));
  return made;
}

/** Answers every path below `/sandbox/cards/`; undefined for another. */
export function cardRoutes(parts: {
  readonly portal: Portal;
  readonly owners: readonly Owner[];
  readonly appId: number;
  /** The relay's public address: what the upload profile would name. */
  readonly relayUrl: string;
  readonly signedFetch: SignedFetch;
}): (request: HttpRequest) => Promise<HttpReply | undefined> {
  const relay = new URL(parts.relayUrl).origin;
  const extensions = readExtensions();
  let running = 0;

  const extensionOf = (request: HttpRequest) => extensions.find(({ uid }) => uid === request.query.get('uid'));

  async function get(request: HttpRequest, what: string): Promise<HttpReply> {
    if (what === 'cards.css')
      return text(200, 'text/css', await once(what, () => bundled(import.meta.url, './cards.css')));
    if (what === 'worker.js')
      return text(200, 'text/javascript', await once(what, () => bundled(import.meta.url, './worker-runtime.ts')));
    if (what === 'list') return json(200, { extensions });
    const extension = extensionOf(request);
    if (extension === undefined) return json(404, { error: `No extension has the uid ${request.query.get('uid')}.` });
    if (what === 'bundle.js') {
      const { entrypoint } = extension;
      const script = await once(entrypoint, async () => (await bundleExtension(entrypoint)).script);
      return text(200, 'text/javascript', script);
    }
    const variables = { RELAY_URL: relay, DOCS_URL: 'https://help.example.com/phone' };
    return json(200, { name: extension.name, location: extension.location, appId: parts.appId, variables });
  }

  async function send(owner: Owner, body: Record<string, unknown>): Promise<HttpReply> {
    const url = URL.canParse(`${body.url}`) ? new URL(`${body.url}`) : undefined;
    const refused = (status: number, message: string) =>
      json(200, { status, body: JSON.stringify({ status: 'error', category: 'VALIDATION_ERROR', message }) });
    if (url?.origin !== relay) return refused(400, `${body.url} is not among the app's permitted addresses.`);
    const headers = isObject(body.headers) ? Object.keys(body.headers) : [];
    if (headers.some((name) => name.toLowerCase() !== 'authorization'))
      return refused(400, "Only 'Authorization' header is allowed");
    const sent = JSON.stringify(body.body ?? {});
    if (sent.length > mostBytes) return refused(413, 'The request is larger than 1 MB.');
    if (running >= mostRequests) return refused(429, 'Too many requests run at once.');
    running += 1;
    try {
      const response = await parts.signedFetch({
        owner,
        url: url.href,
        method: typeof body.method === 'string' ? body.method : 'GET',
        body: sent,
        timeoutMs: Math.min(typeof body.timeout === 'number' ? body.timeout : usualMs, longestMs),
      });
      const answer = await response.text();
      if (response.ok) return json(200, { status: response.status, body: answer });
      // HubSpot hides the app's status and puts its answer into an envelope.
      return json(200, { status: 200, body: JSON.stringify(envelope(answer, response.status, url.href)) });
    } catch (error) {
      return json(502, {
        error: `The relay does not answer: ${error instanceof Error ? error.message : String(error)}`,
      });
    } finally {
      running -= 1;
    }
  }

  function properties(body: Record<string, unknown>): HttpReply {
    const record = recordOf(parts.portal, body.objectTypeId, body.objectId);
    if (record === undefined) return json(404, { error: 'The record is gone.' });
    return json(200, valuesOf(record.properties, body.names));
  }

  function associations(body: Record<string, unknown>): HttpReply {
    const from = recordOf(parts.portal, body.objectTypeId, body.objectId);
    const to = typeOf(body.toObjectType);
    if (from === undefined || to === undefined) return json(404, { error: 'The record is gone.' });
    const links = parts.portal.associated(from.type, from.id, to);
    const offset = typeof body.offset === 'number' ? body.offset : 0;
    const length = typeof body.pageLength === 'number' ? body.pageLength : 10;
    const results = links.slice(offset, offset + length).map(({ toId, typeId }) => ({
      toObjectId: Number(toId),
      associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId, label: '' }],
      properties: valuesOf(parts.portal.get(to, toId)?.properties ?? {}, body.properties),
    }));
    return json(200, { results, hasMore: offset + length < links.length, nextOffset: offset + length });
  }

  return async (request) => {
    const what = /^\/sandbox\/cards\/([a-z.]+)$/.exec(request.path)?.[1];
    if (what === undefined) return undefined;
    if (request.method === 'GET') return get(request, what);
    const body = objectBody(request) ?? {};
    const owner = parts.owners.find(({ userId }) => `${userId}` === `${body.user}`);
    if (owner === undefined) return json(400, { error: 'Unknown sandbox user.' });
    if (what === 'fetch') return send(owner, body);
    if (what === 'properties') return properties(body);
    if (what === 'associations') return associations(body);
    return json(404, { error: 'Not here.' });
  };
}

function envelope(answer: string, status: number, requestUri: string): object {
  let responseBody: unknown;
  try {
    responseBody = JSON.parse(answer) as unknown;
  } catch {
    responseBody = answer;
  }
  return {
    status: 'error',
    category: 'BAD_GATEWAY',
    message: 'The app answered with a failure.',
    context: { appServerStatusCode: [`${status}`], requestUri: [requestUri] },
    responseBody,
  };
}

/** Cards and the settings page, as their files describe them. */
function readExtensions(): readonly Extension[] {
  const folder = join(extensionRoot, 'src/app');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('-hsmeta.json'))
    .flatMap((file) => {
      const { uid, type, config } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        uid: string;
        type: string;
        config: Partial<Extension>;
      };
      if (config.entrypoint === undefined) return [];
      const { entrypoint, name = 'Settings', location = type, objectTypes = [] } = config;
      return [{ uid, name, location, entrypoint, objectTypes }];
    });
}

function typeOf(id: unknown): ObjectType | undefined {
  return (Object.keys(objectTypeIds) as ObjectType[]).find((type) => objectTypeIds[type] === id);
}

function recordOf(portal: Portal, typeId: unknown, id: unknown) {
  const type = typeOf(typeId);
  return type === undefined ? undefined : portal.get(type, `${id}`);
}

function valuesOf(properties: Readonly<Record<string, string | null>>, names: unknown): Record<string, string | null> {
  const wanted = Array.isArray(names) ? names.map(String) : Object.keys(properties);
  return Object.fromEntries(wanted.map((name) => [name, properties[name] ?? null]));
}
