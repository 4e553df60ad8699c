/**
 * Notes while they are typed: what the agent sees is the draft, what the phone has follows half a second behind and at once on blur and
 * submit. A draft is let go when the phone has the same text, or the call is gone; one that nobody was there to take is offered again with
 * the next state, also where another frame holds the phone by then. Must never overwrite what is being typed with what comes back.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallState, ClockPort, Phone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';

export interface Notes {
  /** Drafts the phone does not have yet. */
  readonly drafts: ReadonlySignal<ReadonlyMap<CallId, string>>;
  write(call: CallId, text: string): void;
  /** Gives the phone what was typed, down to the last letter; resolves whether it has it. Never rejects: why not goes to `refused`. */
  flush(call: CallId): Promise<boolean>;
  /** To be called with every new state of a phone that somebody owns. */
  settle(calls: readonly CallState[]): void;
}

const restMs = 500;

/** Keeps drafts for one phone. */
export function createNotes(phone: Pick<Phone, 'send'>, clock: ClockPort, refused: (reason: string) => void): Notes {
  const drafts = signal<ReadonlyMap<CallId, string>>(new Map());
  const timers = new Map<CallId, unknown>();
  /** Nobody took them: the phone was gone, or did not answer. */
  const untaken = new Set<CallId>();

  async function flush(call: CallId): Promise<boolean> {
    for (let had: string | undefined; ; ) {
      clock.clearTimeout(timers.get(call));
      timers.delete(call);
      const note = drafts.value.get(call);
      // Typed on while the phone took the last text: that goes too.
      if (note === undefined || note === had) return true;
      untaken.delete(call);
      const result = await phone.send({ type: 'call.write-note', call, note });
      if (!result.ok) {
        // What the phone itself refuses it would refuse again.
        if (result.code === 'line.not-ready') untaken.add(call);
        refused(result.reason);
        return false;
      }
      had = note;
    }
  }

  return {
    drafts,
    write(call, text) {
      drafts.value = new Map(drafts.value).set(call, text);
      clock.clearTimeout(timers.get(call));
      timers.set(
        call,
        clock.setTimeout(() => void flush(call), restMs),
      );
    },
    flush,
    settle(calls) {
      const kept = [...drafts.value].filter(([id, text]) => {
        const call = calls.find((other) => other.id === id);
        return call !== undefined && (call.note !== text || timers.has(id));
      });
      if (kept.length !== drafts.value.size) drafts.value = new Map(kept);
      for (const [id] of kept) if (untaken.has(id)) void flush(id);
    },
  };
}
