/**
 * Whether a number may be called: by the records that have it and by the tenant's own list. Owns the verdict and that it is there in time, whatever
 * the CRM and the store do. It advises the phone; what is let out is the edge's matter. Must never keep a number in the clear beside the list.
 */
import type { MayCall, TenantId } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { DoNotCallStore } from '../store/contract.ts';
import type { Tenant } from '../tenants.ts';
import type { MatchesInTime } from './matches-in-time.ts';
import type { NumberHashes } from './number-hash.ts';

/** An agent who pressed "call" waits this long at most. */
export const usualPatienceMs = 600;
const yes: MayCall = { verdict: 'yes', reason: '' };

export interface MayCallParts {
  readonly store: Pick<DoNotCallStore, 'find'>;
  readonly hashes: Pick<NumberHashes, 'of'>;
  readonly matches: Pick<MatchesInTime, 'within'>;
  readonly log: Log;
  /** How long may be waited for the CRM and the store, ms. */
  readonly withinMs: number;
}

/**
 * The verdict of a tenant's rule on a number as it is dialled. What is no telephone number (an extension, a feature code, an emergency call) may
 * always be called. Where nobody can say in time, a tenant that refuses asks the agent, and every other lets the call go. Never rejects.
 */
export async function mayCall(
  parts: MayCallParts,
  tenant: Tenant,
  agent: AgentConfig,
  dialled: string,
): Promise<MayCall> {
  const { config } = tenant;
  const { withinMs } = parts;
  const rule = config.features.doNotCall;
  const number = toE164(dialled, config.country);
  if (rule === 'off' || number === null) return yes;
  const verdict = rule === 'refuse' ? 'no' : 'ask';
  const [listed, matches] = await Promise.all([
    inTime(withinMs, listedAs(parts, config.id as TenantId, number), parts.log),
    crmKnows(config) ? parts.matches.within(withinMs, tenant, agent, number) : [],
  ]);
  const record = matches?.find(({ doNotCall }) => doNotCall === true)?.record;
  if (record !== undefined) {
    const reason = `${record.name ?? 'This person'} must not be called: the ${record.object.toLowerCase()} in the CRM says so.`;
    return { verdict, reason, record };
  }
  if (listed !== null && listed !== 'unknown') {
    const why = listed === '' ? '' : ` (${listed})`;
    return { verdict, reason: `This number is on your company’s list of numbers not to call${why}.` };
  }
  if (rule !== 'refuse' || (listed !== 'unknown' && matches !== null)) return yes;
  return {
    verdict: 'ask',
    reason: 'Whether this number may be called could not be checked in time. Look at the record before you call.',
  };
}

/** Whether the tenant's CRM has a field that says so. */
function crmKnows({ crm }: TenantConfig): boolean {
  return crm.kind !== 'hubspot' || crm.doNotCallProperty !== undefined;
}

/** Why the number is on the tenant's list; null when it is not. */
async function listedAs(
  { store, hashes }: MayCallParts,
  tenant: TenantId,
  number: Parameters<NumberHashes['of']>[1],
): Promise<string | null> {
  return (await store.find(tenant, await hashes.of(tenant, number)))?.reason ?? null;
}

async function inTime<T>(withinMs: number, asked: Promise<T>, log: Log): Promise<T | 'unknown'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'unknown'>((resolve) => {
    timer = setTimeout(() => resolve('unknown'), withinMs);
  });
  const answer = asked.catch((error: unknown) => {
    log.warn({ code: errorCode(error) }, 'the list of numbers not to call could not be asked');
    return 'unknown' as const;
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
