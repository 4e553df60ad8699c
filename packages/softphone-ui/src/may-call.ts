/**
 * Whether a number may be called: the relay is asked beside the preparation of a call, and not for long. Owns the waiting and the question to
 * the agent. Must never keep a call from being placed because the relay is slow or away.
 */
import type { E164, MayCall, Profile } from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { RelayClient } from './relay-client.ts';

/** Somebody asked not to be called: the agent decides. */
export interface CallQuestion {
  readonly name: string;
  readonly reason: string;
  /** Calls all the same. */
  go(): void;
  drop(): void;
}

export interface Consent {
  readonly question: ReadonlySignal<CallQuestion | null>;
  /**
   * What the relay says of a number: `yes` where it does not answer in time. null: there is nothing to ask (inside numbers, feature codes).
   * `asking`: it is being asked about this very number; a second press of Call is no second call.
   */
  ask(number: E164 | null): Promise<MayCall> | 'asking' | null;
  /** Puts the question to the agent. */
  put(name: string, reason: string, go: () => Promise<void>): void;
  drop(): void;
}

export interface ConsentOptions {
  readonly profile: ReadonlySignal<Profile>;
  readonly relay: Pick<RelayClient, 'mayCall'>;
  readonly clock: ClockPort;
}

/** An agent who pressed Call is not kept waiting for longer, ms. */
const waitMs = 700;
const yes: MayCall = { verdict: 'yes', reason: '' };

/** No question yet. */
export function createConsent({ profile, relay, clock }: ConsentOptions): Consent {
  const question = signal<CallQuestion | null>(null);
  const asking = new Set<E164>();

  function drop(): void {
    question.value = null;
  }

  async function answerFor(number: E164): Promise<MayCall> {
    asking.add(number);
    let timer: unknown;
    const late = new Promise<MayCall>((resolve) => {
      timer = clock.setTimeout(() => resolve(yes), waitMs);
    });
    const answer = await Promise.race([relay.mayCall(number).catch(() => yes), late]);
    clock.clearTimeout(timer);
    asking.delete(number);
    return answer;
  }

  return {
    question,
    ask(number) {
      drop();
      if (number === null || profile.value.features.doNotCall === 'off') return null;
      return asking.has(number) ? 'asking' : answerFor(number);
    },
    put(name, reason, go) {
      question.value = {
        name,
        reason,
        go() {
          drop();
          void go();
        },
        drop,
      };
    },
    drop,
  };
}
