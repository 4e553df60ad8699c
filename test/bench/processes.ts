/** Servers as processes of their own, and clients cheap enough to stand beside them. Owns starting, asking and ending; measures nothing itself. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { nextAddress } from '../relay/cluster-relay.ts';
import type { BareAnswer } from './bare-server.ts';

export interface BareServer {
  readonly port: number;
  readonly pid: number;
  /** Does its work `count` times and says what it took. */
  work(count: number): Promise<BareAnswer>;
  stop(): void;
}

/** Starts one part of `bare-server.ts`. */
export async function bareServer(part: string): Promise<BareServer> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./bare-server.ts', import.meta.url)), [part], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const answer = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once('message', (message) => resolve(message as T));
      child.once('exit', (code) => reject(new Error(`the bare server "${part}" ended with ${code}`)));
    });
  const { port } = await answer<{ port: number }>();
  return {
    port,
    pid: child.pid ?? 0,
    work: (count) => {
      const done = answer<BareAnswer>();
      child.send({ count });
      return done;
    },
    stop: () => {
      // It clears its folder away by itself, if it has one.
      child.disconnect();
      setTimeout(() => child.kill(), 500).unref();
    },
  };
}

/** User and system time of a process and its threads, ms. */
export async function cpuMsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export async function rssKbOf(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Requests over connections that are kept, `atOnce` at a time. Rejects when one is not answered with `status`. */
export async function requestAll(
  port: number,
  requests: readonly { readonly method: string; readonly path: string; readonly headers: Record<string, string> }[],
  status: number,
  atOnce = 16,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const options = requests[next];
      next += 1;
      if (options === undefined) return resolve();
      const asked = request({ agent, host: '127.0.0.1', port, ...options }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          if (response.statusCode !== status) text += chunk.toString();
        });
        response.once('end', () =>
          response.statusCode === status
            ? resolve(one())
            : reject(new Error(`answered ${response.statusCode}: ${text.slice(0, 300)}`)),
        );
      });
      asked.once('error', reject);
      asked.end();
    });
  await Promise.all(Array.from({ length: atOnce }, one));
  agent.destroy();
}

/** A WebSocket's reading end that only swallows: what it costs does not depend on what is sent. */
export function swallowingSocket(port: number, origin: string, first?: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nX-Forwarded-For: ${nextAddress()}\r\n` +
          'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      );
    });
    socket.once('error', reject);
    socket.once('data', (head: Buffer) => {
      if (!head.toString('latin1').startsWith('HTTP/1.1 101')) {
        reject(new Error(`the upgrade was answered with ${head.toString('latin1').split('\r\n')[0]}`));
        return;
      }
      socket.on('data', () => {});
      if (first === undefined) return resolve(socket);
      // Whatever comes next says that it is let in.
      socket.once('data', () => resolve(socket));
      socket.write(maskedFrame(first));
    });
  });
}

/** A client's text frame (RFC 6455, 5.3), masked with zeros. */
function maskedFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const head =
    body.length < 126
      ? Buffer.from([0x81, 0x80 | body.length])
      : Buffer.from([0x81, 0x80 | 126, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}
