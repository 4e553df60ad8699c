/**
 * The exchange: joins two parties, moves them on a transfer, ends them together, and keeps the book.
 * Owns every running conversation; must never read or write SIP text (that is agent-call), never check credentials and
 * never look for anybody (that is reach). Joining, transferring and ending are one file on purpose: they share the same
 * maps, and a rule split over several files is how ghosts of calls come about.
 */
import { randomUUID } from 'node:crypto';
import { AgentCall, type AgentCallPorts } from './agent-call.ts';
import { CallBook, type CallDescription, type CallEntry, sameNumber } from './call-book.ts';
import { Caller, type CallerDescription } from './caller.ts';
import { Conversation, startBeat } from './conversation.ts';
import type { FaultPanel } from './faults.ts';
import { Machine } from './machine.ts';
import { NumberPlan, type NumberPlanOptions, type Reached } from './number-plan.ts';
import type { EndCause, Party } from './party.ts';
import { Queue } from './queue.ts';
import { type AttemptHooks, Reach } from './reach.ts';
import type { Binding, Registrar } from './registrar.ts';
import { RoomSeat } from './rooms.ts';
import type { SipHeader } from './sip-message.ts';
import type { SoundStyle } from './sound.ts';
import type { SwitchEmitter } from './switch-events.ts';

const JOINED_TALK_MS = 60_000;
const MOST_REMEMBERED = 200;
/** How long a queue rings one agent before it tries the next, and a parked call the one who parked it. */
const QUEUE_RING_MS = 15_000;
const PARK_RING_MS = 20_000;
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
  plan: Pick<NumberPlanOptions, 'autoAnswer' | 'parkReturnMs' | 'longestMessageMs'>;
  /** Calls that nobody at an extension answers go to its mailbox after this time; undefined: they are refused. */
  voicemailAfterMs: number | undefined;
};

