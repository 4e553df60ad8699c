/**
 * Owns in whose name the relay speaks to an org: who an agent is there, a bounded number of sessions of agents, and the integration user in
 * their place when an agent is refused. Must never lend one agent's session to another, and must never hide a refusal: it is told once.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent } from '../relay-contract.ts';
import type { GatedRequest } from '../request-gate.ts';
import { isObject, listOf, text } from './composite.ts';
import { connectToSalesforce, type OrgDoor, type SalesforceConnection } from './connection.ts';
import { knowOrg, type OrgView, orgSeenBy } from './org.ts';
import type { Session } from './sign-in.ts';
import { isSalesforceId } from './task.ts';

/** A user as the org has them. */
export interface OrgUser {
  readonly id: string;
  readonly username: string;
  readonly isActive: boolean;
  /** IANA zone, or null where the org gives none that this server knows. */
  readonly timeZone: string | null;
}

/** Somebody the relay speaks as. */
export interface Voice {
  readonly as: 'agent' | 'integration';
  readonly connection: SalesforceConnection;
  /** What the org is as the integration user sees it, without what turned out to be hidden from this one. */
  readonly org: OrgView;
  /** `Object.Field` that this user was refused, and until when (epoch ms) it is left out without asking again. */
  readonly closedFields: Map<string, number>;
}

/** What is learnt of a user by being refused: a handful of names, kept longer than the session. */
type Learnt = Pick<Voice, 'closedFields' | 'org'>;

export interface Agents {
  readonly integration: Voice;
  /**
   * Those of them whom the integration user sees; a late answer stands in for one that cannot be had now.
   * @throws PatchcordError `crm.*` when Salesforce cannot be asked
   */
  usersOf(ids: readonly string[], gated?: GatedRequest): Promise<ReadonlyMap<string, OrgUser>>;
  /**
   * The agent's own voice, or why they have none.
   * @throws PatchcordError `crm.unavailable`, `crm.rate-limited`: nobody knows yet
   */
  voiceOf(agent: CrmAgent, gated?: GatedRequest): Promise<Voice | { readonly refused: PatchcordError }>;
  /** The agent was refused a write: the integration user writes all their calls, or this one. Told once per agent and reason. */
  spokenFor(agent: CrmAgent, refused: PatchcordError, what: 'calls' | 'a call'): void;
  /** Tells whoever runs the relay, once per text. */
  tell(text: string): void;
}

/** Sessions of agents that are kept open at once; the one not used for longest makes room. */
const sessionsKept = 200;
const usersKept = 2_000;
/** How long a refused agent is not tried again. */
const refusedForMs = 600_000;
/** How long a user who was not found stays unknown, and the users unread where the integration user may not read them. */
const unknownForMs = 300_000;

