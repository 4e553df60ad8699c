/**
 * What the speech-to-text services of tests have in common: a WebSocket server on a free port of this machine, what it was sent, and how it fails. Each
 * protocol has a file of its own beside this one.
 */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';

/** May be changed while the service runs; a session looks whenever it would act. */
export interface ServiceFaults {
  /** Instead of the upgrade. */
  refuse?: { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | undefined;
  /** Takes everything and never says a word. */
  mute?: boolean;
  /** Says what it hears and never makes it final. */
  neverFinal?: boolean;
  /** Finals come so late. */
  finalAfterMs?: number;
  /** Closes after so much sound of a session. */
  closeAfterMs?: number | undefined;
  /** With this; absent: the connection breaks. */
  close?: { readonly code: number; readonly reason: string } | undefined;
  /** Says nothing but rubbish. */
  garbage?: boolean;
  /** Says everything so often. */
  repeat?: number;
  /** What was told of an utterance before it was final comes once more after that: messages out of order. */
  lateParts?: boolean;
  /** Does not read what it is sent. */
  stalled?: boolean;
}

export interface SessionSeen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly texts: string[];
  /** Sizes of the binary messages. */
  readonly binary: number[];
  soundMs: number;
  isClosed: boolean;
}

export interface SpeechService {
  /** `ws:` or `http:`, without a path. */
  readonly url: string;
  readonly sessions: readonly SessionSeen[];
  readonly faults: ServiceFaults;
  /** Breaks every open session off. */
  breakAll(): void;
  close(): Promise<void>;
}

export interface Connection {
  readonly seen: SessionSeen;
  readonly faults: ServiceFaults;
  readonly url: URL;
  /** Sends a message as this service fails just now. */
  say(message: unknown): void;
  /** The same for words that are not final. */
  sayPart(message: unknown): void;
  /** The same, later where finals are late, never where they never come. */
  sayFinal(message: unknown): void;
  /** Sound was taken; ends the session where it is to end. */
  took(ms: number): void;
  close(code: number, reason?: string): void;
}

export interface ServedSession {
  opened?(): void;
  text(message: string): void;
  binary?(bytes: Uint8Array): void;
}

/** @param options.key The value of the header that a session must show, if any */
export async function startSocketService(
  serve: (connection: Connection) => ServedSession,
  options: { readonly key?: { readonly header: string; readonly value: string } } = {},
): Promise<SpeechService> {
  const faults: ServiceFaults = {};
  const sessions: SessionSeen[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const http = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 16 * 1_048_576 });

  http.on('upgrade', (request, stream, head) => {
    const { key } = options;
    const isStranger = key !== undefined && request.headers[key.header] !== key.value;
    const refusal = faults.refuse ?? (isStranger ? { status: 401 } : undefined);
    if (refusal !== undefined) {
      const headers = Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
      stream.end(`HTTP/1.1 ${refusal.status} No\r\n${headers.join('')}Content-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const seen: SessionSeen = {
        path: request.url ?? '',
        headers: request.headers,
        texts: [],
        binary: [],
        soundMs: 0,
        isClosed: false,
      };
      sessions.push(seen);
      attach(socket, seen);
    });
  });

  const attach = (socket: WebSocket, seen: SessionSeen): void => {
    const send = (message: unknown): void => {
      if (socket.readyState !== socket.OPEN || faults.mute === true) return;
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      for (let count = faults.repeat ?? 1; count > 0; count--)
        socket.send(faults.garbage === true ? `{"type":"Resul${text.length}` : text);
    };
    let parts: unknown[] = [];
    const sendFinal = (message: unknown): void => {
      send(message);
      for (const part of parts) send(part);
      parts = [];
    };
    const connection: Connection = {
      seen,
      faults,
      url: new URL(seen.path, 'http://localhost'),
      say: send,
      sayPart(message) {
        if (faults.lateParts === true) parts.push(message);
        send(message);
      },
      sayFinal(message) {
        if (faults.neverFinal === true) return;
        if (faults.finalAfterMs === undefined) return sendFinal(message);
        const timer = setTimeout(() => {
          timers.delete(timer);
          sendFinal(message);
        }, faults.finalAfterMs);
        timers.add(timer);
      },
      took(ms) {
        seen.soundMs += ms;
        if (faults.closeAfterMs === undefined || seen.soundMs < faults.closeAfterMs) return;
        if (faults.close === undefined) socket.terminate();
        else socket.close(faults.close.code, faults.close.reason);
      },
      close: (code, reason) => socket.close(code, reason),
    };
    const session = serve(connection);
    socket.on('close', () => {
      seen.isClosed = true;
    });
    socket.on('error', () => socket.terminate());
    socket.on('message', (data: RawData, isBinary) => {
      // what comes after a close is nobody's
      if (socket.readyState !== socket.OPEN) return;
      if (faults.stalled === true) socket.pause();
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[]);
      if (isBinary) {
        seen.binary.push(bytes.byteLength);
        session.binary?.(bytes);
      } else {
        seen.texts.push(bytes.toString());
        session.text(bytes.toString());
      }
    });
    session.opened?.();
  };

  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    sessions,
    faults,
    breakAll() {
      for (const socket of sockets.clients) socket.terminate();
    },
    close: () =>
      new Promise((resolve) => {
        for (const timer of timers) clearTimeout(timer);
        for (const socket of sockets.clients) socket.terminate();
        sockets.close();
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}
