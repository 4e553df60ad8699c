/**
 * Who is asking: our own sessions, whatever vouched for the agent at the start. Owns their tokens: an access token for minutes and a refresh
 * token for one use, both worthless without the key of the frame that the session is bound to. Tokens are never kept (a thief of the database
 * gets hashes) and never logged.
 *
 * ```
 * open ──→ access 1, refresh 1 ──resume──→ access 2, refresh 2 ──resume──→ …
 *                      └─ refresh 1 again: the same pair, for a minute (two frames asked) and until one of the pair has been used (the
 *                         answer was lost, and then the line); later: the session ends
 * ```
 * The next pair is derived from the refresh token and the session's salt, so that a repeat gets the same one without our keeping it; who has only the salt (the database) or only the token (a thief) can derive nothing.
 */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type AgentId, type AgentRole, type DeviceId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { IdentityStore, StoredSession } from '../store/contract.ts';
import type { Possession, Possessions } from './possession.ts';

export const accessMs = 15 * 60_000;
/** A used refresh token still answers with what it was exchanged for, this long. */
const repeatMs = 60_000;

/** What a checked token says. */
export interface SessionOwner {
  readonly sessionId: string;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  readonly role: AgentRole;
  /** End of the session, epoch ms; its access tokens end sooner and are renewed. */
  readonly expiresAt: number;
}

/** What a request shows. */
export interface Presented {
  readonly token: string | undefined;
  readonly proof: unknown;
  readonly method: string;
  readonly path: string;
  readonly scheme?: 'http' | 'ws';
}

export interface SessionTokensGiven {
  readonly token: string;
  readonly expiresAt: number;
  readonly refresh: string;
  readonly endsAt: number;
}

export interface Opened extends SessionTokensGiven {
  readonly sessionId: string;
}

export interface NewSession {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly device: DeviceId;
  /** The key everything is bound to. */
  readonly thumbprint: string;
  readonly label: string;
  readonly way: string;
  readonly role: AgentRole | null;
  readonly lifeMs: number;
}

export class Sessions {
  readonly #store: IdentityStore;
  readonly #possessions: Possessions;
  readonly #roleOf: (tenant: TenantId, agent: AgentId) => AgentRole;
  readonly #now: () => number;

  constructor(options: {
    readonly store: IdentityStore;
    readonly possessions: Possessions;
    /** The role the configuration gives. */
    readonly roleOf: (tenant: TenantId, agent: AgentId) => AgentRole;
    readonly now: () => number;
  }) {
    this.#store = options.store;
    this.#possessions = options.possessions;
    this.#roleOf = options.roleOf;
    this.#now = options.now;
  }

