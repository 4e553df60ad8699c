/**
 * Whether one side of a call is to be heard. Owns the threshold and the hang-over. Pure: told of one frame after the other.
 */

/** Mean square of the loudest 10 ms, 1 for full scale: -60 dB. Quiet speech is at -45, the hiss of a good line below -70. */
const threshold = 1e-6;
/** What follows is kept so long, in frames of 100 ms: the end of a word is soft, and a service finds a pause by hearing it. */
const hangOver = 6;

export class SilenceGate {
  #left = 0;

  /** The next frame. @param level of its loudest 10 ms @returns whether it is kept; `begins`: so is the one before it, for the soft beginning of a word */
  hear(level: number): { readonly open: boolean; readonly begins: boolean } {
    const loud = level > threshold;
    const begins = loud && this.#left === 0;
    const open = loud || this.#left > 0;
    this.#left = loud ? hangOver : Math.max(0, this.#left - 1);
    return { open, begins };
  }
}
