/** Owns a refusal in Salesforce's words. Must never know who asked. */

/** Its code, its text, the fields concerned, and the HTTP status a single request gets. `extra` stands beside them in the body. */
export class Refusal extends Error {
  readonly code: string;
  readonly fields: readonly string[];
  readonly status: number;
  readonly extra: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    message: string,
    fields: readonly string[] = [],
    status = 400,
    extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.code = code;
    this.fields = fields;
    this.status = status;
    this.extra = extra;
  }
}

export function notFound(): Refusal {
  return new Refusal('NOT_FOUND', 'The requested resource does not exist', [], 404);
}
