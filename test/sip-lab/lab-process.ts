/**
 * Owns one server or phone process of the laboratory: start inside a namespace, collected output, orderly end.
 * Must never signal a process that it did not start itself.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { inNamespace } from './namespaces.ts';

export interface LabProcess {
  readonly pid: number;
  /** Writes one line to the program's standard input. */
  writeLine(line: string): void;
  /** Calls back for every complete line of standard output and standard error. Returns the function that ends it. */
  onLine(listener: (line: string) => void): () => void;
  /** The last lines of output, for error messages. */
  tail(lines?: number): string;
  /** True until the process has ended. */
  running(): boolean;
  /** Ends it: SIGTERM, after `graceMs` SIGKILL. Resolves when it is gone. Safe to call twice. */
  stop(graceMs?: number): Promise<void>;
  /** Ends it at once with SIGKILL, as a crash would. Resolves when it is gone. */
  crash(): Promise<void>;
}

/** Starts `command` inside `namespace`; all output also goes to the file `log`, if one is given. */
export function startLabProcess(options: {
  namespace: string;
  command: readonly string[];
  log?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}): LabProcess {
  const [program, ...args] = inNamespace(options.namespace, options.command);
  // `ip netns exec` replaces itself by the program, so the child's number is the program's.
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  });
  const log = options.log === undefined ? undefined : createWriteStream(options.log, { flags: 'a' });
  const recent: string[] = [];
  const listeners = new Set<(line: string) => void>();
  let ended = false;
  const exited = once(child, 'exit').then(
    () => undefined,
    (error: Error) => {
      recent.push(`could not be started: ${error.message}`);
    },
  );
  void exited.then(() => {
    ended = true;
    log?.end();
  });
  // Writing to a program that is just ending is no error of the test.
  child.stdin.on('error', () => undefined);
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      if (log && !log.writableEnded) log.write(text);
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        recent.push(line);
        if (recent.length > 400) recent.splice(0, 200);
        for (const listener of listeners) listener(line);
      }
    });
  }
  const endWith = async (signal: NodeJS.Signals) => {
    if (!ended) child.kill(signal);
    await exited;
  };
  return {
    pid: child.pid ?? -1,
    writeLine: (line) => void child.stdin.write(`${line}\n`),
    onLine(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tail: (lines = 30) => recent.slice(-lines).join('\n'),
    running: () => !ended,
    async stop(graceMs = 3000) {
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await endWith('SIGTERM');
      clearTimeout(timer);
    },
    crash: () => endWith('SIGKILL'),
  };
}

/**
 * Repeats `attempt` until it returns a value other than undefined. Throws with `what` and the process's last output when the time
 * is over or the process has ended. For readiness only: an event that can be awaited needs no repetition.
 */
export async function untilReady<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  options: { withinMs?: number; everyMs?: number; process?: LabProcess } = {},
): Promise<T> {
  const deadline = Date.now() + (options.withinMs ?? 10_000);
  let last: unknown;
  for (;;) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    const dead = options.process !== undefined && !options.process.running();
    if (dead || Date.now() > deadline) {
      const output = options.process ? `\nLast output:\n${options.process.tail()}` : '';
      throw new Error(`${what}: ${dead ? 'the process ended' : 'not in time'}.${output}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 40));
  }
}
