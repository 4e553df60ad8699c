/**
 * A number that is called as soon as the line is there: of a window that was just opened, or of a phone that is just starting. Owns that one wait
 * and its end, so that what was wished is dialled once or not at all. A window that was opened for no number is waited for as well.
 */
import type { ClockPort, LineState } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';

export type LineWaitEnd = 'ready' | 'late' | 'dropped';

export interface LineWait {
  /** The number that waits, for the eye; empty: a window is waited for, and nobody is called; null: nothing waits. */
  readonly number: ReadonlySignal<string | null>;
  /** Until the line is ready, for a bounded time. A number that waited before is dropped. */
  wait(number: string): Promise<LineWaitEnd>;
  /** To be called with every new state. */
  follow(line: LineState['status']): void;
  /** The agent wants something else. */
  drop(): void;
  /** The agent wants to call something else, or nobody; a window that opens for no call is still waited for. */
  dropNumber(): void;
}

/** A window that loads, signs in and registers needs less; an agent who waits longer has given up. */
const patienceMs = 20_000;

export function createLineWait(clock: ClockPort): LineWait {
  const number = signal<string | null>(null);
  let end: (how: LineWaitEnd) => void = () => undefined;
  return {
    number,
    wait(wanted) {
      end('dropped');
      number.value = wanted;
      return new Promise((resolve) => {
        const finish = (how: LineWaitEnd): void => {
          clock.clearTimeout(timer);
          end = () => undefined;
          number.value = null;
          resolve(how);
        };
        const timer = clock.setTimeout(() => finish('late'), patienceMs);
        end = finish;
      });
    },
    follow(line) {
      if (line === 'ready') end('ready');
    },
    drop: () => end('dropped'),
    dropNumber() {
      if (number.value !== '') end('dropped');
    },
  };
}
