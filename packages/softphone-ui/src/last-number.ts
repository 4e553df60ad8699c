/** The number to call again, as the call button of an office phone knows it. Owns which one that is; no storage, so that none outlives the page. */
import type { CallHistory } from './call-history.ts';

export interface LastNumber {
  /** A number that was just called, as it reads. */
  dialled(display: string): void;
  /** null: nobody was called yet, as far as the relay knows. */
  find(): Promise<string | null>;
}

export function createLastNumber({
  calls,
  status,
  reload,
}: Pick<CallHistory, 'calls' | 'status' | 'reload'>): LastNumber {
  let last: string | null = null;
  return {
    dialled(display) {
      last = display;
    },
    async find() {
      if (last === null && status.value === 'idle') await reload();
      const farSide = calls.value.find(({ direction }) => direction === 'outbound')?.farSide;
      return last ?? farSide?.e164 ?? farSide?.number ?? null;
    },
  };
}
