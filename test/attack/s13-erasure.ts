/**
 * S13: one person is erased. A real relay takes calls with that person and with others, written down in many spellings; the command `erase` runs
 * beside it as an operator runs it. Counts every trace of the number, the name and the notes that is left afterwards: in the bytes of the database's files, in
 * every row, in a new backup, in what the relay's history and the command itself say. A call under legal hold must survive all of it.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { TenantId } from '@patchcord/call-protocol';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import type { Drill } from '../drill.ts';
import { seeded } from '../faults/office.ts';
import { startPostgres } from '../store/postgres-server.ts';
import { envelopes, type Life, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';

const main = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url));
const run = promisify(execFile);

/** Ten digits nobody else in the run has. */
function person(random: () => number): {
  readonly e164: string;
  readonly spellings: readonly string[];
  readonly name: string;
} {
  const line = String(1_000 + Math.floor(random() * 9_000));
  return {
    e164: `+1415555${line}`,
    spellings: [`+1415555${line}`, `(415) 555-${line}`, `1 415 555 ${line}`, `415.555.${line}`, `001-415-555-${line}`],
    name: `Person ${randomUUID()}`,
  };
}

interface Found {
  readonly calls: number;
  readonly traces: number;
  readonly lostOfOthers: number;
  readonly heldLost: number;
  readonly auditLines: number;
}

/** @param cache Where the commands keep what they compiled: each is a process of its own, and half of its time went into that */
async function eraseOne(location: StoreLocation, seed: number, calls: number, cache: string): Promise<Found> {
  const random = seeded(seed);
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-s13-'));
  const erased = person(random);
  const held = { ...person(random), e164: '+14155550999', name: `Held ${randomUUID()}` };
  const config = testConfig(
    location.kind === 'sqlite' ? { dataDir: location.folder } : { dataDir: folder, databaseUrl: location.url },
  );
  const path = join(folder, 'relay.json');
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  let said = '';
  const command = async (...args: string[]): Promise<void> => {
    const env = { PATH: process.env.PATH ?? '', PATCHCORD_CONFIG: path, NODE_COMPILE_CACHE: cache };
    const { stdout, stderr } = await run(process.execPath, [main, ...args], { env });
    said += stdout + stderr;
  };
  // The relay writes its logs into a CRM in memory, so that nothing waits.
  const relay = await startRelayInTest(config, { folder: location.kind === 'sqlite' ? location.folder : folder });
  const secret = `note ${randomUUID()}`;
  const ofOthers: string[] = [];
  const ofPerson: string[] = [];
  const ofHeld: string[] = [];
  try {
    const { token } = await relay.signIn();
    const panel = await relay.connect(token);
    const publish = async (ids: string[], life: readonly Life[]): Promise<void> => {
      const callId = randomUUID();
      ids.push(callId);
      panel.publish(...envelopes(callId, life));
      await panel.acknowledged();
    };
    const life = (number: string, name: string, note: string, e164?: string): readonly Life[] => [
      {
        name: 'call.started',
        data: { direction: 'inbound', farSide: { number, name, ...(e164 === undefined ? {} : { e164 }) } },
      },
      { name: 'call.answered', data: {} },
      { name: 'call.ended', data: { outcome: 'answered', reason: 'You hung up', by: 'agent' } },
      { name: 'wrap-up.submitted', data: { note } },
    ];
    for (let n = 0; n < calls; n += 1) {
      const spelling = erased.spellings[Math.floor(random() * erased.spellings.length)] ?? erased.e164;
      await publish(ofPerson, life(spelling, erased.name, secret, random() < 0.5 ? erased.e164 : undefined));
      const mention = random() < 0.5 ? `They asked for ${spelling}.` : 'Nothing special.';
      await publish(ofOthers, life('+14155550888', 'Somebody Else', mention, '+14155550888'));
    }
    await publish(ofHeld, life(held.e164, held.name, 'a case for the court', held.e164));
    await publish(ofOthers, [
      ...life('+14155550888', 'Somebody Else', '', '+14155550888').slice(0, 2),
      { name: 'call.transferred', data: { to: erased.e164, kind: 'blind' } },
    ]);

    await command('hold', '--tenant', 'acme', '--number', held.e164, '--reason', 'court');
    await command(
      'erase',
      '--tenant',
      'acme',
      '--number',
      erased.e164,
      '--reason',
      `asked from ${erased.e164}`,
      '--dry-run',
    );
    await command('erase', '--tenant', 'acme', '--number', erased.e164, '--reason', `asked from ${erased.e164}`);
    await command('erase', '--tenant', 'acme', '--number', held.e164, '--reason', 'asked, but held');
    const backup = join(folder, 'backup');
    await command('backup', '--to', backup);

    const places = [said, gunzipSync(await readFile(backup)).toString()];
    places.push(await (await relay.fetch('/v1/calls?limit=200', { token })).text());
    if (location.kind === 'sqlite')
      for (const name of await readdir(location.folder))
        places.push(await readFile(join(location.folder, name), 'latin1'));
    const everything = places.join('\n');
    const line = erased.e164.slice(-4);
    const marks = [new RegExp(`415\\D{0,3}555\\D{0,3}${line}`, 'g'), erased.name, secret, ...ofPerson];
    const traces = marks.reduce((sum, mark) => sum + everything.split(mark).length - 1, 0);

    const store = await openStore(location);
    try {
      const left = await store.calls.readCalls([...ofOthers, ...ofHeld] as never[]);
      const intact = (id: string): boolean => (left.get(id as never)?.events.length ?? 0) >= 3;
      const audit = await store.audit.read('acme' as TenantId, '', 1_000);
      const lines = audit.filter(({ act }) => act === 'person.erased');
      const heldCall = left.get(ofHeld[0] as never)?.call.log;
      return {
        calls: ofPerson.length,
        traces,
        lostOfOthers: ofOthers.filter((id) => !intact(id)).length,
        heldLost: heldCall?.farSide.number === held.e164 && heldCall.note === 'a case for the court' ? 0 : 1,
        auditLines: lines.filter(
          ({ subject, data }) => subject?.startsWith('erasure-') && typeof data.calls === 'number',
        ).length,
      };
    } finally {
      await store.close();
    }
  } finally {
    await relay.closed();
    await rm(folder, { recursive: true, force: true });
  }
}

export const drill: Drill = {
  about:
    'one person is erased beside a running relay: no trace in files, rows, history or a new backup; a legal hold holds',
  async run({ seed, short, say }) {
    const calls = short ? 6 : 60;
    const folder = await mkdtemp(join(tmpdir(), 'patchcord-s13-data-'));
    const postgres = await startPostgres();
    try {
      const found: Found[] = [];
      for (const location of [
        { kind: 'sqlite', folder: join(folder, 'data') },
        { kind: 'postgres', url: await postgres.createDatabase() },
      ] as const) {
        const one = await eraseOne(location, seed, calls, join(folder, 'compiled'));
        say(
          `${location.kind}: ${one.calls} calls erased, ${one.traces} traces left, ${one.lostOfOthers} calls of others harmed`,
        );
        found.push(one);
      }
      const sum = (key: keyof Found): number => found.reduce((total, one) => total + one[key], 0);
      const failed = sum('lostOfOthers') + sum('heldLost');
      return {
        // Two erasures each: the person's, and the one that the hold refused.
        passed: sum('traces') === 0 && failed === 0 && sum('auditLines') === 2 * found.length,
        tried: sum('calls'),
        succeeded: sum('traces'),
        failed,
        auditLines: sum('auditLines'),
      };
    } finally {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};
