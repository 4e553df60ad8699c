/**
 * The words of calls whose customer keeps them ("transcripts.keep"): final lines alone, without card numbers, for as long as their call is kept.
 * Owns which lines are kept, and how they read. Must never keep a word for a customer who did not ask for it.
 */
import type { AgentId, CallId, CallLog, TenantId, TranscriptLine } from '@patchcord/call-protocol';
import type { SpokenLine } from '@patchcord/crm-adapters/relay';
import type { Log } from '../logging.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';

/** Of each speaker: ten hours of talk. One call must not fill the disk. */
const mostLines = 5_000;
const dayMs = 86_400_000;
const atOnce = 500;

interface KeptParts {
  readonly store: Pick<Store, 'calls' | 'transcripts'>;
  readonly tenants: Pick<Tenants, 'agent'>;
}

/** Keeps a line that is final. Never rejects: who is told of it live hears it all the same. */
export async function keepLine(
  parts: { readonly store: Pick<Store, 'transcripts'>; readonly log: Log; readonly now: () => number },
  tenant: TenantId,
  callId: CallId,
  line: TranscriptLine,
): Promise<void> {
  // A line without a word is a pause that somebody transcribed; HubSpot refuses it. A gap says so.
  if (!line.final || line.line >= mostLines || (line.text.trim() === '' && line.gap === undefined)) return;
  try {
    await parts.store.transcripts.keep({ tenant, callId, line, at: parts.now() });
  } catch (error) {
    parts.log.error({ err: error, tenant, callId }, 'a line of a transcript could not be kept');
  }
}

/** What was said in a tenant's call, by time; null when nothing was kept of it. Who may read it is for the caller to know. */
export async function transcriptOf(
  { store, tenants }: KeptParts,
  tenant: TenantId,
  callId: CallId,
): Promise<readonly SpokenLine[] | null> {
  const [lines, found] = await Promise.all([store.transcripts.of(tenant, callId), store.calls.readCalls([callId])]);
  const call = found.get(callId)?.call;
  if (lines.every(({ gap }) => gap !== undefined) || call === undefined || call.tenant !== tenant || call.log === null)
    return null;
  return spokenLines(call.log, nameOf(tenants, tenant, call.agent), lines);
}

/** From the start of a call to its answer. */
export function rangMs({ startedAt, answeredAt }: Pick<CallLog, 'startedAt' | 'answeredAt'>): number {
  return Math.max(0, (answeredAt ?? startedAt) - startedAt);
}

/** Lines as a CRM takes them: with names, and from the start of the call where they came from its answer. Nobody said a gap. */
export function spokenLines(
  log: Pick<CallLog, 'farSide' | 'record' | 'startedAt' | 'answeredAt'>,
  agentName: string,
  lines: readonly TranscriptLine[],
): readonly SpokenLine[] {
  const beforeMs = rangMs(log);
  const names = { agent: agentName, 'far-side': log.farSide.name ?? log.record?.name ?? log.farSide.number } as const;
  const said = lines.filter(({ gap }) => gap === undefined);
  return said.map(({ speaker, text, startMs, endMs }) => ({
    speaker,
    speakerName: names[speaker] || 'Unknown',
    text,
    startMs: Math.round(beforeMs + startMs),
    endMs: Math.round(beforeMs + Math.max(startMs, endMs)),
  }));
}

/** Forgets lines of calls that never came to be known, once they are as old as a call may become; those of a call go with it. */
export async function forgetLooseLines(
  { store }: Pick<KeptParts, 'store'>,
  callDays: number,
  now: number,
): Promise<number> {
  let gone = 0;
  for (;;) {
    const some = await store.transcripts.forgetLoose(now - callDays * dayMs, atOnce);
    gone += some;
    if (some < atOnce) return gone;
  }
}

function nameOf(tenants: Pick<Tenants, 'agent'>, tenant: TenantId, agent: AgentId): string {
  return tenants.agent(tenant, agent)?.agent.name ?? agent;
}
