/**
 * The two machines at a mailbox: one that takes a message, one that plays them to their owner.
 * Must never count messages or tell anybody of them: the mailbox does.
 */
import { DONE_TONE_HZ, Machine } from './machine.ts';
import type { Mailboxes, Message } from './mailboxes.ts';
import type { EndCause, Party } from './party.ts';
import { FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, type SoundStyle, tone } from './sound.ts';

const GREETING_MS: Record<SoundStyle, number> = { tones: 200, pleasant: 1000 };
const PAUSE_MS: Record<SoundStyle, number> = { tones: 500, pleasant: 2500 };
/** Shorter ones are a caller who hung up at the greeting. */
const LEAST_MESSAGE_MS = 200;

/** Beeps, then records until the caller hangs up or the time is over. */
export class Recorder extends Machine {
  readonly #mailboxes: Mailboxes;
  readonly #extension: string;
  readonly #mostSamples: number;
  readonly #beep = tone(DONE_TONE_HZ);
  readonly #frames: Int16Array[] = [];
  #greetingMs: number;
  #caller: Party | undefined;

  constructor(number: string, extension: string, mailboxes: Mailboxes, style: SoundStyle, mostMs: number) {
    super(number, 'Voicemail');
    this.#mailboxes = mailboxes;
    this.#extension = extension;
    this.#greetingMs = GREETING_MS[style];
    this.#mostSamples = (mostMs * SAMPLE_RATE) / 1000;
    this.onJoined = (party) => {
      this.#caller = party;
    };
  }

  override speak(): Int16Array | undefined {
    if (!this.met() || this.#greetingMs <= 0) return undefined;
    this.#greetingMs -= FRAME_MS;
    const frame = new Int16Array(FRAME_SAMPLES);
    this.#beep.fill(frame);
    return frame;
  }

  override hear(frame: Int16Array | undefined): void {
    super.hear(frame);
    if (this.#greetingMs > 0) return;
    this.#frames.push(frame ?? new Int16Array(FRAME_SAMPLES));
    if (this.#frames.length * FRAME_SAMPLES >= this.#mostSamples)
      queueMicrotask(() => this.hangUp({ by: 'far side', reason: 'the message is long enough' }));
  }

  override hangUp(cause: EndCause): void {
    if (this.ended) return;
    super.hangUp(cause);
    if (this.#caller === undefined || this.#frames.length * FRAME_MS < LEAST_MESSAGE_MS) return;
    const samples = new Int16Array(this.#frames.length * FRAME_SAMPLES);
    this.#frames.forEach((frame, index) => {
      samples.set(frame, index * FRAME_SAMPLES);
    });
    this.#mailboxes.leave(this.#extension, this.#caller, samples);
  }
}

/**
 * Plays an extension's messages, new ones first, a pause after each: `7` deletes the one that is or was just played,
 * `1` plays it again, `#` goes on to the next. Hangs up after the last one.
 */
export class Player extends Machine {
  readonly #mailboxes: Mailboxes;
  readonly #extension: string;
  readonly #pauseMs: number;
  readonly #queue: Message[];
  readonly #beep = tone(DONE_TONE_HZ);
  #beepMs: number;
  #message: Message | undefined;
  #at = 0;
  #waitMs = 0;

  constructor(number: string, extension: string, mailboxes: Mailboxes, style: SoundStyle) {
    super(number, 'Voicemail');
    this.#mailboxes = mailboxes;
    this.#extension = extension;
    this.#pauseMs = PAUSE_MS[style];
    this.#beepMs = GREETING_MS[style];
    const messages = mailboxes.messages(extension);
    this.#queue = [...messages.filter((entry) => entry.fresh), ...messages.filter((entry) => !entry.fresh)];
  }

  override speak(): Int16Array | undefined {
    if (!this.met()) return undefined;
    if (this.#beepMs > 0) {
      this.#beepMs -= FRAME_MS;
      const frame = new Int16Array(FRAME_SAMPLES);
      this.#beep.fill(frame);
      if (this.#beepMs <= 0) this.#next();
      return frame;
    }
    const message = this.#message;
    if (message && this.#at < message.samples.length) {
      const frame = new Int16Array(FRAME_SAMPLES);
      frame.set(message.samples.subarray(this.#at, this.#at + FRAME_SAMPLES));
      this.#at += FRAME_SAMPLES;
      if (this.#at >= message.samples.length) {
        this.#waitMs = this.#pauseMs;
        this.#mailboxes.markHeard(this.#extension, message);
      }
      return frame;
    }
    this.#waitMs -= FRAME_MS;
    if (this.#waitMs <= 0) this.#next();
    return undefined;
  }

  override press(key: string): void {
    const message = this.#message;
    if (!message) return;
    if (key === '1') this.#at = 0;
    if (key === '7') this.#mailboxes.delete(this.#extension, message);
    if (key === '7' || key === '#') this.#next();
  }

  #next(): void {
    this.#message = this.#queue.shift();
    this.#at = 0;
    this.#waitMs = this.#pauseMs;
    if (!this.#message) queueMicrotask(() => this.hangUp({ by: 'far side' }));
  }
}
