/**
 * The relay's configuration: one schema over one JSON file and the environment, read once. Owns reading them and the
 * report of everything that is wrong with it at once. Must never print a value: only names, reasons and what to do.
 */
import { readFileSync } from 'node:fs';
import { PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { afterCallProblems } from './config/after-call.ts';
import { isConnectedByPage } from './config/crm.ts';
import { VoicemailsSchema } from './config/features.ts';
import {
  encryptedUnlessLoopback,
  givenSecret,
  isNetwork,
  loopbackNames,
  ms,
  secret,
  text,
  unique,
  url,
} from './config/fields.ts';
import { RecordingsSchema } from './config/recordings.ts';
import { RetentionSchema } from './config/retention.ts';
import { sharingProblems } from './config/shared-phone-systems.ts';
import { TenantSchema } from './config/tenant.ts';

const SettingsSchema = v.strictObject({
  port: v.optional(v.pipe(v.number('must be a port number'), v.integer(), v.minValue(0), v.maxValue(65_535)), 8_080),
  host: v.optional(text('the address to listen on'), '127.0.0.1'),
  /** What browsers and CRMs call the relay. Absent: where it listens, which suits a laptop only. */
  publicUrl: v.optional(
    v.pipe(
      url('where browsers reach the relay', 'https:', 'http:'),
      encryptedUnlessLoopback,
      v.check(
        (value) => !URL.canParse(value) || new URL(value).pathname === '/',
        'must not have a path: the relay needs a host of its own',
      ),
    ),
  ),
  /** PostgreSQL; absent: SQLite in `dataDir`. */
  databaseUrl: v.optional(
    v.pipe(
      givenSecret('the PostgreSQL URL'),
      v.regex(/^postgres(?:ql)?:\/\//, 'must start with "postgres://" or "postgresql://"'),
    ),
  ),
  /** Redis; carries live events between relays. Absent: relays of one database hear of each other through it, a quarter of a second later. */
  redisUrl: v.optional(
    v.pipe(
      givenSecret('the Redis URL'),
      v.regex(/^rediss?:\/\//, 'must start with "redis://" or "rediss://"'),
      v.check((value) => URL.canParse(value), 'must be a URL'),
    ),
  ),
  dataDir: v.optional(text('a folder for the database'), '.patchcord'),
  /**
   * What kept secrets are sealed with: the first seals, all open. Absent: a key file in `dataDir`, which suits one relay on SQLite. To change the
   * key: put a new one in front, run `rotate-keys`, remove the old one.
   */
  encryptionKeys: v.exactOptional(
    v.pipe(
      v.array(
        v.strictObject({
          id: v.pipe(text('the name of the key'), v.regex(/^[\w-]{1,32}$/, 'must be letters, digits, "-" and "_"')),
          key: v.pipe(
            givenSecret('the key'),
            v.check(
              (value) => Buffer.from(value, 'base64').length === 32 && /^[\w+/-]{43}=?$/.test(value),
              'must be 32 bytes in base64, for instance from "openssl rand -base64 32"',
            ),
          ),
        }),
      ),
      v.minLength(1, 'needs at least one key'),
      unique((key) => key.id, 'id'),
    ),
  ),
  /** Opens the `/v1/admin` routes; absent: they are closed. */
  adminToken: v.optional(secret('the admin token', 32)),
  /** Opens `/metrics` to others than this machine. */
  metricsToken: v.optional(secret('the metrics token')),
  /** Proxies in front that may say who the client is (`X-Forwarded-For`): how many, or their addresses. */
  trustProxy: v.optional(
    v.union(
      [v.pipe(v.number(), v.integer(), v.minValue(0)), v.array(v.pipe(v.string(), v.check(isNetwork)))],
      'must be a number of proxies or a list of addresses',
    ),
    0,
  ),
  logLevel: v.optional(
    v.picklist(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'must be a pino level'),
    'info',
  ),
  /** When told to stop: how long `/readyz` says so before the relay stops listening, for a balancer to notice. */
  drainNoticeMs: v.optional(ms(0, 60_000), 0),
  /** How long things are kept. */
  retention: v.optional(RetentionSchema, {}),
  /** Recordings that phone systems hand over. */
  recordings: v.optional(RecordingsSchema, {}),
  /** Voicemails that phone systems hand over. */
  voicemails: v.optional(VoicemailsSchema, {}),
  delivery: v.optional(
    v.strictObject({
      /** How long one delivery may be held before another relay may take it over; it is renewed while work goes on. */
      leaseMs: v.optional(ms(100, 600_000), 15_000),
      firstRetryMs: v.optional(ms(1, 600_000), 1_000),
      longestRetryMs: v.optional(ms(1, 86_400_000), 900_000),
      /** Of a webhook; a log outlives any outage. */
      attempts: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 60),
    }),
    {},
  ),
  tenants: v.pipe(
    v.array(TenantSchema, 'must be a list of tenants'),
    v.minLength(1, 'needs at least one tenant'),
    unique((tenant) => tenant.id, 'id'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const { path, message } of [...sharingProblems(dataset.value), ...afterCallProblems(dataset.value)])
        addIssue({ message, path: pathInto(dataset.value, path) });
    }),
  ),
});

