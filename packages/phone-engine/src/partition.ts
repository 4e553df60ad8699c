/**
 * The frames of one storage partition: they elect a head by a Web Lock, know of each other's end by a lock each, and talk over a BroadcastChannel.
 * Owns locks and channel. Must never know what the head does with its rank, nor what is said.
 */
import { fromWire, type SharedMessage, toWire } from './shared-wire.ts';

export interface Partition {
  post(message: SharedMessage): void;
  /** Runs once when that frame is gone: each holds a lock of its own for life. */
  watch(frame: string, gone: () => void): void;
  /** Takes the rank from whoever has it, answering or not. */
  seize(): void;
  /** Gives the rank to the next that waits, and never asks for it again. */
  resign(): void;
  /** The others don't hear this frame any more, and it can't hear them. */
  goApart(): void;
  leave(): void;
}

export interface PartitionOptions {
  readonly name: string;
  readonly me: string;
  /** False: never becomes the head. */
  readonly mayLead: boolean;
  readonly locks: Pick<LockManager, 'request'>;
  readonly openChannel: (name: string) => BroadcastChannel;
  readonly heard: (message: SharedMessage) => void;
  /** The others can see from now on that this frame is alive. */
  readonly present: () => void;
  /** This frame is the head. False: it can't be, the next may. */
  readonly elected: () => boolean;
  /** Another frame seized the rank; this one waits for it again. */
  readonly deposed: () => void;
  /** Locks or channels are forbidden here. */
  readonly forbidden: (error: unknown) => void;
  readonly fault: (error: unknown) => void;
}

/** Joins; nothing is told before this returns. */
export function joinPartition(options: PartitionOptions): Partition {
  const { me, locks } = options;
  const lockName = `patchcord:${options.name}`;
  const leaving = new AbortController();
  let waiting: AbortController | null = null;
  let channel: BroadcastChannel | null = null;
  let endLife: (() => void) | null = null;
  let endRank: (() => void) | null = null;
  let left = false;

  function claim(how: 'wait' | 'steal'): void {
    let mine = false;
    const granted = (): Promise<void> | undefined => {
      if (left || !options.elected()) return;
      mine = true;
      return new Promise((resolve) => {
        endRank = resolve;
      });
    };
    const withdrawn = new AbortController();
    waiting?.abort();
    waiting = how === 'wait' ? withdrawn : null;
    const asked = how === 'wait' ? { signal: withdrawn.signal } : { steal: true };
    locks.request(lockName, asked, granted).catch((error: unknown) => {
      if (left || withdrawn.signal.aborted) return;
      if (!mine) return options.forbidden(error);
      endRank = null;
      options.deposed();
      claim('wait');
    });
  }

  function goApart(): void {
    if (channel === null) return;
    channel.onmessage = null;
    channel.close();
    channel = null;
  }

  function join(): void {
    try {
      channel = options.openChannel(lockName);
      channel.onmessage = (event) => {
        const message = fromWire(event.data);
        if (message !== null && !left) options.heard(message);
      };
      const life = new Promise<void>((resolve) => {
        endLife = resolve;
      });
      const living = locks.request(`${lockName}:${me}`, () => {
        options.present();
        return life;
      });
      if (options.mayLead) {
        // A refusal here changes nothing: the rank's own lock decides.
        living.catch(() => undefined);
        claim('wait');
      } else living.catch((error: unknown) => options.forbidden(error));
    } catch (error) {
      // Later, as a lock would be granted: whoever joins has time to listen.
      queueMicrotask(() => options.forbidden(error));
    }
  }
  join();

  return {
    post(message) {
      try {
        channel?.postMessage(toWire(message));
      } catch (error) {
        options.fault(error);
      }
    },
    watch(frame, gone) {
      locks
        .request(`${lockName}:${frame}`, { signal: leaving.signal }, () => {
          if (!left) gone();
        })
        .catch(() => undefined);
    },
    seize: () => claim('steal'),
    resign() {
      endRank?.();
      endRank = null;
    },
    goApart,
    leave() {
      left = true;
      leaving.abort();
      waiting?.abort();
      endRank?.();
      endLife?.();
      goApart();
    },
  };
}
