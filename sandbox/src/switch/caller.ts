/**
 * The callers: people, echoes and announcements that live inside the switch and have real sound.
 * Owns how each kind rings, answers, sounds and reacts to keys; must never know SIP.
 */
import type { EndCause, Party } from './party.ts';
import {
  announcement,
  cadence,
  Ear,
  FRAME_MS,
  FRAME_SAMPLES,
  keyToneHz,
  person,
  RINGING_TONE_HZ,
  type SoundStyle,
  tone,
  toneOfNumber,
  type Voice,
} from './sound.ts';

export type CallerKind =
  | 'person'
  | 'colleague'
  | 'echo'
  | 'announcement'
  | 'busy'
  | 'no-answer'
  | 'declines'
  | 'unknown';

/** One entry of the switch's directory. */
export type CallerDescription = {
  /** E.164 with plus, or a colleague's extension; matched by digits. */
  number: string;
  name?: string;
  kind: CallerKind;
  /** The tone of this caller in 'tones' style and the pitch of the voice in 'pleasant' style. */
  toneHz?: number;
  /** Rings this long before answering; default 1200 ms in 'pleasant' style, 100 ms in 'tones' style. */
  answerAfterMs?: number;
  /**
   * Sends 183 with sound instead of 180 while it rings: true is a ringing tone of 425 Hz, `announcement` the caller's own
   * voice, `then-ringing` the tone and a 180 without a session description after it.
   */
  earlyMedia?: boolean | 'announcement' | 'then-ringing';
  /** What this caller says, in place of the tone or the hum. */
  voice?: Voice;
};

/** The callers of the demo. Numbers come from ranges that regulators keep for fiction. */
export const DEMO_CALLERS: readonly CallerDescription[] = [
  { number: '+493023125001', name: 'Erika Sommer', kind: 'person', toneHz: 600 },
  { number: '+493023125002', name: 'Jonas Winter', kind: 'person', toneHz: 850 },
  { number: '+442079460123', name: 'Speaking Clock', kind: 'announcement', toneHz: 1200 },
  { number: '+12025550143', name: 'Echo Test', kind: 'echo' },
  { number: '+493023125486', name: 'Always Busy', kind: 'busy' },
  { number: '+493023125408', name: 'Never Answers', kind: 'no-answer' },
  { number: '+493023125603', name: 'Declines Calls', kind: 'declines' },
  { number: '+493023125404', name: 'Number Out of Service', kind: 'unknown' },
  { number: '2001', name: 'Dana Holt', kind: 'colleague', toneHz: 650 },
  { number: '2002', name: 'Ravi Menon', kind: 'colleague', toneHz: 750 },
  { number: '2003', name: 'Lena Brandt', kind: 'colleague', toneHz: 800 },
  { number: '2004', name: 'Marcus Bell', kind: 'colleague', toneHz: 1050 },
];

/** How long `no-answer` rings before the switch gives up with 408. */
const NO_ANSWER_MS = 60_000;
const KEY_TONE_MS = 800;

export type RingOutcome = {
  /** The far side rings; `sound` when the caller is to hear the ringing as early media. */
  onRinging(sound: boolean | 'then-ringing'): void;
  onAnswered(): void;
  onRefused(status: number, reason: string): void;
};

export class Caller implements Party {
  readonly number: string;
  readonly name: string | undefined;
  readonly kind: CallerKind;
  /** Called once, when the caller hangs up or is hung up. */
  onEnded: ((cause: EndCause) => void) | undefined;

  readonly #description: CallerDescription;
  readonly #style: SoundStyle;
  readonly #voice: Voice;
  readonly #ear = new Ear();
  #echo: Int16Array | undefined;
  #keyVoice: { voice: Voice; leftMs: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #ringing = cadence(RINGING_TONE_HZ, 1000, 4000);
  #ended = false;
  #answered = false;

  constructor(description: CallerDescription, style: SoundStyle) {
    this.#description = description;
    this.#style = style;
    this.number = description.number;
    this.name = description.name;
    this.kind = description.kind;
    const hz = description.toneHz ?? (description.kind === 'announcement' ? 1200 : toneOfNumber(description.number));
    this.#voice =
      description.voice ?? (description.kind === 'announcement' ? announcement(style, hz) : person(style, hz));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** This caller's phone rings and then does what its kind does. Nothing is called back after `hangUp`. */
  ring(outcome: RingOutcome): void {
    const refusals: Partial<Record<CallerKind, [number, string]>> = {
      busy: [486, 'Busy Here'],
      declines: [603, 'Decline'],
      unknown: [404, 'Not Found'],
    };
    const refusal = refusals[this.kind];
    const refuse = (status: number, reason: string): void => {
      this.hangUp({ by: 'far side', status, reason });
      outcome.onRefused(status, reason);
    };
    if (refusal && this.kind !== 'declines') {
      refuse(...refusal);
      return;
    }
    const { earlyMedia } = this.#description;
    outcome.onRinging(earlyMedia === 'then-ringing' ? earlyMedia : Boolean(earlyMedia));
    const patience = this.#description.answerAfterMs ?? (this.#style === 'pleasant' ? 1200 : 100);
    if (refusal) this.#after(patience, () => refuse(...refusal));
    else if (this.kind === 'no-answer') this.#after(NO_ANSWER_MS, () => refuse(408, 'Request Timeout'));
    else {
      // A machine picks up at once, a person takes a moment.
      this.#after(
        this.kind === 'person' || this.kind === 'colleague' ? patience : (this.#description.answerAfterMs ?? 0),
        () => {
          this.pickUp();
          outcome.onAnswered();
        },
      );
    }
  }

  /** From now on the voice is heard instead of the ringing. A caller who dialled has picked up by dialling. */
  pickUp(): void {
    this.#answered = true;
  }

  #after(delayMs: number, act: () => void): void {
    this.#timer = setTimeout(() => {
      if (!this.#ended) act();
    }, delayMs);
  }

  speak(): Int16Array | undefined {
    if (!this.#answered && this.#description.earlyMedia !== 'announcement') {
      const ringing = new Int16Array(FRAME_SAMPLES);
      this.#ringing.fill(ringing);
      return ringing;
    }
    if (this.kind === 'echo') {
      const returned = this.#echo;
      this.#echo = undefined;
      return returned;
    }
    const frame = new Int16Array(FRAME_SAMPLES);
    const key = this.#keyVoice;
    if (key && key.leftMs > 0) {
      key.voice.fill(frame);
      key.leftMs -= FRAME_MS;
    } else {
      this.#voice.fill(frame);
    }
    return frame;
  }

  hear(frame: Int16Array | undefined): void {
    this.#ear.hear(frame ?? new Int16Array(FRAME_SAMPLES));
    this.#echo = frame;
  }

  heard(windowMs: number): Int16Array {
    return this.#ear.last(windowMs);
  }

  press(key: string): void {
    if (this.kind === 'announcement') this.#keyVoice = { voice: tone(keyToneHz(key)), leftMs: KEY_TONE_MS };
  }

  hangUp(cause: EndCause): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.onEnded?.(cause);
  }
}
