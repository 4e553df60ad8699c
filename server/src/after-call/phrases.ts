/**
 * Where the words of calls come in: finds the phrases of the tenant's rules in them, tells agent and supervisors at once, and keeps what was found
 * with the call. Owns the memory of calls that are being heard. Must never keep a word that was said: an event names the rule and its phrase. Never
 * waits and never throws: a store that is away costs the agent nothing, and what could not be kept is tried again.
 */
import {
  type AgentId,
  type CallId,
  errorCode,
  type PhoneEvent,
  type TenantId,
  type TranscriptLine,
} from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { Log } from '../logging.ts';
import type { Tenants } from '../tenants.ts';
import { CallEar, type Rules, rulesOf } from './spotting.ts';

type PhraseEvent = Extract<
  PhoneEvent,
  { readonly name: 'phrase.spotted' | 'transcript.started' | 'transcript.interrupted' }
>;

/** A call of which no word was heard for this long is over. */
const forgottenAfterMs = 3_600_000;
/** What could not be kept (the call is not known yet, the store is away) is tried again this often, for this long. */
const againMs = 2_000;
const triesFor = 300;

interface HeardCall {
  readonly ear: CallEar;
  readonly sides: Set<TranscriptLine['speaker']>;
  heardAt: number;
}

interface Waiting {
  readonly tenant: TenantId;
  readonly call: CallId;
  readonly mark: string;
  readonly event: PhraseEvent;
  readonly tries: number;
}

export interface PhraseParts {
  readonly tenants: Tenants;
  readonly hub: Pick<LiveHub, 'tellPassing'>;
  readonly recorder: Pick<EventRecorder, 'noteLearned'>;
  readonly log: Log;
  readonly now: () => number;
}

export class Phrases {
  readonly #parts: PhraseParts;
  readonly #calls = new Map<string, HeardCall>();
  readonly #rules = new Map<TenantId, Rules>();
  readonly #fresh: Waiting[] = [];
  readonly #again: Waiting[] = [];
  #working: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: PhraseParts) {
    this.#parts = parts;
  }

  /** @param line Without card numbers and whatever else the customer has taken out of lines */
  hear(tenant: TenantId, agent: AgentId, call: CallId, line: TranscriptLine): void {
    const rules = this.#rulesOf(tenant);
    if (rules === null || !line.final) return;
    if (line.gap !== undefined && rules.awaits) {
      const { startMs, endMs, gap: why } = line;
      const data = { startMs, endMs: Math.max(startMs, endMs), why };
      const event = { name: 'transcript.interrupted', at: this.#parts.now(), call, data } as const;
      this.#keep(tenant, call, `transcript-gap-${line.speaker}-${Math.round(startMs)}`, event);
    }
    if (line.text.trim() === '') return;
    const heard = this.#callOf(tenant, call, rules);
    if (rules.awaits && !heard.sides.has(line.speaker)) {
      heard.sides.add(line.speaker);
      // Of interest to the end of the call alone: nobody is told.
      const event = {
        name: 'transcript.started',
        at: this.#parts.now(),
        call,
        data: { speaker: line.speaker },
      } as const;
      this.#keep(tenant, call, `transcript-${line.speaker}`, event);
    }
    for (const data of heard.ear.hear(line)) {
      const mark = `phrase-${data.rule}-${data.speaker}-${data.line}`;
      const event = { name: 'phrase.spotted', at: this.#parts.now(), call, data } as const;
      // Under the name it is kept by, so that who hears of it twice knows it once.
      this.#parts.hub.tellPassing(tenant, agent, relayEvent(tenant, event, `${call}:${mark}`));
      this.#keep(tenant, call, mark, event);
    }
  }

  /** Keeps what waits, once more, and forgets the rest. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#working;
    await this.#keepAll();
  }

  #rulesOf(tenant: TenantId): Rules | null {
    const known = this.#rules.get(tenant);
    if (known !== undefined) return known;
    const settings = this.#parts.tenants.find(tenant)?.config.spotting;
    if (settings === undefined || settings.rules.length === 0) return null;
    const rules = rulesOf(settings);
    this.#rules.set(tenant, rules);
    return rules;
  }

  #callOf(tenant: TenantId, call: CallId, rules: Rules): HeardCall {
    const now = this.#parts.now();
    const key = `${tenant} ${call}`;
    const known = this.#calls.get(key);
    if (known !== undefined) {
      known.heardAt = now;
      return known;
    }
    for (const [other, { heardAt }] of this.#calls) if (now - heardAt > forgottenAfterMs) this.#calls.delete(other);
    const heard = { ear: new CallEar(rules), sides: new Set<TranscriptLine['speaker']>(), heardAt: now };
    this.#calls.set(key, heard);
    return heard;
  }

  #keep(tenant: TenantId, call: CallId, mark: string, event: PhraseEvent): void {
    this.#fresh.push({ tenant, call, mark, event, tries: 0 });
    this.#work();
  }

  #work(): void {
    this.#working ??= this.#keepAll().finally(() => {
      this.#working = null;
      clearTimeout(this.#timer);
      if (this.#stopped) return;
      if (this.#fresh.length > 0) this.#work();
      else if (this.#again.length > 0) this.#timer = setTimeout(() => this.#work(), againMs).unref();
    });
  }

  /** One after the other: two commits of one call would only get in each other's way. */
  async #keepAll(): Promise<void> {
    const { recorder, log } = this.#parts;
    const now = [...this.#again.splice(0), ...this.#fresh.splice(0)];
    for (const one of now) {
      try {
        if ((await recorder.noteLearned(one.tenant, one.call, one.mark, one.event)) !== 'unknown') continue;
      } catch (error) {
        if (errorCode(error) !== 'store.unavailable')
          log.error({ err: error, callId: one.call }, 'a phrase was not kept');
      }
      if (one.tries < triesFor) this.#again.push({ ...one, tries: one.tries + 1 });
      else
        log.error({ tenant: one.tenant, callId: one.call }, 'a phrase was given up: its call never came to be known');
    }
  }
}
