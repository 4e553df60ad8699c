/**
 * The items of a realtime session: which sound each stands for, and telling them in order although the service completes them in any order. Owns
 * their memory, which is bounded: an item that never completes is given up once enough has been said after it.
 */
import type { Wire } from './socket-session.ts';

export interface ItemOrder {
  /** The service heard somebody begin, or stop, to speak (ms of sound). */
  started(atMs: number): void;
  stopped(atMs: number): void;
  /** `stretch`: what of the sound it is, where that was our own decision; asked for once an item. */
  committed(id: string, previous: string | null, stretch: () => Stretch | undefined): void;
  delta(id: string, text: string): void;
  /** An empty text: it has no words. */
  done(id: string, text: string): void;
  /** Items that are not told yet. */
  readonly size: number;
}

interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
}

interface Item {
  readonly id: string;
  startMs: number;
  endMs: number;
  text: string;
  isCommitted: boolean;
  isDone: boolean;
}

const mostBehind = 8;
const oldestMs = 20_000;
const mostItems = 64;
const longestText = 16_000;

export function createItemOrder(wire: Pick<Wire, 'heard' | 'soundMs'>): ItemOrder {
  const items: Item[] = [];
  const told: string[] = [];
  let startedMs: number | null = null;
  let stoppedMs: number | null = null;
  let lastEndMs = 0;

  const tell = (item: Item, final: boolean): void =>
    wire.heard({
      utterance: item.id,
      text: item.text.trim(),
      startMs: Math.round(item.startMs),
      endMs: Math.round(Math.max(item.startMs, item.endMs)),
      final,
    });
  const itemOf = (id: string): Item | undefined => {
    if (told.includes(id)) return undefined;
    const known = items.find((item) => item.id === id);
    if (known !== undefined) return known;
    const item: Item = {
      id,
      startMs: startedMs ?? lastEndMs,
      endMs: wire.soundMs,
      text: '',
      isCommitted: false,
      isDone: false,
    };
    items.push(item);
    return item;
  };
  const isGivenUp = (head: Item): boolean => {
    const behind = items.filter((item) => item.isDone).length;
    return items.length > mostItems || behind >= mostBehind || (behind > 0 && wire.soundMs - head.endMs > oldestMs);
  };
  const release = (): void => {
    for (let head = items[0]; head !== undefined && (head.isDone || isGivenUp(head)); head = items[0]) {
      items.shift();
      told.push(head.id);
      if (told.length > mostItems) told.shift();
      tell(head, true);
    }
  };

  return {
    started: (atMs) => {
      startedMs = atMs;
    },
    stopped: (atMs) => {
      stoppedMs = atMs;
    },
    committed(id, previous, take) {
      const item = itemOf(id);
      if (item === undefined || item.isCommitted) return;
      const stretch = take();
      item.isCommitted = true;
      item.startMs = startedMs ?? stretch?.startMs ?? lastEndMs;
      item.endMs = Math.max(item.startMs, stoppedMs ?? stretch?.endMs ?? wire.soundMs);
      lastEndMs = item.endMs;
      startedMs = null;
      stoppedMs = null;
      const after = previous === null ? -1 : items.findIndex((other) => other.id === previous);
      const from = items.indexOf(item);
      if (after !== -1 && after + 1 !== from) {
        items.splice(from, 1);
        items.splice(items.findIndex((other) => other.id === previous) + 1, 0, item);
      }
      release();
    },
    delta(id, text) {
      const item = itemOf(id);
      if (item === undefined || item.isDone) return;
      item.text = (item.text + text).slice(0, longestText);
      if (!item.isCommitted) item.endMs = wire.soundMs;
      if (item.text.trim() !== '') tell(item, false);
      release();
    },
    done(id, text) {
      const item = itemOf(id);
      if (item === undefined) return;
      item.text = text.slice(0, longestText);
      item.isDone = true;
      release();
    },
    get size() {
      return items.length;
    },
  };
}
