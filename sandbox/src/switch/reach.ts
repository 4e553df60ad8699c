/**
 * Reaching somebody: finds whom a number means, rings them, sends the call on where they do not take it, and lets others
 * pick it up. Owns who is being looked for; must never join two parties by itself, which is the exchange's.
 */

import type { AgentCall } from './agent-call.ts';
import { type AgentCallPorts, newFork } from './agent-call.ts';
import { type CallBook, type CallDescription, type CallEntry, dialled, sameNumber } from './call-book.ts';
import type { Caller, CallerDescription } from './caller.ts';
import type { Conversation } from './conversation.ts';
import { type Diverted, diversionHeaders } from './diversions.ts';
import type { Machine } from './machine.ts';
import { type NumberPlan, type Reached, VOICEMAIL } from './number-plan.ts';
import type { EndCause, Party } from './party.ts';
import type { Binding, Registrar } from './registrar.ts';
import { COMPLETED_ELSEWHERE, DeviceRing } from './ring-devices.ts';
import type { SipHeader } from './sip-message.ts';
import type { SwitchEmitter } from './switch-events.ts';

/** How an attempt to reach somebody goes. Exactly one of `onAnswered` and `onRefused` comes, unless it is cancelled. */
export type AttemptHooks = {
  onRinging(party: Party, withSound: boolean | 'then-ringing'): void;
  onAnswered(party: Party): void;
  onRefused(status: number, reason: string): void;
};

/** Somebody is being looked for. */
export type Attempt = {
  /** The extension or number that rings. */
  readonly rings: string;
  readonly entry?: CallEntry;
  cancel(cause: EndCause): void;
  /** A phone of whoever rings has registered: it rings as well. */
  ringOn?(device: Binding): void;
  /** Another party answers in place of whoever rings. False: too late. */
  take(taker: Party): boolean;
};

/** What a call carries with it on its way. */
export type Route = {
  headers?: readonly SipHeader[];
  /** The extension that sent it here, by transfer or redirection. */
  by?: string;
  diverted?: readonly Diverted[];
  /** Gives up sooner than the caller does. */
  noAnswerMs?: number;
  /** Whoever does not answer is not to take a message either. */
  noVoicemail?: boolean;
  redirects?: number;
};

const MOST_REDIRECTS = 5;

/** What the exchange does for a call on its way. */
export type ReachPorts = {
  readonly book: CallBook;
  readonly plan: NumberPlan;
  readonly registrar: Registrar;
  readonly callers: readonly CallerDescription[];
  readonly events: SwitchEmitter;
  readonly ports: AgentCallPorts;
  readonly voicemailAfterMs: number | undefined;
  conversationOf(party: Party): Conversation | undefined;
  join(first: Party, second: Party): void;
  open(
    start: Pick<CallDescription, 'id' | 'direction' | 'number'> & Partial<CallDescription>,
    near?: Party,
    far?: Party,
  ): CallEntry;
  end(entry: CallEntry, cause: EndCause): void;
  newCaller(description: CallerDescription): Caller;
  remember(party: Party): void;
  watchAgent(call: AgentCall): void;
  partyEnded(party: Party, cause: EndCause): void;
};

export class Reach {
  /** Who is being looked for on behalf of whom. */
  readonly attempts = new Map<Party, Attempt>();
  readonly #ports: ReachPorts;

  constructor(ports: ReachPorts) {
    this.#ports = ports;
  }

