/**
 * What every end of a conversation is, be it an agent's browser or a caller inside the switch: something with a mouth,
 * an ear and keys. Holds the type alone, so that the two kinds need not know each other.
 */

/** Why a call ended. `status` is the SIP status when it was never answered. */
export type EndCause = { by: 'agent' | 'far side' | 'switch'; status?: number; reason?: string };

export interface Party {
  /** E.164 number of a caller, extension of an agent. */
  readonly number: string;
  readonly name: string | undefined;
  /** True for what lives in the switch and is nobody: a mailbox, a room, a parking space. No music is played to it. */
  readonly machine?: boolean;
  /** The next 20 ms of sound from this party; undefined when it says nothing. */
  speak(): Int16Array | undefined;
  /** 20 ms of sound towards this party; undefined is silence. */
  hear(frame: Int16Array | undefined): void;
  /** What this party received in the last `windowMs` (at most ten seconds). */
  heard(windowMs: number): Int16Array;
  /** The other end pressed a key. */
  press(key: string): void;
  /** Ends this party's part, telling its device if it has one. Harmless when it has ended already. */
  hangUp(cause: EndCause): void;
}
