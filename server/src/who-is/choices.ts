/**
 * The memory of choices: which record agents chose for a number that several have. Owns what counts as a choice, what it does to the order of
 * matches, and when it is forgotten. Must never choose: it moves the record to the front and says why. Must never fail what it serves.
 */
import {
  type AgentId,
  type CrmName,
  type E164,
  errorCode,
  type Match,
  type RecordRef,
  type TenantId,
  type WireEvent,
} from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { ChoiceStore, RememberedChoice } from '../store/contract.ts';
import type { NumberHashes } from './number-hash.ts';

/** A reason has its bound; what was said before is cut, not what is added. */
const longestReason = 255;

export class Choices {
  readonly #store: ChoiceStore;
  readonly #hashes: NumberHashes;
  readonly #log: Log;
  #off = false;

  constructor(options: { readonly store: ChoiceStore; readonly hashes: NumberHashes; readonly log: Log }) {
    this.#store = options.store;
    this.#hashes = options.hashes;
    this.#log = options.log;
  }

  /**
   * Takes the choices an agent made among the events of one call. One that replaces an earlier choice of the same call takes that one back.
   * @param before Events of the call that were known, oldest first
   */
  async take(
    { id, crm }: { readonly id: TenantId; readonly crm: CrmName },
    agent: AgentId,
    number: E164,
    before: readonly WireEvent[],
    fresh: readonly WireEvent[],
  ): Promise<void> {
    const earlier = chosenIn(before);
    const now = chosenIn(fresh);
    if (now === null || (earlier !== null && isSame(earlier.record, now.record))) return;
    // A colleague is not one of several customers; who stands only in a directory, or came from a number service, is no record of the CRM.
    const counts = ({ record }: Chosen): boolean => record.crm === crm && record.object !== 'User';
    const replaced = earlier !== null && counts(earlier) ? earlier : null;
    if (replaced === null && !counts(now)) return;
    await this.#guarded(async () => {
      const of = { tenant: id, number: await this.#hashes.of(id, number) };
      if (replaced !== null) await this.#store.takeBack({ ...of, ...rowOf(replaced.record) });
      if (counts(now)) await this.#store.remember({ ...of, ...rowOf(now.record) }, agent, now.at);
    });
  }

  /**
   * Puts what was chosen before in front of its equals, with the reason. What its last chooser, or anybody where all see the same, finds no more
   * is forgotten.
   * @param view `timeZone`: in which the day of a choice is told; `allSeeTheSame`: whether the CRM answers every agent alike
   */
  async ranked(
    tenant: TenantId,
    agent: AgentId,
    number: E164,
    matches: readonly Match[],
    view: { readonly timeZone: string; readonly allSeeTheSame: boolean; readonly now: number },
  ): Promise<readonly Match[]> {
    const answer = await this.#guarded(async () => {
      // Nothing is remembered without a key, and a look-up makes none.
      const known = await this.#hashes.known(tenant, number);
      if (typeof known === 'string') return matches;
      const remembered = await this.#store.ofNumber(tenant, known.hash);
      const first: Match[] = [];
      for (const choice of remembered) {
        const match = matches.find(({ record }) => isSame(record, choice));
        if (match !== undefined) first.push({ ...match, reason: reasonOf(match, choice, view) });
        else if (view.allSeeTheSame || choice.lastBy === agent) await this.#store.forget(choice);
      }
      return [...first, ...matches.filter(({ record }) => !first.some((match) => isSame(match.record, record)))];
    });
    return answer ?? matches;
  }

  /** What this memory can't do costs nobody a look-up or a log. */
  async #guarded<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.#off) return null;
    try {
      return await work();
    } catch (error) {
      // Without a key nothing can be remembered until the relay is configured anew.
      this.#off = errorCode(error) === 'config.invalid';
      if (this.#off) this.#log.warn({ err: error }, 'choices among several records are not remembered');
      else this.#log.error({ err: error }, 'the memory of choices failed');
      return null;
    }
  }
}

interface Chosen {
  readonly record: RecordRef;
  readonly at: number;
}

/** The last record an agent chose: what the phone chose by itself is no choice. */
function chosenIn(events: readonly WireEvent[]): Chosen | null {
  const last = events.findLast((event) => event.name === 'record.chosen' && event.data.by === 'agent');
  return last?.name === 'record.chosen' ? { record: last.data.record, at: last.at } : null;
}

function rowOf({ crm, object, id }: RecordRef): Pick<RememberedChoice, 'crm' | 'object' | 'id'> {
  return { crm, object, id };
}

function isSame(one: Pick<RecordRef, 'crm' | 'object' | 'id'>, other: typeof one): boolean {
  return one.crm === other.crm && one.object.toLowerCase() === other.object.toLowerCase() && one.id === other.id;
}

function reasonOf(
  { reason }: Match,
  { times, lastAt }: RememberedChoice,
  { timeZone, now }: { readonly timeZone: string; readonly now: number },
): string {
  const dayOf = (at: number, parts: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat('en-GB', { timeZone, day: 'numeric', month: 'long', ...parts }).format(at);
  const thisYear = dayOf(lastAt, { year: 'numeric' }).slice(-4) === dayOf(now, { year: 'numeric' }).slice(-4);
  const day = dayOf(lastAt, thisYear ? {} : { year: 'numeric' });
  const chosen = times === 1 ? `Chosen on ${day}` : `Chosen ${times} times, last on ${day}`;
  return `${reason.slice(0, longestReason - chosen.length - 2)}. ${chosen}`;
}
