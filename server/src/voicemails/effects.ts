/** What is left to do once a message is taken: writing it down, and its place in the log of a call. Owns the ids of these effects; must never do them. */
import type { TenantId } from '@patchcord/call-protocol';
import { transcriptionOf } from '../config/transcription.ts';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { NewEffect } from '../store/contract.ts';

/** Payload of `voicemail.log` and `voicemail.words`. */
export interface VoicemailPayload {
  readonly voicemail: string;
  /** What the phone system calls the conversation it was left in, where it says so. */
  readonly conversation?: string;
}

/** What a mailbox's messages are written down with; null: they are not. Of several owners the first who has transcription at all. */
export function wordsFor(
  tenant: TenantConfig,
  owners: readonly AgentConfig[],
): { readonly language: string; readonly vocabulary: readonly string[] } | null {
  if (tenant.transcription?.voicemails !== true) return null;
  return owners.map((owner) => transcriptionOf(tenant, owner)).find((settings) => settings !== null) ?? null;
}

/** @param now Epoch ms */
export function voicemailEffects(
  tenant: TenantId,
  payload: VoicemailPayload,
  writtenDown: boolean,
  now: number,
): readonly NewEffect[] {
  const rest = { tenant, callId: null, payload, dueAt: now, orderKey: null } as const;
  const { voicemail } = payload;
  return [
    { ...rest, id: `voicemail.log ${voicemail}`, kind: 'voicemail.log' },
    ...(writtenDown ? [{ ...rest, id: `voicemail.words ${voicemail}`, kind: 'voicemail.words' } as const] : []),
  ];
}
