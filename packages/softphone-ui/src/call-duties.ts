/**
 * What the owner of the phone does for a call without being asked: finds who it is, chooses the only match, and closes the wrap-up of a
 * consultation. Runs in the owner frame only, so that a caller is looked up once. Must never choose among several matches.
 */
import type { CallId, E164, Extension, Match, RecordRef } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import type { CallState, ClockPort, Phone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Numbers } from './numbers.ts';
import { texts } from './texts.ts';

/**
 * How the look-up of one call's far side stands. `none`: looked, nobody has this number. `unasked`: withheld: there is no number anybody could
 * have.
 */
export type Lookup = 'searching' | 'found' | 'none' | 'failed' | 'unasked';

export interface CallDuties {
  readonly lookups: ReadonlySignal<ReadonlyMap<CallId, Lookup>>;
  /** Begins; called when this frame becomes the owner. */
  start(): void;
  /** The relay is back: look up again what could not be. */
  retry(): void;
  /** The host found records by itself (HubSpot's caller-id match). */
  addFromHost(call: string, records: readonly RecordRef[]): void;
  stop(): void;
}

export interface CallDutiesOptions {
  readonly phone: Phone;
  readonly numbers: () => Numbers;
  readonly matches: (number: E164 | Extension) => Promise<readonly Match[]>;
  readonly clock: ClockPort;
}

/** More than an agent can choose from; and an event has its limit. Best evidence comes first. */
const mostMatches = 20;

/** Does the owner's duties from `start` to `stop`. */
export function createCallDuties(options: CallDutiesOptions): CallDuties {
  const { phone, clock } = options;
  const lookups = signal<ReadonlyMap<CallId, Lookup>>(new Map());
  const closing = new Set<CallId>();
  let stopState: (() => void) | null = null;

  function setLookup(call: CallId, lookup: Lookup): void {
    lookups.value = new Map(lookups.value).set(call, lookup);
  }

  function callById(id: string): CallState | undefined {
    return phone.state().calls.find((call) => call.id === id);
  }

  async function lookUp(call: CallState): Promise<void> {
    const { e164, number: given } = call.farSide;
    // A colleague is known by the extension.
    const number = e164 ?? options.numbers().toE164(given) ?? (isExtension(given) ? given : null);
    if (number === null) return setLookup(call.id, 'unasked');
    setLookup(call.id, 'searching');
    try {
      await offer(call.id, await options.matches(number));
    } catch (error) {
      // Nobody has to act: the call goes on, and the look-up is made again when the relay is back.
      if (errorCode(error) === 'crm.not-found') await offer(call.id, []);
      else setLookup(call.id, 'failed');
    }
    check();
  }

  /** Adds matches to what the call has; with exactly one in all, that one is the record. */
  async function offer(id: CallId, found: readonly Match[]): Promise<void> {
    const known = callById(id);
    if (known === undefined) return;
    if (known.record !== null) {
      // Dialled from a record that the host named by its id only: the look-up tells what it is called, and chooses nothing.
      const named = found.find((match) => known.record !== null && sameRecord(match.record, known.record));
      setLookup(id, 'found');
      if (named === undefined || known.record.name !== undefined) return;
      await phone.send({ type: 'call.choose-record', call: id, record: named.record, by: 'dialled-from' });
      return;
    }
    const fresh = found.filter((match) => !known.matches.some((other) => sameRecord(other.record, match.record)));
    const matches = [...known.matches, ...fresh].slice(0, mostMatches);
    setLookup(id, matches.length === 0 ? 'none' : 'found');
    // Nobody is a finding too: every frame hears of it, also the one that opens something for it.
    if (fresh.length > 0 || matches.length === 0) await phone.send({ type: 'call.found', call: id, matches });
    // What is known from elsewhere is a name, and no record to choose.
    const records = matches.filter(({ source }) => source === undefined || source === 'crm');
    const only = records.length === 1 ? records[0] : undefined;
    const now = callById(id);
    if (only === undefined || now === undefined || now.record !== null) return;
    await phone.send({ type: 'call.choose-record', call: id, record: only.record, by: 'only-match' });
  }

  function check(): void {
    if (stopState === null) return;
    for (const call of phone.state().calls) {
      const nameless = call.record === null ? call.matches.length === 0 : call.record.name === undefined;
      if (!lookups.value.has(call.id) && nameless) void lookUp(call);
      if (closesItself(call) && lookups.value.get(call.id) !== 'searching' && !closing.has(call.id)) {
        closing.add(call.id);
        void phone.send({ type: 'call.submit-wrap-up', call: call.id });
      }
    }
    forgetGone();
  }

  function forgetGone(): void {
    const present = new Set<CallId>(phone.state().calls.map((call) => call.id));
    for (const id of closing) if (!present.has(id)) closing.delete(id);
    if ([...lookups.value.keys()].every((id) => present.has(id))) return;
    lookups.value = new Map([...lookups.value].filter(([id]) => present.has(id)));
  }

  return {
    lookups,
    start() {
      if (stopState !== null) return;
      stopState = phone.onState(check);
      check();
    },
    retry() {
      if (stopState === null) return;
      for (const call of phone.state().calls) if (lookups.value.get(call.id) === 'failed') void lookUp(call);
    },
    addFromHost(id, records) {
      const call = callById(id);
      if (call === undefined || records.length === 0) return;
      const number = call.farSide.e164 ?? options.numbers().toE164(call.farSide.number);
      if (number === null) return;
      const matches = records.map((record) => ({ record, number, reason: texts.matchFromHost }));
      // The relay's answer comes with evidence: give it the first word.
      if (lookups.value.get(call.id) === 'searching') clock.setTimeout(() => void offer(call.id, matches), 1_000);
      else void offer(call.id, matches);
    },
    stop() {
      stopState?.();
      stopState = null;
    },
  };
}

/** Nothing to write down: a consultation on the way to a transfer, which nobody made a note on. */
function closesItself(call: CallState): boolean {
  const { note, disposition, about } = call;
  return call.phase === 'ended' && call.consultFor !== null && note === '' && disposition === null && about === null;
}

function isExtension(number: string): number is Extension {
  return /^\d{1,6}$/.test(number);
}

/** Whether two references point at the same record. */
export function sameRecord(a: RecordRef, b: RecordRef): boolean {
  return a.crm === b.crm && a.object.toLowerCase() === b.object.toLowerCase() && a.id === b.id;
}
