/**
 * Owns how a log tells that its call was recorded: what was kept, and who agreed when. It is a proof: must never say more than the events do.
 */
import type { CallLog, LoggedRecording } from '@patchcord/call-protocol';
import { clock } from './heard-words.ts';

/** Stretches that are named; a call that was paused more often says how often. */
const mostStretches = 10;

/** One line, or none where nobody recorded and nobody asked. */
export function recordingLines({ recording, talkMs }: Pick<CallLog, 'recording' | 'talkMs'>): readonly string[] {
  if (recording === undefined) return [];
  const { consent } = recording;
  return [[keptWords(recording, talkMs), ...(consent === undefined ? [] : [consentWords(consent)])].join(' ')];
}

function keptWords({ kept, byPhoneSystem }: LoggedRecording, talkMs: number): string {
  if (kept.length === 0) return byPhoneSystem ? 'Recorded by the phone system.' : 'Not recorded.';
  const stretches = kept.slice(0, mostStretches).map(({ startMs, endMs }) => {
    const end = endMs ?? (talkMs > startMs ? talkMs : null);
    return `from ${clock(startMs)} to ${end === null ? 'the end' : clock(end)}`;
  });
  const more = kept.length > mostStretches ? `, and ${kept.length - mostStretches} more times` : '';
  // It may have more in it than the phone asked for.
  const whose = byPhoneSystem ? ' The recording that is kept is the phone system’s.' : '';
  return `Recorded ${stretches.join(', ')}${more}.${whose}`;
}

/** The time is UTC, as nobody knows where it is read. */
function consentWords({ given, how, at }: NonNullable<LoggedRecording['consent']>): string {
  const way = how === 'asked' ? 'asked by the agent' : 'after an announcement';
  return `Consent: ${given ? 'given' : 'refused'}, ${way}, ${new Date(at).toISOString().slice(11, 19)} UTC.`;
}