  /** Reaches whoever `target` means. Returns the book's entry when agents' devices ring. */
  connect(origin: Party, target: string, hooks: AttemptHooks, route: Route = {}): CallEntry | undefined {
    const number = dialled(target);
    if (this.#ports.registrar.of(number).length > 0) return this.#ringAgent(origin, number, hooks, route);
    const reached = this.#ports.plan.reach(number, origin, route.by);
    if (reached) {
      this.serve(origin, reached, hooks, route);
      return undefined;
    }
    const listed = this.#ports.callers.find((caller) => sameNumber(caller.number, number));
    if (listed && this.#ports.plan.colleagues.get(listed.number)?.call) hooks.onRefused(486, 'Busy Here');
    else if (listed || /^\+?[1-9]\d{6,14}$/.test(number))
      this.#ringCaller(origin, listed ?? { number, kind: 'person' }, hooks);
    else if (this.#ports.registrar.knows(number))
      this.#unreached(origin, number, { status: 480, reason: 'Temporarily Unavailable' }, hooks, route);
    else hooks.onRefused(404, 'Not Found');
    return undefined;
  }

  /** A number of the office plan. */
  serve(origin: Party, reached: Reached, hooks: AttemptHooks, route: Route): void {
    switch (reached.kind) {
      case 'machine':
        this.#adopt(reached.machine);
        hooks.onAnswered(reached.machine);
        return;
      case 'waiting':
        // Whoever waits may be ringing for somebody at this moment: that is over.
        this.attempts.get(reached.party)?.cancel({ by: 'switch' });
        this.attempts.delete(reached.party);
        hooks.onAnswered(reached.party);
        return;
      case 'caller':
        this.#ringCaller(origin, reached.description, hooks);
        return;
      case 'picked-up': {
        const caller = this.#ports.newCaller(reached.description);
        caller.pickUp();
        hooks.onAnswered(caller);
        return;
      }
      case 'pick-up':
        this.#pickUpAt(origin, reached.extension, hooks);
        return;
      case 'intercom': {
        const headers = [...(route.headers ?? []), ...reached.headers];
        this.connect(origin, reached.extension, hooks, { ...route, headers, noVoicemail: true });
        return;
      }
      case 'page': {
        this.#adopt(reached.speaker);
        hooks.onAnswered(reached.speaker);
        for (const extension of this.freeAgents())
          if (extension !== origin.number) this.#page(reached.listener(), extension, reached.headers);
        return;
      }
      case 'refused':
        hooks.onRefused(reached.status, reached.reason);
        return;
    }
  }

  #page(seat: Machine, extension: string, headers: readonly SipHeader[]): void {
    this.#adopt(seat);
    this.connect(
      seat,
      extension,
      {
        onRinging: () => undefined,
        onAnswered: (agent) => {
          this.attempts.delete(seat);
          this.#ports.join(seat, agent);
        },
        onRefused: (status, reason) => {
          this.attempts.delete(seat);
          seat.hangUp({ by: 'agent', status, reason });
        },
      },
      { headers, noVoicemail: true },
    );
  }

  #pickUpAt(taker: Party, extension: string | undefined, hooks: AttemptHooks): void {
    const ringing = [...this.attempts].findLast(
      ([origin, attempt]) =>
        origin !== taker &&
        origin.number !== taker.number &&
        (extension === undefined ? /^\d{2,6}$/.test(attempt.rings) : attempt.rings === extension),
    );
    const colleague = extension === undefined && !ringing ? this.#ports.plan.ringingColleague() : undefined;
    const made = colleague && this.#ports.plan.fromColleague(colleague);
    if (made) {
      this.serve(taker, made, hooks, {});
      return;
    }
    this.takeOver(taker, ringing, hooks);
  }

  /** Whoever is looked for there is connected to the taker instead. */
  takeOver(taker: Party, ringing: [Party, Attempt] | undefined, hooks: AttemptHooks): void {
    if (!ringing?.[1].take(taker)) {
      hooks.onRefused(481, 'Nothing rings there');
      return;
    }
    hooks.onAnswered(ringing[0]);
  }

  /** Extensions with a phone and without a call. */
  freeAgents(): string[] {
    const busy = new Set(this.#ports.book.live().map((entry) => entry.description.extension));
    const all = new Set(this.#ports.registrar.all().map((binding) => binding.extension));
    return [...all].filter((extension) => !busy.has(extension) && !this.#ports.plan.features.doNotDisturb(extension));
  }

  /** Rings somebody for whoever listens to this machine, and goes on playing to him meanwhile. */
  offer(machine: Machine, target: string, route: Route, onRefused: () => void): void {
    const waiting = this.#ports.conversationOf(machine)?.other(machine);
    if (!waiting || this.attempts.has(waiting)) return;
    this.connect(
      waiting,
      target,
      {
        onRinging: () => undefined,
        onAnswered: (found) => {
          this.attempts.delete(waiting);
          this.#ports.join(waiting, found);
        },
        onRefused: () => {
          this.attempts.delete(waiting);
          onRefused();
        },
      },
      route,
    );
  }

  #adopt(machine: Machine): void {
    this.#ports.remember(machine);
    const ended = machine.onEnded;
    machine.onEnded = (cause) => {
      ended?.(cause);
      this.#ports.plan.released(machine);
      this.#ports.partyEnded(machine, cause);
    };
  }

  #ringCaller(origin: Party, description: CallerDescription, hooks: AttemptHooks): void {
    const caller = this.#ports.newCaller(description);
    this.attempts.set(origin, {
      rings: description.number,
      cancel: (cause) => caller.hangUp(cause),
      take: (taker) => {
        if (caller.ended) return false;
        caller.onEnded = undefined;
        caller.hangUp({ by: 'switch' });
        hooks.onAnswered(taker);
        return true;
      },
    });
    caller.ring({
      onRinging: (withSound) => hooks.onRinging(caller, withSound),
      onAnswered: () => hooks.onAnswered(caller),
      onRefused: (status, reason) => hooks.onRefused(status, reason),
    });
  }

  #ringAgent(origin: Party, extension: string, hooks: AttemptHooks, route: Route): CallEntry {
    const { registrar, ports, events, voicemailAfterMs } = this.#ports;
    const fork = newFork(ports.domain);
    const identity = origin.name === undefined ? {} : { name: origin.name };
    const number = this.#ports.book.ofAgent(origin)?.description.callerId ?? origin.number;
    const entry = this.#ports.open(
      { id: fork.callId, direction: 'inbound', extension, number, ...identity },
      undefined,
      origin,
    );
    const ring = new DeviceRing(
      {
        onRinging: (call) => {
          events.emit('call.ringing', { ...entry.description });
          hooks.onRinging(call, false);
        },
        onAnswered: (call) => {
          entry.near = call;
          this.#ports.watchAgent(call);
          hooks.onAnswered(call);
        },
        onRedirected: (contact) => {
          this.#ports.end(entry, { by: 'agent', status: 302, reason: 'redirected' });
          this.#divert(origin, { number: extension, reason: 'deflection' }, userOf(contact), hooks, route);
        },
        onRefused: (status, reason, by) => {
          this.#ports.end(entry, { by, status, reason });
          this.#unreached(origin, extension, { status, reason }, hooks, route);
        },
      },
      route.noAnswerMs ?? (route.noVoicemail ? undefined : voicemailAfterMs),
    );
    entry.ringing = ring.calls;
    this.attempts.set(origin, {
      rings: extension,
      entry,
      ringOn: (device) => {
        if (device.extension === extension) ring.ringOn(device);
      },
      cancel: (cause) => {
        if (ring.settle()) this.#ports.end(entry, cause);
        ring.stop(cause);
        entry.near?.hangUp(cause);
      },
      take: (taker) => {
        if (!ring.settle()) return false;
        ring.stop({ by: 'switch', reason: COMPLETED_ELSEWHERE });
        this.#ports.end(entry, { by: 'switch', reason: 'picked up' });
        hooks.onAnswered(taker);
        return true;
      },
    });
    if (this.#wishedElsewhere(origin, extension, entry, ring, hooks, route)) return entry;
    const headers = [...(route.headers ?? []), ...diversionHeaders(ports.domain, route.diverted ?? [], extension)];
    ring.ring(registrar.of(extension), { number, name: origin.name, headers }, fork, ports, (call) =>
      this.#ports.remember(call),
    );
    return entry;
  }

  /** Do not disturb and forwarding. Obeyed a moment later, when whoever calls knows of the call. */
  #wishedElsewhere(
    origin: Party,
    extension: string,
    entry: CallEntry,
    ring: DeviceRing,
    hooks: AttemptHooks,
    route: Route,
  ): boolean {
    const forward = this.#ports.plan.features.forwardTo(extension);
    if (forward === undefined && !this.#ports.plan.features.doNotDisturb(extension)) return false;
    queueMicrotask(() => {
      if (!ring.settle()) return;
      if (forward !== undefined) {
        this.#ports.end(entry, { by: 'switch', status: 302, reason: 'forwarded' });
        this.#divert(origin, { number: extension, reason: 'unconditional' }, forward, hooks, route);
        return;
      }
      this.#ports.end(entry, { by: 'agent', status: 486, reason: 'Do not disturb' });
      this.#unreached(origin, extension, { status: 486, reason: 'Do not disturb' }, hooks, route);
    });
    return true;
  }

  #divert(origin: Party, from: Diverted, target: string, hooks: AttemptHooks, route: Route): void {
    const redirects = (route.redirects ?? 0) + 1;
    this.attempts.delete(origin);
    if (redirects > MOST_REDIRECTS) {
      hooks.onRefused(483, 'Too many redirections');
      return;
    }
    const diverted = [...(route.diverted ?? []), from];
    this.connect(origin, target, hooks, { by: from.number, diverted, redirects });
  }

  /** Nobody at this extension takes the call: it is offered to the mailbox, where there is one. */
  #unreached(
    origin: Party,
    extension: string,
    cause: { status: number; reason: string },
    hooks: AttemptHooks,
    route: Route,
  ): void {
    const wanted = this.#ports.voicemailAfterMs !== undefined && route.noVoicemail !== true;
    if (!wanted || cause.status === 487) {
      hooks.onRefused(cause.status, cause.reason);
      return;
    }
    const reason = cause.status === 480 ? 'no-answer' : 'user-busy';
    this.#divert(origin, { number: extension, reason }, VOICEMAIL, hooks, route);
  }
}

function userOf(contact: string): string {
  return decodeURIComponent(/sips?:([^@;>]+)@/i.exec(contact)?.[1] ?? contact);
}
