/**
 * The relay as the panel sees it: sign-in, profile, credentials, matches, history over `fetch`, and the live link (`live-link.ts`).
 * Owns the bearer token, in memory only, and its renewal; every answer is checked before anyone reads it. Must never put the token into a
 * URL, into storage or into a message.
 */
import {
  type Agent,
  type CallSummary,
  type Credentials,
  CredentialsSchema,
  type DeviceId,
  type E164,
  ErrorBodySchema,
  type ErrorCode,
  HistorySchema,
  type IdentityProof,
  type Match,
  MatchesSchema,
  PatchcordError,
  type Profile,
  ProfileSchema,
  type Session,
  SessionSchema,
} from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import * as v from 'valibot';
import { createLiveLink, type LiveLink, type OpenSocket } from './live-link.ts';
import { texts } from './texts.ts';

export interface RelayClient {
  readonly live: LiveLink;
  session(): Session | null;
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
  matches(number: E164): Promise<readonly Match[]>;
  history(limit: number): Promise<readonly CallSummary[]>;
  close(): void;
}

export interface RelayClientOptions {
  /** Origin of the relay, without a slash at its end. */
  readonly origin: string;
  readonly device: DeviceId;
  readonly fetch: (input: string, init: RequestInit) => Promise<Response>;
  readonly openSocket: OpenSocket;
  readonly clock: ClockPort;
  readonly random?: () => number;
  /** A fresh proof of who the agent is, null when only the agent can give one. */
  readonly proveIdentity: () => Promise<IdentityProof | null>;
  /** Deadline of one request, ms. */
  readonly requestTimeoutMs?: number;
}

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

  function setSession(next: Session | null): void {
    if (session === next) return;
    session = next;
    for (const listener of listeners) listener(next);
  }

  /** False for a session of somebody else. */
  function take(next: Session): boolean {
    agent ??= next.agent;
    if (agent.tenant !== next.agent.tenant || agent.id !== next.agent.id) return false;
    setSession(next);
    return true;
  }

  async function signIn(proof: IdentityProof): Promise<Session> {
    const next = await request('POST', '/v1/sessions', SessionSchema, null, { device: options.device, proof });
    if (take(next)) return next;
    for (const listener of strangerListeners) listener(next.agent);
    throw new PatchcordError('identity.refused', texts.otherAgentAdvice(next.agent.name, agent?.name ?? ''));
  }

  /** One renewal at a time, whoever asks. */
  function renew(): Promise<Session> {
    renewal ??= (async () => {
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

  async function freshToken(): Promise<string> {
    if (session !== null && session.expiresAt - clock.now() > renewMarginMs) return session.token;
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
  ): Promise<T> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== null) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await send(`${options.origin}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
    const answer = await readJson(response);
    if (!response.ok) throw failureOf(response, answer);
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

  const live = createLiveLink({
    url: `${options.origin.replace(/^http/, 'ws')}/v1/live`,
    openSocket: options.openSocket,
    clock,
    ...(options.random === undefined ? {} : { random: options.random }),
    token: freshToken,
    tokenRefused: () => {
      // The relay no longer takes the token: the next attempt brings a new one.
      if (session !== null) session = { ...session, expiresAt: 0 };
    },
  });

  return {
    live,
    session: () => session,
    onSession(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
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
    history: async (limit) => (await authorized('GET', `/v1/calls?limit=${limit}`, HistorySchema)).calls,
    close() {
      live.close();
      listeners.clear();
      strangerListeners.clear();
      session = null;
    },
  };
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
