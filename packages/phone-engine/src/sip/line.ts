/**
 * Owns one account's line: the connection, the registration on it, and bringing both back for as long as nobody calls `stop`.
 *
 *   opening ──→ registering ──→ ready ──(connection or refresh lost)──→ waiting ──→ opening …
 *                   └─(403, 401)─→ rejected ──(new credential)──→ registering
 *
 * sip.js shortcomings 4 and 7: its user agent never reconnects, its session manager gives up after three tries and registers seconds late.
 * Must never end a call: calls outlive a lost line (shortcoming 5).
 */
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort, SipAccount } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import { backOffMs, refreshAfterMs } from './back-off.ts';
import { KeepAlive } from './keep-alive.ts';
import { Registration } from './registration.ts';
import type { SipLog } from './sip-log.ts';
import type { SipSocket } from './sip-socket.ts';

export interface LineOptions {
  readonly account: SipAccount;
  /** Addresses that passed the transport rule; at least one. */
  readonly servers: readonly string[];
  readonly userAgent: UserAgent;
  readonly socket: SipSocket;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly log: SipLog;
  readonly signal: (signal: SipSignal) => void;
  /** Registered; `again` when it was registered before and lost. */
  readonly onReady: (again: boolean) => void;
  readonly onLost: () => void;
}

const openMs = 5_000;
const pingEveryMs = 25_000;

type Ending = { readonly why: 'lost' | 'rejected'; readonly reason: string; readonly retryAfterMs: number };

export class Line {
  readonly #options: LineOptions;
  readonly #registration: Registration;
  readonly #keepAlive: KeepAlive;
  #stopped = false;
  #everRegistered = false;
  #server = '';
  #lastReason = '';
  /** Ends what the loop is waiting for right now. */
  #endSession: ((ending: Ending) => void) | undefined;
  #hurry: (() => void) | undefined;
  #renewed = false;

