/**
 * What a player asks: `GET /v1/calls/<call id>/recording` gives a link, how long and how loud the recording is, and where it was paused; `GET
 * /v1/calls/<call id>/transcript` the words that were kept. Owns who may listen: the agent of the call, supervisors and administrators.
 */
import { CallIdSchema, type CallLog, type Listening, PatchcordError, type SpokenWords } from '@patchcord/call-protocol';
import { type Response, Router } from 'express';
import * as v from 'valibot';
import type { SessionOwner } from '../identity/sessions.ts';
import { deletedBefore } from '../recordings/deletion.ts';
import { recordingLink } from '../recordings/link.ts';
import type { StoredCall, StoredRecording } from '../store/contract.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

type Ready = Extract<Listening, { readonly state: 'ready' }>;

export function listeningRoutes(parts: RelayParts): Router {
  return Router()
    .get(
      '/v1/calls/:id/recording',
      withSession(parts, async (session, request, response) => {
        const call = await callFor(parts, session, request.params.id);
        const link = await recordingLink(parts, call.tenant, call.callId, { by: `agent:${session.agent}` });
        if (link === null) {
          await otherwise(parts, call, response);
          return;
        }
        const recording = await parts.recordings.find(call.tenant, call.callId);
        const { agent, log } = call;
        const ready: Ready = {
          state: 'ready',
          ...link,
          speakers: link.channels === 1 || log === null ? [] : speakersOf(log),
          peaks: recording === null ? null : await peaksOf(parts, recording),
          pauses: recording?.madeBy === 'relay' && log !== null ? pausesOf(log, link.durationMs) : [],
          call: {
            agent: parts.tenants.agent(call.tenant, agent)?.agent.name ?? agent,
            farSide: log?.farSide.name ?? log?.record?.name ?? log?.farSide.number ?? '',
            startedAt: log?.startedAt ?? 0,
          },
        };
        response.json(ready);
      }),
    )
    .get(
      '/v1/calls/:id/transcript',
      withSession(parts, async (session, request, response) => {
        const { tenant, callId } = await callFor(parts, session, request.params.id);
        const lines = await parts.store.transcripts.of(tenant, callId);
        const words: SpokenWords = {
          lines: lines
            .filter(({ gap, text }) => gap === undefined && text !== '')
            .map(({ speaker, text, startMs, endMs }) => ({ speaker, text, startMs, endMs: Math.max(startMs, endMs) }))
            .sort((one, other) => one.startMs - other.startMs),
        };
        response.json(words);
      }),
    );
}

/** @throws PatchcordError `call.unknown`: there is none, or not for this person; nobody is told which */
async function callFor(parts: RelayParts, session: SessionOwner, id: unknown): Promise<StoredCall> {
  const callId = v.safeParse(CallIdSchema, id);
  const call = callId.success
    ? (await parts.store.calls.readCalls([callId.output])).get(callId.output)?.call
    : undefined;
  if (
    call === undefined ||
    call.tenant !== session.tenant ||
    (call.agent !== session.agent && session.role === 'agent')
  )
    throw unknown();
  return call;
}

/** There is no link: it is being made, it was deleted, or there is none. */
async function otherwise(parts: RelayParts, { tenant, callId }: StoredCall, response: Response): Promise<void> {
  const deleted = await parts.recordings.findEvenDeleted(tenant, callId);
  if (deleted?.deletedAt != null) throw deletedBefore(deleted.deletedAt);
  if ((await parts.recordings.unfinished.of(tenant, callId)).length === 0) throw unknown();
  const making: Listening = { state: 'making' };
  response.status(202).json(making);
}

function unknown(): PatchcordError {
  return new PatchcordError('call.unknown', 'There is no recording of such a call that you may hear.');
}

/** The caller is on the first channel. */
function speakersOf({ direction }: CallLog): Ready['speakers'] {
  return direction === 'outbound' ? ['agent', 'far-side'] : ['far-side', 'agent'];
}

/** What lies between two stretches that were kept; what comes before the first and after the last was not recorded either. */
function pausesOf({ recording }: CallLog, durationMs: number): Ready['pauses'] {
  const pauses: { startMs: number; endMs: number }[] = [];
  let fromMs = 0;
  for (const { startMs, endMs } of recording?.kept ?? []) {
    if (startMs > fromMs) pauses.push({ startMs: fromMs, endMs: Math.min(startMs, durationMs) });
    fromMs = Math.max(fromMs, endMs ?? durationMs);
  }
  if (pauses.length + fromMs > 0 && fromMs < durationMs) pauses.push({ startMs: fromMs, endMs: durationMs });
  return pauses.filter(({ startMs, endMs }) => endMs > startMs);
}

/** Also where they can't be read: whoever listens can do without. */
async function peaksOf(parts: RelayParts, recording: StoredRecording): Promise<Ready['peaks']> {
  try {
    const opened = await parts.recordings.open(recording);
    try {
      const peaks = await opened.peaks();
      return peaks?.map((channel) => [...channel]) ?? null;
    } finally {
      await opened.close();
    }
  } catch (error) {
    parts.log.warn({ err: error, callId: recording.callId }, 'how loud a recording is could not be read');
    return null;
  }
}
