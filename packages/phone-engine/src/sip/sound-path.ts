/**
 * Owns what is known of the way of one call's sound: whether it is up, broken, and whether packets come and go on it.
 * Must never wait without an end, and never decide what follows from a broken path.
 */
import type { ClockPort } from '../ports.ts';

/** `disconnected` often mends itself within this time. */
const brokenAfterMs = 2_000;
const pollMs = 60;
const upWithinMs = 5_000;
/** A lone packet is a keep-alive or comfort noise, and nothing to listen to. */
const soundPackets = 5;
/** Some gateways send nothing in the pauses of a ringing tone; this is longer than those of any country. */
const silenceMs = 6_000;

export interface PathEvidence {
  /** Which pair of addresses ICE has chosen; a restart that succeeds always chooses a new one. */
  readonly way: string;
  readonly packets: number;
}

export interface SoundPathOptions {
  readonly clock: ClockPort;
  readonly connection: () => RTCPeerConnection;
  readonly transceiver: () => RTCRtpTransceiver | undefined;
  readonly closed: () => boolean;
  readonly onBroken: () => void;
}

export class SoundPath {
  readonly #options: SoundPathOptions;
  #brokenTimer: unknown;
  /** Packets that were there when it was last silent. */
  #silentUntil = 0;

  constructor(options: SoundPathOptions) {
    this.#options = options;
  }

  /** To be called whenever the state of the connection changed. */
  look(): void {
    const { clock, connection, closed, onBroken } = this.#options;
    clock.clearTimeout(this.#brokenTimer);
    const { connectionState } = connection();
    if (closed() || (connectionState !== 'disconnected' && connectionState !== 'failed')) return;
    this.#brokenTimer = clock.setTimeout(
      () => {
        if (!closed() && connection().connectionState !== 'connected') onBroken();
      },
      connectionState === 'failed' ? 0 : brokenAfterMs,
    );
  }

  close(): void {
    this.#options.clock.clearTimeout(this.#brokenTimer);
  }

  /** What shows that there is a path: compared with what was there before, another way or more packets. */
  async evidence(): Promise<PathEvidence> {
    const stats = this.#options.closed() ? [] : [...(await this.#options.connection().getStats()).values()];
    const way = stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId;
    return { way: String(way), packets: sum(stats, 'inbound-rtp', 'packetsReceived') };
  }

  /** Packets of the far side so far. */
  async received(): Promise<number> {
    const receiver = this.#options.transceiver()?.receiver;
    return receiver ? count(await receiver.getStats(), 'inbound-rtp', 'packetsReceived') : 0;
  }

  /** Resolves whether the path is up, at the latest after five seconds. */
  isUp(): Promise<boolean> {
    const { clock, closed } = this.#options;
    const connection = this.#options.connection();
    const connected = () => !closed() && connection.connectionState === 'connected';
    if (connected()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = () => {
        clock.clearTimeout(deadline);
        connection.removeEventListener('connectionstatechange', look);
        resolve(connected());
      };
      const look = () => {
        if (connected()) settle();
      };
      const deadline = clock.setTimeout(settle, upWithinMs);
      connection.addEventListener('connectionstatechange', look);
    });
  }

  /** Resolves true when sound comes from the far side, false when the call or the interest in it is over before. */
  async soundComes(noMatter: () => boolean): Promise<boolean> {
    while (!this.#options.closed() && !noMatter()) {
      if ((await this.received()) - this.#silentUntil >= soundPackets) return true;
      await this.#pause();
    }
    return false;
  }

  /** Resolves true when no sound has come for six seconds, false when the call or the interest in it is over before. */
  async soundStops(noMatter: () => boolean): Promise<boolean> {
    const { clock, closed } = this.#options;
    let last = -1;
    let since = clock.now();
    while (!closed() && !noMatter()) {
      const received = await this.received();
      if (received !== last) since = clock.now();
      last = received;
      if (clock.now() - since >= silenceMs) {
        this.#silentUntil = received;
        return true;
      }
      await this.#pause();
    }
    return false;
  }

  /** Resolves true once the first packet is out, false when none is after five seconds. */
  async packetsLeave(): Promise<boolean> {
    const { clock, transceiver, closed } = this.#options;
    const deadline = clock.now() + upWithinMs;
    for (;;) {
      const sender = transceiver()?.sender;
      if (!sender || closed()) return false;
      if (count(await sender.getStats(), 'outbound-rtp', 'packetsSent') > 0) return true;
      if (clock.now() > deadline) return false;
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.setTimeout(resolve, pollMs));
  }
}

/** The sum of this counter over all streams of this kind. */
function count(stats: RTCStatsReport, type: RTCStatsType, counter: string): number {
  return sum([...stats.values()], type, counter);
}

function sum(reports: readonly Report[], type: RTCStatsType, counter: string): number {
  return reports.reduce((all, report) => all + (report.type === type ? Number(report[counter] ?? 0) : 0), 0);
}

interface Report {
  readonly type: RTCStatsType;
  readonly [counter: string]: unknown;
}
