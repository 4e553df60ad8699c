/** One event to many sockets: deliveries per processor second, against one frame made beforehand and written to bare sockets of ws. */
import type { Socket } from 'node:net';
import { type Row, toRow } from './measurement.ts';
import { type BareServer, bareServer, swallowingSocket } from './processes.ts';

const readers = 500;
const perRound = 300;
/** Part of `bare-server.ts` → what it is called here. */
const parts = { frames: 'ws, framed beforehand', ws: 'ws, send()', relay: 'relay' } as const;
type Part = keyof typeof parts;

export async function run(rounds: number): Promise<readonly Row[]> {
  const servers = new Map<Part, BareServer>();
  const sockets: Socket[] = [];
  try {
    for (const part of Object.keys(parts) as Part[]) {
      const server = await bareServer(part);
      servers.set(part, server);
      const first = part === 'relay' ? JSON.stringify({ type: 'authenticate', token: 'x', proof: 'x' }) : undefined;
      for (let n = 0; n < readers; n += 1) sockets.push(await swallowingSocket(server.port, 'http://bench', first));
      await server.work(50);
    }
    const samples: Record<Part, number[]> = { frames: [], ws: [], relay: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const [part, server] of servers) {
        const { cpuMs } = await server.work(perRound);
        samples[part].push((readers * perRound) / (cpuMs / 1_000));
      }
    }
    const reference = { name: parts.frames, samples: samples.frames };
    return (Object.keys(parts) as Part[]).map((part) =>
      toRow(
        {
          bench: 'fanout',
          case: `${readers} sockets, 400 B`,
          subject: parts[part],
          unit: '1/cpu-s',
          samples: samples[part],
        },
        reference,
      ),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
    for (const server of servers.values()) server.stop();
  }
}