  constructor(options: LineOptions) {
    this.#options = options;
    const { account, userAgent, clock, socket } = options;
    this.#registration = new Registration({
      userAgent,
      registrar: new URI('sip', undefined as unknown as string, account.domain),
      instance: account.instance,
      seconds: account.registerSeconds,
      clock,
    });
    this.#keepAlive = new KeepAlive({
      clock,
      sendPing: () => socket.ping(),
      sendOptions: () => this.#sendOptions(),
      onDead: () => this.#drop('the server does not answer any more'),
    });
  }

  /** The server in use, or tried last. */
  get server(): string {
    return this.#server;
  }

  /** Starts connecting; returns at once. */
  start(): void {
    void this.#run();
  }

  /** A new credential is in place: registers with it at once. */
  renew(): void {
    this.#renewed = true;
    this.#hurry?.();
    if (this.#refreshNow) this.#refreshNow();
  }

  /** There is reason to doubt the connection (the network changed): asks the server, and a wait for the next try ends now. */
  doubt(): void {
    this.#keepAlive.doubt();
    this.#hurry?.();
  }

  heard(what: 'pong' | 'message'): void {
    this.#keepAlive.heard(what);
  }

  gone(reason: string): void {
    this.#endSession?.({ why: 'lost', reason, retryAfterMs: 0 });
  }

  /** Unregisters and closes; the caller bounds the wait. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#keepAlive.stop();
    const { socket } = this.#options;
    if (socket.isConnected() && this.#everRegistered) await this.#registration.unregister();
    this.#endSession?.({ why: 'lost', reason: 'stopped', retryAfterMs: 0 });
    this.#hurry?.();
    socket.abandon();
  }

  #refreshNow: (() => void) | undefined;

  async #run(): Promise<void> {
    const { servers, signal, log, onLost } = this.#options;
    let attempt = 0;
    let index = 0;
    while (!this.#stopped) {
      this.#server = servers[index % servers.length] ?? '';
      if (!this.#everRegistered) signal({ type: 'sip.connecting', server: this.#server });
      const before = this.#everRegistered;
      let wasReady = false;
      const ending = await this.#connect(() => {
        wasReady = true;
        attempt = 0;
        this.#lastReason = '';
        log('info', 'line.ready', { again: before });
      });
      if (this.#stopped) return;
      log('warn', 'line.lost', { reason: ending.reason, attempt });
      if (ending.why === 'rejected') {
        await this.#credential();
        attempt = 0;
        continue;
      }
      if (wasReady) onLost();
      this.#tellLost(ending.reason);
      // The server that just worked gets the first, immediate try; after that the list is walked, and only a full round waits.
      if (!wasReady) index += 1;
      const roundOver = wasReady || index % servers.length === 0;
      if (roundOver) {
        const wait = Math.max(ending.retryAfterMs, backOffMs(attempt, this.#options.random()));
        attempt += 1;
        await this.#pause(wait);
      }
    }
  }

  /** One connection's whole life. Resolves when it is over. */
  async #connect(ready: () => void): Promise<Ending> {
    const { socket, clock, signal, random } = this.#options;
    // After a refusal the connection is still there, and running calls depend on it.
    const failure = socket.isConnected() ? '' : await socket.open(this.#server, openMs);
    if (failure !== '') return { why: 'lost', reason: `${hostOf(this.#server)}: ${failure}`, retryAfterMs: 0 };
    if (this.#stopped) {
      socket.abandon();
      return { why: 'lost', reason: 'stopped', retryAfterMs: 0 };
    }
    const over = new Promise<Ending>((resolve) => {
      this.#endSession = resolve;
    });
    this.#keepAlive.start(this.#server, pingEveryMs);
    let refreshTimer: unknown;
    let busy = false;
    let told = false;
    const register = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      clock.clearTimeout(refreshTimer);
      this.#renewed = false;
      const outcome = await this.#registration.register();
      busy = false;
      if (this.#endSession === undefined || this.#stopped) return;
      if (this.#renewed && outcome.kind !== 'accepted') return register();
      if (outcome.kind === 'silent') return this.#drop('the server did not answer the registration');
      if (outcome.kind === 'refused') {
        const reason = refusalText(outcome.code, outcome.reason);
        if (isFinal(outcome.code)) {
          signal({ type: 'sip.rejected', code: outcome.code, reason });
          this.#endSession({ why: 'rejected', reason, retryAfterMs: 0 });
          return;
        }
        this.#endSession({ why: 'lost', reason, retryAfterMs: outcome.retryAfterMs });
        return;
      }
      if (outcome.flowTimerSeconds !== null) {
        // RFC 5626 section 4.4: 80 to 100 % of the server's Flow-Timer; a little less leaves room for a slow timer.
        this.#keepAlive.start(this.#server, Math.min(pingEveryMs, outcome.flowTimerSeconds * 800));
      }
      refreshTimer = clock.setTimeout(() => void register(), refreshAfterMs(outcome.seconds, random()));
      if (!told) {
        told = true;
        const again = this.#everRegistered;
        this.#everRegistered = true;
        ready();
        signal({ type: 'sip.registered', server: this.#server });
        this.#options.onReady(again);
      }
      if (this.#renewed) return register();
    };
    this.#refreshNow = () => void register();
    void register();
    const ending = await over;
    this.#endSession = undefined;
    this.#refreshNow = undefined;
    clock.clearTimeout(refreshTimer);
    if (ending.why === 'lost') {
      this.#keepAlive.stop();
      if (!this.#stopped) socket.abandon();
    }
    return ending;
  }

  #drop(reason: string): void {
    const end = this.#endSession;
    this.#options.socket.abandon();
    end?.({ why: 'lost', reason, retryAfterMs: 0 });
  }

  #tellLost(reason: string): void {
    if (reason === this.#lastReason) return;
    this.#lastReason = reason;
    this.#options.signal({ type: 'sip.lost', reason });
  }

  async #credential(): Promise<void> {
    while (!this.#renewed && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#hurry = resolve;
      });
    }
    this.#hurry = undefined;
  }

  #pause(ms: number): Promise<void> {
    if (ms <= 0 || this.#renewed) return Promise.resolve();
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(done, ms);
      this.#hurry = done;
      function done(): void {
        clock.clearTimeout(timer);
        resolve();
      }
    });
  }

  #sendOptions(): void {
    const { userAgent, account } = this.#options;
    const core = userAgent.userAgentCore;
    const registrar = new URI('sip', undefined as unknown as string, account.domain);
    const aor = core.configuration.aor;
    try {
      core.request(core.makeOutgoingRequestMessage('OPTIONS', registrar, aor, registrar, {}, []));
    } catch {
      // The connection went away between the look and the act; its deadline tells.
    }
  }
}

/** 401 and 403 (and a challenge nobody can answer) stay refusals until the credential changes; everything else may pass. */
function isFinal(code: number): boolean {
  return code === 401 || code === 403 || code === 407;
}

function refusalText(code: number, phrase: string): string {
  if (code === 403) return `The PBX refuses this credential (403 ${phrase}).`;
  if (code === 401 || code === 407)
    return `The PBX does not accept the credential, or asks for a digest algorithm other than MD5 (${code}).`;
  return `The PBX refused the registration (${code} ${phrase}).`;
}

function hostOf(server: string): string {
  try {
    return new URL(server).host;
  } catch {
    return 'the server';
  }
}
