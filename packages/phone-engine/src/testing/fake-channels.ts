/**
 * BroadcastChannel and Web Locks of one browser, in memory: messages are cloned and arrive later, a lock is granted later, first come
 * first served, or taken at once by who steals it. `frame()` gives one frame's view of either, which can die and then holds nothing and hears nothing.
 */

/** Lets everything that is on its way arrive. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

class FakeChannel extends EventTarget {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onmessageerror: ((event: MessageEvent) => void) | null = null;
  readonly name: string;
  closed = false;
  readonly #all: Set<FakeChannel>;

  constructor(name: string, all: Set<FakeChannel>) {
    super();
    this.name = name;
    this.#all = all;
    all.add(this);
  }

  postMessage(message: unknown): void {
    if (this.closed) throw new DOMException('the channel is closed', 'InvalidStateError');
    for (const other of this.#all) {
      if (other === this || other.name !== this.name) continue;
      const data: unknown = structuredClone(message);
      queueMicrotask(() => {
        if (other.closed) return;
        const event = new MessageEvent('message', { data });
        other.onmessage?.(event);
        other.dispatchEvent(event);
      });
    }
  }

  close(): void {
    this.closed = true;
    this.#all.delete(this);
  }
}

export interface FakeFrameChannels {
  open(name: string): BroadcastChannel;
  /** Pedal: the frame is gone. */
  die(): void;
}

export class FakeChannels implements FakeFrameChannels {
  readonly #all = new Set<FakeChannel>();
  readonly #own: FakeFrameChannels = this.frame();

  readonly open = (name: string): BroadcastChannel => this.#own.open(name);

  die(): void {
    this.#own.die();
  }

  frame(): FakeFrameChannels {
    const mine = new Set<FakeChannel>();
    return {
      open: (name) => {
        const channel = new FakeChannel(name, this.#all);
        mine.add(channel);
        return channel as unknown as BroadcastChannel;
      },
      die: () => {
        for (const channel of mine) channel.close();
      },
    };
  }
}

interface Claim {
  readonly name: string;
  readonly grant: () => void;
  /** Another frame stole what this one held. */
  readonly rob: () => void;
}

export interface FakeFrameLocks extends Pick<LockManager, 'request'> {
  /** Pedal: the frame is gone; its locks pass on, its requests are forgotten. */
  die(): void;
}

/** Exclusive locks only: the engine asks for no other kind. */
export class FakeLocks implements FakeFrameLocks {
  readonly #held = new Map<string, Claim>();
  readonly #queue: Claim[] = [];
  readonly #own: FakeFrameLocks = this.frame();

  readonly request: LockManager['request'] = ((...args: unknown[]) =>
    (this.#own.request as (...args: unknown[]) => unknown)(...args)) as LockManager['request'];

  die(): void {
    this.#own.die();
  }

  /** Names of the locks that are held. */
  get held(): readonly string[] {
    return [...this.#held.keys()];
  }

  frame(): FakeFrameLocks {
    const mine = new Set<Claim>();
    let alive = true;
    const request = (name: string, ...rest: unknown[]): Promise<unknown> => {
      const run = rest[rest.length - 1] as (lock: unknown) => unknown;
      const { signal, steal = false } = rest.length > 1 ? (rest[0] as LockOptions) : {};
      return new Promise((resolve, reject) => {
        const claim: Claim = {
          name,
          rob: () => {
            mine.delete(claim);
            if (alive) reject(new DOMException('The lock was stolen.', 'AbortError'));
          },
          grant: () => {
            void (async () => {
              try {
                resolve(await run({ name, mode: 'exclusive' }));
              } catch (error) {
                reject(error);
              } finally {
                mine.delete(claim);
                this.#release(claim);
              }
            })();
          },
        };
        if (signal?.aborted) return reject(new DOMException('The request was aborted.', 'AbortError'));
        signal?.addEventListener('abort', () => {
          const at = this.#queue.indexOf(claim);
          if (at < 0) return;
          this.#queue.splice(at, 1);
          reject(new DOMException('The request was aborted.', 'AbortError'));
        });
        if (!alive) return;
        mine.add(claim);
        if (!steal) {
          this.#queue.push(claim);
          queueMicrotask(() => this.#grant());
          return;
        }
        const robbed = this.#held.get(name);
        this.#held.set(name, claim);
        queueMicrotask(() => {
          robbed?.rob();
          claim.grant();
        });
      });
    };
    return {
      request: request as unknown as LockManager['request'],
      die: () => {
        alive = false;
        for (const claim of mine) {
          const at = this.#queue.indexOf(claim);
          if (at >= 0) this.#queue.splice(at, 1);
          this.#release(claim);
        }
        mine.clear();
      },
    };
  }

  #release(claim: Claim): void {
    if (this.#held.get(claim.name) !== claim) return;
    this.#held.delete(claim.name);
    queueMicrotask(() => this.#grant());
  }

  #grant(): void {
    for (const claim of [...this.#queue]) {
      if (this.#held.has(claim.name)) continue;
      this.#queue.splice(this.#queue.indexOf(claim), 1);
      this.#held.set(claim.name, claim);
      claim.grant();
    }
  }
}
