/**
 * The live socket between panel and relay: events go up and are acknowledged, events of other parts come down. Owns connecting again
 * (back-off with jitter, never giving up) and the check of every message. Must never send anything but token and proof before the relay
 * has said `authenticated`, nor remember what was sent: that is the journal's work.
 */
import {
  type CallEvents,
  type Envelope,
  errorCode,
  type PanelMessage,
  PatchcordError,
  parseEvent,
  type RelayMessage,
  RelayMessageSchema,
  type WireEvent,
} from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import * as v from 'valibot';
import { createLiveGaps } from './live-gaps.ts';

/** `away`: no connection, the next attempt is planned. `joining`: connecting and authenticating. `joined`: events flow. */
export type LiveStatus = 'closed' | 'away' | 'joining' | 'joined';

/** What the link needs of a WebSocket. */
export type LiveSocket = Pick<WebSocket, 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose' | 'onerror'> &
  Partial<Pick<WebSocket, 'bufferedAmount'>>;
export type OpenSocket = (url: string) => LiveSocket;

/** Of the agent's line, and between the agent's devices. */
export type LineSaying = Extract<PanelMessage, { readonly type: `line.${string}` | 'frames.say' }>;
export type LineNews = Extract<RelayMessage, { readonly type: `line.${string}` | 'frames.said' }>;

export interface LiveLink {
  status(): LiveStatus;
  onStatus(listener: (status: LiveStatus) => void): () => void;
  /** Connects and keeps connected until `close`. Once is enough. */
  open(): void;
  /** Whether this frame holds the calls: a relay that knows so can tell a call whose frame is gone from one that is only silent. */
  holdCalls(holds: boolean): void;
  /** Hands events to the socket; false when it is not joined, and then nothing was sent. */
  publish(events: readonly Envelope[]): boolean;
  onAcknowledged(listener: (ids: readonly string[]) => void): () => void;
  onRefused(listener: (id: string, message: string) => void): () => void;
  onEvent(listener: (event: WireEvent) => void): () => void;
  /** Says something of the line; false when the link is not joined, and then nothing was sent. */
  sayOfLine(message: LineSaying): boolean;
  onLine(listener: (news: LineNews) => void): () => void;
  /** Connects at once instead of at the next planned attempt: the network came back, or the agent signed in again. */
  nudge(): void;
  /** The socket looks dead (an acknowledgement is overdue): drop it and connect anew. */
  suspect(): void;
  close(): void;
}