  /** Opens a session for an agent whose proof has been checked. The tokens are told once. */
  async open(wanted: NewSession): Promise<Opened> {
    const now = this.#now();
    const id = randomBytes(16).toString('base64url');
    const salt = randomBytes(32).toString('base64url');
    const refresh = randomBytes(32).toString('base64url');
    const access = derive(salt, 'access', refresh);
    const expiresAt = now + wanted.lifeMs;
    const accessExpiresAt = Math.min(now + accessMs, expiresAt);
    await this.#store.addSession({
      id,
      tenant: wanted.tenant,
      agent: wanted.agent,
      device: wanted.device,
      keyThumbprint: wanted.thumbprint,
      salt,
      label: wanted.label,
      way: wanted.way,
      role: wanted.role,
      accessHash: hashOf(access),
      accessExpiresAt,
      previousAccessHash: null,
      previousAccessExpiresAt: 0,
      refreshHash: hashOf(refresh),
      previousRefreshHash: null,
      refreshedAt: now,
      createdAt: now,
      expiresAt,
      lastSeenAt: now,
    });
    return {
      sessionId: id,
      token: `${id}.${access}`,
      expiresAt: accessExpiresAt,
      refresh: `${id}.${refresh}`,
      endsAt: expiresAt,
    };
  }

  /**
   * Checks a token together with the proof that its key is at hand.
   * @throws PatchcordError `identity.required` when it is unknown, expired, ended or another key's: which of them is nobody's business;
   * `identity.proof`, `identity.stale-proof` for the proof itself
   */
  async check(presented: Presented): Promise<SessionOwner> {
    const { owner, possession } = await this.look(presented, (id, now) => this.#store.findSession(id, now));
    await possession.spend();
    return owner;
  }

  /**
   * The same, but for the proof's novelty: whoever asks sees to it that the proof is spent, whatever comes of the request.
   * @param find Finds the open session, perhaps with more than that
   * @throws PatchcordError as `check` does
   */
  async look<S extends StoredSession>(
    presented: Presented,
    find: (id: string, now: number) => Promise<S | null>,
  ): Promise<{ readonly owner: SessionOwner; readonly session: S; readonly possession: Possession }> {
    const now = this.#now();
    const { id, secret } = parts(presented.token);
    const possession = secret === '' ? null : this.#possessions.read({ ...presented, token: presented.token ?? '' });
    const session = possession === null ? null : await find(id, now);
    const presentedHash = hashOf(secret);
    const good =
      session !== null &&
      possession !== null &&
      same(session.keyThumbprint, possession.thumbprint) &&
      ((same(session.accessHash, presentedHash) && session.accessExpiresAt > now) ||
        (session.previousAccessHash !== null &&
          same(session.previousAccessHash, presentedHash) &&
          session.previousAccessExpiresAt > now));
    if (!good) throw nobody();
    if (isUntouched(session) && same(session.accessHash, presentedHash)) {
      // The answer came through: from now on the token that it was exchanged for is a copy.
      await this.#store.rotateSession(session.id, session.refreshHash, session, Math.max(now, session.refreshedAt + 1));
    }
    return { owner: this.#owner(session), session, possession };
  }

  /**
   * New tokens for a refresh token.
   * @throws PatchcordError `identity.required`; when the token was used before, the whole session is ended first (`onReuse` hears of it)
   */
  async resume(
    refresh: string | undefined,
    proof: Omit<Presented, 'token'>,
    onReuse: (owner: SessionOwner) => Promise<void>,
  ): Promise<SessionTokensGiven & { readonly owner: SessionOwner }> {
    const now = this.#now();
    const { id, secret } = parts(refresh);
    if (secret === '') throw nobody();
    const possession = this.#possessions.read({ ...proof, token: null });
    // A second look when another relay was faster: then this is the repeat.
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const session = await this.#store.findSession(id, now);
      if (session === null || !same(session.keyThumbprint, possession.thumbprint)) throw nobody();
      if (attempt === 1) await possession.spend();
      const owner = this.#owner(session);
      const shown = hashOf(secret);
      const given = (): SessionTokensGiven & { readonly owner: SessionOwner } => {
        const next = derive(session.salt, 'refresh', secret);
        return {
          token: `${id}.${derive(session.salt, 'access', next)}`,
          expiresAt: Math.min(now + accessMs, session.expiresAt),
          refresh: `${id}.${next}`,
          endsAt: session.expiresAt,
          owner,
        };
      };
      if (same(session.refreshHash, shown)) {
        const next = given();
        const rotated = await this.#store.rotateSession(
          id,
          shown,
          {
            accessHash: hashOf(parts(next.token).secret),
            accessExpiresAt: next.expiresAt,
            previousAccessHash: session.accessHash,
            previousAccessExpiresAt: session.accessExpiresAt,
            refreshHash: hashOf(parts(next.refresh).secret),
            previousRefreshHash: shown,
            refreshedAt: now,
          },
          now,
        );
        if (rotated) return next;
      } else if (
        session.previousRefreshHash !== null &&
        same(session.previousRefreshHash, shown) &&
        (now - session.refreshedAt <= repeatMs || isUntouched(session))
      ) {
        const again = given();
        if (now - session.refreshedAt <= repeatMs) return { ...again, expiresAt: session.accessExpiresAt };
        // Nobody has the pair yet: it is as good as a new one.
        const renewed = { ...session, accessExpiresAt: again.expiresAt, refreshedAt: now };
        if (await this.#store.rotateSession(id, session.refreshHash, renewed, now)) return again;
      } else {
        // Right key, used token: somebody works inside the agent's page, or a copy of it is being replayed.
        await this.#store.endSession(id, now);
        await onReuse(owner);
        throw nobody();
      }
    }
    throw nobody();
  }

  /** Whether a session that was checked before is still open. */
  async isOpen(sessionId: string): Promise<boolean> {
    return (await this.#store.findSession(sessionId, this.#now())) !== null;
  }

  /** Ends one session. */
  end(sessionId: string): Promise<void> {
    return this.#store.endSession(sessionId, this.#now());
  }

  /** Sessions of an agent, oldest first. */
  of(tenant: TenantId, agent: AgentId): Promise<readonly StoredSession[]> {
    return this.#store.sessionsOf(tenant, agent, this.#now());
  }

  /** Ends every session of an agent, or those on one device; returns how many there were. */
  revoke(tenant: TenantId, agent: AgentId, device?: DeviceId): Promise<number> {
    return this.#store.revokeSessions(tenant, agent, this.#now(), device);
  }

  #owner(session: StoredSession): SessionOwner {
    const { id, tenant, agent, device, expiresAt } = session;
    return { sessionId: id, tenant, agent, device, role: session.role ?? this.#roleOf(tenant, agent), expiresAt };
  }
}

/** Whether nobody has come with a token of the newest pair yet. The pair that a session begins with was exchanged for nothing. */
function isUntouched({ previousRefreshHash, lastSeenAt, refreshedAt }: StoredSession): boolean {
  return previousRefreshHash !== null && lastSeenAt <= refreshedAt;
}

/** `<session id>.<secret>`; empty strings for anything else. */
function parts(token: string | undefined): { readonly id: string; readonly secret: string } {
  const [, id = '', secret = ''] = /^([\w-]{22})\.([\w-]{43})$/.exec(token ?? '') ?? [];
  return { id, secret };
}

function derive(salt: string, what: 'access' | 'refresh', refresh: string): string {
  return createHmac('sha256', salt).update(`${what} ${refresh}`).digest('base64url');
}

function hashOf(secret: string): string {
  // 256 random bits: a fast hash is enough, there is nothing to guess.
  return hash('sha256', secret, 'base64url');
}

function same(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

/** For everybody whose session does not hold, and no word more. */
export function nobody(): PatchcordError {
  return new PatchcordError('identity.required', 'Nobody is signed in here, or the session has ended. Sign in again.');
}