/** The way to a value, as an issue carries it. */
function pathInto(input: unknown, keys: readonly (string | number)[]): [v.IssuePathItem, ...v.IssuePathItem[]] {
  const items = keys.map(
    (key): v.IssuePathItem => ({ type: 'unknown', origin: 'value', input, key, value: undefined }),
  );
  return items as [v.IssuePathItem, ...v.IssuePathItem[]];
}

/** Whether something of this tenant lies sealed in the store. */
function keepsSecrets({ crm, signIn }: v.InferOutput<typeof TenantSchema>): boolean {
  return signIn.crm || signIn.oidc !== undefined || isConnectedByPage(crm);
}

/** The whole configuration. What the environment may set is listed in `environmentNames`. */
export const RelayConfigSchema = v.pipe(
  SettingsSchema,
  v.forward(
    v.partialCheck(
      [['host'], ['publicUrl']],
      ({ host, publicUrl }) => publicUrl !== undefined || loopbackNames.has(host) || host === '::1',
      'is missing; the relay listens beyond this machine, so set PUBLIC_URL to what browsers call it',
    ),
    ['publicUrl'],
  ),
  v.forward(
    v.partialCheck(
      [['databaseUrl'], ['encryptionKeys'], ['tenants']],
      ({ databaseUrl, encryptionKeys, tenants }) =>
        databaseUrl === undefined || encryptionKeys !== undefined || !tenants.some(keepsSecrets),
      'is missing; with PostgreSQL several relays share the secrets that signing in and connected CRMs keep, so give all of them the same keys: [{ "id": "2026-11", "key": { "env": "PATCHCORD_KEY" } }], the key from "openssl rand -base64 32"',
    ),
    ['encryptionKeys'],
  ),
);

export type RelayConfig = v.InferOutput<typeof RelayConfigSchema>;
type Unchanging<T> = T extends object ? { readonly [K in keyof T]: Unchanging<T[K]> } : T;
/** The configuration as an operator writes it: defaults may be left out. */
export type RelayConfigInput = Unchanging<v.InferInput<typeof RelayConfigSchema>>;
export type TenantConfig = RelayConfig['tenants'][number];
export type AgentConfig = TenantConfig['agents'][number];

/** Environment variable → setting. Each may also be given as `<NAME>_FILE`: the path of a file that holds the value. */
export const environmentNames = {
  PORT: 'port',
  HOST: 'host',
  PUBLIC_URL: 'publicUrl',
  DATABASE_URL: 'databaseUrl',
  REDIS_URL: 'redisUrl',
  DATA_DIR: 'dataDir',
  ADMIN_TOKEN: 'adminToken',
  METRICS_TOKEN: 'metricsToken',
  LOG_LEVEL: 'logLevel',
} as const;

