/**
 * Owns how the tabs of one user and their calling window find each other: who was looked at last, what the window is asked to dial, and which tab
 * is to show a record. Must never touch the panel's frame.
 */
import type { Reference } from './portal-state.ts';

/** What DIAL_NUMBER carries, and the record that is called. */
export interface DialOrder {
  readonly data: Readonly<Record<string, unknown>>;
  readonly callee: Reference;
}

type Note =
  | { readonly kind: 'looked'; readonly tab: string; readonly at: number; readonly viewing: Reference | undefined }
  | { readonly kind: 'gone'; readonly tab: string }
  | { readonly kind: 'who-is-there' }
  | { readonly kind: 'window-ready' }
  | { readonly kind: 'dial'; readonly order: DialOrder }
  | { readonly kind: 'show'; readonly tab: string; readonly target: Reference; readonly newTab: boolean };

const windowName = 'hubspot-calling-window';
const lockOf = (userId: number): string => `calling-window:${userId}`;

/** A tab's side. */
export interface TabSide {
  /** The person looks at this tab, at this record. */
  looked(viewing: Reference | undefined): void;
  /** Opens the calling window or brings it to the front. False: the browser refused it. */
  openWindow(): Promise<boolean>;
  /** Gives the order to the calling window, which is opened first when there is none. */
  dialInWindow(order: DialOrder): Promise<boolean>;
  onWindow(listener: (open: boolean) => void): void;
}

export function joinAsTab(options: {
  userId: number;
  tab: string;
  windowUrl: string;
  size: { width: number; height: number };
  show: (target: Reference, newTab: boolean) => void;
}): TabSide {
  const channel = new BroadcastChannel(`sandbox-portal-${options.userId}`);
  let last: Note & { kind: 'looked' } = { kind: 'looked', tab: options.tab, at: Date.now(), viewing: undefined };
  let pending: DialOrder | undefined;
  let windowListener = (_open: boolean): void => {};

  const isOpen = async (): Promise<boolean> => {
    const { held = [] } = await navigator.locks.query();
    return held.some((lock) => lock.name === lockOf(options.userId));
  };
  const open = (url: string): boolean => {
    const { width, height } = options.size;
    const opened = window.open(url, windowName, `popup,width=${width + 24},height=${height + 96}`);
    opened?.focus();
    return opened !== null;
  };

  channel.addEventListener('message', ({ data: note }: MessageEvent<Note>) => {
    if (note.kind === 'who-is-there') channel.postMessage(last);
    else if (note.kind === 'show' && note.tab === options.tab) options.show(note.target, note.newTab);
    else if (note.kind === 'window-ready') {
      windowListener(true);
      if (pending) channel.postMessage({ kind: 'dial', order: pending } satisfies Note);
      pending = undefined;
    }
  });
  addEventListener('pagehide', () => channel.postMessage({ kind: 'gone', tab: options.tab } satisfies Note));

  return {
    looked(viewing) {
      last = { kind: 'looked', tab: options.tab, at: Date.now(), viewing };
      channel.postMessage(last);
    },
    // An empty address brings a window with that name to the front without loading it anew: the call in it goes on.
    openWindow: async () => open((await isOpen()) ? '' : options.windowUrl),
    async dialInWindow(order) {
      if (await isOpen()) {
        channel.postMessage({ kind: 'dial', order } satisfies Note);
        return true;
      }
      pending = order;
      return open(options.windowUrl);
    },
    onWindow(listener) {
      windowListener = listener;
      const look = (): void => void isOpen().then(windowListener);
      look();
      setInterval(look, 2000);
    },
  };
}

/** The calling window's side. */
export interface WindowSide {
  /** The record in the tab that was looked at last. */
  viewing(): Reference | undefined;
  /** The panel is there: what was clicked before may come. */
  ready(): void;
  /** Shows a record in the tab that was looked at last; false when there is none. */
  show(target: Reference, newTab: boolean): boolean;
}

/** Null when this user has a calling window already: a second one would ring twice. */
export async function joinAsWindow(userId: number, onDial: (order: DialOrder) => void): Promise<WindowSide | null> {
  const first = await new Promise<boolean>((resolve) => {
    void navigator.locks.request(lockOf(userId), { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    });
  });
  if (!first) return null;
  const channel = new BroadcastChannel(`sandbox-portal-${userId}`);
  const tabs = new Map<string, { at: number; viewing: Reference | undefined }>();
  const latest = (): [string, { viewing: Reference | undefined }] | undefined =>
    [...tabs].sort(([, a], [, b]) => b.at - a.at)[0];
  channel.addEventListener('message', ({ data: note }: MessageEvent<Note>) => {
    if (note.kind === 'looked') tabs.set(note.tab, { at: note.at, viewing: note.viewing });
    else if (note.kind === 'gone') tabs.delete(note.tab);
    else if (note.kind === 'dial') onDial(note.order);
  });
  channel.postMessage({ kind: 'who-is-there' } satisfies Note);
  return {
    viewing: () => latest()?.[1].viewing,
    ready: () => channel.postMessage({ kind: 'window-ready' } satisfies Note),
    show(target, newTab) {
      const [tab] = latest() ?? [];
      if (tab === undefined) return false;
      channel.postMessage({ kind: 'show', tab, target, newTab } satisfies Note);
      return true;
    },
  };
}
