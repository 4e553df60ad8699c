/**
 * Owns one account's line: the connection, the registration on it, and bringing both back for as long as nobody calls `stop`.
 *
 *   opening ──→ registering ──→ ready ──(connection or refresh lost)──→ next server, or waiting ──→ opening …
 *                   │             └──(a better server, a new network)──→ a second connection ──(registered)──→ ready, over it
 *                   └─(403, 401)─→ rejected ──(new credential)──→ registering
 *
 * sip.js shortcomings 4 and 7: its user agent never reconnects, its session manager gives up after three tries and registers seconds late.
 * Must never end a call: calls outlive a lost line (shortcoming 5). Must never change the connection while a call is being set up, unless it is lost.
 */
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort, SipAccount } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import { backOffMs, refreshAfterMs } from './back-off.ts';
import { FailBack } from './fail-back.ts';
import { KeepAlive, sleptMs } from './keep-alive.ts';
import { LineMove } from './line-move.ts';
import { LineWait } from './line-wait.ts';
import { type RegisterOutcome, Registration } from './registration.ts';
import { isFinal, refusalText } from './registration-refusal.ts';
import { ServerList } from './server-list.ts';
import type { SipLog } from './sip-log.ts';
import type { Heard, SipSocket } from './sip-socket.ts';

/**
 * How the line came to be ready: for the first time; over a better connection while the old one still takes what is on its way; after the server closed the
 * old one; after the old one fell silent, and with it perhaps the whole network.
 */
export type LineReturn = 'first' | 'moved' | 'reset' | 'silent';

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
  /** Registered; unless it is the first time, over another connection than before. */
  readonly onReady: (how: LineReturn) => void;
  readonly onLost: () => void;
  /** A call rings or is being placed. */
  readonly settingUp: () => boolean;
}

/**
 * How long a server may take to open the connection. A system repeats an unanswered first packet after 1, 3, 7 and 15 s; a try of our own every 3 s asks
 * more often than that. Three round trips fit, also over a satellite; every fourth try is patient with whoever needs longer.
 */
const openMs = 3_000;
const patientOpenMs = 8_000;
/** A server that nobody can stand in for gets the fourth packet as well; the next try begins before the system would send a fifth. */
const onlyOpenMs = 6_000;
/** For the answer to REGISTER while there is another server that may answer. */
const registerMs = 3_000;
/** A line that is lost sooner than this after it was ready has not been ready for anything. */
const shortLifeMs = 5_000;
/** A doubted connection that does not answer is looked past so often: a changed network may need a moment before anything can be opened over it. */
const proofEveryMs = 250;
const freshMs = 500;
/** Then the keep-alive, or the REGISTER that stands in for it, has its say. */
const proofWithinMs = 2_500;

interface Ending {
  /** The connection went; the server refused to register; the credential was refused. */
  readonly why: 'lost' | 'refused' | 'rejected';
  readonly reason: string;
  readonly retryAfterMs: number;
}

