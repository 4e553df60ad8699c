/**
 * The parking lot: slots in which somebody waits with music until an agent dials the slot, or the time is over.
 * Owns who is parked where; must never connect anybody by itself, which is the exchange's.
 */
import { MusicBox } from './machine.ts';
import type { Party } from './party.ts';
import { newTag } from './sip-endpoint.ts';
import { holdMusic, type SoundStyle } from './sound.ts';

export type ParkedCall = {
  readonly slot: string;
  readonly party: Party;
  /** The extension of the agent who parked it. */
  readonly by: string;
  /** Epoch milliseconds. */
  readonly since: number;
  /** Names the waiting call for those who watch the slot. */
  readonly dialog: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
};

export type ParkingLotOptions = {
  slots: readonly string[];
  style: SoundStyle;
  /** After this time it comes back to who parked it; Infinity: never. */
  returnAfterMs: number;
  onChanged(slot: string, party: Party | undefined): void;
  /** The time is over: somebody is to ring whoever parked the call. Called again after the same time if nobody takes it. */
  onOverdue(box: MusicBox, parked: ParkedCall): void;
};

export class ParkingLot {
  readonly #options: ParkingLotOptions;
  readonly #boxes = new Map<string, MusicBox>();
  readonly #parked = new Map<string, ParkedCall>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: ParkingLotOptions) {
    this.#options = options;
  }

  has(slot: string): boolean {
    return this.#options.slots.includes(slot);
  }

  /** Who waits in this slot. */
  in(slot: string): ParkedCall | undefined {
    return this.#parked.get(slot);
  }

  all(): ParkedCall[] {
    return [...this.#parked.values()];
  }

  /** A free place, in this slot or in the first free one; undefined when it is taken or the lot is full. */
  place(by: string, slot?: string): MusicBox | undefined {
    const free = this.#options.slots.find((entry) => !this.#boxes.has(entry) && (slot === undefined || slot === entry));
    if (free === undefined) return undefined;
    const box = new MusicBox(free, 'Parked', holdMusic(this.#options.style));
    this.#boxes.set(free, box);
    box.onJoined = (party) => {
      const dialog = { callId: newTag(), localTag: newTag(), remoteTag: newTag() };
      this.#parked.set(free, { slot: free, party, by, since: Date.now(), dialog });
      this.#watch(free, box);
      this.#options.onChanged(free, party);
    };
    return box;
  }

  /** The place is empty again: its machine has ended. */
  freed(box: MusicBox): void {
    if (this.#boxes.get(box.number) !== box) return;
    this.#boxes.delete(box.number);
    clearTimeout(this.#timers.get(box.number));
    this.#timers.delete(box.number);
    if (this.#parked.delete(box.number)) this.#options.onChanged(box.number, undefined);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #watch(slot: string, box: MusicBox): void {
    clearTimeout(this.#timers.get(slot));
    if (!Number.isFinite(this.#options.returnAfterMs)) return;
    const timer = setTimeout(() => {
      const parked = this.#parked.get(slot);
      if (!parked) return;
      this.#options.onOverdue(box, parked);
      this.#watch(slot, box);
    }, this.#options.returnAfterMs);
    timer.unref();
    this.#timers.set(slot, timer);
  }
}
