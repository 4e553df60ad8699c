/** Boots a relay for a test: memory CRM, SQLite in a private folder, a free port of this machine. Owns cleaning up after itself. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envelope, type PhoneEvent, type RelayMessage, type Session, toEnvelope } from '@patchcord/call-protocol';
import { createMemoryRelay, type MemoryRelay } from '@patchcord/crm-adapters/relay';
import { WebSocket } from 'ws';
import { type Relay, type RelayConfigInput, type RelayDependencies, startRelay } from '../../../server/src/index.ts';
import { createLog } from '../../../server/src/logging.ts';
import { DpopKey } from '../../dpop-key.ts';

export const adminToken = 'an-admin-token-that-only-tests-know-0001';
export const sipSecret = 'a-sip-secret-that-only-tests-know-0001';
export const turnSecret = 'a-turn-secret-that-only-tests-know-001';

/** The key of every phone in these tests; a test about keys brings its own. */
export const phoneKey = new DpopKey();

/** A good configuration with two agents; a test overrides what it is about. */
export function testConfig(overrides: Partial<RelayConfigInput> = {}): RelayConfigInput {
  return {
    port: 0,
    adminToken,
    logLevel: 'silent',
    delivery: { leaseMs: 5_000, firstRetryMs: 5, longestRetryMs: 50, attempts: 20 },
    tenants: [testTenant()],
    ...overrides,
  };
}

export function testTenant(
  overrides: Partial<RelayConfigInput['tenants'][number]> = {},
): RelayConfigInput['tenants'][number] {
  const { id = 'acme' } = overrides;
  return {
    id: 'acme',
    name: 'Acme',
    country: 'US',
    hostOrigins: ['https://crm.example.com'],
    crm: { kind: 'memory' },
    sip: {
      // Each tenant has the same extensions, so each has a phone system of its own.
      domain: id === 'acme' ? 'sip.example.com' : `sip.${id}.example.com`,
      servers: ['wss://sip.example.com:8443'],
      credential: { kind: 'kamailio-ephemeral', secret: sipSecret },
    },
    turn: { urls: ['turn:turn.example.com:3478'], secret: turnSecret },
    agents: [
      { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '005000000000001' },
      { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '005000000000002' },
    ],
    ...overrides,
  };
}

export interface RelayInTest {
  readonly relay: Relay;
  readonly crm: MemoryRelay;
  readonly folder: string;
  readonly closed: () => Promise<void>;
  fetch(path: string, init?: RequestInit & { readonly token?: string; readonly json?: unknown }): Promise<Response>;
  signIn(agent?: string, device?: string, tenant?: string): Promise<Session & { readonly device: string }>;
  connect(token: string): Promise<Panel>;
  /** The message that authenticates a socket, with a proof of its own. */
  authentication(token: string): { readonly type: 'authenticate'; readonly token: string; readonly proof: string };
}

