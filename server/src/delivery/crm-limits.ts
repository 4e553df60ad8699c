/**
 * How fast each CRM is asked: a token bucket per account that is used ahead of the CRM's own count, so that it never has to refuse.
 * Owns what the CRMs grant, the share of this relay among those on one store, who goes first, and what is learned from answers. Must never
 * know what is asked.
 *
 * Granted (HubSpot contract, section 2.5; Salesforce contract, section 3.1): HubSpot 110 requests in 10 s to an OAuth app in each account that
 * installed it, and 5 searches a second to each token; its answers may say more. Tenants in different accounts never share any of it; tenants
 * in one account share one bucket and are served in turn. Salesforce grants no rate but a number of API calls in 24 hours and of long requests
 * at once.
 */
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { GatedRequest, RequestGate, SaidOfLimits } from '@patchcord/crm-adapters/relay';
import type { TenantConfig } from '../config.ts';
import { SearchPace } from './search-pace.ts';

interface Granted {
  readonly requests: number;
  readonly perMs: number;
  readonly searchesPerSecond: number;
  readonly atOnce: number;
  readonly dailyShare: number;
}

const unlimited = Number.POSITIVE_INFINITY;
const granted: Readonly<Record<TenantConfig['crm']['kind'], Granted>> = {
  hubspot: { requests: 110, perMs: 10_000, searchesPerSecond: 5, atOnce: 10, dailyShare: 0.95 },
  // 25 requests of 20 s and longer may run at once in a production org, 5 in a developer org.
  salesforce: { requests: unlimited, perMs: 1_000, searchesPerSecond: unlimited, atOnce: 5, dailyShare: 0.9 },
  memory: { requests: unlimited, perMs: 1_000, searchesPerSecond: unlimited, atOnce: unlimited, dailyShare: 1 },
};

/**
 * Of what is granted, this much flows evenly and this much may come at once: together 95 % in any span, so that a neighbour who counts
 * differently, or a relay that has just joined, still finds room.
 */
const flowing = 0.85;
const atOnceShare = 0.1;
/** After a refusal: this much of the flow, growing back by half in every quarter of the span without another one. */
const cautious = 0.25;
/** A refusal that does not say how long. */
const unsaidPauseMs = 5_000;
/** Who would have to wait longer comes back later: a person soon, a delivery not. */
const patience = { urgent: 4_000, other: 60_000 } as const;
/** How often a day's allowance that is used up is looked at again. */
const dayLookMs = 900_000;

interface Waiting {
  readonly tenant: string;
  readonly request: GatedRequest;
  readonly go: () => void;
  readonly refuse: (error: PatchcordError) => void;
  readonly until: number;
}

