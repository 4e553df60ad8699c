/**
 * Owns the shapes of Salesforce's Composite resource: what one subrequest says, and which refusal stopped a transaction (Salesforce contract,
 * section 3.2). Pure; must never talk to Salesforce.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { type Refusal, refusalOf } from './refusals.ts';
import { isSalesforceId } from './task.ts';

export interface SubRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: string;
  readonly referenceId: string;
  readonly body?: unknown;
}

export interface SubAnswer {
  readonly referenceId: string;
  readonly status: number;
  readonly body: unknown;
}

export interface SubRefusal extends Refusal {
  readonly referenceId: string;
  readonly status: number;
}

export function subAnswer(value: unknown): SubAnswer {
  const answer = isObject(value) ? value : {};
  return {
    referenceId: text(answer.referenceId),
    status: typeof answer.httpStatusCode === 'number' ? answer.httpStatusCode : 500,
    body: answer.body,
  };
}

/** One graph of a composite graph request: a transaction of its own. */
export interface GraphAnswer {
  readonly graphId: string;
  readonly answers: readonly SubAnswer[];
}

export function graphAnswer(value: unknown): GraphAnswer {
  const graph = isObject(value) ? value : {};
  return {
    graphId: text(graph.graphId),
    answers: listOf(graph.graphResponse, 'compositeResponse').map(subAnswer),
  };
}

export function refusalIn(answer: SubAnswer): SubRefusal {
  return { ...refusalOf(answer.body, answer.status), referenceId: answer.referenceId, status: answer.status };
}

/** The refusal that stopped the transaction, not the ones that only followed from it. */
export function firstFailure(answers: readonly SubAnswer[]): SubRefusal | null {
  const refusals = answers.filter((one) => one.status >= 300).map(refusalIn);
  if (answers.length === 0) return { referenceId: '', code: 'UNKNOWN_EXCEPTION', message: 'empty answer', status: 500 };
  return refusals.find((one) => one.code !== 'PROCESSING_HALTED') ?? refusals[0] ?? null;
}

export function idOf(answer: SubAnswer | undefined, doing: string): string {
  const id = answer !== undefined && isObject(answer.body) ? text(answer.body.id) : '';
  if (isSalesforceId(id)) return id;
  throw new PatchcordError('crm.unavailable', `Salesforce answered ${doing} without an id. It is tried again.`, {
    retryable: true,
  });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown, name: string): readonly unknown[] {
  const list = isObject(value) ? value[name] : undefined;
  return Array.isArray(list) ? list : [];
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
