/**
 * Owns the session timer of one call (RFC 4028): how long it may go without a sign of life, who gives it, and when it is due.
 * Must never send anything: it says what stands in which message, and asks for a refresh or for the end.
 */
import type { ClockPort } from '../ports.ts';
import { type HeaderSource, parameter } from './caller-headers.ts';

export interface SessionTimerOptions {
  readonly clock: ClockPort;
  /** What this phone wants by itself, seconds; 0: only what the far side asks for. */
  readonly wantedSeconds: number;
  readonly connected: () => boolean;
  /** A sign of life is due from here: re-INVITE or UPDATE. Its 2xx goes to `agreed`. */
  readonly refresh: () => void;
  /** Nothing was heard for so many seconds. */
  readonly expired: (seconds: number) => void;
}

/** RFC 4028 section 4: nobody has to take less. */
const leastSeconds = 90;
/** An answer that ignores our Min-SE is kept to all the same, but not to the point where refreshes are all there is. */
const shortestSeconds = 10;
const longestSeconds = 86_400;
/** A timer that fires so late slept with the machine: what it would tell may have been there and gone unheard. */
const overslept = 5_000;

export class SessionTimer {
  readonly #options: SessionTimerOptions;
  #seconds = 0;
  #refresher: 'us' | 'them' = 'us';
  #least = leastSeconds;
  #heardAt = 0;
  #timer: unknown;
  #stopped = false;

  constructor(options: SessionTimerOptions) {
    this.#options = options;
  }

  /** What goes into a request of ours that begins the session or keeps it up. */
  requestHeaders(): string[] {
    const running = this.#seconds > 0;
    const seconds = running ? this.#seconds : this.#options.wantedSeconds;
    if (seconds === 0) return [];
    const refresher = running ? `;refresher=${this.#refresher === 'us' ? 'uac' : 'uas'}` : '';
    return [`Session-Expires: ${Math.max(seconds, this.#least)}${refresher}`, `Min-SE: ${this.#least}`];
  }

  /** A 422: true when asking again with what it wants makes sense. */
  tooShort(response: HeaderSource): boolean {
    const wants = secondsOf(response.getHeader('min-se'));
    if (wants === null || wants <= this.#least || wants > longestSeconds) return false;
    this.#least = wants;
    if (this.#seconds > 0) this.#seconds = Math.max(this.#seconds, wants);
    return true;
  }

  /** A 2xx to a request of ours. Where the far side knows no timer, what we want by ourselves is refreshed by us. */
  agreed(response: HeaderSource): void {
    const header = response.getHeader('session-expires');
    const seconds = secondsOf(header);
    if (seconds === null) this.#run(Math.max(this.#options.wantedSeconds, 0), 'us');
    else this.#run(seconds, refresherOf(header) === 'uas' ? 'them' : 'us');
  }

  /** A request of the far side that begins the session or keeps it up: what its answer carries, or the refusal. */
  answer(request: HeaderSource): { readonly refusal: boolean; readonly headers: string[] } {
    const header = request.getHeader('session-expires');
    const asked = secondsOf(header);
    const tooShort = intervalTooShort(request);
    if (tooShort) return { refusal: true, headers: tooShort };
    const { wantedSeconds } = this.#options;
    if (asked === null && wantedSeconds === 0) {
      this.#run(0, 'us');
      return { refusal: false, headers: [] };
    }
    const wanted = wantedSeconds === 0 ? longestSeconds : wantedSeconds;
    // Not below what anybody on the way asks for (RFC 4028 section 9).
    const floor = Math.max(leastSeconds, secondsOf(request.getHeader('min-se')) ?? 0);
    const seconds = Math.max(Math.min(asked ?? wanted, wanted), floor);
    // Whoever names a refresher knows timers, also when a request inside the dialog no longer says so.
    const refresher = refresherOf(header);
    const us = (!knowsTimer(request) && refresher === undefined) || refresher === 'uas';
    this.#run(seconds, us ? 'us' : 'them');
    return {
      refusal: false,
      headers: [`Session-Expires: ${seconds};refresher=${us ? 'uas' : 'uac'}`, ...(us ? [] : ['Require: timer'])],
    };
  }

  /** What was agreed upon, seconds; 0: no timer. */
  get seconds(): number {
    return this.#seconds;
  }

  /** What an earlier owner agreed upon; our next request says so, and its answer sets the timer. */
  recall(seconds: number): void {
    this.#seconds = seconds;
  }

  stop(): void {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #run(seconds: number, refresher: 'us' | 'them'): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#seconds = seconds === 0 ? 0 : Math.min(Math.max(seconds, shortestSeconds), longestSeconds);
    this.#refresher = refresher;
    this.#heardAt = clock.now();
    if (this.#seconds === 0 || this.#stopped) return;
    if (refresher === 'us') this.#in(this.#seconds / 2, () => this.#give());
    // RFC 4028 section 10: a little before the end, so that the BYE is there in time.
    else this.#in(this.#seconds - Math.min(32, this.#seconds / 3), (late) => this.#miss(late));
  }

  /** Gives a sign of life, again and again until it is answered or the time is over. */
  #give(): void {
    const { clock, connected, refresh } = this.#options;
    if (connected() && clock.now() - this.#heardAt >= this.#seconds * 1_000 + overslept) {
      this.#expire();
      return;
    }
    if (connected()) refresh();
    this.#in(Math.max(this.#seconds / 8, 2), () => this.#give());
  }

  #miss(late: boolean): void {
    // While the line was down, or the machine asleep, nothing could be heard: then we ask before we judge.
    if (late || !this.#options.connected()) {
      this.#heardAt = this.#options.clock.now();
      this.#give();
    } else this.#expire();
  }

  #expire(): void {
    this.#options.expired(this.#seconds);
  }

  #in(seconds: number, run: (late: boolean) => void): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const due = clock.now() + seconds * 1_000;
    this.#timer = clock.setTimeout(() => run(clock.now() - due > overslept), seconds * 1_000);
  }
}

/** The Min-SE to refuse an INVITE with (422), or null when its interval is long enough for us. */
export function intervalTooShort(request: HeaderSource): string[] | null {
  const asked = secondsOf(request.getHeader('session-expires'));
  return asked !== null && asked < leastSeconds && knowsTimer(request) ? [`Min-SE: ${leastSeconds}`] : null;
}

function knowsTimer(request: HeaderSource): boolean {
  return request.getHeaders('supported').some((tags) => /(^|[\s,])timer\b/i.test(tags));
}

function refresherOf(header: string | undefined): string | undefined {
  return parameter(header ?? '', 'refresher')?.toLowerCase();
}

function secondsOf(header: string | undefined): number | null {
  const digits = /^\s*(\d{1,9})/.exec(header ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}
