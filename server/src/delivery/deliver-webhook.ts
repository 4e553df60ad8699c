/**
 * Delivers one event to one endpoint of the tenant: CloudEvents JSON, signed as Standard Webhooks say. Owns what counts as taken, and how an
 * endpoint fares. Must never follow a redirect, nor give an answer's body to anybody.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { Webhook } from 'standardwebhooks';
import type { WebhookPayload } from '../call-log/effects.ts';
import type { TenantConfig } from '../config.ts';
import type { LeasedEffect } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { inSpan, traceHeaders } from '../tracing.ts';
import { type OutsideAnswer, postOutside } from './outside-http.ts';

type WebhookConfig = TenantConfig['webhooks'][number];

const timeoutMs = 10_000;
/** An endpoint that failed this often in a row rests: one event tries, the others wait. */
const restAfter = 5;
const longestRestMs = 60_000;
/**
 * What waits for an endpoint that rests is put off by this much in one go, and not anew at every rest; as soon as the endpoint takes an event it is
 * due. Should nobody live to see that, it is due by itself.
 */
const backlogMs = 600_000;

/** How an endpoint fares, as this relay has seen it since it started. Times are epoch ms. */
export interface EndpointHealth {
  /** Failures since it last took an event. */
  readonly failures: number;
  readonly lastTakenAt: number | null;
  readonly lastFailedAt: number | null;
  /** Why it failed last. */
  readonly reason: string | null;
  /** Nothing is sent before. */
  readonly restUntil: number;
}

const unknown: EndpointHealth = { failures: 0, lastTakenAt: null, lastFailedAt: null, reason: null, restUntil: 0 };

/** Remembers how each endpoint fares, so that one which is down is not asked by every event that waits for it. */
export class EndpointsHealth {
  readonly #known = new Map<string, EndpointHealth>();
  /** Endpoints that one event tries right now, after a rest. */
  readonly #tried = new Set<string>();
  /** Until when what waits for an endpoint is put off. */
  readonly #backlogs = new Map<string, number>();

  of(tenant: string, url: string): EndpointHealth {
    return this.#known.get(`${tenant} ${url}`) ?? unknown;
  }

  /**
   * Asked before each event: after a rest one goes and sees.
   * @returns null when it may go; else when to look again, and until when everything else for the endpoint is put off
   */
  notBefore(
    tenant: string,
    url: string,
    now: number,
  ): { readonly lookAt: number; readonly backlogUntil: number } | null {
    const endpoint = `${tenant} ${url}`;
    const { failures, restUntil } = this.of(tenant, url);
    if (failures < restAfter) return null;
    if (restUntil <= now && !this.#tried.has(endpoint)) {
      this.#tried.add(endpoint);
      return null;
    }
    const known = this.#backlogs.get(endpoint) ?? 0;
    const backlogUntil = known > now + longestRestMs ? known : now + backlogMs;
    this.#backlogs.set(endpoint, backlogUntil);
    return { lookAt: restUntil > now ? restUntil : now + timeoutMs, backlogUntil };
  }

  /** @returns whether the endpoint had been resting: what waits for it may go now */
  taken(tenant: string, url: string, now: number): boolean {
    const endpoint = `${tenant} ${url}`;
    const rested = this.of(tenant, url).failures >= restAfter;
    this.forget(tenant, url);
    this.#known.set(endpoint, { ...unknown, lastTakenAt: now });
    return rested;
  }

  /** Nothing is to be sent there any more. */
  forget(tenant: string, url: string): void {
    const endpoint = `${tenant} ${url}`;
    this.#known.delete(endpoint);
    this.#tried.delete(endpoint);
    this.#backlogs.delete(endpoint);
  }

  failed(tenant: string, url: string, reason: string, now: number, firstRetryMs: number): void {
    this.#tried.delete(`${tenant} ${url}`);
    const before = this.of(tenant, url);
    const failures = before.failures + 1;
    const restMs =
      failures < restAfter ? 0 : Math.min(longestRestMs, firstRetryMs * 2 ** Math.min(failures - restAfter, 20));
    this.#known.set(`${tenant} ${url}`, { ...before, failures, lastFailedAt: now, reason, restUntil: now + restMs });
  }

