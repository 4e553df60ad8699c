/**
 * What a screen reader is told when the phone changes by itself. Owns the sentences' occasions; the words are in `texts.ts`. What the agent
 * does with a control is said by the control itself and not repeated here.
 */
import type { CallState, PhoneState } from '@patchcord/phone-engine';
import { isRecord } from './record-evidence.ts';
import { texts } from './texts.ts';

export interface Announcement {
  readonly text: string;
  /** `assertive` interrupts; kept for a call that rings. */
  readonly manner: 'polite' | 'assertive';
}

/** The one sentence worth saying after a change, or null. */
export function announcementFor(
  before: PhoneState,
  after: PhoneState,
  nameOf: (call: CallState) => string,
): Announcement | null {
  for (const call of after.calls) {
    const earlier = before.calls.find((other) => other.id === call.id);
    const text = sentenceFor(earlier, call, nameOf(call));
    if (text === null) continue;
    const rings = call.phase === 'incoming' && !call.recovering;
    return { text, manner: rings && (earlier === undefined || earlier.recovering) ? 'assertive' : 'polite' };
  }
  const gone = before.calls.find((call) => stoppedRinging(call, after));
  if (gone !== undefined) return { text: texts.stoppedRinging(nameOf(gone)), manner: 'polite' };
  if (before.line.status !== after.line.status) {
    if (after.line.status === 'ready') return { text: texts.announceLineReady, manner: 'polite' };
    // What does not come back by itself has a banner.
    if (before.line.status === 'ready' && after.line.status === 'reconnecting')
      return { text: texts.announceLineLost, manner: 'polite' };
  }
  return null;
}

/** The call rang and is gone: the caller gave up, or another device took it. A declined call is `ending` first. */
export function stoppedRinging(call: CallState, after: PhoneState): boolean {
  return call.phase === 'incoming' && !after.calls.some((other) => other.id === call.id);
}

function sentenceFor(before: CallState | undefined, call: CallState, name: string): string | null {
  if (call.recovering && before?.recovering !== true) return texts.announceTakingUp(name);
  if (before?.recovering === true && !call.recovering && call.phase === 'active') return texts.announceTakenUp(name);
  if (before === undefined || (before.recovering && call.phase === 'incoming' && !call.recovering)) {
    if (call.phase === 'incoming') return texts.announceIncoming(name);
    if (call.phase === 'ended') return null;
    return (call.pickedUpFrom === null ? texts.announceDialing : texts.pickingUp)(name);
  }
  if (before.phase !== call.phase) {
    if (call.phase === 'ringing') return texts.announceRinging(name);
    if (call.phase === 'active') return texts.announceConnected(name);
    if (call.phase === 'ended') return texts.announceEnded(name, call.end?.reason ?? '');
  }
  if (call.trouble !== null && call.trouble !== before.trouble) return call.trouble;
  // Who leaves is put on hold or hung up, which is said.
  if (!before.inConference && call.inConference) return texts.joinedConference(name);
  if (before.hold !== call.hold) {
    if (call.hold === 'on') return texts.announceHeld(name);
    if (call.hold === 'off' && before.hold === 'lifting')
      return (call.inConference ? texts.joinedConference : texts.announceResumed)(name);
  }
  if (before.farHold !== call.farHold) return call.farHold ? texts.announceFarHeld(name) : texts.announceResumed(name);
  if (before.muted !== call.muted) return call.muted ? texts.announceMuted : texts.announceUnmuted;
  const records = call.matches.filter(isRecord).length;
  if (before.matches.length === 0 && records > 1) return texts.announceMatches(records);
  if (before.record === null && call.record !== null && call.record.name !== undefined)
    return texts.announceRecord(call.record.name);
  return null;
}
