/**
 * Owns the routes of the emulated portal's REST surface: objects, associations, properties, owners and what the calling extensions have, on v3,
 * v4 and the dated paths (the HubSpot contract, sections 1.9 and 2). Must never hold rules about records: those are in `records.ts`.
 */
import { associationCalls } from './association-calls.ts';
import type { CallingApp } from './calling-settings.ts';
import { objectCalls } from './object-calls.ts';
import { dispositions } from './properties.ts';
import { propertyCalls } from './property-calls.ts';
import type { Providers } from './providers.ts';
import type { Recordings } from './recordings.ts';
import { notFound, type Portal, Refusal } from './records.ts';
import { type Owner, objectOf, type RestCall, type RestResult, typeOf } from './rest-call.ts';
import type { Transcripts } from './transcripts.ts';

export type { Owner, RestCall, RestResult } from './rest-call.ts';

/** The REST surface over `portal`. The answer never throws for a bad request: every refusal is a result in HubSpot's shape. */
export function createRest(parts: {
  portal: Portal;
  owners: readonly Owner[];
  calling: CallingApp;
  providers: Providers;
  recordings: Recordings;
  transcripts: Transcripts;
  inbound: { handle(call: RestCall): RestResult };
}): (call: RestCall) => RestResult {
  const { portal, owners } = parts;
  const associations = associationCalls(portal);
  const properties = propertyCalls(portal);
  const lenient = objectCalls(portal, false);
  const strict = objectCalls(portal, true);

  function route(call: RestCall): RestResult {
    if (call.path === '/calling/v1/dispositions' && call.method === 'GET')
      return { status: 200, body: dispositions.map(({ label, value }) => ({ id: value, label, deleted: false })) };
    const { version, dated, segments } = spelled(call.path);
    const [area, ...rest] = segments;
    if (area === 'extensions' && rest[0] === 'calling') return calling(call, rest.slice(1), dated ?? version);
    if (version === 'v3' && area === 'owners' && call.method === 'GET') return ownersAt(rest[0], call.query);
    if (version === 'v3' && area === 'properties') return properties(call, typeOf(rest[0]), rest.slice(1));
    if (version === 'v4' && area === 'associations') return associations.batch(call, rest);
    if (area !== 'objects' || (version !== 'v3' && version !== 'v4')) throw notFound();
    const type = typeOf(rest[0]);
    const tail = rest.slice(1);
    if (tail[1] === 'associations' && tail[0] !== undefined)
      return associations.ofOne(call, type, tail[0], tail.slice(2), version);
    return (dated === '2026-09' ? strict : lenient)(call, type, tail);
  }

  function calling(call: RestCall, path: readonly string[], version: string): RestResult {
    const [area, ...rest] = path;
    if (area === 'inbound-call' && call.method === 'POST') return parts.inbound.handle(call);
    if (area === 'transcripts') return parts.transcripts.handle(call, rest[0]);
    if (area === 'connection-statuses') return parts.providers.handle(call, rest);
    if (path.join('/') === 'recordings/ready' && call.method === 'POST') {
      parts.recordings.ready(objectOf(call.body).engagementId);
      return { status: 204 };
    }
    if (rest[0] === 'settings') return parts.calling.handle(call, path, version);
    throw notFound();
  }

  function ownersAt(id: string | undefined, query: URLSearchParams): RestResult {
    const shownOwner = (owner: Owner): unknown => ({
      ...owner,
      type: 'PERSON',
      archived: false,
      createdAt: '2026-01-05T09:00:00.000Z',
      updatedAt: '2026-01-05T09:00:00.000Z',
    });
    if (id === undefined || id === '') {
      const email = query.get('email');
      return {
        status: 200,
        body: { results: owners.filter((owner) => email === null || owner.email === email).map(shownOwner) },
      };
    }
    const owner = owners.find((one) => (query.get('idProperty') === 'userId' ? `${one.userId}` : one.id) === id);
    if (!owner) throw notFound();
    return { status: 200, body: shownOwner(owner) };
  }

  return (call) => {
    try {
      return route(call);
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: error.body() };
      throw error;
    }
  };
}

/** One spelling for the three that HubSpot has: `/crm/v3/objects/…`, `/crm/objects/2026-03/…`, `/crm/extensions/calling/v3/…`. */
function spelled(path: string): { version: string; dated: string | undefined; segments: readonly string[] } {
  const [, , ...all] = path.split('/').map(decodeURIComponent);
  const at = all.findIndex((one) => /^(v\d|20\d\d-\d\d)(-beta)?$/.test(one));
  const found = all[at] ?? '';
  const dated = found.startsWith('20') ? found.slice(0, 7) : undefined;
  const segments = at < 0 ? all : [...all.slice(0, at), ...all.slice(at + 1)];
  // The dated associations and objects are what v4 and v3 were.
  const version = dated === undefined ? found : segments[0] === 'associations' ? 'v4' : 'v3';
  return { version, dated, segments };
}
