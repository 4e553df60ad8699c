/**
 * Counts what calls leave behind in a page: connections, tracks, sound, listeners, timers, memory. Owns the wrapped constructors in the page and the
 * reading of the browser's own counters. Must never keep alive what it counts.
 */
import type { CDPSession, Page } from 'playwright-core';

/** What there is in the page while nothing is going on. */
export interface Counted {
  /** Not closed, by the page; and in memory, by the browser, after everything that can be let go was let go. */
  readonly connections: number;
  readonly connectionsInMemory: number;
  /** Live microphone tracks, clones, and tracks made from sound. */
  readonly tracks: number;
  /** Not closed. */
  readonly audioContexts: number;
  readonly audioNodes: number;
  /** In the document. */
  readonly players: number;
  readonly documentNodes: number;
  readonly listeners: number;
  /** Set and neither fired nor cleared: the page's, and those it has set in its worker. */
  readonly timers: number;
  readonly workerTimers: number;
  readonly heapBytes: number;
}

interface Counters {
  readonly connections: WeakRef<RTCPeerConnection>[];
  readonly tracks: WeakRef<MediaStreamTrack>[];
  readonly contexts: WeakRef<AudioContext>[];
  readonly timers: Map<number, string>;
  workerTimers: number;
}
type CountedWindow = { patchcordCounters: Counters };

/** Puts the counters into the page's next document. Sound is not listened to there: the ear of the tests would keep every connection. */
export async function installCounters(page: Page, options: { readonly transactionMs?: number } = {}): Promise<void> {
  await page.addInitScript(countInPage, options.transactionMs ?? null);
}

/** Reads the counters of a page, after forced garbage collection. */
export class PageCounters {
  readonly #page: Page;
  readonly #cdp: CDPSession;

  private constructor(page: Page, cdp: CDPSession) {
    this.#page = page;
    this.#cdp = cdp;
  }

  static async of(page: Page): Promise<PageCounters> {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('HeapProfiler.enable');
    await cdp.send('Performance.enable');
    return new PageCounters(page, cdp);
  }

  async read(): Promise<Counted> {
    for (let round = 0; round < 3; round += 1) await this.#cdp.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.#cdp.send('Runtime.getHeapUsage');
    const { jsEventListeners, nodes } = await this.#cdp.send('Memory.getDOMCounters');
    const { metrics } = await this.#cdp.send('Performance.getMetrics');
    const metric = (name: string) => metrics.find((it) => it.name === name)?.value ?? Number.NaN;
    const own = await this.#page.evaluate(() => {
      const counters = (window as unknown as CountedWindow).patchcordCounters;
      // What is closed is not asked again: to look at it keeps it in memory for a while.
      const alive = <T extends object>(all: WeakRef<T>[], open: (it: T) => boolean) => {
        const left = all.filter((ref) => {
          const it = ref.deref();
          return it !== undefined && open(it);
        });
        all.splice(0, all.length, ...left);
        return left.length;
      };
      return {
        connections: alive(counters.connections, (it) => it.signalingState !== 'closed'),
        tracks: alive(counters.tracks, (it) => it.readyState === 'live'),
        audioContexts: alive(counters.contexts, (it) => it.state !== 'closed'),
        players: document.querySelectorAll('audio').length,
        timers: counters.timers.size,
        workerTimers: counters.workerTimers,
      };
    });
    return {
      ...own,
      connectionsInMemory: metric('RTCPeerConnections'),
      audioNodes: metric('AudioHandlers'),
      documentNodes: nodes,
      listeners: jsEventListeners,
      heapBytes: usedSize,
    };
  }

  /** How loud all sound has been that the open connections have received, since they began; of silence 0. */
  energy(): Promise<number> {
    return this.#page.evaluate(async () => {
      let energy = 0;
      for (const ref of (window as unknown as CountedWindow).patchcordCounters.connections) {
        const connection = ref.deref();
        if (connection === undefined || connection.signalingState === 'closed') continue;
        for (const report of (await connection.getStats()).values())
          if (report.type === 'inbound-rtp') energy += report.totalAudioEnergy ?? 0;
      }
      return energy;
    });
  }

  /** What set the timers that are set now, for a person who looks for a leak: delay and the caller. */
  timersSet(): Promise<string[]> {
    return this.#page.evaluate(() => [...(window as unknown as CountedWindow).patchcordCounters.timers.values()]);
  }
}

/**
 * Runs in the page before its scripts.
 * @param transactionMs what 64·T1 (RFC 3261 section 17) is cut to: how long a transaction is remembered after its end
 */
function countInPage(transactionMs: number | null): void {
  const counters: Counters = { connections: [], tracks: [], contexts: [], timers: new Map(), workerTimers: 0 };
  Object.assign(window, { patchcordCounters: counters });
  const track = (it: MediaStreamTrack): MediaStreamTrack => {
    counters.tracks.push(new WeakRef(it));
    return it;
  };

  const Native = 'patchcordEar' in window ? Object.getPrototypeOf(RTCPeerConnection) : RTCPeerConnection;
  window.RTCPeerConnection = class extends (Native as typeof RTCPeerConnection) {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      counters.connections.push(new WeakRef<RTCPeerConnection>(this));
    }
  };
  const NativeContext = AudioContext;
  window.AudioContext = class extends NativeContext {
    constructor(options?: AudioContextOptions) {
      super(options);
      counters.contexts.push(new WeakRef<AudioContext>(this));
    }
    override createMediaStreamDestination(): MediaStreamAudioDestinationNode {
      const node = super.createMediaStreamDestination();
      node.stream.getTracks().forEach(track);
      return node;
    }
  };
  const clone = MediaStreamTrack.prototype.clone;
  MediaStreamTrack.prototype.clone = function () {
    return track(clone.call(this));
  };
  const devices = navigator.mediaDevices;
  const getUserMedia = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints) => {
    const stream = await getUserMedia(constraints);
    stream.getTracks().forEach(track);
    return stream;
  };

  const { setTimeout: later, clearTimeout: forget, setInterval: often, clearInterval: forgetAll } = window;
  const where = (ms: number): string => `${ms} ms ${new Error().stack?.split('\n').slice(3, 6).join(' ')}`;
  window.setTimeout = ((run: (...given: unknown[]) => void, ms = 0, ...given: unknown[]) => {
    const wait = transactionMs !== null && ms === 32_000 ? transactionMs : ms;
    const id = later(() => {
      counters.timers.delete(id);
      run(...given);
    }, wait);
    counters.timers.set(id, where(ms));
    return id;
  }) as typeof window.setTimeout;
  window.clearTimeout = (id) => {
    counters.timers.delete(Number(id));
    forget(id);
  };
  window.setInterval = ((run: () => void, ms = 0, ...given: unknown[]) => {
    const id = often(run, ms, ...given);
    counters.timers.set(id, where(ms));
    return id;
  }) as typeof window.setInterval;
  window.clearInterval = (id) => {
    counters.timers.delete(Number(id));
    forgetAll(id);
  };
  // The phone's clock asks its worker with [id, ms] to set a timer and with [id] to clear it.
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message: unknown) {
    if (Array.isArray(message)) counters.workerTimers += message.length === 2 ? 1 : -1;
    post.call(this, message);
  };
}