/** One thing that is wrong: where, why, what to do. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Checks a configuration that is already in memory.
 * @throws PatchcordError `config.invalid`, its message listing every problem on a line of its own
 */
export function checkConfig(input: unknown, environment: Environment = {}): RelayConfig {
  const problems: ConfigProblem[] = [];
  const merged = withEnvironment(withSecrets(input, environment, '', problems), environment, problems);
  const result = v.safeParse(RelayConfigSchema, merged);
  const told = new Set(problems.map((problem) => problem.path));
  for (const issue of result.issues ?? []) {
    const path = v.getDotPath(issue) ?? '(the whole file)';
    // A secret that could not be read is already reported with its reason.
    if (!told.has(path)) problems.push({ path, message: messageOf(issue) });
  }
  if (result.success && problems.length === 0) return result.output;
  const lines = problems.map((problem) => `  ${problem.path}: ${problem.message}`);
  throw new PatchcordError(
    'config.invalid',
    `The configuration has ${lines.length === 1 ? 'one problem' : `${lines.length} problems`}:\n${lines.join('\n')}\n` +
      'Correct the file named by PATCHCORD_CONFIG, or the environment, and start again.',
  );
}

/**
 * Reads the file named by `PATCHCORD_CONFIG` and the environment.
 * @throws PatchcordError `config.invalid` with everything that is missing or wrong
 */
export function loadConfig(environment: Environment = process.env): RelayConfig {
  const path = environment.PATCHCORD_CONFIG;
  if (path === undefined || path === '') {
    throw new PatchcordError(
      'config.invalid',
      'No configuration: set PATCHCORD_CONFIG to the path of a JSON file. docs/guides/run-the-relay.md shows one.',
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT';
    const reason = missing
      ? 'there is no such file'
      : cause instanceof SyntaxError
        ? 'it is not JSON'
        : 'it cannot be read';
    throw new PatchcordError('config.invalid', `PATCHCORD_CONFIG: ${path}: ${reason}. Correct the path or the file.`, {
      cause,
    });
  }
  return checkConfig(json, environment);
}

function messageOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind === 'schema' && issue.type === 'strict_object' && issue.expected === 'never') {
    return 'is not a setting; check the spelling or remove it';
  }
  if (issue.received === 'undefined')
    return `is missing; set it${/^must (?:be|say)/.test(issue.message) ? `: it ${issue.message}` : ''}`;
  // valibot's own wording quotes what it received
  if (issue.message.startsWith('Invalid')) return `must be ${issue.expected ?? 'something else'}`;
  return issue.message;
}

/** Replaces `{ "env": "NAME" }` and `{ "file": "path" }` by what they point at, wherever they stand. */
function withSecrets(value: unknown, environment: Environment, path: string, problems: ConfigProblem[]): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => withSecrets(item, environment, join(path, index), problems));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined && typeof only[1] === 'string') {
    const [key, name] = only;
    if (key === 'env') {
      const found = environment[name];
      if (found !== undefined && found !== '') return found;
      problems.push({ path, message: `the environment variable ${name} is not set; set it` });
      return undefined;
    }
    if (key === 'file') return fromFile(name, path, problems);
  }
  return Object.fromEntries(
    entries.map(([key, item]) => [key, withSecrets(item, environment, join(path, key), problems)]),
  );
}

function withEnvironment(value: unknown, environment: Environment, problems: ConfigProblem[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const merged: Record<string, unknown> = { ...value };
  for (const [name, setting] of Object.entries(environmentNames)) {
    const file = environment[`${name}_FILE`];
    const given = environment[name];
    if (given !== undefined && given !== '') merged[setting] = setting === 'port' ? Number(given) : given;
    else if (file !== undefined && file !== '') merged[setting] = fromFile(file, `${name}_FILE`, problems);
  }
  return merged;
}

function fromFile(file: string, path: string, problems: ConfigProblem[]): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    problems.push({ path, message: `the file ${file} cannot be read; check that it exists and who may read it` });
    return undefined;
  }
}

function join(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`;
}
