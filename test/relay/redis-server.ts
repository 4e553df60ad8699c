/** A Redis of the test's own: a free loopback port, nothing on disk, gone afterwards. Owns starting, stopping, freezing it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisServer {
  readonly url: string;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-redis-'));
  const port = await freePort();
  let child: ChildProcess | null = null;
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const self: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    start: () =>
      new Promise((resolve, reject) => {
        const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
        child = started;
        started.once('error', () =>
          reject(new Error('redis-server is not installed: run "npm test", which installs what tests need.')),
        );
        started.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
        let heard = '';
        started.stdout.on('data', (chunk: Buffer) => {
          heard += chunk.toString();
          if (heard.includes('Ready to accept connections')) resolve();
        });
      }),
    kill: async () => {
      const running = child;
      child = null;
      if (running === null || running.exitCode !== null || running.signalCode !== null) return;
      const gone = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.kill('SIGCONT');
      running.kill('SIGKILL');
      await gone;
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    remove: async () => {
      await self.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await self.start();
  return self;
}

export interface Partition {
  readonly url: string;
  /** Nothing passes any more, and nobody is told: connections stay open, new ones are taken and lead nowhere. */
  begin(): void;
  end(): void;
  close(): Promise<void>;
}

/** A network between a relay and a server that can swallow everything, as one without routes does. */
export async function startPartition(target: string): Promise<Partition> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<readonly [Socket, Socket]>();
  let swallows = false;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => {});
      from.on('data', (chunk) => {
        if (!swallows) to.write(chunk);
      });
      from.on('close', () => {
        pairs.delete(pair);
        if (!swallows) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    begin: () => {
      swallows = true;
    },
    end: () => {
      swallows = false;
      // What was swallowed is missing from these connections for good.
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
    close: async () => {
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
