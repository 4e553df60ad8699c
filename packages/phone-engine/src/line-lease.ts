/**
 * The seam to whoever decides which device owns the line: the relay holds one lease per agent, across storage partitions, browsers and computers.
 * Only the frame that is the head of its partition uses it; a frame that listens to nothing costs it nothing.
 */

/** What is heard of the line. `epoch` grows with every grant, whoever it goes to. */
export interface LineLeaseListener {
  /** This device owns the line. `kept`: what the owner before left. Said again after each renewal. */
  yours(epoch: number, kept: string | null): void;
  /** Another device owns it. `where`: for a person, such as "Chrome on Windows". */
  elsewhere(where: string, device: string, epoch: number): void;
  /** Nobody owns it any more. */
  free(epoch: number): void;
  /** Another device of this agent said something. Untrusted: another version of this script, at best. */
  said(device: string, body: string): void;
  /** The relay can't be reached; what was asked last is asked again as soon as it can be. */
  away(): void;
}

export interface LineLease {
  /** Listens until the returned function is called, which also ends the renewals, without giving the line back: the next frame of this device has it. */
  listen(listener: LineLeaseListener): () => void;
  /** Wants the line, `take`: also from a device that has it. `yours` or `elsewhere` follows, now or when the relay can be reached. */
  ask(take: boolean): void;
  /** Gives the line back. */
  leave(): void;
  /** What another device would have to know to go on, at most {@link longestBody} characters. Kept sealed, for the next owner only. */
  keep(kept: string): void;
  /** To the agent's other devices, at most {@link longestBody} characters. False: nobody hears it. */
  say(body: string): boolean;
}

/** Characters that the relay takes in one body. */
export const longestBody = 48_000;
