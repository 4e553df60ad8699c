/** Owns which scope a request needs (the HubSpot contract, sections 1.9 and 2.7), and the refusal of a token that lacks it. */
import type { HttpRequest } from '../http.ts';
import { Refusal } from './records.ts';

/** Everything the emulated portal can grant to an app. */
export const grantable: readonly string[] = [
  'oauth',
  'automation',
  'crm.objects.contacts.read',
  'crm.objects.contacts.write',
  'crm.objects.companies.read',
  'crm.objects.companies.write',
  'crm.objects.deals.read',
  'crm.objects.deals.write',
  'crm.objects.owners.read',
  'crm.schemas.contacts.read',
  'crm.schemas.contacts.write',
  'crm.extensions_calling_transcripts.read',
  'crm.extensions_calling_transcripts.write',
  'tickets',
];

/** The scopes one of which is enough; empty where none is asked for. */
export function scopesFor(request: HttpRequest): readonly string[] {
  const path = request.path;
  const reads = request.method === 'GET' || /\/search$|\/batch\/read$/.test(path);
  const how = reads ? 'read' : 'write';
  if (path.includes('/connection-statuses')) return ['automation', 'crm.objects.owners.read'];
  if (path.includes('/transcripts')) return [`crm.extensions_calling_transcripts.${how}`];
  if (path.includes('/inbound-call')) return ['crm.objects.contacts.write'];
  if (/\/owners(\/|$)/.test(path)) return ['crm.objects.owners.read'];
  if (/^\/crm\/[^/]*\/?properties\//.test(path) || path.includes('/properties/'))
    return reads ? ['crm.objects.contacts.read', 'crm.schemas.contacts.read'] : ['crm.schemas.contacts.write'];
  const [, type] = /^\/crm\/(?:v\d|objects)\/(?:objects|20\d\d-\d\d(?:-beta)?)\/([^/]+)/.exec(path) ?? [];
  if (type === 'companies' || type === '0-2') return [`crm.objects.companies.${how}`];
  if (type === 'deals' || type === '0-3') return [`crm.objects.deals.${how}`];
  if (type === 'tickets' || type === '0-5') return ['tickets'];
  return type === undefined ? [] : [`crm.objects.contacts.${how}`];
}

/** Calls stand under the scopes of contacts. */
export function missingScopes(needed: readonly string[]): Refusal {
  return new Refusal(
    403,
    `This app hasn't been granted all required scopes to make this call. It needs one of: ${needed.join(', ')}.`,
    'MISSING_SCOPES',
  ).named({ requiredGranularScopes: needed });
}
