/**
 * Owns writing the logs of one user: first writes, later ones, and sending each again without the part that was refused until it stands or
 * nothing more can be left out. In whose name stands in log-writer.ts. Must never write a field that a person edited, and never write twice:
 * the unique key decides, not a search.
 */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import type { LogToWrite, LogWritten } from '../relay-contract.ts';
import { short, type Voice } from './agents.ts';
import { firstFailure, idOf, type SubAnswer, type SubRefusal, type SubRequest, text } from './composite.ts';
import { type Composed, compose, type Draft, draftOf, linksIn, mended, neededFields, unowned } from './log-draft.ts';
import { type Frames, missingObject, type Users } from './log-frame.ts';
import { type CallObjectNames, changes, creation, keyOf, readLogged, transact } from './log-requests.ts';
import { blamedFields, fromRefusal, refusalBehind, unseen } from './refusals.ts';
import { isSalesforceId } from './task.ts';

/** How often one log is sent again without what was refused of it. */
const mostRounds = 10;

export const creating = 'to log the call';
const reading = 'to read the logged call';
const updating = 'to update the logged call';

/** Writes logs of agents who all speak with one voice. What it throws is true of every one of them. */
export async function writeAs(
  voice: Voice,
  batch: readonly LogToWrite[],
  users: Users,
  { frames, names, prefix }: { readonly frames: Frames; readonly names: CallObjectNames; readonly prefix: string },
): Promise<readonly LogWritten[]> {
  const frame = await frames.frameFor(voice, batch, users);
  const drafts: Draft[] = batch.map((write) => {
    const draft = draftOf(write);
    // One whom the integration user does not see may be a user all the same: Salesforce says so when they are none.
    return users?.get(short(write.agent.crmUserId))?.isActive === false
      ? unowned(draft, 'is not active in Salesforce')
      : draft;
  });
  const results: (LogWritten | null)[] = batch.map(() => null);
  const draftAt = (index: number): Draft => drafts[index] as Draft;

  /**
   * Sends each log's transaction until it is written or nothing more can be left out of it.
   * @param prepare the requests of one log; none: there is nothing to write
   * @param conclude reads what came of it; null: this refusal is not the last word
   */
  async function inRounds(
    indexes: readonly number[],
    doing: string,
    prepare: (index: number) => { readonly requests: readonly SubRequest[]; readonly sent: Composed },
    conclude: (index: number, answers: readonly SubAnswer[], failure: SubRefusal | null) => LogWritten | 'later' | null,
  ): Promise<void> {
    let waiting = indexes;
    for (let round = 1; waiting.length > 0; round += 1) {
      const prepared = new Map(waiting.map((index) => [index, prepare(index)]));
      let answers: ReadonlyMap<number, readonly SubAnswer[]>;
      try {
        answers = await transact(
          voice.connection,
          new Map([...prepared].flatMap(([index, { requests }]) => (requests.length > 0 ? [[index, requests]] : []))),
          doing,
        );
      } catch (error) {
        if (!(error instanceof PatchcordError) || results.every((one) => one === null)) throw error;
        for (const index of waiting) results[index] = { error };
        return;
      }
      const next: number[] = [];
      for (const [index, { requests, sent }] of prepared) {
        const answer = answers.get(index);
        if (requests.length > 0 && answer === undefined) {
          results[index] = { error: unanswered(doing) };
          continue;
        }
        const failure = requests.length === 0 ? null : firstFailure(answer ?? []);
        try {
          const concluded = conclude(index, answer ?? [], failure);
          if (concluded === 'later') continue;
          if (concluded !== null) {
            results[index] = concluded;
            continue;
          }
        } catch (error) {
          if (!(error instanceof PatchcordError)) throw error;
          results[index] = { error };
          continue;
        }
        if (failure === null) continue;
        const better = round < mostRounds ? mended(draftAt(index), failure, sent, frame) : null;
        if (better === null) results[index] = { error: refusedFor(failure, draftAt(index).log, doing) };
        else {
          drafts[index] = better.draft;
          frames.close(voice, better.part, better.closed);
          next.push(index);
        }
      }
      waiting = next;
    }
  }

  const fresh = batch.flatMap(({ logId }, index) => (logId === null ? [index] : []));
  const before = new Set<number>();
  await inRounds(
    fresh,
    creating,
    (index) => {
      const draft = draftAt(index);
      const sent = compose(draft, frame);
      const hasSubtype = !draft.without.has('task.TaskSubtype') && !frame.isClosed('task', 'TaskSubtype');
      return { requests: creation(draft.log, sent, names, hasSubtype), sent };
    },
    (index, answers, failure) => {
      if (failure === null)
        return {
          logId: idOf(
            answers.find((one) => one.referenceId === 'task'),
            creating,
          ),
        };
      if (failure.referenceId === 'marker' && failure.code === 'DUPLICATE_VALUE') {
        before.add(index);
        return 'later';
      }
      if (failure.referenceId === 'marker' && (failure.code === 'INVALID_TYPE' || failure.code === 'NOT_FOUND'))
        throw missingObject(names.object);
      return null;
    },
  );

  const known = batch.flatMap(({ logId }, index) => (logId !== null || before.has(index) ? [index] : []));
  if (known.length > 0) {
    try {
      await update(known);
    } catch (error) {
      // What was created above is known all the same.
      if (!(error instanceof PatchcordError) || results.every((one) => one === null)) throw error;
      for (const index of known) results[index] ??= { error };
    }
  }

  /** Brings existing Tasks up to date; leaves what a person edited, and leaves a deleted Task deleted. */
  async function update(indexes: readonly number[]): Promise<void> {
    const logged = await readAll(indexes);
    const taskIdOf = (index: number): string =>
      draftAt(index).logId ?? text(logged.markers.get(keyOf(draftAt(index).log.callId))?.[0]?.[names.task]);
    const toWrite = indexes.filter((index) => {
      const markers = logged.markers.get(keyOf(draftAt(index).log.callId)) ?? [];
      const taskId = taskIdOf(index);
      if (markers.length > 1)
        results[index] = { error: fromRefusal({ code: 'MULTIPLE_CHOICES', message: '', status: 300 }, updating) };
      else if (voice.as === 'agent' && (markers.length === 0 || !logged.tasks.has(keyOf(taskId))))
        results[index] = { error: fromRefusal({ code: unseen, message: '', status: 404 }, updating) };
      else if (!isSalesforceId(taskId)) results[index] = { error: withoutTask() };
      // A Task that is gone was deleted by a person: it stays deleted.
      else if (!logged.tasks.has(keyOf(taskId))) results[index] = { logId: taskId };
      else return true;
      return false;
    });
    const linking = new Set<number>();
    await inRounds(
      toWrite,
      updating,
      (index) => {
        const draft = draftAt(index);
        const marker = logged.markers.get(keyOf(draft.log.callId))?.[0] ?? null;
        const taskId = taskIdOf(index);
        const prepared = changes(compose(draft, frame), marker, logged.tasks.get(keyOf(taskId)) ?? {}, taskId, names);
        if (linksIn(prepared.sent, prefix)) linking.add(index);
        else linking.delete(index);
        return prepared;
      },
      (index, _answers, failure) => {
        // Deleted by a person meanwhile: it stays deleted. With links in it, the deleted record may be one of those.
        const isGone = failure?.code === 'ENTITY_IS_DELETED' && !linking.has(index);
        return failure === null || isGone ? { logId: taskIdOf(index) } : null;
      },
    );
  }

  /** Reads without a field that turns out to be hidden from this user. */
  async function readAll(indexes: readonly number[]): ReturnType<typeof readLogged> {
    for (let round = 1; ; round += 1) {
      const composed = indexes.map((index) => compose(draftAt(index), frame));
      const columns = {
        task: [...new Set(composed.flatMap(({ task }) => Object.keys(task)))],
        call: [...new Set(composed.flatMap(({ call }) => Object.keys(call)))],
      };
      const logs = indexes.map((index) => ({ callId: draftAt(index).log.callId, logId: draftAt(index).logId }));
      try {
        return await readLogged(voice.connection, logs, columns, names, reading);
      } catch (error) {
        const refusal = refusalBehind(error);
        const hidden = refusal?.code === 'INVALID_FIELD' && round < mostRounds ? blamedFields(refusal) : [];
        const parts = (['call', 'task'] as const).filter((part) =>
          hidden.some((name) => columns[part].includes(name) && !neededFields(prefix)[part].includes(name)),
        );
        const part = parts[0];
        if (part === undefined) throw error;
        frames.close(voice, part, hidden);
      }
    }
  }

  return results.map((result) => result ?? { error: unanswered(creating) });
}

function refusedFor(failure: SubRefusal, log: CallLog, doing: string): PatchcordError {
  return fromRefusal(failure, doing, Date.now() - (log.endedAt ?? log.startedAt));
}

function withoutTask(): PatchcordError {
  return new PatchcordError('crm.unavailable', 'Salesforce knows this call but not yet its Task. It is tried again.', {
    retryable: true,
    retryAfterMs: 1_000,
  });
}

/** Salesforce said nothing of this log. */
export function unanswered(doing: string): PatchcordError {
  return new PatchcordError('crm.unavailable', `Salesforce did not answer ${doing}. It is tried again.`, {
    retryable: true,
  });
}
