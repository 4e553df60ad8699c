/**
 * Events stored and acknowledged over the live socket, against the bare insert (the same row, one transaction and one fsync each, in
 * node:sqlite, nobody asking) and against that insert behind a bare socket of ws with as many phones. By the clock, since all wait for the
 * disk; and per processor second.
 */
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { clusterRelay, tenantOf } from '../relay/cluster-relay.ts';
import { SteadyPhone } from '../relay/steady-phone.ts';
import { answeredCall, envelopes } from '../unit/server/relay-in-test.ts';
import { type Row, toRow } from './measurement.ts';
import { bareServer, cpuMsOf } from './processes.ts';

const phones = 50;
const callsEach = 5;
/** Rounds that warm the code up and do not count. */
const warming = 4;
const eventsPerCall = 4;

export async function run(rounds: number): Promise<readonly Row[]> {
  const relay = await clusterRelay({ tenants: [tenantOf(phones)] });
  const bare = await bareServer('sqlite');
  const least = await bareServer('ingest');
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
    const bareFleet = await Promise.all(Array.from({ length: phones }, () => barePhone(least.port)));
    const wall: { bare: number[]; least: number[]; relay: number[] } = { bare: [], least: [], relay: [] };
    const cpu: { bare: number[]; least: number[]; relay: number[] } = { bare: [], least: [], relay: [] };
    const count = phones * callsEach * eventsPerCall;
    for (let round = -warming; round < rounds; round += 1) {
      const inserted = await bare.work(count);
      const before = { cpu: await cpuMsOf(least.pid), at: performance.now() };
      await Promise.all(bareFleet.map((report) => report()));
      const leastTook = { cpu: (await cpuMsOf(least.pid)) - before.cpu, wall: performance.now() - before.at };
      const from = { cpu: await relay.cpuMs(), at: performance.now() };
      await Promise.all(
        fleet.map(async (phone) => {
          for (let n = 0; n < callsEach; n += 1) await phone.reportCallStepwise();
        }),
      );
      const took = { cpu: (await relay.cpuMs()) - from.cpu, wall: performance.now() - from.at };
      if (round < 0) continue;
      wall.bare.push(count / (inserted.wallMs / 1_000));
      wall.least.push(count / (leastTook.wall / 1_000));
      cpu.least.push(count / (leastTook.cpu / 1_000));
      wall.relay.push(count / (took.wall / 1_000));
      cpu.bare.push(count / (inserted.cpuMs / 1_000));
      cpu.relay.push(count / (took.cpu / 1_000));
    }
    const row = (
      subject: string,
      unit: string,
      samples: readonly number[],
      reference: readonly number[],
      name = 'bare insert',
    ): Row =>
      toRow(
        { bench: 'ingest', case: `one event per message, ${phones} phones`, subject, unit, samples },
        { name, samples: reference },
      );
    const behind = 'ws, bare insert';
    return [
      row('bare insert', '1/s', wall.bare, wall.bare),
      row(behind, '1/s', wall.least, wall.bare),
      row('relay, SQLite', '1/s', wall.relay, wall.bare),
      row('relay, SQLite', '1/s', wall.relay, wall.least, behind),
      row('bare insert', '1/cpu-s', cpu.bare, cpu.bare),
      row(behind, '1/cpu-s', cpu.least, cpu.bare),
      row('relay, SQLite', '1/cpu-s', cpu.relay, cpu.bare),
      row('relay, SQLite', '1/cpu-s', cpu.relay, cpu.least, behind),
    ];
  } finally {
    for (const phone of fleet) phone.close();
    bare.stop();
    least.stop();
    await relay.remove();
  }
}

/** Reports as many calls as a phone does in a round, each event when the one before is acknowledged. */
async function barePhone(port: number): Promise<() => Promise<void>> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await new Promise((resolve) => socket.once('open', resolve));
  return async () => {
    for (let n = 0; n < callsEach; n += 1) {
      for (const envelope of envelopes(randomUUID(), answeredCall)) {
        const acknowledged = new Promise((resolve) => socket.once('message', resolve));
        socket.send(JSON.stringify({ type: 'publish', events: [envelope] }));
        await acknowledged;
      }
    }
  };
}
