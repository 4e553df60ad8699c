/**
 * Owns writing calls as Tasks, each beside one record of ours whose unique key is the call id: in whose name each is written, and that one
 * call and many are written alike. How one user's logs are written stands in log-rounds.ts. Must never lose a call because its agent was
 * refused a right, and must never get round a rule of the org by another user.
 */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent, LogToWrite, LogWritten } from '../relay-contract.ts';
import type { Agents, Voice } from './agents.ts';
import { framesOf, type Users } from './log-frame.ts';
import { callObjectNames } from './log-requests.ts';
import { creating, unanswered, writeAs } from './log-rounds.ts';
import { isAboutRights, refusalBehind, unseen } from './refusals.ts';
import { isSalesforceId } from './task.ts';

/** Logs of one request: three nodes each, and the org's triggers run for every one of them within one deadline. */
export const logsAtOnce = 25;
/** How long an agent who may not write is not asked to. */
const speechlessForMs = 600_000;
/** Agents remembered as such; more than any org of this relay has. */
const speechlessKept = 2_000;

export interface LogWriter {
  writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string>;
  writeLogs(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]>;
}

export function createLogWriter(options: {
  readonly agents: Agents;
  /** The package's namespace with its underscores, or nothing. */
  readonly prefix: string;
  /** Where a call's day is counted for an agent whose zone the org does not tell. */
  readonly timeZone: string;
  /** What plays recordings; absent: logs carry no address. */
  readonly recordingPage?: string | undefined;
}): LogWriter {
  const { agents, prefix } = options;
  const names = callObjectNames(prefix);
  const parts = { frames: framesOf({ ...options, names }), names, prefix };
  const speechless = new Map<string, number>();

  /** Whoever speaks for each agent: themselves, or the integration user for one who is refused. */
  async function voicesOf(batch: readonly LogToWrite[]): Promise<readonly (Voice | PatchcordError)[]> {
    const found = new Map<string, Promise<Voice | PatchcordError>>();
    for (const { agent } of batch) if (!found.has(agent.crmUserId)) found.set(agent.crmUserId, voiceFor(agent));
    return await Promise.all(batch.map(({ agent }) => found.get(agent.crmUserId) ?? agents.integration));
  }

  async function voiceFor(agent: CrmAgent): Promise<Voice | PatchcordError> {
    if ((speechless.get(agent.crmUserId) ?? 0) > Date.now()) return agents.integration;
    try {
      const voice = await agents.voiceOf(agent);
      if (!('refused' in voice)) return voice;
      agents.spokenFor(agent, voice.refused, 'calls');
      return agents.integration;
    } catch (error) {
      if (!(error instanceof PatchcordError)) throw error;
      if (error.retryable) return error;
      // Who the agent is can't be read in this org: nobody can sign in as them, and their calls are logged all the same.
      agents.spokenFor(agent, error, 'calls');
      return agents.integration;
    }
  }

  /** One group, and those of it whom Salesforce refused a right once more by the integration user. */
  async function writeGroup(voice: Voice, batch: readonly LogToWrite[], users: Users): Promise<readonly LogWritten[]> {
    let results: readonly LogWritten[];
    try {
      results = await writeAs(voice, batch, users, parts);
    } catch (error) {
      if (!(error instanceof PatchcordError) || voice.as === 'integration' || !isAboutRights(error)) throw error;
      results = batch.map(() => ({ error }));
    }
    if (voice.as === 'integration') return results;
    const refused = results.flatMap((one, index) => {
      const write = batch[index];
      return 'error' in one && write !== undefined && isAboutRights(one.error)
        ? [{ index, write, error: one.error }]
        : [];
    });
    if (refused.length === 0) return results;
    for (const { write, error } of refused) {
      // Gone, or only out of this agent's sight (somebody else owns it now): whoever sees more decides. No lack of theirs.
      if (refusalBehind(error)?.code === unseen) continue;
      // An update refused says nothing of the next call: that one record may be locked to the agent, or owned by somebody else.
      const isLasting = write.logId === null || error.code === 'crm.not-authentic';
      agents.spokenFor(write.agent, error, isLasting ? 'calls' : 'a call');
      if (!isLasting) continue;
      if (speechless.size >= speechlessKept) speechless.clear();
      speechless.set(write.agent.crmUserId, Date.now() + speechlessForMs);
    }
    const written = await writeGroup(
      agents.integration,
      refused.map(({ write }) => write),
      users,
    );
    const instead = new Map(refused.map(({ index }, at) => [index, written[at]]));
    return results.map((one, index) => instead.get(index) ?? one);
  }

  async function writeLogs(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]> {
    const results: LogWritten[] = batch.map(({ logId }) => ({
      error: logId === null || isSalesforceId(logId) ? unanswered(creating) : notAnId(logId),
    }));
    const good = batch.flatMap((write, index) =>
      write.logId === null || isSalesforceId(write.logId) ? [{ write, index }] : [],
    );
    if (good.length === 0) return results;
    const users = await usersOf(good.map(({ write }) => write));
    const voices = await voicesOf(good.map(({ write }) => write));
    const groups = new Map<Voice, typeof good>();
    good.forEach((one, at) => {
      const voice = voices[at];
      if (voice instanceof PatchcordError) results[one.index] = { error: voice };
      else if (voice !== undefined) groups.set(voice, [...(groups.get(voice) ?? []), one]);
    });
    // What is true of a whole group is thrown when nothing else is known: the caller then tries each log for itself.
    const thrown: PatchcordError[] = [];
    await Promise.all(
      [...groups].map(async ([voice, group]) => {
        try {
          const written = await writeGroup(
            voice,
            group.map(({ write }) => write),
            users,
          );
          group.forEach(({ index }, at) => {
            results[index] = written[at] ?? { error: unanswered(creating) };
          });
        } catch (error) {
          if (!(error instanceof PatchcordError)) throw error;
          thrown.push(error);
          for (const { index } of group) results[index] = { error };
        }
      }),
    );
    const [first] = thrown;
    if (first !== undefined && thrown.length === groups.size && good.length === batch.length) throw first;
    return results;
  }

  /** Who the agents are; where the integration user may not read users, everything of theirs is guessed from the relay's configuration. */
  async function usersOf(batch: readonly LogToWrite[]): Promise<Users> {
    try {
      return await agents.usersOf(batch.map(({ agent }) => agent.crmUserId));
    } catch (error) {
      if (error instanceof PatchcordError && refusalBehind(error) !== null && error.code === 'crm.invalid') return null;
      throw error;
    }
  }

  return {
    writeLogs,
    async writeLog(log, agent, logId) {
      const [written] = await writeLogs([{ log, agent, logId }]);
      if (written === undefined) throw unanswered(creating);
      if ('error' in written) throw written.error;
      return written.logId;
    },
  };
}

function notAnId(logId: string): PatchcordError {
  return new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a Salesforce id.`);
}
