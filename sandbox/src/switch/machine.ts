/**
 * What answers inside the switch and is nobody: the common part of parking spaces, rooms, mailboxes and short tones.
 * Owns an ear and an end; must never know SIP or who put it there.
 */
import type { EndCause, Party } from './party.ts';
import { Ear, FRAME_MS, FRAME_SAMPLES, type SoundStyle, tone, type Voice } from './sound.ts';

export class Machine implements Party {
  readonly number: string;
  readonly name: string | undefined;
  readonly machine = true;
  /** Called every time somebody is connected to it. */
  onJoined: ((party: Party) => void) | undefined;
  /** Called once. */
  onEnded: ((cause: EndCause) => void) | undefined;
  readonly #ear = new Ear();
  #ended = false;
  #patienceMs = 2000;
  #met = false;

  constructor(number: string, name?: string) {
    this.number = number;
    this.name = name;
  }

  get ended(): boolean {
    return this.#ended;
  }

  speak(): Int16Array | undefined {
    return undefined;
  }

  /** Asked once a beat: whether the other end's sound is there yet, or will not come. What is said before is lost. */
  protected met(): boolean {
    this.#patienceMs -= FRAME_MS;
    return this.#met || this.#patienceMs <= 0;
  }

  hear(frame: Int16Array | undefined): void {
    this.#met ||= frame !== undefined;
    this.#ear.hear(frame ?? new Int16Array(FRAME_SAMPLES));
  }

  heard(windowMs: number): Int16Array {
    return this.#ear.last(windowMs);
  }

  press(_key: string): void {}

  hangUp(cause: EndCause): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnded?.(cause);
  }
}

/** Plays one voice for as long as somebody listens: music for those who wait. */
export class MusicBox extends Machine {
  readonly #voice: Voice;

  constructor(number: string, name: string | undefined, voice: Voice) {
    super(number, name);
    this.#voice = voice;
  }

  override speak(): Int16Array {
    const frame = new Int16Array(FRAME_SAMPLES);
    this.#voice.fill(frame);
    return frame;
  }
}

/** The tone that says "done", and the one that says "speak now". */
export const DONE_TONE_HZ = 1150;
const DONE_MS: Record<SoundStyle, number> = { tones: 300, pleasant: 700 };

/** Says "done" with a short tone and hangs up. */
export class DoneTone extends Machine {
  #leftMs: number;
  readonly #voice = tone(DONE_TONE_HZ);

  constructor(number: string, style: SoundStyle) {
    super(number);
    this.#leftMs = DONE_MS[style];
  }

  override speak(): Int16Array | undefined {
    if (!this.met()) return undefined;
    this.#leftMs -= FRAME_MS;
    if (this.#leftMs <= 0) {
      // After this beat: whoever asked for sound is still in the middle of it.
      queueMicrotask(() => this.hangUp({ by: 'far side' }));
      return undefined;
    }
    const frame = new Int16Array(FRAME_SAMPLES);
    this.#voice.fill(frame);
    return frame;
  }
}
