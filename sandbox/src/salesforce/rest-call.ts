/** Owns what a call of the REST surface is, what it answers, and how a refusal looks in an answer. Must never route. */
import { isObject } from '../http.ts';
import { Refusal } from './refusal.ts';

/** One call inside the REST surface: a request of its own, or one of a composite's. */
export interface RestCall {
  readonly method: string;
  /** Path and query, from `/services/data/` on. */
  readonly url: string;
  readonly body: unknown;
}

export interface RestResult {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function failed(result: RestResult): boolean {
  return result.status >= 300;
}

/** Salesforce lists fields only where a field is to blame. */
export function errorBody(refusal: Refusal): Record<string, unknown> {
  const body: Record<string, unknown> = { ...refusal.extra, message: refusal.message, errorCode: refusal.code };
  if (refusal.fields.length > 0) body.fields = [...refusal.fields];
  return body;
}

export function jsonObject(body: unknown): Record<string, unknown> {
  if (!isObject(body))
    throw new Refusal('JSON_PARSER_ERROR', 'Unexpected character at the start of the body: a JSON object was expected');
  return body;
}
