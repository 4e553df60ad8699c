/**
 * Calls whose sound goes through one relay: how many its processor carries, and how late words come through it. Each call is two channels of 100 ms
 * frames in real time; a service that answers at once says every second which frame it heard. Beside it, in the same run, a bare ws server that gives
 * the same answer: what sockets and this machine take by themselves. Rounds are steps: 5 calls, then 25, 50, 100, … until words come 20 ms later than the
 * bare server's (p99). What a whole core carries is reckoned from the processor time that the relay takes, all of its threads.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { encodeSoundFrame, newCallId, type RelayMessage, soundFrameMs } from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import { DpopKey } from '../dpop-key.ts';
import { type ClusterRelay, clusterRelay, nextAddress, tenantOf } from '../relay/cluster-relay.ts';
import { type Row, toRow } from './measurement.ts';
import { cpuMsOf } from './processes.ts';

const steps = [5, 25, 50, 100, 200, 400, 800];
const seconds = 8;
/** What is not measured: sessions at the service are opened. */
const warmSeconds = 2;
const mostAddedMs = 20;
const samples = (16_000 * soundFrameMs) / 1_000;

interface FarEnd {
  readonly port: number;
  readonly pid: number;
  stop(): void;
}

async function farEnd(part: 'service' | 'echo'): Promise<FarEnd> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./streams-far-end.ts', import.meta.url)), [part], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { port, pid } = await new Promise<{ port: number; pid: number }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { port: number; pid: number }));
    child.once('exit', (code) => reject(new Error(`the ${part} ended with ${code}`)));
  });
  return { port, pid, stop: () => void child.kill() };
}

/** One call: sends a frame each time it is told to, and knows when the word of a frame came back. */
interface Stream {
  send(number: number): void;
  /** Resolves when the server has nothing more to do with it: the next step begins with an idle one. */
  close(): Promise<void>;
}

interface Measured {
  /** ms from a frame to its word, of both sides. */
  readonly latencies: readonly number[];
  /** Processor ms of the server in a second of one call. */
  readonly cpuMs: number;
}

/** @param open Opens one call; `heard` is told the word that came back */
async function measure(
  count: number,
  cpuOf: () => Promise<number>,
  open: (heard: (word: string) => void) => Promise<Stream>,
): Promise<Measured> {
  const latencies: number[] = [];
  const streams: Stream[] = [];
  const sentAt: number[][] = [];
  let measuring = false;
  try {
    for (let index = 0; index < count; index += 1) {
      const own: number[] = [];
      sentAt.push(own);
      const stream = await open((word) => {
        const at = own[numberOf(word)];
        if (measuring && at !== undefined) latencies.push(performance.now() - at);
      });
      streams.push(stream);
    }
    let cpu = 0;
    const start = performance.now();
    const frames = ((warmSeconds + seconds) * 1_000) / soundFrameMs;
    for (let number = 0; number < frames; number += 1) {
      if (number === (warmSeconds * 1_000) / soundFrameMs) {
        measuring = true;
        cpu = await cpuOf();
      }
      for (const [index, stream] of streams.entries()) {
        // Spread over the length of a frame, as calls are.
        const dueAt = start + (number + index / count) * soundFrameMs;
        const waitMs = dueAt - performance.now();
        if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
        const own = sentAt[index];
        if (own !== undefined) own[number] = performance.now();
        stream.send(number);
      }
    }
    const spent = (await cpuOf()) - cpu;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return { latencies, cpuMs: spent / seconds / count };
  } finally {
    await Promise.all(streams.map((stream) => stream.close()));
  }
}

