/**
 * The SIP messages of one page, both ways, read from its WebSocket by the browser. Owns keeping and finding them; must never change one, and never
 * judge it.
 */
import type { Page } from 'playwright-core';
import { readSip, type SipText } from '../sip-lab/sip-text.ts';

/** Who sent a message: the phone in the page, or the other end. */
export type Sender = 'phone' | 'far';

export class Wire {
  #messages: { readonly by: Sender; readonly sip: SipText }[] = [];

  /** Ask before the page opens its connection. */
  constructor(page: Page) {
    page.on('websocket', (socket) => {
      const keep = (by: Sender) => (frame: { payload: string | Buffer }) =>
        this.#messages.push({ by, sip: readSip(frame.payload.toString()) });
      socket.on('framesent', keep('phone'));
      socket.on('framereceived', keep('far'));
    });
  }

  /** What was there before is not looked at any more. */
  forget(): void {
    this.#messages = [];
  }

  /** All messages of this sender that fit, oldest first. */
  all(by: Sender, fits: (sip: SipText) => boolean): SipText[] {
    return this.#messages.filter((it) => it.by === by && fits(it.sip)).map(({ sip }) => sip);
  }

  /** Requests of this method. */
  requests(by: Sender, method: string): SipText[] {
    return this.all(by, (sip) => sip.method === method);
  }

  /** Responses to this method. */
  responses(by: Sender, status: number, method: string): SipText[] {
    return this.all(by, (sip) => sip.status === status && sip.header('cseq').endsWith(` ${method}`));
  }

  /** The first message that fits, also one that is there already. @throws Error with all first lines when none comes in time */
  async sees(what: string, by: Sender, fits: (sip: SipText) => boolean, withinMs = 8_000): Promise<SipText> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const [found] = this.all(by, fits);
      if (found !== undefined) return found;
      if (Date.now() > deadline) {
        const seen = this.#messages.map((it) => `${it.by === 'phone' ? '→' : '←'} ${it.sip.first}`).join('\n');
        throw new Error(`Not on the wire within ${withinMs} ms: ${what}. Seen:\n${seen}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  seesRequest(by: Sender, method: string, fits: (sip: SipText) => boolean = () => true): Promise<SipText> {
    return this.sees(`${method} of the ${by} side`, by, (sip) => sip.method === method && fits(sip));
  }

  seesResponse(by: Sender, status: number, method: string): Promise<SipText> {
    return this.sees(
      `${status} to ${method} of the ${by} side`,
      by,
      (sip) => sip.status === status && sip.header('cseq').endsWith(` ${method}`),
    );
  }
}

/** The direction of the sound in a description; without a line of its own it is sendrecv (RFC 8866 section 6.7). */
export function direction(sip: SipText): string {
  return /^a=(sendrecv|sendonly|recvonly|inactive)/m.exec(sip.body)?.[1] ?? 'sendrecv';
}

/** The names of the audio formats of a description, in their order. */
export function formats(sip: SipText): string[] {
  const names: Readonly<Record<string, string>> = { '0': 'PCMU', '8': 'PCMA', '9': 'G722' };
  const types = /^m=audio \d+ \S+ ([\d ]+)/m.exec(sip.body)?.[1]?.split(' ') ?? [];
  return types.map((type) => new RegExp(`^a=rtpmap:${type} ([^/]+)`, 'm').exec(sip.body)?.[1] ?? names[type] ?? type);
}
