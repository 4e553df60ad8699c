/**
 * Owns whether the sound of one call still arrives: packets that came steadily, and then stay away. A media server that was restarted, a changed network
 * and a forgotten mapping of a router show themselves so, seconds before ICE does, or instead of it.
 * A far side that falls silent by itself (DTX, comfort noise, a mute that sends nothing) looks the same. It costs one alarm, after which every pause has
 * to be longer than twice the last one; twenty seconds without a pause make the watch quick again.
 * Must never decide what follows from an alarm.
 */
import type { ClockPort } from '../ports.ts';

export interface SilenceWatchOptions {
  readonly clock: ClockPort;
  /** Packets of the far side so far. */
  readonly received: () => Promise<number>;
  /** The far side should be sending: the call is connected and nobody holds it. */
  readonly expected: () => boolean;
  readonly onSilence: () => void;
}

const lookMs = 200;
/** With the look before it: an alarm comes 0.8 to 1 s after the last packet. */
const silenceMs = 800;
/** Two looks without a packet are enough where something else says that the network changed. */
const doubtedMs = 300;
const doubtMs = 3_000;
/** Sound that has come without a gap for so long is steady; from any other only four times the silence is an alarm. */
const steadyMs = 2_000;
const unsteadyFactor = 4;
const calmMs = 20_000;
const longestPatienceMs = 60_000;

export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #timer: unknown;
  #packets: number | undefined;
  /** When packets were last seen to have come; undefined: not since the watch began. */
  #lastAt: number | undefined;
  /** Since when they have come without a gap. */
  #steadySince = 0;
  /** Looks in a row that found nothing new. */
  #empty = 0;
  #alarmed = false;
  /** Nothing has come yet since the sound is expected again. */
  #resumed = false;
  #patienceMs = silenceMs;
  #doubtedUntil = 0;

  /** Watches from now on, until `stop`. */
  constructor(options: SilenceWatchOptions) {
    this.#options = options;
    this.#plan();
  }

  /** Sound came within the last looks. */
  get hears(): boolean {
    return this.#lastAt !== undefined && this.#empty < 2;
  }

  /** Something else says that the network changed: for a moment less silence is enough. */
  doubt(): void {
    this.#doubtedUntil = this.#options.clock.now() + doubtMs;
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #plan(): void {
    this.#timer = this.#options.clock.setTimeout(() => void this.#look(), lookMs);
  }

  async #look(): Promise<void> {
    const { received, expected } = this.#options;
    if (!expected()) this.#packets = undefined;
    else this.#judge(await received().catch(() => 0));
    if (this.#timer !== null) this.#plan();
  }

  #judge(packets: number): void {
    const now = this.#options.clock.now();
    const first = this.#packets === undefined;
    const same = packets === this.#packets;
    this.#packets = packets;
    if (first) {
      // After a hold the sound that there was before is waited for, with more patience.
      if (this.#lastAt !== undefined) this.#lastAt = this.#steadySince = now;
      this.#empty = 0;
      this.#resumed = true;
      return;
    }
    if (same) this.#miss(now);
    else this.#hear(now);
  }

  #hear(now: number): void {
    if (this.#lastAt === undefined || this.#empty > 0) this.#steadySince = now;
    // A lost packet more or less is no pause.
    if (this.#lastAt !== undefined && this.#empty > 1 && !this.#resumed) {
      const pauseMs = now - this.#lastAt;
      const known = this.#alarmed ? this.#patienceMs : 0;
      this.#patienceMs = Math.min(longestPatienceMs, Math.max(this.#patienceMs, 2 * pauseMs, 2 * known));
    } else if (now - this.#steadySince >= calmMs) this.#patienceMs = silenceMs;
    this.#lastAt = now;
    this.#empty = 0;
    this.#alarmed = this.#resumed = false;
  }

  #miss(now: number): void {
    this.#empty += 1;
    // The first look after a machine slept, or had too much to do, proves nothing.
    if (this.#alarmed || this.#lastAt === undefined || this.#empty < 2) return;
    const steady = this.#lastAt - this.#steadySince >= steadyMs;
    const patienceMs = this.#patienceMs * (steady ? 1 : unsteadyFactor);
    if (now - this.#lastAt < (now < this.#doubtedUntil ? Math.min(doubtedMs, patienceMs) : patienceMs)) return;
    this.#alarmed = true;
    this.#options.onSilence();
  }
}
