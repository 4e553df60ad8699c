/**
 * The relay of a stage as a process of its own, so that it can be killed in the middle of a call. Owns the process, its folder and what it wrote; the
 * stage owns its configuration.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StageOptions } from '../../scripts/stage.ts';
import { compiledBefore } from '../compiled.ts';

const main = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url));

export interface RelayChild {
  readonly run: NonNullable<StageOptions['runRelay']>;
  /** Where it keeps what it keeps. */
  readonly dataDir: string;
  /** SIGKILL: no handler runs, nothing is flushed. Resolves when it is gone; the stage starts another one by `restartRelay`. */
  kill(): Promise<void>;
  /** What it wrote to its log, over all its lives. */
  output(): string;
  /** Once the stage is closed. */
  remove(): void;
}

/** Starts nothing yet: the stage does. */
export function relayChild(): RelayChild {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-relay-'));
  const dataDir = join(folder, 'data');
  let child: ChildProcess | null = null;
  let output = '';

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const running = child;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => running.once('exit', () => resolve()));
    running.kill(signal);
    await gone;
  }

  return {
    dataDir,
    async run(config, { panel }) {
      const path = join(folder, 'relay.json');
      writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
      const assets = 'folder' in panel ? panel.folder : join(folder, 'panel');
      if ('files' in panel) {
        mkdirSync(assets, { recursive: true });
        for (const [name, body] of panel.files) writeFileSync(join(assets, name), body);
      }
      const started = spawn(process.execPath, [main, 'serve', '--panel', assets], {
        env: { PATH: process.env.PATH ?? '', PATCHCORD_CONFIG: path, ...compiledBefore },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      await new Promise<void>((resolve, reject) => {
        const hear = (chunk: Buffer): void => {
          output += chunk.toString();
          if (chunk.toString().includes('relay started')) resolve();
        };
        started.stdout.on('data', hear);
        started.stderr.on('data', hear);
        started.once('exit', (code) => reject(new Error(`The relay ended with ${code}: ${output.slice(-2_000)}`)));
      });
      return { close: () => end('SIGTERM') };
    },
    kill: () => end('SIGKILL'),
    output: () => output,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
