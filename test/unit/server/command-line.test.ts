import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compiledBefore } from '../../compiled.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

const main = fileURLToPath(new URL('../../../server/src/main.ts', import.meta.url));
let folder = '';
let good = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-command-line-'));
  good = join(folder, 'relay.json');
  writeFileSync(good, JSON.stringify({ ...testConfig(), dataDir: join(folder, 'data'), logLevel: 'info' }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** @param heard Called with everything it wrote so far, and a way to signal it */
function run(
  args: readonly string[],
  environment: Record<string, string> = {},
  heard?: (output: string, signal: (name: NodeJS.Signals) => void) => void,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { PATH: process.env.PATH ?? '', ...compiledBefore, ...environment },
    });
    let output = '';
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      heard?.(output, (name) => child.kill(name));
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

it('shows what it can do', async () => {
  const { code, output } = await run(['--help']);
  expect(code).toBe(0);
  for (const word of ['serve', 'check-config', 'pairing-code', 'PATCHCORD_CONFIG']) expect(output).toContain(word);
});

it('ends when it cannot start, whatever was open by then', async () => {
  const spend = { currency: 'USD', tenantDay: 100, ratesFile: join(folder, 'no-such-file.csv') };
  const noRates = join(folder, 'no-rates.json');
  const tenants = [testTenant({ brakes: { spend } })];
  writeFileSync(noRates, JSON.stringify({ ...testConfig({ tenants }), dataDir: join(folder, 'no-rates') }));
  for (const command of ['serve', 'check-config']) {
    const { code, output } = await run([command], { PATCHCORD_CONFIG: noRates });
    expect(output).toContain('brakes.spend.ratesFile');
    expect(code).toBe(2);
  }
  expect(existsSync(join(folder, 'no-rates'))).toBe(false);

  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const busy = await run(['serve'], { PATCHCORD_CONFIG: good, PORT: String(port), HOST: '127.0.0.1' });
  taken.close();
  expect(busy.output).toContain(`cannot listen on 127.0.0.1, port ${port}: EADDRINUSE`);
  expect(busy.code).toBe(1);
});

it('checks a configuration and says all that is wrong with one', async () => {
  expect(await run(['check-config'], { PATCHCORD_CONFIG: good })).toEqual({
    code: 0,
    output: 'The configuration is good: tenants 1, agents 2.\n',
  });
  const bad = join(folder, 'bad.json');
  writeFileSync(bad, JSON.stringify({ tenants: [{ id: 'acme' }] }));
  const { code, output } = await run(['check-config'], { PATCHCORD_CONFIG: bad });
  expect(code).toBe(2);
  for (const path of ['tenants.0.name', 'tenants.0.crm', 'tenants.0.sip', 'tenants.0.agents'])
    expect(output).toContain(path);
});

it('makes a pairing code, and none for somebody it does not know', async () => {
  const made = await run(['pairing-code', '--tenant', 'acme', '--agent', 'ada'], { PATCHCORD_CONFIG: good });
  expect(made.code).toBe(0);
  expect(made.output).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4} {2}\(until /);
  const unknown = await run(['pairing-code', '--tenant', 'acme', '--agent', 'eve'], { PATCHCORD_CONFIG: good });
  expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining('no agent "eve"') as string });
});

it('serves until it is told to stop', async () => {
  const { code, output } = await run(['serve'], { PATCHCORD_CONFIG: good }, (heard, signal) => {
    if (heard.includes('relay started') && !heard.includes('stopping')) signal('SIGTERM');
  });
  expect(code).toBe(0);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(lines).toEqual(['relay started', 'stopping', 'relay stopped']);
});

it('says in one line why it cannot start', async () => {
  const { code, output } = await run(['serve'], {
    PATCHCORD_CONFIG: good,
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
  });
  expect(code).toBe(1);
  expect(output.trim().split('\n')).toHaveLength(1);
  expect(output).toContain('The store could not be opened');
});
