/**
 * The relay's memory of who did what: sign-ins and refusals, credentials given and taken, use of a role, changes of the configuration. Owns
 * when an entry is on disk. Must never hold a secret or a number in full, and never be the reason that an agent can't phone.
 */
import { createHash } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import type { TenantConfig } from './config.ts';
import type { Log } from './logging.ts';
import type { AuditEntry, AuditStore } from './store/contract.ts';

/** Entries that may wait while the store is away; what comes beyond is told in the log alone. */
const mostWaiting = 10_000;

export class Audit {
  readonly #store: AuditStore;
  readonly #log: Log;
  #waiting: AuditEntry[] = [];
  #flushing: Promise<void> | null = null;
  /** Configurations that the store could not be asked about yet. */
  #uncompared: { readonly config: TenantConfig; readonly at: number }[] = [];

  constructor(store: AuditStore, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /**
   * Notes an act that has happened. Resolves when it is on disk; what is noted meanwhile shares one commit. It never rejects: an act that must
   * not happen unless it is noted carries its entry in its own transaction (`auditStatement`). While the store is away entries wait.
   */
  note(entry: AuditEntry): Promise<void> {
    if (this.#waiting.length >= mostWaiting) {
      this.#log.error({ act: entry.act, actor: entry.actor, tenant: entry.tenant }, 'an audit entry could not be kept');
      return Promise.resolve();
    }
    this.#waiting.push(entry);
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  /** Tries once more to keep what waits; housekeeping and the end of the relay call it. */
  async flush(): Promise<void> {
    if (this.#uncompared.length > 0) await this.#compareConfigurations();
    await this.#flushing;
    if (this.#waiting.length > 0) await this.#flush();
  }

  /**
   * Says at the start whether a tenant's configuration is another than at the last one; its fingerprint gives nothing away. Never rejects:
   * what the store does not tell now is asked again with the next flush.
   */
  async noteConfiguration(tenants: readonly TenantConfig[], now: number): Promise<void> {
    this.#uncompared = tenants.map((config) => ({ config, at: now }));
    await this.#compareConfigurations();
  }

  async #compareConfigurations(): Promise<void> {
    for (const one of [...this.#uncompared]) {
      const { config, at } = one;
      const fingerprint = createHash('sha256').update(JSON.stringify(config)).digest('base64url').slice(0, 16);
      const tenant = config.id as TenantId;
      try {
        const before = await this.#store.last(tenant, 'config.changed');
        this.#uncompared = this.#uncompared.filter((left) => left !== one);
        if (before?.data.fingerprint === fingerprint) continue;
      } catch (error) {
        this.#log.error({ err: error, tenant }, 'the configuration could not be compared with the last one yet');
        return;
      }
      const data = { fingerprint, agents: config.agents.length };
      await this.note({ tenant, actor: 'relay', act: 'config.changed', data, at });
    }
  }

  async #flush(): Promise<void> {
    // What is noted in this turn of the loop goes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, 500);
      try {
        await this.#store.add(batch);
      } catch (error) {
        this.#log.error({ err: error, waiting: this.#waiting.length }, 'audit entries wait for the store');
        return;
      }
      this.#waiting.splice(0, batch.length);
    }
  }
}
