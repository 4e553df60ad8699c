/** What our commands have in common: a wrong command line, files that options name, and an interruption that lets a command clean up. */
import { readFileSync } from 'node:fs';

/** The command line is wrong; the message says what. */
export class UsageError extends Error {}

/**
 * The exit code of a failed command, its words told. `parseArgs` says by a TypeError with a code what is wrong with an option.
 * @param isExpected Failures whose message is all a person needs
 * @throws the error itself, when it is a fault of ours
 */
export function toldFailure(
  error: unknown,
  options: { readonly help: string; readonly isExpected: (error: unknown) => boolean; log(text: string): void },
): 1 | 2 {
  if (error instanceof Error && options.isExpected(error)) {
    options.log(`\n✘ ${error.message}`);
    return 1;
  }
  if (error instanceof UsageError || (error instanceof TypeError && 'code' in error)) {
    options.log(`${error.message}\n\n${options.help}`);
    return 2;
  }
  throw error;
}

/** @throws UsageError when the file an option names can't be read */
export function contentOf(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(
      `${option} ${path} can't be read (${why}). Correct the path; it is taken from ${process.cwd()}.`,
    );
  }
}

/** @throws UsageError unless it is 0 to 60 */
export function minutes(option: string, given: string): number {
  const value = Number(given);
  if (!(value >= 0 && value <= 60)) throw new UsageError(`${option} must be 0 to 60`);
  return value;
}

const interruptions = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Turns the first interruption into a signal; the second ends the process as ever. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    for (const name of interruptions) process.off(name, stop);
    controller.abort();
  };
  for (const name of interruptions) process.on(name, stop);
  try {
    return await run(controller.signal);
  } finally {
    for (const name of interruptions) process.off(name, stop);
  }
}
