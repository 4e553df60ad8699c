/**
 * The number the far side sees, as the agent chose it among those of the profile. Owns the choice, which this browser keeps for the agent; one
 * that the profile no longer has counts as none.
 */
import type { Profile } from '@patchcord/call-protocol';
import { computed, type ReadonlySignal, signal } from '@preact/signals';

/** Where the choice is kept; empty: the phone system's own. */
export interface CallerIdMark {
  read(): string;
  write(number: string): void;
}

export interface CallerIdFace {
  /** A number of the profile; null: what the phone system shows by itself. */
  readonly callerId: ReadonlySignal<string | null>;
  chooseCallerId(number: string | null): void;
}

export function createCallerId(profile: ReadonlySignal<Profile>, mark: CallerIdMark): CallerIdFace {
  const chosen = signal(mark.read());
  return {
    callerId: computed(
      () => profile.value.features.callerIds.find(({ number }) => number === chosen.value)?.number ?? null,
    ),
    chooseCallerId(number) {
      chosen.value = number ?? '';
      mark.write(chosen.value);
    },
  };
}

/** A mark kept in the page's own storage; where that is refused, for the life of the page. */
export function createCallerIdMark(storage: () => Pick<Storage, 'getItem' | 'setItem'>, agent: string): CallerIdMark {
  const key = `patchcord.caller-id.${agent}`;
  return {
    read() {
      try {
        return storage().getItem(key) ?? '';
      } catch {
        return '';
      }
    },
    write(number) {
      try {
        storage().setItem(key, number);
      } catch {
        // It then lives as long as the page.
      }
    },
  };
}
