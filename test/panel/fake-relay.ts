/**
 * The relay seen from the panel, in memory: answers its HTTP routes and speaks its live socket by the wire contract, both checked. Has
 * pedals for being away, for refusals and for events of other parts. No port, no sleep.
 */
import {
  type Agent,
  type CallSummary,
  type Credentials,
  type Envelope,
  EnvelopeSchema,
  type Listening,
  type LogCreator,
  type Match,
  type MayCall,
  PanelMessageSchema,
  type PhoneEvent,
  type Profile,
  type Related,
  type RelayMessage,
  ResumeRequestSchema,
  SessionRequestSchema,
  type SignInWay,
  type SpokenWords,
  type ToCall,
  toEnvelope,
  type Voicemail,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { LiveSocket } from '../../packages/softphone-ui/src/live-link.ts';
import type { SessionKey } from '../../packages/softphone-ui/src/session-key.ts';
import { FakeSoundDoor } from './fake-sound-door.ts';

export interface FakeRelayOptions {
  readonly profile: Profile;
  readonly now: () => number;
}

export class FakeRelay {
  profile: Profile;
  matches: readonly Match[] = [];
  /** What calls with a record may be about, by the record's id. */
  related: Readonly<Record<string, readonly Related[]>> = {};
  calls: readonly CallSummary[] = [];
  /** What the relay itself learned of calls, by their id. */
  learned: Readonly<Record<string, readonly PhoneEvent[]>> = {};
  /** What there is to call, done or not. */
  toCall: readonly ToCall[] = [];
  /** What lies in the mailbox, deleted or not. */
  voicemails: readonly Voicemail[] = [];
  /** The recording of any call; null: there is none. */
  listening: Listening | null = null;
  /** What was said in it. */
  spoken: SpokenWords = { lines: [] };
  /** What plays a message. */
  audioUrl = 'http://localhost/message.wav';
  /** What is said of numbers that are to be called; the others may be. */
  mayCall: Readonly<Record<string, MayCall>> = {};
  /** The word on a number waits for this. */
  mayCallGate: Promise<void> = Promise.resolve();
  /** Wishes to dial that a phone took. */
  readonly claimed = new Set<string>();
  /** The code that signs in. */
  pairingCode = 'K7M2QX';
  /** Codes of other agents. */
  readonly otherCodes = new Map<string, Agent>();
  /** Ids of the agents whose tokens were used, for a request or a socket. */
  readonly usedBy = new Set<string>();
  /** The claim that signs in, from the sign-in window. */
  claim = 'claim-of-the-sign-in-window';
  ways: readonly SignInWay[] = [];
  /** How far this relay's clock is ahead of the panels'. */
  aheadMs = 0;
  /** The refresh token that a cookie would keep; null: cookies are refused. */
  cookie: string | null = null;
  keepsCookies = false;
  /** Life of what it gives out, ms. */
  sessionMs = 8 * 3_600_000;
  credentialMs = 600_000;
  /** No answer at all, HTTP and socket alike. */
  away = false;
  /** Routes that answer with a failure instead: path → status, code, message. */
  readonly failures = new Map<string, { status: number; code: string; message: string; retryable?: boolean }>();
  /** Events that were taken, each once per arrival. */
  readonly received: Envelope[] = [];
  /** Ids that are refused, with the reason. */
  readonly refusals = new Map<string, string>();
  /** False: events are taken and never acknowledged. */
  acknowledges = true;
  /** Requests in order, `METHOD /path`. */
  readonly requests: string[] = [];
  /** Who makes the logs. */
  logCreator: LogCreator = { creator: 'page', logId: null };
  /** The word on that waits for this. */
  logCreatorGate: Promise<void> = Promise.resolve();
  /** A match waits for this before it is answered. */
  matchGate: Promise<void> = Promise.resolve();
  /** Where the sound of calls goes. */
  readonly sound = new FakeSoundDoor();
  readonly #now: () => number;
  readonly #tokens = new Map<string, { readonly expiresAt: number; readonly agent: Agent }>();
  readonly #refreshes = new Map<string, Agent>();
  readonly #proofs = new Set<string>();
  readonly #sockets = new Set<FakeSocket>();
  #next = 1;

  constructor(options: FakeRelayOptions) {
    this.profile = options.profile;
    this.#now = options.now;
  }

  readonly fetch = async (input: string, init: RequestInit): Promise<Response> => {
    const url = new URL(input);
    this.requests.push(`${init.method ?? 'GET'} ${url.pathname}`);
    if (this.away) throw new TypeError('Failed to fetch');
    const failure = this.failures.get(url.pathname);
    if (failure !== undefined) return refuse(failure.status, failure.code, failure.message, failure.retryable ?? false);
    if (url.pathname === '/healthz') {
      const date = new Date(this.#now() + this.aheadMs).toUTCString();
      return Response.json({ alive: true }, { headers: { date } });
    }
    const headers = new Headers(init.headers);
    const proven = this.#checkProof(headers.get('dpop'), `${init.method} ${url.origin}${url.pathname}`);
    if (proven !== null) return proven;
    if (url.pathname === '/v1/sign-in/ways') return Response.json({ ways: this.ways });
    if (url.pathname === '/v1/sessions') return this.#signIn(JSON.parse(String(init.body)));
    if (url.pathname === '/v1/sessions/resume') return this.#resume(JSON.parse(String(init.body)));
    const token = headers.get('authorization')?.replace(/^DPoP /, '') ?? '';
    if (!this.#isGood(token)) return refuse(401, 'identity.required', 'Sign in first.', false);
    switch (url.pathname) {
      case '/v1/profile':
        return Response.json({ ...this.profile, agent: this.#tokens.get(token)?.agent });
      case '/v1/credentials':
        return Response.json(this.#credentials());
      case '/v1/matches':
        await Promise.race([this.matchGate, aborted(init.signal ?? null)]);
        return Response.json({
          number: url.searchParams.get('number'),
          matches: this.matches.filter((match) => match.number === url.searchParams.get('number')),
        });
      case '/v1/records/related':
        await Promise.race([this.matchGate, aborted(init.signal ?? null)]);
        return Response.json({ records: this.related[url.searchParams.get('id') ?? ''] ?? [] });
      case '/v1/sessions/current':
        this.#tokens.delete(token);
        this.cookie = null;
        return new Response(null, { status: 204 });
      case /^\/v1\/calls\/[^/]+\/log\/retry$/.exec(url.pathname)?.[0]:
        return Response.json(this.#retryLog(url.pathname.split('/')[3] ?? ''));
      case /^\/v1\/calls\/[^/]+\/events$/.exec(url.pathname)?.[0]: {
        const learned = this.learned[url.pathname.split('/')[3] ?? ''] ?? [];
        const after = Number(url.searchParams.get('after'));
        const events = learned.map((event, n) => ({ seq: n + 1, event: toEnvelope(event, `learned:${n}`, '/relay') }));
        return Response.json({ events: events.filter(({ seq }) => seq > after), more: false });
      }
      case /^\/v1\/to-call(?:\/[\w-]+)?$/.exec(url.pathname)?.[0]:
        return this.#toCall(init, url.pathname.split('/')[3]);
      case '/v1/may-call':
        await Promise.race([this.mayCallGate, aborted(init.signal ?? null)]);
        return Response.json(this.mayCall[url.searchParams.get('number') ?? ''] ?? { verdict: 'yes', reason: '' });
      case /^\/v1\/voicemails(?:\/[\w-]+(?:\/audio)?)?$/.exec(url.pathname)?.[0]:
        return this.#voicemail(init, url.pathname.split('/')[3], url.pathname.endsWith('/audio'));
      case /^\/v1\/dial-wishes\/[\w-]+\/claim$/.exec(url.pathname)?.[0]: {
        const granted = !this.claimed.has(url.pathname);
        this.claimed.add(url.pathname);
        return Response.json({ granted });
      }
      case /^\/v1\/calls\/[^/]+\/log-creator$/.exec(url.pathname)?.[0]:
        if (init.method !== 'PUT') return refuse(405, 'request.invalid', 'Ask by PUT.', false);
        await Promise.race([this.logCreatorGate, aborted(init.signal ?? null)]);
        return Response.json(this.logCreator);
      case /^\/v1\/calls\/[^/]+\/recording$/.exec(url.pathname)?.[0]:
        return this.listening === null
          ? refuse(404, 'call.unknown', 'There is no recording of such a call that you may hear.', false)
          : Response.json(this.listening, { status: this.listening.state === 'making' ? 202 : 200 });
      case /^\/v1\/calls\/[^/]+\/transcript$/.exec(url.pathname)?.[0]:
        return Response.json(this.spoken);
      case '/v1/calls':
        return Response.json({ calls: this.calls });
      default:
        return refuse(404, 'request.invalid', 'There is no such route.', false);
    }
  };

  #voicemail({ method, body }: RequestInit, id: string | undefined, audio: boolean): Response {
    if (id === undefined) return Response.json({ voicemails: this.voicemails });
    const asked = method === 'PATCH' ? (JSON.parse(String(body)) as { heard?: boolean; deleted?: boolean }) : {};
    this.voicemails = this.voicemails.map((one) =>
      one.id !== id
        ? one
        : {
            ...one,
            heard: asked.heard ?? one.heard,
            deletedAt: asked.deleted === undefined ? one.deletedAt : asked.deleted ? this.#now() : null,
          },
    );
    const message = this.voicemails.find((one) => one.id === id);
    if (message === undefined) return refuse(404, 'request.invalid', 'There is no such message.', false);
    const expiresAt = this.#now() + 300_000;
    return Response.json(audio ? { url: this.audioUrl, durationMs: message.durationMs, expiresAt } : message);
  }

  #toCall({ method, body }: RequestInit, id: string | undefined): Response {
    if (method === 'GET') return Response.json({ entries: this.toCall.filter(({ doneAt }) => doneAt === null) });
    const asked = JSON.parse(String(body)) as { done?: boolean; dueAt?: number };
    if (method === 'POST') {
      const { id: wanted } = JSON.parse(String(body)) as ToCall;
      const there = this.toCall.find((entry) => entry.id === wanted);
      if (there !== undefined) return Response.json(there);
      const added = { ...asked, askedBy: this.profile.agent.name, createdAt: this.#now(), doneAt: null } as ToCall;
      this.toCall = [...this.toCall, added];
      return Response.json(added, { status: 201 });
    }
    this.toCall = this.toCall.map((entry) => {
      if (entry.id !== id) return entry;
      const dueAt = asked.dueAt ?? entry.dueAt;
      const doneAt = asked.done === undefined ? entry.doneAt : asked.done ? this.#now() : null;
      return { ...entry, dueAt, doneAt, kind: dueAt === null ? 'dial-list' : 'call-back' };
    });
    const changed = this.toCall.find((entry) => entry.id === id);
    return changed === undefined
      ? refuse(400, 'request.invalid', 'There is no such entry.', false)
      : Response.json(changed);
  }

  /** The log that was given up waits again. */
  #retryLog(callId: string): { readonly callId: string; readonly log: 'waiting' } {
    this.calls = this.calls.map((call) => (call.callId === callId ? { ...call, log: 'waiting' } : call));
    return { callId, log: 'waiting' };
  }

  readonly openSocket = (url = ''): LiveSocket =>
    url.endsWith('/v1/sound') ? this.sound.connect() : (new FakeSocket(this) as unknown as LiveSocket);

  /** Pedal: every token is worthless from now on. */
  forgetTokens(): void {
    this.#tokens.clear();
    this.#refreshes.clear();
    this.cookie = null;
  }

  /** Pedal: access ran out, the sessions did not. */
  forgetAccess(): void {
    this.#tokens.clear();
  }

  /** Pedal: the relay is gone, and with it every socket. */
  goAway(): void {
    this.away = true;
    for (const socket of [...this.#sockets]) socket.drop();
  }

  /** Pedal: the relay is back; panels find out by themselves. */
  comeBack(): void {
    this.away = false;
  }

  /** Pedal: something happened elsewhere. */
  tell(event: PhoneEvent): void {
    this.say({ type: 'event', event: toEnvelope(event, `relay:${this.#next++}`, '/relay') });
  }

  say(message: RelayMessage): void {
    for (const socket of this.#sockets) if (socket.authenticated) socket.deliver(message);
  }

  /** Names of the events that were taken, without repeats. */
  get names(): readonly string[] {
    const seen = new Set<string>();
    return this.received
      .filter((envelope) => !seen.has(envelope.id) && seen.add(envelope.id))
      .map((envelope) => envelope.type.slice('dev.patchcord.'.length, -'.v1'.length));
  }

  get joined(): number {
    return [...this.#sockets].filter((socket) => socket.authenticated).length;
  }

  take(socket: FakeSocket, text: string): void {
    const message = v.parse(PanelMessageSchema, JSON.parse(text));
    if (message.type === 'authenticate') {
      if (this.#proofs.has(message.proof ?? '')) throw new Error('the panel used a proof twice');
      if (message.proof?.startsWith('proof ') !== true) throw new Error('the panel sent no proof');
      this.#proofs.add(message.proof);
      if (!this.#isGood(message.token)) {
        socket.deliver({ type: 'error', code: 'identity.required', message: 'Sign in first.' });
        return;
      }
      socket.authenticated = true;
      socket.deliver({ type: 'authenticated', agent: this.profile.agent });
      return;
    }
    if (!socket.authenticated) throw new Error('the panel published before it was authenticated');
    if (message.type !== 'publish') return;
    const events = message.events.map((event) => v.parse(EnvelopeSchema, event));
    const taken = events.filter((event) => !this.refusals.has(event.id));
    this.received.push(...taken);
    if (this.acknowledges && taken.length > 0)
      socket.deliver({ type: 'acknowledged', ids: taken.map((event) => event.id) });
    for (const event of events) {
      const why = this.refusals.get(event.id);
      if (why !== undefined) socket.deliver({ type: 'refused', id: event.id, message: why });
    }
  }

  add(socket: FakeSocket): void {
    this.#sockets.add(socket);
  }

  remove(socket: FakeSocket): void {
    this.#sockets.delete(socket);
  }

  #signIn(body: unknown): Response {
    const { proof } = v.parse(SessionRequestSchema, body);
    const other = proof.kind === 'pairing-code' ? this.otherCodes.get(proof.code) : undefined;
    const known =
      proof.kind === 'salesforce-assertion' ||
      (proof.kind === 'pairing-code' ? proof.code === this.pairingCode : proof.claim === this.claim);
    if (!known && other === undefined)
      return refuse(401, 'identity.refused', 'This code is not known or has run out. Ask for a new one.', false);
    return this.#open(other ?? this.profile.agent, 201);
  }

  #resume(body: unknown): Response {
    const { refresh = '' } = v.parse(ResumeRequestSchema, body);
    const token = this.cookie ?? refresh;
    const agent = this.#refreshes.get(token);
    this.#refreshes.delete(token);
    return agent === undefined ? refuse(401, 'identity.required', 'Sign in first.', false) : this.#open(agent, 200);
  }

  #open(agent: Agent, status: number): Response {
    const token = `token-${this.#next++}`;
    const refresh = `refresh-${this.#next++}`;
    const expiresAt = this.#now() + this.sessionMs;
    this.#tokens.set(token, { expiresAt, agent });
    this.#refreshes.set(refresh, agent);
    if (this.keepsCookies) this.cookie = refresh;
    return Response.json({ token, expiresAt, refresh, endsAt: expiresAt + 36_000_000, agent }, { status });
  }

  /** A refusal when the proof is none, used before, made for something else or at another time. */
  #checkProof(proof: string | null, made: string): Response | null {
    const [, madeFor = '', at = ''] = /^proof \S+ for (.+) at (\d+)$/.exec(proof ?? '') ?? [];
    const now = this.#now() + this.aheadMs;
    if (Math.abs(Number(at) - now) > 60_000) {
      const date = new Date(now).toUTCString();
      return refuse(401, 'identity.stale-proof', 'The clock of this computer is wrong.', false, { date });
    }
    if (this.#proofs.has(proof ?? '') || madeFor !== made) return refuse(401, 'identity.proof', 'Not proven.', false);
    this.#proofs.add(proof ?? '');
    return null;
  }

  #isGood(token: string): boolean {
    const known = this.#tokens.get(token);
    if (known !== undefined) this.usedBy.add(known.agent.id);
    return known !== undefined && known.expiresAt > this.#now();
  }

  #credentials(): Credentials {
    const expiresAt = this.#now() + this.credentialMs;
    return {
      sip: { username: `${Math.floor(expiresAt / 1_000)}:201`, password: `password-${this.#next++}`, expiresAt },
      iceServers: [{ urls: ['turn:turn.example.test'], username: 'u', credential: 'c' }],
    };
  }
}

/** One panel's end of the live socket. Everything arrives later, as on a network. */
class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { readonly data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  authenticated = false;
  readonly #relay: FakeRelay;
  #open = false;

  constructor(relay: FakeRelay) {
    this.#relay = relay;
    queueMicrotask(() => {
      if (relay.away) {
        this.onerror?.();
        this.onclose?.();
        return;
      }
      this.#open = true;
      relay.add(this);
      this.onopen?.();
    });
  }

  send(text: string): void {
    queueMicrotask(() => {
      if (this.#open) this.#relay.take(this, text);
    });
  }

  close(): void {
    this.#open = false;
    this.#relay.remove(this);
  }

  deliver(message: RelayMessage): void {
    queueMicrotask(() => {
      if (this.#open) this.onmessage?.({ data: JSON.stringify(message) });
    });
  }

  drop(): void {
    this.close();
    this.onclose?.();
  }
}

/** Rejects when the request is given up, as `fetch` does. */
function aborted(signal: AbortSignal | null): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new DOMException('The request was aborted.', 'AbortError')));
  });
}

function refuse(
  status: number,
  code: string,
  message: string,
  retryable: boolean,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ error: { code, message, retryable } }, { status, headers });
}

/** A key whose proofs `FakeRelay` reads: they say what a real one signs. */
export const fakeSessionKey: SessionKey = {
  proof: (method, url, _token, now) =>
    Promise.resolve(`proof ${crypto.randomUUID()} for ${method} ${url} at ${Math.floor(now)}`),
};
