/**
 * Two customers whose agents talk all day: one in an emulated Salesforce org, one in an emulated HubSpot portal, and the phones that report
 * their calls over the live socket as a panel does: kept until acknowledged, sent again after every break. Owns the calls, and counting what
 * became of them in the CRMs. Must never know how the relay delivers.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type Envelope, type RelayMessage, toEnvelope } from '@patchcord/call-protocol';
import { startHubSpotSandbox, startSalesforceSandbox } from '@patchcord/sandbox';
import { WebSocket } from 'ws';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { envelopes, type Life, phoneKey } from '../unit/server/relay-in-test.ts';

/** In each CRM, beside its demo people. */
const contacts = 500;

export type TenantInput = RelayConfigInput['tenants'][number];

/** Numbers in [0, 1) that repeat with the seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Each has the same extensions, so each has a phone system of its own. */
const common = (domain: string) => ({
  country: 'US',
  hostOrigins: ['http://127.0.0.1:1'],
  sip: {
    domain,
    servers: ['wss://sip.example.com'],
    credential: { kind: 'kamailio-ephemeral' as const, secret: 'a-sip-secret-that-only-tests-know-0001' },
  },
});

/** What a person would see of one log. */
interface LogSeen {
  readonly callId: string;
  readonly text: string;
}

export interface OfficeCrm {
  readonly tenant: TenantInput;
  readonly record: (index: number) => { readonly crm: string; readonly object: string; readonly id: string };
  logs(): readonly LogSeen[];
  /** Something goes wrong with one of the next requests; `random` chooses what. */
  trouble(random: () => number): void;
  /** One of the next writes is answered this much later. */
  late(ms: number): void;
  calm(): void;
  /** Refusals for a limit since the start. */
  refusals(): number;
  close(): Promise<void>;
}

export async function officeInSalesforce(agents: number): Promise<OfficeCrm> {
  const org = await startSalesforceSandbox({ panelUrl: 'http://127.0.0.1:1/salesforce/', dailyLimit: 10_000_000 });
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  org.connectedApp.registerConnectedApp(keys.publicKey);
  const integration = org.users.find((user) => user.email.startsWith('relay@'));
  if (integration === undefined) throw new Error('the sandbox org lacks its integration user');
  // As many as a real office has: logs on one record are written one after the other.
  for (let n = 0; n < contacts; n += 1) org.store.create('Contact', { LastName: `Contact ${n}` }, integration.id);
  const faults = [
    'server-error',
    'unavailable',
    'request-limit',
    'row-lock',
    'expired-session',
    'reset',
    'answer-lost',
    'twice',
    'slow',
  ];
  return {
    tenant: {
      ...common('acme.example.com'),
      id: 'acme',
      name: 'Acme',
      crm: {
        kind: 'salesforce',
        loginUrl: org.org.loginUrl,
        clientId: org.connectedApp.clientId,
        privateKey: keys.privateKey,
        username: integration.username,
        instanceUrl: org.instanceUrl,
        orgId: org.org.id,
        assertionPublicKey: org.org.signingCertificatePem,
      },
      // Nobody of the org: the integration user owns the logs.
      agents: agentsOf(agents, (index) => `agent-${index}`),
    },
    record: (index) => {
      const contact = org.records.Contact[index % org.records.Contact.length];
      return { crm: 'salesforce', object: 'Contact', id: String(contact?.Id) };
    },
    logs: () =>
      org.records.Task.map((task) => ({ callId: String(task.CallObject), text: String(task.Description ?? '') })),
    trouble: (random) => {
      // While nobody asks, nothing piles up: some requests shall succeed.
      if (org.faults.list().length >= 2) return;
      const fault = faults[Math.floor(random() * faults.length)] ?? 'reset';
      // One in a while is so late that nobody waits for it any more.
      const delayMs = random() < 0.1 ? 10_500 : 200 + random() * 800;
      const message =
        fault === 'request-limit' ? { message: 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.' } : {};
      org.faults.add({ fault, on: '* */services/data/*', delayMs, ...message });
    },
    late: (delayMs) => org.faults.add({ fault: 'slow', on: 'POST */composite*', delayMs }),
    calm: () => org.faults.clear(),
    refusals: () => org.requests().filter(({ status, path }) => status === 403 && path.includes('/data/')).length,
    close: () => org.close(),
  };
}

export interface HubSpotOffice extends OfficeCrm {
  /** Nothing is answered but 503 until it is calm again. */
  away(): void;
  /** Requests that were let in since the start. */
  taken(): number;
}

export async function officeInHubSpot(
  agents: number,
  limits?: { readonly perTenSeconds: number; readonly searchesPerSecond: number; readonly speed?: number },
): Promise<HubSpotOffice> {
  const portal = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:1/hubspot/',
    relayUrl: 'http://127.0.0.1:1',
    clientSecret: 'a-client-secret-for-this-test',
    appId: 99,
    ...(limits === undefined ? {} : { rateLimits: limits }),
  });
  for (let n = 0; n < contacts; n += 1)
    portal.portal.create('contacts', { firstname: 'Contact', lastname: `${n}`, email: `contact-${n}@example.com` });
  const faults = [
    'server-error',
    'unavailable',
    'rate-limited',
    'locked',
    'expired-token',
    'reset',
    'answer-lost',
    'twice',
    'slow',
  ];
  return {
    tenant: {
      ...common('globex.example.com'),
      id: 'globex',
      name: 'Globex',
      crm: {
        kind: 'hubspot',
        apiUrl: portal.apiUrl,
        portalId: portal.portalId,
        appId: 99,
        clientId: portal.oauth.clientId,
        clientSecret: portal.oauth.clientSecret,
        refreshToken: portal.oauth.refreshToken,
      },
      // Only the first of them has a seat, as it happens.
      agents: agentsOf(agents, (index) => String((portal.owners[0]?.userId ?? 1) + index)),
    },
    record: (index) => {
      const contact = portal.records.contacts[index % portal.records.contacts.length];
      return { crm: 'hubspot', object: 'contact', id: String(contact?.id) };
    },
    logs: () =>
      portal.records.calls.map(({ properties }) => ({
        callId: String(properties.patchcord_call_id),
        text: String(properties.hs_call_body ?? ''),
      })),
    trouble: (random) => {
      if (portal.faults.list().length >= 2) return;
      const fault = faults[Math.floor(random() * faults.length)] ?? 'reset';
      const delayMs = random() < 0.1 ? 10_500 : 200 + random() * 800;
      portal.faults.add({ fault, on: '* /crm/*', delayMs, retryAfterSeconds: 1 });
    },
    late: (delayMs) => portal.faults.add({ fault: 'slow', on: '* /crm/*s/calls*', delayMs }),
    calm: () => portal.faults.clear(),
    away: () => portal.faults.add({ fault: 'unavailable', on: '* /crm/*', times: 1_000_000 }),
    taken: () => portal.counts().taken,
    refusals: () => portal.counts().refused,
    close: () => portal.close(),
  };
}

