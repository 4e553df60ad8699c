/**
 * A number service that may know who calls: one bounded HTTPS request for a caller nobody else knows, when the configuration switched it on. Owns
 * what is asked and what is believed of the answer. Must never write anything down: what it says is remembered for an hour, in memory.
 */
import { type E164, errorCode, type Match, PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { EnrichmentSettings } from '../config/caller-sources.ts';
import { type OutsideRequest, sendOutside } from '../delivery/outside-http.ts';
import { Remembered } from './remembered.ts';

/** `name` is a person or a company, null or empty for nobody; anything else the service says is not looked at. */
const AnswerSchema = v.object({
  name: v.nullable(v.pipe(v.string(), v.trim(), v.maxLength(200))),
  company: v.nullish(v.pipe(v.string(), v.trim(), v.maxLength(200))),
});

const deadlineMs = 2_000;
const longestAnswer = 16_384;
const rememberedMs = 3_600_000;
/** A service that does not answer, fails or is asked too much is left alone for this long: no caller waits two seconds for it again and again. */
const restMs = 30_000;

export class Enrichment {
  readonly #settings: EnrichmentSettings;
  readonly #now: () => number;
  readonly #resolve: OutsideRequest['resolve'];
  readonly #remembered: Remembered<readonly Match[]>;
  #restUntil = 0;

  constructor(settings: EnrichmentSettings, now: () => number, resolve?: OutsideRequest['resolve']) {
    this.#settings = settings;
    this.#now = now;
    this.#resolve = resolve;
    this.#remembered = new Remembered(rememberedMs, 2_000, now);
  }

  /**
   * At most one match, never a record of the CRM.
   * @throws PatchcordError `crm.unavailable`, and nothing is asked again for half a minute; `crm.invalid` when the answer can't be read
   */
  async find(number: E164): Promise<readonly Match[]> {
    if (this.#now() < this.#restUntil) return this.#remembered.known(number) ?? [];
    return await this.#remembered.get(number, async () => {
      try {
        return await this.#ask(number);
      } catch (error) {
        // An answer that can't be read says something of one number, not of the service.
        if (errorCode(error) === 'crm.unavailable') this.#restUntil = this.#now() + restMs;
        throw error;
      }
    });
  }

  async #ask(number: E164): Promise<readonly Match[]> {
    const { url, method, authorization, allowPrivate, label } = this.#settings;
    const { status, body } = await sendOutside(url.replaceAll('{number}', encodeURIComponent(number)), {
      method,
      headers: {
        accept: 'application/json',
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: method === 'POST' ? JSON.stringify({ number }) : '',
      timeoutMs: deadlineMs,
      longestAnswer,
      allowPrivate,
      ...(this.#resolve === undefined ? {} : { resolve: this.#resolve }),
    });
    if (status === 404 || status === 204) return [];
    const answer = status === 200 ? v.safeParse(AnswerSchema, jsonOf(body)) : null;
    if (answer === null || !answer.success) {
      const what = answer === null ? `answered ${status}` : 'gave an answer without a "name"';
      throw new PatchcordError(
        status >= 500 || status === 429 ? 'crm.unavailable' : 'crm.invalid',
        `The number service ${what}. Check "callerSources.enrichment" of the tenant.`,
        { retryable: status >= 500 || status === 429 },
      );
    }
    const { name, company } = answer.output;
    if (name === null || name === '') return [];
    return [
      {
        record: { crm: 'page', object: 'Caller', id: number, name },
        number,
        ...(company === null || company === undefined || company === '' ? {} : { detail: company }),
        reason: `Name from the ${label}`,
        source: 'enrichment',
      },
    ];
  }
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
