/**
 * Owns reading SIP messages as a browser gets them, and waiting for one. Must never judge what they mean: tests do that on method, status and headers.
 */

/** A SIP message, read. */
export interface SipText {
  /** The first line. */
  readonly first: string;
  /** Of a request; '' of a response. */
  readonly method: string;
  /** Of a response; 0 of a request. */
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  /** The first value of a header, '' when it is not there. */
  header(name: string): string;
  headers(name: string): readonly string[];
}

export type Fits = (message: SipText) => boolean;

export const usualWaitMs = 6_000;

/** Messages in the order they came; each is taken once. */
export class Inbox {
  readonly #kept: SipText[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  add(message: SipText): void {
    this.#kept.push(message);
    for (const look of [...this.#waiting]) look();
  }

  /** The next one that fits; those before it that don't fit are let go. Throws after `withinMs` with what came instead. */
  next(fits: Fits = () => true, withinMs = usualWaitMs): Promise<SipText> {
    return new Promise((resolve, reject) => {
      const seen: string[] = [];
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        for (let message = this.#kept.shift(); message !== undefined; message = this.#kept.shift()) {
          seen.push(`${message.first}\n${message.body}`);
          if (!fits(message)) continue;
          finish();
          resolve(message);
          return;
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`${this.#what}: not within ${withinMs} ms. It got:\n${seen.join('\n') || 'nothing'}`));
      }, withinMs);
      this.#waiting.add(look);
      look();
    });
  }
}

/** Reads the text of a message; '' is a request without anything. */
export function readSip(text: string): SipText {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\r\n');
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first);
  const headers = (name: string): readonly string[] =>
    lines
      .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(name.length + 1).trim());
  return {
    first,
    method: response === null ? (first.split(' ')[0] ?? '') : '',
    status: Number(response?.[1] ?? 0),
    reason: response?.[2] ?? '',
    body: end < 0 ? '' : text.slice(end + 4),
    header: (name) => headers(name)[0] ?? '',
    headers,
  };
}
