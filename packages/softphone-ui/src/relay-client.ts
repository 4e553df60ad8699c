/**
 * The relay as the panel sees it: sign-in, profile, credentials, matches, history over `fetch`, and the live link (`live-link.ts`).
 * Owns the session's tokens, in memory only, their renewal, and the proof that goes with each use of one; every answer is checked before anyone
 * reads it. Must never put a token into a URL, into storage or into a message.
 */
import {
  type Agent,
  type CallEvents,
  CallEventsSchema,
  type CallId,
  type CallSummary,
  type Credentials,
  CredentialsSchema,
  type DeviceId,
  type E164,
  ErrorBodySchema,
  type ErrorCode,
  type Extension,
  errorCode,
  HistorySchema,
  type IdentityProof,
  type LogCreator,
  LogCreatorSchema,
  LogRetrySchema,
  type Match,
  MatchesSchema,
  type MayCall,
  MayCallSchema,
  PatchcordError,
  type Profile,
  ProfileSchema,
  type RecordRef,
  type Related,
  RelatedRecordsSchema,
  type Session,
  SessionSchema,
  type SignInWay,
  SignInWaysSchema,
  type ToCall,
  type ToCallChange,
  ToCallListSchema,
  type ToCallRequest,
  ToCallSchema,
  type Voicemail,
  type VoicemailChange,
  VoicemailSchema,
  VoicemailsSchema,
} from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import * as v from 'valibot';
import { createLiveLink, type LiveLink, type LiveLinkOptions, type OpenSocket } from './live-link.ts';
import type { SessionKey } from './session-key.ts';
import { texts } from './texts.ts';

export interface RelayClient {
  readonly live: LiveLink;
  session(): Session | null;
  /**
   * For whom this page is (the host's word, null when it has none): frames that say the same share a key, and go on after a reload with what
   * the relay keeps in a cookie. Said once, before anything else; without it the key lives as long as the page.
   */
  begin(audience: string | null): void;
  /** Goes on with the session this page had before it was loaded anew; false when there is none. @throws PatchcordError `relay.unreachable` */
  resume(): Promise<boolean>;
  /** Ends the session, here and at the relay. */
  signOut(): Promise<void>;
  /** Ways to sign in beside a pairing code. */
  signInWays(host: string, hostOrigin: string): Promise<readonly SignInWay[]>;
  /** Called when the session begins, is renewed, or is lost (null) and nothing but the agent can bring it back. */
  onSession(listener: (session: Session | null) => void): () => void;
  /** Called when somebody else signed in here: the session was not taken, this client stays with its agent. */
  onStranger(listener: (agent: Agent) => void): () => void;
  /**
   * The first session says for whom this client works, for good. One of another agent is not used.
   * @throws PatchcordError `identity.refused`, `relay.unreachable`, `request.too-many`
   */
  signIn(proof: IdentityProof): Promise<Session>;
  /** Takes over the session that another frame of this browser already holds; false when it is another agent's, and nothing changed. */
  adopt(session: Session): boolean;
  /** @throws PatchcordError `profile.invalid`, `identity.required`, `relay.unreachable` */
  profile(): Promise<Profile>;
  /** @throws PatchcordError `credential.revoked`, `identity.required`, `relay.unreachable` */
  credentials(): Promise<Credentials>;
  matches(number: E164 | Extension): Promise<readonly Match[]>;
  /** Open cases and deals of a record: what a call with it may be about. @throws PatchcordError `crm.*`, `relay.unreachable` */
  related(record: RecordRef): Promise<readonly Related[]>;
  history(limit: number): Promise<readonly CallSummary[]>;
  /** What this agent has to call. @throws PatchcordError `relay.unreachable` */
  toCall(): Promise<readonly ToCall[]>;
  addToCall(entry: ToCallRequest): Promise<ToCall>;
  changeToCall(id: string, change: ToCallChange): Promise<ToCall>;
  /** Whether a number may be called; the relay answers within a second. @throws PatchcordError `relay.unreachable` */
  mayCall(number: E164): Promise<MayCall>;
  /** What lies in the agent's mailbox, newest first. @throws PatchcordError `relay.unreachable` */
  voicemails(): Promise<readonly Voicemail[]>;
  changeVoicemail(id: string, change: VoicemailChange): Promise<Voicemail>;
  /** What the relay says at a path that has no door of its own here. @throws PatchcordError `relay.unreachable`, and whatever the relay says */
  read<T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T>;
  /** Whether this phone may dial what was asked of all phones of the agent: the first that asks may. */
  claimDial(wish: string): Promise<boolean>;
  /** Whether the relay is there, and how far its clock is ahead of ours, ms; null where it can't be told. @throws PatchcordError `relay.unreachable` */
  probe(): Promise<{ readonly aheadMs: number | null }>;
  /** Who makes the log of a call that begins; asked once, and not for long. @throws PatchcordError `relay.unreachable`, `identity.required` */
  logCreator(callId: CallId): Promise<LogCreator>;
  /** Asks for a log that was given up again. */
  retryLog(callId: CallId): Promise<unknown>;
  /** A call's events after a number. @throws PatchcordError `relay.unreachable`, `call.unknown` */
  callEvents(call: string, after: number): Promise<CallEvents>;
  /** Another socket of the relay, such as `/v1/sound`. */
  socketTo(path: string): RelaySocket;
  close(): void;
}

