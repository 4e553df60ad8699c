/**
 * The queue: who waits in it is offered to the free agents one after another, for as long as it takes.
 * Owns the turns; must never ring anybody by itself.
 */
import type { MusicBox } from './machine.ts';

/** Rings this extension for whoever waits at the box; `onRefused` comes when it is not answered. */
export type OfferTo = (box: MusicBox, extension: string, onRefused: () => void) => void;

const PAUSE_MS = 500;

export class Queue {
  readonly #offer: OfferTo;
  /** Who was offered the last call: the next one is for somebody else. */
  #last: string | undefined;

  constructor(offer: OfferTo) {
    this.#offer = offer;
  }

  /** Begins to look for an agent; ends when the box does. */
  serve(box: MusicBox, freeAgents: () => string[]): void {
    if (box.ended) return;
    const free = freeAgents();
    const next = free[(free.indexOf(this.#last ?? '') + 1) % Math.max(1, free.length)];
    const again = (): void => {
      setTimeout(() => this.serve(box, freeAgents), PAUSE_MS).unref();
    };
    if (next === undefined) {
      again();
      return;
    }
    this.#last = next;
    this.#offer(box, next, again);
  }
}