function agentsOf(count: number, crmUserId: (index: number) => string): TenantInput['agents'] {
  return Array.from({ length: count }, (_, index) => ({
    id: `agent-${index}`,
    name: `Agent ${index}`,
    extension: String(1_000 + index),
    crmUserId: crmUserId(index),
  }));
}

/** One call as it will be reported: what happens, and then the note. */
export interface PlannedCall {
  readonly callId: string;
  readonly note: string;
  readonly events: readonly Envelope[];
  readonly wrapUp: readonly Envelope[];
}

/** Calls of one tenant: half of them on a record that the agent chose, one in a hundred with a number that has to be searched for. */
export function planCalls(
  crm: OfficeCrm,
  count: number,
  random: () => number,
  { searches = true }: { readonly searches?: boolean } = {},
): readonly PlannedCall[] {
  return Array.from({ length: count }, (_, index): PlannedCall => {
    const callId = randomUUID();
    const searched = searches && index % 100 === 50;
    const record = random() < 0.5 && !searched ? crm.record(Math.floor(random() * 1_000)) : null;
    const farSide = searched
      ? { number: '+14155550101', e164: '+14155550101' }
      : { number: String(200 + (index % 50)) };
    const life: Life[] = [
      { name: 'call.started', data: { direction: random() < 0.5 ? 'inbound' : 'outbound', farSide } },
      { name: 'call.ringing', data: {} },
      { name: 'call.answered', data: {} },
      ...(record === null ? [] : [{ name: 'record.chosen', data: { record, by: 'agent' } } as const]),
      { name: 'call.ended', data: { outcome: 'answered', reason: 'You hung up', by: 'agent' } },
    ];
    const note = `note of ${callId}`;
    const wrapUp = toEnvelope(
      { name: 'wrap-up.submitted', at: 1_790_000_100_000, call: callId, data: { note } } as never,
      `${callId}:${life.length + 1}`,
      '/panel',
    );
    return { callId, note, events: envelopes(callId, life), wrapUp: [wrapUp] };
  });
}

/** How many calls may have been begun by now, over all phones. */
export interface Pace {
  allowed: number;
  begun: number;
}

/** One agent's phone. It goes on whatever happens to the relays, until every event of its calls is acknowledged. */
export class ReportingPhone {
  readonly #urls: readonly string[];
  readonly #token: string;
  readonly #address: string;
  readonly #pace: Pace;
  readonly #waiting: PlannedCall[];
  readonly #open = new Map<string, PlannedCall>();
  readonly #unacknowledged = new Map<string, Envelope>();
  #socket: WebSocket | null = null;
  #next = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  /** Events the relay said it can never take. */
  readonly refused: string[] = [];
  sentAgain = 0;