export async function run(rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const [service, echo] = await Promise.all([farEnd('service'), farEnd('echo')]);
  let relay: ClusterRelay | undefined;
  try {
    const speech = { kind: 'deepgram', url: `ws://127.0.0.1:${service.port}/v1/listen`, key: 'bench' } as const;
    const most = steps[Math.min(rounds, steps.length) - 1] ?? 5;
    relay = await clusterRelay({
      tenants: [{ ...tenantOf(most), transcription: { service: speech, language: 'en' } }],
    });
    await relay.start();
    const served = relay;
    const carried = { relay: 0, bare: 0 };
    for (const count of steps.slice(0, rounds)) {
      const bare = await measure(
        count,
        () => cpuMsOf(echo.pid),
        (heard) => bareStream(echo.port, heard),
      );
      let agents = 0;
      const ours = await measure(
        count,
        () => served.cpuMs(),
        (heard) => relayStream(served, `agent-${agents++}`, heard),
      );
      const name = `${count} calls, two channels of 100 ms frames`;
      const core = (one: Measured): readonly number[] => [1_000 / one.cpuMs];
      rows.push(
        row(name, 'bare ws echo', 'ms', bare.latencies, bare.latencies),
        row(name, 'relay, frame → word told', 'ms', ours.latencies, bare.latencies),
        row(name, 'bare ws echo', 'calls/cpu-s', core(bare), core(bare)),
        row(name, 'relay', 'calls/cpu-s', core(ours), core(bare)),
      );
      const barely = quantile(bare.latencies, 0.99);
      const added = quantile(ours.latencies, 0.99) - barely;
      console.error(`${name}: p99 ${added.toFixed(1)} ms more than the bare echo`);
      if (barely < mostAddedMs) carried.bare = count;
      if (!(added < mostAddedMs)) break;
      carried.relay = count;
    }
    const limit = `the most calls of these steps, p99 below ${mostAddedMs} ms`;
    rows.push(
      row(limit, 'bare ws echo', 'calls', [carried.bare], [carried.bare]),
      row(limit, 'relay, over the bare echo', 'calls', [carried.relay], [carried.bare]),
    );
    return rows;
  } finally {
    await relay?.remove();
    service.stop();
    echo.stop();
  }
}

function row(name: string, subject: string, unit: string, values: readonly number[], bare: readonly number[]): Row {
  return toRow(
    { bench: 'streams', case: name, subject, unit, samples: values },
    { name: 'bare ws echo', samples: bare },
  );
}

async function bareStream(port: number, heard: (word: string) => void): Promise<Stream> {
  const socket = await opened(new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false }));
  socket.on('message', (raw) => heard(raw.toString()));
  return { send: (number) => socket.send(frameOf(number)), close: async () => socket.terminate() };
}

async function relayStream(relay: ClusterRelay, agent: string, heard: (word: string) => void): Promise<Stream> {
  const key = new DpopKey();
  const { token } = await relay.signIn(agent, key, randomUUID());
  const live = await relay.socket();
  live.on('message', (raw) => {
    const message = JSON.parse(raw.toString()) as RelayMessage;
    if (message.type !== 'event' || message.event.type !== 'dev.patchcord.transcript.final.v1') return;
    heard((message.event.data as { readonly text: string }).text);
  });
  live.send(relay.authentication(token, key));
  const url = `${relay.url.replace('http', 'ws')}/v1/sound`;
  const sound = await opened(
    new WebSocket(url, { origin: relay.url, headers: { 'x-forwarded-for': nextAddress() }, perMessageDeflate: false }),
  );
  sound.send(JSON.stringify({ type: 'authenticate', token, proof: key.proof({ method: 'GET', url, token }) }));
  sound.send(JSON.stringify({ type: 'call', call: newCallId(), from: 0 }));
  await new Promise<void>((resolve, reject) => {
    sound.on('message', (raw) => {
      if (raw.toString().includes('"listening"')) resolve();
    });
    sound.once('close', (code, reason) => reject(new Error(`the stream was closed: ${code} ${reason}`)));
  });
  const ended = new Promise<void>((resolve) => sound.once('close', () => resolve()));
  return {
    send: (number) => sound.send(frameOf(number)),
    close: async () => {
      if (sound.readyState === WebSocket.OPEN) sound.send(JSON.stringify({ type: 'end' }));
      await ended;
      live.terminate();
    },
  };
}

function opened(socket: WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Noise that no loudness gate takes for silence; its first sample is the frame's number. */
const noise = Int16Array.from({ length: samples }, (_, at) => Math.round(Math.sin(at / 3) * 8_000));

function frameOf(number: number): Uint8Array {
  const side = noise.slice();
  side[0] = number;
  return encodeSoundFrame({ number, startMs: number * soundFrameMs, samples, agent: side, farSide: side });
}

/** The number that a word of the service stands for. */
function numberOf(word: string): number {
  return Number.parseInt(
    word.trim().replace(/./g, (letter) => 'ghijklmnopqrstuv'.indexOf(letter).toString(16)),
    16,
  );
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
