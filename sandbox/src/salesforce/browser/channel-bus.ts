/**
 * Owns the page's Lightning Message Service: components of the page and the phone on one bus. Messages are JSON-cloned on every way, as the
 * platform does it. Must never know what a message means.
 */

type Listener = (message: unknown) => void;

export interface ChannelBus {
  /** A component of the page listens; answers how to stop. */
  subscribe(channel: string, listener: Listener): () => void;
  /** A component of the page publishes: every subscriber hears it, the phone too if it subscribed. Answers whether the phone did. */
  publish(channel: string, message: unknown): boolean;
}

/** @param toPhone delivers to the phone and answers whether it listens to the channel */
export function createChannelBus(toPhone: (channel: string, message: unknown) => boolean): ChannelBus {
  const channels = new Map<string, Set<Listener>>();
  return {
    subscribe(channel, listener) {
      const all = channels.get(channel) ?? new Set();
      channels.set(channel, all);
      // Wrapped, so that one function subscribed twice hears twice and each is ended by itself.
      const own: Listener = (message) => listener(message);
      all.add(own);
      return () => void all.delete(own);
    },
    publish(channel, message) {
      const text = JSON.stringify(message) ?? 'null';
      for (const listener of [...(channels.get(channel) ?? [])]) {
        try {
          listener(JSON.parse(text));
        } catch (error) {
          // One component that fails must not keep the others from hearing.
          reportError(error);
        }
      }
      return toPhone(channel, JSON.parse(text));
    },
  };
}
