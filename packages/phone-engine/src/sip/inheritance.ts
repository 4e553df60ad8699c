/**
 * Owns what an earlier owner left, until it is a call of this one: remembered before there is a line, loaded with what takes it up, and the callers
 * whose INVITE the server may offer again (docs/adr/0016). Must never lose a dialog before its fate is told, nor ring twice for one caller.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { ClockPort, KeptDialog } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import { peerName } from './recovery-way.ts';
import type { SipCall } from './sip-call.ts';
import type { TakingUp, TakingUpOptions } from './taking-up.ts';

/** How long after the line is ready a server may take to offer a ringing call again. */
const againMs = 3_000;
const loadTries = 4;
/** After the line is ready, so that it stands in nobody's way. */
const aheadMs = 3_000;
const loadAgainMs = 700;

export interface InheritanceOptions {
  readonly clock: ClockPort;
  readonly signal: (signal: SipSignal) => void;
  /** Built when it is needed. */
  readonly taking: () => TakingUpOptions;
  /** Default: the module. Rejects when it cannot be loaded. */
  readonly load?: () => Promise<Pick<typeof import('./taking-up.ts'), 'TakingUp'>>;
}

export class Inheritance {
  readonly #options: InheritanceOptions;
  /** What nobody has taken up yet. */
  readonly #kept = new Map<CallId, KeptDialog>();
  /** Ended, and not given to whoever says so. */
  readonly #ending = new Set<KeptDialog>();
  /** Callers that were sent away meanwhile, by SIP Call-ID. */
  readonly #unwanted = new Set<string>();
  readonly #timers = new Set<unknown>();
  #loading: Promise<TakingUp> | undefined;
  #ready = false;
  #stopped = false;

  constructor(options: InheritanceOptions) {
    this.#options = options;
  }

  get dialogs(): readonly KeptDialog[] {
    return [...this.#kept.values(), ...this.#ending];
  }

  take(dialogs: readonly KeptDialog[]): void {
    for (const kept of dialogs) this.#kept.set(kept.call, kept);
    if (this.#ready) this.#awaitCallers();
    const others = dialogs.filter(({ stage }) => stage !== 'invited');
    if (others.length === 0) return;
    this.#load().then(
      (taking) => {
        for (const kept of others) {
          // The agent may have ended it meanwhile.
          if (this.#stopped || !this.#kept.delete(kept.call)) continue;
          taking.take(kept);
        }
      },
      () => {
        for (const { call } of others)
          this.#over(call, 'network', 'A part of the phone could not be loaded from the relay.');
      },
    );
  }

  /** The call that a caller's INVITE belongs to, when it rang before; null: it was sent away. Undefined: it is a new one. */
  claim(sipCallId: string): KeptDialog | null | undefined {
    if (this.#unwanted.has(sipCallId)) return null;
    const found = this.dialogs.find(({ callId, stage }) => stage === 'invited' && callId === sipCallId);
    if (found) this.#kept.delete(found.call);
    return found;
  }

  /** It rings here again. */
  rangAgain({ call, peer }: KeptDialog): void {
    this.#options.signal({ type: 'sip.recovered', call, way: 'rung-again', peer: peerName(peer) });
  }

  /** Ends a call before it is taken up. */
  hangUp(call: CallId): void {
    const kept = this.#kept.get(call);
    if (!kept) return;
    this.#over(call, 'agent', '');
    this.end(kept);
  }

  /** Ends what the agent has ended, without another word about it. */
  end(kept: KeptDialog): void {
    if (kept.stage === 'invited') this.#unwanted.add(kept.callId);
    else {
      this.#ending.add(kept);
      this.#load().then(
        (taking) => {
          this.#ending.delete(kept);
          taking.end(kept);
        },
        () => {},
      );
    }
  }

  lineReady(): void {
    this.#ready = true;
    this.#awaitCallers();
    // Before it is needed: with the network that a call has to leave, the way to the relay may go too. And the next page finds it in the browser.
    if (!this.#loading) this.#after(aheadMs, () => void this.#load().catch(() => {}));
    void this.#loading?.then(
      (taking) => taking.lineReady(),
      () => {},
    );
  }

  /** The phone system of this call cannot follow it to another connection. @param otherwise runs when it cannot be moved */
  move(call: SipCall, otherwise: () => void): void {
    this.#load().then((taking) => {
      if (call.established) taking.move(call, otherwise);
    }, otherwise);
  }

  /** Nothing is taken up any more. @param tell each ends, and the agent hears of it */
  stop(tell: boolean): void {
    this.#stopped = true;
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    for (const call of [...this.#kept.keys()]) if (tell) this.#over(call, 'agent', '');
  }

  #awaitCallers(): void {
    for (const { call, stage } of this.dialogs) {
      if (stage === 'invited') this.#after(againMs, () => this.#over(call, 'network', ''));
    }
  }

  #over(call: CallId, by: 'agent' | 'network', reason: string): void {
    if (this.#kept.delete(call)) this.#options.signal({ type: 'sip.ended', call, by, code: 0, reason });
  }

  #load(): Promise<TakingUp> {
    this.#loading ??= this.#fetch(1).then(({ TakingUp }) => {
      const taking = new TakingUp(this.#options.taking());
      if (this.#ready) taking.lineReady();
      return taking;
    });
    this.#loading.catch(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #fetch(attempt: number): Promise<Pick<typeof import('./taking-up.ts'), 'TakingUp'>> {
    try {
      return await (this.#options.load ?? (() => import('./taking-up.ts')))();
    } catch (error) {
      if (attempt === loadTries || this.#stopped) throw error;
      await new Promise<void>((resolve) => this.#after(loadAgainMs, resolve));
      return this.#fetch(attempt + 1);
    }
  }

  #after(ms: number, run: () => void): void {
    const timer = this.#options.clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}
