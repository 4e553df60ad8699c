/**
 * One of several relays on the same database, as a process of its own. Owns starting, talking to, measuring and ending it. Every request comes
 * from another address, as behind a balancer, so that limits per address do not measure themselves.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Session } from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { compiledBefore } from '../compiled.ts';
import type { DpopKey } from '../dpop-key.ts';
import { freePort } from './redis-server.ts';

export const adminToken = 'an-admin-token-that-only-tests-know-0001';
const main = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url));

export interface ClusterRelay {
  readonly url: string;
  readonly pid: () => number;
  /** Starts it (again); resolves when it serves. */
  start(): Promise<void>;
  request(path: string, options?: RequestOptions): Promise<Response>;
  signIn(agent: string, key: DpopKey, device: string): Promise<Session>;
  /** A socket that is open and has not said anything. */
  socket(): Promise<WebSocket>;
  authentication(token: string, key: DpopKey): string;
  /** SIGTERM; resolves with the exit code when it is gone. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
  /** User and system time spent by the process and all its threads, ms. */
  cpuMs(): Promise<number>;
  rssKb(): Promise<number>;
  output(): string;
  remove(): Promise<void>;
}

export interface RequestOptions {
  readonly method?: string;
  readonly json?: unknown;
  readonly token?: string;
  readonly key?: DpopKey;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

/** A tenant with as many agents as wanted: `agent-0`, `agent-1`, …, and the supervisor `lead`. */
export function tenantOf(agents: number): RelayConfigInput['tenants'][number] {
  return {
    id: 'acme',
    name: 'Acme',
    country: 'US',
    hostOrigins: ['https://crm.example.com'],
    crm: { kind: 'memory' },
    sip: {
      domain: 'sip.example.com',
      servers: ['wss://sip.example.com:8443'],
      credential: { kind: 'kamailio-ephemeral', secret: 'a-sip-secret-that-only-tests-know-0001' },
    },
    turn: { urls: ['turn:turn.example.com:3478'], secret: 'a-turn-secret-that-only-tests-know-001' },
    agents: [
      { id: 'lead', name: 'Lead', extension: '9999', crmUserId: 'lead', role: 'supervisor' },
      ...Array.from({ length: agents }, (_, n) => ({
        id: `agent-${n}`,
        name: `Agent ${n}`,
        extension: String(10_000 + n),
        crmUserId: `user-${n}`,
      })),
    ],
  };
}

let addresses = 0;
/** An address nobody else has. */
export function nextAddress(): string {
  addresses += 1;
  return `10.${(addresses >> 16) & 255}.${(addresses >> 8) & 255}.${addresses & 255}`;
}

export async function clusterRelay(
  config: Omit<RelayConfigInput, 'port' | 'adminToken' | 'trustProxy'>,
  nodeOptions: readonly string[] = [],
): Promise<ClusterRelay> {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-cluster-'));
  const port = await freePort();
  const path = join(folder, 'relay.json');
  const whole = { dataDir: join(folder, 'data'), logLevel: 'warn', ...config, port, adminToken, trustProxy: 1 };
  await writeFile(path, JSON.stringify(whole), { mode: 0o600 });
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;
  let output = '';

  const gone = (one: ChildProcess): Promise<number | null> =>
    one.exitCode !== null || one.signalCode !== null
      ? Promise.resolve(one.exitCode)
      : new Promise((resolve) => one.once('exit', (code) => resolve(code)));
  const pid = (): number => child?.pid ?? 0;

  const self: ClusterRelay = {
    url,
    pid,
    start: async () => {
      const started = spawn(process.execPath, [...nodeOptions, main, 'serve'], {
        env: { PATH: process.env.PATH ?? '', PATCHCORD_CONFIG: path, ...compiledBefore },
        stdio: ['ignore', 'pipe', 'pipe'],
        cwd: folder,
      });
      child = started;
      for (const pipe of [started.stdout, started.stderr]) {
        pipe.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-200_000);
        });
      }
      for (;;) {
        if (started.exitCode !== null || started.signalCode !== null)
          throw new Error(`The relay ended with ${started.exitCode}: ${output.slice(-2_000)}`);
        const answer = await fetch(`${url}/healthz`).catch(() => null);
        if (answer?.ok) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    request: (route, { method, json, token, key, headers = {}, signal } = {}) => {
      const verb = method ?? (json === undefined ? 'GET' : 'POST');
      const proven =
        key === undefined
          ? token === undefined
            ? {}
            : { authorization: `Bearer ${token}` }
          : key.headers({ method: verb, url: `${url}${route.split('?')[0]}`, token: token ?? null });
      return fetch(`${url}${route}`, {
        method: verb,
        headers: {
          'x-forwarded-for': nextAddress(),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...proven,
          ...headers,
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
        ...(signal === undefined ? {} : { signal }),
      });
    },
    signIn: async (agent, key, device) => {
      /** A machine under load may need a second try; anything but "not now" is a failure. */
      const patiently = async (ask: () => Promise<Response>): Promise<unknown> => {
        for (let tries = 1; ; tries += 1) {
          const answer = await ask();
          if (answer.status === 201) return answer.json();
          const text = await answer.text();
          if (answer.status < 500 || tries === 5) throw new Error(`sign-in answered ${answer.status}: ${text}`);
          await new Promise((resolve) => setTimeout(resolve, 200 * tries));
        }
      };
      const { code } = (await patiently(() =>
        self.request('/v1/admin/pairing-codes', { json: { tenant: 'acme', agent }, token: adminToken }),
      )) as { code: string };
      const proof = { kind: 'pairing-code', code };
      return (await patiently(() => self.request('/v1/sessions', { json: { device, proof }, key }))) as Session;
    },
    socket: () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, {
          origin: url,
          headers: { 'x-forwarded-for': nextAddress() },
          perMessageDeflate: false,
        });
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
      }),
    authentication: (token, key) =>
      JSON.stringify({
        type: 'authenticate',
        token,
        proof: key.proof({ method: 'GET', url: `${url.replace('http', 'ws')}/v1/live`, token }),
      }),
    stop: async () => {
      const running = child;
      if (running === null) return null;
      running.kill('SIGTERM');
      return gone(running);
    },
    kill: async () => {
      const running = child;
      child = null;
      if (running === null) return;
      running.kill('SIGCONT');
      running.kill('SIGKILL');
      await gone(running);
    },
    cpuMs: async () => {
      const text = await readFile(`/proc/${pid()}/stat`, 'utf8');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      // utime and stime, in ticks of 10 ms
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    rssKb: async () => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid()}/status`, 'utf8'))?.[1] ?? 0),
    output: () => output,
    remove: async () => {
      await self.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return self;
}
