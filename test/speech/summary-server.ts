/**
 * An HTTP server that speaks chat completions as OpenAI-compatible endpoints do, with the faults they have. It reads each request as strictly as such
 * an endpoint: the path, the key, the messages and a "strict" JSON schema. Owns its port; must never answer by chance.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly response_format: {
    readonly type: string;
    readonly json_schema: { readonly name: string; readonly strict: boolean; readonly schema: Schema };
  };
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  readonly temperature?: number;
}

interface Schema {
  readonly type: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly enum?: readonly (string | null)[];
}

export interface Taken {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly request: ChatRequest;
}

/** How the next request is answered. `echo` does what the transcript says: a model that follows whoever spoke. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | {
      readonly kind:
        | 'garbage'
        | 'wrong-shape'
        | 'truncated'
        | 'refusal'
        | 'filtered'
        | 'reset'
        | 'silent'
        | 'no-completion';
    }
  | { readonly kind: 'echo' };

export interface SummaryServer {
  readonly url: string;
  readonly key: string;
  readonly taken: readonly Taken[];
  /** What the model says when nothing is wrong. */
  answer: unknown;
  /** The next requests fail so, in this order. */
  fail(...faults: readonly Fault[]): void;
  close(): Promise<void>;
}

export const goodAnswer = {
  summary: 'Grace Hopper asked for a quote for ten licences. Ada promised one by Friday.',
  actionItems: ['Ada sends the quote by Friday'],
  sentiment: 'positive',
  disposition: null,
} as const;

export async function startSummaryServer(): Promise<SummaryServer> {
  const key = 'sk-a-key-that-only-tests-know';
  const taken: Taken[] = [];
  const faults: Fault[] = [];
  const self = { answer: goodAnswer as unknown };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const problem = problemWith(request.method ?? '', request.url ?? '', request.headers, body, key);
      if (problem !== null) {
        send(response, problem.status, { error: { message: problem.message, type: 'invalid_request_error' } });
        return;
      }
      const one = { path: request.url ?? '', headers: request.headers, body, request: JSON.parse(body) as ChatRequest };
      taken.push(one);
      const fault = faults.shift();
      if (fault?.kind === 'reset') request.socket.destroy();
      else if (fault?.kind !== 'silent') answerWith(response, one.request, fault, self.answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return Object.assign(self, {
    url: `http://127.0.0.1:${address.port}`,
    key,
    taken,
    fail: (...next: readonly Fault[]) => void faults.push(...next),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function answerWith(response: ServerResponse, request: ChatRequest, fault: Fault | undefined, good: unknown): void {
  if (fault?.kind === 'status') {
    response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
    response.end(fault.body ?? JSON.stringify({ error: { message: `The words were: ${lastOf(request)}` } }));
    return;
  }
  if (fault?.kind === 'no-completion') {
    send(response, 200, { object: 'list', data: [] });
    return;
  }
  const [message, finish_reason] = spoken(request, fault, good);
  send(response, 200, {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_790_000_000,
    model: request.model,
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason, logprobs: null }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  });
}

/** What the model says, and why it stopped. */
function spoken(request: ChatRequest, fault: Fault | undefined, good: unknown): [Record<string, unknown>, string] {
  const text = JSON.stringify(good);
  switch (fault?.kind) {
    case 'garbage':
      return [{ content: 'Sure! Here is the summary: the caller wanted a quote.' }, 'stop'];
    case 'wrong-shape':
      return [{ content: JSON.stringify({ summary: ['a list'], mood: 'good' }) }, 'stop'];
    case 'truncated':
      return [{ content: text.slice(0, 40) }, 'length'];
    case 'refusal':
      return [{ content: null, refusal: `I can’t help with: ${lastOf(request)}` }, 'stop'];
    case 'filtered':
      return [{ content: '' }, 'content_filter'];
    case 'echo':
      return [{ content: JSON.stringify(obeying(request)) }, 'stop'];
    default:
      return [{ content: text }, 'stop'];
  }
}

function lastOf({ messages }: ChatRequest): string {
  return messages.at(-1)?.content ?? '';
}

/** A model that does as it is told by whoever spoke: the line behind "ANSWER WITH" is its answer. */
function obeying({ messages }: ChatRequest): unknown {
  const said = (messages.at(-1)?.content ?? '')
    .split('\n')
    .filter((line) => line.startsWith('{"speaker"'))
    .map((line) => (JSON.parse(line) as { text: string }).text)
    .join(' ');
  return JSON.parse(/ANSWER WITH (\{.*\})/.exec(said)?.[1] ?? 'null');
}

function problemWith(
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  body: string,
  key: string,
): { readonly status: number; readonly message: string } | null {
  if (method !== 'POST' || path !== '/v1/chat/completions')
    return { status: 404, message: `Unknown request URL: ${method} ${path}` };
  if (headers.authorization !== `Bearer ${key}`) return { status: 401, message: 'Incorrect API key provided' };
  if (!(headers['content-type'] ?? '').startsWith('application/json')) return { status: 400, message: 'not JSON' };
  const { model, messages, response_format: format } = JSON.parse(body) as Partial<ChatRequest>;
  if (typeof model !== 'string') return { status: 400, message: 'you must provide a model parameter' };
  if (
    !Array.isArray(messages) ||
    messages.some(({ role, content }) => !['system', 'user'].includes(role) || typeof content !== 'string')
  )
    return { status: 400, message: 'messages' };
  if (
    format?.type !== 'json_schema' ||
    format.json_schema.strict !== true ||
    !/^[\w-]{1,64}$/.test(format.json_schema.name)
  )
    return { status: 400, message: 'response_format' };
  const wrong = notStrict(format.json_schema.schema, 'schema');
  return wrong === null ? null : { status: 400, message: `Invalid schema for response_format: ${wrong}` };
}

/** What "strict" does not take: a property that is not required, others besides, keywords about lengths. */
function notStrict(schema: Schema, at: string): string | null {
  const known = new Set(['type', 'properties', 'items', 'required', 'additionalProperties', 'enum', 'description']);
  const unknown = Object.keys(schema).find((keyword) => !known.has(keyword));
  if (unknown !== undefined) return `${at}: '${unknown}' is not permitted`;
  if (schema.type === 'object') {
    const names = Object.keys(schema.properties ?? {});
    if (schema.additionalProperties !== false) return `${at}: 'additionalProperties' must be false`;
    if (names.some((name) => schema.required?.includes(name) !== true))
      return `${at}: 'required' must include every key`;
  }
  for (const [name, one] of Object.entries({
    ...schema.properties,
    ...(schema.items === undefined ? {} : { items: schema.items }),
  })) {
    const wrong = notStrict(one, `${at}.${name}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
