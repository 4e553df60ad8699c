/**
 * Events stored and acknowledged over the live socket, against the bare insert: the same row, one transaction and one fsync each, in
 * node:sqlite. By the clock, since both wait for the disk; and per processor second.
 */

import { clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { type Row, toRow } from './measurement.ts';
import { bareServer } from './processes.ts';

const phones = 50;
const callsEach = 5;
/** Rounds that warm the code up and do not count. */
const warming = 4;
const eventsPerCall = 4;

export async function run(rounds: number): Promise<readonly Row[]> {
  const relay = await clusterRelay({ tenants: [tenantOf(phones)] });
  const bare = await bareServer('sqlite');
  const fleet: SteadyPhone[] = [];
  try {
    await relay.start();
    await Promise.all(
      Array.from({ length: phones }, async (_, n) => {
        const phone = new SteadyPhone([relay], `agent-${n}`, 0);
        fleet.push(phone);
        await phone.signIn();
        await phone.connect();
      }),
    );
    const wall: { bare: number[]; relay: number[] } = { bare: [], relay: [] };
    const cpu: { bare: number[]; relay: number[] } = { bare: [], relay: [] };
    const count = phones * callsEach * eventsPerCall;
    for (let round = -warming; round < rounds; round += 1) {
      const inserted = await bare.work(count);
      const from = { cpu: await relay.cpuMs(), at: performance.now() };
      await Promise.all(
        fleet.map(async (phone) => {
          for (let n = 0; n < callsEach; n += 1) await phone.reportCallStepwise();
        }),
      );
      const took = { cpu: (await relay.cpuMs()) - from.cpu, wall: performance.now() - from.at };
      if (round < 0) continue;
      wall.bare.push(count / (inserted.wallMs / 1_000));
      wall.relay.push(count / (took.wall / 1_000));
      cpu.bare.push(count / (inserted.cpuMs / 1_000));
      cpu.relay.push(count / (took.cpu / 1_000));
    }
    const row = (subject: string, unit: string, samples: readonly number[], reference: readonly number[]): Row =>
      toRow(
        { bench: 'ingest', case: `one event per message, ${phones} phones`, subject, unit, samples },
        { name: 'bare insert', samples: reference },
      );
    return [
      row('bare insert', '1/s', wall.bare, wall.bare),
      row('relay, SQLite', '1/s', wall.relay, wall.bare),
      row('bare insert', '1/cpu-s', cpu.bare, cpu.bare),
      row('relay, SQLite', '1/cpu-s', cpu.relay, cpu.bare),
    ];
  } finally {
    for (const phone of fleet) phone.close();
    bare.stop();
    await relay.remove();
  }
}
