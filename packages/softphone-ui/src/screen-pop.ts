/**
 * Opens in the CRM what the profile's policy says for a call, when it says so: once per call, in the foremost frame of those that may hold the phone
 * (beside a window that holds it alone that is the window: it alone speaks to the page). Owns the decision; the host carries it out. Must never pop for a call that was there before this frame (a new tab, a hand-over), a second time for one conversation
 * (a transfer), for a call from a record (the agent came from there), over a record that is in front already, nor for a record the agent
 * picked: the frame of the click opens that one.
 */
import type { CallId, Match, Profile, RecordRef, ScreenPop } from '@patchcord/call-protocol';
import type { PopTarget } from '@patchcord/crm-adapters/panel';
import {
  type CallState,
  type ClockPort,
  isInProgress,
  type PhoneState,
  type SharedPhone,
} from '@patchcord/phone-engine';
import type { ReadonlySignal } from '@preact/signals';
import { sameRecord } from './call-duties.ts';
import type { Numbers } from './numbers.ts';

export interface ScreenPopOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'role' | 'isOpener'>;
  readonly profile: ReadonlySignal<Profile>;
  readonly numbers: ReadonlySignal<Numbers>;
  readonly clock: ClockPort;
  /** The record in front of the agent, on the page of this frame. */
  readonly shown: ReadonlySignal<RecordRef | null>;
  /** `wanted` is asked again right before it opens: the call may have ended meanwhile. */
  readonly open: (call: CallId, target: PopTarget, wanted: () => boolean) => void;
}

/** A caller who was transferred and is back within this time is still in the same conversation, ms. */
const comesBackMs = 120_000;

/** Watches until the returned function is called. */
export function startScreenPop(options: ScreenPopOptions): () => void {
  const { phone, clock } = options;
  /** Calls that are decided, and what was decided. */
  const decided = new Map<CallId, PopTarget | null>();
  /** Calls that were there: whose they are, and what the call opened whose place they took. */
  const seen = new Map<CallId, { readonly number: string; readonly before: PopTarget | null }>();
  /** While it joins a frame knows of no calls: those in the first state it gets were there before it. */
  let watching = false;
  /** Numbers that were being transferred, and when that was last seen. */
  const transferred = new Map<string, number>();

  function numberOf({ farSide }: CallState): string {
    return farSide.e164 ?? options.numbers.value.toE164(farSide.number) ?? farSide.number;
  }

  /** At first sight: whether this call goes on with something the agent has had in front. */
  function continues(call: CallState, before: PopTarget | null): boolean {
    if (call.direction === 'outbound') return call.record !== null || call.about !== null || call.consultFor !== null;
    const number = numberOf(call);
    // What the replaced call opened stands for this one of the same person as well; where it opened nothing, this one may.
    if (before !== null && call.replaces !== null && seen.get(call.replaces)?.number === number) return true;
    const at = transferred.get(number);
    return at !== undefined && clock.now() - at < comesBackMs;
  }

  function waitsForAnswer({ answeredAt, direction }: CallState): boolean {
    return answeredAt === null && options.profile.value.screenPop[direction] === 'answer';
  }

  /** The record is in front of the agent already. */
  function isShown(target: PopTarget): boolean {
    const shown = options.shown.value;
    return target.kind === 'record' && shown !== null && sameRecord(shown, target.record);
  }

  /** Whether what was decided while the call was with `record` may open now. */
  function wanted(id: CallId, target: PopTarget, record: RecordRef | null): boolean {
    const call = phone.state().calls.find((one) => one.id === id);
    if (call === undefined || !isInProgress(call) || isShown(target)) return false;
    // Somebody may have said meanwhile who it is.
    return record === null ? call.record === null : call.record !== null && sameRecord(call.record, record);
  }

  function see(state: PhoneState): void {
    for (const call of state.calls) {
      const known = seen.get(call.id);
      // Whose place it takes is told at the beginning only.
      const before = known?.before ?? (call.replaces === null ? null : (decided.get(call.replaces) ?? null));
      if (known === undefined && continues(call, before)) decided.set(call.id, before);
      // The owner before saw to it, but for what opens with an answer that is still to come.
      if (known === undefined && call.recovering && !waitsForAnswer(call)) decided.set(call.id, null);
      seen.set(call.id, { number: numberOf(call), before });
      if (call.transfer !== null) transferred.set(numberOf(call), clock.now());
      if (decided.has(call.id)) continue;
      const target = decide(call, options.profile.value.screenPop, options.numbers.value);
      // Decided now, for every frame alike: only one acts, and none of them acts again.
      if (target !== undefined || !watching) decided.set(call.id, target ?? null);
      if (!watching || target === undefined || target === null || !phone.isOpener()) continue;
      const again = before?.kind === 'record' && target.kind === 'record' && sameRecord(before.record, target.record);
      if (again || isShown(target)) continue;
      const { record } = call;
      options.open(call.id, target, () => wanted(call.id, target, record));
    }
    for (const id of seen.keys()) {
      if (state.calls.some((call) => call.id === id)) continue;
      seen.delete(id);
      decided.delete(id);
    }
    for (const [number, at] of transferred) if (clock.now() - at >= comesBackMs) transferred.delete(number);
    watching = true;
  }

  if (phone.role() !== 'joining') see(phone.state());
  return phone.onState(see);
}

