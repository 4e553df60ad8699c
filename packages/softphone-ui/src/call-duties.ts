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
/** The host's matches wait this long for the relay's, ms: the one is not chosen while the other may still name somebody else. */
const relayFirstMs = 3_000;

/** Does the owner's duties from `start` to `stop`. */
export function createCallDuties(options: CallDutiesOptions): CallDuties {
  const { phone, clock } = options;
  const lookups = signal<ReadonlyMap<CallId, Lookup>>(new Map());
  const closing = new Set<CallId>();
  /** What the host found while the relay still looks. */
  const fromHost = new Map<CallId, readonly Match[]>();
  const joins = new Set<unknown>();
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
      else {
        if (fromHost.has(call.id)) await offer(call.id, []);
        setLookup(call.id, 'failed');
      }
    }
    check();
  }

  /**
   * Joins matches with what the call has, the relay's with their evidence first; with exactly one in all, that one is the record. Somebody else who
   * is found after that joins the list too: the agent can change what was chosen for them.
   */
  async function offer(id: CallId, byRelay: readonly Match[]): Promise<void> {
    const known = callById(id);
    if (known === undefined) return;
    const found = [...byRelay, ...(fromHost.get(id) ?? [])];
    fromHost.delete(id);
    const { record } = known;
    if (record !== null && !known.matches.some((match) => sameRecord(match.record, record))) {
      // Dialled from a record that the host named by its id only: the look-up tells what it is called, and chooses nothing.
      const named = found.find((match) => sameRecord(match.record, record));
      setLookup(id, 'found');
      if (named === undefined || record.name !== undefined) return;
      await phone.send({ type: 'call.choose-record', call: id, record: named.record, by: 'dialled-from' });
      return;
    }
    const matches = eachOnce([...byRelay, ...known.matches, ...found]).slice(0, mostMatches);
    setLookup(id, matches.length === 0 ? 'none' : 'found');
    // Nobody is a finding too: every frame hears of it, also the one that opens something for it.
    if (matches.length === 0 || JSON.stringify(matches) !== JSON.stringify(known.matches))
      await phone.send({ type: 'call.found', call: id, matches });
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
    for (const id of fromHost.keys()) if (!present.has(id)) fromHost.delete(id);
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
      fromHost.set(call.id, matches);
      const join = (): void => {
        if (fromHost.has(call.id)) void offer(call.id, []);
      };
      // The relay's answer comes with evidence: give it the first word.
      if (lookups.value.get(call.id) === 'searching') joins.add(clock.setTimeout(join, relayFirstMs));
      else join();
    },
    stop() {
      stopState?.();
      stopState = null;
      for (const timer of joins) clock.clearTimeout(timer);
      joins.clear();
    },
  };
}

/** Nothing to write down: a consultation on the way to a transfer, which nobody made a note on. */
function closesItself(call: CallState): boolean {
  const { note, disposition, about } = call;
  return call.phase === 'ended' && call.consultFor !== null && note === '' && disposition === null && about === null;
}

/** Of several that name the same record the first one. */
function eachOnce(matches: readonly Match[]): readonly Match[] {
  return matches.filter((match, at) => matches.findIndex((other) => sameRecord(other.record, match.record)) === at);
}

function isExtension(number: string): number is Extension {
  return /^\d{1,6}$/.test(number);
}

/** Whether two references point at the same record. */
export function sameRecord(a: RecordRef, b: RecordRef): boolean {
  return a.crm === b.crm && a.object.toLowerCase() === b.object.toLowerCase() && a.id === b.id;
}
