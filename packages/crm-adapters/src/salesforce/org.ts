/**
 * Owns what an org says of itself, as one user sees it: which objects and fields there are, which task status means closed, whether accounts
 * can be persons. Asked once and kept for a while. Must never write.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { GatedRequest } from '../request-gate.ts';
import { isObject, listOf, text } from './composite.ts';
import type { SalesforceConnection } from './connection.ts';
import { notData, type Refusal } from './refusals.ts';

/** One field, as far as we ask. */
interface DescribedField {
  readonly type: string;
  readonly createable: boolean;
  readonly updateable: boolean;
  /** Active values of `Task.Type`, the only picklist we look into; none of any other. */
  readonly values: readonly string[];
}

/** Those fields of one object that anybody here asks for, by their API names. */
export type DescribedObject = ReadonlyMap<string, DescribedField>;

/**
 * An answer that cannot be had again when its time is over (an outage, a day whose API calls are used up) is kept until it can. `gated`
 * says how urgent the question is, should it have to be sent.
 */
export interface OrgKnowledge {
  /**
   * The object's fields; null where the org has no such object or this user may not see it.
   * @throws PatchcordError `crm.*`
   */
  describe(object: string, gated?: GatedRequest): Promise<DescribedObject | null>;
  /** Asks again at the next need: what is missing may have been put there meanwhile. */
  forget(object: string): void;
  /** A Task status that counts as closed, "Completed" where that is one. */
  closedStatus(gated?: GatedRequest): Promise<string>;
  /** Whether accounts can be persons here. */
  hasPersonAccounts(gated?: GatedRequest): Promise<boolean>;
}

/** @param keepMs how long an answer is kept */
export function knowOrg(connection: SalesforceConnection, keepMs: number): OrgKnowledge {
  const objects = new Map<string, (gated: GatedRequest) => Promise<DescribedObject | null>>();
  const closedStatus = kept(keepMs, (gated) => readClosedStatus(connection, gated));
  const describe = (object: string, gated: GatedRequest = {}): Promise<DescribedObject | null> => {
    const asked = objects.get(object) ?? kept(keepMs, (how) => readDescription(connection, object, how));
    objects.set(object, asked);
    return asked(gated);
  };
  return {
    describe,
    forget: (object) => {
      objects.delete(object);
    },
    closedStatus: (gated = {}) => closedStatus(gated),
    async hasPersonAccounts(gated) {
      return (await describe('Account', gated))?.has('IsPersonAccount') ?? false;
    },
  };
}

/** An org in the eyes of one user, who may see less of it than the one who was asked. */
export interface OrgView extends OrgKnowledge {
  /** Whether this refusal names something that was not known to be hidden from the user. */
  canLearn(refusal: Refusal): boolean;
  /** Goes without it from now on; false when there was nothing to learn. */
  learn(refusal: Refusal): boolean;
}

/**
 * @param hidden `Object` or `Object.Field` → until when (epoch ms) it is believed; grows
 * @param keepMs how long something hidden is believed to be so
 */
export function orgSeenBy(org: OrgKnowledge, hidden: Map<string, number>, keepMs: number): OrgView {
  const isHidden = (name: string): boolean => (hidden.get(name) ?? 0) > Date.now();
  const news = (refusal: Refusal): string | null => {
    const name = hiddenIn(refusal);
    return name === null || isHidden(name) ? null : name;
  };
  const describe: OrgKnowledge['describe'] = async (object, gated) => {
    const described = await org.describe(object, gated);
    if (described === null || hidden.size === 0) return described;
    return isHidden(object) ? null : new Map([...described].filter(([field]) => !isHidden(`${object}.${field}`)));
  };
  return {
    ...org,
    describe,
    async hasPersonAccounts(gated) {
      return (await describe('Account', gated))?.has('IsPersonAccount') ?? false;
    },
    canLearn: (refusal) => news(refusal) !== null,
    learn(refusal) {
      const name = news(refusal);
      if (name !== null) hidden.set(name, Date.now() + keepMs);
      return name !== null;
    },
  };
}

/**
 * `Object` or `Object.Field` that a refusal says is not there; null where it names none of ours. By what stands in quotes alone: the words
 * around it are in the user's language.
 */
