/**
 * A session timer (RFC 4028): what is agreed on in the headers, whose duty the refresh is, and the end of a call that nobody
 * has refreshed. Owns one call's deadlines; must never send anything itself.
 */
import type { Faults } from './faults.ts';
import { hasToken, header, type SipHeader, type SipRequest } from './sip-message.ts';

type SessionTimerOptions = {
  /** The agreed interval. */
  seconds: number;
  /** True: this side refreshes; false: the phone has to. */
  weRefresh: boolean;
  refresh(): void;
  expire(): void;
};

class SessionTimer {
  readonly #options: SessionTimerOptions;
  #timers: NodeJS.Timeout[] = [];

  constructor(options: SessionTimerOptions) {
    this.#options = options;
    this.refreshed();
  }

  get seconds(): number {
    return this.#options.seconds;
  }

  get weRefresh(): boolean {
    return this.#options.weRefresh;
  }

  /** The call was refreshed, by whoever: the interval begins anew. */
  refreshed(): void {
    this.stop();
    const whole = this.#options.seconds * 1000;
    // Section 10: whoever waits for the other one's refresh says BYE a little before the end.
    const patience = this.#options.weRefresh ? whole : whole - Math.min(32_000, whole / 3);
    this.#timers = [setTimeout(() => this.#options.expire(), patience)];
    if (this.#options.weRefresh) this.#timers.push(setTimeout(() => this.#options.refresh(), whole / 2));
    for (const timer of this.#timers) timer.unref();
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }
}

export type SessionActions = {
  /** Refreshes the call and gives the status that came back. */
  refresh(): Promise<number>;
  /** @param reason fit for a Reason header. */
  expire(reason: string): void;
};

/** A call's agreement with the phone. While the switch wants no timer it says nothing and does nothing. */
export class SessionAgreement {
  readonly #wanted: () => Faults['sessionTimer'];
  readonly #actions: SessionActions;
  #timer: SessionTimer | undefined;

  constructor(wanted: () => Faults['sessionTimer'], actions: SessionActions) {
    this.#wanted = wanted;
    this.#actions = actions;
  }

  /** Headers of an INVITE of ours (section 7.1). @param least the interval that the phone refused to go below. */
  offer(least?: number): SipHeader[] {
    const wanted = this.#wanted();
    if (!wanted && least === undefined) return [];
    const seconds = least ?? wanted?.seconds ?? 0;
    const refresher = wanted?.refresher === 'phone' ? 'uas' : 'uac';
    return [
      { name: 'Session-Expires', value: `${seconds};refresher=${refresher}` },
      { name: 'Min-SE', value: String(Math.min(seconds, least ?? wanted?.leastSeconds ?? 90)) },
    ];
  }

  /** Agrees to what an INVITE of the phone asks for: the headers of the 2xx (section 9). The interval begins. */
  accept(request: SipRequest): SipHeader[] {
    const wanted = this.#wanted();
    if (!wanted) return [];
    const asked = header(request, 'Session-Expires');
    const able =
      asked !== undefined || hasToken(request, 'Supported', 'timer') || hasToken(request, 'Require', 'timer');
    const least = Math.max(wanted.leastSeconds ?? 90, Number(header(request, 'Min-SE') ?? 0));
    const longest = asked === undefined ? wanted.seconds : Math.min(Number.parseInt(asked, 10), wanted.seconds);
    const seconds = Math.max(longest, Math.min(least, wanted.seconds));
    const refresher = able ? (refresherIn(asked) ?? (wanted.refresher === 'phone' ? 'uac' : 'uas')) : 'uas';
    const value = `${seconds};refresher=${refresher}`;
    this.begin(value, 'uas');
    return [{ name: 'Session-Expires', value }, ...(able ? [{ name: 'Require', value: 'timer' }] : [])];
  }

  /** The same for a re-INVITE or UPDATE, in a call that has a timer. */
  again(request: SipRequest): SipHeader[] {
    return this.#timer ? this.accept(request) : [];
  }

  /** The Min-SE that a refresh falls short of: it is refused with 422. */
  tooSmall(request: SipRequest): number | undefined {
    const least = this.#wanted()?.leastSeconds ?? 90;
    return this.#timer && Number.parseInt(header(request, 'Session-Expires') ?? '', 10) < least ? least : undefined;
  }

  /** Headers of a refresh of ours. */
  refreshHeaders(): SipHeader[] {
    if (!this.#timer) return [];
    const refresher = this.#timer.weRefresh ? 'uac' : 'uas';
    return [{ name: 'Session-Expires', value: `${this.#timer.seconds};refresher=${refresher}` }];
  }

  /** @param role which end of the request that this Session-Expires answers the switch is. */
  begin(agreed: string | undefined, role: 'uac' | 'uas'): void {
    this.stop();
    const wanted = this.#wanted();
    if (!wanted) return;
    const timer = new SessionTimer({
      seconds: Number.parseInt(agreed ?? '', 10) || wanted.seconds,
      weRefresh: (refresherIn(agreed) ?? 'uac') === role,
      refresh: () => {
        void this.#actions.refresh().then(
          (status) => {
            if (status < 300 && this.#timer === timer) timer.refreshed();
            else if (status === 481 || status === 408) this.#actions.expire('session refresh failed');
          },
          () => undefined,
        );
      },
      expire: () => this.#actions.expire('SIP;cause=408;text="Session timer expired"'),
    });
    this.#timer = timer;
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}

function refresherIn(value: string | undefined): 'uac' | 'uas' | undefined {
  const named = /refresher=(ua[cs])/i.exec(value ?? '')?.[1]?.toLowerCase();
  return named === 'uac' || named === 'uas' ? named : undefined;
}
