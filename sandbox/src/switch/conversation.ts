/**
 * Two parties who hear each other, and the one clock that all conversations beat to.
 * Owns who hears what, hold music included; must never know how the parties are reached.
 */
import type { FaultPanel } from './faults.ts';
import type { Party } from './party.ts';
import { FRAME_MS, FRAME_SAMPLES, holdMusic, type SoundStyle, type Voice } from './sound.ts';

export class Conversation {
  readonly #parties: readonly [Party, Party];
  readonly #holders = new Set<Party>();
  readonly #music: Voice;
  readonly #faults: FaultPanel;

  constructor(first: Party, second: Party, style: SoundStyle, faults: FaultPanel) {
    this.#parties = [first, second];
    this.#music = holdMusic(style);
    this.#faults = faults;
  }

  get parties(): readonly [Party, Party] {
    return this.#parties;
  }

  has(party: Party): boolean {
    return this.#parties.includes(party);
  }

  /** The party at the other end. */
  other(party: Party): Party {
    return this.#parties[0] === party ? this.#parties[1] : this.#parties[0];
  }

  isHeldBy(party: Party): boolean {
    return this.#holders.has(party);
  }

  /** Returns false when that was the state already. */
  setHeld(holder: Party, held: boolean): boolean {
    if (this.#holders.has(holder) === held) return false;
    if (held) this.#holders.add(holder);
    else this.#holders.delete(holder);
    return true;
  }

  /** Moves 20 ms of sound. Whoever holds hears nothing; whoever is held hears music, unless it is a machine; both at once: silence. */
  beat(isFarSide: (party: Party) => boolean): void {
    const [first, second] = this.#parties;
    // Both are always asked, so that nobody's voice piles up while it is not wanted.
    const voices = new Map([
      [first, first.speak()],
      [second, second.speak()],
    ]);
    for (const listener of this.#parties) {
      const speaker = this.other(listener);
      let frame = voices.get(speaker);
      if (this.#faults.current.muteFarSide && isFarSide(speaker)) frame = undefined;
      if (this.#holders.has(listener)) frame = undefined;
      else if (this.#holders.has(speaker) && listener.machine) frame = undefined;
      else if (this.#holders.has(speaker)) {
        frame = new Int16Array(FRAME_SAMPLES);
        this.#music.fill(frame);
      }
      listener.hear(frame);
    }
  }
}

/**
 * Calls `onBeat` once for every 20 ms that have passed, by the clock and not by counting timer ticks, which come late
 * on a busy machine. After a long sleep it starts afresh instead of catching up. Returns how to stop it.
 */
export function startBeat(onBeat: () => void): () => void {
  let due = performance.now() + FRAME_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - due > 1000) due = now;
    for (; due <= now; due += FRAME_MS) onBeat();
  }, FRAME_MS / 2);
  timer.unref();
  return () => clearInterval(timer);
}
