/**
 * One call ringing at every device of an extension until one answers, all refuse, or the caller gives up.
 * Owns which device won; must never know what the call is for.
 */
import { AgentCall, type AgentCallPorts, type RingingCaller } from './agent-call.ts';
import type { EndCause } from './party.ts';
import type { Binding } from './registrar.ts';

/** RFC 3326: what a device is told that rang for a call which another one answered. */
export const COMPLETED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"';

/** Exactly one of `onAnswered`, `onRedirected` and `onRefused` comes, unless it is stopped first. */
export type RingHooks = {
  onRinging(call: AgentCall): void;
  onAnswered(call: AgentCall): void;
  onRedirected(contact: string): void;
  onRefused(status: number, reason: string, by: EndCause['by']): void;
};

export class DeviceRing {
  /** Those that ring now. */
  readonly calls = new Set<AgentCall>();
  readonly #hooks: RingHooks;
  #settled = false;
  #patience: NodeJS.Timeout | undefined;
  /** Offers the call to one more device. Absent before anybody rang. */
  #offer: ((device: Binding, earlier: AgentCall | undefined) => void) | undefined;
  /** Which device each of them is. */
  readonly #deviceOf = new Map<AgentCall, string>();
  /** Devices whose agent has said no. */
  readonly #refused = new Set<string>();
  #worst = { status: 480, reason: 'Temporarily Unavailable' };

  /** @param giveUpAfterMs undefined: rings until somebody else gives up. */
  constructor(hooks: RingHooks, giveUpAfterMs: number | undefined) {
    this.#hooks = hooks;
    if (giveUpAfterMs === undefined) return;
    this.#patience = setTimeout(() => {
      if (!this.settle()) return;
      this.stop({ by: 'switch' });
      hooks.onRefused(480, 'No answer', 'switch');
    }, giveUpAfterMs);
    this.#patience.unref();
  }

  /** Rings them all. `onMade` gets each call before anything can happen to it. */
  ring(
    devices: readonly Binding[],
    caller: RingingCaller,
    fork: { callId: string; tag: string },
    ports: AgentCallPorts,
    onMade: (call: AgentCall) => void,
  ): void {
    this.#offer = (device, earlier) => {
      const call = AgentCall.ringing(device, caller, fork, ports);
      this.calls.add(call);
      this.#deviceOf.set(call, nameOf(device));
      onMade(call);
      this.#watch(call, device, earlier);
    };
    for (const device of devices) this.#offer(device, undefined);
  }

  /**
   * A device has registered while it rings. On a connection that is new it is offered the same call again (the same Call-ID,
   * From tag and CSeq): a page that was reloaded knows nothing of it.
   */
  ringOn(device: Binding): void {
    const name = nameOf(device);
    if (this.#settled || !this.#offer || this.#refused.has(name)) return;
    if ([...this.calls].some((call) => call.ringsOver(device.flow))) return;
    this.#offer(
      device,
      [...this.calls].find((call) => this.#deviceOf.get(call) === name),
    );
  }

  /** @param earlier the same device on a connection that is gone. */
  #watch(call: AgentCall, device: Binding, earlier: AgentCall | undefined): void {
    call.events = {
      onRinging: () => {
        earlier?.abandon();
        if (!this.#settled) this.#hooks.onRinging(call);
      },
      onAnswered: () => {
        if (!this.settle()) return call.hangUp({ by: 'switch', reason: COMPLETED_ELSEWHERE });
        this.calls.delete(call);
        this.stop({ by: 'switch', reason: COMPLETED_ELSEWHERE });
        this.#hooks.onAnswered(call);
      },
      onRedirected: (contact) => {
        if (!this.settle()) return;
        this.calls.delete(call);
        this.stop({ by: 'switch' });
        this.#hooks.onRedirected(contact);
      },
      onHeld: () => undefined,
      onKey: () => undefined,
      onRefer: (transaction) => transaction.respond(403, 'Only an answered call can be transferred'),
      onEnded: (cause) => {
        this.calls.delete(call);
        this.#deviceOf.delete(call);
        if (this.#settled) return;
        // The page is the one that rings already (RFC 3261 section 8.2.2.2): only its connection is new.
        if (cause.status === 482 && earlier?.live) return earlier.movedTo(device.flow);
        if (cause.status !== undefined) {
          this.#worst = { status: cause.status, reason: cause.reason ?? 'Refused' };
          if (cause.by === 'agent' && cause.status !== 408) this.#refused.add(nameOf(device));
          earlier?.abandon();
        }
        // 6xx speaks for every device of the agent (RFC 3261 section 16.7).
        if (this.calls.size > 0 && this.#worst.status < 600) return;
        if (!this.settle()) return;
        this.stop({ by: 'switch' });
        this.#hooks.onRefused(this.#worst.status, this.#worst.reason, cause.by);
      },
    };
  }

  /** Claims the outcome. False: somebody has had it. */
  settle(): boolean {
    const first = !this.#settled;
    this.#settled = true;
    clearTimeout(this.#patience);
    return first;
  }

  /** Silences whatever still rings. */
  stop(cause: EndCause): void {
    for (const call of [...this.calls]) call.hangUp(cause);
  }
}

/** The device itself, whatever connection it is on. */
function nameOf(device: Binding): string {
  return device.instance ?? device.contact;
}
