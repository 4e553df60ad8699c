/**
 * Owns `@salesforce/apex` on the sandbox page: an imported method is a function and a wire adapter at once, and both ask the emulated org as
 * the user who is signed in. Must never keep an answer for another user: a page has one.
 */

type Params = Readonly<Record<string, unknown>>;
type Emitted = { readonly data: unknown; readonly error: unknown };

/** How to ask again for what a wire gave. */
const sources = new WeakMap<object, () => Promise<void>>();

const user = (): string =>
  (JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as { user?: { username?: string } }).user
    ?.username ?? '';

async function ask(apexClass: string, methodName: string, params: Params): Promise<unknown> {
  const response = await fetch('/sandbox/aura', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: user(), args: { apexClass, methodName, params } }),
  });
  const answer = (await response.json()) as { returnValue?: unknown; message?: string };
  // What the platform rejects with: the exception's text in `body.message`.
  if (!response.ok) throw { status: 500, body: { message: answer.message ?? 'The server failed.' } };
  return answer.returnValue;
}

class ApexWire {
  readonly #ask: (params: Params) => Promise<unknown>;
  readonly #emit: (value: Emitted) => void;
  #params: Params | undefined;
  #asked = 0;

  constructor(askIt: (params: Params) => Promise<unknown>, emit: (value: Emitted) => void) {
    this.#ask = askIt;
    this.#emit = emit;
    emit({ data: undefined, error: undefined });
  }

  update(params: Params): void {
    this.#params = params;
    void this.#read();
  }

  connect(): void {}

  disconnect(): void {
    this.#asked += 1;
  }

  async #read(): Promise<void> {
    // As on the platform, a wire waits until every parameter is there.
    if (this.#params === undefined || Object.values(this.#params).includes(undefined)) return;
    this.#asked += 1;
    const mine = this.#asked;
    let value: Emitted;
    try {
      value = { data: frozen(await this.#ask(this.#params)), error: undefined };
    } catch (error) {
      value = { data: undefined, error };
    }
    if (mine !== this.#asked) return;
    sources.set(value, () => this.#read());
    this.#emit(value);
  }
}

/** A wire hands out what nobody may change. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/** The default export of `@salesforce/apex/<class>.<method>`. */
export function apexMethod(apexClass: string, methodName: string): unknown {
  const askIt = (params: Params): Promise<unknown> => ask(apexClass, methodName, params);
  function method(given: unknown): unknown {
    return new.target === undefined
      ? askIt((given ?? {}) as Params)
      : new ApexWire(askIt, given as (value: Emitted) => void);
  }
  return method;
}

/** Asks again for what a wire gave; settles when the wire has the new answer. */
export function refreshApex(given: object): Promise<void> {
  return sources.get(given)?.() ?? Promise.resolve();
}
