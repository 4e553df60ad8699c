/** What matches are worth: only records of the agent's CRM can be chosen (`later/ranked-matches.ts`), other names are merely known. */
import type { Match } from '@patchcord/call-protocol';

/** What is known from a directory or an enrichment is a name, and no record. */
export function isRecord({ source }: Match): boolean {
  return source === undefined || source === 'crm';
}
