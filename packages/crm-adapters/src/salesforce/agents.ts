/**
 * Owns in whose name the relay speaks to an org: who an agent is there, a bounded number of sessions of agents, and the integration user in
 * their place when an agent is refused. Must never lend one agent's session to another, and must never hide a refusal: it is told once.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent } from '../relay-contract.ts';
import { isObject, listOf, text } from './composite.ts';
import { connectToSalesforce, type OrgDoor, type SalesforceConnection } from './connection.ts';
import { knowOrg, type OrgKnowledge } from './org.ts';
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
  /** What the org is, in the eyes of this user or of one who sees as much. */
  readonly org: OrgKnowledge;
  /** The same, asked as this very user. */
  readonly ownOrg: () => OrgKnowledge;
  /** `Object.Field` that this user was refused, and until when (epoch ms) it is left out without asking again. */
  readonly closedFields: Map<string, number>;
}

export interface Agents {
  readonly integration: Voice;
  /** @throws PatchcordError `crm.*` when Salesforce cannot be asked */
  usersOf(ids: readonly string[]): Promise<ReadonlyMap<string, OrgUser>>;
  /**
   * The agent's own voice, or why they have none.
   * @throws PatchcordError `crm.unavailable`, `crm.rate-limited`: nobody knows yet
   */
  voiceOf(agent: CrmAgent): Promise<Voice | { readonly refused: PatchcordError }>;
  /** The agent was refused a write: the integration user writes for them. Told once per agent and reason. */
  spokenFor(agent: CrmAgent, refused: PatchcordError): void;
  /** Tells whoever runs the relay, once per text. */
  tell(text: string): void;
}

/** Sessions of agents that are kept open at once; the one not used for longest makes room. */
const sessionsKept = 200;
const usersKept = 2_000;
/** How long a refused agent is not tried again. */
const refusedForMs = 600_000;

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
  const users = new Map<string, { readonly at: number; readonly user: OrgUser | null }>();
  const refusals = new Map<string, { readonly until: number; readonly error: PatchcordError }>();
  const told = new Set<string>();
  const org = knowOrg(options.integration, keepMs);
  const integration: Voice = {
    as: 'integration',
    connection: options.integration,
    org,
    ownOrg: () => org,
    closedFields: new Map(),
  };

  function tell(words: string): void {
    if (told.has(words)) return;
    // Once per text for as long as anybody could care; never a list without end.
    if (told.size >= usersKept) told.clear();
    told.add(words);
    options.notice(words);
  }

  async function usersOf(ids: readonly string[]): Promise<ReadonlyMap<string, OrgUser>> {
    const wanted = [...new Set(ids.filter((id) => id.startsWith('005') && isSalesforceId(id)).map(short))];
    const unknown = wanted.filter((id) => Date.now() - (users.get(id)?.at ?? Number.NEGATIVE_INFINITY) > keepMs);
    if (unknown.length > 0) {
      const query = `SELECT Id, Username, IsActive, TimeZoneSidKey FROM User WHERE Id IN (${unknown.map((id) => `'${id}'`).join(',')})`;
      const answer = await options.integration.request(
        'GET',
        `/query?q=${encodeURIComponent(query)}`,
        undefined,
        'to read the agents',
      );
      const rows = listOf(answer, 'records').filter(isObject);
      if (users.size + unknown.length > usersKept) users.clear();
      for (const id of unknown) {
        const row = rows.find((one) => short(text(one.Id)) === id);
        users.set(id, {
          at: Date.now(),
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
    return new Map(wanted.flatMap((id) => (users.get(id)?.user ? [[id, users.get(id)?.user as OrgUser]] : [])));
  }

  function voiceFor(user: OrgUser, signInAs: (username: string) => Promise<Session>): Voice {
    const id = short(user.id);
    const found = voices.get(id);
    voices.delete(id);
    if (found !== undefined) {
      voices.set(id, found);
      return found;
    }
    const connection = connectToSalesforce(door, () => signInAs(user.username));
    let own: OrgKnowledge | null = null;
    const fresh: Voice = {
      as: 'agent',
      connection,
      get org() {
        return own ?? org;
      },
      ownOrg: () => {
        own ??= knowOrg(connection, keepMs);
        return own;
      },
      closedFields: new Map(),
    };
    voices.set(id, fresh);
    for (const oldest of voices.keys()) {
      if (voices.size <= sessionsKept) break;
      voices.delete(oldest);
    }
    return fresh;
  }

  function refuse(agent: CrmAgent, error: PatchcordError): { readonly refused: PatchcordError } {
    if (refusals.size >= usersKept) refusals.clear();
    refusals.set(short(agent.crmUserId), { until: Date.now() + refusedForMs, error });
    return { refused: error };
  }

  return {
    integration,
    usersOf,
    tell,
    async voiceOf(agent) {
      const { signInAs } = options;
      if (signInAs === null) return integration;
      const id = short(agent.crmUserId);
      const before = refusals.get(id);
      if (before !== undefined && before.until > Date.now()) return { refused: before.error };
      const user = (await usersOf([id])).get(id);
      const who = nameOf(agent);
      if (user === undefined)
        return refuse(
          agent,
          new PatchcordError(
            'crm.not-authentic',
            `${who} is no user of this Salesforce org. Compare the agent's Salesforce user id in the relay with the org.`,
          ),
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
    spokenFor(agent, refused) {
      tell(`The integration user writes the calls of ${nameOf(agent)}, who owns them. ${refused.message}`);
    },
  };
}

/** The first 15 characters are the id. */
export function short(id: string): string {
  return id.slice(0, 15);
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
