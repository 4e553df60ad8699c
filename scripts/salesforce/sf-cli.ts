/**
 * The Salesforce CLI as a child process: arguments go as a list, never through a shell; answers are its JSON, checked for shape. The only file
 * that starts `sf`. Never sees a token: the CLI keeps the login, REST calls go through it too.
 */
import { spawn } from 'node:child_process';

/** A step that can't go on, in words for who runs the script: what happened, why, what to do. */
export class OrgFailure extends Error {
  override readonly name = 'OrgFailure';
}

export interface SfAnswer {
  readonly ok: boolean;
  readonly result: unknown;
  /** What the CLI says when it is not ok; empty otherwise. */
  readonly message: string;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: unknown;
}

export interface Sf {
  /** Runs a command with `--json`. A refusal is an answer; only a CLI that is missing, silent or mute throws. */
  run(args: readonly string[], options?: RunOptions): Promise<SfAnswer>;
  /** Rows of a query; throws when the org refuses it. */
  query(soql: string, options?: { readonly tooling?: boolean }): Promise<readonly Row[]>;
  /** One REST request below `/services/data/v66.0/`. A refusal of the org is an answer. */
  rest(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<RestAnswer>;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** Commands about source want to stand in a project. */
  readonly cwd?: string;
}

export type Row = Readonly<Record<string, unknown>>;

export const apiVersion = '66.0';

const minuteMs = 60_000;
const missing =
  'The Salesforce CLI did not start. Install it (npm install --global @salesforce/cli, or developer.salesforce.com/tools/salesforcecli) ' +
  'and see that "sf version" works, or name it with --sf.';

/** Runs the executable to its end; rejects with an `OrgFailure` when it does not start or does not end in time. */
export type StartSf = (
  command: string,
  args: readonly string[],
  timeoutMs: number,
  cwd?: string,
) => Promise<{ readonly stdout: string; readonly stderr: string }>;

/**
 * @param command the executable, normally `sf`
 * @param targetOrg alias or user name the CLI knows; goes with every command
 * @param start how the executable is run; `startedApart`, or a test's own
 */
export function createSf(command: string, targetOrg: string, start: StartSf = (...asked) => started(...asked)): Sf {
  const org = ['--target-org', targetOrg];

  async function run(args: readonly string[], { timeoutMs = 5 * minuteMs, cwd }: RunOptions = {}): Promise<SfAnswer> {
    const { stdout, stderr } = await start(command, [...args, '--json'], timeoutMs, cwd);
    const answer = parsed(stdout);
    if (!isRow(answer)) {
      const said = (stderr || stdout).trim().slice(0, 500);
      throw new OrgFailure(
        `"sf ${args.slice(0, 3).join(' ')}" answered no JSON: ${said || 'nothing'}. Update the CLI.`,
      );
    }
    // `sf version --json` is the one answer without an envelope.
    if (answer.status === undefined) return { ok: true, result: answer, message: '' };
    const ok = answer.status === 0;
    return { ok, result: answer.result ?? answer.data, message: ok ? '' : text(answer.message) };
  }

  return {
    run: (args, options) => run(args[0] === 'version' ? args : [...args, ...org], options),
    async query(soql, { tooling = false } = {}) {
      const args = ['data', 'query', '--query', soql, ...(tooling ? ['--use-tooling-api'] : []), ...org];
      const answer = await run(args);
      if (!answer.ok) throw new OrgFailure(`The org refused a query: ${answer.message}\n  ${soql}`);
      return rows(isRow(answer.result) ? answer.result.records : undefined);
    },
    async rest(method, path, body) {
      const args = ['api', 'request', 'rest', `/services/data/v${apiVersion}/${path}`, '--method', method, '--include'];
      const payload = body === undefined ? [] : ['--body', JSON.stringify(body)];
      const { stdout, stderr } = await start(
        command,
        [...args, ...payload, '--header', 'Content-Type: application/json', ...org],
        2 * minuteMs,
      );
      return restAnswer(stdout) ?? Promise.reject(new OrgFailure(`"sf api request rest" failed: ${stderr.trim()}`));
    },
  };
}

/** Rows in an answer; an object where the API gives one instead of a list of one counts as that one. */
export function rows(value: unknown): readonly Row[] {
  if (Array.isArray(value)) return value.filter(isRow);
  return isRow(value) ? [value] : [];
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value of an answer as text; empty when it is none. */
export function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A text inside SOQL quotes. */
export function quoted(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout.slice(Math.max(0, stdout.indexOf('{'))));
  } catch {
    return undefined;
  }
}

/** `HTTP/1.1 200`, header lines, then the body. */
function restAnswer(stdout: string): RestAnswer | undefined {
  // The CLI colours header names where it believes in a terminal.
  const plain = stdout.replace(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g'), '');
  const status = /^HTTP\/[\d.]+ (\d{3})/m.exec(plain);
  if (status?.[1] === undefined) return undefined;
  const lines = plain.slice(status.index).split(/\r?\n/).slice(1);
  const headers = new Map<string, string>();
  let line = 0;
  for (; line < lines.length; line += 1) {
    const [, name, value] = /^([\w-]+): (.*)$/.exec(lines[line] ?? '') ?? [];
    if (name === undefined || value === undefined) break;
    headers.set(name.toLowerCase(), value);
  }
  const rest = lines.slice(line).join('\n').trim();
  try {
    return { status: Number(status[1]), headers, body: rest === '' ? null : JSON.parse(rest) };
  } catch {
    return { status: Number(status[1]), headers, body: rest };
  }
}

/** For a command that tidies up when it is interrupted: Ctrl-C reaches this process only, the CLI ends what it is doing. */
export const startedApart: StartSf = (command, args, timeoutMs, cwd) => started(command, args, timeoutMs, cwd, true);

function started(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  cwd?: string,
  detached = false,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      detached,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      env: {
        ...process.env,
        NO_COLOR: '1',
        FORCE_COLOR: '0',
        SF_AUTOUPDATE_DISABLE: 'true',
        SF_DISABLE_TELEMETRY: 'true',
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    const timer = setTimeout(() => {
      child.kill();
      const after = `${Math.round(timeoutMs / 1000)} s`;
      reject(
        new OrgFailure(`"sf ${args.slice(0, 3).join(' ')}" gave no answer within ${after}. Run the script again.`),
      );
    }, timeoutMs);
    child.on('error', () => {
      clearTimeout(timer);
      reject(new OrgFailure(missing));
    });
    child.on('close', () => {
      clearTimeout(timer);
      resolve({ stdout, stderr });
    });
  });
}
