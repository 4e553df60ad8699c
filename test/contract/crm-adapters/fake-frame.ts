/**
 * A panel's window inside a host page's window, made by hand: what the panel posts to its parent is kept, what the page posts arrives as a
 * message event with the sender and origin the test chooses. For hosts whose code takes the window it is given.
 */
export interface FakeFrame {
  readonly window: Window;
  readonly parent: object;
  /** What the panel posted to its parent, with the target origin. */
  readonly posted: { readonly message: Record<string, unknown>; readonly targetOrigin: string }[];
  post(data: unknown, from?: { readonly origin?: string; readonly source?: unknown }): void;
}

export function fakeFrame(options: {
  readonly origin: string;
  readonly framed: boolean;
  readonly search?: string;
  /** The panel's own address, without its query. */
  readonly url?: string;
  /** What the browser says of the frames around; null: it does not say. */
  readonly ancestors?: readonly string[] | null;
  readonly extras?: Readonly<Record<string, unknown>>;
}): FakeFrame {
  const target = new EventTarget();
  const posted: FakeFrame['posted'] = [];
  const parent = {
    postMessage: (message: Record<string, unknown>, targetOrigin: string) => {
      posted.push({ message: structuredClone(message), targetOrigin });
    },
  };
  const { origin, pathname, protocol } = new URL(options.url ?? 'https://phone.example.com/');
  const ancestorOrigins = options.ancestors === undefined ? [options.origin] : (options.ancestors ?? undefined);
  const window: Record<string, unknown> = {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
    location: { search: options.search ?? '', origin, pathname, protocol, ancestorOrigins },
    ...options.extras,
  };
  window.parent = options.framed ? parent : window;
  return {
    window: window as unknown as Window,
    parent,
    posted,
    post(data, from = {}) {
      const event = Object.assign(new Event('message'), {
        data,
        origin: from.origin ?? options.origin,
        source: from.source ?? parent,
      });
      target.dispatchEvent(event);
    },
  };
}
