/**
 * Owns what all parts of the REST surface share: a request after its routing, its answer, and how a record and an object type are spelled.
 * Must never decide anything about a record.
 */
import { isObject } from '../http.ts';
import { type ObjectType, objectTypeIds, objectTypes } from './properties.ts';
import { type PortalRecord, Refusal } from './records.ts';

export interface Owner {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface RestCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Bytes of the body, for the search limit. */
  readonly size: number;
}

export interface RestResult {
  readonly status: number;
  readonly body?: unknown;
}

const singulars = {
  contacts: 'contact',
  companies: 'company',
  deals: 'deal',
  tickets: 'ticket',
  calls: 'call',
} as const;

const always: Readonly<Record<ObjectType, readonly string[]>> = {
  contacts: ['firstname', 'lastname', 'email'],
  companies: ['name', 'domain'],
  deals: ['dealname', 'amount', 'dealstage', 'pipeline', 'closedate'],
  tickets: ['subject', 'content', 'hs_pipeline', 'hs_pipeline_stage', 'hs_ticket_priority'],
  calls: [],
};

/** A record as REST shows it: without `properties=` only the defaults, an unknown name silently left out. */
export function shown(record: PortalRecord, wanted: readonly string[]): Record<string, unknown> {
  const names = new Set([
    ...(wanted.length > 0 ? wanted : always[record.type]),
    'hs_object_id',
    'hs_createdate',
    'hs_lastmodifieddate',
  ]);
  const properties: Record<string, string | null> = {};
  for (const name of names)
    if (name in record.properties || wanted.includes(name)) properties[name] = record.properties[name] ?? null;
  const { id, createdAt, updatedAt, archived } = record;
  return { id, properties, createdAt, updatedAt, archived };
}

/** An object type by its name, its singular or its number. @throws Refusal */
export function typeOf(name: string | undefined): ObjectType {
  const type = objectTypes.find((one) => one === name || singulars[one] === name || objectTypeIds[one] === name);
  if (!type) throw new Refusal(400, `Unable to infer object type from: ${name ?? ''}`, 'VALIDATION_ERROR');
  return type;
}

export function singular(type: ObjectType): string {
  return singulars[type];
}

export function listed(value: string | null): string[] {
  return value === null || value === '' ? [] : value.split(',').map((one) => one.trim());
}

/** @throws Refusal when it is no object */
export function objectOf(body: unknown): Record<string, unknown> {
  if (!isObject(body)) throw invalid('Invalid input JSON: an object was expected');
  return body;
}

/** The inputs of a batch. @throws Refusal when there are none or too many */
export function inputsOf(body: unknown, most: number): readonly Record<string, unknown>[] {
  const { inputs } = objectOf(body);
  if (!Array.isArray(inputs)) throw invalid('inputs is an array');
  if (inputs.length > most) throw invalid(`A batch takes at most ${most} inputs`);
  return inputs.map(objectOf);
}

/** Runs a batch, each input for itself: 207 when some failed, the first refusal when all did. */
export function batchOf(
  inputs: readonly Record<string, unknown>[],
  statusWhenGood: number,
  one: (input: Record<string, unknown>) => readonly unknown[],
): RestResult {
  const startedAt = new Date().toISOString();
  const results: unknown[] = [];
  const errors: Refusal[] = [];
  for (const input of inputs) {
    try {
      results.push(...one(input));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // What names the input in a 207 is the trace id the caller gave; without one nothing does.
      const { objectWriteTraceId } = input;
      errors.push(
        typeof objectWriteTraceId === 'string' ? error.named({ objectWriteTraceId: [objectWriteTraceId] }) : error,
      );
    }
  }
  const first = errors[0];
  if (first && results.length === 0) throw first;
  const common = { status: 'COMPLETE', results, startedAt, completedAt: new Date().toISOString() };
  if (!first) return { status: statusWhenGood, body: common };
  return { status: 207, body: { ...common, numErrors: errors.length, errors: errors.map((error) => error.body()) } };
}

export function invalid(message: string): Refusal {
  return new Refusal(400, message, 'VALIDATION_ERROR');
}

export function notAllowed(): Refusal {
  return new Refusal(405, 'Method not allowed', 'VALIDATION_ERROR');
}