export class Exchange {
  readonly book = new CallBook();
  readonly plan: NumberPlan;
  readonly #options: ExchangeOptions;
  readonly #conversations = new Set<Conversation>();
  readonly #reach: Reach;
  /** Everyone seen lately, newest last: `heard` outlives the call. */
  readonly #seen: Party[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #stopBeat: () => void;
  readonly #lookout: NodeJS.Timeout;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { style, events, callers, registrar, ports } = options;
    const queue = new Queue((box, extension, onRefused) =>
      this.#reach.offer(box, extension, { noAnswerMs: QUEUE_RING_MS, noVoicemail: true }, onRefused),
    );
    this.plan = new NumberPlan({
      ...options.plan,
      domain: ports.domain,
      style,
      callers,
      events,
      knows: (extension) => registrar.knows(extension) || this.plan.colleagues.get(extension) !== undefined,
      onParkOverdue: (box, parked) =>
        this.#reach.offer(box, parked.by, { noAnswerMs: PARK_RING_MS, noVoicemail: true }, () => undefined),
      onQueued: (box) => queue.serve(box, () => this.#reach.freeAgents()),
    });
    this.#reach = new Reach({
      book: this.book,
      plan: this.plan,
      registrar,
      callers,
      events,
      ports,
      voicemailAfterMs: options.voicemailAfterMs,
      conversationOf: (party) => this.#conversationOf(party),
      join: (first, second) => this.#join(first, second),
      open: (start, near, far) => this.#open(start, near, far),
      end: (entry, cause) => this.#end(entry, cause),
      newCaller: (description) => this.#newCaller(description),
      remember: (party) => this.#remember(party),
      watchAgent: (call) => this.#watchAgent(call),
      partyEnded: (party, cause) => this.#partyEnded(party, cause),
    });
    const isFarSide = (party: Party): boolean => party instanceof Caller || party.machine === true;
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

  /** The call whose ringing or talk these identifiers name, as the switch or as the phone itself sees them. */
  findNamed(id: { callId: string; localTag: string; remoteTag: string }): AgentCall | undefined {
    return this.#seen.findLast((party): party is AgentCall => party instanceof AgentCall && party.isNamed(id));
  }

  /** An agent dials. The call rings, is answered or refused from here on. */
  place(call: AgentCall, target: string, callerId?: string): void {
    const hooks = this.#dialled(call, target, callerId);
    this.#reach.connect(call, target, hooks);
  }

  /** A phone has registered: whatever rings at its extension rings there too. */
  ringOn(device: Binding): void {
    for (const attempt of [...this.#reach.attempts.values()]) attempt.ringOn?.(device);
  }

  /** An agent takes a call that rings elsewhere: `found` is the device that rings, or whoever waits there. */
  pickUp(call: AgentCall, found: AgentCall | Reached): void {
    const hooks = this.#dialled(call, found instanceof AgentCall ? found.number : '', undefined);
    if (!(found instanceof AgentCall)) {
      this.#reach.serve(call, found, hooks, {});
      return;
    }
    const picked = [...this.#reach.attempts].find(([, attempt]) => attempt.entry?.ringing?.has(found));
    this.#reach.takeOver(call, picked, hooks);
  }

  #dialled(call: AgentCall, target: string, callerId: string | undefined): AttemptHooks {
    this.#remember(call);
    const shown = callerId === undefined ? {} : { callerId };
    const entry = this.#open(
      { id: call.callId, direction: 'outbound', extension: call.number, number: target, ...shown },
      call,
    );
    this.#watchAgent(call);
    return {
      onRinging: (party, withSound) => {
        this.#identify(entry, party);
        void call.ring(withSound).then(() => {
          if (withSound !== false && call.live && this.#reach.attempts.has(call)) this.#join(call, party);
          this.#options.events.emit('call.ringing', { ...entry.description });
        });
      },
      onAnswered: (party) => {
        this.#identify(entry, party);
        void call.answer().then((answered) => {
          this.#reach.attempts.delete(call);
          if (answered) return this.#join(call, party);
          // Whoever waits or talks elsewhere by now stays there.
          if (!this.#conversationOf(party)) party.hangUp({ by: 'agent', reason: 'the agent was gone' });
        });
      },
      onRefused: (status, reason) => {
        this.#reach.attempts.delete(call);
        call.refuse(status, reason);
      },
    };
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
    const entry = this.#reach.connect(
      caller,
      extension,
      {
        onRinging: () => undefined,
        onAnswered: (agent) => {
          this.#reach.attempts.delete(caller);
          this.#join(caller, agent);
          onSettled(true);
        },
        onRefused: (status, reason) => {
          this.#reach.attempts.delete(caller);
          caller.hangUp({ by: 'agent', status, reason });
          onSettled(false);
        },
      },
      { headers },
    );
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
    if (this.#options.ports.temper.replacesLoosely && isApplication(farSide)) {
      await call.acknowledged;
      for (const each of [call, old]) each.hangUp({ by: 'switch', reason: 'Invalid Application 0' });
      return;
    }
    entry.aliases.push(call.callId);
    entry.near = call;
    this.#join(call, farSide);
    old.hangUp({ by: 'switch', reason: 'replaced' });
  }

  /** The party at the other end of an agent's answered call, if it is free to be transferred. */
  transferable(call: AgentCall): Party | undefined {
    const party = this.#conversationOf(call)?.other(call);
    return party && !this.#reach.attempts.has(party) ? party : undefined;
  }

  /** Blind: the far side of `call` is connected to `target`; the agent's call ends when that is answered. */
  transferTo(
    call: AgentCall,
    party: Party,
    target: string,
    hooks: Omit<AttemptHooks, 'onAnswered'> & { onAnswered(): void },
  ): void {
    const entry = this.book.ofAgent(call);
    const attempt: AttemptHooks = {
      onRinging: hooks.onRinging,
      onAnswered: (found) => {
        this.#reach.attempts.delete(party);
        this.#join(party, found);
        this.#transferred(entry, found.number);
        hooks.onAnswered();
        call.hangUp({ by: 'switch', reason: 'transferred' });
      },
      onRefused: (status, reason) => {
        this.#reach.attempts.delete(party);
        if (entry) this.#options.events.emit('call.transfer-failed', { ...entry.description, to: target, status });
        hooks.onRefused(status, reason);
        // The agent has gone in the meantime: nobody is left to talk to.
        if (!this.#conversationOf(party)) party.hangUp({ by: 'switch', status, reason });
      },
    };
    this.#reach.connect(party, target, attempt, {
      by: call.number,
      headers: referredBy(call, this.#options.ports.domain),
    });
    if (this.#options.ports.temper.transfersBlindly) call.hangUp({ by: 'switch', reason: 'transferred' });
  }

  /** Attended: the far sides of an agent's two calls talk to each other. False when one of them is not answered. */
  transferBetween(call: AgentCall, consult: AgentCall, onJoined: () => void): boolean {
    const first = this.#conversationOf(call)?.other(call);
    const second = this.#conversationOf(consult)?.other(consult);
    if (!first || !second || first === second || !consult.answered || (first.machine && second.machine)) return false;
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
    if (entry.near instanceof AgentCall) entry.near.heldByFarSide(held);
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
    this.plan.close();
    clearInterval(this.#lookout);
    for (const timer of this.#timers) clearTimeout(timer);
    for (const attempt of [...this.#reach.attempts.values()]) attempt.cancel({ by: 'switch' });
    for (const party of [...this.#seen]) party.hangUp({ by: 'switch', reason: 'switch closed' });
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
      if (!old) continue;
      this.#conversations.delete(old);
      const left = old.other(party);
      // A machine that nobody listens to any more has done its work: its slot or seat is free.
      if (left.machine && left !== first && left !== second) left.hangUp({ by: 'switch' });
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
      if (party.codec !== undefined) entry.description.codec = party.codec;
      if (party.answered) this.#answered(entry);
    }
    if (!withAgent) this.#openJoined(first, second);
    for (const party of [first, second]) if (party instanceof Machine) party.onJoined?.(conversation.other(party));
  }

  #openJoined(first: Party, second: Party): void {
    const entry = this.#open(
      { id: randomUUID(), direction: 'transferred', number: first.number, joined: [first.number, second.number] },
      second,
      first,
    );
    this.#answered(entry);
    if (this.#options.style !== 'pleasant' || first.machine || second.machine) return;
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
    const attempt = this.#reach.attempts.get(party);
    this.#reach.attempts.delete(party);
    attempt?.cancel(cause);
    const conversation = this.#conversationOf(party);
    if (!conversation) return;
    this.#conversations.delete(conversation);
    const other = conversation.other(party);
    // A far side that is being transferred stays on the line though the agent has left.
    if (this.#reach.attempts.has(other)) return;
    const why = cause.reason === undefined ? {} : { reason: cause.reason };
    other.hangUp(cause.by === 'switch' ? { by: 'switch' } : { by: cause.by, ...why });
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
    if (far.name === undefined) delete entry.description.name;
    else entry.description.name = far.name;
    if (entry.near instanceof AgentCall) entry.near.connectedTo(far);
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

/** What only plays or records for the agent: nothing that could be joined to somebody else. */
function isApplication(party: Party): boolean {
  if (party instanceof Caller) return party.kind === 'echo' || party.kind === 'announcement';
  return party.machine === true && !(party instanceof RoomSeat);
}

function referredBy(call: AgentCall, domain: string): SipHeader[] {
  return [{ name: 'Referred-By', value: `<sip:${call.number}@${domain}>` }];
}
