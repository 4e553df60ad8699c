/**
 * Works the outbox: claims what is due, delivers it, settles it, and sleeps until the next is due. Owns leases, retries, rests of a CRM or an
 * endpoint that is down, and giving up. Delivery is at-least-once with idempotent effects; a crash at any line here repeats an effect and never
 * loses one.
 */
import { randomUUID } from 'node:crypto';
import { errorCode, type PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { LogWritten } from '@patchcord/crm-adapters/relay';
import { deliverPhrases } from '../after-call/deliver-phrases.ts';
import { deliverSummary } from '../after-call/deliver-summary.ts';
import type { Alert } from '../alerts.ts';
import { type WebhookPayload, webhookIdStart } from '../call-log/effects.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import { type EdgeRevocation, repeatRevocation } from '../credentials/revoke.ts';
import type { LiveHub } from '../live/hub.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { EffectKind, LeasedEffect, Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { MessageWork } from '../voicemails/message-work.ts';
import { retryDelayMs } from './backoff.ts';
import type { CrmLimits } from './crm-limits.ts';
import { logFailed, logSaved, type PreparedLog, prepareLogs, type ReadyLog, writeReady } from './deliver-log.ts';
import { deliverMedia, mediaLifeMs } from './deliver-media.ts';
import { deliverWebhook, EndpointsHealth } from './deliver-webhook.ts';
import type { Delivered } from './delivered.ts';
import { lookAgain } from './second-look.ts';

export interface DeliverySettings {
  readonly leaseMs: number;
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly attempts: number;
}

/**
 * What may be under way at once, counted apart: an endpoint that lets every webhook time out must not hold a log back, nor one tenant's CRM
 * another tenant's logs. A batch of logs is one delivery.
 */
const pools: readonly { readonly kinds: readonly EffectKind[]; readonly atOnce: number; readonly perTenant: number }[] =
  [
    { kinds: ['crm.log', 'edge.revoke'], atOnce: 64, perTenant: 8 },
    { kinds: ['webhook'], atOnce: 64, perTenant: 16 },
    { kinds: ['crm.recording', 'crm.transcript', 'crm.second-look', 'call.phrases'], atOnce: 16, perTenant: 4 },
    // A model thinks for a minute, and one that is overrun for longer.
    { kinds: ['call.summary'], atOnce: 16, perTenant: 2 },
    { kinds: ['voicemail.log'], atOnce: 16, perTenant: 8 },
    // Heard a few times faster than it was spoken.
    { kinds: ['voicemail.words'], atOnce: 8, perTenant: 2 },
  ];
/** Effects taken from the store in one go. */
const claimedAtOnce = 400;
/** Logs of a batch that were looked up by then are written together; what looks for longer holds none of them back, ms. */
const preparedTogetherMs = 100;
/** Calls that no phone saw, reported at once out of one batch: each is looked for until it shows. */
const reportedAtOnce = 8;
/** Asked again at least this often: another relay may have enqueued, or lost, something. */
const longestSleepMs = 2_000;
/** What is due and cannot be taken (its CRM rests, its key is held) is looked at this often. */
const heldBackMs = 100;
/**
 * A CRM that does not know us is an administrator's matter; asking it every second would only lock the account. One log of the tenant asks again
 * after the first of these, then after twice as long each time.
 */
const notAuthenticMs = { first: 20_000, longest: 900_000 } as const;
/** So many failures in a row, and a CRM counts as down: one log at a time sees whether it is back. */
const downAfter = 3;
const longestRestMs = 30_000;
/** A webhook that nobody took for this long is given up, however seldom it was tried while its endpoint rested. */
const webhookLifeMs = 3 * 86_400_000;
const heartbeatMs = 2_000;
/** A relay that was not heard of for this long has no share any more. */
const aliveMs = 6_000;

/** A tenant's CRM that fails: nothing is asked of it before `until`, then one log tries. */
interface Rest {
  readonly failures: number;
  readonly until: number;
}

export class Delivery {
  readonly #store: Store;
  readonly #tenants: Tenants;
  readonly #recorder: EventRecorder;
  readonly #hub: LiveHub;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #settings: DeliverySettings;
  readonly #limits: CrmLimits;
  readonly #raise: (alert: Alert) => Promise<unknown>;
  readonly #messages: MessageWork;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #relay = randomUUID();
  readonly #endpoints = new EndpointsHealth();
  readonly #working = pools.map(() => new Set<Promise<void>>());
  /** `kind tenant` → deliveries under way. */
  readonly #places = new Map<string, number>();
  readonly #rests = new Map<TenantId, Rest>();
  #timer: NodeJS.Timeout | undefined;
  #heart: NodeJS.Timeout | undefined;
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
    readonly limits: CrmLimits;
    /** Told what an administrator should know of a log. */
    readonly raise: (alert: Alert) => Promise<unknown>;
    readonly messages: MessageWork;
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
    this.#limits = options.limits;
    this.#raise = options.raise;
    this.#messages = options.messages;
    this.#now = options.now;
    this.#random = options.random;
  }

  /** What this relay's heartbeats name it. */
  get relay(): string {
    return this.#relay;
  }

  /** How the tenants' webhook endpoints fare. */
  get endpoints(): EndpointsHealth {
    return this.#endpoints;
  }

  start(): void {
    this.#running = true;
    this.#heart = setInterval(() => void this.#beat(), heartbeatMs);
    // Known before the first request: who joins takes no more than its share.
    void this.#beat().then(() => this.wake());
  }

  /** The clock was set back: rests that it dated end now, and the next attempts see who is still down. */
  clockSetBack(): void {
    this.#rests.clear();
    this.#endpoints.endRests();
    this.#limits.endPauses();
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
    clearInterval(this.#heart);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    const finished = (async () => {
      await this.#claiming;
      await Promise.allSettled(this.#working.flatMap((working) => [...working]));
      await this.#store.outbox.lastHeartbeat(this.#relay).catch(() => {
        // The others miss us soon.
      });
    })();
    await Promise.race([finished, deadline]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
  }

  async #beat(): Promise<void> {
    try {
      const now = this.#now();
      this.#limits.shareWith(await this.#store.outbox.heartbeat(this.#relay, now, now - aliveMs));
    } catch {
      // The store is away: nothing can be claimed either, and `#claim` says so.
    }
  }

  async #sleep(): Promise<void> {
    if (!this.#running) return;
    let sleepMs = longestSleepMs;
    try {
      // A full pool is woken by the end of a delivery, not by the clock.
      const kinds = pools.flatMap((pool, index) => ((this.#working[index]?.size ?? 0) < pool.atOnce ? pool.kinds : []));
      const due = kinds.length === 0 ? null : await this.#store.outbox.nextDue(kinds);
      const now = this.#now();
      if (due !== null) sleepMs = due <= now ? heldBackMs : Math.min(longestSleepMs, Math.max(10, due - now));
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
    for (const [index, { kinds, atOnce, perTenant }] of pools.entries()) {
      const working = this.#working[index];
      if (working === undefined || working.size >= atOnce) continue;
      const effects = await this.#store.outbox.claim({
        now,
        leaseMs: this.#settings.leaseMs,
        limit: claimedAtOnce,
        kinds,
        pausedTenants: [],
        mostOf: (tenant, kind) => this.#mostOf(tenant, kind, perTenant, now),
      });
      for (const together of this.#together(effects)) this.#begin(together, working);
    }
  }

  /** How much of a tenant's may be taken now: its free places, and of each kind one only while its CRM is down. */
  #mostOf(tenant: TenantId, kind: EffectKind, perTenant: number, now: number): number {
    const free = perTenant - (this.#places.get(`${kind} ${tenant}`) ?? 0);
    if (!kind.startsWith('crm.') || free <= 0) return Math.max(0, free);
    if (this.#limits.pausedUntil(tenant) > now) return 0;
    const rest = this.#rests.get(tenant);
    if (rest !== undefined && rest.until > now) return 0;
    if (rest !== undefined && rest.failures >= downAfter) return free === perTenant ? 1 : 0;
    if (kind !== 'crm.log') return free;
    const batch = this.#tenants.find(tenant)?.crm.can.batch ?? 0;
    // Four full batches keep a CRM busy; more would only wait at its limits.
    return Math.min(free * Math.max(1, batch), Math.max(perTenant, 4 * batch));
  }

  /** What is delivered in one go: logs of one tenant in batches as its CRM takes them, everything else alone. */
  #together(effects: readonly LeasedEffect[]): readonly (readonly LeasedEffect[])[] {
    const groups: LeasedEffect[][] = [];
    const open = new Map<TenantId, LeasedEffect[]>();
    for (const effect of effects) {
      const batch = effect.kind === 'crm.log' ? (this.#tenants.find(effect.tenant)?.crm.can.batch ?? 0) : 0;
      const group = open.get(effect.tenant);
      if (batch > 1 && group !== undefined && group.length < batch) {
        group.push(effect);
        continue;
      }
      const begun = [effect];
      groups.push(begun);
      if (batch > 1) open.set(effect.tenant, begun);
    }
    return groups;
  }

  #begin(effects: readonly LeasedEffect[], working: Set<Promise<void>>): void {
    const [first] = effects;
    if (first === undefined) return;
    const place = `${first.kind} ${first.tenant}`;
    this.#places.set(place, (this.#places.get(place) ?? 0) + 1);
    const work: Promise<void> = this.#work(effects, first)
      .catch((error: unknown) => this.#log.error({ err: error, ...about(first) }, 'a delivery could not be settled'))
      .then(() => {
        working.delete(work);
        const left = (this.#places.get(place) ?? 1) - 1;
        if (left === 0) this.#places.delete(place);
        else this.#places.set(place, left);
        // A place is free, or a newer fold waits.
        this.wake();
      });
    working.add(work);
  }

  async #work(effects: readonly LeasedEffect[], first: LeasedEffect): Promise<void> {
    const held = new Set(effects);
    const hold = setInterval(() => {
      this.#store.outbox.renewAll([...held], this.#now() + this.#settings.leaseMs).catch(() => {
        // The leases run out then, and whoever takes over repeats idempotent effects.
      });
    }, this.#settings.leaseMs / 3);
    try {
      if (first.kind === 'crm.log') await this.#workLogs(effects, held);
      else await this.#workOne(first);
    } finally {
      clearInterval(hold);
    }
  }

  async #workOne(effect: LeasedEffect): Promise<void> {
    let delivered: Delivered;
    try {
      delivered = await this.#deliver(effect);
    } catch (error) {
      await this.#failed(effect, error);
      return;
    }
    await this.#settle(effect, delivered);
  }

  async #workLogs(effects: readonly LeasedEffect[], held: Set<LeasedEffect>): Promise<void> {
    const settled = async (effect: LeasedEffect, settle: Promise<void>): Promise<void> => {
      try {
        await settle;
      } catch (error) {
        this.#log.error({ err: error, ...about(effect) }, 'a delivery could not be settled');
        void this.#writeAgainInTime(effect);
      } finally {
        held.delete(effect);
      }
    };
    const prepared = await prepareLogs(effects, {
      calls: this.#store.calls,
      creators: this.#store.logCreators,
      raise: this.#raise,
      recorder: this.#recorder,
      tenants: this.#tenants,
      saidIn: (tenant, voicemail) => this.#messages.saidIn(tenant, voicemail),
      now: this.#now,
    });
    const working: Promise<void>[] = [];
    const begin = (work: Promise<void>): void => {
      const failed = (error: unknown): void => this.#log.error({ err: error }, 'logs could not be delivered');
      working.push(work.catch(failed));
    };
    const unseen: ReadyLog[] = [];
    let reporting = 0;
    const report = async (): Promise<void> => {
      reporting += 1;
      for (let log = unseen.shift(); log !== undefined; log = unseen.shift()) await this.#writeTogether([log], settled);
      reporting -= 1;
    };
    for await (const wave of inWaves(prepared, preparedTogetherMs)) {
      const seen: ReadyLog[] = [];
      for (const one of wave) {
        if ('ready' in one) (one.ready.unseen === undefined ? seen : unseen).push(one.ready);
        else if ('delivered' in one) begin(settled(one.effect, this.#settle(one.effect, one.delivered)));
        else {
          // Of a look-up that failed only an outage says something of the CRM: what else there is may be a fault of ours, or of one call.
          if (isAway(one.error)) this.#fared(one.effect.tenant, [one.error]);
          begin(settled(one.effect, this.#failed(one.effect, one.error)));
        }
      }
      if (seen.length > 0) begin(this.#writeTogether(seen, settled));
      while (unseen.length > 0 && reporting < reportedAtOnce) begin(report());
    }
    await Promise.all(working);
  }

  /** Writes logs of one tenant and settles each. */
  async #writeTogether(
    logs: readonly ReadyLog[],
    settled: (effect: LeasedEffect, settle: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const written = await writeReady(logs);
    const [first] = logs;
    if (first !== undefined)
      this.#fared(
        first.effect.tenant,
        written.map((one) => ('error' in one ? one.error : null)),
      );
    await Promise.all(
      logs.map((log, index) => {
        const one = written[index];
        return one === undefined ? undefined : settled(log.effect, this.#settleWritten(log, one));
      }),
    );
  }

  async #settleWritten(log: ReadyLog, one: LogWritten): Promise<void> {
    if ('error' in one) return this.#failed(log.effect, one.error);
    let saved: Delivered;
    try {
      saved = logSaved(log, one.logId, this.#now());
    } catch (error) {
      return this.#failed(log.effect, error);
    }
    return this.#settle(log.effect, saved);
  }

  /** How a tenant's CRM fared with logs that were written together; null stands for one that was taken. */
  #fared(tenant: TenantId, outcomes: readonly unknown[]): void {
    const errors = outcomes.filter((outcome) => outcome === null || isFromCrm(outcome));
    if (errors.length === 0) return;
    const before = this.#rests.get(tenant);
    const answered = errors.some((error) => error === null || !isAway(error));
    if (answered) {
      if (before === undefined) return;
      this.#rests.delete(tenant);
      if (before.failures < downAfter) return;
      this.#log.info({ tenant }, 'the CRM is back');
      // What failed while it was away need not wait out its own back-off.
      this.#store.outbox.hurry(tenant, 'crm.log', this.#now()).then(
        () => this.wake(),
        () => {
          // The store is away; the logs go out when their back-off ends.
        },
      );
      return;
    }
    const shutOut = errors.some((error) => errorCode(error) === 'crm.not-authentic');
    const failures = Math.max((before?.failures ?? 0) + 1, shutOut ? downAfter : 0);
    const now = this.#now();
    const restMs = shutOut
      ? Math.min(notAuthenticMs.longest, notAuthenticMs.first * 2 ** Math.min(failures - downAfter, 10))
      : failures < downAfter
        ? 0
        : retryDelayMs(
            failures - downAfter + 1,
            {
              firstMs: this.#settings.firstRetryMs,
              longestMs: Math.min(longestRestMs, this.#settings.longestRetryMs),
            },
            undefined,
            this.#random(),
          );
    if (failures >= downAfter && (before?.failures ?? 0) < downAfter)
      this.#log.warn({ tenant }, 'the CRM does not answer: one log at a time sees whether it is back');
    this.#rests.set(tenant, { failures, until: Math.max(before?.until ?? 0, now + restMs) });
  }

  async #settle(effect: LeasedEffect, delivered: Delivered): Promise<void> {
    if (delivered.postponedTo !== undefined) {
      await this.#store.outbox.postpone(effect, delivered.postponedTo);
      return;
    }
    const result = await this.#store.outbox.done(effect, this.#now(), delivered);
    this.#metrics.deliveries.inc({ kind: effect.kind, result: result === 'lost' ? 'lost' : 'done' });
    if (result === 'lost') {
      this.#log.warn(about(effect), 'a delivery took place, but its lease had run out: it is repeated elsewhere');
      await this.#writeAgain(effect);
      return;
    }
    this.#log[effect.kind === 'webhook' ? 'debug' : 'info'](
      { ...about(effect), attempts: effect.attempts },
      'delivered',
    );
    this.#tell(effect, delivered);
  }

  /**
   * Ours was a write without a lease. Whoever has the lease may have finished before: then ours, made late, stands over a newer one. The newest
   * fold is written once more.
   */
  async #writeAgain(effect: LeasedEffect): Promise<void> {
    if (effect.kind !== 'crm.log') return;
    await this.#store.outbox.enqueue([{ ...effect, dueAt: this.#now() }]);
    this.wake();
  }

  /** Whether ours had a lease is not known while the store can't be asked: as without one, as soon as it can. Never rejects. */
  async #writeAgainInTime(effect: LeasedEffect): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#writeAgain(effect);
        return;
      } catch {
        if (!this.#running) return;
        const { firstRetryMs: firstMs, longestRetryMs: longestMs } = this.#settings;
        const delayMs = retryDelayMs(attempt, { firstMs, longestMs }, undefined, this.#random());
        await new Promise((resolve) => setTimeout(resolve, delayMs).unref());
      }
    }
  }

  async #deliver(effect: LeasedEffect): Promise<Delivered> {
    switch (effect.kind) {
      case 'crm.log':
        throw new RangeError('Logs are written by #workLogs.');
      case 'webhook':
        return this.#deliverWebhook(effect);
      case 'crm.recording':
      case 'crm.transcript':
        return deliverMedia(effect, { store: this.#store, tenants: this.#tenants, now: this.#now });
      case 'call.phrases':
      case 'call.summary': {
        const parts = {
          store: this.#store,
          tenants: this.#tenants,
          recorder: this.#recorder,
          hub: this.#hub,
          now: this.#now,
        };
        return effect.kind === 'call.phrases' ? deliverPhrases(effect, parts) : deliverSummary(effect, parts);
      }
      case 'voicemail.words':
        return this.#messages.writeDown(effect);
      case 'voicemail.log':
        return this.#messages.findCall(effect);
      case 'crm.second-look':
        return lookAgain(effect, {
          calls: this.#store.calls,
          creators: this.#store.logCreators,
          recorder: this.#recorder,
          tenants: this.#tenants,
          now: this.#now,
        });
      case 'edge.revoke':
        await repeatRevocation(
          { tenants: this.#tenants, store: this.#store, log: this.#log, now: this.#now },
          effect.tenant,
          effect.payload as EdgeRevocation,
        );
        return {};
    }
  }

  async #deliverWebhook(effect: LeasedEffect): Promise<Delivered> {
    const { url } = effect.payload as WebhookPayload;
    const { tenant } = effect;
    const idStart = webhookIdStart(url);
    const hurry = async (): Promise<void> => {
      await this.#store.outbox.hurry(tenant, 'webhook', this.#now(), idStart);
      this.wake();
    };
    const wait = this.#endpoints.notBefore(tenant, url, this.#now());
    if (wait !== null) {
      await this.#store.outbox.rest(tenant, 'webhook', idStart, wait.backlogUntil);
      // It may have come back while that was written.
      if (this.#endpoints.of(tenant, url).failures === 0) await hurry();
      return { postponedTo: wait.lookAt };
    }
    let rested: boolean;
    try {
      await deliverWebhook(effect, this.#tenants, this.#now());
      rested = this.#endpoints.taken(tenant, url, this.#now());
    } catch (error) {
      if (errorCode(error) === 'config.invalid') {
        this.#endpoints.forget(tenant, url);
        throw error;
      }
      const reason = errorCode(error) === 'internal' ? 'The relay failed.' : (error as PatchcordError).message;
      this.#endpoints.failed(tenant, url, reason, this.#now(), this.#settings.firstRetryMs);
      throw error;
    }
    // One that was tried before may have been put off by another relay, which waits for it to see how the endpoint fares.
    if (rested || effect.attempts > 1) {
      await hurry().catch(() => {
        // The store is away; what waits goes out when it is due.
      });
    }
    return {};
  }

  async #failed(effect: LeasedEffect, error: unknown): Promise<void> {
    const code = errorCode(error);
    const known = code === 'internal' ? null : (error as PatchcordError);
    // A fault of ours may be gone after an update; it is tried again like an outage.
    const retryable = known === null || known.retryable || code === 'crm.not-authentic';
    // A log must outlive any outage, and a revocation ends by itself; an endpoint that never answers, or what only adds to a log, is given up.
    const now = this.#now();
    const lifeMs = effect.kind === 'webhook' ? webhookLifeMs : mediaLifeMs;
    const tooOld = effect.attempts >= this.#settings.attempts || now - effect.createdAt > lifeMs;
    const dead = !retryable || (effect.kind !== 'crm.log' && effect.kind !== 'edge.revoke' && tooOld);
    const reason = known?.message ?? 'The relay failed while delivering this; its log says more.';
    const askedMs = known?.retryAfterMs;
    const delayMs = retryDelayMs(
      effect.attempts,
      { firstMs: this.#settings.firstRetryMs, longestMs: this.#settings.longestRetryMs },
      askedMs,
      this.#random(),
    );
    if (code === 'crm.rate-limited' && effect.kind.startsWith('crm.')) {
      const rest = this.#rests.get(effect.tenant);
      this.#rests.set(effect.tenant, {
        failures: rest?.failures ?? 0,
        until: Math.max(rest?.until ?? 0, now + (askedMs ?? delayMs)),
      });
    }
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
    // A write whose answer was lost may have been made all the same; one that was refused was not.
    else if (retryable) await this.#writeAgain(effect);
  }

  #tell(effect: LeasedEffect, delivered: Delivered): void {
    if (delivered.tell !== undefined) this.#hub.tell(effect.tenant, delivered.tell.agent, delivered.tell.event);
  }
}

