/**
 * Misbehaviour on command, so that a test can meet a bad day without waiting for one.
 * Owns the current set of faults; each is obeyed in the one place that its comment names.
 */

/** Every fault is off when its field is undefined. */
export type Faults = {
  /** REGISTER is answered with this status (registrar). */
  refuseRegister?: { status: number; reason: string } | undefined;
  /** INVITEs from agents are answered with this status, the next `times` of them or all (routing). */
  refuseInvite?: { status: number; reason: string; times?: number } | undefined;
  /** Final answers to INVITE wait this long (agent's call). */
  answerDelayMs?: number | undefined;
  /** 180 and 183 go out without a Contact header, as some phones send them (agent's call). */
  provisionalWithoutContact?: boolean | undefined;
  /** BYE from an agent is never answered, though it ends the call here (agent's call). */
  neverAnswerBye?: boolean | undefined;
  /** Every request the switch sends goes out twice (endpoint). */
  duplicateRequests?: boolean | undefined;
  /** New WebSockets are refused with HTTP 503 (endpoint). */
  refuseSockets?: boolean | undefined;
  /** Sockets stay open, but nothing is read and nothing is sent: a dead connection that looks alive (endpoint). */
  deaf?: boolean | undefined;
  /** Far sides send no sound at all: one-way audio (conversation). */
  muteFarSide?: boolean | undefined;
  /**
   * When this number changes the path of every call that is up is dead: sound passes neither way, until the call is offered another one (ICE restart),
   * as after a media server was restarted. ICE itself goes on answering (agent's call).
   */
  lostPaths?: number | undefined;
  /** SUBSCRIBE is answered with this status (subscriptions). */
  refuseSubscribe?: { status: number; reason: string } | undefined;
  /** `silent`: 202 and never a NOTIFY, as FreeSWITCH does; `terminated`: the first NOTIFY ends it (subscriptions). */
  subscriptions?: 'silent' | 'terminated' | undefined;
  /** Message counts come as NOTIFY without a subscription, after REGISTER and at every change (subscriptions). */
  unsolicitedMwi?: boolean | undefined;

  // What follows is no fault, only rarer than a phone's author would wish.

  /** 18x answers want a PRACK (RFC 3262) from every phone that can give one (agent's call). */
  reliableProvisionals?: boolean | undefined;
  /** So many further 180s come first, each with a To tag of its own, as from a forking proxy (agent's call). */
  forkedRinging?: number | undefined;
  /**
   * The switch asks for a session timer (RFC 4028): `seconds` is its interval, `leastSeconds` the Min-SE below which it
   * refuses with 422 (default 90), `refresher` who has to refresh when both could (agent's call, requests).
   */
  sessionTimer?: { seconds: number; leastSeconds?: number; refresher: 'phone' | 'switch' } | undefined;
  /** A new far side after a transfer or pickup is told at once by UPDATE or re-INVITE with P-Asserted-Identity (agent's call). */
  connectedIdentity?: 'update' | 're-invite' | undefined;
  /** A far side that holds says so by re-INVITE with this direction, beside the music (agent's call). */
  farHold?: 'sendonly' | 'inactive' | undefined;
  /** An INVITE may name another caller in From than its own extension, who is then shown; FreeSWITCH allows it (requests). */
  anyFrom?: boolean | undefined;
  /** Keys are heard in the sound too (agent's call). */
  inBandDigits?: boolean | undefined;
  /** Offers of the switch have a video section beside the sound (agent's call). */
  offerVideo?: boolean | undefined;
};

export class FaultPanel {
  readonly #always: Readonly<Faults>;
  #current: Faults;

  /** @param always what `clear` comes back to. */
  constructor(always: Readonly<Faults> = {}) {
    this.#always = always;
    this.#current = { ...always };
  }

  /** Merges into what is set; a field given as undefined is switched off. */
  set(faults: Faults): void {
    this.#current = { ...this.#current, ...faults };
  }

  /** Everything works again. */
  clear(): void {
    this.#current = { ...this.#always };
  }

  get current(): Readonly<Faults> {
    return this.#current;
  }
}
