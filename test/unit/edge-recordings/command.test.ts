/** The program as an operator starts it: what it says of itself, what it says when something is missing, and the unit that runs it. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { leave, voice } from './rtpengine-files.ts';

const recipe = fileURLToPath(new URL('../../../deploy/kamailio/recordings/', import.meta.url));
const program = join(recipe, 'ship-recordings.ts');

let folder: string;
let server: Server;
let url: string;
const authorizations: (string | undefined)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-ship-'));
  await writeFile(join(folder, 'header'), 'Authorization: Bearer of-the-edge\n');
  await writeFile(join(folder, 'no-header'), 'of-the-edge\n');
  server = createServer((request, response) => {
    authorizations.push(request.headers.authorization);
    request.resume().on('end', () => response.writeHead(201).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/recordings/acme/kamailio`;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; out: string; told: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (_, out, told) => resolve({ code: child.exitCode ?? -1, out, told }),
    );
  });
}

it('explains every setting that it reads', async () => {
  const { code, out } = await run(['--help']);
  expect(code).toBe(0);
  const source = readFileSync(program, 'utf8');
  const read = new Set(source.slice(source.indexOf('async function settings')).match(/PATCHCORD_[A-Z]+/g));
  expect(read.size).toBe(5);
  for (const name of read) expect(out).toContain(`  ${name} `);
});

it.each([
  ['nothing', () => ({}), 'PATCHCORD_URL is not set; see --help'],
  [
    'another address',
    () => ({ PATCHCORD_URL: 'https://relay.example.com' }),
    'PATCHCORD_URL must be https://<relay>/v1/recordings/<tenant>/kamailio',
  ],
  ['no file', () => ({ PATCHCORD_URL: url, PATCHCORD_HEADER: '/nowhere' }), "PATCHCORD_HEADER: /nowhere can't be read"],
  [
    'no secret',
    () => ({ PATCHCORD_URL: url, PATCHCORD_HEADER: join(folder, 'no-header') }),
    'has no line "Authorization: Bearer <secret>"',
  ],
  [
    'no time',
    () => ({ PATCHCORD_URL: url, PATCHCORD_HEADER: join(folder, 'header'), PATCHCORD_EVERY: 'x' }),
    'PATCHCORD_EVERY must be a number of seconds',
  ],
] as const)('ends with words for an operator when it is given %s', async (_, env, words) => {
  const { code, told } = await run(['--once'], env());
  expect([code, told]).toEqual([1, expect.stringContaining(words)]);
  expect(told).not.toContain('at ');
});

it('hands over what lies there, with the secret of its file, and ends when told to look once', async () => {
  const spool = join(folder, 'spool');
  await leave(spool, { name: 'one', packets: voice({ from: 'caller', hz: 600, fromMs: 0, toMs: 1_000 }) });
  const env = { PATCHCORD_URL: url, PATCHCORD_HEADER: join(folder, 'header'), PATCHCORD_SPOOL: spool };
  expect(await run(['--once'], env)).toEqual({ code: 0, out: '', told: '' });
  expect(authorizations).toEqual(['Bearer of-the-edge']);
  expect(await readdir(join(spool, 'pcaps'))).toEqual([]);
});

it('is started by its unit as the user of rtpengine, from where it is', () => {
  const unit = readFileSync(join(recipe, 'patchcord-recordings.service'), 'utf8');
  const [, started = ''] = /^ExecStart=\S+ \/opt\/patchcord\/(\S+)$/m.exec(unit) ?? [];
  expect(existsSync(fileURLToPath(new URL(`../../../${started}`, import.meta.url)))).toBe(true);
  expect(unit).toContain('User=rtpengine');
});
