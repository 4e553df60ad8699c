/**
 * The exchange: finds whom a number means, rings them, joins two parties, moves them on a transfer, and keeps the book.
 * Owns every running conversation; must never read or write SIP text (that is agent-call) and never check credentials.
 * One file on purpose: ringing, joining, transferring and ending share the same three maps, and a rule split over
 * several files is how ghosts of calls come about.
 */
import { randomUUID } from 'node:crypto';
import { AgentCall, type AgentCallPorts, newFork } from './agent-call.ts';
import { CallBook, type CallDescription, type CallEntry, dialled, sameNumber } from './call-book.ts';
import { Caller, type CallerDescription } from './caller.ts';
import { Conversation, startBeat } from './conversation.ts';
import type { FaultPanel } from './faults.ts';
import type { EndCause, Party } from './party.ts';
import type { Registrar } from './registrar.ts';
import type { SipHeader } from './sip-message.ts';
import type { SoundStyle } from './sound.ts';
import type { SwitchEmitter } from './switch-events.ts';

/** How an attempt to reach somebody goes. Exactly one of `onAnswered` and `onRefused` comes, unless it is cancelled. */
export type AttemptHooks = {
  onRinging(party: Party, withSound: boolean): void;
  onAnswered(party: Party): void;
  onRefused(status: number, reason: string): void;
};

type Attempt = { cancel(cause: EndCause): void; readonly entry?: CallEntry };

/** RFC 3326: what a device is told that rang for a call which another one answered. */
const COMPLETED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"';
const MOST_REDIRECTS = 5;
const JOINED_TALK_MS = 60_000;
const MOST_REMEMBERED = 200;
/** A tab that was closed says no BYE; its call is ended when nothing has been heard of it for this long. */
const LOST_AFTER_MS = 30_000;
const LOOK_EVERY_MS = 5000;

export type ExchangeOptions = {
  callers: readonly CallerDescription[];
  style: SoundStyle;
  faults: FaultPanel;
  registrar: Registrar;
  events: SwitchEmitter;
  ports: AgentCallPorts;
};

