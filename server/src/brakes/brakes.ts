/**
 * The brakes against toll fraud: the one door of this folder. Owns who is stopped or slowed down and for how long, telling the edges, and what
 * follows when something is wrong. Enforcement is at the edge and at minting; this must never be needed for a call to be refused.
 */
import { type AgentId, type CallLog, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { callerIdsOf } from '../agent-features.ts';
import type { Alerts } from '../alerts.ts';
import type { Audit } from '../audit.ts';
import type { CallReport } from '../call-log/call-report.ts';
import type { AgentConfig, TenantConfig } from '../config.ts';
import { type EdgeControl, edgeControl } from '../credentials/kamailio.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { BrakeLevel, BrakeState, MintStanding, Store } from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { type Anomaly, refusalsToAct, refusalsToTell, refusalWindowMs } from './anomaly.ts';
import { judge, refusals } from './destinations.ts';
import {
  callsAtEdge,
  edgeLists,
  edgeRow,
  endCallsAtEdge,
  everyExtension,
  refusalsAtEdge,
  tellEdge,
} from './edge-rules.ts';
import { endOf } from './hours.ts';
import { micro } from './rate-table.ts';
import { rulesOf, type TenantRules } from './rules.ts';
import { type HeardCall, Usage } from './usage.ts';

export interface BrakeParts {
  readonly tenants: Tenants;
  readonly store: Store;
  readonly alerts: Pick<Alerts, 'raise'>;
  readonly audit: Audit;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  /** Takes an agent's access away, everywhere. */
  readonly revoke: (tenant: TenantId, agent: AgentId, reason: string) => Promise<void>;
  /** How often the edges are asked and told, ms. */
  readonly everyMs?: number;
}

/** Half of what detection may take; the other half is for doing something about it. */
const usualEveryMs = 2_000;
const throttleMs = 3_600_000;
/** Share of a ceiling at which somebody is told. */
const nearShare = 0.8;
/** Credentials an agent gets in a minute: every tab and every reconnect mints one, a machine that collects them mints more. */
export const mintLimit = { most: 30, withinMs: 60_000 };
const callRuleReasons: ReadonlySet<string> = new Set(Object.values(refusals));

interface Edge {
  readonly control: EdgeControl;
  readonly tenants: readonly Tenant[];
}

export class Brakes {
  readonly #parts: BrakeParts;
  readonly #usage: Usage;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | null = null;
  #keptHouseAt = 0;
  /** Edge → calls it had at the last look. */
  readonly #had = new Map<string, ReadonlySet<string>>();
  /** Edge → what it is being told, one after the other. */
  readonly #telling = new Map<string, Promise<void>>();
  /** Edge → extension and reason → refusals counted at the last look. */
  readonly #refused = new Map<string, ReadonlyMap<string, number>>();
  /** Agent → when refused calls were tried. */
  readonly #tries = new Map<string, number[]>();
  /** Edges that do not answer and were told of already. */
  readonly #silentEdges = new Set<string>();

  constructor(parts: BrakeParts) {
    this.#parts = parts;
    this.#usage = new Usage(parts.store.brakes, parts.now);
  }

  /** @throws PatchcordError `config.invalid`: a rate file that can't be read is told at the start, not at the first call */
  start(): void {
    for (const { config } of this.#parts.tenants.all()) rulesOf(config);
    const again = (): void => {
      this.#timer = setTimeout(() => void this.tick().finally(again), this.#parts.everyMs ?? usualEveryMs);
      this.#timer.unref();
    };
    void this.tick().finally(() => {
      if (this.#timer === undefined) again();
    });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#ticking;
    clearTimeout(this.#timer);
  }

  /**
   * Whether an agent may have a credential now.
   * @param standing What the store says of it, with the credentials issued within `mintLimit.withinMs`
   * @throws PatchcordError `credential.refused` with the reason in words; `request.too-many`
   */
  mayMint({ tenant, agent, brakes, issuedLately }: MintStanding): void {
    const state = strongest(brakes, tenant, agent);
    if (state?.level === 'all') throw new PatchcordError('credential.refused', state.reason);
    if (issuedLately < mintLimit.most) return;
    throw new PatchcordError('request.too-many', 'Too many requests. Wait a moment and try again.', {
      retryable: true,
      retryAfterMs: 60_000,
    });
  }

  /** Takes a PBX's report of a call. Never rejects: reports are taken whether or not the brakes can use them. */
  async hear(report: CallReport): Promise<void> {
    if (report.direction !== 'outbound') return;
    const tenant = this.#parts.tenants.find(report.tenant);
    const agent = tenant?.config.agents.find((one) => one.extension === report.extension);
    if (tenant === undefined || agent === undefined || witnessOf(tenant.config) !== 'records') return;
    // Reports of the edge are of calls that the PBX behind it may report, too.
    if (tenant.config.callRecords?.kamailio !== undefined && report.pbx !== 'kamailio') return;
    await this.#hear(tenant, agent, report.farSide.e164 ?? report.farSide.number, {
      key: usageKey(report.sipCallId, report.startedAt),
      oldKey: report.sipCallId,
      startedAt: report.startedAt,
      answeredAt: report.answeredAt,
      endedAt: report.endedAt,
    });
  }

  /** Takes a call as its events tell it, after they were stored. Never rejects. */
  async hearLog(log: CallLog): Promise<void> {
    if (log.direction !== 'outbound') return;
    const found = this.#parts.tenants.agent(log.tenant, log.agent);
    if (found === undefined || witnessOf(found.tenant.config) !== 'panel') return;
    await this.#hear(found.tenant, found.agent, log.farSide.e164 ?? log.farSide.number, {
      key: log.callId,
      startedAt: log.startedAt,
      answeredAt: log.answeredAt,
      endedAt: log.endedAt,
    });
  }

  /**
   * Lifts everything that holds an agent (null: the whole tenant). A ceiling that is reached stays lifted until its day or month ends.
   * @returns how many brakes were lifted
   * @throws PatchcordError `store.unavailable`
   */
  async release(tenant: TenantId, agent: AgentId | null): Promise<number> {
    const { store, now } = this.#parts;
    const held = (await store.brakes.states(now())).filter((state) => state.tenant === tenant && state.agent === agent);
    await store.brakes.clearStates(tenant, agent);
    for (const state of held) {
      if (state.cause.startsWith('spend-'))
        await store.brakes.setState({ ...state, level: 'none', since: now() }, now());
    }
    if (agent !== null) this.#tries.delete(`${tenant} ${agent}`);
    await this.#ticking;
    await this.tick();
    return held.filter(({ level }) => level !== 'none').length;
  }

  /** Looks at the edges and the ceilings once. Never rejects. */
  tick(): Promise<void> {
    this.#ticking ??= this.#look().finally(() => {
      this.#ticking = null;
    });
    return this.#ticking;
  }

  async #look(): Promise<void> {
    const { tenants, now, log } = this.#parts;
    await Promise.all(this.#edges().map((edge) => this.#lookAtEdge(edge)));
    for (const tenant of tenants.all()) await this.#guard('spend', () => this.#checkSpending(tenant));
    if (now() - this.#keptHouseAt < 3_600_000) return;
    this.#keptHouseAt = now();
    await this.#guard('old usage', async () => {
      const closed = await this.#usage.closeSilent();
      if (closed > 0) log.info({ closed }, 'calls whose end was never told were closed');
      const days = new Date(now() - 100 * 86_400_000).toISOString().slice(0, 10);
      await this.#parts.store.brakes.forgetUsage(now() - 3 * 86_400_000, days, now());
      await this.#parts.store.alerts.forgetAlerts(now() - 400 * 86_400_000);
    });
  }

  #edges(): readonly Edge[] {
    const edges = new Map<string, { control: EdgeControl; tenants: Tenant[] }>();
    for (const tenant of this.#parts.tenants.all()) {
      const control = edgeOf(tenant.config);
      if (control === null) continue;
      const edge = edges.get(control.url) ?? { control, tenants: [] };
      edge.tenants.push(tenant);
      edges.set(control.url, edge);
    }
    return [...edges.values()];
  }

  async #lookAtEdge(edge: Edge): Promise<void> {
    const { url } = edge.control;
    try {
      await this.#tell(edge);
      await this.#endCalls(edge);
      await this.#readCalls(edge);
      await this.#readRefusals(edge);
      if (this.#silentEdges.delete(url)) this.#parts.log.info('the SIP edge hears the call rules again');
    } catch (error) {
      // Said once: the edge goes on by what it was told last.
      if (this.#silentEdges.has(url)) return;
      this.#silentEdges.add(url);
      this.#parts.log.error({ err: error }, 'the SIP edge could not be told the call rules');
    }
  }

  /** One after the other: a run that began earlier must not have the last word. */
  #tell(edge: Edge): Promise<void> {
    const { url } = edge.control;
    const told = (this.#telling.get(url) ?? Promise.resolve()).catch(() => {}).then(() => this.#tellNow(edge));
    this.#telling.set(url, told);
    return told;
  }

  async #tellNow({ control, tenants }: Edge): Promise<void> {
    const now = this.#parts.now();
    const states = await this.#parts.store.brakes.states(now);
    const brake = new Map<string, string>();
    const lists = new Map<string, string>();
    const callerIds = new Map<string, string>();
    // An edge of one tenant is told the rule for everybody and the exceptions; one that several share, every extension, and that there are no
    // others: somebody who left the configuration may still have a credential.
    const alone = tenants.length === 1;
    for (const { config } of tenants) {
      const rules = rulesOf(config);
      const rowFor = (agent: AgentConfig | null): string => {
        const own = agent === null ? rules.standard : rules.of(agent);
        for (const [key, value] of edgeLists(own.list, own.destinations)) lists.set(key, value);
        const state = strongest(states, config.id, agent?.id as AgentId | undefined);
        return edgeRow(own, now, {
          stopped: state === null || ranks[state.level] <= ranks.slow ? null : state.reason,
          callsPerMinute: state?.level === 'slow' ? rules.throttledCallsPerMinute : own.callsPerMinute,
        });
      };
      const standard = rowFor(null);
      if (alone) brake.set(everyExtension, standard);
      else if (!brake.has(everyExtension)) {
        const nobody = { stopped: 'No rules for this extension', callsPerMinute: 0 };
        brake.set(everyExtension, edgeRow(rules.standard, now, nobody));
      }
      for (const agent of config.agents) {
        const row = rowFor(agent);
        if (!alone || row !== standard) brake.set(agent.extension, row);
        const shown = callerIdsOf(config, agent).map(({ number }) => number);
        if (shown.length > 0) callerIds.set(agent.extension, shown.join(','));
      }
    }
    await tellEdge(control, { brake, lists, callerIds });
  }

  /** A ceiling, or a thief, is not left talking. Looked at again each time: a call may have been answered since. */
  async #endCalls({ control, tenants }: Edge): Promise<void> {
    const states = await this.#parts.store.brakes.states(this.#parts.now());
    const stopped = new Set<string>();
    for (const { config } of tenants) {
      for (const agent of config.agents) {
        const level = strongest(states, config.id, agent.id as AgentId)?.level ?? 'none';
        if (ranks[level] > ranks.slow) stopped.add(agent.extension);
      }
    }
    const asked = await endCallsAtEdge(control, stopped);
    if (asked > 0) this.#parts.log.warn({ asked }, 'running calls to outside were told to end');
  }

  async #readCalls({ control, tenants }: Edge): Promise<void> {
    const calls = await callsAtEdge(control);
    const now = this.#parts.now();
    const here = new Map<string, { readonly tenant: Tenant; readonly live: string[] }>();
    const keys = new Set<string>();
    for (const call of calls) {
      const found = agentOf(tenants, call.extension);
      if (found === null) continue;
      const key = usageKey(call.sipCallId, call.startedAt);
      keys.add(`${found.tenant.config.id} ${key}`);
      await this.#hear(found.tenant, found.agent, `+${call.digits}`, { key, oldKey: call.sipCallId, ...call });
      const own = here.get(found.tenant.config.id) ?? { tenant: found.tenant, live: [] };
      if (call.endedAt === null) own.live.push(key);
      here.set(found.tenant.config.id, own);
    }
    for (const key of this.#had.get(control.url) ?? []) {
      if (keys.has(key)) continue;
      const [tenant = '', ...rest] = key.split(' ');
      const call = rest.join(' ');
      // Ended calls stay for half a minute: one that is gone without having been seen to end was forgotten in a restart.
      await this.#usage.closeLost(tenant as TenantId, call, now);
      this.#usage.forget(tenant as TenantId, call);
    }
    this.#had.set(control.url, keys);
    for (const { tenant, live } of here.values()) await this.#usage.alive(tenant.config.id, live.slice(0, 500));
  }

  async #readRefusals({ control, tenants }: Edge): Promise<void> {
    const now = this.#parts.now();
    const fresh = new Map<string, number>();
    const known = this.#refused.get(control.url);
    const counted = new Map<string, number>();
    for (const { extension, why, count } of await refusalsAtEdge(control)) {
      const key = `${extension} ${why}`;
      counted.set(key, count);
      // What was refused before this relay looked for the first time is not new, and nobody knows how old it is.
      const before = known === undefined ? count : (known.get(key) ?? 0);
      // The edge counts from nothing again when nobody tried for an hour.
      const more = count >= before ? count - before : count;
      if (more === 0) continue;
      this.#parts.metrics.brakeRefusals.inc({ why: callRuleReasons.has(why) ? 'destination' : 'other' }, more);
      if (callRuleReasons.has(why)) fresh.set(extension, (fresh.get(extension) ?? 0) + more);
    }
    this.#refused.set(control.url, counted);
    for (const [extension, more] of fresh) {
      const found = agentOf(tenants, extension);
      if (found !== null) await this.#refusedCalls(found.tenant, found.agent, more, now);
    }
  }

  /** @param at When they were tried, ms */
  async #refusedCalls(tenant: Tenant, agent: AgentConfig, more: number, at: number): Promise<void> {
    const { config } = tenant;
    const key = `${config.id} ${agent.id}`;
    const since = this.#parts.now() - refusalWindowMs;
    if (at <= since) return;
    const recent = (this.#tries.get(key) ?? []).filter((time) => time > since);
    for (let n = 0; n < Math.min(more, 500); n += 1) recent.push(at);
    this.#tries.set(key, recent);
    if (recent.length < refusalsToTell) return;
    const act = recent.length >= refusalsToAct;
    await this.#guard('refused calls', () =>
      this.#act(
        tenant,
        agent,
        'refusedCalls',
        act ? rulesOf(config).anomalies.refusedCalls : 'alert',
        `${agent.name} tried ${recent.length} calls within ten minutes to where calls are not allowed.`,
        { refused: recent.length },
      ),
    );
  }

  async #hear(
    tenant: Tenant,
    agent: AgentConfig,
    number: string,
    call: Omit<HeardCall, 'tenant' | 'agent' | 'digits'>,
  ): Promise<void> {
    const rules = rulesOf(tenant.config);
    const reading = judge(rules.of(agent).destinations, number);
    // Where an edge refuses, this is the second look; where none stands in front of the PBX, it is the only one.
    const digits = 'e164' in reading ? reading.e164?.slice(1) : undefined;
    if (digits === undefined) return;
    await this.#guard('a call', async () => {
      const { key, oldKey, startedAt, answeredAt, endedAt } = call;
      const { isNew, anomalies } = await this.#usage.hear(
        {
          tenant: tenant.config.id,
          agent: agent.id as AgentId,
          key,
          ...(oldKey === undefined ? {} : { oldKey }),
          digits,
          startedAt,
          answeredAt,
          endedAt,
        },
        rules,
      );
      for (const anomaly of anomalies) {
        await this.#act(tenant, agent, anomaly, rules.anomalies[anomaly], words[anomaly](agent.name), {});
      }
      // An edge counts what it refused by itself; once for a call, however often it is told.
      if (reading.kind === 'refused' && isNew && witnessOf(tenant.config) !== 'edge')
        await this.#refusedCalls(tenant, agent, 1, startedAt);
    });
  }

  async #checkSpending(tenant: Tenant): Promise<void> {
    const { config } = tenant;
    const rules = rulesOf(config);
    if (rules.rates === null) return;
    // A call that runs costs until it is looked at again.
    const at = this.#parts.now() + 2 * (this.#parts.everyMs ?? usualEveryMs);
    const spending = await this.#usage.spending(config.id, rules, at);
    const checks: [AgentConfig | null, 'day' | 'month', number, number | null][] = [
      [null, 'day', spending.tenant.today, rules.daySpend],
      [null, 'month', spending.tenant.month, rules.monthSpend],
    ];
    for (const agent of config.agents) {
      const spent = spending.agents.get(agent.id as AgentId);
      if (spent === undefined) continue;
      const own = rules.of(agent);
      checks.push([agent, 'day', spent.today, own.daySpend], [agent, 'month', spent.month, own.monthSpend]);
    }
    const reached = checks.filter(([, , spent, ceiling]) => ceiling !== null && spent >= ceiling * nearShare);
    if (reached.length === 0) return;
    const states = await this.#parts.store.brakes.states(this.#parts.now());
    for (const [agent, span, spent, ceiling] of reached) {
      if (ceiling === null) continue;
      const held = states.filter((state) => state.tenant === config.id && state.agent === (agent?.id ?? null));
      await this.#ceiling(tenant, agent, span, spent, ceiling, rules, held);
    }
  }

  async #ceiling(
    tenant: Tenant,
    agent: AgentConfig | null,
    span: 'day' | 'month',
    spent: number,
    ceiling: number,
    rules: TenantRules,
    held: readonly BrakeState[],
  ): Promise<void> {
    const { config } = tenant;
    const now = this.#parts.now();
    const holds = (cause: string) => held.find((state) => state.cause === cause)?.level;
    const until = endOf(span, rules.timeZone, now);
    const who = agent?.name ?? config.name;
    const amount = `${(spent / micro).toFixed(2)} of ${(ceiling / micro).toFixed(2)} ${rules.currency}`;
    const data = { spent: spent / micro, ceiling: ceiling / micro, currency: rules.currency, span };
    if (spent < ceiling) {
      if (holds(`spend-near-${span}`) !== undefined || holds(`spend-${span}`) !== undefined) return;
      await this.#parts.alerts.raise({
        tenant: config.id,
        agent: (agent?.id as AgentId | undefined) ?? null,
        kind: `spend-near-${span}`,
        message: `${who} has spent ${amount} that calls of this ${span} may cost. At the ceiling calls to outside are stopped.`,
        data,
      });
      await this.#remember(config.id, agent, `spend-near-${span}`, until);
      return;
    }
    const action = rules.anomalies.spend;
    // Behind an edge emergency calls and calls from outside go on; without one there is only the credential to keep back.
    const level: BrakeLevel = edgeOf(config) === null || action === 'revoke' ? 'all' : 'outbound';
    const before = holds(`spend-${span}`);
    if (before === 'none' || (before !== undefined && (action === 'alert' || before === level))) return;
    const isNew =
      action === 'alert' ||
      (await this.#setState(tenant, agent, {
        level,
        cause: `spend-${span}`,
        reason: `Calls to outside are stopped: the ceiling of this ${span} is reached. Ask your administrator.`,
        until,
      }));
    if (!isNew) return;
    if (action === 'revoke' && agent !== null) await this.#revoke(tenant, agent, 'spend');
    await this.#parts.alerts.raise({
      tenant: config.id,
      agent: (agent?.id as AgentId | undefined) ?? null,
      kind: `spend-${span}`,
      message: `${who} has spent ${amount} that calls of this ${span} may cost. ${action === 'alert' ? 'Nothing was stopped: the configuration says so.' : 'Calls to outside are stopped until it ends or you release them.'}`,
      data,
    });
    if (action === 'alert') await this.#remember(config.id, agent, `spend-${span}`, until);
  }

  /** That a person was told of it, so that it isn't said again until then. After the alert: a lost one is raised again. */
  async #remember(tenant: TenantId, agent: AgentConfig | null, cause: string, until: number): Promise<void> {
    const since = this.#parts.now();
    const whose = (agent?.id as AgentId | undefined) ?? null;
    await this.#parts.store.brakes.setState(
      { tenant, agent: whose, level: 'none', cause, reason: '', since, until },
      since,
    );
  }

  async #act(
    tenant: Tenant,
    agent: AgentConfig,
    cause: Anomaly,
    action: TenantRules['anomalies'][Anomaly],
    what: string,
    data: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    if (action === 'off') return;
    const { now, alerts } = this.#parts;
    if (action === 'throttle') {
      const until = now() + throttleMs;
      const reason = 'Fewer calls a minute for an hour: something about your calls is unusual.';
      await this.#setState(tenant, agent, { level: 'slow', cause, reason, until });
    } else if (action === 'stop' || action === 'revoke') {
      const reason = 'Your calls are stopped: something about them is unusual. Ask your administrator to release you.';
      const isNew = await this.#setState(tenant, agent, { level: 'all', cause, reason, until: null });
      if (isNew && action === 'revoke') await this.#revoke(tenant, agent, cause);
    }
    await alerts.raise({
      tenant: tenant.config.id,
      agent: agent.id as AgentId,
      kind: action === 'alert' ? kinds[cause] : `${kinds[cause]}-${action}`,
      message: `${what} ${done[action]}`,
      data,
    });
  }

  async #setState(
    { config }: Tenant,
    agent: AgentConfig | null,
    state: Pick<BrakeState, 'level' | 'cause' | 'reason' | 'until'>,
  ): Promise<boolean> {
    const { store, audit, now } = this.#parts;
    const at = now();
    const isNew = await store.brakes.setState(
      { ...state, tenant: config.id, agent: (agent?.id as AgentId | undefined) ?? null, since: at },
      at,
    );
    if (!isNew) return false;
    await audit.note({
      tenant: config.id,
      actor: 'relay',
      act: 'brake.set',
      subject: agent === null ? null : `agent:${agent.id}`,
      data: { level: state.level, cause: state.cause },
      at,
    });
    // At once, not with the next look: every second of it costs.
    for (const edge of this.#edges()) {
      if (edge.tenants.some((one) => one.config.id === config.id))
        await this.#guard('the edge', async () => {
          await this.#tell(edge);
          await this.#endCalls(edge);
        });
    }
    return true;
  }

  async #revoke({ config }: Tenant, agent: AgentConfig, cause: string): Promise<void> {
    this.#parts.log.warn({ tenant: config.id, agent: agent.id, cause }, 'access is taken away by the brakes');
    await this.#parts.revoke(
      config.id,
      agent.id as AgentId,
      'Your access to the phone was withdrawn: something about your calls is unusual. Ask your administrator.',
    );
  }

  async #guard(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log.error({ err: error, what }, 'the brakes could not look at everything');
    }
  }
}

