/**
 * The digits-only patterns of libphonenumber's metadata, asked a question that a regular expression can't answer: can a number that begins
 * with these digits still match? Owns that one small grammar (literals, `\d`, classes, groups, `|`, `?`, `{n,m}`); must never be given
 * anything a user wrote.
 */

interface State {
  /** Digit → states it leads to. */
  readonly steps: [digits: number, to: State][];
  readonly free: State[];
}

type Fragment = (from: State) => State;

const everyDigit = 0b11_1111_1111;

/** A compiled pattern. */
export interface DigitPattern {
  /** Whether some number that begins with these digits matches the whole pattern. */
  canBegin(digits: string): boolean;
  /** Every text that matches, for patterns with few matches; stops at `limit`. */
  matches(limit: number): readonly string[];
}

/** @throws Error for a pattern outside the grammar: the metadata has changed its language, and nobody may guess what it means */
export function digitPattern(source: string): DigitPattern {
  const start: State = { steps: [], free: [] };
  const end = new Parser(source).whole()(start);
  const first = closure([start]);
  return {
    canBegin(digits) {
      let states = first;
      for (const digit of digits) {
        states = after(states, Number(digit));
        if (states.size === 0) return false;
      }
      // Every state of these patterns leads to the end, so a state that is left is a match that can still be.
      return true;
    },
    matches(limit) {
      const found: string[] = [];
      const waiting: [string, ReadonlySet<State>][] = [['', first]];
      for (let next = waiting.shift(); next !== undefined && found.length < limit; next = waiting.shift()) {
        const [text, states] = next;
        if (states.has(end)) found.push(text);
        for (let digit = 0; digit < 10; digit += 1) {
          const on = after(states, digit);
          if (on.size > 0) waiting.push([`${text}${digit}`, on]);
        }
      }
      return found;
    },
  };
}

function after(states: ReadonlySet<State>, digit: number): ReadonlySet<State> {
  const reached: State[] = [];
  for (const state of states) {
    for (const [digits, to] of state.steps) if ((digits >> digit) & 1) reached.push(to);
  }
  return closure(reached);
}

function closure(states: readonly State[]): ReadonlySet<State> {
  const found = new Set(states);
  for (const state of found) for (const next of state.free) found.add(next);
  return found;
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  whole(): Fragment {
    const fragment = this.#alternatives();
    if (this.#at < this.#source.length) this.#fail();
    return fragment;
  }

  #alternatives(): Fragment {
    const all = [this.#sequence()];
    while (this.#take('|')) all.push(this.#sequence());
    const [only] = all;
    if (all.length === 1 && only !== undefined) return only;
    return (from) => {
      const end: State = { steps: [], free: [] };
      for (const one of all) {
        const start: State = { steps: [], free: [] };
        from.free.push(start);
        one(start).free.push(end);
      }
      return end;
    };
  }

  #sequence(): Fragment {
    const items: Fragment[] = [];
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at] ?? '')) items.push(this.#repeated());
    return (from) => items.reduce((state, item) => item(state), from);
  }

  #repeated(): Fragment {
    const item = this.#item();
    let [least, most] = [1, 1];
    if (this.#take('?')) least = 0;
    const counted = /^\{(\d+)(?:,(\d+))?\}/.exec(this.#source.slice(this.#at));
    if (counted !== null) {
      this.#at += counted[0].length;
      least = Number(counted[1]);
      most = Number(counted[2] ?? counted[1]);
    }
    return (from) => {
      const end: State = { steps: [], free: [] };
      let state = from;
      for (let n = 0; n < most; n += 1) {
        if (n >= least) state.free.push(end);
        // A state of its own, so that a repetition can't be entered from the side.
        const start: State = { steps: [], free: [] };
        state.free.push(start);
        state = item(start);
      }
      state.free.push(end);
      return end;
    };
  }

  #item(): Fragment {
    if (this.#take('(?:') || this.#take('(')) {
      const inside = this.#alternatives();
      if (!this.#take(')')) this.#fail();
      return inside;
    }
    const digits = this.#digits();
    return (from) => {
      const to: State = { steps: [], free: [] };
      from.steps.push([digits, to]);
      return to;
    };
  }

  #digits(): number {
    if (this.#take('\\d')) return everyDigit;
    const one = /^\d/.exec(this.#source.slice(this.#at));
    if (one !== null) {
      this.#at += 1;
      return 1 << Number(one[0]);
    }
    const group = /^\[((?:\d|\d-\d|\\d)+)\]/.exec(this.#source.slice(this.#at));
    if (group === null) return this.#fail();
    this.#at += group[0].length;
    let digits = 0;
    for (const [part, from, to] of (group[1] ?? '').matchAll(/(\d)-(\d)|\\d|\d/g)) {
      if (part === '\\d') digits |= everyDigit;
      else for (let digit = Number(from ?? part); digit <= Number(to ?? part); digit += 1) digits |= 1 << digit;
    }
    return digits;
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #fail(): never {
    throw new Error(`The number metadata holds a pattern that is not understood, at ${this.#at} of "${this.#source}".`);
  }
}
