/** What is left to do once a call is over, for tenants that want it. Owns the ids of these effects; must never do them. */
import { createHash } from 'node:crypto';
import type { CallId, TenantId } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';
import type { NewEffect } from '../store/contract.ts';
import { promptVersion } from './summary-prompt.ts';

/** Rules that ask for what was not said, and the summary: due when the last lines had time to come. */
export function afterCallEffects(config: TenantConfig, callId: CallId, now: number): readonly NewEffect[] {
  const tenant = config.id as TenantId;
  const dueAt = now + config.transcripts.settleMs;
  const rest = { tenant, callId, payload: {}, dueAt, orderKey: null } as const;
  const awaits = config.spotting.rules.some(({ tell }) => tell === 'not-said');
  const { summary } = config;
  return [
    ...(awaits ? [{ ...rest, id: `call.phrases ${callId}`, kind: 'call.phrases' } as const] : []),
    ...(summary === undefined || !config.transcripts.keep
      ? []
      : [{ ...rest, id: `call.summary ${callId} ${summaryMark(summary.model)}`, kind: 'call.summary' } as const]),
  ];
}

/** The same for the same model and prompt: one call is summed up by them once. */
export function summaryMark(model: string): string {
  const digest = createHash('sha256').update(`${promptVersion} ${model}`).digest('base64url').slice(0, 16);
  return `summary-${digest}`;
}
