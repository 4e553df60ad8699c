/**
 * Owns the words of a call on our own record beside its Task, one line for each thing said, as the package's components read them (README.md,
 * "Writing"). Must never write over words that are there: a person may have mended them.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CrmRelay, SpokenLine } from '../relay-contract.ts';
import type { Agents } from './agents.ts';
import { text } from './composite.ts';
import { callObjectNames, keyOf, queries } from './log-requests.ts';
import { isSalesforceId } from './task.ts';

/** What the field holds, characters. */
const longest = 131_072;
const cutOff = '…';

type WriteTranscript = NonNullable<CrmRelay['writeTranscript']>;

/** @param prefix the package's namespace with its underscores, or nothing */
export function transcriptWriter(agents: Pick<Agents, 'integration' | 'tell'>, prefix: string): WriteTranscript {
  const names = callObjectNames(prefix);
  const field = `${prefix}Transcript__c`;
  return async (logId, lines, { answeredMs }) => {
    if (!isSalesforceId(logId))
      throw new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a Salesforce id.`);
    const { connection, org } = agents.integration;
    const described = await org.describe(names.object);
    if (described?.get(field)?.updateable !== true) {
      agents.tell(
        `The words of calls are not written: this org has no ${names.object}.${field}, or does not let the integration user write it. Deploy Patchcord's metadata again and assign its permission sets.`,
      );
      return '';
    }
    const [rows = []] = await queries(
      connection,
      [`SELECT Id,${field},${names.task} FROM ${names.object} WHERE ${names.task} = '${logId}'`],
      'to read the logged call',
    );
    // Salesforce compares ids in a text without case.
    const call = rows.find((row) => keyOf(text(row[names.task])) === keyOf(logId));
    if (call === undefined)
      throw new PatchcordError(
        'crm.not-found',
        'The record of this call is gone from Salesforce. Its words stay here.',
      );
    const id = text(call.Id);
    if (text(call[field]) !== '') return id;
    const words = { [field]: transcriptText(lines, answeredMs) };
    await connection.request('PATCH', `/sobjects/${names.object}/${id}`, words, 'to write the words of the call');
    return id;
  };
}

/**
 * `[1:02] Robin Avery: words`, from the answer, as its recording is; whole lines, as many as the field holds.
 * @param answeredMs from the start of the call to its answer
 */
export function transcriptText(lines: readonly SpokenLine[], answeredMs: number): string {
  let whole = '';
  for (const { speakerName, text: said, startMs } of lines) {
    const words = said.replaceAll(/\s+/g, ' ').trim();
    if (words === '') continue;
    // A colon or bracket in a name would end it for whoever reads the line.
    const name = speakerName
      .replaceAll(/[:[\]\s]+/g, ' ')
      .trim()
      .slice(0, 60);
    const line = `[${clock(startMs - answeredMs)}] ${name}: ${words}\n`;
    if (whole.length + line.length > longest - cutOff.length) return `${whole}${cutOff}`;
    whole += line;
  }
  return whole.trimEnd();
}

function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
