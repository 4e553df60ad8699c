/** What HubSpot's SDK takes for granted in the global scope when it is loaded; imported before it, and owns nothing else. */
const scope = globalThis as unknown as Record<string, unknown>;
scope.self ??= globalThis;
scope.window ??= new EventTarget();
scope.document ??= {
  referrer: '',
  // It reads the parts of an address off a link.
  createElement: () => {
    let url = new URL('http://localhost');
    return {
      set href(value: string) {
        url = new URL(value, 'http://localhost');
      },
      get protocol() {
        return url.protocol;
      },
      get host() {
        return url.host;
      },
    };
  },
};

export {};
