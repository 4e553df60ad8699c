/** Memory of a relay per panel that is connected and only listens, against a bare socket of ws. */
import type { Socket } from 'node:net';
import { DpopKey } from '../dpop-key.ts';
import { clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { type Row, toRow } from './measurement.ts';
import { bareServer, rssKbOf, swallowingSocket } from './processes.ts';

const agents = 50;
const panels = 1_000;
const settleMs = 3_000;

export async function run(rounds: number): Promise<readonly Row[]> {
  const samples: { bare: number[]; relay: number[] } = { bare: [], relay: [] };
  for (let round = 0; round < rounds; round += 1) {
    const bare = await bareServer('ws');
    samples.bare.push(
      await perSocket(
        () => rssKbOf(bare.pid),
        () => swallowingSocket(bare.port, 'http://bench'),
      ),
    );
    bare.stop();
    const relay = await clusterRelay({ tenants: [tenantOf(agents)] });
    try {
      await relay.start();
      const sessions = await Promise.all(
        Array.from({ length: agents }, async (_, n) => {
          const key = new DpopKey();
          return { key, token: (await relay.signIn(`agent-${n}`, key, crypto.randomUUID())).token };
        }),
      );
      const port = Number(new URL(relay.url).port);
      samples.relay.push(
        await perSocket(relay.rssKb, (n) => {
          const { key, token } = sessions[n % agents] as (typeof sessions)[number];
          return swallowingSocket(port, relay.url, relay.authentication(token, key));
        }),
      );
    } finally {
      await relay.remove();
    }
  }
  const reference = { name: 'ws', samples: samples.bare };
  const row = (subject: string, of: readonly number[]): Row =>
    toRow({ bench: 'idle-memory', case: `${panels} idle panels`, subject, unit: 'KB each', samples: of }, reference);
  return [row('ws', samples.bare), row('relay', samples.relay)];
}

/** The first hundred warm the code up and do not count. */
async function perSocket(rssKb: () => Promise<number>, open: (n: number) => Promise<Socket>): Promise<number> {
  const sockets: Socket[] = [];
  for (let n = 0; n < 100; n += 1) sockets.push(await open(n));
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const before = await rssKb();
  for (let n = 0; n < panels; n += 1) sockets.push(await open(n));
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const each = ((await rssKb()) - before) / panels;
  for (const socket of sockets) socket.destroy();
  return each;
}
