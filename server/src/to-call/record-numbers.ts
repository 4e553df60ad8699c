/**
 * Which number of a record is called. Owns that it is one the record has, and one the agent may call. Must never dial.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import { judge, refusals } from '../brakes/destinations.ts';
import { rulesOf } from '../brakes/rules.ts';
import type { AgentConfig } from '../config.ts';
import type { Tenant } from '../tenants.ts';

/** A number of a record, with what the CRM calls it. */
export interface RecordNumber {
  readonly number: string;
  readonly label: string;
}

/** The numbers on a record, the best first; empty where the CRM can't say. @throws PatchcordError `crm.*` */
export async function recordNumbers(
  { crm }: Tenant,
  record: RecordRef,
  options: { readonly urgent?: boolean } = {},
): Promise<readonly RecordNumber[]> {
  return (await crm.numbersOf?.(record, options)) ?? [];
}

/** Whether two writings are one number. */
export function isSameNumber(one: string, other: string, country: string): boolean {
  const [a, b] = [toE164(one, country), toE164(other, country)];
  if (a !== null && b !== null) return a === b;
  const digits = (text: string): string => text.replace(/[^\d*#+]/g, '');
  return digits(one) !== '' && digits(one) === digits(other);
}

/** @throws PatchcordError `call.not-allowed` for a number that the agent may not call; the phone and the edge decide again */
export function mustBeAllowed({ config }: Tenant, agent: AgentConfig, number: string): void {
  const { destinations } = rulesOf(config).of(agent);
  const verdict = judge(destinations, toE164(number, config.country) ?? number);
  if (verdict.kind !== 'refused') return;
  throw new PatchcordError(
    'number.invalid',
    `This number can't be called: ${refusals[verdict.why]}. An administrator decides what may be called ("brakes").`,
  );
}
