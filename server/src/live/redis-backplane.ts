/**
 * Relays tell each other through Redis pub/sub. Owns two connections (one that subscribes, one that publishes), noticing that they are dead
 * although they look alive, and coming back. Must never make anybody wait for Redis, queue without bound, or end the process because Redis ended.
 */
import { randomUUID } from 'node:crypto';
import { createClient, ErrorReply } from '@redis/client';
import type { Log } from '../logging.ts';
import { type Backplane, type BackplaneStatus, decodeNews, encodeNews, type News } from './backplane.ts';
import type { LiveMetrics } from './live-metrics.ts';

export interface RedisBackplaneOptions {
  readonly url: string;
  /** Relays of the same database share it; two deployments on one Redis don't hear each other. */
  readonly deployment: string;
  readonly metrics: LiveMetrics;
  readonly log: Log;
  readonly random?: () => number;
}

/** Our own word must come back this often and this soon: a stopped Redis, or a network that swallows, keeps its TCP connections. */
const beatMs = 500;
const silenceMs = 1_500;
const joinDeadlineMs = 1_500;
const firstDelayMs = 50;
/** Short: the live view has to be back within two seconds of Redis. */
const longestDelayMs = 1_000;
/** Commands that may wait for an answer; more are dropped, since the reader finds gaps in the store. */
const mostUnanswered = 5_000;
const channelsPerCommand = 1_000;

type Client = ReturnType<typeof createClient>;

/** One pair of connections, from its first attempt to its end. */
interface Pair {
  readonly publisher: Client;
  readonly subscriber: Client;
  heardAt: number;
  unanswered: number;
}

export class RedisBackplane implements Backplane {
  readonly #options: RedisBackplaneOptions;
  readonly #origin: string = randomUUID();
  /** Channel → how many want it. */
  readonly #channels = new Map<string, number>();
  readonly #newsListeners = new Set<(news: News) => void>();
  readonly #statusListeners = new Set<(status: BackplaneStatus) => void>();
  readonly #beat: NodeJS.Timeout;
  #status: BackplaneStatus = 'away';
  #pair: Pair | null = null;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;
  #saidUncounted = false;

  constructor(options: RedisBackplaneOptions) {
    this.#options = options;
    this.#beat = setInterval(() => this.#heartbeat(), beatMs);
    this.#beat.unref();
    options.metrics.backplaneUp.set(0);
    void this.#join();
  }

  status(): BackplaneStatus {
    return this.#status;
  }

  onStatus(listener: (status: BackplaneStatus) => void): void {
    this.#statusListeners.add(listener);
  }

  onNews(listener: (news: News) => void): void {
    this.#newsListeners.add(listener);
  }

  publish(channel: string, news: News): void {
    const pair = this.#pair;
    if (this.#status !== 'joined' || pair === null || pair.unanswered >= mostUnanswered) {
      this.#options.metrics.backplane.inc({ result: 'dropped' });
      return;
    }
    this.#send(pair, this.#nameOf(channel), encodeNews(this.#origin, news));
    this.#options.metrics.backplane.inc({ result: 'sent' });
  }

