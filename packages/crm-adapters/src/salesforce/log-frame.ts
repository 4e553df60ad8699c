/**
 * Owns what an org and the user who writes allow in a log: the fields there are, those closed to this user, the agents' own days, the contacts
 * behind person accounts. Must never write, and never leave a field out silently.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { LogToWrite } from '../relay-contract.ts';
import { type Agents, type OrgUser, short, type Voice } from './agents.ts';
import { text } from './composite.ts';
import { type Frame, neededFields, type Part } from './log-draft.ts';
import { type CallObjectNames, queries } from './log-requests.ts';
import type { DescribedObject } from './org.ts';
import { fromRefusal } from './refusals.ts';
import { callFields, isSalesforceId, optionalCallFields, taskFields } from './task.ts';

/** The agents as the org has them; null where the relay may not read that. */
export type Users = ReadonlyMap<string, OrgUser> | null;

/** How long a field that was refused to a user is left out before it is tried again. */
const closedForMs = 3_600_000;

export interface Frames {
  /** @throws PatchcordError `crm.*` when nothing can be logged in this org */
  frameFor(voice: Voice, batch: readonly LogToWrite[], users: Users): Promise<Frame>;
  /** A field that is closed to this user for every log: left out for a while, and said once. */
  close(voice: Voice, part: Part, fields: readonly string[]): void;
}

export function framesOf(options: {
  readonly agents: Agents;
  /** The package's namespace with its underscores, or nothing. */
  readonly prefix: string;
  readonly names: CallObjectNames;
  /** Where a call's day is counted for an agent whose zone the org does not tell. */
  readonly timeZone: string;
  /** What plays recordings; absent: logs carry no address. */
  readonly recordingPage?: string | undefined;
}): Frames {
  const { agents, prefix, names } = options;
  const { org } = agents.integration;
  const objectOf = (part: Part): string => (part === 'task' ? 'Task' : names.object);

  async function frameFor(voice: Voice, batch: readonly LogToWrite[], users: Users): Promise<Frame> {
    const [task, call, closedStatus, hasPersons] = await Promise.all([
      org.describe('Task'),
      org.describe(names.object),
      org.closedStatus(),
      batch.some(({ log }) => log.record?.object === 'Account') ? org.hasPersonAccounts() : false,
    ]);
    if (call === null) {
      org.forget(names.object);
      throw missingObject(names.object);
    }
    if (task === null) throw missingObject('Task');
    const lacking = neededFields(prefix).call.filter((name) => !call.has(name));
    if (lacking.length > 0) {
      org.forget(names.object);
      throw new PatchcordError(
        'crm.invalid',
        `The field ${lacking[0]} of ${names.object} is missing in this org, or hidden from the integration user. Deploy Patchcord's metadata again and assign its permission sets, then ask for this log again.`,
      );
    }
    const [some] = batch;
    if (some !== undefined) {
      const wording = { timeZone: 'UTC', closedStatus, hasCallType: false };
      tellMissing('Task', Object.keys(taskFields(some.log, some.agent, wording)), task);
      const ours = Object.keys(callFields(some.log, some.agent, prefix, wording));
      const expected = ours.filter((name) => !optionalCallFields.has(name.slice(prefix.length)));
      tellMissing(names.object, expected, call);
    }
    return {
      prefix,
      closedStatus,
      task,
      call,
      personContacts: hasPersons ? await personContactsOf(voice, batch) : new Map(),
      recordingPage: options.recordingPage,
      zoneOf: ({ agent }) => users?.get(short(agent.crmUserId))?.timeZone ?? options.timeZone,
      isClosed: (part, field) => (voice.closedFields.get(`${objectOf(part)}.${field}`) ?? 0) > Date.now(),
    };
  }

  /** Fields of ours that this org lacks (an older package) or closes: said once, and left out. */
  function tellMissing(object: string, wanted: readonly string[], described: DescribedObject): void {
    const lacking = wanted.filter((name) => described.get(name)?.createable !== true);
    if (lacking.length > 0)
      agents.tell(
        `Calls are logged without ${lacking.map((name) => `${object}.${name}`).join(', ')}: this org has no such field, or does not let the integration user write it. Deploy Patchcord's metadata again and assign its permission sets.`,
      );
  }

  /** A person account is a contact as well, and a Task takes a person only as such. */
  async function personContactsOf(voice: Voice, batch: readonly LogToWrite[]): Promise<ReadonlyMap<string, string>> {
    const ids = batch.flatMap(({ log }) =>
      log.record?.object === 'Account' && isSalesforceId(log.record.id) ? [`'${short(log.record.id)}'`] : [],
    );
    if (ids.length === 0) return new Map();
    const [rows = []] = await queries(
      voice.connection,
      [
        `SELECT Id, PersonContactId FROM Account WHERE IsPersonAccount = true AND Id IN (${[...new Set(ids)].join(',')})`,
      ],
      'to read the person accounts',
    );
    return new Map(
      rows.flatMap((row) =>
        isSalesforceId(text(row.PersonContactId)) ? [[short(text(row.Id)), text(row.PersonContactId)]] : [],
      ),
    );
  }

  function close(voice: Voice, part: Part, fields: readonly string[]): void {
    for (const field of fields) {
      const name = `${objectOf(part)}.${field}`;
      voice.closedFields.set(name, Date.now() + closedForMs);
      agents.tell(
        `Salesforce does not let ${voice.as === 'agent' ? 'agents' : 'the integration user'} write ${name}: calls are logged without it. Give Patchcord's permission set the right to edit this field.`,
      );
    }
  }

  return { frameFor, close };
}

/** The org has no such object, or the user may not see it. */
export function missingObject(object: string): PatchcordError {
  return fromRefusal(
    { code: 'INVALID_TYPE', message: '', status: 404 },
    `to log the call: the object ${object} is missing in this org, or may not be written`,
  );
}
