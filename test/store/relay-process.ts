/** A relay as a process of its own, so that it can be killed the hard way. Owns starting it, talking to it, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Session } from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { compiledBefore } from '../compiled.ts';
import { Panel, phoneKey } from '../unit/server/relay-in-test.ts';

export const adminToken = 'an-admin-token-that-only-tests-know-0001';
const main = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url));

export interface RelayProcess {
  start(): Promise<void>;
  /** SIGKILL: no handler runs, nothing is flushed. */
  kill(): Promise<void>;
  /** SIGSTOP: it stands still in the middle of whatever it does, and believes later that no time has passed. */
  pause(): void;
  resume(): void;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** What `/metrics` says. */
  metrics(): Promise<string>;
  signIn(tenant: string, agent: string, device: string): Promise<string>;
  connect(token: string): Promise<Panel>;
  history(token: string): Promise<readonly { readonly callId: string; readonly log: string }[]>;
  /** What it wrote to its log so far, over all its lives. */
  output(): string;
  remove(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export async function relayProcess(
  config: Omit<RelayConfigInput, 'port' | 'dataDir' | 'adminToken'>,
): Promise<RelayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-crash-'));
  const port = await freePort();
  const path = join(folder, 'relay.json');
  await writeFile(path, JSON.stringify({ ...config, port, adminToken, dataDir: join(folder, 'data') }), {
    mode: 0o600,
  });
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;
  let output = '';
  const request = async <T>(route: string, init: RequestInit): Promise<T> => {
    const response = await fetch(`${url}${route}`, init);
    if (!response.ok) throw new Error(`${route} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  const post = <T>(route: string, body: unknown, token?: string): Promise<T> =>
    request<T>(route, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined
          ? phoneKey.headers({ method: 'POST', url: `${url}${route}` })
          : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });

  const self: RelayProcess = {
    start: () =>
      new Promise((resolve, reject) => {
        const started = spawn(process.execPath, [main, 'serve'], {
          env: { PATH: process.env.PATH ?? '', PATCHCORD_CONFIG: path, ...compiledBefore },
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        child = started;
        const hear = (chunk: Buffer): void => {
          output += chunk.toString();
          if (chunk.toString().includes('relay started')) resolve();
        };
        started.stdout.on('data', hear);
        started.stderr.on('data', hear);
        started.once('exit', (code) => reject(new Error(`The relay ended with ${code}: ${output.slice(-2_000)}`)));
      }),
    kill: async () => {
      const running = child;
      if (running === null || running.exitCode !== null || running.signalCode !== null) return;
      const gone = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.kill('SIGKILL');
      await gone;
    },
    pause: () => {
      child?.kill('SIGSTOP');
    },
    resume: () => {
      child?.kill('SIGCONT');
    },
    url,
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
    signIn: async (tenant, agent, device) => {
      const { code } = await post<{ code: string }>('/v1/admin/pairing-codes', { tenant, agent }, adminToken);
      return (await post<Session>('/v1/sessions', { device, proof: { kind: 'pairing-code', code } })).token;
    },
    connect: async (token) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/live`, { origin: url });
      const panel = new Panel(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('open', () => resolve());
        socket.once('error', reject);
      });
      // It is going to break.
      socket.on('error', () => {});
      const live = { method: 'GET', url: `${url.replace(/^http/, 'ws')}/v1/live`, token };
      panel.send({ type: 'authenticate', token, proof: phoneKey.proof(live) });
      await panel.next(({ type }) => type === 'authenticated');
      return panel;
    },
    history: async (token) =>
      (
        await request<{ calls: { callId: string; log: string }[] }>('/v1/calls?limit=200', {
          headers: phoneKey.headers({ method: 'GET', url: `${url}/v1/calls`, token }),
        })
      ).calls,
    output: () => output,
    remove: async () => {
      await self.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return self;
}

export const newDevice = (): string => randomUUID();
