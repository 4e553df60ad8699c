/**
 * Delivers one event to one endpoint of the tenant: CloudEvents JSON, signed as Standard Webhooks say. Owns what counts as taken. Must never
 * follow a redirect, nor read more of an answer than its status.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { Webhook } from 'standardwebhooks';
import type { WebhookPayload } from '../call-log/effects.ts';
import type { LeasedEffect } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';

const timeoutMs = 10_000;

/** @throws PatchcordError whose `retryable` and `retryAfterMs` say what to do */
export async function deliverWebhook(effect: LeasedEffect, tenants: Tenants, now: number): Promise<void> {
  const { url, messageId, body } = effect.payload as WebhookPayload;
  const webhook = tenants.find(effect.tenant)?.config.webhooks.find((one) => one.url === url);
  if (webhook === undefined) {
    throw new PatchcordError('config.invalid', 'This webhook endpoint is no longer in the configuration.');
  }
  const at = new Date(now);
  const signatures = [webhook.secret, webhook.previousSecret]
    .filter((secret) => secret !== undefined)
    .map((secret) => new Webhook(secret).sign(messageId, at, body));
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'Patchcord',
        'webhook-id': messageId,
        'webhook-timestamp': String(Math.floor(now / 1_000)),
        'webhook-signature': signatures.join(' '),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
  } catch (cause) {
    throw new PatchcordError('crm.unavailable', 'The webhook endpoint did not answer.', { retryable: true, cause });
  }
  if (response.ok) return;
  const retryAfterMs = retryAfter(response.headers.get('retry-after'), now);
  throw new PatchcordError('crm.unavailable', `The webhook endpoint answered ${response.status}.`, {
    // 410: the endpoint says that it will never want events again
    retryable: response.status !== 410,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** RFC 9110 section 10.2.3: seconds or a date. Bounded, so that an endpoint can't park an event for a year. */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), 3_600_000);
}
