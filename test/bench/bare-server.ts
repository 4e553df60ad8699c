/**
 * The bare limits, as a process of their own: what node:http, ws and node:sqlite do when nothing of ours is in the way, and the relay's live
 * socket with nothing around it. Owns measuring its own processor time. Started with the name of its part; talks by process messages.
 */
import { createHmac, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Duplex } from 'node:stream';
import { toEnvelope } from '@patchcord/call-protocol';
import { WebSocketServer } from 'ws';
import { textFrame } from '../../server/src/live/frame.ts';
import { LiveHub } from '../../server/src/live/hub.ts';
import { createLiveDoor, type LiveSocketParts } from '../../server/src/live/socket.ts';
import { openSocketDoors, type SocketDoorsParts } from '../../server/src/live/socket-doors.ts';
import { createLog } from '../../server/src/logging.ts';
import { createMetrics } from '../../server/src/metrics.ts';

export interface BareAnswer {
  readonly cpuMs: number;
  readonly wallMs: number;
}

const part = process.argv[2] ?? '';
// Never without whoever measures.
process.once('disconnect', () => setTimeout(() => process.exit(0), 200));
const say = (message: unknown): void => void process.send?.(message);
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A call event of the usual size: about 300 bytes. */
const eventOf = (n: number) =>
  toEnvelope(
    {
      name: 'call.ended',
      at: Date.now(),
      call: crypto.randomUUID() as never,
      data: { outcome: 'answered', reason: 'You hung up', by: 'agent' },
    },
    `${crypto.randomUUID()}:${n}`,
    '/tenants/acme/agents/ada/devices/00000000-0000-4000-8000-000000000000',
  );

if (part === 'http' || part === 'mint') bareHttp(part === 'mint' ? leastOfMinting() : () => {});
else if (part === 'sqlite') bareSqlite();
else if (part === 'ingest') leastOfIngest();
else fanout(part);

/** What no minting can leave out: one signature verified, two HMACs made, one row committed. */
function leastOfMinting(): () => void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const text = Buffer.alloc(300, 'x');
  const signature = sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const insert = openEvents();
  return () => {
    verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    const username = `${Date.now()}:1001`;
    for (const algorithm of ['sha256', 'sha1']) createHmac(algorithm, 'secret').update(username).digest('base64');
    insert(randomUUID(), username);
  };
}

/** Answers a POST with a body as large as credentials. */
function bareHttp(work: () => void): void {
  const body = JSON.stringify({
    sip: { username: 'x'.repeat(32), password: 'y'.repeat(44), expiresAt: 1_790_000_000_000 },
    iceServers: [{ urls: ['turn:turn.example.com:3478'], username: 'x'.repeat(16), credential: 'y'.repeat(28) }],
  });
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => {
      work();
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.end(body);
    });
  });
  server.keepAliveTimeout = 65_000;
  server.listen(0, '127.0.0.1', () => say({ port: (server.address() as AddressInfo).port }));
}

/** A table of events as the relay has it; each insert is a transaction and an fsync of its own. */
function openEvents(): (id: string, envelope: string) => void {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-bare-'));
  const database = new DatabaseSync(join(folder, 'bare.sqlite'));
  database.exec('pragma journal_mode = wal; pragma synchronous = full');
  database.exec(
    'create table events (source text, id text, tenant text, agent text, call_id text, envelope text, received_at integer, primary key (source, id))',
  );
  const insert = database.prepare('insert into events values (?, ?, ?, ?, ?, ?, ?)');
  process.once('disconnect', () => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  });
  return (id, envelope) =>
    void insert.run('/tenants/acme/agents/ada', id, 'acme', 'ada', randomUUID(), envelope, Date.now());
}

/** One row, one transaction, one fsync; as often as asked. */
function bareSqlite(): void {
  const insert = openEvents();
  process.on('message', ({ count }: { count: number }) => {
    const from = { cpu: cpuMs(), at: performance.now() };
    for (let n = 0; n < count; n += 1) {
      const event = eventOf(n);
      insert(event.id, JSON.stringify(event));
    }
    say({ cpuMs: cpuMs() - from.cpu, wallMs: performance.now() - from.at } satisfies BareAnswer);
  });
  say({ port: 0 });
}

/** What no ingest can leave out: a message read, its row committed with an fsync, an answer sent. */
function leastOfIngest(): void {
  const insert = openEvents();
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (socket) => {
    socket.on('message', (raw) => {
      const { events } = JSON.parse(raw.toString()) as { events: { id: string }[] };
      for (const event of events) insert(event.id, JSON.stringify(event));
      socket.send(JSON.stringify({ type: 'acknowledged', ids: events.map(({ id }) => id) }));
    });
  });
  server.listen(0, '127.0.0.1', () => say({ port: (server.address() as AddressInfo).port }));
}

/** `frames`: each message framed once and written to every stream. `ws`: `send` for every socket. `relay`: our hub and our live socket. */
function fanout(kind: string): void {
  const server = createServer();
  const streams = new Set<Duplex>();
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const hub = new LiveHub();
  if (kind === 'relay') {
    const owner = {
      sessionId: 's',
      tenant: 'acme',
      agent: 'lead',
      device: '00000000-0000-4000-8000-000000000000',
      role: 'supervisor',
      expiresAt: Date.now() + 3_600_000,
    };
    const agent = { id: 'lead', name: 'Lead', extension: '1' };
    const parts = {
      tenants: { knownAgent: () => ({ tenant: { config: { id: 'acme' } }, agent }) },
      sessions: { check: () => Promise.resolve(owner), isOpen: () => Promise.resolve(true) },
      recorder: { publish: () => Promise.resolve({ acknowledged: [], refused: [] }) },
      hub,
      limits: { take: () => Promise.resolve(true) },
      metrics: createMetrics(),
      log: createLog('silent'),
      now: Date.now,
      origins: () => ['http://bench'],
      addressOf: () => '',
    };
    openSocketDoors(server, parts as unknown as SocketDoorsParts, [
      createLiveDoor(parts as unknown as LiveSocketParts),
    ]);
    server.on('upgrade', (_request, stream: Duplex) => streams.add(stream));
  } else {
    server.on('upgrade', (request, stream: Duplex, head) => {
      sockets.handleUpgrade(request, stream, head, () => streams.add(stream));
    });
  }
  const tell = (n: number): void => {
    const event = eventOf(n);
    if (kind === 'relay') {
      hub.tellTenant('acme' as never, event);
      return;
    }
    const text = JSON.stringify({ type: 'event', event });
    if (kind === 'ws') for (const socket of sockets.clients) socket.send(text);
    else {
      const frame = textFrame(text);
      for (const stream of streams) stream.write(frame);
    }
  };
  process.on('message', async ({ count }: { count: number }) => {
    const from = { cpu: cpuMs(), at: performance.now() };
    for (let n = 0; n < count; n += 1) {
      tell(n);
      await turn();
      // The readers share the machine: nobody is let fall behind.
      for (const stream of streams) while (stream.writableLength > 65_536) await turn();
    }
    for (const stream of streams) while (stream.writableLength > 0) await turn();
    say({ cpuMs: cpuMs() - from.cpu, wallMs: performance.now() - from.at } satisfies BareAnswer);
  });
  server.listen(0, '127.0.0.1', () => say({ port: (server.address() as AddressInfo).port }));
}