  constructor(options: {
    readonly urls: readonly string[];
    readonly token: string;
    readonly index: number;
    readonly calls: readonly PlannedCall[];
    readonly pace: Pace;
  }) {
    this.#urls = options.urls;
    this.#token = options.token;
    this.#address = `10.1.${Math.floor(options.index / 250)}.${(options.index % 250) + 1}`;
    this.#waiting = [...options.calls];
    this.#pace = options.pace;
    this.#connect();
    this.#timer = setInterval(() => this.#begin(), 50);
  }

  get finished(): boolean {
    return this.#waiting.length === 0 && this.#open.size === 0;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#socket?.terminate();
  }

  #connect(): void {
    if (this.#closed) return;
    const url = (this.#urls[this.#next % this.#urls.length] ?? '').replace(/^http/, 'ws');
    this.#next += 1;
    const socket = new WebSocket(`${url}/v1/live`, {
      origin: url.replace(/^ws/, 'http'),
      headers: { 'x-forwarded-for': this.#address },
    });
    this.#socket = socket;
    let ready = false;
    // A relay that stands still answers nothing: go to another one.
    const patience = setTimeout(() => socket.terminate(), 8_000);
    socket.once('open', () => {
      const proof = phoneKey.proof({ method: 'GET', url: `${url}/v1/live`, token: this.#token });
      socket.send(JSON.stringify({ type: 'authenticate', token: this.#token, proof }));
    });
    socket.on('message', (raw) => {
      const message = JSON.parse(raw.toString()) as RelayMessage;
      patience.refresh();
      if (message.type === 'authenticated') {
        ready = true;
        this.#sendAll();
      }
      if (message.type === 'acknowledged') this.#acknowledged(message);
      if (message.type === 'error' && ready) setTimeout(() => this.#sendAll(), 250);
    });
    const silence = setInterval(() => {
      if (this.#unacknowledged.size === 0) patience.refresh();
    }, 500);
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(patience);
      clearInterval(silence);
      if (!this.#closed) setTimeout(() => this.#connect(), 150);
    });
  }

  #begin(): void {
    while (this.#unacknowledged.size < 30 && this.#pace.begun < this.#pace.allowed) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#pace.begun += 1;
      this.#open.set(call.callId, call);
      this.#send(call.events);
    }
  }

  #send(events: readonly Envelope[]): void {
    for (const event of events) this.#unacknowledged.set(event.id, event);
    if (this.#socket?.readyState === WebSocket.OPEN)
      this.#socket.send(JSON.stringify({ type: 'publish', events }), () => {});
  }

  #sendAll(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const all = [...this.#unacknowledged.values()];
    this.sentAgain += all.length;
    for (let from = 0; from < all.length; from += 50)
      this.#socket?.send(JSON.stringify({ type: 'publish', events: all.slice(from, from + 50) }), () => {});
  }

  #acknowledged(message: Extract<RelayMessage, { type: 'acknowledged' }>): void {
    const refused = (message as { refused?: readonly { readonly id: string }[] }).refused ?? [];
    for (const { id } of refused) this.refused.push(id);
    for (const id of [...message.ids, ...refused.map((one) => one.id)]) {
      if (!this.#unacknowledged.delete(id)) continue;
      const call = this.#open.get(id.split(':')[0] ?? '');
      if (call === undefined) continue;
      if (call.wrapUp.some((event) => event.id === id)) this.#open.delete(call.callId);
      else if (!call.events.some((event) => this.#unacknowledged.has(event.id))) this.#send(call.wrapUp);
    }
  }
}

/** What became of the calls in their CRM. */
export interface Account {
  readonly n: number;
  /** Calls that were acknowledged and have no log. */
  readonly lost: number;
  /** Logs too many. */
  readonly duplicated: number;
  /** Logs that do not tell the last thing that was said of their call. */
  readonly stale: number;
}

export function accountOf(
  offices: readonly { readonly crm: OfficeCrm; readonly calls: readonly PlannedCall[] }[],
): Account {
  let [n, lost, duplicated, stale] = [0, 0, 0, 0];
  for (const { crm, calls } of offices) {
    const logs = new Map<string, LogSeen[]>();
    for (const log of crm.logs()) logs.set(log.callId, [...(logs.get(log.callId) ?? []), log]);
    n += calls.length;
    let known = 0;
    for (const { callId, note } of calls) {
      const found = logs.get(callId) ?? [];
      known += found.length;
      if (found.length === 0) lost += 1;
      if (found.length > 1) duplicated += found.length - 1;
      if (found.some(({ text }) => !text.includes(note))) stale += 1;
    }
    duplicated += [...logs.values()].flat().length - known;
  }
  return { n, lost, duplicated, stale };
}

/** A number that `/metrics` gives, summed over the labels that fit. */
export function metricSum(metrics: string, pattern: RegExp): number {
  let sum = 0;
  for (const line of metrics.split('\n')) if (pattern.test(line)) sum += Number(line.split(' ').at(-1));
  return sum;
}

/** Waits for what must come; gives up loudly. */
export async function until(what: string, happened: () => boolean | Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await happened())) {
    if (Date.now() > deadline) throw new Error(`This did not happen within ${withinMs / 1_000} s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
