/** `GET /v1/calls`: the agent's own history, newest first, each with what became of its log. */
import type { CallSummary } from '@patchcord/call-protocol';
import { Router } from 'express';
import { isReportedCall } from '../call-log/call-report.ts';
import type { StoredCall } from '../store/contract.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

const mostCalls = 200;

export function callRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/calls',
    withSession(parts, async (session, request, response) => {
      const asked = Number(request.query.limit ?? 50);
      const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, mostCalls) : 50;
      const calls = await parts.store.calls.history(session.tenant, session.agent, limit);
      const shown = calls.filter(isOwnEntry).flatMap(toSummary);
      const ids = shown.map(({ callId }) => callId);
      const [recordings, unfinished] = await Promise.all([
        parts.store.recordings.ofCalls(session.tenant, ids),
        parts.store.recordingParts.ofCalls(session.tenant, ids),
      ]);
      const states = new Map<string, 'making' | 'ready' | null>(unfinished.map(({ callId }) => [callId, 'making']));
      for (const { callId, deletedAt } of recordings) states.set(callId, deletedAt === null ? 'ready' : null);
      const withSound = shown.map((call): CallSummary => {
        const recording = states.get(call.callId) ?? null;
        return recording === null ? call : { ...call, recording };
      });
      response.json({ calls: withSound });
    }),
  );
}

/** What a phone system reported of a call that a phone tells is no entry of its own. */
export function isOwnEntry({ callId, log }: StoredCall): boolean {
  return !isReportedCall(callId) || log === null || log.joinedWith === null;
}

/** A call as its agent sees it; none while nobody said who called whom. */
export function toSummary({ log, logState, logReason }: StoredCall): CallSummary[] {
  if (log === null) return [];
  const { callId, direction, farSide, startedAt, talkMs, outcome, record, disposition } = log;
  return [
    {
      callId,
      direction,
      farSide,
      startedAt,
      talkMs,
      outcome,
      record,
      disposition,
      log: logState,
      ...(logReason === null ? {} : { logReason }),
    },
  ];
}
