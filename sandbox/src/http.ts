/**
 * Owns the small loopback HTTP server under every sandbox page and REST emulator: reading a request, writing a reply,
 * keeping what was asked, and misbehaving on command. Must never know a CRM: routes, shapes and wording live in the CRM's folder.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request, read to its end. `raw` is the bytes as received, so that signatures can be checked over them. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly raw: Buffer;
}

/** What to answer. `drop` closes the connection with a TCP reset and sends nothing; `stream` takes the response over. */
export type HttpReply =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Buffer }
  | { readonly drop: true }
  | { readonly stream: (response: ServerResponse) => void };

export interface HttpServer {
  readonly origin: string;
  close(): Promise<void>;
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): HttpReply {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8', ...headers },
    body: JSON.stringify(value),
  };
}

export function text(
  status: number,
  type: 'text/html' | 'text/javascript' | 'text/css' | 'text/plain',
  body: string,
): HttpReply {
  return { status, headers: { 'content-type': `${type};charset=UTF-8`, 'cache-control': 'no-store' }, body };
}

/** The body as a JSON value, or `undefined` when it is empty or not JSON: the route says what that means. */
export function jsonBody(request: HttpRequest): unknown {
  try {
    return JSON.parse(request.raw.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** A JSON object body, or undefined. */
export function objectBody(request: HttpRequest): Record<string, unknown> | undefined {
  const value = jsonBody(request);
  return isObject(value) ? value : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Starts a server on a loopback name. `port` 0 takes a free one. An exception in `handle` becomes a 500 that names it,
 * because a sandbox that hides its own mistakes costs an afternoon.
 */
export async function startHttpServer(options: {
  port: number;
  host: string;
  handle: (request: HttpRequest) => Promise<HttpReply> | HttpReply;
}): Promise<HttpServer> {
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => response.destroy());
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://sandbox.invalid');
      const request: HttpRequest = {
        method: incoming.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        raw: Buffer.concat(chunks),
      };
      Promise.resolve()
        .then(() => options.handle(request))
        .catch((error: unknown) => text(500, 'text/plain', `The sandbox itself failed: ${String(error)}`))
        .then((reply) => {
          if ('drop' in reply) incoming.socket.resetAndDestroy();
          else if ('stream' in reply) reply.stream(response);
          else {
            response.writeHead(reply.status, reply.headers);
            response.end(reply.body);
          }
        })
        .catch(() => response.destroy());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A request as it is kept for tests: no headers, so no token is ever kept. `status` 0 means the connection was dropped. */
export interface RecordedRequest {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly status: number;
  readonly fault?: string;
}

/** Keeps the last 2,000 requests, oldest first. */
export function createRequestLog(): { add(entry: RecordedRequest): void; all(): readonly RecordedRequest[] } {
  const entries: RecordedRequest[] = [];
  return {
    add: (entry) => {
      entries.push(entry);
      if (entries.length > 2000) entries.shift();
    },
    all: () => [...entries],
  };
}

/**
 * A fault on order. `on` is a pattern with `*` for anything: over REST it is matched against `METHOD /path`, on the host
 * wire against the message's name. `times` (default 1) requests are hit after `skip` (default 0) were let through.
 */
export interface FaultOrder {
  readonly fault: string;
  readonly on?: string;
  readonly times?: number;
  readonly skip?: number;
  readonly delayMs?: number;
  readonly retryAfterSeconds?: number;
  readonly message?: string;
  /** Narrows the fault to what it says; a sandbox that knows no such thing leaves it alone. */
  readonly when?: FaultWhen;
  /** The fields that the refusal names. */
  readonly fields?: readonly string[];
}

/** What a fault is narrowed to: all that is said must be true. */
export interface FaultWhen {
  readonly object?: string;
  /** A field that is written. */
  readonly field?: string;
  /** The record's id, or a value that it is written with. */
  readonly record?: string;
  /** The name or id of the user in whose name it is done. */
  readonly user?: string;
}

export interface Faults {
  /** Throws a RangeError that lists the known faults when the name is not one of them. */
  add(order: FaultOrder): void;
  clear(): void;
  list(): readonly FaultOrder[];
  /** The next fault for `subject` among `names`, taken off the plan. `fits` decides on a narrowed one. */
  take(names: readonly string[], subject: string, fits?: (when: FaultWhen) => boolean): FaultOrder | undefined;
}

export function createFaults(known: readonly string[]): Faults {
  let plan: { order: FaultOrder; left: number; skip: number }[] = [];
  return {
    add(order) {
      if (!known.includes(order.fault))
        throw new RangeError(`Unknown fault "${order.fault}". Known faults: ${known.join(', ')}.`);
      plan.push({ order, left: order.times ?? 1, skip: order.skip ?? 0 });
    },
    clear() {
      plan = [];
    },
    list: () => plan.map(({ order, left, skip }) => ({ ...order, times: left, skip })),
    take(names, subject, fits = () => false) {
      for (const entry of plan) {
        const { when } = entry.order;
        if (!names.includes(entry.order.fault) || !matches(entry.order.on ?? '*', subject)) continue;
        if (when !== undefined && !fits(when)) continue;
        if (entry.skip > 0) {
          entry.skip -= 1;
          continue;
        }
        entry.left -= 1;
        if (entry.left <= 0) plan = plan.filter((other) => other !== entry);
        return entry.order;
      }
      return undefined;
    },
  };
}

function matches(pattern: string, subject: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`).test(subject);
}

/** The control endpoint every sandbox offers: `GET`, `POST` (one order or a list), `DELETE` on `/sandbox/faults`. */
export function faultsEndpoint(faults: Faults, request: HttpRequest): HttpReply {
  if (request.method === 'DELETE') {
    faults.clear();
    return { status: 204 };
  }
  if (request.method === 'POST') {
    const body = jsonBody(request);
    const orders = Array.isArray(body) ? body : [body];
    try {
      for (const order of orders) faults.add(faultOrder(order));
    } catch (error) {
      return json(400, { error: error instanceof Error ? error.message : String(error) });
    }
  }
  return json(200, { faults: faults.list() });
}

function faultOrder(value: unknown): FaultOrder {
  if (!isObject(value) || typeof value.fault !== 'string')
    throw new RangeError(
      'A fault is a JSON object with a "fault" name, e.g. {"fault":"slow","on":"POST *","times":1}.',
    );
  const order: Record<string, unknown> = { fault: value.fault };
  for (const key of ['on', 'message']) if (typeof value[key] === 'string') order[key] = value[key];
  for (const key of ['times', 'skip', 'delayMs', 'retryAfterSeconds'])
    if (typeof value[key] === 'number') order[key] = value[key];
  if (Array.isArray(value.fields)) order.fields = value.fields.filter((field) => typeof field === 'string');
  if (isObject(value.when)) {
    const said = Object.entries(value.when).filter(([, part]) => typeof part === 'string');
    order.when = Object.fromEntries(said);
  }
  return order as unknown as FaultOrder;
}

/** The faults of a connection, the same for every REST emulator; a CRM adds its own answers beside them. */
export const connectionFaults = ['reset', 'answer-lost', 'slow', 'twice'] as const;

/**
 * Runs a REST route under a fault. `answer` gives the CRM's own refusals. `reset` happens before anything is written,
 * `answer-lost` after: the caller cannot tell them apart, which is the point. `slow` writes late, maybe when nobody waits any more; `twice` is
 * what an impatient proxy does: the request comes in again, and the second answer is the one that is heard.
 */
export async function underFault(
  fault: FaultOrder | undefined,
  answer: (fault: FaultOrder) => HttpReply,
  run: () => Promise<HttpReply> | HttpReply,
): Promise<HttpReply> {
  if (!fault) return await run();
  if (fault.fault === 'reset') return { drop: true };
  if (fault.fault === 'answer-lost') {
    await run();
    return { drop: true };
  }
  if (fault.fault === 'twice') {
    await run();
    return await run();
  }
  if (fault.fault === 'slow') {
    await new Promise((resolve) => setTimeout(resolve, fault.delayMs ?? 2000));
    return await run();
  }
  return answer(fault);
}

/** A body as it is worth keeping in the request log: JSON parsed, a form without its secrets, nothing else. */
export function recordable(request: HttpRequest): unknown {
  if (request.raw.length === 0) return undefined;
  if (!`${request.headers['content-type'] ?? ''}`.includes('urlencoded')) return jsonBody(request);
  const form = Object.fromEntries(new URLSearchParams(request.raw.toString('utf8')));
  for (const secret of ['assertion', 'client_secret', 'refresh_token', 'code', 'token'])
    if (secret in form) form[secret] = '…';
  return form;
}
