/**
 * What agents have to call, and how it changes: call-backs and dial lists. Owns what an entry may be, how many there are, and that every frame of
 * the agent hears of a change. Must never let one agent see or change another's.
 */
import {
  type AgentId,
  PatchcordError,
  type RecordRef,
  type TenantId,
  type ToCall,
  type ToCallChange,
  type ToCallRequest,
} from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import { redactCards } from '../call-log/card-numbers.ts';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { Store, StoredToCall } from '../store/contract.ts';

/** Open entries of one agent; nobody calls more. */
export const mostOpen = 500;
const dayMs = 86_400_000;
/** A call-back may be asked for a moment too late, and not for a time nobody plans. */
const pastMs = dayMs;
const futureMs = 2 * 365 * dayMs;

export interface ToCallParts {
  readonly store: Pick<Store, 'toCall'>;
  readonly hub: Pick<LiveHub, 'tell'>;
  readonly now: () => number;
}

/** Whose list. */
export interface ListOwner {
  readonly tenant: TenantConfig;
  readonly agent: AgentConfig;
}

/** What an agent has open, call-backs by time, then the dial list in its order. */
export async function openToCall(parts: ToCallParts, { tenant, agent }: ListOwner): Promise<readonly ToCall[]> {
  const entries = await parts.store.toCall.open(tenant.id as TenantId, agent.id as AgentId);
  return entries.map(withoutOwner);
}

/**
 * Adds an entry; a repeat of the same id adds nothing and answers the entry that is there.
 * @param askedBy Who wants it, for a person
 * @returns the entry, and whether it is new
 * @throws PatchcordError `request.invalid` (no number, no time, the id is somebody else's), `request.too-many` (the list is full)
 */
export async function addToCall(
  parts: ToCallParts,
  owner: ListOwner,
  request: ToCallRequest,
  askedBy: string,
): Promise<{ readonly entry: ToCall; readonly added: boolean }> {
  const { tenant, agent } = owner;
  const now = parts.now();
  const { kind } = request;
  const stored: StoredToCall = {
    tenant: tenant.id as TenantId,
    agent: agent.id as AgentId,
    id: request.id.toLowerCase(),
    kind,
    number: numberOf(request.number),
    e164: toE164(request.number, tenant.country),
    name: request.name ?? null,
    record: recordOf(request.record ?? null, tenant),
    note: request.note === null || request.note === undefined ? null : redactCards(request.note),
    dueAt: kind === 'dial-list' ? null : timeOf(request.dueAt ?? null, now),
    askedBy: askedBy.slice(0, 255),
    createdAt: now,
    doneAt: null,
  };
  const result = await parts.store.toCall.add(stored, mostOpen);
  if (result === null) throw full(agent);
  if (result.entry.agent !== agent.id) {
    throw new PatchcordError(
      'request.invalid',
      'This id is of an entry of another agent. Make a new one and ask again.',
    );
  }
  if (result.added) tellChanged(parts, stored);
  return { entry: withoutOwner(result.entry), added: result.added };
}

/**
 * Postpones an entry, or says that it is done, or that it is not after all. An entry of the dial list that is given a time becomes a call-back.
 * @throws PatchcordError `request.invalid` (there is no such entry of this agent, or the time is none), `request.too-many` (the list is full)
 */
export async function changeToCall(
  parts: ToCallParts,
  { tenant, agent }: ListOwner,
  id: string,
  { dueAt, done }: ToCallChange,
): Promise<ToCall> {
  const now = parts.now();
  const key = [tenant.id as TenantId, agent.id as AgentId, id.toLowerCase()] as const;
  const before = await parts.store.toCall.find(...key);
  if (before === null) throw unknown();
  if (done === false && before.doneAt !== null && (await parts.store.toCall.open(key[0], key[1])).length >= mostOpen)
    throw full(agent);
  // Said twice it was done the first time.
  const doneAt = done === undefined ? undefined : done ? (before.doneAt ?? now) : null;
  const after = await parts.store.toCall.change(...key, {
    ...(dueAt === undefined ? {} : { dueAt: timeOf(dueAt, now) }),
    ...(doneAt === undefined ? {} : { doneAt }),
  });
  if (after === null) throw unknown();
  tellChanged(parts, after);
  return withoutOwner(after);
}

/** The entry without whose it is: what a phone and a card may see. */
export function withoutOwner({ tenant: _tenant, agent: _agent, e164: _e164, ...entry }: StoredToCall): ToCall {
  return entry;
}

function tellChanged({ hub, now }: ToCallParts, { tenant, agent }: StoredToCall): void {
  hub.tell(tenant, agent, relayEvent(tenant, { name: 'to-call.changed', at: now(), data: {} }));
}

function numberOf(text: string): string {
  const number = text.trim();
  // The phone reads it by its own rules; what can't be typed into one is no number.
  if (!/^[+*#()\w][\w\s+*#()./,;~!=&$%@:-]*$/.test(number) || !/[\d*#a-z]/i.test(number)) {
    throw new PatchcordError('request.invalid', 'There is no number to call. Give one as it is dialled.');
  }
  return number;
}

function timeOf(dueAt: number | null, now: number): number {
  if (dueAt !== null && Number.isFinite(dueAt) && dueAt >= now - pastMs && dueAt <= now + futureMs)
    return Math.round(dueAt);
  throw new PatchcordError(
    'request.invalid',
    'A call-back needs a time (epoch ms) within the next two years. Choose when to call.',
  );
}

function recordOf(record: RecordRef | null, { crm }: TenantConfig): RecordRef | null {
  if (record === null || record.crm === crm.kind) return record;
  throw new PatchcordError('request.invalid', `The record is not of this customer's CRM (${crm.kind}).`);
}

function full({ name }: AgentConfig): PatchcordError {
  return new PatchcordError(
    'request.too-many',
    `${name} has ${mostOpen} open calls to make already. Mark some of them as done, then add this one again.`,
  );
}

function unknown(): PatchcordError {
  return new PatchcordError('request.invalid', 'There is no such entry in this list. Load the list again.');
}
