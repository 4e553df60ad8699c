/**
 * One side of a call, transcribed while sessions come and go: opens one when there is sound, ends it when there is none, opens another when it broke,
 * sends again what was not told finally. Owns when that is; what is sent is `channel-session.ts`, lines are `channel-lines.ts`, memory is
 * `kept-sound.ts`. Must never wait for a service, keep more than 30 s of sound, or say what was heard in a message.
 */
import { retryDelayMs } from '../delivery/backoff.ts';
import { bytesPerMs } from './adapters/socket-session.ts';
import type { Channel, ChannelOptions } from './channel-contract.ts';
import { type ChannelLines, createChannelLines } from './channel-lines.ts';
import { type ChannelSession, openChannelSession, silenceMs } from './channel-session.ts';
import { createKeptSound, type KeptSound } from './kept-sound.ts';
import type { Heard, SpeechEnd } from './speech-to-text.ts';

export const channelTiming = {
  /** Of sound. */
  keptMs: 30_000,
  /** Without sound: words end, and the service is sent some silence so that it notices. */
  pauseMs: 600,
  /** Without sound: the session is ended, and another opened when somebody speaks. */
  idleMs: 15_000,
  idleFinishMs: 5_000,
  /** A session that lived so long was a good one, one that said something earlier. */
  provenMs: 20_000,
  spokenMs: 2_000,
  /** Loud sound without a word from the service: it is as good as away. Doubles with each session that is. */
  speechlessMs: 30_000,
  retry: { firstMs: 250, longestMs: 30_000 },
  retryLimited: { firstMs: 2_000, longestMs: 60_000 },
};
/** How often the same sound is sent to a service that then does not say that it has told everything. */
const mostIdleTries = 2;
/** Times of services are not better than this. */
const looseMs = 100;
const there = 'The speech-to-text service hears the call.';

/** One side of a call, transcribed by `service`. Never throws, never waits; see `Channel`. */
export function createChannel(options: ChannelOptions): Channel {
  return new SpeechChannel(options);
}

class SpeechChannel implements Channel {
  private readonly options: ChannelOptions;
  private readonly kept: KeptSound = createKeptSound(channelTiming.keptMs);
  private readonly lines: ChannelLines;
  private session: ChannelSession | null = null;
  private isOver = false;
  /** Until when sound came that nobody will hear: the service refused. */
  private refusedMs: number | null = null;
  private attempts = 0;
  /** Sessions in a row that took loud sound and said nothing. */
  private speechless = 0;
  private idleTries = 0;
  private told: 'there' | 'away' | 'refused' | null = null;
  private lastHearAt = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private pumpTimer: NodeJS.Timeout | undefined;
  private pauseTimer: NodeJS.Timeout | undefined;
  private finishing: { readonly untilAt: number; readonly done: () => void } | null = null;

  constructor(options: ChannelOptions) {
    this.options = options;
    this.lines = createChannelLines(options);
  }

  hear(pcm: Uint8Array, atMs: number): void {
    if (this.isOver || this.finishing !== null) return;
    if (this.refusedMs !== null) {
      this.refusedMs = Math.max(this.refusedMs, atMs + pcm.byteLength / bytesPerMs);
      return;
    }
    this.kept.push(pcm, atMs);
    this.lastHearAt = this.options.now();
    this.awaitPause();
    this.pump();
  }

  get settledMs(): number {
    return Math.max(this.kept.settledMs, Math.floor(this.refusedMs ?? 0));
  }

  forget(atMs: number): void {
    if (this.isOver) return;
    this.session?.speech.drop();
    this.session = null;
    this.kept.forget(atMs);
    this.lines.forget(atMs);
    this.kept.rewind();
    this.pump();
  }

