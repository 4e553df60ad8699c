/**
 * `npm run bench -- NAME [--json] [--rounds N | --times N] [--write]`: runs one benchmark and prints a line per case. Owns the command line and
 * docs/benchmarks.md; a benchmark owns its measuring. Benchmarks that need real SIP servers run inside the network namespaces of the SIP lab.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { type Row, toTable } from './measurement.ts';

/** Name → what it measures, and the module that does it. */
const benches: Record<
  string,
  {
    readonly about: string;
    /** Real SIP servers in the network namespaces of the lab. */
    readonly lab?: true;
    /** Rounds where none are given. Default 5. */
    readonly rounds?: number;
    readonly load: () => Promise<{ run(rounds: number): Promise<readonly Row[]> }>;
  }
> = {
  'dial-invite': {
    about: 'dial() → INVITE on the wire, without and with dead STUN and TURN servers',
    lab: true,
    load: () => import('./dial-invite.ts'),
  },
  answer: { about: 'answer() → 200 OK on the wire → first sound', lab: true, load: () => import('./answer.ts') },
  'socket-recovery': {
    about: 'from a broken connection to the 200 of the next REGISTER: reset, server away, silent black hole',
    lab: true,
    load: () => import('./socket-recovery.ts'),
  },
  survive: {
    about:
      'a call while its page is loaded anew or killed, its socket, media relay or network goes: until sound both ways',
    lab: true,
    rounds: 20,
    load: () => import('./survive.ts'),
  },
  'mint-register': {
    about: 'from asking the relay for a credential to the 200 of the REGISTER made with it',
    lab: true,
    load: () => import('./mint-register.ts'),
  },
  mint: { about: 'credentials minted per processor second, against bare node:http', load: () => import('./mint.ts') },
  fanout: { about: 'events told to sockets, against bare frames on bare sockets', load: () => import('./fanout.ts') },
  ingest: { about: 'events stored and acknowledged, against the bare insert', load: () => import('./ingest.ts') },
  scale: { about: 'two relays on one PostgreSQL and Redis, against one', load: () => import('./scale.ts') },
  'cold-start': {
    about: 'from starting the process to the first minted credential',
    load: () => import('./cold-start.ts'),
  },
  'log-latency': {
    about: 'from hanging up to the log in a CRM that takes 150 ms',
    load: () => import('./log-latency.ts'),
  },
  drain: {
    about: 'logs that waited through a CRM outage, against the limit of the CRM',
    load: () => import('./drain.ts'),
  },
  simulation: {
    about: '20,000 agents on 4 relays from the measured costs: what is full first',
    load: () => import('./simulation.ts'),
  },
  mirrors: {
    about: 'fifty tabs of one agent: memory, processor time and messages of the mirrors, against one frame alone',
    load: () => import('./mirrors.ts'),
  },
  tap: {
    about: 'processor time of a call whose sound is listened to, against the call alone',
    load: () => import('./tap.ts'),
  },
  streams: {
    about: 'calls whose sound goes through one relay: how many, and how late words come, against a bare ws echo',
    rounds: 7,
    load: () => import('./streams.ts'),
  },
  'idle-memory': { about: 'memory of a relay per panel that only listens', load: () => import('./idle-memory.ts') },
};
const list = Object.entries(benches)
  .map(([name, { about }]) => `  ${name.padEnd(14)} ${about}`)
  .join('\n');
const help = `Usage: npm run bench -- NAME [--json] [--rounds N] [--write]\n${list}\n  --json    one JSON line per case\n  --rounds  fresh pages per case (default 5; survive 20), or --times\n  --write   put the table into docs/benchmarks.md`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    times: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const name = positionals[0];
const rounds = Number(values.times ?? values.rounds ?? benches[name ?? '']?.rounds ?? 5);
if (values.help || name === undefined || benches[name] === undefined || !Number.isInteger(rounds) || rounds < 1) {
  (values.help ? console.log : console.error)(help);
  process.exit(values.help ? 0 : 2);
}

installSystemPackages(console.error);
if (benches[name]?.lab === true && process.env.PATCHCORD_LAB === undefined) {
  const lab = ['test/sip-lab/run-in-lab.ts', '--', process.execPath, 'test/bench/main.ts', ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, lab, { stdio: 'inherit' }).status ?? 1);
}

const bench = await benches[name]?.load();
const rows = (await bench?.run(rounds)) ?? [];
console.log(values.json ? rows.map((row) => JSON.stringify(row)).join('\n') : toTable(rows));
if (values.write) write(name, rows);
process.exit(0);

/** Replaces the benchmark's section of docs/benchmarks.md, between its two markers. */
function write(section: string, table: readonly Row[]): void {
  const file = 'docs/benchmarks.md';
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${section} -->`, `<!-- /${section} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < 0)
    throw new Error(`${file} has no section "${section}": add the lines "${begin}" and "${end}" where it belongs.`);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const stamp = `\`npm run bench -- ${section} --rounds ${rounds} --write\` on ${new Date().toISOString().slice(0, 10)}, ${machine}`;
  writeFileSync(file, `${text.slice(0, from)}${begin}\n${stamp}\n\n${toTable(table)}\n${text.slice(to)}`);
}