/** What opens for a call; null: nothing, for good; undefined: nothing yet. */
function decide(call: CallState, policy: ScreenPop, numbers: Numbers): PopTarget | null | undefined {
  const when = call.direction === 'inbound' ? policy.inbound : policy.outbound;
  if (when === 'never' || !isInProgress(call)) return undefined;
  const due = when !== 'answer' || call.answeredAt !== null;
  const known = call.matches.filter(isRecord);
  const [first] = known;
  if (call.record !== null) {
    if (known.length !== 1 || first === undefined || !sameRecord(first.record, call.record)) return null;
    return due ? targetOf(policy.known, call, call.record, numbers) : undefined;
  }
  if (!due) return undefined;
  if (known.length > 1)
    return policy.several.open === 'search' ? { kind: 'search', text: searchText(call, numbers) } : undefined;
  // One match becomes the record in the next moment.
  if (known.length === 1 || (call.unknown !== true && call.matches.length === 0)) return undefined;
  const { unknown } = policy;
  if (unknown.open === 'nothing') return undefined;
  // A colleague's extension is no stranger to the CRM: there is nothing to search or to create.
  if (e164Of(call, numbers) === null) return null;
  if (unknown.open === 'search') return { kind: 'search', text: searchText(call, numbers) };
  // Its form hides the phone, so that it waits for the answer whatever the policy says of the ring.
  if (unknown.open === 'new-record')
    return call.answeredAt === null ? undefined : newRecord(unknown.object, call, numbers);
  return targetOf(unknown, call, null, numbers);
}

/** What is known from elsewhere is a name: there is no record to open. */
function isRecord({ source }: Match): boolean {
  return source === undefined || source === 'crm';
}

function targetOf(
  open: ScreenPop['known'],
  call: CallState,
  record: RecordRef | null,
  numbers: Numbers,
): PopTarget | null {
  const number = e164Of(call, numbers) ?? call.farSide.number;
  switch (open.open) {
    case 'record':
      return record === null ? null : { kind: 'record', record };
    case 'flow':
      return {
        kind: 'flow',
        name: open.name,
        variables: {
          patchcordCallId: call.id,
          patchcordNumber: number,
          patchcordRecordId: record?.id ?? '',
          patchcordDirection: call.direction,
        },
      };
    case 'url': {
      const values: Readonly<Record<string, string>> = { number, recordId: record?.id ?? '', callId: call.id };
      const url = open.url.replace(/\{(number|recordId|callId)\}/g, (_, name: string) =>
        encodeURIComponent(values[name] ?? ''),
      );
      return { kind: 'url', url };
    }
  }
}

function newRecord(object: string, call: CallState, numbers: Numbers): PopTarget {
  const number = e164Of(call, numbers);
  return { kind: 'new-record', object, fields: {}, ...(number === null ? {} : { number }) };
}

function e164Of({ farSide }: CallState, numbers: Numbers): string | null {
  return farSide.e164 ?? numbers.toE164(farSide.number);
}

/** The digits as they stand in most records: without the country's code at home, with it from abroad. */
function searchText({ farSide }: CallState, numbers: Numbers): string {
  return numbers.numberOf(farSide).replace(/\D/g, '');
}