export class Exchange {
  readonly book = new CallBook();
  readonly #options: ExchangeOptions;
  readonly #conversations = new Set<Conversation>();
  /** Who is being looked for on behalf of whom. */
  readonly #attempts = new Map<Party, Attempt>();
  /** Everyone seen lately, newest last: `heard` outlives the call. */
  readonly #seen: Party[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #stopBeat: () => void;
  readonly #lookout: NodeJS.Timeout;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const isFarSide = (party: Party): boolean => party instanceof Caller;
    this.#stopBeat = startBeat(() => {
      for (const conversation of this.#conversations) conversation.beat(isFarSide);
    });
    this.#lookout = setInterval(() => this.#endLostCalls(), LOOK_EVERY_MS);
    this.#lookout.unref();
  }

  #endLostCalls(): void {
    for (const entry of this.book.live()) {
      const agent = entry.near;
      if (agent instanceof AgentCall && agent.lost(Date.now(), LOST_AFTER_MS))
        agent.hangUp({ by: 'switch', reason: 'agent lost' });
    }
  }

  /** The agent's live call that these dialog identifiers name. */
  findCall(id: { callId: string; localTag: string; remoteTag: string }): AgentCall | undefined {
    return this.#seen.findLast((party): party is AgentCall => party instanceof AgentCall && party.is(id));
  }

  /** An agent dials. The call rings, is answered or refused from here on. */
  place(call: AgentCall, target: string): void {
    this.#remember(call);
    const entry = this.#open({ id: call.callId, direction: 'outbound', extension: call.number, number: target }, call);
    this.#watchAgent(call);
    this.#connect(call, target, {
      onRinging: (party, withSound) => {
        this.#identify(entry, party);
        void call.ring(withSound).then(() => {
          if (withSound && call.live && this.#attempts.has(call)) this.#join(call, party);
          this.#options.events.emit('call.ringing', { ...entry.description });
        });
      },
      onAnswered: (party) => {
        this.#identify(entry, party);
        void call.answer().then((answered) => {
          this.#attempts.delete(call);
          if (!answered) return party.hangUp({ by: 'agent', reason: 'the agent was gone' });
          this.#join(call, party);
        });
      },
      onRefused: (status, reason) => {
        this.#attempts.delete(call);
        call.refuse(status, reason);
      },
    });
  }

  /** A caller dials an extension. Undefined when nobody is registered there. */
  callAgent(
    description: CallerDescription,
    extension: string,
    headers: SipHeader[],
    onSettled: (answered: boolean) => void,
  ): { entry: CallEntry; caller: Caller } | undefined {
    if (this.#options.registrar.of(extension).length === 0) return undefined;
    const caller = this.#newCaller(description);
    caller.pickUp();
    this.#connect(
      caller,
      extension,
      {
        onRinging: () => undefined,
        onAnswered: (agent) => {
          this.#attempts.delete(caller);
          this.#join(caller, agent);
          onSettled(true);
        },
        onRefused: (status, reason) => {
          this.#attempts.delete(caller);
          caller.hangUp({ by: 'agent', status, reason });
          onSettled(false);
        },
      },
      headers,
    );
    const entry = this.#attempts.get(caller)?.entry;
    return entry && { entry, caller };
  }

  /** An agent's new call takes the place of an old one (INVITE with Replaces, RFC 3891). */
  async replace(old: AgentCall, call: AgentCall): Promise<void> {
    const entry = this.book.ofAgent(old);
    const conversation = this.#conversationOf(old);
    if (!entry || !conversation) return call.refuse(481, 'Call/Transaction Does Not Exist');
    this.#remember(call);
    this.#watchAgent(call);
    if (!(await call.answer())) return;
    const farSide = conversation.other(old);
    // The old call may have ended while the new one got its media ready.
    if (this.#conversationOf(old) !== conversation) return call.hangUp({ by: 'far side' });
    entry.aliases.push(call.callId);
    entry.near = call;
    this.#join(call, farSide);
    old.hangUp({ by: 'switch', reason: 'replaced' });
  }

  /** The party at the other end of an agent's answered call, if it is free to be transferred. */
  transferable(call: AgentCall): Party | undefined {
    const party = this.#conversationOf(call)?.other(call);
    return party && !this.#attempts.has(party) ? party : undefined;
  }

  /** Blind: the far side of `call` is connected to `target`; the agent's call ends when that is answered. */
  transferTo(
    call: AgentCall,
    party: Party,
    target: string,
    hooks: Omit<AttemptHooks, 'onAnswered'> & { onAnswered(): void },
  ): void {
    const entry = this.book.ofAgent(call);
    this.#connect(party, target, {
      onRinging: hooks.onRinging,
      onAnswered: (found) => {
        this.#attempts.delete(party);
        this.#join(party, found);
        this.#transferred(entry, found.number);
        hooks.onAnswered();
        call.hangUp({ by: 'switch', reason: 'transferred' });
      },
      onRefused: (status, reason) => {
        this.#attempts.delete(party);
        if (entry) this.#options.events.emit('call.transfer-failed', { ...entry.description, to: target, status });
        hooks.onRefused(status, reason);
        // The agent has gone in the meantime: nobody is left to talk to.
        if (!this.#conversationOf(party)) party.hangUp({ by: 'switch', status, reason });
      },
    });
  }

  /** Attended: the far sides of an agent's two calls talk to each other. False when one of them is not answered. */
  transferBetween(call: AgentCall, consult: AgentCall, onJoined: () => void): boolean {
    const first = this.#conversationOf(call)?.other(call);
    const second = this.#conversationOf(consult)?.other(consult);
    if (!first || !second || first === second || !consult.answered) return false;
    const entries = [this.book.ofAgent(call), this.book.ofAgent(consult)];
    this.#join(first, second);
    this.#transferred(entries[0], second.number);
    onJoined();
    consult.hangUp({ by: 'switch', reason: 'transferred' });
    call.hangUp({ by: 'switch', reason: 'transferred' });
    return true;
  }

  /** The far side puts the agent on hold (the agent hears music), or takes it back. */
  holdFromFarSide(entry: CallEntry, held: boolean): void {
    const party = entry.far;
    const conversation = party && this.#conversationOf(party);
    if (!party || !conversation?.setHeld(party, held)) return;
    entry.description.heldByFarSide = held;
    this.#options.events.emit(held ? 'call.held' : 'call.resumed', { ...entry.description, by: 'far side' });
  }

  /** What was heard last by the far side of a call (by id) or by a party (by number or extension). */
  ear(reference: string): Party | undefined {
    const byId = this.book.find(reference);
    if (byId && (byId.description.id === reference || byId.aliases.includes(reference))) return byId.far;
    return this.#seen.findLast((party) => sameNumber(party.number, reference));
  }

  /** Ends everything without a word. */
  close(): void {
    this.#stopBeat();
    clearInterval(this.#lookout);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const attempt of [...this.#attempts.values()]) attempt.cancel({ by: 'switch' });
    for (const party of [...this.#seen]) party.hangUp({ by: 'switch', reason: 'switch closed' });
  }

  #connect(origin: Party, target: string, hooks: AttemptHooks, headers: SipHeader[] = [], redirects = 0): void {
    const number = dialled(target);
    if (this.#options.registrar.of(number).length > 0) {
      this.#ringAgent(origin, number, hooks, headers, redirects);
      return;
    }
    const listed = this.#options.callers.find((caller) => sameNumber(caller.number, number));
    if (listed || /^\+?[1-9]\d{6,14}$/.test(number)) {
      this.#ringCaller(origin, listed ?? { number, kind: 'person' }, hooks);
      return;
    }
    if (this.#options.registrar.knows(number)) {
      hooks.onRefused(480, 'Temporarily Unavailable');
      return;
    }
    hooks.onRefused(404, 'Not Found');
  }

  #ringCaller(origin: Party, description: CallerDescription, hooks: AttemptHooks): void {
    const caller = this.#newCaller(description);
    this.#attempts.set(origin, { cancel: (cause) => caller.hangUp(cause) });
    caller.ring({
      onRinging: (withSound) => hooks.onRinging(caller, withSound),
      onAnswered: () => hooks.onAnswered(caller),
      onRefused: (status, reason) => hooks.onRefused(status, reason),
    });
  }

  #ringAgent(origin: Party, extension: string, hooks: AttemptHooks, headers: SipHeader[], redirects: number): void {
    const { registrar, ports, events } = this.#options;
    const fork = newFork(ports.domain);
    const identity = origin.name === undefined ? {} : { name: origin.name };
    const entry = this.#open(
      { id: fork.callId, direction: 'inbound', extension, number: origin.number, ...identity },
      undefined,
      origin,
    );
    const ringing = new Set<AgentCall>();
    let settled = false;
    let worst = { status: 480, reason: 'Temporarily Unavailable' };
    const settle = (): boolean => {
      const first = !settled;
      settled = true;
      return first;
    };
    const stopRinging = (cause: EndCause): void => {
      for (const other of [...ringing]) other.hangUp(cause);
    };
    const cancel = (cause: EndCause): void => {
      if (settle()) this.#end(entry, cause);
      stopRinging(cause);
      entry.near?.hangUp(cause);
    };
    this.#attempts.set(origin, { cancel, entry });
    for (const device of registrar.of(extension)) {
      const call = AgentCall.ringing(device, { number: origin.number, name: origin.name, headers }, fork, ports);
      ringing.add(call);
      this.#remember(call);
      call.events = {
        onRinging: () => {
          if (settled) return;
          events.emit('call.ringing', { ...entry.description });
          hooks.onRinging(call, false);
        },
        onAnswered: () => {
          if (!settle()) return call.hangUp({ by: 'switch', reason: COMPLETED_ELSEWHERE });
          ringing.delete(call);
          entry.near = call;
          this.#watchAgent(call);
          stopRinging({ by: 'switch', reason: COMPLETED_ELSEWHERE });
          hooks.onAnswered(call);
        },
        onRedirected: (contact) => {
          if (redirects >= MOST_REDIRECTS || !settle()) return;
          ringing.delete(call);
          stopRinging({ by: 'switch' });
          this.#end(entry, { by: 'agent', status: 302, reason: 'redirected' });
          this.#connect(origin, userOf(contact), hooks, [], redirects + 1);
        },
        onHeld: () => undefined,
        onKey: () => undefined,
        onRefer: (transaction) => transaction.respond(403, 'Only an answered call can be transferred'),
        onEnded: (cause) => {
          ringing.delete(call);
          if (settled) return;
          if (cause.status !== undefined) worst = { status: cause.status, reason: cause.reason ?? 'Refused' };
          // 6xx speaks for every device of the agent (RFC 3261 section 16.7).
          if (ringing.size > 0 && worst.status < 600) return;
          settled = true;
          stopRinging({ by: 'switch' });
          this.#end(entry, { by: cause.by, ...worst });
          hooks.onRefused(worst.status, worst.reason);
        },
      };
    }
  }

  #watchAgent(call: AgentCall): void {
    const { events } = this.#options;
    call.events = {
      onHeld: (held) => {
        const conversation = this.#conversationOf(call);
        const entry = this.book.ofAgent(call);
        if (!conversation?.setHeld(call, held) || !entry) return;
        entry.description.heldByAgent = held;
        events.emit(held ? 'call.held' : 'call.resumed', { ...entry.description, by: 'agent' });
      },
      onKey: (key) => {
        const entry = this.book.ofAgent(call);
        if (entry) {
          entry.description.digits += key;
          events.emit('call.digit', { ...entry.description, key });
        }
        this.#conversationOf(call)?.other(call).press(key);
      },
      onRefer: (transaction) => this.onRefer?.(call, transaction),
      onEnded: (cause) => this.#partyEnded(call, cause),
    };
  }

  /** Set by the owner: what a REFER inside a call means is SIP, and so is decided outside. */
  onRefer:
    | ((call: AgentCall, transaction: Parameters<NonNullable<AgentCall['events']>['onRefer']>[0]) => void)
    | undefined;

  #newCaller(description: CallerDescription): Caller {
    const caller = new Caller(description, this.#options.style);
    this.#remember(caller);
    caller.onEnded = (cause) => this.#partyEnded(caller, cause);
    return caller;
  }

  #join(first: Party, second: Party): void {
    for (const party of [first, second]) {
      const old = this.#conversationOf(party);
      if (old) this.#conversations.delete(old);
    }
    const conversation = new Conversation(first, second, this.#options.style, this.#options.faults);
    this.#conversations.add(conversation);
    let withAgent = false;
    for (const party of [first, second]) {
      if (!(party instanceof AgentCall)) continue;
      withAgent = true;
      if (party.heldByAgent) conversation.setHeld(party, true);
      const entry = this.book.ofAgent(party);
      if (!entry) continue;
      this.#identify(entry, conversation.other(party));
      entry.description.heldByAgent = party.heldByAgent;
      entry.description.heldByFarSide = false;
      if (party.answered) this.#answered(entry);
    }
    if (!withAgent) this.#openJoined(first, second);
  }

  #openJoined(first: Party, second: Party): void {
    const entry = this.#open(
      { id: randomUUID(), direction: 'transferred', number: first.number, joined: [first.number, second.number] },
      second,
      first,
    );
    this.#answered(entry);
    if (this.#options.style !== 'pleasant') return;
    // Two invented people would talk for ever; in the demo they say goodbye after a minute.
    const timer = setTimeout(() => first.hangUp({ by: 'far side' }), JOINED_TALK_MS);
    timer.unref();
    this.#timers.add(timer);
  }

  #conversationOf(party: Party): Conversation | undefined {
    for (const conversation of this.#conversations) if (conversation.has(party)) return conversation;
    return undefined;
  }

  #partyEnded(party: Party, cause: EndCause): void {
    for (const entry of this.book.of(party)) this.#end(entry, cause);
    const attempt = this.#attempts.get(party);
    this.#attempts.delete(party);
    attempt?.cancel(cause);
    const conversation = this.#conversationOf(party);
    if (!conversation) return;
    this.#conversations.delete(conversation);
    const other = conversation.other(party);
    // A far side that is being transferred stays on the line though the agent has left.
    if (this.#attempts.has(other)) return;
    other.hangUp(cause.by === 'switch' ? { by: 'switch' } : { by: cause.by });
  }

  #transferred(entry: CallEntry | undefined, to: string): void {
    if (!entry) return;
    entry.description.transferredTo = to;
    this.#options.events.emit('call.transferred', { ...entry.description, to });
  }

  #open(
    start: Pick<CallDescription, 'id' | 'direction' | 'number'> & Partial<CallDescription>,
    near?: Party,
    far?: Party,
  ): CallEntry {
    const description: CallDescription = {
      state: 'ringing',
      heldByAgent: false,
      heldByFarSide: false,
      digits: '',
      startedAt: Date.now(),
      ...start,
    };
    const entry = this.book.open({ description, aliases: [], near, far });
    this.#options.events.emit('call.started', { ...description });
    return entry;
  }

  #identify(entry: CallEntry, far: Party): void {
    entry.far = far;
    entry.description.number = far.number;
    if (far.name !== undefined) entry.description.name = far.name;
  }

  #answered(entry: CallEntry): void {
    if (entry.description.state !== 'ringing') return;
    entry.description.state = 'answered';
    entry.description.answeredAt = Date.now();
    this.#options.events.emit('call.answered', { ...entry.description });
  }

  #end(entry: CallEntry, cause: EndCause): void {
    if (entry.description.state === 'ended') return;
    entry.description.state = 'ended';
    entry.description.endedAt = Date.now();
    entry.description.ended = { ...cause };
    this.#options.events.emit('call.ended', { ...entry.description });
  }

  #remember(party: Party): void {
    this.#seen.push(party);
    if (this.#seen.length <= MOST_REMEMBERED) return;
    const idle = this.#seen.findIndex((entry) => this.book.of(entry).length === 0);
    if (idle >= 0) this.#seen.splice(idle, 1);
  }
}

function userOf(contact: string): string {
  return decodeURIComponent(/sips?:([^@;>]+)@/i.exec(contact)?.[1] ?? contact);
}
