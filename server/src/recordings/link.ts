/**
 * Links that open a recording for some minutes, without a session: for players, and for CRMs that fetch. Owns what a link says (sealed, so that
 * nobody makes one or reads whose it is) and that it ends. Must never say why a link does not open.
 */
import { createHash } from 'node:crypto';
import { type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { RecordingSettings } from '../config/recordings.ts';
import type { StoredRecording } from '../store/contract.ts';
import type { Vault } from '../vault.ts';
import { voicemailLink } from '../voicemails/link.ts';
import type { Voicemails } from '../voicemails/voicemails.ts';
import { deletedBefore } from './deletion.ts';
import type { Recordings } from './recordings.ts';

/** What answers it: a file to keep (what HubSpot asks for), or sound that a browser plays. */
export type LinkUse = 'download' | 'play';

export interface RecordingLink {
  readonly url: string;
  readonly durationMs: number;
  readonly channels: 1 | 2;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** What a link opens, and for whom. */
export interface FollowedLink {
  readonly recording: StoredRecording;
  readonly use: LinkUse;
  readonly by: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

const purpose = 'recording link';
const longestToken = 1_000;
/** Remembered at once: 1 MB. */
const mostUsedLinks = 10_000;

const TokenSchema = v.strictObject({
  tenant: v.string(),
  call: v.string(),
  expiresAt: v.number(),
  use: v.picklist(['download', 'play']),
  by: v.string(),
});

interface LinkParts {
  readonly recordings: Recordings;
  readonly voicemails: Pick<Voicemails, 'byId' | 'inCall'>;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly config: { readonly recordings: RecordingSettings };
  readonly publicUrl: () => string;
  readonly now: () => number;
}

/**
 * A link to the recording of a tenant's call, or to the message that its caller left; null when it has neither. Who may have it is for the caller to know.
 * @param options.by Who asks, for the audit: `agent:<id>`, `crm`
 * @throws PatchcordError `config.invalid` when the relay has no encryption key, `store.unavailable`
 */
export async function recordingLink(
  parts: LinkParts,
  tenant: TenantId,
  call: CallId,
  options: { readonly use?: LinkUse; readonly by?: string } = {},
): Promise<RecordingLink | null> {
  const recording = await parts.recordings.find(tenant, call);
  if (recording === null) {
    // What there is to hear of a call that nobody took.
    const message = await parts.voicemails.inCall(tenant, call);
    return message === null ? null : { ...voicemailLink(parts, message, options.by ?? 'crm'), channels: 1 };
  }
  const expiresAt = parts.now() + parts.config.recordings.linkMinutes * 60_000;
  const { use = 'play', by = 'crm' } = options;
  const token = parts.vault.seal(purpose, JSON.stringify({ tenant, call: recording.callId, expiresAt, use, by }));
  const { durationMs, channels } = recording;
  return { url: `${parts.publicUrl()}/v1/recording-files/${token}`, durationMs, channels, expiresAt };
}

/**
 * What a link opens.
 * @throws PatchcordError `identity.refused` for a link that was made up, changed or has ended, or whose recording is gone; `recording.deleted`
 */
export async function followLink(parts: LinkParts, token: string): Promise<FollowedLink> {
  const said = readToken(parts, token);
  const known = said !== null && said.expiresAt > parts.now();
  const recording = known ? await parts.recordings.findEvenDeleted(said.tenant as TenantId, said.call as CallId) : null;
  if (said === null || recording === null) {
    throw new PatchcordError(
      'identity.refused',
      'This link opens nothing (any more): it ends after some minutes. Open the recording again where you found it.',
    );
  }
  if (recording.deletedAt !== null) throw deletedBefore(recording.deletedAt);
  return { recording, use: said.use, by: said.by, expiresAt: said.expiresAt };
}

/** Which links were used. Owns that a use is noted before it is forgotten that there was one: rather twice than not at all. */
export class UsedLinks {
  /** Digest of a token → when its link ends, epoch ms. */
  readonly #ends = new Map<string, number>();

  /** Whether this is the first use of a link at this relay. */
  isFirst(token: string, expiresAt: number, now: number): boolean {
    const key = createHash('sha256').update(token).digest('base64url');
    if (this.#ends.has(key)) return false;
    if (this.#ends.size >= mostUsedLinks) {
      for (const [used, end] of this.#ends) if (end <= now) this.#ends.delete(used);
      const [oldest] = this.#ends.keys();
      if (this.#ends.size >= mostUsedLinks && oldest !== undefined) this.#ends.delete(oldest);
    }
    this.#ends.set(key, expiresAt);
    return true;
  }
}

function readToken({ vault }: LinkParts, token: string): v.InferOutput<typeof TokenSchema> | null {
  if (token.length > longestToken) return null;
  let text: string;
  try {
    text = vault.open(purpose, token);
  } catch {
    return null;
  }
  return v.parse(TokenSchema, JSON.parse(text));
}
