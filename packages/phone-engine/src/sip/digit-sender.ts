/**
 * Owns how the digits of one call leave, in the order in which they were pressed: as telephone events (RFC 4733), as INFO, or as tones in the sound.
 * Must never send a digit twice, and never let one disappear without a word.
 */
import type { ClockPort, SipAccount } from '../ports.ts';
import { soundKeys } from './key-tones.ts';

type Way = SipAccount['digits'];

/** What the profile wants first, then what may take its place where the far side cannot. Tones in the sound need nobody's consent. */
const ways: Readonly<Record<Way, readonly Way[]>> = {
  rfc4733: ['rfc4733', 'info', 'in-band'],
  info: ['info', 'rfc4733', 'in-band'],
  'in-band': ['in-band'],
};

const toneMs = 100;
const gapMs = 70;
const pauseMs = 2_000;

/** What the sender needs of the call's sound. */
export interface DigitSound {
  /** Why the far side could hear nothing now, in plain words; empty when it can. Waits for a path that is just being made. */
  trouble(): Promise<string>;
  /** Undefined where no telephone events are agreed upon. */
  events(): RTCDTMFSender | undefined;
  /** Telephone events leave for so many ms from now on. */
  leave(ms: number): void;
  /** Key tones in the place of the microphone; undefined gives it back. */
  press(track: MediaStreamTrack | undefined): Promise<void>;
}

/** What the sender needs of the call's signalling. */
export interface DigitSignalling {
  /** Whether the far side's Allow names INFO; undefined: it sent none. */
  takesInfo(): boolean | undefined;
  /** Sends INFO with this body of type application/dtmf-relay. Resolves with the final status, 0 when none came. */
  info(body: string): Promise<number>;
}

export interface DigitSenderOptions {
  readonly way: Way;
  readonly sound: DigitSound;
  readonly clock: ClockPort;
  readonly newAudioContext: () => AudioContext;
}

export class DigitSender {
  readonly #options: DigitSenderOptions;
  #last: Promise<unknown> = Promise.resolve();
  /** The far side refused INFO once; it is not asked again in this call. */
  #infoRefused = false;

  constructor(options: DigitSenderOptions) {
    this.#options = options;
  }

  /**
   * Sends what `parseDigits` let through, after all that was asked for before.
   * @returns why not, in plain words, or an empty text; never rejects
   */
  send(digits: string, signalling: DigitSignalling): Promise<string> {
    const turn = this.#last.then(() => this.#send(digits, signalling)).catch(() => 'These digits could not be sent.');
    this.#last = turn;
    return turn;
  }

  async #send(digits: string, signalling: DigitSignalling): Promise<string> {
    const trouble = await this.#options.sound.trouble();
    if (trouble !== '') return trouble;
    let left = digits;
    let why = '';
    for (const way of ways[this.#options.way]) {
      const outcome = await this.#by(way, left, signalling);
      left = outcome.left;
      if (left === '') return '';
      // The first reason is the profile's own way; what was tried after it only stood in.
      why ||= outcome.why;
    }
    return why || 'The far side takes no digits on this call right now.';
  }

  async #by(way: Way, digits: string, signalling: DigitSignalling): Promise<{ left: string; why: string }> {
    const { sound, clock, newAudioContext } = this.#options;
    if (way === 'in-band') {
      const why = await soundKeys(digits, (track) => sound.press(track), newAudioContext, clock);
      return { left: why === '' ? '' : digits, why };
    }
    if (way === 'info') return this.#byInfo(digits, signalling);
    const events = sound.events();
    if (!events) return { left: digits, why: 'The far side takes no digits on this call right now.' };
    // What is still waiting to leave goes first; the browser itself waits two seconds for a comma.
    const all = events.toneBuffer + digits;
    events.insertDTMF(all, toneMs, gapMs);
    // The one that is leaving already is not in the buffer any more.
    sound.leave([...` ${all}`].reduce((ms, digit) => ms + (digit === ',' ? pauseMs : toneMs + gapMs), 0));
    return { left: '', why: '' };
  }

  async #byInfo(digits: string, signalling: DigitSignalling): Promise<{ left: string; why: string }> {
    const allowed = signalling.takesInfo();
    // Some phones say 200 to any INFO and do nothing: where it only stands in for events, the far side must have named it.
    if (this.#infoRefused || allowed === false || (allowed === undefined && this.#options.way !== 'info'))
      return { left: digits, why: 'The far side takes no digits on this call right now.' };
    for (let index = 0; index < digits.length; index += 1) {
      const digit = digits[index];
      if (digit === ',') {
        await this.#pause(pauseMs);
        continue;
      }
      const status = await signalling.info(`Signal=${digit}\r\nDuration=${toneMs}\r\n`);
      if (status < 200 || status >= 300) {
        // Unknown here, whatever the words: asking again would only delay the next digits.
        this.#infoRefused = status >= 400 && status < 600 && status !== 408;
        return {
          left: digits.slice(index),
          why:
            status === 0
              ? 'The line is down.'
              : `The phone system did not take the digits (INFO was answered with ${status}).`,
        };
      }
      await this.#pause(toneMs + gapMs);
    }
    return { left: '', why: '' };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.setTimeout(resolve, ms));
  }
}
