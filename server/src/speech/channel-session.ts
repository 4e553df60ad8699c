/**
 * What a channel sends to one session, and when: not faster than the service takes sound, with silence where words must end, dated so that what the
 * service says can be put into the call. Must never keep sound; what must wait stays with the channel.
 */
import { bytesPerMs } from './adapters/socket-session.ts';
import type { Stretch } from './kept-sound.ts';
import { createSessionClock, type SessionClock } from './session-clock.ts';
import type { SpeechListener, SpeechRequest, SpeechSession, SpeechToText } from './speech-to-text.ts';

export interface ChannelSession {
  readonly speech: SpeechSession;
  readonly clock: SessionClock;
  readonly openedAt: number;
  /**
   * How long a stretch must wait, ms: the service is behind, would get it faster than it takes sound, or has not got the silence before it. Sends as
   * much of that as there is room for.
   */
  waitFor(stretch: Stretch): number;
  /** Once it need not wait. */
  send(stretch: Stretch): void;
  /** Silence, so much since the last sound at most, and no more than there is room for: asked again it goes on. Less than a frame's jitter is none. */
  pad(ms: number): void;
  /** Loud sound since the service said anything, ms. */
  loudMs: number;
  /** It was asked to finish. */
  isEnding: boolean;
  hasSpoken: boolean;
}

/** What may wait in a session, bytes. */
const mostWaiting = 1_000 * bytesPerMs;
/** While the service is behind it is asked this often whether it takes more. */
const againMs = 50;
const burstMs = 2_000;
const usualFastest = 8;
/** The longest silence between two words that are not of one utterance: every service ends an utterance in it. */
export const silenceMs = 1_500;
const silence = new Uint8Array(500 * bytesPerMs);
/** Gaps are sent in steps of this; shorter than `leastGapMs` they are none. */
const gapStepMs = 20;
const leastGapMs = 100;
/** RMS, 16-bit units (-45 dBFS): somebody, or something, is to be heard. */
const loudLevel = 184;

export function openChannelSession(
  service: SpeechToText,
  request: SpeechRequest,
  listener: SpeechListener,
  now: () => number,
): ChannelSession {
  const clock = createSessionClock();
  const fastest = service.fastest ?? usualFastest;
  let sentMs: number | null = null;
  let paddedMs = 0;
  let creditMs = burstMs;
  let creditAt = now();
  const speech = service.open(request, listener);
  /** What of a gap was not sent. */
  const missingMs = (ms: number): number =>
    sentMs === null || ms < leastGapMs ? 0 : Math.max(0, Math.floor(ms / gapStepMs) * gapStepMs - paddedMs);

  return {
    speech,
    clock,
    openedAt: creditAt,
    loudMs: 0,
    isEnding: false,
    hasSpoken: false,
    waitFor({ pcm, atMs }) {
      // words on both sides of a gap must not become one
      const gapMs = sentMs === null ? 0 : Math.min(atMs - sentMs, silenceMs);
      this.pad(gapMs);
      if (missingMs(gapMs) > 0) return againMs;
      const { waitingBytes } = speech;
      if (waitingBytes > 0 && waitingBytes + pcm.byteLength > mostWaiting) return againMs;
      creditMs = Math.min(burstMs, creditMs + Math.max(0, now() - creditAt) * fastest);
      creditAt = now();
      return creditMs > 0 ? 0 : Math.max(againMs, -creditMs / fastest);
    },
    send({ pcm, atMs }) {
      const ms = pcm.byteLength / bytesPerMs;
      paddedMs = 0;
      sentMs = atMs + ms;
      creditMs -= ms;
      clock.sent(atMs, ms);
      if (loudness(pcm) >= loudLevel) this.loudMs += ms;
      speech.send(pcm);
    },
    pad(ms) {
      const { waitingBytes } = speech;
      // a session that has not been answered keeps a second: silence must not push a word out of it
      const roomMs = waitingBytes === 0 ? Number.POSITIVE_INFINITY : (mostWaiting - waitingBytes) / bytesPerMs;
      const whole = Math.min(missingMs(ms), Math.floor(roomMs / gapStepMs) * gapStepMs);
      if (whole <= 0) return;
      paddedMs += whole;
      creditMs -= whole;
      clock.silence(whole);
      for (let left = whole; left > 0; left -= 500) speech.send(silence.subarray(0, Math.min(left, 500) * bytesPerMs));
    },
  };
}

/** Root of the mean square of every fourth sample, in 16-bit units: enough to know that something is to be heard. */
function loudness(pcm: Uint8Array): number {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  let sum = 0;
  for (let at = 0; at + 1 < pcm.byteLength; at += 8) sum += view.getInt16(at, true) ** 2;
  return Math.sqrt(sum / Math.max(1, Math.ceil(pcm.byteLength / 8)));
}
