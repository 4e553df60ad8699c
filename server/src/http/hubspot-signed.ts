/**
 * Requests that HubSpot signed: what it fetches and tells by itself, and what a card asks through it (HubSpot contract, section 2.8). Owns
 * whose account and which person such a request speaks for. Must never believe an account whose own app did not sign, nor a name in a body, nor take
 * a person's request for HubSpot's own: `hubspot.fetch` signs any path, query and body that somebody with a card writes.
 */
import { createHash } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { verifyHubSpotWebhook } from '@patchcord/crm-adapters/relay';
import { type Request, type RequestHandler, raw } from 'express';
import type { AgentConfig } from '../config.ts';
import type { Limits } from '../limits.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { tooMany } from './errors.ts';

/** Puts the bytes in the body: the signature covers them and the public URL, so that nothing may be parsed or rebuilt before it is checked. */
export const signedBody: RequestHandler = raw({ type: () => true, limit: '1mb' });

/** What checking a signature needs of the relay. */
interface SignedParts {
  readonly tenants: Pick<Tenants, 'all' | 'agentOfCrmUser'>;
  readonly limits: Pick<Limits, 'take' | 'waitMs'>;
  readonly metrics: { readonly refused: { inc(labels: { readonly why: string }): void } };
  readonly publicUrl: () => string;
  readonly now: () => number;
}
type SignedRequest = Pick<Request, 'method' | 'originalUrl' | 'headers' | 'body' | 'ip'>;

/** What one unit of the limit stands for: bytes that are hashed in vain. */
const bytesOfUnit = 65_536;

/**
 * Tenants whose app's secret made the signature of this request. Each secret is tried once, however many tenants have it, and an address that makes
 * us hash much in vain has to wait.
 * @throws PatchcordError `identity.refused` when it is nobody's, `request.too-many`
 */
export async function signersOf(
  parts: SignedParts,
  request: SignedRequest,
  metric: string,
): Promise<readonly Tenant[]> {
  const address = request.ip ?? '';
  const waitMs = await parts.limits.waitMs('refused-signatures', address);
  if (waitMs > 0) throw tooMany(waitMs);
  const body = bytesOf(request);
  const check = {
    method: request.method,
    url: `${parts.publicUrl()}${request.originalUrl}`,
    body,
    headers: request.headers,
  };
  const bySecret = new Map<string, Tenant[]>();
  for (const tenant of parts.tenants.all()) {
    const { crm } = tenant.config;
    if (crm.kind === 'hubspot') bySecret.set(crm.clientSecret, [...(bySecret.get(crm.clientSecret) ?? []), tenant]);
  }
  let refusal: unknown = new PatchcordError('identity.refused', 'No customer of this relay works with HubSpot.');
  const signers: Tenant[] = [];
  for (const [clientSecret, tenants] of bySecret) {
    try {
      verifyHubSpotWebhook({ ...check, clientSecret, now: parts.now() });
      signers.push(...tenants);
    } catch (error) {
      refusal = error;
    }
  }
  if (signers.length > 0) return signers;
  parts.metrics.refused.inc({ why: metric });
  await parts.limits.take('refused-signatures', address, Math.ceil(((body.length + 1) * bySecret.size) / bytesOfUnit));
  throw refusal;
}

/**
 * The tenants for which HubSpot itself asks or tells something, for no person. The address must have exactly the names of `query`, once each: what a
 * person had signed carries `userId`, `portalId` and `userEmail`. A signature has no boundary between address and body, so that a GET has no body, and
 * every other begins as JSON does: no piece of a query can stand there.
 * @throws PatchcordError `identity.refused`, `request.too-many`
 */
export async function fromHubSpotItself(
  parts: SignedParts,
  request: SignedRequest,
  metric: string,
  query: readonly string[] = [],
): Promise<readonly Tenant[]> {
  const signers = await signersOf(parts, request, metric);
  const names = [...queryOf(request).keys()];
  const asItself =
    names.length === query.length &&
    query.every((name) => names.includes(name)) &&
    (query.length > 0 || !request.originalUrl.includes('?')) &&
    // The router takes no notice of what follows it.
    !request.originalUrl.includes('#') &&
    (request.method === 'POST' || bytesOf(request).length === 0);
  if (asItself) return signers;
  parts.metrics.refused.inc({ why: metric });
  throw new PatchcordError(
    'identity.refused',
    'This is answered to HubSpot itself, and to nobody who asks through it.',
  );
}

/** Those who are in this account: several customers of the relay may share one. */
export function inPortal(tenants: readonly Tenant[], portalId: string): readonly Tenant[] {
  return tenants.filter(({ config: { crm } }) => crm.kind === 'hubspot' && crm.portalId === portalId);
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

/** A card's request of somebody who has a phone. */
export type OfAgent = CardRequest & { readonly agent: AgentConfig };

/**
 * Reads a request that a card sent through `hubspot.fetch`: user, account and app stand in the signed query, once each. Where customers share the
 * account, the one that has the user as an agent is asked.
 * @throws PatchcordError `identity.refused`, `request.invalid`, `request.too-many`
 */
export async function cardRequest(parts: SignedParts, request: SignedRequest): Promise<CardRequest> {
  const signers = await signersOf(parts, request, 'hubspot-card');
  const query = queryOf(request);
  const named = (name: string): string => {
    const [value = '', ...others] = query.getAll(name);
    return others.length === 0 && /^\d{1,20}$/.test(value) ? value : '';
  };
  const userId = named('userId');
  const appId = named('appId');
  const tenants = inPortal(signers, named('portalId')).filter(
    ({ config: { crm } }) => crm.kind === 'hubspot' && crm.appId === appId,
  );
  const tenant = tenants.find((one) => parts.tenants.agentOfCrmUser(one, userId) !== undefined) ?? tenants[0];
  if (tenant === undefined || userId === '') {
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

/** @throws PatchcordError `identity.refused` for a person without a phone */
export function withPhone(card: CardRequest): OfAgent {
  const { agent } = card;
  if (agent !== null) return { ...card, agent };
  throw new PatchcordError(
    'identity.refused',
    'No phone is set up for you. Ask your administrator to add your HubSpot user to the phone service.',
  );
}

/** The body of a signed request as JSON; null when it is empty. @throws PatchcordError `request.invalid` */
export function signedJson(request: SignedRequest): unknown {
  return jsonOf(bytesOf(request));
}

function bytesOf({ body }: SignedRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function queryOf({ originalUrl }: SignedRequest): URLSearchParams {
  const start = originalUrl.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : originalUrl.slice(start + 1));
}

const beginnings = [...Buffer.from('{[')];

function jsonOf(bytes: Buffer): unknown {
  const [first] = bytes;
  if (first === undefined) return null;
  try {
    if (beginnings.includes(first)) return JSON.parse(bytes.toString('utf8'));
  } catch {
    // Said below.
  }
  throw new PatchcordError('request.invalid', 'What HubSpot sends must be JSON: an object, or a list of them.');
}