  subscribe(channel: string): void {
    const wanted = this.#channels.get(channel) ?? 0;
    this.#channels.set(channel, wanted + 1);
    if (wanted > 0) return;
    const pair = this.#pair;
    if (this.#status === 'joined' && pair !== null) this.#mustWork(pair, this.#listen(pair, [channel]));
  }

  unsubscribe(channel: string): void {
    const wanted = this.#channels.get(channel) ?? 0;
    if (wanted > 1) this.#channels.set(channel, wanted - 1);
    if (wanted !== 1) return;
    this.#channels.delete(channel);
    const pair = this.#pair;
    if (this.#status === 'joined' && pair !== null)
      this.#mustWork(pair, pair.subscriber.unsubscribe(this.#nameOf(channel)));
  }

  async listeners(channel: string): Promise<number | null> {
    const pair = this.#pair;
    if (this.#status !== 'joined' || pair === null) return 0;
    const name = this.#nameOf(channel);
    try {
      const all = (await pair.publisher.pubSubNumSub([name]))[name] ?? 0;
      return Math.max(0, Number(all) - (this.#channels.has(channel) ? 1 : 0));
    } catch (error) {
      if (!(error instanceof ErrorReply)) {
        this.#lost(pair, error);
        return 0;
      }
      // Redis lives and answers, only not this: an ACL or a provider leaves the command out. Everything else goes on.
      if (!this.#saidUncounted)
        this.#options.log.warn(
          { err: error },
          'Redis does not say who listens: a wish to dial is told to other relays without knowing of a phone there. Allow the relay’s user "+pubsub|numsub".',
        );
      this.#saidUncounted = true;
      return null;
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#beat);
    clearTimeout(this.#retry);
    this.#drop();
    return Promise.resolve();
  }

  #nameOf(channel: string): string {
    return `patchcord:${this.#options.deployment}:${channel}`;
  }

  async #join(): Promise<void> {
    if (this.#closed) return;
    const options = {
      url: this.#options.url,
      // Coming back is our business: the client's own would queue, and would not notice a peer that only looks alive.
      disableOfflineQueue: true,
      commandsQueueMaxLength: mostUnanswered * 2,
      disableClientInfo: true,
      maintNotifications: 'disabled' as const,
      socket: { connectTimeout: joinDeadlineMs, reconnectStrategy: false as const },
    };
    const pair: Pair = {
      publisher: createClient(options) as Client,
      subscriber: createClient(options) as Client,
      heardAt: performance.now(),
      unanswered: 0,
    };
    this.#pair = pair;
    for (const client of [pair.publisher, pair.subscriber]) {
      // Without a listener an error would end the process.
      client.on('error', (error: unknown) => this.#lost(pair, error));
      client.on('end', () => this.#lost(pair, null));
    }
    const deadline = setTimeout(() => this.#lost(pair, new Error('Redis did not answer in time')), joinDeadlineMs);
    try {
      await Promise.all([pair.publisher.connect(), pair.subscriber.connect()]);
      // Whoever comes while we subscribe is caught by the second look.
      const asked = new Set<string>();
      for (let left = this.#unasked(asked); left.length > 0; left = this.#unasked(asked)) {
        for (const channel of left) asked.add(channel);
        await this.#listen(pair, left);
      }
      if (this.#pair !== pair) return;
      for (const channel of asked) {
        if (channel !== this.#origin && !this.#channels.has(channel))
          this.#mustWork(pair, pair.subscriber.unsubscribe(this.#nameOf(channel)));
      }
      pair.heardAt = performance.now();
      this.#failures = 0;
      this.#setStatus('joined');
    } catch (error) {
      this.#lost(pair, error);
    } finally {
      clearTimeout(deadline);
    }
  }

  #unasked(asked: ReadonlySet<string>): string[] {
    return [this.#origin, ...this.#channels.keys()]
      .filter((channel) => !asked.has(channel))
      .slice(0, channelsPerCommand);
  }

  async #listen(pair: Pair, channels: readonly string[]): Promise<void> {
    await pair.subscriber.subscribe(
      channels.map((channel) => this.#nameOf(channel)),
      (text, channel) => this.#hear(pair, text, channel),
    );
  }

  #hear(pair: Pair, text: string, channel: string): void {
    if (this.#pair !== pair) return;
    if (channel === this.#nameOf(this.#origin)) {
      pair.heardAt = performance.now();
      return;
    }
    const message = decodeNews(text);
    if (message === null) {
      this.#options.metrics.backplane.inc({ result: 'refused' });
      return;
    }
    if (message.from === this.#origin) return;
    this.#options.metrics.backplane.inc({ result: 'heard' });
    for (const listener of this.#newsListeners) listener(message.news);
  }

  #heartbeat(): void {
    const pair = this.#pair;
    if (this.#status !== 'joined' || pair === null) return;
    if (performance.now() - pair.heardAt > silenceMs) {
      this.#lost(pair, new Error('Redis fell silent'));
      return;
    }
    this.#send(pair, this.#nameOf(this.#origin), '');
  }

  #send(pair: Pair, name: string, text: string): void {
    pair.unanswered += 1;
    this.#mustWork(
      pair,
      pair.publisher.publish(name, text).finally(() => {
        pair.unanswered -= 1;
      }),
    );
  }

  #mustWork(pair: Pair, command: Promise<unknown>): void {
    command.catch((error: unknown) => this.#lost(pair, error));
  }

  /** Called as often as anything notices; the first time counts. */
  #lost(pair: Pair, error: unknown): void {
    if (this.#pair !== pair || this.#closed) return;
    this.#drop();
    if (this.#failures === 0)
      this.#options.log.warn({ err: error }, 'Redis is away: other relays hear of events a little later');
    const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#retry = setTimeout(() => void this.#join(), ceiling * (0.5 + (this.#options.random ?? Math.random)() / 2));
    this.#retry.unref();
    this.#setStatus('away');
  }

  #drop(): void {
    const pair = this.#pair;
    this.#pair = null;
    for (const client of pair === null ? [] : [pair.publisher, pair.subscriber]) {
      try {
        client.destroy();
      } catch {
        // It never opened, or has closed by itself.
      }
    }
  }

  #setStatus(status: BackplaneStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#options.metrics.backplaneUp.set(status === 'joined' ? 1 : 0);
    if (status === 'joined') this.#options.log.info('Redis joined: relays hear each other at once');
    for (const listener of this.#statusListeners) listener(status);
  }
}
