/**
 * Owns the words a call gets in any CRM: its title, its result, and the lines under the note. Every CRM shows the same sentence for the
 * same call. Must never know a CRM's field names, and must never put more of a number into a text than the log itself holds.
 */
import type { CallLog, CallOutcome } from '@patchcord/call-protocol';
import { phraseLines, summaryLines } from './heard-words.ts';
import { recordingLines } from './recording-words.ts';

const results: Readonly<Record<CallOutcome, string>> = {
  answered: 'Connected',
  missed: 'Missed',
  declined: 'Declined',
  busy: 'Busy',
  'no-answer': 'No answer',
  cancelled: 'Cancelled',
  failed: 'Failed',
  'answered-elsewhere': 'Answered elsewhere',
};

/** What came of the call, in one or two words; empty while it lives. */
export function resultOf(log: CallLog): string {
  if (log.outcome === null) return '';
  if (wentToVoicemail(log)) return 'Voicemail';
  return log.outcome === 'answered' && log.transferredTo !== null ? 'Transferred' : results[log.outcome];
}

/** Whether a machine took a message: it is there, the phone system says so in its reason, or the call was sent there. */
export function wentToVoicemail(log: CallLog): boolean {
  return (
    log.voicemail !== undefined ||
    /voice[\s_-]?mail/i.test(log.reason) ||
    /voice[\s_-]?mail/i.test(log.transferredTo ?? '')
  );
}

/** Who was at the far side: the record's name, else the name the network gave, else the number. */
export function farSideOf(log: CallLog): string {
  const name = log.record?.name ?? log.farSide.name ?? '';
  if (name.trim() !== '') return name.trim();
  return numberOf(log) || 'a withheld number';
}

/** The far side's number: E.164 when known, else as given; empty when withheld. */
export function numberOf(log: CallLog): string {
  return log.farSide.e164 ?? log.farSide.number;
}

/** One line for the timeline, at most 255 characters: what kind of call it was is told in the first or the last word. */
export function titleOf(log: CallLog): string {
  const title = kindOf(log, farSideOf(log));
  return title.length > 255 ? `${title.slice(0, 254)}…` : title;
}

function kindOf(log: CallLog, who: string): string {
  const moved = log.transferredTo === null || wentToVoicemail(log) ? '' : `, transferred to ${log.transferredTo}`;
  if (log.direction === 'outbound')
    return wentToVoicemail(log) ? `Call to ${who}, voicemail` : `Call to ${who}${moved}`;
  if (wentToVoicemail(log)) return `Voicemail from ${who}`;
  if (log.outcome === 'missed') return `Missed call from ${who}`;
  if (log.outcome === 'declined') return `Declined call from ${who}`;
  if (log.outcome === 'answered-elsewhere') return `Call from ${who}, answered elsewhere`;
  return `Call from ${who}${moved}`;
}

/** Caller and called number, whoever started the call. */
export function fromAndTo(log: CallLog): { readonly from: string; readonly to: string } {
  const far = numberOf(log);
  return log.direction === 'outbound' ? { from: log.nearNumber, to: far } : { from: far, to: log.nearNumber };
}

/**
 * The agent's note, then what happened to the call in plain lines, whether it was recorded, what was heard in it, and a machine's summary. At most `longest` characters;
 * the note is cut last.
 * @param more Lines of the CRM's own, after ours
 */
export function textOf(log: CallLog, longest: number, more: readonly string[] = []): string {
  const { from, to } = fromAndTo(log);
  const lines = [
    from === '' && to === '' ? '' : `From ${from || 'a withheld number'} to ${to || 'this line'}`,
    log.outcome !== null && log.outcome !== 'answered'
      ? `${resultOf(log)}${log.reason === '' ? '' : `: ${log.reason}`}`
      : '',
    log.transferredTo === null ? '' : `Transferred to ${log.transferredTo}`,
    ...messageLines(log),
    ...more,
    ...recordingLines(log),
    ...phraseLines(log),
    ...summaryLines(log),
  ].filter((line) => line !== '');
  const note = log.note.trim();
  const text = note === '' ? lines.join('\n') : [note, ...(lines.length > 0 ? ['', ...lines] : [])].join('\n');
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** How long the message is, and what a machine heard in it, where the customer keeps words. */
function messageLines({ voicemail }: CallLog): readonly string[] {
  if (voicemail === undefined) return [];
  const seconds = Math.round(voicemail.durationMs / 1_000);
  const length = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  const text = voicemail.text?.trim() ?? '';
  return [`Message left (${length})${text === '' ? '' : ', written down by a machine:'}`, text];
}

/** A CRM's own message, safe for a log line: numbers and long texts do not survive. */
export function masked(message: string): string {
  return message
    .replace(/\+?\d(?:[\s().-]*\d){5,}/g, '…')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}
