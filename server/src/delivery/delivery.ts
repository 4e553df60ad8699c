/**
 * Works the outbox: claims what is due, delivers it, settles it, and sleeps until the next is due. Owns leases, retries, pauses a CRM asked
 * for, and giving up. Delivery is at-least-once with idempotent effects; a crash at any line here repeats an effect and never loses one.
 */
import { errorCode, type PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import { revokeAtEdge } from '../credentials/edge.ts';
import type { EdgeRevocation } from '../credentials/revoke.ts';
import type { LiveHub } from '../live/hub.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { EffectKind, LeasedEffect, Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { retryDelayMs } from './backoff.ts';
import { deliverLog, logFailed } from './deliver-log.ts';
import { deliverWebhook } from './deliver-webhook.ts';
import type { Delivered } from './delivered.ts';

export interface DeliverySettings {
  readonly leaseMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly attempts: number;
}

/** What may be under way at once, counted apart: an endpoint that lets every webhook time out must not hold a log back. */
const pools: readonly { readonly kinds: readonly EffectKind[]; readonly atOnce: number }[] = [
  { kinds: ['crm.log', 'edge.revoke'], atOnce: 16 },
  { kinds: ['webhook'], atOnce: 16 },
];
/** Asked again at least this often: another relay may have enqueued, or lost, something. */
const longestSleepMs = 2_000;
/** A CRM that does not know us is an administrator's matter; asking it every second would only lock the account. Logs wait until it does. */
const notAuthenticMs = 900_000;

export class Delivery {
  readonly #store: Store;
  readonly #tenants: Tenants;
  readonly #recorder: EventRecorder;
  readonly #hub: LiveHub;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #settings: DeliverySettings;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #working = pools.map(() => new Set<Promise<void>>());
  readonly #pausedUntil = new Map<TenantId, number>();
  #timer: NodeJS.Timeout | undefined;
  #claiming: Promise<void> | null = null;
  #claimAgain = false;
  #running = false;

  constructor(options: {
    readonly store: Store;
    readonly tenants: Tenants;
    readonly recorder: EventRecorder;
    readonly hub: LiveHub;
    readonly metrics: Metrics;
    readonly log: Log;
    readonly settings: DeliverySettings;
    readonly now: () => number;
    readonly random: () => number;
  }) {
    this.#store = options.store;
    this.#tenants = options.tenants;
    this.#recorder = options.recorder;
    this.#hub = options.hub;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#settings = options.settings;
    this.#now = options.now;
    this.#random = options.random;
  }

  start(): void {
    this.#running = true;
    this.wake();
  }

  /** Something was enqueued: look now. */
  wake(): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    if (this.#claiming !== null) {
      this.#claimAgain = true;
      return;
    }
    this.#claiming = this.#claim()
      .catch((error: unknown) => this.#log.error({ err: error }, 'the outbox could not be read'))
      .then(async () => {
        this.#claiming = null;
        if (this.#claimAgain) {
          this.#claimAgain = false;
          this.wake();
        } else {
          await this.#sleep();
        }
      });
  }

  /** Claims nothing more and waits for what is under way, at most `withinMs`; what is not finished then is repeated after its lease. */
  async stop(withinMs: number): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    const finished = (async () => {
      await this.#claiming;
      await Promise.allSettled(this.#working.flatMap((working) => [...working]));
    })();
    await Promise.race([finished, deadline]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
  }

  async #sleep(): Promise<void> {
    if (!this.#running) return;
    let sleepMs = longestSleepMs;
    try {
      // A full pool is woken by the end of a delivery, not by the clock.
      const kinds = pools.flatMap((pool, index) => ((this.#working[index]?.size ?? 0) < pool.atOnce ? pool.kinds : []));
      const due = kinds.length === 0 ? null : await this.#store.outbox.nextDue(kinds);
      // Something due that could not be claimed (a paused CRM) is not asked for in a hot loop.
      if (due !== null) sleepMs = Math.min(longestSleepMs, Math.max(10, due - this.#now()));
      if (this.#pausedUntil.size > 0) sleepMs = Math.max(sleepMs, 100);
    } catch {
      // the store is away: `#claim` has said so
    }
    // `wake` or `stop` may have come while the store was asked.
    if (!this.#running || this.#claiming !== null) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), sleepMs);
  }

  async #claim(): Promise<void> {
    const now = this.#now();
    for (const [tenant, until] of this.#pausedUntil) if (until <= now) this.#pausedUntil.delete(tenant);
    for (const [index, { kinds, atOnce }] of pools.entries()) {
      const working = this.#working[index];
      const free = atOnce - (working?.size ?? 0);
      if (working === undefined || free <= 0) continue;
      const effects = await this.#store.outbox.claim({
        now,
        leaseMs: this.#settings.leaseMs,
        limit: free,
        kinds,
        pausedTenants: [...this.#pausedUntil.keys()],
      });
      for (const effect of effects) this.#begin(effect, working);
    }
  }

  #begin(effect: LeasedEffect, working: Set<Promise<void>>): void {
    const work: Promise<void> = this.#work(effect)
      .catch((error: unknown) => this.#log.error({ err: error, ...about(effect) }, 'a delivery could not be settled'))
      .then(() => {
        working.delete(work);
        // A place is free, or a newer fold waits.
        this.wake();
      });
    working.add(work);
  }

  async #work(effect: LeasedEffect): Promise<void> {
    const hold = setInterval(() => {
      this.#store.outbox.renew(effect, this.#now() + this.#settings.leaseMs).catch(() => {
        // The lease runs out then, and whoever takes over repeats an idempotent effect.
      });
    }, this.#settings.leaseMs / 3);
    try {
      const delivered = await this.#deliver(effect);
      if (delivered.postponedTo !== undefined) {
        await this.#store.outbox.postpone(effect, delivered.postponedTo);
        return;
      }
      const result = await this.#store.outbox.done(effect, this.#now(), delivered);
      this.#metrics.deliveries.inc({ kind: effect.kind, result: result === 'lost' ? 'lost' : 'done' });
      if (result === 'lost') {
        this.#log.warn(about(effect), 'a delivery took place, but its lease had run out: it is repeated elsewhere');
        return;
      }
      this.#log[effect.kind === 'webhook' ? 'debug' : 'info'](
        { ...about(effect), attempts: effect.attempts },
        'delivered',
      );
      this.#tell(effect, delivered);
    } catch (error) {
      await this.#failed(effect, error);
    } finally {
      clearInterval(hold);
    }
  }

  async #deliver(effect: LeasedEffect): Promise<Delivered> {
    switch (effect.kind) {
      case 'crm.log':
        return deliverLog(effect, {
          calls: this.#store.calls,
          recorder: this.#recorder,
          tenants: this.#tenants,
          now: this.#now,
        });
      case 'webhook':
        await deliverWebhook(effect, this.#tenants, this.#now());
        return {};
      case 'edge.revoke': {
        const { agent, until, ...kept } = effect.payload as EdgeRevocation;
        const extension = kept.extension ?? this.#tenants.agent(effect.tenant, agent)?.agent.extension;
        // A tenant that is not configured any more has no edge of ours.
        const tenant = this.#tenants.find(effect.tenant)?.config;
        const now = this.#now();
        // What it would refuse has expired by itself.
        if (tenant !== undefined && extension !== undefined && until * 1_000 > now)
          await revokeAtEdge(tenant, extension, until, now);
        return {};
      }
    }
  }

  async #failed(effect: LeasedEffect, error: unknown): Promise<void> {
    const code = errorCode(error);
    const known = code === 'internal' ? null : (error as PatchcordError);
    // A fault of ours may be gone after an update; it is tried again like an outage.
    const retryable = known === null || known.retryable || code === 'crm.not-authentic';
    // A log must outlive any outage, and a revocation ends by itself; only an endpoint that never answers is given up.
    const dead = !retryable || (effect.kind === 'webhook' && effect.attempts >= this.#settings.attempts);
    const reason = known?.message ?? 'The relay failed while delivering this; its log says more.';
    const askedMs =
      code === 'crm.not-authentic' ? Math.max(notAuthenticMs, known?.retryAfterMs ?? 0) : known?.retryAfterMs;
    const delayMs = retryDelayMs(
      effect.attempts,
      { firstMs: this.#settings.firstRetryMs, longestMs: this.#settings.longestRetryMs },
      askedMs,
      this.#random(),
    );
    const now = this.#now();
    if (code === 'crm.rate-limited') this.#pausedUntil.set(effect.tenant, now + delayMs);
    const failure = { reason, dead, dueAt: now + delayMs };
    const outcome =
      effect.kind === 'crm.log' ? logFailed(effect, failure, { tenants: this.#tenants, now: this.#now }) : {};
    const held = await this.#store.outbox.failed(effect, failure, outcome);
    this.#metrics.deliveries.inc({ kind: effect.kind, result: !held ? 'lost' : dead ? 'dead' : 'retried' });
    this.#log[dead ? 'error' : 'warn'](
      { ...about(effect), err: error, attempts: effect.attempts, ...(dead ? {} : { retryInMs: delayMs }) },
      dead ? 'gave up a delivery' : 'a delivery failed and is tried again',
    );
    if (held) this.#tell(effect, outcome);
  }

  #tell(effect: LeasedEffect, delivered: Delivered): void {
    if (delivered.tell !== undefined) this.#hub.tell(effect.tenant, delivered.tell.agent, delivered.tell.event);
  }
}

function about(effect: LeasedEffect): Record<string, unknown> {
  return { kind: effect.kind, tenant: effect.tenant, ...(effect.callId === null ? {} : { callId: effect.callId }) };
}
