/**
 * Colleagues: phones with an extension that live inside the switch and are busy at times, so that there is somebody to
 * watch and to pick up from. Owns what their phones do among themselves; calls with agents are the exchange's.
 */
import type { CallerDescription } from './caller.ts';
import { newTag } from './sip-endpoint.ts';

/** A call between a colleague and somebody outside; both are made up. */
export type ColleagueCall = {
  readonly callId: string;
  /** The colleague's own tag. */
  readonly localTag: string;
  readonly remoteTag: string;
  readonly direction: 'initiator' | 'recipient';
  readonly with: { readonly number: string; readonly name: string | undefined };
  state: 'early' | 'confirmed';
};

export class Colleague {
  readonly extension: string;
  readonly name: string | undefined;
  readonly #onChanged: () => void;
  #call: ColleagueCall | undefined;

  constructor(description: CallerDescription, onChanged: () => void) {
    this.extension = description.number;
    this.name = description.name;
    this.#onChanged = onChanged;
  }

  get call(): ColleagueCall | undefined {
    return this.#call;
  }

  /** The phone rings: somebody calls. Takes the place of any other call. */
  ringFrom(number: string, name?: string): ColleagueCall {
    return this.#begin('early', 'recipient', number, name);
  }

  /** The colleague talks with somebody; whoever calls meanwhile finds the line busy. */
  busyWith(number: string, name?: string): ColleagueCall {
    return this.#begin('confirmed', 'initiator', number, name);
  }

  /** Answers what rings. Does nothing when nothing does. */
  answer(): void {
    if (this.#call?.state !== 'early') return;
    this.#call.state = 'confirmed';
    this.#onChanged();
  }

  /** Ends whatever the phone does. */
  hangUp(): void {
    if (!this.#call) return;
    this.#call = undefined;
    this.#onChanged();
  }

  #begin(
    state: 'early' | 'confirmed',
    direction: ColleagueCall['direction'],
    number: string,
    name: string | undefined,
  ): ColleagueCall {
    this.#call = {
      callId: newTag(),
      localTag: newTag(),
      remoteTag: newTag(),
      direction,
      with: { number, name },
      state,
    };
    this.#onChanged();
    return this.#call;
  }
}

const STRANGERS = [
  { number: '+14155550161', name: 'Bayview Plumbing' },
  { number: '+442079460171', name: 'Kentish Coaches' },
  { number: '+493023125071', name: 'Hofgarten Bau' },
];

export class Colleagues {
  readonly #colleagues = new Map<string, Colleague>();
  #timer: NodeJS.Timeout | undefined;

  constructor(callers: readonly CallerDescription[], onChanged: (extension: string) => void) {
    for (const caller of callers)
      if (caller.kind === 'colleague')
        this.#colleagues.set(caller.number, new Colleague(caller, () => onChanged(caller.number)));
  }

  get(extension: string): Colleague | undefined {
    return this.#colleagues.get(extension);
  }

  all(): Colleague[] {
    return [...this.#colleagues.values()];
  }

  /** From now on their phones ring, talk and rest by turns, one step every `everyMs`, so that a demo has something to watch. */
  live(everyMs: number): void {
    let step = 0;
    this.#timer = setInterval(() => {
      const colleagues = this.all();
      const colleague = colleagues[step % Math.max(1, colleagues.length)];
      const stranger = STRANGERS[step % STRANGERS.length];
      step += 1;
      if (!colleague || !stranger) return;
      if (colleague.call?.state === 'early') colleague.answer();
      else if (colleague.call) colleague.hangUp();
      else colleague.ringFrom(stranger.number, stranger.name);
    }, everyMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
