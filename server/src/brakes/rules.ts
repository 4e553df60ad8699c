/** The brakes of a tenant and its agents, worked out of the configuration once. Owns which value holds for whom; decides about no call. */
import { createHash } from 'node:crypto';
import type { AgentConfig, TenantConfig } from '../config.ts';
import { type Destinations, destinationsOf, usualEmergencyNumbers } from './destinations.ts';
import type { Hours } from './hours.ts';
import { ownNumbersOf } from './own-numbers.ts';
import { micro, RateTable, readRateFile } from './rate-table.ts';

export interface AgentRules {
  readonly callsPerMinute: number;
  readonly callsPerHour: number;
  readonly concurrentCalls: number;
  readonly destinations: Destinations;
  /** Names the destinations: the same lists have the same name. */
  readonly list: string;
  readonly hours: Hours | null;
  /** Micro-units. */
  readonly daySpend: number | null;
  readonly monthSpend: number | null;
}

export interface TenantRules {
  /** What holds for an agent without a word of its own. */
  readonly standard: AgentRules;
  of(agent: AgentConfig): AgentRules;
  /** Null: nothing is priced. */
  readonly rates: RateTable | null;
  readonly currency: string;
  readonly timeZone: string;
  readonly homeCountry: string;
  readonly daySpend: number | null;
  readonly monthSpend: number | null;
  readonly throttledCallsPerMinute: number;
  readonly anomalies: TenantConfig['brakes']['anomalies'];
}

const known = new WeakMap<TenantConfig, TenantRules>();

/** @throws PatchcordError `config.invalid` when the rate file can't be read */
export function rulesOf(tenant: TenantConfig): TenantRules {
  const before = known.get(tenant);
  if (before !== undefined) return before;
  const { brakes } = tenant;
  const standard = rulesWith(tenant, undefined);
  const perAgent = new Map<string, AgentRules>();
  const made: TenantRules = {
    standard,
    of: (agent) => {
      const { brakes: own, features } = agent;
      if (own === undefined && features?.moveTo === undefined && features?.watch === undefined) return standard;
      const rules = perAgent.get(agent.id) ?? rulesWith(tenant, agent);
      perAgent.set(agent.id, rules);
      return rules;
    },
    rates:
      brakes.spend === undefined
        ? null
        : new RateTable(
            [
              ...brakes.spend.rates,
              ...(brakes.spend.ratesFile === undefined ? [] : readRateFile(brakes.spend.ratesFile)),
            ],
            brakes.spend.otherPerMinute,
          ),
    currency: brakes.spend?.currency ?? '',
    timeZone: brakes.timeZone,
    homeCountry: tenant.country,
    daySpend: amount(brakes.spend?.tenantDay),
    monthSpend: amount(brakes.spend?.tenantMonth),
    throttledCallsPerMinute: brakes.throttledCallsPerMinute,
    anomalies: brakes.anomalies,
  };
  known.set(tenant, made);
  return made;
}

function rulesWith(tenant: TenantConfig, agent: AgentConfig | undefined): AgentRules {
  const { brakes } = tenant;
  const own = agent?.brakes ?? {};
  const hours = own.hours ?? brakes.hours;
  const internalDigits = brakes.internalDigits ?? extensionLengths(tenant);
  const destinations = destinationsOf({
    country: tenant.country,
    countries: own.countries ?? brakes.countries ?? [tenant.country, ...tenant.countries],
    allowedPrefixes: brakes.allowedPrefixes,
    refusedPrefixes: brakes.refusedPrefixes,
    emergencyNumbers: brakes.emergencyNumbers ?? usualEmergencyNumbers,
    outsideLine: brakes.outsideLine ?? '',
    internalDigits,
    numberForm: brakes.numberForm,
    own: ownNumbersOf(tenant, agent, internalDigits),
  });
  return {
    callsPerMinute: own.callsPerMinute ?? brakes.callsPerMinute,
    callsPerHour: own.callsPerHour ?? brakes.callsPerHour,
    concurrentCalls: own.concurrentCalls ?? brakes.concurrentCalls,
    destinations,
    list: createHash('sha256').update(JSON.stringify(destinations)).digest('hex').slice(0, 12),
    hours: hours === undefined ? null : { ...hours, timeZone: hours.timeZone ?? brakes.timeZone },
    daySpend: amount(own.daySpend ?? brakes.spend?.agentDay),
    monthSpend: amount(own.monthSpend ?? brakes.spend?.agentMonth),
  };
}

function extensionLengths(tenant: TenantConfig): number[] {
  const lengths = tenant.agents.flatMap(({ extension }) => (/^\d{2,6}$/.test(extension) ? [extension.length] : []));
  return [...new Set(lengths)].sort();
}

function amount(units: number | undefined): number | null {
  return units === undefined ? null : Math.round(units * micro);
}