/** What stands in front of one account of a CRM, whichever tenants ask it. */
class AccountGate {
  readonly #now: () => number;
  readonly #fixed: boolean;
  readonly #searches: SearchPace;
  readonly #atOnce: number;
  readonly #dailyShare: number;
  #requests: number;
  #perMs: number;
  #share = 1;
  #tokens: number;
  #countedAt: number;
  #caution = 1;
  #calmSince = 0;
  #pausedUntil = 0;
  /** When each tenant was served last, counted in requests. */
  readonly #servedAt = new Map<string, number>();
  #served = 0;
  #underWay = 0;
  #day: { readonly used: number; readonly limit: number } | null = null;
  #dayLookedAt = 0;
  #urgent: Waiting[] = [];
  #other: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(crm: TenantConfig['crm'], now: () => number) {
    const limits = { ...granted[crm.kind], ...('limits' in crm ? crm.limits : {}) };
    this.#now = now;
    this.#fixed = 'limits' in crm && crm.limits.requests !== undefined;
    this.#requests = limits.requests;
    this.#perMs = limits.perMs;
    this.#searches = new SearchPace(limits.searchesPerSecond);
    this.#atOnce = limits.atOnce;
    this.#dailyShare = limits.dailyShare;
    this.#countedAt = now();
    // Who was here a moment ago may have used them: a relay that restarts begins with little.
    this.#tokens = Math.min(1, this.#capacity());
  }

  /** What was dated by a clock that has been set back ends. */
  endPause(): void {
    this.#pausedUntil = 0;
    this.#searches.endPause();
    this.#dayLookedAt = 0;
    this.#calmSince = this.#now();
  }

  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** This relay's part of what all relays together may ask. */
  share(part: number): void {
    this.#count();
    this.#share = part;
    this.#searches.share(part);
    this.#tokens = Math.min(this.#tokens, this.#capacity());
    this.#serve();
  }

  pass(tenant: string, request: GatedRequest): Promise<(said: SaidOfLimits) => void> {
    const now = this.#now();
    const until = Math.max(this.#pausedUntil, request.search ? this.#searches.pausedUntil : 0);
    if (until - now > (request.urgent ? patience.urgent : unsaidPauseMs))
      return Promise.reject(this.#tooLong(until - now));
    if (!request.urgent && this.#dayIsUsedUp(now)) {
      return Promise.reject(
        new PatchcordError(
          'crm.rate-limited',
          'The CRM’s API calls of this day are nearly used up; logs wait so that look-ups go on.',
          { retryable: true, retryAfterMs: dayLookMs },
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        tenant,
        request,
        go: () => {
          this.#underWay += 1;
          let left = false;
          resolve((said) => {
            if (left) return;
            left = true;
            this.#underWay -= 1;
            this.#learn(said);
            this.#serve();
          });
        },
        refuse: reject,
        until: now + (request.urgent ? patience.urgent : patience.other),
      };
      (request.urgent ? this.#urgent : this.#other).push(waiting);
      this.#serve();
    });
  }

  #capacity(): number {
    return Math.max(1, this.#requests * atOnceShare * this.#share);
  }

  #perMilli(): number {
    return ((this.#requests * flowing) / this.#perMs) * this.#share * this.#caution;
  }

  #count(): void {
    const now = this.#now();
    // Nothing is saved up while the CRM wants to be left alone.
    const passed = Math.max(0, now - Math.max(this.#countedAt, this.#pausedUntil));
    this.#countedAt = now;
    if (this.#requests === unlimited) this.#tokens = unlimited;
    else this.#tokens = Math.min(this.#capacity(), this.#tokens + passed * this.#perMilli());
  }

  #serve(): void {
    clearTimeout(this.#timer);
    this.#count();
    const now = this.#now();
    for (const queue of [this.#urgent, this.#other])
      for (const late of queue.filter(({ until }) => until <= now)) {
        queue.splice(queue.indexOf(late), 1);
        late.refuse(this.#tooLong(unsaidPauseMs));
      }
    while (now >= this.#pausedUntil && this.#tokens >= 1 && this.#underWay < this.#places()) {
      const next = this.#takeNext();
      if (next === undefined) break;
      this.#tokens -= 1;
      if (next.request.search) this.#searches.took(now);
      next.go();
    }
    if (this.#urgent.length + this.#other.length === 0) return;
    this.#timer = setTimeout(() => this.#serve(), this.#nextLookMs(now));
  }

  /** At least one at a time, however many relays there are. */
  #places(): number {
    return Math.max(1, Math.floor(this.#atOnce * this.#share));
  }

  /** A person before a delivery; among tenants of one account the one that was served longest ago; each tenant's own in their order. */
  #takeNext(): Waiting | undefined {
    const maySearch = this.#searches.untilNext(this.#now()) === 0;
    for (const queue of [this.#urgent, this.#other]) {
      let next: Waiting | undefined;
      for (const one of queue) {
        if (one.request.search && !maySearch) continue;
        if (next === undefined || this.#lastServed(one) < this.#lastServed(next)) next = one;
      }
      if (next === undefined) continue;
      queue.splice(queue.indexOf(next), 1);
      this.#served += 1;
      this.#servedAt.set(next.tenant, this.#served);
      return next;
    }
    return undefined;
  }

  #lastServed({ tenant }: Waiting): number {
    return this.#servedAt.get(tenant) ?? 0;
  }

  #nextLookMs(now: number): number {
    if (this.#pausedUntil > now) return Math.min(1_000, this.#pausedUntil - now);
    if (this.#underWay >= this.#places()) {
      // The end of a request looks by itself; until then only patience ends.
      const first = Math.min(...[...this.#urgent, ...this.#other].map(({ until }) => until));
      return Math.min(1_000, Math.max(1, first - now));
    }
    const untilToken = this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMilli();
    const untilSearch = this.#searches.untilNext(now);
    return Math.min(1_000, Math.max(5, Math.ceil(Math.max(untilToken, untilToken === 0 ? untilSearch : 0))));
  }

  #learn({ refused, window, day }: SaidOfLimits): void {
    const now = this.#now();
    if (day !== undefined) {
      this.#day = day;
      this.#dayLookedAt = now;
    }
    if (window !== undefined && !this.#fixed && this.#requests !== unlimited) {
      this.#requests = window.limit;
      this.#perMs = window.spanMs;
    }
    if (refused !== undefined) {
      this.#count();
      if (refused.searchesOnly === true) {
        this.#searches.pause(now + (refused.retryAfterMs ?? unsaidPauseMs));
        return;
      }
      this.#pausedUntil = Math.max(this.#pausedUntil, now + (refused.retryAfterMs ?? unsaidPauseMs));
      this.#caution = cautious;
      this.#calmSince = this.#pausedUntil;
      this.#tokens = this.#requests === unlimited ? unlimited : 0;
      return;
    }
    // Somebody else asks with our app, too: what is left is less than we would have thought.
    if (window !== undefined && window.remaining < window.limit * 0.02) this.#tokens = Math.min(this.#tokens, 0);
    if (this.#caution < 1 && now - this.#calmSince > this.#perMs / 4) {
      this.#caution = Math.min(1, this.#caution * 1.5);
      this.#calmSince = now;
    }
  }

  #dayIsUsedUp(now: number): boolean {
    if (this.#day === null || this.#day.used < this.#day.limit * this.#dailyShare) return false;
    // One goes to see whether the day has moved on.
    if (now - this.#dayLookedAt < dayLookMs) return true;
    this.#dayLookedAt = now;
    return false;
  }

  #tooLong(ms: number): PatchcordError {
    return new PatchcordError('crm.rate-limited', 'The CRM is asked as fast as it allows; this is tried again later.', {
      retryable: true,
      retryAfterMs: Math.max(1, Math.round(ms)),
    });
  }
}

/** What is counted together: an app's requests in one HubSpot account, or what one tenant asks of its CRM. */
function accountOf({ id, crm }: { readonly id: string; readonly crm: TenantConfig['crm'] }): string {
  if (crm.kind !== 'hubspot' || crm.portalId === undefined) return `tenant ${id}`;
  return `hubspot ${crm.apiUrl} ${crm.portalId} ${crm.appId}`;
}

/** The gates of all tenants of this relay. */
export class CrmLimits {
  readonly #now: () => number;
  /** By account. */
  readonly #gates = new Map<string, AccountGate>();
  readonly #accounts = new Map<string, string>();
  #relays = 1;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The gate for a tenant's adapter; tenants in one account pass the same one, in turn. */
  gateOf(tenant: { readonly id: string; readonly crm: TenantConfig['crm'] }): RequestGate {
    const account = accountOf(tenant);
    this.#accounts.set(tenant.id, account);
    let gate = this.#gates.get(account);
    if (gate === undefined) {
      gate = new AccountGate(tenant.crm, this.#now);
      gate.share(1 / this.#relays);
      this.#gates.set(account, gate);
    }
    const shared = gate;
    return { pass: (request) => shared.pass(tenant.id, request) };
  }

  /** The CRM said no, and nothing is asked of it before; epoch ms, 0 when it did not. */
  pausedUntil(tenant: TenantId): number {
    return this.#gates.get(this.#accounts.get(tenant) ?? '')?.pausedUntil ?? 0;
  }

  /** The clock was set back: what it said of later means nothing any more. */
  endPauses(): void {
    for (const gate of this.#gates.values()) gate.endPause();
  }

  /** So many relays share what the CRMs grant. */
  shareWith(relays: number): void {
    const count = Math.max(1, relays);
    if (count === this.#relays) return;
    this.#relays = count;
    for (const gate of this.#gates.values()) gate.share(1 / count);
  }
}