export function agentsOf(options: {
  readonly door: OrgDoor;
  readonly integration: SalesforceConnection;
  /** Signs in as any user; null where the relay only speaks for itself. */
  readonly signInAs: ((username: string) => Promise<Session>) | null;
  readonly keepMs: number;
  readonly notice: (text: string) => void;
}): Agents {
  const { door, keepMs } = options;
  const voices = new Map<string, Voice>();
  const users = new Map<string, { readonly until: number; readonly user: OrgUser | null }>();
  const learnt = new Map<string, Learnt>();
  let unreadable: { readonly until: number; readonly error: PatchcordError } | null = null;
  const refusals = new Map<string, { readonly until: number; readonly error: PatchcordError }>();
  const told = new Set<string>();
  const org = knowOrg(options.integration, keepMs);
  const integration: Voice = { as: 'integration', connection: options.integration, ...nothingLearnt() };

  function nothingLearnt(): Learnt {
    return { org: orgSeenBy(org, new Map(), keepMs), closedFields: new Map() };
  }

  function tell(words: string): void {
    if (told.has(words)) return;
    // Once per text for as long as anybody could care; never a list without end.
    if (told.size >= usersKept) told.clear();
    told.add(words);
    options.notice(words);
  }

  async function usersOf(ids: readonly string[], gated: GatedRequest = {}): Promise<ReadonlyMap<string, OrgUser>> {
    const wanted = [...new Set(ids.filter((id) => id.startsWith('005') && isSalesforceId(id)).map(short))];
    // Whoever is asked for goes last, so that nobody of this question is forgotten to make room for another of it.
    for (const id of wanted) {
      const known = users.get(id);
      if (known === undefined) continue;
      users.delete(id);
      users.set(id, known);
    }
    const unknown = wanted.filter((id) => (users.get(id)?.until ?? 0) < Date.now());
    if (unknown.length > 0) {
      try {
        await readUsers(unknown, gated);
        forgetOldest(users, Math.max(usersKept, wanted.length));
      } catch (error) {
        // What was true an hour ago serves until Salesforce can be asked again.
        const isKnown = unknown.every((id) => users.get(id)?.user);
        if (!isKnown || !(error instanceof PatchcordError) || !error.retryable) throw error;
      }
    }
    return new Map(
      wanted.flatMap((id) => {
        const user = users.get(id)?.user;
        return user ? [[id, user] as const] : [];
      }),
    );
  }

  async function readUsers(ids: readonly string[], gated: GatedRequest): Promise<void> {
    if (unreadable !== null && unreadable.until > Date.now()) throw unreadable.error;
    const query = `SELECT Id, Username, IsActive, TimeZoneSidKey FROM User WHERE Id IN (${ids.map((id) => `'${id}'`).join(',')})`;
    let rows: readonly Readonly<Record<string, unknown>>[];
    try {
      const path = `/query?q=${encodeURIComponent(query)}`;
      const answer = await options.integration.request('GET', path, undefined, 'to read the agents', gated);
      rows = listOf(answer, 'records').filter(isObject);
    } catch (error) {
      if (error instanceof PatchcordError && error.code === 'crm.invalid')
        unreadable = { until: Date.now() + unknownForMs, error };
      throw error;
    }
    for (const id of ids) {
      const row = rows.find((one) => short(text(one.Id)) === id);
      users.delete(id);
      users.set(id, {
        until: Date.now() + (row === undefined ? Math.min(unknownForMs, keepMs) : keepMs),
        user:
          row === undefined
            ? null
            : {
                id: text(row.Id),
                username: text(row.Username).slice(0, 255),
                isActive: row.IsActive !== false,
                timeZone: zoneIn(row.TimeZoneSidKey),
              },
      });
    }
  }

  function voiceFor(user: OrgUser, signInAs: (username: string) => Promise<Session>): Voice {
    const id = short(user.id);
    const found = voices.get(id);
    voices.delete(id);
    if (found !== undefined) {
      voices.set(id, found);
      return found;
    }
    const known = learnt.get(id) ?? nothingLearnt();
    learnt.delete(id);
    learnt.set(id, known);
    forgetOldest(learnt, usersKept);
    const connection = connectToSalesforce(door, () => signInAs(user.username));
    const fresh: Voice = { as: 'agent', connection, ...known };
    voices.set(id, fresh);
    forgetOldest(voices, sessionsKept);
    return fresh;
  }

  function refuse(agent: CrmAgent, error: PatchcordError, forMs = refusedForMs): { readonly refused: PatchcordError } {
    refusals.set(short(agent.crmUserId), { until: Date.now() + forMs, error });
    forgetOldest(refusals, usersKept);
    return { refused: error };
  }

  return {
    integration,
    usersOf,
    tell,
    async voiceOf(agent, gated) {
      const { signInAs } = options;
      if (signInAs === null) return integration;
      const id = short(agent.crmUserId);
      const before = refusals.get(id);
      if (before !== undefined && before.until > Date.now()) return { refused: before.error };
      const user = (await usersOf([id], gated)).get(id);
      const who = nameOf(agent);
      if (user === undefined)
        return refuse(
          agent,
          new PatchcordError(
            'crm.not-authentic',
            `${who} is no user of this Salesforce org whom the integration user can see. Compare the agent's Salesforce user id in the relay with the org, and give the integration user "View All Users" (permission set Patchcord Relay).`,
          ),
          // The user's own row ends as soon, and with it the reason.
          Math.min(unknownForMs, keepMs),
        );
      if (!user.isActive)
        return refuse(
          agent,
          new PatchcordError(
            'crm.not-authentic',
            `${who} is not an active user of this Salesforce org. Activate the user in Setup, or take the agent out of the relay.`,
          ),
        );
      const voice = voiceFor(user, signInAs);
      try {
        await voice.connection.open();
        refusals.delete(id);
        return voice;
      } catch (error) {
        if (!(error instanceof PatchcordError) || error.retryable) throw error;
        voices.delete(id);
        return refuse(
          agent,
          new PatchcordError(error.code, `${who} cannot be signed in to Salesforce. ${error.message}`),
        );
      }
    },
    spokenFor(agent, refused, what) {
      const who = nameOf(agent);
      tell(
        what === 'calls'
          ? `The integration user writes the calls of ${who}, who owns them. ${refused.message}`
          : `The integration user brought a call of ${who} up to date in their place. ${refused.message}`,
      );
    },
  };
}

/** The first 15 characters are the id. */
export function short(id: string): string {
  return id.slice(0, 15);
}

/** Takes out what was put in first, until so many are left. */
function forgetOldest(map: Map<string, unknown>, mostKept: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= mostKept) return;
    map.delete(oldest);
  }
}

function nameOf(agent: CrmAgent): string {
  return (agent.name.trim() || agent.crmUserId).slice(0, 80);
}

function zoneIn(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: value }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}
