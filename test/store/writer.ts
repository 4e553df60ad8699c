/** Starts `writer-process.ts` and hears what it says. Owns its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WriterOptions } from './writer-process.ts';

const program = fileURLToPath(new URL('./writer-process.ts', import.meta.url));

export interface Writer {
  readonly child: ChildProcess;
  /** Call ids that were acknowledged, as far as we have read. */
  readonly kept: readonly string[];
  /** What the store said when it refused. */
  readonly failed: readonly string[];
  /** What went to standard error. */
  complaints(): string;
  /** Resolves when this many commits were acknowledged, or refused with `what: 'failed'`; rejects when it ends before. */
  until(count: number, what?: 'kept' | 'failed'): Promise<void>;
  /** Lets it finish what is under way; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves when it has ended by itself. */
  readonly ended: Promise<number | null>;
}

/** @param wrapper A command to put in front of node, for instance a tracer */
export async function startWriter(options: WriterOptions, wrapper: readonly string[] = []): Promise<Writer> {
  const [command = process.execPath, ...args] = [...wrapper, process.execPath, program, JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const kept: string[] = [];
  const failed: string[] = [];
  let complaints = '';
  let waiting: { check(): boolean; resolve(): void; reject(error: Error): void }[] = [];
  let over = false;
  const look = (): void => {
    waiting = waiting.filter((one) => {
      if (one.check()) one.resolve();
      else if (over) one.reject(new Error(`The writer ended early: ${complaints.slice(-2_000)}`));
      else return true;
      return false;
    });
  };
  let isReady = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') isReady = true;
    else if (line.startsWith('kept ')) kept.push(line.slice(5));
    else if (line.startsWith('failed ')) failed.push(line.slice(7));
    look();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk.toString();
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      over = true;
      look();
      resolve(code);
    });
  });
  const wait = (check: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ check, resolve, reject });
      look();
    });
  await wait(() => isReady);
  return {
    child,
    kept,
    failed,
    complaints: () => complaints,
    until: (count, what = 'kept') => wait(() => (what === 'kept' ? kept : failed).length >= count),
    stop: () => {
      child.stdin.end();
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    ended,
  };
}
