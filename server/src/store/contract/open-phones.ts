/**
 * Which phones hold a live socket, at whichever relay, so that a call whose phone is gone can be told from one that is only silent. Must never
 * decide that a call is over.
 */

export interface OpenPhoneStore {
  /**
   * One relay's phones of one moment, all of them: those it named before and does not name now have left it. One transaction, so that no
   * reader sees half of them.
   * @param relay As its heartbeats name it
   * @param sources CloudEvents sources of devices, as their events carry them
   */
  tell(relay: string, sources: readonly string[], now: number): Promise<void>;
  /** Phones that have just come to this relay, ahead of its next word. */
  join(relay: string, sources: readonly string[], now: number): Promise<void>;
  /** Whether this phone holds a live socket, as far as the relay says that saw it last and is still there. */
  isOpen(source: string): Promise<boolean>;
  /** Forgets phones that were last open before this. */
  forget(before: number): Promise<void>;
}
