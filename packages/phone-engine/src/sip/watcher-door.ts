/**
 * Stands in front of the watching of one account until it is needed: loads it when the line is ready and there is something to watch, since many
 * agents watch nothing. Must never keep the line waiting, and never lose a message that came while it was loading.
 */
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import type { Watching } from '../ports.ts';
import type { TakeOver, Watcher, WatcherOptions } from './watching.ts';

/** After a load that failed. */
const againMs = 30_000;
const notLoaded =
  'Colleagues and mailbox are not shown: this part of the phone could not be loaded from the relay. It is tried again every half minute.';

export interface WatcherDoorOptions extends WatcherOptions {
  /** Default: the module. Rejects when it cannot be loaded. */
  readonly load?: () => Promise<Pick<typeof import('./watching.ts'), 'Watcher'>>;
}

/** What `Watcher` does, from the moment it is there. */
export class WatcherDoor {
  readonly #options: WatcherDoorOptions;
  readonly #load: NonNullable<WatcherDoorOptions['load']>;
  #watcher: Watcher | undefined;
  #watching: Watching = { extensions: [], mailbox: false };
  #ready = false;
  #loading = false;
  #stopped = false;
  #troubled = false;
  #timer: unknown;
  /** The newest summary that came too early. */
  #early: IncomingRequestMessage | undefined;

  constructor(options: WatcherDoorOptions) {
    this.#options = options;
    this.#load = options.load ?? (() => import('./watching.ts'));
  }

  set(watching: Watching): void {
    this.#watching = watching;
    if (this.#watcher) return void this.#watcher.set(watching);
    const { signal } = this.#options;
    queueMicrotask(() => {
      if (this.#watcher || this.#stopped) return;
      const unknown = { status: 'unknown', farSide: null, direction: null, canTake: false } as const;
      signal({ type: 'sip.watched', watched: watching.extensions.map((extension) => ({ extension, ...unknown })) });
    });
    this.#fetch();
  }

  lineReady(): void {
    this.#ready = true;
    if (this.#watcher) this.#watcher.lineReady();
    else this.#fetch();
  }

  lineLost(): void {
    this.#ready = false;
    this.#watcher?.lineLost();
  }

  /** A summary that nobody subscribed to. True when it was one. */
  takeUnsolicited(message: IncomingRequestMessage): boolean {
    if (this.#watcher) return this.#watcher.takeUnsolicited(message);
    if (!/^\s*message-summary\b/i.test(message.getHeader('event') ?? '')) return false;
    this.#early = message;
    return true;
  }

  /** As `Watcher.takeOver`. */
  takeOver(extension: string): TakeOver | null {
    return this.#watcher?.takeOver(extension) ?? null;
  }

  stop(): void {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    this.#watcher?.stop();
  }

  #fetch(): void {
    const { extensions, mailbox } = this.#watching;
    if (this.#loading || this.#stopped || !this.#ready || (extensions.length === 0 && !mailbox)) return;
    const { clock, signal } = this.#options;
    this.#loading = true;
    clock.clearTimeout(this.#timer);
    this.#load().then(
      ({ Watcher }) => {
        if (this.#stopped) return;
        const watcher = new Watcher(this.#options);
        this.#watcher = watcher;
        if (this.#troubled) signal({ type: 'sip.watch-trouble', reason: '' });
        watcher.set(this.#watching);
        if (this.#early) watcher.takeUnsolicited(this.#early);
        this.#early = undefined;
        if (this.#ready) watcher.lineReady();
      },
      () => {
        this.#loading = false;
        if (this.#stopped) return;
        this.#troubled = true;
        signal({ type: 'sip.watch-trouble', reason: notLoaded });
        this.#timer = clock.setTimeout(() => this.#fetch(), againMs);
      },
    );
  }
}