const words: Readonly<Record<Anomaly, (name: string) => string>> = {
  newCountry: (name) => `${name} called a country for the first time.`,
  spike: (name) => `${name} makes far more calls than ever before.`,
  unusualHour: (name) => `${name} calls at an hour at which ${name} never called.`,
  refusedCalls: (name) => `${name} tried calls to where calls are not allowed.`,
};

const kinds: Readonly<Record<Anomaly, string>> = {
  newCountry: 'new-country',
  spike: 'spike',
  unusualHour: 'unusual-hour',
  refusedCalls: 'refused-calls',
};

const done: Readonly<Record<'alert' | 'throttle' | 'stop' | 'revoke', string>> = {
  alert: 'Nothing was stopped. If it was not the agent, revoke the access.',
  throttle: 'The agent is slowed down for an hour. If it was not the agent, revoke the access.',
  stop: 'Calls of the agent are stopped until you release them.',
  revoke: 'The access was taken away. Find out how it was lost, then release the agent.',
};

/** The edge that enforces and counts the calls of a tenant. */
function edgeOf(config: TenantConfig): EdgeControl | null {
  return config.sip.credential.kind.startsWith('kamailio') ? edgeControl(config) : null;
}

/** Whose word counts for what is called and what it costs. Only one: whoever else tells of a call could end or price it first. */
function witnessOf(config: TenantConfig): 'edge' | 'records' | 'panel' {
  if (edgeOf(config) !== null) return 'edge';
  const { kamailio, asterisk, freeswitch } = config.callRecords ?? {};
  return (kamailio ?? asterisk ?? freeswitch) === undefined ? 'panel' : 'records';
}

/** A Call-ID may be used again; with the second it began in, it is one call. */
function usageKey(sipCallId: string, startedAt: number): string {
  return `${Math.floor(startedAt / 1_000)} ${sipCallId}`;
}

function agentOf(tenants: readonly Tenant[], extension: string) {
  for (const tenant of tenants) {
    const agent = tenant.config.agents.find((one) => one.extension === extension);
    if (agent !== undefined) return { tenant, agent };
  }
  return null;
}

const ranks: Readonly<Record<BrakeLevel, number>> = { none: 0, slow: 1, outbound: 2, all: 3 };

/** The hardest state that holds an agent, its tenant's included. Without an agent: the tenant's alone. */
function strongest(states: readonly BrakeState[], tenant: TenantId, agent: AgentId | undefined): BrakeState | null {
  return states
    .filter((state) => state.tenant === tenant && (state.agent === null || state.agent === agent))
    .reduce<BrakeState | null>(
      (found, state) => (found === null || ranks[state.level] > ranks[found.level] ? state : found),
      null,
    );
}
