/**
 * Owns what the phone watches at the phone system: colleagues and park slots (dialog event package), the own mailbox (message summary). Tells the
 * whole list whenever anything in it changes. Must never keep the line waiting: subscriptions follow the registration, a few at a time.
 */

import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { ClockPort, Watching } from '../ports.ts';
import type { SipSignal, Watched } from '../state.ts';
import { DialogInfo } from './dialog-info.ts';
import { readSummary } from './message-summary.ts';
import { ownDevice, targetUri } from './redirection.ts';
import { Subscription } from './subscription.ts';

export interface WatcherOptions {
  readonly userAgent: UserAgent;
  readonly domain: string;
  readonly extension: string;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly signal: (signal: SipSignal) => void;
}

/** What takes a call away from another phone (RFC 3891). */
export interface TakeOver {
  /** The value of Replaces. */
  readonly replaces: string;
  /** Where that call is; null: wherever its extension leads. */
  readonly at: URI | null;
}

interface Lamp {
  readonly info: DialogInfo;
  readonly subscription: Subscription;
  /** Something was told since the line is up. */
  known: boolean;
}

/** Hundreds of SUBSCRIBEs at once would stand in front of the first call. */
const atOnce = 6;
/** A line that comes back sooner has told everything again before anybody looks. */
const unknownAfterMs = 10_000;

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #lamps = new Map<string, Lamp>();
  #mailbox: Subscription | undefined;
  /** The phone system has told of it, asked or not. */
  #mailboxTold = false;
  #ready = false;
  #queue: Subscription[] = [];
  #asked = 0;
  #lostTimer: unknown;
  #telling = false;
  readonly #troubles = new Map<string, string>();
  #trouble = '';

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Replaces what was watched before; what stays is not asked for again. */
  set({ extensions, mailbox }: Watching): void {
    for (const [extension, { subscription }] of this.#lamps)
      if (!extensions.includes(extension)) this.#drop(extension, subscription);
    // In the order asked for, whatever was there before.
    const before = new Map(this.#lamps);
    this.#lamps.clear();
    for (const extension of extensions) {
      const lamp = before.get(extension) ?? this.#lampFor(extension);
      if (lamp !== undefined) this.#lamps.set(extension, lamp);
    }
    if (mailbox && this.#mailbox === undefined) this.#watchMailbox();
    else if (!mailbox && this.#mailbox !== undefined) {
      this.#drop('', this.#mailbox);
      this.#mailbox = undefined;
      this.#mailboxTold = false;
      this.#options.signal({ type: 'sip.mailbox', mailbox: null });
    }
    this.#tellSoon();
  }

  /** The line is registered: everything is asked for, on the connection that there is now. */
  lineReady(): void {
    this.#ready = true;
    this.#options.clock.clearTimeout(this.#lostTimer);
    this.#asked = 0;
    this.#queue = [
      ...[...this.#lamps.values()].map((it) => it.subscription),
      ...(this.#mailbox ? [this.#mailbox] : []),
    ];
    this.#askNext();
  }

  lineLost(): void {
    const { clock } = this.#options;
    this.#ready = false;
    this.#queue = [];
    clock.clearTimeout(this.#lostTimer);
    this.#lostTimer = clock.setTimeout(() => {
      for (const lamp of this.#lamps.values()) lamp.known = false;
      this.#tellSoon();
    }, unknownAfterMs);
  }

  /** A summary that nobody subscribed to: Asterisk and FreeSWITCH send it by themselves. True when it was one. */
  takeUnsolicited(message: IncomingRequestMessage): boolean {
    if (!/^\s*message-summary\b/i.test(message.getHeader('event') ?? '')) return false;
    if (this.#mailbox !== undefined) this.#takeSummary(message.body);
    return true;
  }

  /** How to take the call at this extension; null when the phone system does not tell it. */
  takeOver(extension: string): TakeOver | null {
    const info = this.#lamps.get(extension)?.info;
    const replaces = info?.replaces() ?? null;
    if (!info || replaces === null) return null;
    return { replaces, at: ownDevice(info.localTarget, this.#options.domain) ?? null };
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#lostTimer);
    this.#queue = [];
    for (const { subscription } of this.#lamps.values()) subscription.stop();
    this.#mailbox?.stop();
    this.#lamps.clear();
    this.#mailbox = undefined;
  }

  #lampFor(extension: string): Lamp | undefined {
    const info = new DialogInfo();
    const target = targetUri(extension, this.#options.domain);
    if (target === undefined) return undefined;
    const subscription = this.#subscription(extension, {
      target,
      event: 'dialog',
      accept: 'application/dialog-info+xml',
      onBody: (body) => {
        if (!info.take(body)) return;
        lamp.known = true;
        this.#tellSoon();
      },
    });
    const lamp: Lamp = { info, subscription, known: false };
    return lamp;
  }

  #watchMailbox(): void {
    const target = targetUri(this.#options.extension, this.#options.domain);
    if (target === undefined) return;
    this.#mailbox = this.#subscription('', {
      target,
      event: 'message-summary',
      accept: 'application/simple-message-summary',
      onBody: (body) => this.#takeSummary(body),
    });
  }

  #subscription(
    name: string,
    of: Pick<ConstructorParameters<typeof Subscription>[0], 'target' | 'event' | 'accept' | 'onBody'>,
  ): Subscription {
    const { userAgent, clock, random } = this.#options;
    const subscription: Subscription = new Subscription({
      ...{ core: userAgent.userAgentCore, clock, random, ...of },
      onTrouble: (reason) => this.#note(name, reason),
      onSettled: () => {
        // One that tries again by itself was not asked for from here.
        this.#asked = Math.max(0, this.#asked - 1);
        this.#askNext();
      },
    });
    if (this.#ready) {
      this.#queue.push(subscription);
      this.#askNext();
    }
    return subscription;
  }

  #askNext(): void {
    while (this.#ready && this.#asked < atOnce) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#asked += 1;
      next.start();
    }
  }

  #drop(name: string, subscription: Subscription): void {
    this.#queue = this.#queue.filter((it) => it !== subscription);
    subscription.stop();
    this.#note(name, '');
  }

  #takeSummary(body: string): void {
    const mailbox = readSummary(body);
    if (mailbox === null) return;
    this.#mailboxTold = true;
    this.#note('', '');
    this.#options.signal({ type: 'sip.mailbox', mailbox });
  }

  #note(name: string, reason: string): void {
    // Some tell without being asked, and refuse to be asked: nothing is amiss.
    if (reason === '' || (name === '' && this.#mailboxTold)) this.#troubles.delete(name);
    else this.#troubles.set(name, reason);
    const [first] = this.#troubles;
    const words =
      first === undefined
        ? ''
        : `${first[0] === '' ? 'Your mailbox' : `Extension ${first[0]}`} is not shown: ${first[1]}.`;
    if (words === this.#trouble) return;
    this.#trouble = words;
    this.#options.signal({ type: 'sip.watch-trouble', reason: words });
  }

  /** Many documents come at once after a sign-in: the list is told once for all of them. */
  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      this.#options.signal({ type: 'sip.watched', watched: this.#shown() });
    });
  }

  #shown(): readonly Watched[] {
    return [...this.#lamps].map(([extension, { info, known }]) =>
      known ? info.show(extension) : { extension, status: 'unknown', farSide: null, direction: null, canTake: false },
    );
  }
}
