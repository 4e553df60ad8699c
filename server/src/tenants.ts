/**
 * The tenants and their agents, found by what the outside world calls them. Owns look-ups over the configuration and the one CRM connection
 * per tenant; must never hold state of a call.
 */
import { type Agent, type AgentId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import type { AgentConfig, TenantConfig } from './config.ts';

export interface Tenant {
  readonly config: TenantConfig;
  readonly crm: CrmRelay;
}

export class Tenants {
  readonly #tenants = new Map<string, Tenant>();

  constructor(configs: readonly TenantConfig[], connect: (config: TenantConfig) => CrmRelay) {
    for (const config of configs) this.#tenants.set(config.id, { config, crm: connect(config) });
  }

  all(): readonly Tenant[] {
    return [...this.#tenants.values()];
  }

  find(id: string): Tenant | undefined {
    return this.#tenants.get(id);
  }

  agent(tenant: string, agent: string): { readonly tenant: Tenant; readonly agent: AgentConfig } | undefined {
    const found = this.#tenants.get(tenant);
    const config = found?.config.agents.find((one) => one.id === agent);
    return found === undefined || config === undefined ? undefined : { tenant: found, agent: config };
  }

  /**
   * An agent that is known to have existed: a session, a stored call.
   * @throws PatchcordError `identity.refused` when the configuration has dropped it since
   */
  knownAgent(tenant: string, agent: string): { readonly tenant: Tenant; readonly agent: AgentConfig } {
    const found = this.agent(tenant, agent);
    if (found === undefined) {
      throw new PatchcordError(
        'identity.refused',
        'This agent is not (or no longer) in the relay configuration. Ask your administrator.',
      );
    }
    return found;
  }

  /** The agent a CRM user is. Salesforce gives 15 or 18 characters for the same id; the first 15 decide. */
  agentOfCrmUser(tenant: Tenant, crmUserId: string): AgentConfig | undefined {
    const key = (id: string): string => (tenant.config.crm.kind === 'salesforce' ? id.slice(0, 15) : id);
    return tenant.config.agents.find((agent) => key(agent.crmUserId) === key(crmUserId));
  }
}

/** The agent as the panel sees it. */
export function toAgent(tenant: TenantConfig, agent: AgentConfig): Agent {
  return {
    id: agent.id as AgentId,
    tenant: tenant.id as TenantId,
    name: agent.name,
    extension: agent.extension,
  };
}