/** Where a socket of the relay is, and how one shows there who one is. */
export type RelaySocket = Pick<LiveLinkOptions, 'url' | 'openSocket' | 'authentication' | 'tokenRefused'>;

export interface RelayClientOptions {
  /** Origin of the relay, without a slash at its end. */
  readonly origin: string;
  readonly device: DeviceId;
  readonly fetch: (input: string, init: RequestInit) => Promise<Response>;
  readonly openSocket: OpenSocket;
  readonly openKey: (name: string | null) => Promise<SessionKey>;
  readonly clock: ClockPort;
  readonly random?: () => number;
  /** A fresh proof of who the agent is, null when only the agent can give one. */
  readonly proveIdentity: () => Promise<IdentityProof | null>;
  /** Deadline of one request, ms. */
  readonly requestTimeoutMs?: number;
}

/** Nobody may wait longer to hear of a call because the relay is slow, ms. */
const logCreatorMs = 1_500;
/** A token with less life than this is renewed before it is used. */
const renewMarginMs = 30_000;

/** Talks to one relay for one agent. */
export function createRelayClient(options: RelayClientOptions): RelayClient {
  const { clock, requestTimeoutMs = 10_000 } = options;
  const listeners = new Set<(session: Session | null) => void>();
  const strangerListeners = new Set<(agent: Agent) => void>();
  let session: Session | null = null;
  /** For whom this client works. Phone, journal and notes belong to them: a token of anybody else must never carry them. */
  let agent: Agent | null = null;
  let renewal: Promise<Session> | null = null;
  let audience: string | null = null;
  let key: Promise<SessionKey> | null = null;
  /** How far the relay's clock is ahead of ours, ms: known only once it has refused a proof for its time. */
  let aheadMs = 0;

  async function prove(method: string, url: string, token: string | null): Promise<string> {
    key ??= options.openKey(audience);
    return await (await key).proof(method, url, token, clock.now() + aheadMs);
  }

  function setSession(next: Session | null): void {
    if (session === next) return;
    session = next;
    for (const listener of listeners) listener(next);
  }

  /** False for a session of somebody else. */
  function take(next: Session): boolean {
    agent ??= next.agent;
    if (agent.tenant !== next.agent.tenant || agent.id !== next.agent.id) return false;
    // Of two that frames hand each other the longer lived is the newer one.
    if (session === null || next.expiresAt > session.expiresAt) setSession(next);
    return true;
  }

  async function signIn(proof: IdentityProof): Promise<Session> {
    const next = await request('POST', '/v1/sessions', SessionSchema, null, {
      device: options.device,
      remember: audience !== null,
      proof,
    });
    // Whatever was held before: a new sign-in is what counts.
    if (session !== null && isSameAgent(session.agent, next.agent)) session = { ...session, expiresAt: 0 };
    if (take(next)) return next;
    for (const listener of strangerListeners) listener(next.agent);
    throw new PatchcordError('identity.refused', texts.otherAgentAdvice(next.agent.name, agent?.name ?? ''));
  }

  /** One renewal at a time, whoever asks. */
  function renew(): Promise<Session> {
    renewal ??= (async () => {
      const resumed = await goOn();
      if (resumed !== null) return resumed;
      const proof = await options.proveIdentity();
      if (proof === null) {
        setSession(null);
        throw new PatchcordError('identity.required', texts.sessionOver);
      }
      return await signIn(proof);
    })().finally(() => {
      renewal = null;
    });
    return renewal;
  }

  /** The next tokens for the refresh token we hold or the cookie keeps; null when the relay takes neither. */
  async function goOn(): Promise<Session | null> {
    if (session === null && audience === null) return null;
    const body = session === null ? {} : { refresh: session.refresh };
    try {
      const next = await request('POST', '/v1/sessions/resume', SessionSchema, null, body);
      return take(next) ? next : null;
    } catch (error) {
      if (errorCode(error) !== 'identity.required') throw error;
      return null;
    }
  }

  async function freshToken(): Promise<string> {
    if (session !== null && session.expiresAt - clock.now() - aheadMs > renewMarginMs) return session.token;
    return (await renew()).token;
  }

  /** A request as the agent. A token the relay no longer takes is renewed once. */
  async function authorized<T>(
    method: string,
    path: string,
    schema: v.GenericSchema<unknown, T>,
    body?: unknown,
  ): Promise<T> {
    const token = await freshToken();
    try {
      return await request(method, path, schema, token, body);
    } catch (error) {
      if (!(error instanceof PatchcordError) || error.code !== 'identity.required') throw error;
      const next = session !== null && session.token !== token ? session : await renew();
      return await request(method, path, schema, next.token, body);
    }
  }

  async function request<T>(
    method: string,
    path: string,
    schema: v.GenericSchema<unknown, T>,
    token: string | null,
    body?: unknown,
    corrected = false,
  ): Promise<T> {
    const url = `${options.origin}${path}`;
    const headers: Record<string, string> = {
      accept: 'application/json',
      dpop: await prove(method, url.replace(/\?.*/, ''), token),
    };
    if (token !== null) headers.authorization = `DPoP ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await send(url, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
    const answer = response.status === 204 ? undefined : await readJson(response);
    if (!response.ok) {
      const failure = failureOf(response, answer);
      const relayNow = Date.parse(response.headers.get('date') ?? '');
      if (failure.code !== 'identity.stale-proof' || corrected || Number.isNaN(relayNow)) throw failure;
      // This computer's clock is off: the relay's counts.
      aheadMs = relayNow - clock.now();
      return await request(method, path, schema, token, body, true);
    }
    const checked = v.safeParse(schema, answer);
    if (checked.success) return checked.output;
    const where = v.getDotPath(checked.issues[0]) ?? '';
    throw new PatchcordError(
      path === '/v1/profile' ? 'profile.invalid' : 'internal',
      texts.relayMalformed(path, where, checked.issues[0].message),
    );
  }

  async function send(url: string, init: RequestInit): Promise<Response> {
    const abort = new AbortController();
    const deadline = clock.setTimeout(() => abort.abort(), requestTimeoutMs);
    try {
      return await options.fetch(url, { ...init, signal: abort.signal });
    } catch (cause) {
      throw new PatchcordError('relay.unreachable', texts.relayUnreachable, { retryable: true, cause });
    } finally {
      clock.clearTimeout(deadline);
    }
  }

  function socketTo(path: string): RelaySocket {
    const url = options.origin.replace(/^http/, 'ws') + path;
    return {
      url,
      openSocket: options.openSocket,
      authentication: async () => {
        const token = await freshToken();
        return { token, proof: await prove('GET', url, token) };
      },
      tokenRefused: () => {
        // The relay no longer takes the token: the next attempt brings a new one.
        if (session !== null) session = { ...session, expiresAt: 0 };
      },
    };
  }

  const callEvents = (call: string, after: number): Promise<CallEvents> =>
    authorized('GET', `/v1/calls/${call}/events?after=${after}`, CallEventsSchema);

  const live = createLiveLink({
    ...socketTo('/v1/live'),
    clock,
    ...(options.random === undefined ? {} : { random: options.random }),
    callEvents,
  });

  return {
    live,
    socketTo,
    callEvents,
    session: () => session,
    onSession(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    begin(name) {
      audience = name;
    },
    resume: async () => audience !== null && (await goOn()) !== null,
    async signOut() {
      try {
        await authorized('DELETE', '/v1/sessions/current', v.undefined());
      } finally {
        setSession(null);
      }
    },
    signInWays: async (host, hostOrigin) => {
      const query = new URLSearchParams({ host, origin: hostOrigin, audience: audience ?? '' });
      return (await request('GET', `/v1/sign-in/ways?${query}`, SignInWaysSchema, null)).ways;
    },
    signIn,
    adopt: take,
    onStranger(listener) {
      strangerListeners.add(listener);
      return () => strangerListeners.delete(listener);
    },
    async profile() {
      const profile = await authorized('GET', '/v1/profile', ProfileSchema);
      if (agent !== null && (profile.agent.id !== agent.id || profile.agent.tenant !== agent.tenant))
        throw new PatchcordError('profile.invalid', texts.profileOfOther(profile.agent.name, agent.name));
      return profile;
    },
    credentials: () => authorized('POST', '/v1/credentials', CredentialsSchema, {}),
    matches: async (number) =>
      (await authorized('GET', `/v1/matches?number=${encodeURIComponent(number)}`, MatchesSchema)).matches,
    related: async ({ object, id }) => {
      const query = new URLSearchParams({ object, id });
      return (await authorized('GET', `/v1/records/related?${query}`, RelatedRecordsSchema)).records;
    },
    toCall: async () => (await authorized('GET', '/v1/to-call', ToCallListSchema)).entries,
    addToCall: (entry) => authorized('POST', '/v1/to-call', ToCallSchema, entry),
    changeToCall: (id, change) => authorized('PATCH', `/v1/to-call/${id}`, ToCallSchema, change),
    mayCall: (number) => authorized('GET', `/v1/may-call?number=${encodeURIComponent(number)}`, MayCallSchema),
    voicemails: async () => (await authorized('GET', '/v1/voicemails', VoicemailsSchema)).voicemails,
    changeVoicemail: (id, change) => authorized('PATCH', `/v1/voicemails/${id}`, VoicemailSchema, change),
    read: (path, schema) => authorized('GET', path, schema),
    claimDial: async (wish) =>
      (await authorized('POST', `/v1/dial-wishes/${wish}/claim`, v.object({ granted: v.boolean() }), {})).granted,
    async probe() {
      const response = await send(`${options.origin}/healthz`, { cache: 'no-store', credentials: 'omit' });
      // A proxy that answers for a dead relay.
      if (response.status >= 500) throw failureOf(response, null);
      const relayNow = Date.parse(response.headers.get('date') ?? '');
      return { aheadMs: Number.isNaN(relayNow) ? null : relayNow - clock.now() };
    },
    async logCreator(callId) {
      let timer: unknown;
      const late = new Promise<never>((_resolve, reject) => {
        timer = clock.setTimeout(
          () => reject(new PatchcordError('relay.unreachable', texts.relayUnreachable, { retryable: true })),
          logCreatorMs,
        );
      });
      const asked = authorized('PUT', `/v1/calls/${callId}/log-creator`, LogCreatorSchema, {});
      return await Promise.race([asked, late]).finally(() => clock.clearTimeout(timer));
    },
    retryLog: (callId) => authorized('POST', `/v1/calls/${callId}/log/retry`, LogRetrySchema),
    history: async (limit) => (await authorized('GET', `/v1/calls?limit=${limit}`, HistorySchema)).calls,
    close() {
      live.close();
      listeners.clear();
      strangerListeners.clear();
      session = null;
    },
  };
}

function isSameAgent(one: Agent, other: Agent): boolean {
  return one.tenant === other.tenant && one.id === other.id;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    if (!response.ok) return null;
    throw new PatchcordError('relay.unreachable', texts.relayUnreachable, { retryable: true, cause });
  }
}

/** The relay's own words where it gave some; else what the status says. A proxy that answers for a dead relay counts as unreachable. */
function failureOf(response: Response, answer: unknown): PatchcordError {
  const retryAfter = Number(response.headers.get('retry-after'));
  const wait = Number.isFinite(retryAfter) && retryAfter > 0 ? { retryAfterMs: retryAfter * 1_000 } : {};
  const body = v.safeParse(ErrorBodySchema, answer);
  if (body.success) {
    const { code, message, retryable } = body.output.error;
    return new PatchcordError(code as ErrorCode, message, { retryable, ...wait });
  }
  if (response.status === 401) return new PatchcordError('identity.required', texts.sessionOver);
  if (response.status === 429)
    return new PatchcordError('request.too-many', texts.relayBusy, { retryable: true, ...wait });
  return new PatchcordError('relay.unreachable', texts.relayUnreachable, {
    retryable: true,
    cause: `HTTP ${response.status}`,
    ...wait,
  });
}
