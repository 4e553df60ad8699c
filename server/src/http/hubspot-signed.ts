/**
 * Requests that HubSpot signed: what it fetches and tells by itself, and what a card asks through it (HubSpot contract, section 2.8). Owns
 * whose account and which person such a request speaks for. Must never believe an account whose own app did not sign, nor a name in a body.
 */
import { createHash } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { verifyHubSpotWebhook } from '@patchcord/crm-adapters/relay';
import { type Request, type RequestHandler, raw } from 'express';
import type { AgentConfig } from '../config.ts';
import type { Tenant } from '../tenants.ts';
import type { RelayParts } from './parts.ts';

/** Puts the bytes in the body: the signature covers them and the public URL, so that nothing may be parsed or rebuilt before it is checked. */
export const signedBody: RequestHandler = raw({ type: () => true, limit: '1mb' });

/** Tenants whose app's secret made the signature of this request, by portal. @throws PatchcordError `identity.refused` when it is nobody's */
export function signersOf(parts: RelayParts, request: Request, metric: string): ReadonlyMap<string, Tenant> {
  const check = {
    method: request.method,
    url: `${parts.publicUrl()}${request.originalUrl}`,
    body: bytesOf(request),
    headers: request.headers,
  };
  const portals = new Map<string, Tenant>();
  let refusal: unknown = new PatchcordError('identity.refused', 'No customer of this relay works with HubSpot.');
  for (const tenant of parts.tenants.all()) {
    const { crm } = tenant.config;
    if (crm.kind !== 'hubspot') continue;
    try {
      verifyHubSpotWebhook({ ...check, clientSecret: crm.clientSecret, now: parts.now() });
      portals.set(crm.portalId, tenant);
    } catch (error) {
      refusal = error;
    }
  }
  if (portals.size > 0) return portals;
  parts.metrics.refused.inc({ why: metric });
  throw refusal;
}

/** Whom a signed request of a card speaks for. */
export interface CardRequest {
  readonly tenant: Tenant;
  /** The agent whose HubSpot user looks at the card; null where no phone is set up for them. */
  readonly agent: AgentConfig | null;
  readonly userId: string;
  /** The same for both of a request that HubSpot repeated within five minutes byte by byte; empty never. */
  readonly signature: string;
  /** Parsed JSON; null when there was none. */
  readonly body: unknown;
}

/**
 * Reads a request that a card sent through `hubspot.fetch`: user, account and app stand in the signed query.
 * @throws PatchcordError `identity.refused`, `request.invalid`
 */
export function cardRequest(parts: RelayParts, request: Request): CardRequest {
  const portals = signersOf(parts, request, 'hubspot-card');
  const named = (name: string): string => {
    const value = request.query[name];
    return typeof value === 'string' && /^\d{1,20}$/.test(value) ? value : '';
  };
  const tenant = portals.get(named('portalId'));
  const crm = tenant?.config.crm;
  const userId = named('userId');
  if (tenant === undefined || crm?.kind !== 'hubspot' || crm.appId !== named('appId') || userId === '') {
    parts.metrics.refused.inc({ why: 'hubspot-card' });
    throw new PatchcordError('identity.refused', 'The request was signed for another HubSpot account, app or person.');
  }
  const signature = Buffer.from(String(request.headers['x-hubspot-signature-v3']), 'base64');
  return {
    tenant,
    agent: parts.tenants.agentOfCrmUser(tenant, userId) ?? null,
    userId,
    signature: createHash('sha256').update(signature).digest('base64url'),
    body: jsonOf(bytesOf(request)),
  };
}

/** The body of a signed request as JSON; null when it is empty. @throws PatchcordError `request.invalid` */
export function signedJson(request: Request): unknown {
  return jsonOf(bytesOf(request));
}

function bytesOf({ body }: Request): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function jsonOf(bytes: Buffer): unknown {
  if (bytes.length === 0) return null;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new PatchcordError('request.invalid', 'What HubSpot sends must be JSON.');
  }
}
