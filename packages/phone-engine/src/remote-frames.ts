/**
 * The owner's view of the agent's other devices, and their view of it, over the lease: which frames they have, what fits into one message, whose
 * clock says what. Owns the registry of devices. Must never send a state that is longer than the relay takes: matches and watched colleagues go
 * first, then what is over.
 */
import { longestBody } from './line-lease.ts';
import { fromWire, type Look, type SharedMessage, toWire } from './shared-wire.ts';
import type { CallState, PhoneState } from './state.ts';

/** How often an owner asks the other devices whether they are still there; one that does not answer until the next time is gone. */
export const rollCallMs = 30_000;

/** The body of a message to other devices; null when it can't be made short enough. */
export function toBody(message: SharedMessage): string | null {
  for (const shorten of message.type === 'state' ? shorter : [same]) {
    const said = message.type === 'state' ? { ...message, state: shorten(message.state) } : message;
    const body = JSON.stringify(toWire(said));
    if (body.length <= longestBody) return body;
  }
  return null;
}

/** A checked message of another device, or null. */
export function fromBody(body: string): SharedMessage | null {
  if (body.length > longestBody) return null;
  try {
    return fromWire(JSON.parse(body));
  } catch {
    return null;
  }
}

const same = (state: PhoneState): PhoneState => state;
const ofCalls =
  (change: (call: CallState) => CallState) =>
  (state: PhoneState): PhoneState => ({ ...state, calls: state.calls.map(change) });
const fewMatches = ofCalls((call) => ({ ...call, matches: call.matches.slice(0, 10) }));
const least = ofCalls((call) => ({ ...call, matches: [], digits: '' }));
const unwatched = (state: PhoneState): PhoneState => ({ ...least(state), watched: [] });
const withoutOver = (state: PhoneState): PhoneState => {
  const open = state.calls.filter(({ phase }) => phase !== 'ended');
  return { ...unwatched(state), calls: open.length > 0 ? open : state.calls.slice(-1) };
};
/** In this order, until one fits. */
const shorter = [
  same,
  fewMatches,
  least,
  unwatched,
  withoutOver,
  (state: PhoneState) => ofCalls((call) => ({ ...call, note: call.note.slice(0, 2_000) }))(withoutOver(state)),
];

export interface Devices {
  /** A device told of its frames, all of them. Returns those that it had and has no more. */
  told(device: string, frames: readonly Look[]): readonly string[];
  isEmpty(): boolean;
  /** Forgets all of them, and returns their frames. */
  clear(): readonly string[];
  /** The frames of devices that have said nothing since the last roll call; those devices are forgotten. */
  rollCall(): readonly string[];
}

/** Knows of none at first. */
export function createDevices(): Devices {
  const frames = new Map<string, readonly string[]>();
  const silent = new Set<string>();
  return {
    told(device, looks) {
      silent.delete(device);
      const now = looks.map(({ frame }) => frame);
      const gone = (frames.get(device) ?? []).filter((frame) => !now.includes(frame));
      if (now.length === 0) frames.delete(device);
      else frames.set(device, now);
      return gone;
    },
    isEmpty: () => frames.size === 0,
    clear() {
      const gone = [...frames.values()].flat();
      frames.clear();
      silent.clear();
      return gone;
    },
    rollCall() {
      const gone = [...silent].flatMap((device) => frames.get(device) ?? []);
      for (const device of silent) frames.delete(device);
      silent.clear();
      for (const device of frames.keys()) silent.add(device);
      return gone;
    },
  };
}