function hiddenIn({ code, message }: Refusal): string | null {
  if (code !== 'INVALID_FIELD' && code !== 'INVALID_TYPE') return null;
  const named = [...message.matchAll(/['"‘’“”„«»]([A-Za-z]\w*)/g)].map(([, name = '']) => name);
  const object = named.find((name) => name in askedFields);
  const field = code === 'INVALID_TYPE' ? undefined : named.find((name) => !(name in askedFields));
  return object === undefined || field === undefined ? (object ?? null) : `${object}.${field}`;
}

/** What is asked of the platform's own objects besides their phone fields; of any other object, everything. */
const askedFields: Readonly<Record<string, string>> = {
  Contact: 'Title AccountId IsPersonAccount DoNotCall MailingCountry MailingCountryCode',
  Lead: 'Company Title DoNotCall Country CountryCode',
  Account:
    'IsPersonAccount PersonContactId PersonDoNotCall BillingCountry BillingCountryCode PersonMailingCountry PersonMailingCountryCode',
  Case: 'CaseNumber Subject Status Priority ContactId AccountId LastModifiedDate',
  Opportunity: 'Name StageName Amount CloseDate AccountId LastModifiedDate',
  OpportunityContactRole: 'ContactId OpportunityId',
  User: 'Extension Title Department',
  Task: 'Subject Status Type CallType CallDurationInSeconds CallDisposition CallObject ActivityDate Description WhoId WhatId OwnerId',
};

function isAsked(object: string, name: string, type: string): boolean {
  const asked = askedFields[object];
  return asked === undefined || type === 'phone' || asked.split(' ').includes(name);
}

async function readDescription(
  connection: SalesforceConnection,
  object: string,
  gated: GatedRequest,
): Promise<DescribedObject | null> {
  const doing = `to describe ${object}`;
  try {
    const answer = await connection.request('GET', `/sobjects/${object}/describe`, undefined, doing, gated);
    if (!isObject(answer) || !Array.isArray(answer.fields)) throw notData(doing);
    return new Map(
      answer.fields
        .filter(isObject)
        .filter((field) => isAsked(object, text(field.name), text(field.type)))
        .map((field) => [
          text(field.name),
          {
            type: text(field.type),
            createable: field.createable !== false,
            updateable: field.updateable !== false,
            values: object === 'Task' && field.name === 'Type' ? valuesOf(field) : [],
          },
        ]),
    );
  } catch (error) {
    if (error instanceof PatchcordError && error.code === 'crm.not-found') return null;
    throw error;
  }
}

function valuesOf(field: Readonly<Record<string, unknown>>): readonly string[] {
  return listOf(field, 'picklistValues')
    .filter(isObject)
    .filter((one) => one.active !== false)
    .map((one) => text(one.value));
}

async function readClosedStatus(connection: SalesforceConnection, gated: GatedRequest): Promise<string> {
  const query = encodeURIComponent(
    'SELECT ApiName, SortOrder FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder',
  );
  const answer = await connection.request('GET', `/query?q=${query}`, undefined, 'to list the task statuses', gated);
  const names = listOf(answer, 'records').map((row) => (isObject(row) ? text(row.ApiName) : ''));
  return names.find((name) => name === 'Completed') ?? names.find((name) => name !== '') ?? 'Completed';
}

/**
 * Asks once and keeps the answer for a while, and longer when it cannot be asked for again; a failure is not kept. Somebody urgent does not
 * share the failure of a question that was not.
 */
function kept<T>(forMs: number, ask: (gated: GatedRequest) => Promise<T>): (gated: GatedRequest) => Promise<T> {
  let last: { readonly at: number; readonly value: T } | null = null;
  let asking: { readonly urgent: boolean; readonly answer: Promise<T> } | null = null;

  async function fresh(gated: GatedRequest): Promise<T> {
    try {
      const value = await ask(gated);
      last = { at: Date.now(), value };
      return value;
    } catch (error) {
      if (last !== null && error instanceof PatchcordError && error.retryable) return last.value;
      throw error;
    }
  }

  return async (gated) => {
    if (last !== null && Date.now() - last.at <= forMs) return last.value;
    const urgent = gated.urgent === true;
    if (asking !== null && (asking.urgent || !urgent)) return await asking.answer;
    const mine = { urgent, answer: fresh(gated) };
    asking = mine;
    try {
      return await mine.answer;
    } finally {
      if (asking === mine) asking = null;
    }
  };
}

/** A text inside quotes of a SOQL query. */
export function escapeSoql(value: string): string {
  return value.replace(/[\\']/g, '\\$&').replace(/[\n\r\t\b\f]/g, ' ');
}
