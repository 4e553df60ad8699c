/**
 * Owns bringing the sound of one call back once its path is doubted: first the line is proven, then a re-INVITE with ICE restart is sent, again and again
 * at growing intervals until something shows that the path is there, and not for ever: the next sign of trouble begins anew.
 * Must never offer over a line that is down; and never conclude from the signalling that there is sound.
 */
import type { ClockPort } from '../ports.ts';
import { LineWait } from './line-wait.ts';
import type { PathEvidence } from './sound-path.ts';

export interface PathMendingOptions {
  readonly clock: ClockPort;
  /** Resolves when it is known whether requests reach the server. */
  readonly prove: () => Promise<void>;
  /** The line is up. */
  readonly connected: () => boolean;
  /** Offers a new path; true when the far side took it. Never rejects. */
  readonly offer: () => Promise<boolean>;
  readonly evidence: () => Promise<PathEvidence>;
  /** The call is over, or goes on elsewhere. */
  readonly ended: () => boolean;
}

/** Before the second try and each after it; 2 minutes in all. */
const waitsMs = [300, 700, 1_500, 3_000, 6_000, 10_000, 15_000, 15_000, 15_000, 15_000, 15_000];
/** How long a path that was agreed upon may take to show itself; a slow network gets more with every try. */
const showsWithinMs = 1_200;
const longestShowMs = 5_000;
const lookMs = 60;

export class PathMending {
  readonly #options: PathMendingOptions;
  readonly #wait: LineWait;
  #underWay = false;
  #offering = false;
  #again = false;

  constructor(options: PathMendingOptions) {
    this.#options = options;
    this.#wait = new LineWait(options.clock);
  }

  get underWay(): boolean {
    return this.#underWay;
  }

  /** The path is doubted. Does nothing more where it is being mended already. @param sure no sound that comes makes the first offer needless */
  begin(sure = false): void {
    if (this.#underWay) return;
    this.#underWay = true;
    void this.#mend(sure).finally(() => {
      this.#underWay = false;
      if (!this.#again) return;
      this.#again = false;
      this.begin(true);
    });
  }

  /** The line came back over another connection: what was tried before counts for nothing, and a wait ends now. */
  anew(): void {
    // An offer that was under way is made again over the new connection, and is all that is needed.
    if (this.#offering) return;
    this.#again = this.#underWay;
    this.#wait.end();
    this.begin(true);
  }

  /** The call is over: a wait ends now. */
  stop(): void {
    this.#wait.end();
  }

  async #mend(sure: boolean): Promise<void> {
    const { prove, connected, evidence, ended } = this.#options;
    const before = await evidence();
    for (let attempt = 0; attempt <= waitsMs.length; attempt += 1) {
      await prove();
      if (ended() || this.#again) return;
      const first = sure && attempt === 0;
      if (!first && (await evidence()).packets !== before.packets) return;
      if (connected() && (await this.#offer()) && (await this.#shows(before, showsWithinMs * (1 + attempt)))) return;
      if (ended() || this.#again) return;
      await this.#wait.pause(waitsMs[attempt] ?? 0);
    }
  }

  async #offer(): Promise<boolean> {
    this.#offering = true;
    const taken = await this.#options.offer();
    this.#offering = false;
    return taken;
  }

  /** Whether packets came, or ICE chose another way, within this time. */
  async #shows(before: PathEvidence, ms: number): Promise<boolean> {
    const { clock, evidence, ended } = this.#options;
    const until = clock.now() + Math.min(ms, longestShowMs);
    while (!ended() && !this.#again) {
      const now = await evidence();
      if (now.way !== before.way || now.packets !== before.packets) return true;
      if (clock.now() >= until) return false;
      await new Promise<void>((resolve) => clock.setTimeout(resolve, lookMs));
    }
    return true;
  }
}
