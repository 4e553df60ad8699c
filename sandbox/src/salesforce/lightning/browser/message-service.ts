/**
 * Owns `lightning/messageService` on the sandbox page: the page's own bus, which the phone is on too. Must never keep a message.
 */

interface Bus {
  subscribe(channel: string, listener: (message: unknown) => void): () => void;
  publish(channel: string, message: unknown): void;
}

const bus = (): Bus => (window as unknown as { sandbox: { channel: Bus } }).sandbox.channel;

export const APPLICATION_SCOPE = Symbol('APPLICATION_SCOPE');

/** The wire adapter that gives a component its context. */
export class MessageContext {
  constructor(emit: (context: object) => void) {
    emit({});
  }
  update(): void {}
  connect(): void {}
  disconnect(): void {}
}

export function subscribe(_context: object, channel: string, listener: (message: unknown) => void): () => void {
  return bus().subscribe(channel, listener);
}

export function unsubscribe(subscription: (() => void) | null): void {
  subscription?.();
}

export function publish(_context: object, channel: string, message: unknown): void {
  bus().publish(channel, message);
}
