/**
 * What a phone system says of a message, and whether its sound is any. Owns which forms are taken (docs/guides/voicemail.md). Pure; must never
 * believe a length that it can measure.
 */
import { createHash } from 'node:crypto';
import { type E164, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { toE164 } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import { redactCards } from '../call-log/card-numbers.ts';
import { farNumber } from '../call-records/plain.ts';
import { durationOf, WavReader } from '../recordings/wav.ts';

/** A shell writes numbers as texts. */
const number = v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}(?:\.\d{1,9})?$/), v.transform(Number))]);
/** What the caller chose is cut, not refused: nobody shall keep a message from arriving by a long name. No database takes a NUL. */
const cutTo = (most: number, control = /\p{Cc}/gu) =>
  v.pipe(
    v.string(),
    v.transform((text) =>
      text
        .replace(control, ' ')
        .trim()
        .slice(0, most)
        .replace(/[\ud800-\udbff]$/, ''),
    ),
  );
const longestText = 32_000;
/** The last moment that a date can hold, ms. */
const lastMoment = 8_640_000_000_000_000;
const MessageSchema = v.object({
  id: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
  mailbox: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,32}$/)),
  number: v.optional(cutTo(128), ''),
  name: v.nullish(cutTo(255)),
  at: v.pipe(number, v.minValue(0), v.maxValue(lastMoment)),
  seconds: v.nullish(number),
  text: v.nullish(cutTo(longestText, /(?!\n)\p{Cc}/gu)),
  conversation: v.nullish(cutTo(255)),
});

export interface Message {
  /** The phone system's own. */
  readonly id: string;
  readonly mailbox: string;
  readonly number: string;
  readonly e164: E164 | null;
  readonly name: string | null;
  /** Epoch ms. */
  readonly at: number;
  readonly durationMs: number;
  readonly text: string | null;
  /** What the phone system calls the conversation in its call records. */
  readonly conversation: string | null;
  readonly form: 'wav' | 'mp3';
}

/**
 * @param message What the part "message" holds, as text
 * @throws PatchcordError `request.invalid`, saying what does not fit
 */
export function readMessage(message: string, sound: Buffer, country: string): Message {
  const read = v.safeParse(MessageSchema, jsonOf(message));
  if (!read.success) {
    const [issue] = read.issues;
    throw refused(`its part "message" does not fit at "${v.getDotPath(issue) ?? ''}"`);
  }
  const { id, mailbox, name, at, seconds, text, conversation } = read.output;
  const from = farNumber(read.output.number);
  const form = formOf(sound);
  return {
    id,
    mailbox,
    number: from,
    e164: toE164(from, country),
    name: name == null || name === '' || name === from ? null : name,
    // Seconds with or without a fraction, or milliseconds.
    at: Math.round(at < 100_000_000_000 ? at * 1_000 : at),
    durationMs: form === 'wav' ? lengthOfWav(sound) : lengthSaid(seconds ?? null),
    // What stands for a security code is longer than the code.
    text: text == null || text === '' ? null : redactCards(text).slice(0, longestText),
    conversation: conversation || null,
    form,
  };
}

/** The message's id at the relay: the same for the same message, however often it is handed over (RFC 9562 section 5.8). */
export function voicemailId(tenant: TenantId, pbx: string, { mailbox, id }: Pick<Message, 'mailbox' | 'id'>): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify(['voicemail', tenant, pbx, mailbox, id]))
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function formOf(sound: Buffer): 'wav' | 'mp3' {
  if (sound.length === 0) throw refused('its part "sound" is empty');
  if (sound.toString('latin1', 0, 4) === 'RIFF') return 'wav';
  // A title in front, or the eleven bits every frame of MPEG audio begins with, and a layer that exists.
  const [first = 0, second = 0] = sound;
  const isFrame = first === 0xff && (second & 0xe0) === 0xe0 && (second & 0x06) !== 0;
  if (isFrame || sound.toString('latin1', 0, 3) === 'ID3') return 'mp3';
  throw refused('its part "sound" is neither WAV nor MP3');
}

function lengthOfWav(sound: Buffer): number {
  const reader = new WavReader(false);
  const bytes = reader.take(sound).length;
  const format = reader.end();
  if (bytes === 0) throw refused('its part "sound" has no sound in it');
  return durationOf(format, bytes);
}

function lengthSaid(seconds: number | null): number {
  if (seconds !== null && seconds > 0 && seconds <= 86_400) return Math.round(seconds * 1_000);
  throw refused('"seconds" is missing: how long an MP3 lasts has to be said');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused('its part "message" is no JSON');
  }
}

/** @param what Follows "The voicemail was not kept: " */
export function refused(what: string): PatchcordError {
  return new PatchcordError('request.invalid', `The voicemail was not kept: ${what}. See docs/guides/voicemail.md.`);
}
