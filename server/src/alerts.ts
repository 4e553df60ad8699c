/**
 * Alerts: what a person should look at. Owns that each is kept, told to supervisors, webhooks and metrics once, and again only when it happens
 * again in another hour. Must never carry a number in full.
 */
import { createHash } from 'node:crypto';
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import { webhookEffects } from './call-log/effects.ts';
import type { LiveHub } from './live/hub.ts';
import { relayEvent, toStoredEvent } from './live/relay-event.ts';
import type { Log } from './logging.ts';
import type { Metrics } from './metrics.ts';
import type { Store } from './store/contract.ts';
import type { Tenants } from './tenants.ts';

export interface Alert {
  readonly tenant: TenantId;
  readonly agent: AgentId | null;
  /** What it is about; one of few, since metrics count by it. */
  readonly kind: string;
  /** What happened, why it matters, what was done; for a person. */
  readonly message: string;
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
  /** Tells alerts of one kind apart that are not the same matter. */
  readonly about?: string;
}

export interface AlertParts {
  readonly tenants: Tenants;
  readonly store: Store;
  readonly hub: LiveHub;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  /** Told when a webhook waits. */
  readonly effectsWait: () => void;
}

const hourMs = 3_600_000;

export class Alerts {
  readonly #parts: AlertParts;

  constructor(parts: AlertParts) {
    this.#parts = parts;
  }

  /**
   * Keeps and tells an alert. The same kind for the same agent within an hour is only counted.
   * @returns whether it is new
   * @throws PatchcordError `store.unavailable`: it was told to nobody
   */
  async raise(alert: Alert): Promise<boolean> {
    const { tenants, store, hub, metrics, log, now, effectsWait } = this.#parts;
    const at = now();
    const { about } = alert;
    const matter = JSON.stringify([
      alert.tenant,
      alert.agent,
      alert.kind,
      Math.floor(at / hourMs),
      ...(about === undefined ? [] : [about]),
    ]);
    const id = `alert_${createHash('sha256').update(matter).digest('base64url').slice(0, 20)}`;
    const envelope = relayEvent(
      alert.tenant,
      {
        name: 'alert.raised',
        at,
        data: {
          alert: id,
          kind: alert.kind,
          message: alert.message,
          ...(alert.agent === null ? {} : { agent: alert.agent }),
          ...(alert.data === undefined ? {} : { data: { ...alert.data } }),
        },
      },
      id,
    );
    const event = toStoredEvent(envelope, alert.tenant, alert.agent ?? ('' as AgentId), at);
    const config = tenants.find(alert.tenant)?.config;
    const effects = config === undefined ? [] : webhookEffects(config, [event], at);
    const isNew = await store.alerts.raise(
      {
        id,
        tenant: alert.tenant,
        agent: alert.agent,
        kind: alert.kind,
        message: alert.message,
        data: alert.data ?? {},
        at,
      },
      event,
      effects,
    );
    if (!isNew) return false;
    metrics.alerts.inc({ kind: alert.kind });
    log.warn({ tenant: alert.tenant, agent: alert.agent, kind: alert.kind }, 'alert raised');
    hub.tellTenant(alert.tenant, envelope);
    if (effects.length > 0) effectsWait();
    return true;
  }
}