  finish(withinMs: number): Promise<void> {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.finishing?.done;
      const timer = setTimeout(() => this.complete(), withinMs);
      const done = (): void => {
        clearTimeout(timer);
        before?.();
        resolve();
      };
      this.finishing = { untilAt: this.options.now() + withinMs, done };
      clearTimeout(this.pauseTimer);
      this.pump();
    });
  }

  drop(): void {
    this.isOver = true;
    this.session?.speech.drop();
    this.session = null;
    for (const timer of [this.retryTimer, this.pumpTimer, this.pauseTimer]) clearTimeout(timer);
    this.finishing?.done();
    this.finishing = null;
  }

  /** Sends what can be sent now. */
  private pump(): void {
    if (this.isOver || this.session?.isEnding === true) return;
    if (this.session === null && this.kept.peek() !== undefined && this.refusedMs === null) {
      if (this.retryTimer !== undefined) return;
      this.open();
    }
    const { session } = this;
    for (let next = this.kept.peek(); next !== undefined && session !== null; next = this.kept.peek()) {
      const waitMs = session.waitFor(next);
      if (this.session !== session) return;
      if (waitMs > 0) {
        this.pumpTimer ??= setTimeout(() => {
          this.pumpTimer = undefined;
          this.pump();
        }, waitMs);
        return;
      }
      session.clock.forgetBefore(this.kept.settledMs - channelTiming.keptMs);
      this.kept.take();
      session.send(next);
      if (session.loudMs >= channelTiming.speechlessMs * 2 ** Math.min(this.speechless, 6)) this.isSpeechless(session);
      if (this.session !== session) return;
    }
    if (this.finishing !== null) this.endSession(this.finishing.untilAt);
  }

  private isSpeechless(session: ChannelSession): void {
    this.speechless++;
    session.speech.drop();
    this.ended(session, { why: 'away', message: 'The speech-to-text service hears no words in what it is sent.' });
  }

  private awaitPause(inMs = channelTiming.pauseMs): void {
    this.pauseTimer ??= setTimeout(() => {
      this.pauseTimer = undefined;
      this.paused();
    }, inMs);
  }

  /** Looks whether nothing was heard for a while. Whoever opens the next session, or hears something, comes back here. */
  private paused(): void {
    const { session } = this;
    if (this.isOver || this.finishing !== null || session === null || session.isEnding) return;
    const { pauseMs, idleMs, idleFinishMs } = channelTiming;
    const quietMs = this.options.now() - this.lastHearAt;
    const isSent = this.kept.peek() === undefined;
    if (isSent && quietMs >= pauseMs) session.pad(silenceMs);
    if (isSent && quietMs >= idleMs) this.endSession(this.options.now() + idleFinishMs);
    else if (quietMs < pauseMs) this.awaitPause(pauseMs - quietMs);
    else this.awaitPause(isSent ? Math.min(idleMs - quietMs, pauseMs) : pauseMs);
  }

  private endSession(untilAt: number): void {
    const { session } = this;
    if (session !== null) {
      if (session.isEnding) return;
      session.isEnding = true;
      session.speech.finish(Math.max(1, untilAt - this.options.now()));
    } else if (this.finishing !== null && this.retryTimer === undefined) this.complete();
  }

  private complete(): void {
    this.lines.sessionEnded(Number.POSITIVE_INFINITY);
    // told as they stand: whoever goes on with the call must not tell them again
    this.kept.settle(this.lines.toldMs);
    this.drop();
  }

  private open(): void {
    const { service, request, now } = this.options;
    let own: ChannelSession | null = null;
    /** A service may answer before `open` returns, and after its session is nothing to us any more. */
    const mine = (act: (session: ChannelSession) => void): void => {
      if (own === null) queueMicrotask(() => mine(act));
      else if (this.session === own) act(own);
    };
    own = openChannelSession(
      service,
      request,
      {
        opened: () => mine(() => this.speechless === 0 && this.say('there', there)),
        heard: (words) => mine((session) => this.heard(session, words)),
        ended: (end) => mine((session) => this.ended(session, end)),
      },
      now,
    );
    this.session = own;
    if (this.finishing === null) this.awaitPause();
  }

  private heard(session: ChannelSession, words: Heard): void {
    if (!Number.isFinite(words.startMs) || !Number.isFinite(words.endMs)) return;
    session.hasSpoken = true;
    session.loudMs = 0;
    this.speechless = 0;
    this.say('there', there);
    const utterance = {
      name: words.utterance,
      text: words.text,
      startMs: session.clock.startOf(words.startMs),
      endMs: session.clock.endOf(words.endMs),
      ...(words.confidence === undefined ? {} : { confidence: words.confidence }),
    };
    if (words.final) {
      this.lines.final(utterance);
      this.kept.settle(this.lines.toldMs);
    } else this.lines.partial(utterance);
  }

  private ended(session: ChannelSession, end: SpeechEnd): void {
    this.session = null;
    // words whose sound is gone cannot be heard again
    const isDone = session.isEnding && (end.why === 'finished' || this.isSpent(end));
    this.lines.sessionEnded(isDone ? Number.POSITIVE_INFINITY : this.kept.settledMs - looseMs);
    this.kept.settle(isDone ? Math.max(this.kept.takenMs, this.lines.toldMs) : this.lines.toldMs);
    this.kept.rewind();
    if (isDone) {
      this.idleTries = 0;
      this.attempts = 0;
      this.pump();
    } else if (end.why === 'refused') this.refuse(end.message);
    else if (this.finishing !== null && this.kept.peek() === undefined) this.complete();
    else this.comeBack(session, end);
  }

  /** It was asked for its last words and did not say that these were all, more than once. */
  private isSpent(end: SpeechEnd): boolean {
    return end.why === 'away' && this.finishing === null && ++this.idleTries >= mostIdleTries;
  }

  private comeBack(session: ChannelSession, end: SpeechEnd): void {
    const { provenMs, spokenMs, retry, retryLimited } = channelTiming;
    const { now, random } = this.options;
    const livedMs = now() - session.openedAt;
    if (end.why === 'expired' && livedMs >= spokenMs) {
      this.pump();
      return;
    }
    if (livedMs >= (session.hasSpoken ? spokenMs : provenMs) && this.speechless === 0) this.attempts = 0;
    this.attempts++;
    const limits = end.why === 'limited' ? retryLimited : retry;
    const waitMs = retryDelayMs(this.attempts, limits, end.retryAfterMs, random());
    // a service that is back at once was never away for whoever reads
    if (this.attempts > 1 || waitMs > 1_000 || this.speechless > 0) this.say('away', end.message);
    this.retryTimer = setTimeout(() => {
      this.retryTimer = undefined;
      this.pump();
    }, waitMs);
  }

  /** Asking again is no use: nothing is kept any more. */
  private refuse(message: string): void {
    this.refusedMs = 0;
    this.lines.sessionEnded(Number.POSITIVE_INFINITY);
    this.kept.settle(Number.POSITIVE_INFINITY);
    clearTimeout(this.pauseTimer);
    this.say('refused', message);
    if (this.finishing !== null) this.complete();
  }

  private say(state: 'there' | 'away' | 'refused', message: string): void {
    if (this.told === state) return;
    this.told = state;
    this.options.onService(state, message);
  }
}
