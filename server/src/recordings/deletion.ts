/**
 * A recording that somebody has deleted: gone at once, with its key, and proven. Owns what must be so before, and what the audit keeps: who, when,
 * why, and the digest of what there was. Must never delete what a legal hold keeps, nor say less than happened.
 */
import { type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { mentionsOf, withoutPerson } from '../keeping/person.ts';
import type { Store } from '../store/contract.ts';
import type { Assembly } from './assembly.ts';
import type { Recordings } from './recordings.ts';

interface DeletionParts {
  readonly store: Pick<Store, 'calls'>;
  readonly recordings: Recordings;
  readonly assembly: Assembly;
  readonly now: () => number;
}

interface DeletedRecording {
  readonly callId: CallId;
  /** SHA-256 of the file that was kept, base64url. */
  readonly digest: string;
  /** Epoch ms. */
  readonly deletedAt: number;
}

/**
 * Deletes the recording of a call. One that is still in parts is made first, so that its digest can be told.
 * @param by Who asks, and why; a number of the call in it is taken out
 * @throws PatchcordError `call.unknown`: none, or the call is under way; `recording.held`; `recording.deleted`: it was before; `store.unavailable`
 */
export async function deleteRecording(
  { store, recordings, assembly, now }: DeletionParts,
  tenant: TenantId,
  callId: CallId,
  by: { readonly actor: string; readonly reason: string },
): Promise<DeletedRecording> {
  const call = (await store.calls.readCalls([callId])).get(callId)?.call;
  if (call === undefined || call.tenant !== tenant) throw none();
  const isUnfinished = (await recordings.unfinished.of(tenant, callId)).length > 0;
  if (isUnfinished && (call.log === null || call.log.stage === 'live'))
    throw new PatchcordError('call.unknown', 'The call is under way. Stop its recording; delete it when it is over.');
  if (isUnfinished) await assembly.finish(call);
  const recording = await recordings.findEvenDeleted(tenant, callId);
  if (recording === null) throw none();
  if (recording.deletedAt !== null) throw deletedBefore(recording.deletedAt);
  if (await recordings.isHeld(recording))
    throw new PatchcordError('recording.held', 'A legal hold keeps this recording. Release the hold first.');
  const at = now();
  const { digest, durationMs, storedAt } = recording;
  const number = call.log?.farSide.e164 ?? null;
  const reason = number === null ? by.reason : withoutPerson(by.reason, mentionsOf(number));
  const isDone = await recordings.delete(recording, {
    tenant,
    actor: by.actor,
    act: 'recording.deleted',
    subject: `call:${recording.callId}`,
    data: { reason, digest, durationMs, storedAt },
    at,
  });
  if (!isDone) throw deletedBefore(at);
  return { callId: recording.callId, digest, deletedAt: at };
}

/** What whoever asks for it is told. */
export function deletedBefore(at: number): PatchcordError {
  return new PatchcordError(
    'recording.deleted',
    `There was a recording of this call. It was deleted on request on ${new Date(at).toISOString().slice(0, 10)}.`,
  );
}

function none(): PatchcordError {
  return new PatchcordError('call.unknown', 'There is no recording of such a call.');
}
