/**
 * Deletes what is older than it may be. Owns the ages and the walk: small steps with room between them, so that no call waits for a cleaning.
 * Must never delete a call that lives, whose log is not written, or that is held.
 */
import { type CallLog, type E164, PatchcordError } from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import type { RetentionSettings } from '../config/retention.ts';
import type { Log } from '../logging.ts';
import type { HeldChoices, LegalHold, OldCallsPlace, Store, StoredCall } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { NumberHashes } from '../who-is/number-hash.ts';

const dayMs = 86_400_000;
const atOnce = 200;
/** One turn of housekeeping; what is left waits for the next. */
const looksPerTurn = 50;

/** How much went in one turn. */
export interface Forgotten {
  readonly calls: number;
  readonly events: number;
  /** Given up, and of no call. */
  readonly webhooks: number;
  readonly audit: number;
  /** Records remembered for a number. */
  readonly choices: number;
  /** What agents had to call. */
  readonly toCall: number;
}

export class Retention {
  readonly #store: Pick<Store, 'keeping' | 'audit' | 'choices' | 'toCall'>;
  readonly #tenants: Pick<Tenants, 'find'>;
  readonly #hashes: Pick<NumberHashes, 'known'>;
  readonly #settings: RetentionSettings;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #stopping: () => boolean;
  /** Beyond calls that are held, the walk goes on where it was. */
  #place: OldCallsPlace | null = null;

  constructor(options: {
    readonly store: Pick<Store, 'keeping' | 'audit' | 'choices' | 'toCall'>;
    readonly tenants: Pick<Tenants, 'find'>;
    /** Under which hash choices for a held number are kept. */
    readonly hashes: Pick<NumberHashes, 'known'>;
    readonly settings: RetentionSettings;
    readonly log: Log;
    readonly now: () => number;
    /** Whether a turn must end with the page it is at. */
    readonly stopping?: () => boolean;
  }) {
    this.#store = options.store;
    this.#tenants = options.tenants;
    this.#hashes = options.hashes;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#now = options.now;
    this.#stopping = options.stopping ?? (() => false);
  }

  /** One turn. What several relays do at once is done once. */
  async run(): Promise<Forgotten> {
    const now = this.#now();
    const calls = await this.#forgetCalls(now - this.#settings.callDays * dayMs);
    let events = 0;
    for (let look = 0; look < looksPerTurn && !this.#stopping(); look += 1) {
      const gone = await this.#store.keeping.forgetLooseEvents(now - this.#settings.eventDays * dayMs, atOnce);
      events += gone;
      if (gone < atOnce) break;
      await breathe();
    }
    const webhooks = await this.#store.keeping.forgetDeadWebhooks(now - this.#settings.eventDays * dayMs);
    const audit = await this.#store.audit.forgetBefore(now - this.#settings.auditDays * dayMs);
    const choices = await this.#store.choices.forgetBefore(
      now - this.#settings.choiceDays * dayMs,
      await this.#heldChoices(),
    );
    const holds = await this.#store.keeping.holds();
    const toCall = await this.#store.toCall.forgetBefore(
      now - this.#settings.callDays * dayMs,
      holds.flatMap(({ tenant, kind, subject }) => (kind === 'number' ? [{ tenant, number: subject }] : [])),
    );
    const forgotten: Forgotten = { calls, events, webhooks, audit, choices, toCall };
    if (calls + events + webhooks + audit + choices + toCall > 0)
      this.#log.info(forgotten, 'forgot what is older than it may be');
    return forgotten;
  }

  /** Choices are kept under a hash of their number: where that can't be made any more, all of the tenant's stay. */
  async #heldChoices(): Promise<readonly HeldChoices[]> {
    const held: HeldChoices[] = [];
    for (const { tenant, kind, subject } of await this.#store.keeping.holds()) {
      if (kind !== 'number') continue;
      const known = await this.#hashes.known(tenant, subject as E164);
      if (known === 'nothing') continue;
      held.push({ tenant, number: known === 'unreadable' ? null : known.hash });
    }
    return held;
  }

  async #forgetCalls(before: number): Promise<number> {
    let gone = 0;
    for (let look = 0; look < looksPerTurn && !this.#stopping(); look += 1) {
      const old = await this.#store.keeping.oldCalls(before, this.#place, atOnce);
      const last = old.at(-1);
      if (last === undefined) {
        this.#place = null;
        return gone;
      }
      const holds = await this.#store.keeping.holds();
      const free = old.filter((call) => !isHeld(call, holds, this.#tenants.find(call.tenant)?.config.country ?? 'US'));
      const { calls } = await this.#store.keeping.forgetCalls(free.map(({ callId }) => callId));
      gone += calls;
      this.#place = { touchedAt: last.touchedAt, callId: last.callId };
      await breathe();
    }
    return gone;
  }
}

/** Whether a hold keeps this call. */
export function isHeld(call: StoredCall, holds: readonly LegalHold[], country: string): boolean {
  return holds.some(
    (hold) =>
      hold.tenant === call.tenant &&
      (hold.kind === 'call'
        ? hold.subject === call.callId
        : call.log !== null && numbersOf(call.log, country).has(hold.subject)),
  );
}

function numbersOf({ farSide, transferredTo }: CallLog, country: string): ReadonlySet<string | null> {
  return new Set([farSide.e164 ?? null, toE164(farSide.number, country), toE164(transferredTo ?? '', country)]);
}

/** Others' questions get in between. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/**
 * A number as a hold or an erasure names it.
 * @throws PatchcordError `number.invalid` without quoting it
 */
export function readNumber(text: string, country: string) {
  const number = toE164(text, country);
  if (number === null) {
    throw new PatchcordError('number.invalid', 'This is no complete telephone number. Write it like +14155550101.');
  }
  return number;
}
