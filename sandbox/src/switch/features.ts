/**
 * What an extension has asked for about calls to it: do not disturb, and forwarding of every call.
 * Owns the wishes; must never route a call.
 */
export class Features {
  readonly #quiet = new Set<string>();
  readonly #forwards = new Map<string, string>();
  readonly #onChanged: (extension: string) => void;

  constructor(onChanged: (extension: string) => void) {
    this.#onChanged = onChanged;
  }

  doNotDisturb(extension: string): boolean {
    return this.#quiet.has(extension);
  }

  /** Where every call to the extension goes. */
  forwardTo(extension: string): string | undefined {
    return this.#forwards.get(extension);
  }

  setDoNotDisturb(extension: string, on: boolean): void {
    if (on) this.#quiet.add(extension);
    else this.#quiet.delete(extension);
    this.#onChanged(extension);
  }

  setForwardTo(extension: string, number: string | undefined): void {
    if (number === undefined) this.#forwards.delete(extension);
    else this.#forwards.set(extension, number);
    this.#onChanged(extension);
  }
}