/** What is there by now, and a moment later what came meanwhile, until nothing is left. */
async function* inWaves(
  prepared: readonly Promise<PreparedLog>[],
  togetherMs: number,
): AsyncGenerator<readonly PreparedLog[]> {
  const waiting = new Set(prepared);
  let wave: PreparedLog[] = [];
  for (const one of prepared)
    void one.then((log) => {
      waiting.delete(one);
      wave.push(log);
    });
  while (waiting.size > 0 || wave.length > 0) {
    let timer: NodeJS.Timeout | undefined;
    if (wave.length === 0) await Promise.race(waiting);
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, togetherMs);
    });
    await Promise.race([Promise.all(waiting), enough]);
    clearTimeout(timer);
    const ready = wave;
    wave = [];
    yield ready;
  }
}

/** Whether the CRM had a part in it. Our own gate refuses as the CRM does when it is asked too fast: that says neither that it is there nor not. */
function isFromCrm(error: unknown): boolean {
  const code = errorCode(error);
  return code.startsWith('crm.') && code !== 'crm.rate-limited';
}

/** Whether nobody is there to write to, in contrast to a refusal of this or that log. */
function isAway(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'crm.unavailable' || code === 'crm.not-authentic';
}

function about(effect: LeasedEffect): Record<string, unknown> {
  return { kind: effect.kind, tenant: effect.tenant, ...(effect.callId === null ? {} : { callId: effect.callId }) };
}
