/**
 * Who has this number: the tenant's colleagues for an extension; for a telephone number the CRM, then the company's directory, then a number
 * service for whom nobody knows. Owns the order and that nobody stands in it twice. Must never choose, and must never let a source beside the
 * CRM fail or delay a look-up beyond its own deadline.
 */
import type { AgentId, E164, Extension, Match, TenantId } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import { type CrmAgent, toE164 } from '@patchcord/crm-adapters/relay';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { Tenant } from '../tenants.ts';
import type { CallerDirectory } from './caller-directory.ts';
import type { Choices } from './choices.ts';
import { Enrichment } from './enrichment.ts';

interface Sources {
  readonly directory: CallerDirectory | null;
  readonly enrichment: Enrichment | null;
}

export class WhoIs {
  readonly #choices: Choices;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #openDirectory: (tenant: TenantConfig) => CallerDirectory | null;
  readonly #sources = new Map<string, Sources>();

  constructor(options: {
    readonly choices: Choices;
    readonly log: Log;
    readonly now: () => number;
    /** The directory of a tenant; asked once, with its first look-up. */
    readonly openDirectory: (tenant: TenantConfig) => CallerDirectory | null;
  }) {
    this.#choices = options.choices;
    this.#log = options.log;
    this.#now = options.now;
    this.#openDirectory = options.openDirectory;
  }

  /**
   * Best evidence first, at most the sources' own bounds.
   * @throws PatchcordError `crm.*` when the CRM can't say
   */
  async find(tenant: Tenant, agent: AgentConfig, number: E164): Promise<readonly Match[]> {
    const { config, crm } = tenant;
    const { directory, enrichment } = this.#sourcesOf(config);
    const asks = { agent: crmAgent(agent) };
    const [found, beside] = await Promise.all([
      crm.findByNumber(number, config.country, asks),
      directory === null ? [] : this.#quietly(config, 'directory', directory.find(number)),
    ]);
    const ranked = await this.#choices.ranked(config.id as TenantId, agent.id as AgentId, number, found, {
      timeZone: ('timeZone' in config.crm ? config.crm.timeZone : undefined) ?? 'UTC',
      allSeeTheSame: config.crm.kind !== 'salesforce' || config.crm.actAs !== 'agent',
      now: this.#now(),
    });
    const known = merged(ranked, beside);
    if (known.length > 0 || enrichment === null || toE164(number, config.country) !== number) return known;
    return await this.#quietly(config, 'enrichment', enrichment.find(number));
  }

  /**
   * The colleague with this extension; never the one who asks.
   * @throws PatchcordError `crm.*` when the CRM can't say and the configuration does not know
   */
  async findExtension(tenant: Tenant, agent: AgentConfig, extension: Extension): Promise<readonly Match[]> {
    const { config, crm } = tenant;
    const { directory } = this.#sourcesOf(config);
    const own = config.agents.filter((one) => one.extension === extension && one.id !== agent.id);
    if (agent.extension === extension) return [];
    const configured = own.map((one) => colleague(config, one, extension));
    const asked = crm.findByExtension?.(extension, crmAgent(agent)) ?? Promise.resolve([]);
    const found = configured.length > 0 ? await this.#quietly(config, 'crm', asked) : await asked;
    // A colleague is a name to show, never the record of a call: no CRM logs a call with one of its users.
    const inCrm = found.map((match): Match => ({ ...match, source: 'directory' }));
    const beside = directory === null ? [] : await this.#quietly(config, 'directory', directory.find(extension));
    return merged(
      merged(configured, inCrm).filter(({ record }) => !isSelf(config, agent, record)),
      beside,
    );
  }

  /** Lets go of the directories' connections. */
  async close(): Promise<void> {
    await Promise.all([...this.#sources.values()].map(({ directory }) => directory?.close?.()));
  }

  #sourcesOf(config: TenantConfig): Sources {
    const known = this.#sources.get(config.id);
    if (known !== undefined) return known;
    const { enrichment } = config.callerSources;
    const sources: Sources = {
      directory: this.#openDirectory(config),
      enrichment: enrichment === undefined ? null : new Enrichment(enrichment, this.#now),
    };
    this.#sources.set(config.id, sources);
    return sources;
  }

  async #quietly({ id }: TenantConfig, source: string, asked: Promise<readonly Match[]>): Promise<readonly Match[]> {
    try {
      return await asked;
    } catch (error) {
      this.#log.warn(
        { tenant: id, source, code: errorCode(error), err: error },
        'a source of callers could not be asked',
      );
      return [];
    }
  }
}

/** The agent as the CRM knows them. */
export function crmAgent({ crmUserId, name }: AgentConfig): CrmAgent {
  return { crmUserId, name };
}

function colleague({ crm }: TenantConfig, agent: AgentConfig, extension: Extension): Match {
  return {
    record: { crm: crm.kind, object: 'User', id: agent.crmUserId, name: agent.name },
    number: extension,
    reason: 'Colleague',
    source: 'directory',
  };
}

/** Who stands there already, as the same record or by the same name from another source, is not added again. */
function merged(first: readonly Match[], then: readonly Match[]): readonly Match[] {
  const fresh = then.filter(
    (match) =>
      !first.some(
        (known) =>
          sameRecord(known, match) ||
          (match.source !== undefined &&
            match.source !== 'crm' &&
            folded(known.record.name) === folded(match.record.name)),
      ),
  );
  return [...first, ...fresh];
}

/** Salesforce gives 15 or 18 characters for the same id. */
function sameRecord({ record: one }: Match, { record: other }: Match): boolean {
  const id = (text: string): string => (one.crm === 'salesforce' ? text.slice(0, 15) : text);
  return (
    one.crm === other.crm && one.object.toLowerCase() === other.object.toLowerCase() && id(one.id) === id(other.id)
  );
}

function isSelf({ crm }: TenantConfig, { crmUserId }: AgentConfig, record: Match['record']): boolean {
  const id = (text: string): string => (crm.kind === 'salesforce' ? text.slice(0, 15) : text);
  return record.object === 'User' && id(record.id) === id(crmUserId);
}

function folded(name: string | undefined): string {
  return (name ?? '').normalize('NFKC').trim().toLowerCase();
}
