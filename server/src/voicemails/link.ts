/**
 * Links that play a voicemail for some minutes, without a session: an `<audio>` element sends none. Owns what a link says (sealed, so that nobody
 * makes one or reads whose it is) and that it ends. Must never say why a link does not open.
 */
import { PatchcordError, type TenantId, type VoicemailAudio } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { RecordingSettings } from '../config/recordings.ts';
import type { StoredVoicemail } from '../store/contract.ts';
import type { Vault } from '../vault.ts';
import type { Voicemails } from './voicemails.ts';

const purpose = 'voicemail link';
const longestToken = 1_000;

const TokenSchema = v.strictObject({ tenant: v.string(), id: v.string(), expiresAt: v.number(), by: v.string() });

interface LinkParts {
  readonly voicemails: Pick<Voicemails, 'byId'>;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly config: { readonly recordings: RecordingSettings };
  readonly publicUrl: () => string;
  readonly now: () => number;
}

/**
 * A link to a message. Who may have it is for the caller to know.
 * @param by Who asks, for the audit: `agent:<id>`
 * @throws PatchcordError `config.invalid` when the relay has no encryption key
 */
export function voicemailLink(
  parts: LinkParts,
  { tenant, id, durationMs }: StoredVoicemail,
  by: string,
): VoicemailAudio {
  const expiresAt = parts.now() + parts.config.recordings.linkMinutes * 60_000;
  const token = parts.vault.seal(purpose, JSON.stringify({ tenant, id, expiresAt, by }));
  return { url: `${parts.publicUrl()}/v1/voicemail-files/${token}`, durationMs, expiresAt };
}

/**
 * What a link opens, and for whom.
 * @throws PatchcordError `identity.refused` for a link that was made up, changed or has ended, or whose message is gone
 */
export async function followVoicemailLink(
  parts: LinkParts,
  token: string,
): Promise<{ readonly voicemail: StoredVoicemail; readonly by: string; readonly expiresAt: number }> {
  const said = readToken(parts, token);
  const known = said !== null && said.expiresAt > parts.now();
  const voicemail = known ? await parts.voicemails.byId(said.tenant as TenantId, said.id) : null;
  if (said === null || voicemail === null) {
    throw new PatchcordError(
      'identity.refused',
      'This link opens nothing (any more): it ends after some minutes. Open the message again in the phone.',
    );
  }
  return { voicemail, by: said.by, expiresAt: said.expiresAt };
}

function readToken({ vault }: LinkParts, token: string): v.InferOutput<typeof TokenSchema> | null {
  if (token.length > longestToken) return null;
  try {
    return v.parse(TokenSchema, JSON.parse(vault.open(purpose, token)));
  } catch {
    return null;
  }
}
