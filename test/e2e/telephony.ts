/**
 * The telephone system a journey runs on, with far ends that are known by their tone: the sandbox switch (the fast way), or the real edge
 * (Kamailio, rtpengine, coturn) with baresip and linphone. Owns what both have in common; knows no panel and no CRM.
 */
import type { Telephony } from '../../scripts/stage.ts';

/** Somebody at the other end, who speaks with one steady tone. */
export interface FarEnd {
  readonly number: string;
  /** Who has this number in both CRMs. */
  readonly person: string;
  readonly toneHz: number;
  /** Resolves once this tone arrives there. @throws with the levels heard when it does not within 8 s. */
  hears(hz: number): Promise<void>;
  /** Resolves once this tone does not arrive any more. */
  hearsNot(hz: number): Promise<void>;
  /** Resolves once exactly these keys have arrived. */
  receivesKeys(keys: string): Promise<void>;
  hangUp(): Promise<void>;
}

/** A call a far end places to an agent. */
export interface CallToAgent {
  readonly farEnd: FarEnd;
  /** Gives up before the answer, or hangs up. */
  hangUp(): Promise<void>;
}

export interface TestTelephony extends Telephony {
  /** Two far ends that answer by themselves, do DTMF and hold. */
  readonly first: FarEnd;
  readonly second: FarEnd;
  /** Two far ends that can be joined by an attended transfer. */
  readonly transferable: FarEnd;
  readonly transferTarget: FarEnd;
  /** Rings the agent; resolves when the INVITE is out. */
  call(from: FarEnd, extension: string): Promise<CallToAgent>;
  close(): Promise<void>;
}

/** Waits until `good` gives a value. @throws naming `what` after `withinMs`. */
export async function until<T>(
  what: string,
  good: () => T | undefined | Promise<T | undefined>,
  withinMs = 8_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await good();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