export class Line {
  readonly #options: LineOptions;
  readonly #registration: Registration;
  readonly #keepAlive: KeepAlive;
  readonly #list: ServerList;
  readonly #move: LineMove;
  readonly #failBack: FailBack;
  readonly #wait: LineWait;
  #stopped = false;
  #everRegistered = false;
  #server = '';
  #lastReason = '';
  /** Rounds over the servers that failed since the line was lost. */
  #rounds = 0;
  /** Ends the connection's life; undefined while there is none. */
  #end: ((ending: Ending) => void) | undefined;
  /** Since when this connection is registered, epoch ms. */
  #readyAt: number | undefined;
  #renewed = false;
  /** The connection whose REGISTER waits for its answer. */
  #registering: ((ending: Ending) => void) | undefined;
  /** Which REGISTER counts: a move leaves one that hangs on a dead connection behind. */
  #turn = 0;
  #proving: Promise<void> | undefined;
  /** Why the connection in use is dead, while a second one is about to take its place. */
  #condemned: string | undefined;
  /** The last connection fell silent instead of being closed. */
  #fellSilent = false;
  /** The connection that a move began from: until that is over nobody else registers for it. */
  #movingFrom: ((ending: Ending) => void) | undefined;
  /** Answers of the server so far. */
  #answers = 0;
  #refresh: { readonly at: number; readonly timer: unknown } | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    const { account, userAgent, clock, socket, servers } = options;
    this.#wait = new LineWait(clock);
    this.#list = new ServerList(servers);
    this.#registration = new Registration({
      userAgent,
      registrar: registrarOf(account),
      instance: account.instance,
      seconds: account.registerSeconds,
      clock,
    });
    this.#move = new LineMove({ socket, registration: this.#registration, clock, settingUp: options.settingUp });
    this.#failBack = new FailBack({
      seconds: account.failBackSeconds,
      clock,
      random: options.random,
      settingUp: options.settingUp,
      better: () => this.#list.betterThan(this.#server, clock.now()),
      moveTo: (server) => this.#moveTo(server, () => !options.settingUp()),
    });
    this.#keepAlive = new KeepAlive({
      clock,
      sendPing: () => socket.ping(),
      sendOptions: () => this.#sendOptions(),
      register: () => void this.#register(),
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
    this.#wait.end();
    if (this.#end) void this.#register();
  }

  /**
   * There is reason to doubt the connection: asks the server, and a wait for the next try ends now. A connection that has not answered after
   * `headStartMs` gets a second one beside it, which takes its place unless it answers first. What was due meanwhile is done over the one that is left.
   * Resolves when it is known whether requests reach the server; with the line lost, at once.
   */
  doubt(headStartMs: number): Promise<void> {
    this.#wait.hurry(this.#end === undefined);
    if (this.#readyAt === undefined) return Promise.resolve();
    // A connection that was registered a moment ago is proven.
    if (headStartMs > 0 && this.#options.clock.now() - this.#readyAt < freshMs) return Promise.resolve();
    this.#proving ??= this.#prove(headStartMs).finally(() => {
      this.#proving = undefined;
    });
    return this.#proving;
  }

  /** The network came back, often as another one. */
  networkCameBack(): void {
    const { socket } = this.#options;
    const opening = this.#end === undefined && !socket.isConnected() && this.#server !== '';
    void this.doubt(0);
    // What was begun without a network waits for nothing.
    if (opening) socket.abandon();
  }

  heard(what: Heard): void {
    if (what !== 'request') this.#answers += 1;
    this.#keepAlive.heard(what);
  }

  gone(reason: string): void {
    this.#fellSilent = false;
    if (!this.#move.hasten()) this.#end?.({ why: 'lost', reason, retryAfterMs: 0 });
  }

  /** Closes at once: the registration is somebody else's now. */
  letGo(): void {
    this.#stopped = true;
    this.#keepAlive.stop();
    this.#move.hasten();
    this.#options.socket.abandon();
    this.#end?.(stoppedEnding);
    this.#wait.end();
  }

  /** Unregisters and closes; the caller bounds the wait. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#keepAlive.stop();
    const { socket } = this.#options;
    socket.dropNext();
    if (socket.isConnected() && this.#everRegistered) await this.#registration.unregister();
    this.#end?.(stoppedEnding);
    this.#wait.end();
    this.#move.hasten();
    socket.abandon();
  }

  async #run(): Promise<void> {
    const { clock, signal, log, onLost, random } = this.#options;
    let lostAt = clock.now();
    let shortLives = 0;
    while (!this.#stopped) {
      const server = this.#list.next(clock.now());
      if (server === null) {
        this.#rounds += 1;
        this.#list.startRound();
        const now = clock.now();
        const ms = Math.max(this.#list.peaceMs(now), backOffMs(this.#rounds, now - lostAt, random()));
        await this.#wait.pause(this.#renewed ? 0 : ms);
        continue;
      }
      this.#server = server;
      if (!this.#everRegistered) signal({ type: 'sip.connecting', server });
      const ending = await this.#connect(server);
      const readyAt = this.#readyAt;
      this.#readyAt = undefined;
      if (this.#stopped) return;
      log('warn', 'line.lost', { reason: ending.reason, rounds: this.#rounds });
      if (ending.why === 'rejected') {
        while (!this.#renewed && !this.#stopped) await this.#wait.forWord();
        this.#list.works(this.#server);
        this.#rounds = 0;
        lostAt = clock.now();
        continue;
      }
      if (readyAt !== undefined) {
        shortLives = clock.now() - readyAt < shortLifeMs ? shortLives + 1 : 0;
        onLost();
      }
      this.#tellLost(ending.reason);
      // The server that just worked gets the first, immediate try; one that registers and hangs up again and again does not.
      const worked = readyAt !== undefined && shortLives < 2;
      if (worked && ending.why === 'lost') this.#list.works(this.#server);
      else this.#list.fails(this.#server, clock.now(), ending.retryAfterMs);
      if (!worked) continue;
      this.#rounds = 0;
      lostAt = clock.now();
    }
  }

  /** One registration's whole life, over one connection after the other. Resolves when it is over. */
  async #connect(server: string): Promise<Ending> {
    const { socket, clock } = this.#options;
    // After a refused credential the connection is still there, and running calls depend on it.
    const failure = socket.isConnected() ? '' : await socket.open(server, this.#openWithinMs);
    if (this.#stopped) socket.abandon();
    if (this.#stopped || failure !== '')
      return { why: 'refused', reason: `${hostOf(server)}: ${failure}`, retryAfterMs: 0 };
    const over = new Promise<Ending>((resolve) => {
      this.#end = resolve;
    });
    void this.#register();
    const ending = await over;
    this.#end = undefined;
    clock.clearTimeout(this.#refresh?.timer);
    this.#failBack.cancel();
    this.#refresh = undefined;
    if (ending.why !== 'rejected') {
      this.#keepAlive.stop();
      if (!this.#stopped) socket.abandon();
    }
    return ending;
  }

  /** Registers or refreshes over the connection in use; one at a time. */
  async #register(): Promise<void> {
    const end = this.#end;
    if (!end || this.#registering === end || this.#movingFrom === end) return;
    this.#registering = end;
    this.#renewed = false;
    const turn = ++this.#turn;
    const outcome = await this.#registration.register(this.#registerWithinMs);
    // An answer, or none, about a connection that is gone means nothing any more.
    if (this.#end !== end || this.#turn !== turn || this.#stopped) return;
    this.#registering = undefined;
    if (this.#renewed && outcome.kind !== 'accepted') return this.#register();
    if (outcome.kind === 'silent') return this.#drop('the server did not answer the registration');
    if (outcome.kind === 'refused') return this.#refused(outcome, end);
    this.#accepted(outcome, this.#fellSilent ? 'silent' : 'reset');
    if (this.#renewed) void this.#register();
  }

  get #openWithinMs(): number {
    if (this.#rounds % 4 === 3) return patientOpenMs;
    return this.#list.size === 1 ? onlyOpenMs : openMs;
  }

  /** In the first round over several servers a silent one gets less time than one that nobody can stand in for. */
  get #registerWithinMs(): number | undefined {
    return this.#list.size > 1 && this.#rounds === 0 ? registerMs : undefined;
  }

  #refused(outcome: RegisterOutcome & { kind: 'refused' }, end: (ending: Ending) => void): void {
    const { code, retryAfterMs } = outcome;
    const reason = refusalText(code, outcome.reason);
    if (isFinal(code)) {
      this.#options.signal({ type: 'sip.rejected', code, reason });
      end({ why: 'rejected', reason, retryAfterMs: 0 });
      // 430: somewhere behind the first hop this connection is gone (RFC 5626 section 11.5); a new one to the same server is a new flow.
    } else end({ why: code === 430 ? 'lost' : 'refused', reason, retryAfterMs });
  }

  #accepted({ seconds, flowTimerSeconds }: RegisterOutcome & { kind: 'accepted' }, how: LineReturn): void {
    const { clock, random, signal, log, onReady } = this.#options;
    // RFC 5626 section 4.4: 80 to 100 % of the server's Flow-Timer; a little less leaves room for a slow timer.
    this.#keepAlive.start(this.#server, flowTimerSeconds === null ? undefined : flowTimerSeconds * 800);
    clock.clearTimeout(this.#refresh?.timer);
    const inMs = refreshAfterMs(seconds, random());
    const at = clock.now() + inMs;
    // After a sleep the connection is doubted first: a REGISTER over a dead one would wait for its deadline.
    const refresh = () => void (clock.now() - at > sleptMs ? this.doubt(0) : this.#register());
    this.#refresh = { at, timer: clock.setTimeout(refresh, inMs) };
    if (this.#readyAt !== undefined) return;
    const again = this.#everRegistered;
    this.#readyAt = clock.now();
    this.#everRegistered = true;
    this.#lastReason = '';
    this.#list.works(this.#server);
    log('info', 'line.ready', { again });
    signal({ type: 'sip.registered', server: this.#server });
    onReady(again ? how : 'first');
    if (this.#server !== this.#options.servers[0]) this.#failBack.plan();
  }

  async #prove(headStartMs: number): Promise<void> {
    const { clock } = this.#options;
    const end = this.#end;
    const before = this.#answers;
    const giveUpAt = clock.now() + proofWithinMs;
    const isOpen = (): boolean =>
      this.#answers === before && this.#end === end && !this.#stopped && clock.now() < giveUpAt;
    const pause = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    if (headStartMs > 0) {
      this.#keepAlive.doubt();
      await pause(headStartMs);
    }
    while (isOpen()) {
      const moving = this.#moveTo(this.#server, isOpen, true);
      // Asked while a move is under way: a server that knows no other question than REGISTER is not asked over the doubted connection.
      this.#keepAlive.doubt();
      if (await moving) return;
      if (isOpen()) await pause(proofEveryMs);
    }
    this.#catchUp();
  }

  /** True: the line goes on over a connection to `server`. False: everything is as before. @param doubted the connection in use may be dead */
  async #moveTo(server: string, wanted: () => boolean, doubted = false): Promise<boolean> {
    const { clock, log } = this.#options;
    const end = this.#end;
    if (!end || this.#move.underWay) return false;
    this.#movingFrom = end;
    const isOver = (): boolean => this.#end !== end || this.#stopped;
    const outcome = await this.#move.to(server, {
      openMs,
      registerMs,
      wanted: () => (doubted || this.#registering !== end) && wanted(),
      isOver,
    });
    this.#movingFrom = undefined;
    const condemned = this.#condemned;
    this.#condemned = undefined;
    if (isOver()) return false;
    if (condemned !== undefined && outcome.kind !== 'moved') {
      this.#drop(condemned);
      return false;
    }
    if (outcome.kind === 'moved') {
      log('info', 'line.moved', { server });
      this.#server = server;
      this.#keepAlive.stop();
      this.#readyAt = undefined;
      this.#registering = undefined;
      this.#turn += 1;
      this.#accepted(outcome.registered, doubted || condemned !== undefined ? 'silent' : 'moved');
    } else if (outcome.kind === 'refused') this.#list.fails(server, clock.now(), outcome.retryAfterMs);
    if (outcome.kind === 'undone') void this.#register();
    else if (!doubted || outcome.kind === 'moved') this.#catchUp();
    return outcome.kind === 'moved';
  }

  /** What fell due while it had to wait. */
  #catchUp(): void {
    const isDue = this.#options.clock.now() >= (this.#refresh?.at ?? Number.POSITIVE_INFINITY);
    if (this.#renewed || isDue) void this.#register();
  }

  #drop(reason: string): void {
    this.#fellSilent = true;
    if (this.#move.hasten()) return;
    // A doubted connection that has a second one beside it waits for what becomes of that.
    if (this.#movingFrom !== undefined && this.#options.socket.hasNext) {
      this.#condemned = reason;
      return;
    }
    const end = this.#end;
    this.#options.socket.abandon();
    end?.({ why: 'lost', reason, retryAfterMs: 0 });
  }

  #tellLost(reason: string): void {
    if (reason === this.#lastReason) return;
    this.#lastReason = reason;
    this.#options.signal({ type: 'sip.lost', reason });
  }

  #sendOptions(): void {
    const { userAgent, account } = this.#options;
    const core = userAgent.userAgentCore;
    const registrar = registrarOf(account);
    const aor = core.configuration.aor;
    try {
      core.request(core.makeOutgoingRequestMessage('OPTIONS', registrar, aor, registrar, {}, []));
    } catch {
      // The connection went away between the look and the act; its deadline tells.
    }
  }
}

const stoppedEnding: Ending = { why: 'lost', reason: 'stopped', retryAfterMs: 0 };

/** REGISTER and OPTIONS go to the domain itself, without a user (RFC 3261 section 10.2). */
function registrarOf(account: SipAccount): URI {
  return new URI('sip', undefined as unknown as string, account.domain);
}

function hostOf(server: string): string {
  try {
    return new URL(server).host;
  } catch {
    return 'the server';
  }
}
