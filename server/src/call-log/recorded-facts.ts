/** What the events of a call say of its recording: what was kept, by whom, and who agreed. Pure, like the fold it is part of. */
import type { CallLog, LoggedRecording, WireEvent } from '@patchcord/call-protocol';

type Kept = LoggedRecording['kept'][number];

/** Stretches by time, and the far side's last word. A recording that stops is stopped once: what begins while one runs is the same one. */
export function recordingOf(events: readonly WireEvent[]): Pick<CallLog, 'recording'> {
  const kept: Kept[] = [];
  let consent: LoggedRecording['consent'];
  let openMs: number | null = null;
  const close = (endMs: number): void => {
    if (openMs !== null && endMs > openMs) kept.push({ startMs: openMs, endMs });
    openMs = null;
  };
  let byPhoneSystem = false;
  let told = false;
  for (const event of events) {
    switch (event.name) {
      case 'recording.started':
      case 'recording.resumed':
        told = true;
        openMs ??= event.data.startMs;
        break;
      case 'recording.paused':
      case 'recording.stopped':
        told = true;
        close(event.data.startMs);
        break;
      case 'consent.given':
      case 'consent.refused':
        told = true;
        consent = { given: event.name === 'consent.given', how: event.data.how, at: event.at };
        break;
      case 'recording.available':
        byPhoneSystem ||= event.data.madeBy !== 'relay';
        break;
      default:
    }
  }
  if (!told && !byPhoneSystem) return {};
  if (openMs !== null) kept.push({ startMs: openMs, endMs: null });
  return {
    recording: {
      ...(consent === undefined ? {} : { consent }),
      kept,
      ...(byPhoneSystem ? { byPhoneSystem } : {}),
    },
  };
}
