/**
 * Requests that HubSpot repeats by itself when an answer got lost: the same signature is the same request. Owns that it is worked on once here and
 * answered the same. In memory: another relay is kept from doing a thing twice by the id that is in each thing asked for.
 */
export class RepeatedRequests {
  readonly #now: () => number;
  readonly #answers = new Map<string, { readonly at: number; readonly answer: Promise<unknown> }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The work's answer, or that of the same request before. What failed is done again. @param signature Names the request */
  once<T>(signature: string, work: () => Promise<T>): Promise<T> {
    this.#forget();
    const before = this.#answers.get(signature);
    if (before !== undefined) return before.answer as Promise<T>;
    const answer = work();
    this.#answers.set(signature, { at: this.#now(), answer });
    answer.catch(() => this.#answers.delete(signature));
    return answer;
  }

  /** A signature is refused for its age after five minutes. */
  #forget(): void {
    const old = this.#now() - lifeMs;
    for (const [signature, { at }] of this.#answers) {
      if (at >= old && this.#answers.size < mostRemembered) return;
      this.#answers.delete(signature);
    }
  }
}

const lifeMs = 300_000;
const mostRemembered = 5_000;