export interface LiveLinkOptions {
  readonly url: string;
  readonly openSocket: OpenSocket;
  readonly clock: ClockPort;
  readonly random?: () => number;
  /** A token that is still good, with a proof for one use of it here; rejects when there is none. */
  readonly authentication: () => Promise<{ readonly token: string; readonly proof: string }>;
  readonly tokenRefused: () => void;
  /** A call's events after a number: what was told while the link was away is asked for. */
  readonly callEvents: (call: string, after: number) => Promise<CallEvents>;
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** From opening the socket to `authenticated`. */
const joinDeadlineMs = 10_000;

/** Keeps one live link to a relay. */
export function createLiveLink(options: LiveLinkOptions): LiveLink {
  const { clock, random = Math.random } = options;
  const statusListeners = new Set<(status: LiveStatus) => void>();
  const acknowledgedListeners = new Set<(ids: readonly string[]) => void>();
  const refusedListeners = new Set<(id: string, message: string) => void>();
  const eventListeners = new Set<(event: WireEvent) => void>();
  const lineListeners = new Set<(news: LineNews) => void>();
  const gaps = createLiveGaps(options.callEvents, tell);
  let status: LiveStatus = 'closed';
  let socket: LiveSocket | null = null;
  let timer: unknown = null;
  let failures = 0;
  let mirror = true;
  let knownAsMirror = true;
  /** Counts attempts, so that what an old attempt still awaits can't touch a new one. */
  let attempt = 0;

  function setStatus(next: LiveStatus): void {
    if (status === next) return;
    status = next;
    for (const listener of [...statusListeners]) listener(next);
  }

  function stopTimer(): void {
    if (timer !== null) clock.clearTimeout(timer);
    timer = null;
  }

  function drop(): void {
    attempt += 1;
    stopTimer();
    const old = socket;
    socket = null;
    if (old === null) return;
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    try {
      old.close();
    } catch {
      // Closing a socket that never opened may throw; it is gone either way.
    }
  }

  function retryLater(): void {
    drop();
    if (status === 'closed') return;
    setStatus('away');
    const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 10));
    failures += 1;
    timer = clock.setTimeout(() => void join(), ceiling * (0.5 + random() / 2));
  }

  async function join(): Promise<void> {
    drop();
    if (status === 'closed') return;
    const mine = attempt;
    setStatus('joining');
    let shown: { readonly token: string; readonly proof: string };
    try {
      shown = await options.authentication();
    } catch {
      if (mine === attempt) retryLater();
      return;
    }
    if (mine !== attempt) return;
    let opened: LiveSocket;
    try {
      opened = options.openSocket(options.url);
    } catch {
      retryLater();
      return;
    }
    socket = opened;
    timer = clock.setTimeout(retryLater, joinDeadlineMs);
    opened.onopen = () => {
      knownAsMirror = mirror;
      send({ type: 'authenticate', ...shown, mirror });
    };
    opened.onmessage = ({ data }) => receive(data);
    opened.onclose = retryLater;
    opened.onerror = retryLater;
  }

  function send(message: PanelMessage): boolean {
    try {
      socket?.send(JSON.stringify(message));
      return socket !== null;
    } catch {
      retryLater();
      return false;
    }
  }

  /** A socket that joined as a mirror's says with its first publish, of nothing, that it is none any more. */
  function sayWhoHolds(): void {
    if (mirror || !knownAsMirror || status !== 'joined') return;
    knownAsMirror = false;
    send({ type: 'publish', events: [] });
  }

  function tell(event: WireEvent): void {
    for (const listener of eventListeners) listener(event);
  }

  function receive(data: unknown): void {
    const message = readMessage(data);
    if (message === null) return;
    switch (message.type) {
      case 'authenticated':
        stopTimer();
        failures = 0;
        setStatus('joined');
        sayWhoHolds();
        gaps.joined();
        return;
      case 'acknowledged':
        for (const listener of acknowledgedListeners) listener(message.ids);
        return;
      case 'refused':
        for (const listener of refusedListeners) listener(message.id, message.message);
        return;
      case 'event': {
        const event = readEvent(message.event);
        if (event !== null && gaps.heard(event, message.seq)) tell(event);
        return;
      }
      case 'line.yours':
      case 'line.elsewhere':
      case 'line.free':
      case 'frames.said':
        for (const listener of [...lineListeners]) listener(message);
        return;
      case 'error':
        // What else the relay can't do just now it says, and keeps the socket or closes it; unacknowledged events are sent again.
        if (!message.code.startsWith('identity.')) return;
        options.tokenRefused();
        retryLater();
    }
  }

  return {
    status: () => status,
    onStatus: (listener) => subscribe(statusListeners, listener),
    onAcknowledged: (listener) => subscribe(acknowledgedListeners, listener),
    onRefused: (listener) => subscribe(refusedListeners, listener),
    onEvent: (listener) => subscribe(eventListeners, listener),
    sayOfLine: (message) => status === 'joined' && send(message),
    onLine: (listener) => subscribe(lineListeners, listener),
    open() {
      if (status !== 'closed') return;
      setStatus('away');
      void join();
    },
    holdCalls(holds) {
      mirror = !holds;
      sayWhoHolds();
    },
    publish(events) {
      if (status !== 'joined' || !send({ type: 'publish', events })) return false;
      gaps.published(events);
      return true;
    },
    nudge() {
      if (status !== 'away') return;
      failures = 0;
      void join();
    },
    suspect() {
      if (status === 'joined') retryLater();
    },
    close() {
      setStatus('closed');
      drop();
    },
  };
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is no text is no JSON either. */
function readMessage(data: unknown): RelayMessage | null {
  return readable(() => v.parse(RelayMessageSchema, JSON.parse(String(data))));
}

/** An event that the relay told; null for one that this panel does not know: a newer relay may have more of them. */
export function readEvent(envelope: Envelope): WireEvent | null {
  return readable(() => parseEvent(envelope));
}

/** What does not fit the contract is left out and named once in the console: it never reaches the panel. */
function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    warn(error);
    return null;
  }
}

function warn(error: unknown): void {
  const code = error instanceof PatchcordError ? errorCode(error) : 'request.invalid';
  console.warn(`Patchcord left out a message of the relay that it can't read (${code}).`);
}
