/**
 * Owns what an org says of itself, as one user sees it: which objects and fields there are, which task status means closed, whether accounts
 * can be persons. Asked once and kept for a while. Must never write.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { isObject, listOf, text } from './composite.ts';
import type { SalesforceConnection } from './connection.ts';
import { notData } from './refusals.ts';

/** One field, as far as we ask. */
interface DescribedField {
  readonly type: string;
  readonly createable: boolean;
  readonly updateable: boolean;
  /** Active values of a picklist. */
  readonly values: readonly string[];
}

/** The fields of one object by their API names. */
export type DescribedObject = ReadonlyMap<string, DescribedField>;

export interface OrgKnowledge {
  /**
   * The object's fields; null where the org has no such object or this user may not see it.
   * @throws PatchcordError `crm.*`
   */
  describe(object: string): Promise<DescribedObject | null>;
  /** Asks again at the next need: what is missing may have been put there meanwhile. */
  forget(object: string): void;
  /** A Task status that counts as closed, "Completed" where that is one. */
  closedStatus(): Promise<string>;
  /** Whether accounts can be persons here. */
  hasPersonAccounts(): Promise<boolean>;
}

/** @param keepMs how long an answer is kept */
export function knowOrg(connection: SalesforceConnection, keepMs: number): OrgKnowledge {
  const objects = new Map<string, () => Promise<DescribedObject | null>>();
  const closedStatus = kept(keepMs, () => readClosedStatus(connection));
  const describe = (object: string): Promise<DescribedObject | null> => {
    const asked = objects.get(object) ?? kept(keepMs, () => readDescription(connection, object));
    objects.set(object, asked);
    return asked();
  };
  return {
    describe,
    forget: (object) => {
      objects.delete(object);
    },
    closedStatus,
    async hasPersonAccounts() {
      return (await describe('Account'))?.has('IsPersonAccount') ?? false;
    },
  };
}

async function readDescription(connection: SalesforceConnection, object: string): Promise<DescribedObject | null> {
  const doing = `to describe ${object}`;
  try {
    const answer = await connection.request('GET', `/sobjects/${object}/describe`, undefined, doing);
    if (!isObject(answer) || !Array.isArray(answer.fields)) throw notData(doing);
    return new Map(
      answer.fields.filter(isObject).map((field) => [
        text(field.name),
        {
          type: text(field.type),
          createable: field.createable !== false,
          updateable: field.updateable !== false,
          values: listOf(field, 'picklistValues')
            .filter(isObject)
            .filter((one) => one.active !== false)
            .map((one) => text(one.value)),
        },
      ]),
    );
  } catch (error) {
    if (error instanceof PatchcordError && error.code === 'crm.not-found') return null;
    throw error;
  }
}

async function readClosedStatus(connection: SalesforceConnection): Promise<string> {
  const query = encodeURIComponent(
    'SELECT ApiName, SortOrder FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder',
  );
  const answer = await connection.request('GET', `/query?q=${query}`, undefined, 'to list the task statuses');
  const names = listOf(answer, 'records').map((row) => (isObject(row) ? text(row.ApiName) : ''));
  return names.find((name) => name === 'Completed') ?? names.find((name) => name !== '') ?? 'Completed';
}

/** Asks once and keeps the answer for a while; a failure is not kept. */
function kept<T>(forMs: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: { readonly at: number; readonly value: Promise<T> } | null = null;
  return () => {
    if (answer === null || Date.now() - answer.at > forMs) {
      const asked = { at: Date.now(), value: ask() };
      answer = asked;
      asked.value.catch(() => {
        if (answer === asked) answer = null;
      });
    }
    return answer.value;
  };
}

/** A text inside quotes of a SOQL query. */
export function escapeSoql(value: string): string {
  return value.replace(/[\\']/g, '\\$&').replace(/[\n\r\t\b\f]/g, ' ');
}
