/**
 * What a CRM adapter finds that an administrator should know: a permission that is missing, an agent it can't act for. Owns that each notice is
 * logged once and stands among the alerts. Must never pass on a number or a token.
 */
import type { TenantId } from '@patchcord/call-protocol';
import type { Alert } from './alerts.ts';
import type { Log } from './logging.ts';

const longestNotice = 500;
const mostRemembered = 1_000;

export class CrmNotices {
  readonly #raise: (alert: Alert) => Promise<unknown>;
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(options: { readonly raise: (alert: Alert) => Promise<unknown>; readonly log: Log }) {
    this.#raise = options.raise;
    this.#log = options.log;
  }

  /** Takes a notice about one tenant's CRM; a repeat is not told again before the relay is started anew. */
  take(tenant: TenantId, text: string): void {
    const message = withoutSecrets(text).slice(0, longestNotice);
    const key = `${tenant} ${message}`;
    if (this.#told.has(key)) return;
    if (this.#told.size >= mostRemembered) this.#told.clear();
    this.#told.add(key);
    this.#log.warn({ tenant, notice: message }, 'a notice about the CRM');
    this.#raise({ tenant, agent: null, kind: 'crm.notice', message, about: message }).catch((error: unknown) => {
      this.#told.delete(key);
      this.#log.error({ err: error, tenant }, 'a notice about the CRM could not be kept');
    });
  }
}

/** Takes out what is as long as a telephone number or a token: session ids, keys, JWTs. */
export function withoutSecrets(text: string): string {
  return text
    .replace(/\b00D\w{12,15}![\w.]+/g, '[token]')
    .replace(/[\w-]{32,}(?:[.!][\w.-]+)*/g, '[token]')
    .replace(/(?<!\w)\+?\d(?:[\s().\-/]{0,2}\d){6,14}(?!\w)/g, '[number]');
}
