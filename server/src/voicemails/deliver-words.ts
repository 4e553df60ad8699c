/**
 * Has messages written down by the tenant's speech service: heard, redacted, kept with the message, told to whose mailbox it is. Owns when that is
 * given up. A repeat does nothing twice. Must never keep or log a word before it was redacted, nor send a message that its owner had deleted.
 */
import { errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { crmLogEffect } from '../call-log/effects.ts';
import type { TenantConfig } from '../config.ts';
import type { Delivered } from '../delivery/delivered.ts';
import { hearFile } from '../speech/adapters/segments.ts';
import { openSpeechService } from '../speech/services.ts';
import type { Heard, SpeechRequest, SpeechToText } from '../speech/speech-to-text.ts';
import type { LeasedEffect, Store, StoredVoicemail, WordsState } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { CallRedaction } from '../transcripts/redaction.ts';
import { type VoicemailPayload, wordsFor } from './effects.ts';
import { hearMessage, refuse } from './hear-message.ts';
import { speechSound } from './speech-sound.ts';
import { ownersOf, type Voicemails } from './voicemails.ts';

/** A service that was away this often, or for this long, is not asked for this message any more by itself. */
const mostAttempts = 12;
const triedForMs = 86_400_000;
const longestText = 32_000;

interface WordsParts {
  readonly store: Pick<Store, 'voicemails' | 'calls'>;
  readonly tenants: Pick<Tenants, 'find' | 'agent'>;
  readonly voicemails: Pick<Voicemails, 'open' | 'seal' | 'tellChanged'>;
  /** The service that a configuration names. */
  readonly speech?: (settings: NonNullable<TenantConfig['transcription']>['service']) => SpeechToText;
  readonly now: () => number;
}

/**
 * @param signal The relay stops: what is under way is begun again by whoever takes it next
 * @throws PatchcordError whose `retryable` and `retryAfterMs` say what to do; its message is for an administrator
 */
export async function deliverWords(effect: LeasedEffect, parts: WordsParts, signal: AbortSignal): Promise<Delivered> {
  const { store, tenants } = parts;
  const { voicemail: id } = effect.payload as VoicemailPayload;
  const message = await store.voicemails.find(effect.tenant, id);
  const config = tenants.find(effect.tenant)?.config;
  if (message === null || config === undefined || message.wordsState === null) return {};
  if (message.wordsState === 'ready' || message.wordsState === 'none') return {};
  const request = wordsFor(config, ownersOf(config, message.mailbox));
  // Switched off since, or deleted meanwhile: nothing of it leaves the relay.
  if (request === null || message.deletedAt !== null) {
    await end(parts, config, message, null, null);
    return {};
  }
  try {
    const text = redacted(await hear(config, message, request, parts, signal), request.language, config);
    if (text === '') await end(parts, config, message, 'none', null);
    else await end(parts, config, message, 'ready', await parts.voicemails.seal(message, text));
  } catch (error) {
    const code = errorCode(error);
    const known = code === 'internal' ? null : (error as PatchcordError);
    const tried = effect.attempts >= mostAttempts || parts.now() - effect.createdAt > triedForMs;
    if (signal.aborted || !(tried || known?.retryable === false)) throw error;
    const why = known?.message ?? 'The relay failed.';
    await end(parts, config, message, 'failed', why);
    throw new PatchcordError('config.invalid', `A voicemail could not be written down: ${why}`, { cause: error });
  }
  return { effects: await logAgain(config, message, parts) };
}

async function end(
  { store, voicemails }: WordsParts,
  config: TenantConfig,
  { tenant, id, mailbox }: StoredVoicemail,
  state: WordsState | null,
  words: string | null,
): Promise<void> {
  if (await store.voicemails.keepWords(tenant, id, state, words))
    voicemails.tellChanged(config, { tenant, id, mailbox });
}

/** What was said in it, as the service tells it. */
async function hear(
  { transcription }: TenantConfig,
  message: StoredVoicemail,
  request: SpeechRequest,
  { voicemails, speech = openSpeechService }: WordsParts,
  signal: AbortSignal,
): Promise<readonly Pick<Heard, 'text' | 'startMs' | 'endMs'>[]> {
  const service = transcription?.service;
  if (service === undefined) throw new PatchcordError('config.invalid', 'The tenant names no speech service.');
  const sound = await voicemails.open(message);
  try {
    const file = sound.read(0, message.bytes);
    if (message.form === 'wav') return await hearMessage(speech(service), request, speechSound(file), signal);
    if (service.kind !== 'segments')
      throw new PatchcordError(
        'request.invalid',
        'The speech service takes no MP3. Have the phone system leave messages as WAV.',
      );
    const heard = await hearFile(service, request, { bytes: await whole(file), name: 'message.mp3' }, signal);
    if (typeof heard === 'string') return [{ text: heard, startMs: 0, endMs: message.durationMs }];
    refuse(heard);
    return [];
  } finally {
    await sound.close();
  }
}

async function whole(file: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of file) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** The lines as one text, each on its own line, without what must not be told of a call. */
function redacted(
  lines: readonly Pick<Heard, 'text' | 'startMs' | 'endMs'>[],
  language: string,
  { transcription }: TenantConfig,
): string {
  const redaction = new CallRedaction(language, transcription?.redact ?? []);
  const told = lines.flatMap(({ text, startMs, endMs }, line) =>
    redaction.take({ line, speaker: 'far-side', text, startMs, endMs, final: true }, 0),
  );
  const decided = [...told, ...redaction.release()].filter((one) => one.decided);
  return decided
    .map(({ line }) => line)
    .sort((a, b) => a.line - b.line)
    .map(({ text }) => text.trim())
    .filter((text) => text !== '')
    .join('\n')
    .slice(0, longestText);
}

/** The log that tells of the message gets its words, where the customer keeps words; one that is still to be written has them by itself. */
async function logAgain(config: TenantConfig, { id }: StoredVoicemail, parts: WordsParts) {
  const tenant = config.id as TenantId;
  const now = await parts.store.voicemails.find(tenant, id);
  if (now === null || now.callId === null || now.wordsState !== 'ready' || !config.transcripts.keep) return [];
  const call = (await parts.store.calls.readCalls([now.callId])).get(now.callId)?.call;
  if (call === undefined || call.log === null) return [];
  const agent = parts.tenants.agent(tenant, call.agent)?.agent;
  return [crmLogEffect(tenant, call.agent, agent, call.callId, parts.now())];
}
