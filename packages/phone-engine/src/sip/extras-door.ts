/**
 * Stands in front of what a call does only now and then (`call-extras.ts`): fetches it when the line is ready, so that nobody waits for it in a call,
 * and lets whoever comes sooner wait for it. Must never keep anybody waiting without an end.
 */
import type { ClockPort } from '../ports.ts';

/** After the line is ready, so that it stands in nobody's way. */
const aheadMs = 1_000;
/** After a load that failed. */
const againMs = 30_000;
const patienceMs = 5_000;
const notLoaded = 'A part of the phone could not be loaded from the relay. Try again in a moment.';

export class ExtrasDoor<Extras> {
  readonly #clock: ClockPort;
  readonly #load: () => Promise<Extras>;
  #there: Extras | undefined;
  #loading: Promise<Extras> | undefined;
  #coming = false;

  /** @param load the module. Rejects when it cannot be loaded. */
  constructor(clock: ClockPort, load: () => Promise<Extras>) {
    this.#clock = clock;
    this.#load = load;
  }

  /** Undefined until it is loaded. */
  get there(): Extras | undefined {
    return this.#there;
  }

  /** Before anybody asks; tried until it is there. */
  ahead(ms = aheadMs): void {
    if (this.#there || this.#coming) return;
    this.#coming = true;
    this.#clock.setTimeout(() => {
      this.#coming = false;
      void this.#fetch().catch(() => this.ahead(againMs));
    }, ms);
  }

  /** At once where it is there, or as soon as it is; in the order of asking. @param refuse instead, after five seconds at the latest; says why */
  use(run: (extras: Extras) => void, refuse: (reason: string) => void): void {
    if (this.#there) {
      run(this.#there);
      return;
    }
    const late = new Promise<never>((_, reject) => this.#clock.setTimeout(reject as () => void, patienceMs));
    Promise.race([this.#fetch(), late]).then(run, () => refuse(notLoaded));
  }

  #fetch(): Promise<Extras> {
    this.#loading ??= this.#load().then(
      (extras) => {
        this.#there = extras;
        return extras;
      },
      (error: unknown) => {
        this.#loading = undefined;
        throw error;
      },
    );
    return this.#loading;
  }
}