export async function startRelayInTest(
  config: RelayConfigInput = testConfig(),
  /** `configuredCrm`: each tenant's own, as the configuration names it, in the place of one in memory. */
  dependencies: RelayDependencies & { readonly folder?: string; readonly configuredCrm?: boolean } = {},
): Promise<RelayInTest> {
  const folder = dependencies.folder ?? (await mkdtemp(join(tmpdir(), 'patchcord-relay-')));
  const crm = createMemoryRelay({
    records: [{ object: 'Contact', id: '003000000000001', name: 'Grace Hopper', numbers: ['(415) 555-0101'] }],
  });
  const clean = async (): Promise<void> => {
    if (dependencies.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  const relay = await startRelay(
    { dataDir: folder, ...config },
    {
      ...(dependencies.configuredCrm === true ? {} : { connectCrm: () => crm }),
      log: createLog('silent'),
      ...dependencies,
    },
  ).catch(async (error: unknown) => {
    await clean();
    throw error;
  });
  const panels: Panel[] = [];
  const now = dependencies.now ?? Date.now;
  const self: RelayInTest = {
    relay,
    crm,
    folder,
    closed: async () => {
      for (const panel of panels) panel.socket.terminate();
      await relay.close();
      await clean();
    },
    fetch: (path, { token, json, ...init } = {}) =>
      fetch(`http://127.0.0.1:${relay.port}${path}`, {
        ...init,
        ...(json === undefined ? {} : { method: init.method ?? 'POST', body: JSON.stringify(json) }),
        headers: {
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(isSession(token) || path.startsWith('/v1/sessions')
            ? phoneKey.headers({
                method: init.method ?? (json === undefined ? 'GET' : 'POST'),
                url: `${relay.url}${path.split('?')[0]}`,
                token: token ?? null,
                now: now(),
              })
            : token === undefined
              ? {}
              : { authorization: `Bearer ${token}` }),
          ...(init.headers as Record<string, string> | undefined),
        },
      }),
    signIn: async (agent = 'ada', device = randomUUID(), tenant = 'acme') => {
      const { code } = await relay.createPairingCode(tenant, agent);
      const response = await self.fetch('/v1/sessions', { json: { device, proof: { kind: 'pairing-code', code } } });
      if (response.status !== 201) throw new Error(`sign-in answered ${response.status}: ${await response.text()}`);
      return { ...((await response.json()) as Session), device };
    },
    connect: async (token) => {
      const panel = await Panel.open(relay);
      panels.push(panel);
      panel.send(self.authentication(token));
      await panel.next((message) => message.type === 'authenticated');
      return panel;
    },
    authentication: (token) => ({
      type: 'authenticate',
      token,
      proof: phoneKey.proof({
        method: 'GET',
        url: `${relay.url.replace(/^http/, 'ws')}/v1/live`,
        token,
        now: now(),
      }),
    }),
  };
  return self;
}

/** A session's token; what else is sent as a token is an administrator's or a machine's. */
function isSession(token: string | undefined): boolean {
  return /^[\w-]{22}\.[\w-]{43}$/.test(token ?? '');
}

/** The panel's end of the live socket. */
export class Panel {
  readonly socket: WebSocket;
  readonly #messages: RelayMessage[] = [];
  readonly #waiting: {
    readonly fits: (message: RelayMessage) => boolean;
    readonly resolve: (message: RelayMessage) => void;
  }[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    socket.on('message', (raw) => {
      const message = JSON.parse(raw.toString()) as RelayMessage;
      const index = this.#waiting.findIndex(({ fits }) => fits(message));
      if (index < 0) this.#messages.push(message);
      else this.#waiting.splice(index, 1)[0]?.resolve(message);
    });
  }

  static async open(relay: Relay, origin = relay.url): Promise<Panel> {
    const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/v1/live`, { origin });
    const panel = new Panel(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    return panel;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  publish(...events: unknown[]): void {
    this.send({ type: 'publish', events });
  }

  /** The first message that fits and was not taken yet; waits for it. */
  next<M extends RelayMessage = RelayMessage>(fits: (message: RelayMessage) => boolean): Promise<M> {
    const index = this.#messages.findIndex(fits);
    const [found] = index < 0 ? [] : this.#messages.splice(index, 1);
    if (found !== undefined) return Promise.resolve(found as M);
    return new Promise((resolve) => {
      this.#waiting.push({ fits, resolve: resolve as (message: RelayMessage) => void });
    });
  }

  async acknowledged(): Promise<readonly string[]> {
    const message = await this.next<Extract<RelayMessage, { type: 'acknowledged' }>>(
      ({ type }) => type === 'acknowledged',
    );
    return message.ids;
  }

  async event(name: string): Promise<Envelope> {
    const message = await this.next<Extract<RelayMessage, { type: 'event' }>>(
      (one) => one.type === 'event' && one.event.type === `dev.patchcord.${name}.v1`,
    );
    return message.event;
  }
}

export type Life = { readonly name: PhoneEvent['name']; readonly data: unknown; readonly at?: number };

/** Envelopes of one call, numbered from `from`. */
export function envelopes(callId: string, life: readonly Life[], from = 1, startAt = 1_790_000_000_000): Envelope[] {
  return life.map(({ name, data, at }, index) =>
    toEnvelope(
      { name, at: at ?? startAt + (from + index) * 1_000, call: callId, data } as PhoneEvent,
      `${callId}:${from + index}`,
      '/whatever/the/panel/says',
    ),
  );
}

/** An answered inbound call from Grace Hopper. */
export const answeredCall: readonly Life[] = [
  {
    name: 'call.started',
    data: { direction: 'inbound', farSide: { number: '+14155550101', e164: '+14155550101', name: 'Grace Hopper' } },
  },
  { name: 'call.ringing', data: {} },
  { name: 'call.answered', data: {} },
  { name: 'call.ended', data: { outcome: 'answered', reason: 'You hung up', by: 'agent' } },
];
