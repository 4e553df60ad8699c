/** A message channel in memory: tests speak as the phone and read what a component asked it. */
import { createTestWireAdapter } from '@salesforce/wire-service-jest-util';

export const APPLICATION_SCOPE = Symbol('APPLICATION_SCOPE');
export const MessageContext = createTestWireAdapter(jest.fn());

const listeners = new Map();
const sent = [];

export function subscribe(_context, channel, listener, options) {
  const subscription = { channel, scope: options?.scope };
  listeners.set(subscription, listener);
  return subscription;
}

export function unsubscribe(subscription) {
  listeners.delete(subscription);
}

export function publish(_context, channel, message) {
  sent.push({ channel, message });
}

/** The phone says something. */
export function phoneSays(news) {
  for (const listener of listeners.values()) listener({ news });
}

/** What components asked, oldest first. */
export function commandsSent() {
  return sent.map(({ message }) => message.command);
}

/** Who listens now. */
export function subscriptions() {
  return [...listeners.keys()];
}

export function forgetChannel() {
  listeners.clear();
  sent.length = 0;
}
