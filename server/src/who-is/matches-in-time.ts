/**
 * Who has a number, within a time: for what must not wait for a CRM. Owns how long an answer is remembered; a question that takes longer goes on,
 * and its answer is there for the next who asks. Must never keep a failure.
 */
import { type E164, E164Schema, ExtensionSchema, errorCode, type Match } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { AgentConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { Tenant } from '../tenants.ts';
import { Remembered } from './remembered.ts';
import type { WhoIs } from './who-is.ts';

const rememberedMs = 60_000;
const mostRemembered = 5_000;

export class MatchesInTime {
  readonly #whoIs: Pick<WhoIs, 'find' | 'findExtension'>;
  readonly #log: Log;
  readonly #remembered: Remembered<readonly Match[]>;

  constructor(options: {
    readonly whoIs: Pick<WhoIs, 'find' | 'findExtension'>;
    readonly log: Log;
    readonly now: () => number;
  }) {
    this.#whoIs = options.whoIs;
    this.#log = options.log;
    this.#remembered = new Remembered(rememberedMs, mostRemembered, options.now);
  }

  /**
   * Records with this number, or colleagues with this extension, as the agent sees them; null when nobody could say within `ms`. Never rejects.
   * @param number In E.164, or an extension; for anything else nobody is asked
   */
  async within(ms: number, tenant: Tenant, agent: AgentConfig, number: string): Promise<readonly Match[] | null> {
    const e164 = v.safeParse(E164Schema, number);
    const extension = v.safeParse(ExtensionSchema, number);
    const ask = (): Promise<readonly Match[]> =>
      e164.success
        ? this.#whoIs.find(tenant, agent, e164.output as E164)
        : extension.success
          ? this.#whoIs.findExtension(tenant, agent, extension.output)
          : Promise.resolve([]);
    const answer = this.#remembered.get(`${tenant.config.id} ${agent.id} ${number}`, ask).catch((error: unknown) => {
      this.#log.debug({ tenant: tenant.config.id, code: errorCode(error) }, 'nobody could say who has a number');
      return null;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ms);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
