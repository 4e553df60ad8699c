/**
 * What a call may be about, beside whom it is with: the open cases and deals of its record, and what the agent has open. Owns asking for them,
 * once per record as long as a call has it. Must never choose one. What is offered of them: `later/about-offers.ts`.
 */
import type { RecordRef, Related } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { signal } from '@preact/signals';
import { sameRecord } from './call-duties.ts';

export type RelatedList = 'loading' | 'failed' | readonly Related[];

export interface RelatedRecords {
  /** What is known of this record's open cases and deals; null while nobody asked. */
  of(record: RecordRef): RelatedList | null;
  /** Asks for them, unless that was done; after a failure only with `again`. Never rejects. */
  ask(record: RecordRef, again?: boolean): Promise<void>;
  /** To be called with every new state: lists of records that no call has any more are let go. */
  settle(calls: readonly CallState[]): void;
}

const keyOf = ({ crm, object, id }: RecordRef): string => `${crm} ${object} ${id}`;

/** @param fetch Asks the relay; its failure may be tried again. */
export function createRelatedRecords(fetch: (record: RecordRef) => Promise<readonly Related[]>): RelatedRecords {
  const lists = signal<ReadonlyMap<string, RelatedList>>(new Map());
  const put = (key: string, list: RelatedList): void => {
    lists.value = new Map(lists.value).set(key, list);
  };
  return {
    of: (record) => lists.value.get(keyOf(record)) ?? null,
    async ask(record, again = false) {
      const key = keyOf(record);
      const known = lists.peek().get(key);
      if (known !== undefined && !(again && known === 'failed')) return;
      put(key, 'loading');
      const list = await fetch(record).catch(() => 'failed' as const);
      if (lists.peek().has(key)) put(key, list);
    },
    settle(calls) {
      const kept = new Set(calls.map(({ record }) => (record === null ? '' : keyOf(record))));
      if ([...lists.peek().keys()].every((key) => kept.has(key))) return;
      lists.value = new Map([...lists.peek()].filter(([key]) => kept.has(key)));
    },
  };
}

/** Whom a call can be with; whatever else a CRM has is what it is about. */
const persons = /^(contact|lead|user|personaccount)$/i;
const parties = /^(account|company)$/i;
const subjects = /^(case|opportunity|deal|ticket)$/i;

/** A record that is nobody who could answer the phone. A page of one's own may name its people as it likes. */
export function isSubject({ crm, object }: RecordRef): boolean {
  if (crm === 'page' || crm === 'memory') return subjects.test(object);
  return !persons.test(object) && !parties.test(object);
}

/** What the agent has open, when the call can be about it. An account may be whom the call is with, as long as nobody else is. */
export function shownSubject({ record }: Pick<CallState, 'record'>, shown: RecordRef | null): RecordRef | null {
  if (shown === null) return null;
  if (isSubject(shown)) return shown;
  return parties.test(shown.object) && record !== null && !sameRecord(record, shown) ? shown : null;
}
