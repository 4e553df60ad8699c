/**
 * What agents call and what it costs, while it happens. Owns pricing a call, closing it once, the running estimate, and noticing what is out of
 * the ordinary. Hears of the same call from several sides (edge, PBX reports, panels) and on every relay; the store counts it once. Must
 * never stop anybody: it says what it found, `brakes.ts` acts.
 */
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { BrakeStore, CallUsage } from '../store/contract.ts';
import { type Anomaly, anomaliesOf, type Past, pastDays, pastOf } from './anomaly.ts';
import { networkCodes } from './destinations.ts';
import { dayIn, hourIn } from './hours.ts';
import { costOf } from './rate-table.ts';
import type { TenantRules } from './rules.ts';

/** One call to outside, as somebody tells it. Times are epoch ms. */
export interface HeardCall {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** The same for everybody who tells of the call, another for every call: a SIP Call-ID alone is the caller's to choose. */
  readonly key: string;
  /** What the version before this one calls it. */
  readonly oldKey?: string;
  /** E.164 digits without the plus. */
  readonly digits: string;
  readonly startedAt: number;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
}

export interface Spent {
  /** Micro-units, running calls included. */
  readonly today: number;
  readonly month: number;
}

export interface Spending {
  readonly tenant: Spent;
  readonly agents: ReadonlyMap<AgentId, Spent>;
  readonly liveCalls: number;
}

export interface Hearing {
  /** Nobody had told of it before. */
  readonly isNew: boolean;
  /** What is unusual about it. */
  readonly anomalies: readonly Anomaly[];
}

/** Calls a relay remembers having told of; forgetting one costs a question to the store. */
const toldAtMost = 20_000;
/** Nobody spoke of it for this long: the end was lost. */
const silentMs = 12 * 3_600_000;

export class Usage {
  readonly #store: BrakeStore;
  readonly #now: () => number;
  /** What this relay has told the store already: call → how far. The longest untouched are forgotten. */
  readonly #told = new Map<string, 'begun' | 'answered' | 'ended'>();
  readonly #pasts = new Map<string, { readonly day: string; readonly past: Past }>();

  constructor(store: BrakeStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /**
   * Takes in how a call stands.
   * @throws PatchcordError `store.unavailable`: tell it again
   */
  async hear(call: HeardCall, rules: TenantRules): Promise<Hearing> {
    const known = `${call.tenant} ${call.key}`;
    let first = false;
    let anomalies: readonly Anomaly[] = [];
    const rate = rules.rates?.of(call.digits) ?? { perMinute: 0, connection: 0 };
    if (!this.#told.has(known)) {
      const country = countryOf(call.digits);
      const hour = hourIn(rules.timeZone, call.startedAt);
      const day = dayIn(rules.timeZone, call.startedAt);
      const { isNew, newCountry } = await this.#store.begun(
        {
          tenant: call.tenant,
          agent: call.agent,
          key: call.key,
          country,
          perMinute: rate.perMinute,
          connection: rate.connection,
          day,
          startedAt: call.startedAt,
          answeredAt: call.answeredAt,
        },
        hour,
        this.#now(),
      );
      first = isNew;
      this.#tell(known, 'begun');
      if (call.oldKey !== undefined && call.oldKey !== call.key) await this.#store.forgetCall(call.tenant, call.oldKey);
      if (isNew) {
        const callsThisHour = await this.#store.begunSince(call.tenant, call.agent, call.startedAt - 3_600_000);
        anomalies = anomaliesOf(await this.#pastOf(call, day, rules.timeZone), {
          newCountry: newCountry && country !== rules.homeCountry,
          hour,
          callsThisHour,
        });
      }
    }
    if (call.answeredAt !== null && this.#told.get(known) === 'begun') {
      await this.#store.answered(call.tenant, call.key, call.answeredAt);
      this.#tell(known, 'answered');
    }
    if (call.endedAt !== null && this.#told.get(known) !== 'ended') {
      const cost = call.answeredAt === null ? 0 : costOf(rate, call.endedAt - call.answeredAt);
      await this.#store.ended(call.tenant, call.key, call.endedAt, cost);
      this.#tell(known, 'ended');
    }
    return { isNew: first, anomalies };
  }

  /** Says that these calls live, so that none of them counts as silent. */
  async alive(tenant: TenantId, keys: readonly string[]): Promise<void> {
    await this.#store.heard(tenant, keys, this.#now());
  }

  /** What was spent up to `at`, with calls that run counted as if they ended then. */
  async spending(tenant: TenantId, rules: TenantRules, at: number): Promise<Spending> {
    const today = dayIn(rules.timeZone, this.#now());
    const month = `${today.slice(0, 8)}01`;
    const [days, live] = await Promise.all([this.#store.days(tenant, month), this.#store.live(tenant)]);
    const agents = new Map<AgentId, { today: number; month: number }>();
    const all = { today: 0, month: 0 };
    const add = (agent: AgentId, day: string, cost: number): void => {
      const own = agents.get(agent) ?? { today: 0, month: 0 };
      agents.set(agent, own);
      for (const sum of [own, all]) {
        sum.month += cost;
        if (day === today) sum.today += cost;
      }
    };
    for (const { agent, day, spent } of days) add(agent, day, spent);
    for (const call of live) {
      if (call.answeredAt !== null && call.day >= month) add(call.agent, call.day, costOf(call, at - call.answeredAt));
    }
    return { tenant: all, agents, liveCalls: live.length };
  }

  /** Closes calls whose end nobody told, at the last word about them. Returns how many. */
  async closeSilent(): Promise<number> {
    const silent = await this.#store.silent(this.#now() - silentMs, 500);
    for (const call of silent) await this.#close(call, call.heardAt);
    return silent.length;
  }

  /** Closes a call that the edge, which had it, has no more: it lost its memory, and the end is not known better than this. */
  async closeLost(tenant: TenantId, key: string, at: number): Promise<void> {
    const call = (await this.#store.live(tenant)).find((one) => one.key === key);
    if (call !== undefined) await this.#close(call, at);
  }

  /** Lets go of what need not be known any more about ended calls. */
  forget(tenant: TenantId, key: string): void {
    this.#told.delete(`${tenant} ${key}`);
  }

  #tell(known: string, how: 'begun' | 'answered' | 'ended'): void {
    this.#told.delete(known);
    this.#told.set(known, how);
    if (this.#told.size <= toldAtMost) return;
    for (const oldest of this.#told.keys()) {
      this.#told.delete(oldest);
      return;
    }
  }

  async #close(call: CallUsage, at: number): Promise<void> {
    const cost = call.answeredAt === null ? 0 : costOf(call, at - call.answeredAt);
    await this.#store.ended(call.tenant, call.key, at, cost);
    this.forget(call.tenant, call.key);
  }

  async #pastOf(call: HeardCall, today: string, timeZone: string): Promise<Past> {
    const key = `${call.tenant} ${call.agent}`;
    const known = this.#pasts.get(key);
    if (known?.day === today) return known.past;
    const from = dayIn(timeZone, call.startedAt - pastDays * 86_400_000);
    const days = await this.#store.days(call.tenant, from, call.agent);
    const past = pastOf(days.filter(({ day }) => day < today));
    this.#pasts.set(key, { day: today, past });
    return past;
  }
}

/** The country a number belongs to, or the code of a network without one; `??` where nobody knows. */
export function countryOf(digits: string): string {
  const network = networkCodes.find((code) => digits.startsWith(code));
  if (network !== undefined) return `+${network}`;
  return parsePhoneNumberFromString(`+${digits}`)?.country ?? '??';
}
