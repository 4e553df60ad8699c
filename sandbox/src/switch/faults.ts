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
};

export class FaultPanel {
  #current: Faults = {};

  /** Merges into what is set; a field given as undefined is switched off. */
  set(faults: Faults): void {
    this.#current = { ...this.#current, ...faults };
  }

  /** Everything works again. */
  clear(): void {
    this.#current = {};
  }

  get current(): Readonly<Faults> {
    return this.#current;
  }
}
