/**
 * A PostgreSQL of the test's own: a fresh data folder, a free port of this machine, gone afterwards. Owns starting and stopping it; PostgreSQL
 * refuses to run as root, so root hands it to the `postgres` account.
 */
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PostgresServer {
  /** A new empty database. */
  createDatabase(): Promise<string>;
  /** Stops it at once, as `kill -9` of a machine's power would not, but as a crash does: no checkpoint. */
  crash(): Promise<void>;
  /** `kill -9` of the whole server: no process of it gets to do anything any more. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

async function binaries(): Promise<string> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const newest = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined)
    throw new Error(
      'PostgreSQL is not installed: run "npm test", which installs what tests need (Debian: postgresql).',
    );
  return join('/usr/lib/postgresql', newest, 'bin');
}

/** A zombie counts as gone: it holds nothing any more. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export async function startPostgres(): Promise<PostgresServer> {
  const bin = await binaries();
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-postgres-'));
  const asRoot = process.getuid?.() === 0;
  if (asRoot) {
    const { stdout: uid } = await run('id', ['-u', 'postgres']);
    const { stdout: gid } = await run('id', ['-g', 'postgres']);
    await chown(folder, Number(uid), Number(gid));
  }
  const command = (name: string, args: readonly string[]): [string, string[]] =>
    asRoot ? ['runuser', ['-u', 'postgres', '--', join(bin, name), ...args]] : [join(bin, name), [...args]];
  const data = join(folder, 'data');
  await run(
    ...command('initdb', ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-sync', '--no-instructions']),
  );
  const port = await freePort();
  const options = `-h 127.0.0.1 -p ${port} -k ${folder} -c max_connections=60`;
  const control = (...args: string[]): Promise<void> =>
    new Promise((resolve, reject) => {
      // Its output goes to the log file: an inherited pipe would keep us waiting for the server itself.
      const child = spawn(...command('pg_ctl', ['-D', data, '-l', join(folder, 'log'), '-w', ...args]), {
        stdio: 'ignore',
      });
      child.once('error', reject);
      child.once('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`pg_ctl ${args[0]} ended with ${code}`)),
      );
    });
  const start = async (): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await control('-o', options, 'start');
        return;
      } catch (error) {
        // The system may need a moment to take back the memory of one that was killed.
        if (attempt === 10) throw error;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    }
  };
  await start();
  let databases = 0;
  return {
    createDatabase: async () => {
      databases += 1;
      const name = `relay_${databases}`;
      await run(...command('createdb', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', name]));
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    kill: async () => {
      const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
      // Stood still first: it must not fork while its children are listed.
      process.kill(pid, 'SIGSTOP');
      const { stdout } = await run('ps', ['--ppid', String(pid), '-o', 'pid=']).catch(() => ({ stdout: '' }));
      const all = [pid, ...stdout.split('\n').map(Number)].filter((one) => one > 1);
      for (const one of all) {
        try {
          process.kill(one, 'SIGKILL');
        } catch {
          // gone with its parent
        }
      }
      while (all.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    crash: () => control('-m', 'immediate', 'stop'),
    start,
    stop: async () => {
      await control('-m', 'immediate', 'stop').catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}
