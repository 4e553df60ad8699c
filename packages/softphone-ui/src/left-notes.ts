/**
 * Notes that were typed when the page went: what the phone did not have yet is put down in this tab's own storage at the last moment, and given
 * to the call, or to its log, by the page that comes next. Owns that one entry. Must never hold what the phone already has.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { SharedPhone } from '@patchcord/phone-engine';
import type { Journal } from './journal.ts';

/** Epoch ms, and the note of each call. */
interface Left {
  readonly at: number;
  readonly notes: readonly (readonly [CallId, string])[];
}

export interface LeftNotes {
  /** Keeps what `unsaved` says whenever the page goes, until the returned function is called. */
  keep(unsaved: () => readonly (readonly [CallId, string])[]): () => void;
  /** What the page before left, once. */
  take(): Left | null;
}

/** For one agent in one tab. Where storage is refused nothing is kept: the note then is half a second old at most. */
export function createLeftNotes(
  view: Pick<Window, 'addEventListener' | 'removeEventListener'>,
  storage: () => Storage,
  key: string,
): LeftNotes {
  function attempt<T>(work: () => T): T | null {
    try {
      return work();
    } catch {
      return null;
    }
  }
  return {
    keep(unsaved) {
      const leave = (): void => {
        const notes = unsaved();
        if (notes.length > 0) attempt(() => storage().setItem(key, JSON.stringify({ at: Date.now(), notes })));
      };
      // The page was only put aside: it still has its drafts.
      const back = (): void => void attempt(() => storage().removeItem(key));
      view.addEventListener('pagehide', leave);
      view.addEventListener('pageshow', back);
      return () => {
        view.removeEventListener('pagehide', leave);
        view.removeEventListener('pageshow', back);
      };
    },
    take: () =>
      attempt(() => {
        const text = storage().getItem(key);
        storage().removeItem(key);
        const left: unknown = JSON.parse(text ?? 'null');
        return isLeft(left) ? left : null;
      }),
  };
}

function isLeft(value: unknown): value is Left {
  const { at, notes } = (value ?? {}) as Partial<Left>;
  const isNote = (note: unknown): boolean =>
    Array.isArray(note) && note.length === 2 && note.every((text) => typeof text === 'string');
  return typeof at === 'number' && Array.isArray(notes) && notes.every(isNote);
}

/** Gives left notes back as soon as this frame knows the calls: to the call where it lives on in another frame, else to its log. */
export function giveBackNotes(
  left: LeftNotes,
  phone: Pick<SharedPhone, 'role' | 'onRole' | 'state'>,
  write: (call: CallId, note: string) => void,
  journal: Pick<Journal, 'append'>,
): void {
  const taken = left.take();
  if (taken === null) return;
  const give = (): boolean => {
    if (phone.role() === 'joining') return false;
    for (const [call, note] of taken.notes) {
      if (phone.state().calls.some((other) => other.id === call)) write(call, note);
      else void journal.append({ name: 'wrap-up.saved', at: taken.at, call, data: { note } });
    }
    return true;
  };
  if (give()) return;
  const stop = phone.onRole(() => {
    if (give()) stop();
  });
}