  /** The clock was set back: what it said of later means nothing any more. */
  endRests(): void {
    this.#backlogs.clear();
    for (const [endpoint, health] of this.#known) this.#known.set(endpoint, { ...health, restUntil: 0 });
  }
}

/** @throws PatchcordError whose `retryable` and `retryAfterMs` say what to do */
export async function deliverWebhook(effect: LeasedEffect, tenants: Tenants, now: number): Promise<void> {
  const { url, messageId, body } = effect.payload as WebhookPayload;
  const webhook = tenants.find(effect.tenant)?.config.webhooks.find((one) => one.url === url);
  if (webhook === undefined) {
    throw new PatchcordError('config.invalid', 'This webhook endpoint is no longer in the configuration.');
  }
  const answer = await inSpan('webhook', { callId: effect.callId, kind: 'client' }, () =>
    post(webhook, messageId, body, now),
  );
  if (answer.status >= 200 && answer.status < 300) return;
  const retryAfterMs = retryAfter(answer.headers['retry-after'] ?? null, now);
  throw new PatchcordError('crm.unavailable', `The webhook endpoint answered ${answer.status}.`, {
    // 410: the endpoint says that it will never want events again
    retryable: answer.status !== 410,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** What came back from a test event, in words for an administrator. */
export interface WebhookTried {
  readonly taken: boolean;
  /** HTTP status; null when nobody answered. */
  readonly status: number | null;
  readonly ms: number;
  readonly reason: string;
}

/** Sends an event that says nothing, signed like any other, and tells what came back. It is not tried again. */
export async function tryWebhook(
  tenant: TenantConfig,
  webhook: WebhookConfig,
  messageId: string,
  now: number,
): Promise<WebhookTried> {
  const begun = performance.now();
  const body = JSON.stringify({
    specversion: '1.0',
    id: messageId,
    source: `/tenants/${tenant.id}/relay`,
    type: 'dev.patchcord.webhook.tested.v1',
    time: new Date(now).toISOString(),
    datacontenttype: 'application/json',
    data: {},
  });
  const spent = (): number => Math.round(performance.now() - begun);
  try {
    const { status } = await post(webhook, messageId, body, now);
    const taken = status >= 200 && status < 300;
    const reason = taken
      ? 'The endpoint took the event.'
      : status >= 300 && status < 400
        ? `The endpoint answered ${status}, a redirect; these are not followed. Give the address it leads to.`
        : status === 401 || status === 403
          ? `The endpoint answered ${status}. Check that it verifies with this webhook's secret.`
          : `The endpoint answered ${status}; an event counts as taken from 200 to 299.`;
    return { taken, status, ms: spent(), reason };
  } catch (error) {
    const reason = error instanceof PatchcordError ? error.message : 'The event could not be sent.';
    return { taken: false, status: null, ms: spent(), reason };
  }
}

function post(webhook: WebhookConfig, messageId: string, body: string, now: number): Promise<OutsideAnswer> {
  const at = new Date(now);
  const signatures = [webhook.secret, webhook.previousSecret]
    .filter((secret) => secret !== undefined)
    .map((secret) => new Webhook(secret).sign(messageId, at, body));
  return postOutside(webhook.url, {
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'Patchcord',
      ...traceHeaders(),
      'webhook-id': messageId,
      'webhook-timestamp': String(Math.floor(now / 1_000)),
      'webhook-signature': signatures.join(' '),
    },
    body,
    timeoutMs,
    ...(webhook.allowPrivate === undefined ? {} : { allowPrivate: webhook.allowPrivate }),
  });
}

/** RFC 9110 section 10.2.3: seconds or a date. Bounded, so that an endpoint can't park an event for a year. */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), 3_600_000);
}
