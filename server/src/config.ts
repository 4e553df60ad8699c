/**
 * The relay's configuration: one schema over one JSON file and the environment, read once. Owns every name an operator may set, and the
 * report of everything that is wrong with it at once. Must never print a value: only names, reasons and what to do.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { AgentIdSchema, PatchcordError, TenantIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';

const text = (what: string) => v.pipe(v.string(`must be text: ${what}`), v.minLength(1, `must not be empty: ${what}`));

const url = (what: string, ...protocols: string[]) =>
  v.pipe(
    text(what),
    v.check(
      (value) => {
        const parsed = URL.canParse(value) ? new URL(value) : null;
        return parsed !== null && protocols.includes(parsed.protocol);
      },
      `must be a URL with ${protocols.join(' or ')}: ${what}`,
    ),
    v.check(
      (value) => !URL.canParse(value) || (new URL(value).username === '' && new URL(value).password === ''),
      'must not carry a user name or password',
    ),
  );

/** An address, a network in CIDR, or one of express's names for private networks. */
function isNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const size = isIP(address) === 6 ? 128 : 32;
  return (
    isIP(address) !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= size))
  );
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);
const encryptedUnlessLoopback = v.check<string, string>((value) => {
  if (!URL.canParse(value)) return true;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || protocol === 'wss:' || loopbackNames.has(hostname) || hostname.endsWith('.localhost');
}, 'must be encrypted (https: or wss:) unless it stays on this machine');

const secret = (what: string, least = 24) =>
  v.pipe(
    text(`${what}, as text, { "env": "NAME" } or { "file": "path" }`),
    v.minLength(
      least,
      `is too short: ${what} needs at least ${least} characters of randomness, for instance from "openssl rand -base64 36"`,
    ),
  );

const givenSecret = (what: string) => text(`${what}, as text, { "env": "NAME" } or { "file": "path" }`);

/** An exact origin, or `https://*.example.com` where a CRM hands out one host name per customer. */
const hostOrigin = v.pipe(
  text('the origin of the CRM page, for instance "https://acme.lightning.force.com"'),
  v.check(
    (value) =>
      /^https?:\/\/(?:\*\.)?[a-z0-9.-]+(?::\d+)?$/i.test(value) &&
      (!value.includes('*') || value.startsWith('https://*.')),
    'must be an origin without a path, like "https://acme.lightning.force.com", or "https://*.hubspot.com" for all its subdomains',
  ),
  encryptedUnlessLoopback,
);

const CrmSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('salesforce'),
      loginUrl: v.pipe(
        url('where tokens come from, "https://login.salesforce.com" or your My Domain', 'https:', 'http:'),
        encryptedUnlessLoopback,
      ),
      clientId: text('the consumer key of the connected app'),
      privateKey: givenSecret('the private key (PEM) whose certificate the connected app holds'),
      username: text('the integration user'),
      /** Where agents open the org; absent: what the org says at sign-in. */
      instanceUrl: v.exactOptional(
        v.pipe(url('where agents open the org', 'https:', 'http:'), encryptedUnlessLoopback),
      ),
      /** IANA zone in which the day of a call is counted. */
      timeZone: v.exactOptional(text('an IANA time zone, for instance "Europe/Berlin"')),
      orgId: v.pipe(
        text('the organisation id'),
        v.regex(
          /^00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$/,
          'must be an organisation id: "00D" and 12 or 15 letters and digits',
        ),
      ),
      assertionPublicKey: v.pipe(
        givenSecret('the certificate or public key (PEM) that Apex signs agent assertions with'),
        v.startsWith('-----BEGIN', 'must be PEM: it starts with "-----BEGIN"'),
      ),
    }),
    v.strictObject({
      kind: v.literal('hubspot'),
      apiUrl: v.optional(
        v.pipe(url('the API host', 'https:', 'http:'), encryptedUnlessLoopback),
        'https://api.hubapi.com',
      ),
      portalId: v.pipe(
        v.union([v.string(), v.number()], 'must be the portal (hub) id'),
        v.transform(String),
        v.regex(/^\d+$/, 'must be digits: the portal (hub) id'),
      ),
      /** Where agents open HubSpot. */
      uiUrl: v.exactOptional(v.pipe(url('where agents open HubSpot', 'https:', 'http:'), encryptedUnlessLoopback)),
      appId: v.pipe(
        v.union([v.string(), v.number()], 'must be the app id'),
        v.transform(String),
        v.regex(/^\d+$/, 'must be digits: the app id'),
      ),
      clientId: text('the client id of the app'),
      clientSecret: givenSecret('the client secret of the app'),
      refreshToken: givenSecret('the refresh token of the installation'),
    }),
    v.strictObject({
      kind: v.literal('memory'),
      /** People that a look-up finds, for trying the relay without a CRM. */
      records: v.optional(
        v.array(
          v.strictObject({
            object: text('what it is, for instance "Contact"'),
            id: text('its id'),
            name: text('its name'),
            detail: v.exactOptional(v.string()),
            numbers: v.array(text('a number')),
          }),
        ),
        [],
      ),
    }),
  ],
  'must say its "kind": "salesforce", "hubspot" or "memory"',
);

const SipSchema = v.strictObject({
  domain: text('the SIP domain'),
  servers: v.pipe(
    v.array(v.pipe(url('a SIP over WebSocket server', 'wss:', 'ws:'), encryptedUnlessLoopback)),
    v.minLength(1, 'needs at least one WebSocket server, best first'),
  ),
  registerSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(3_600)), 120),
  candidates: v.optional(
    v.picklist(['first-host', 'full'], 'must be "first-host" (the edge relays media) or "full"'),
    'first-host',
  ),
  credential: v.strictObject({
    kind: v.literal('kamailio-ephemeral', 'must be "kamailio-ephemeral", the only scheme so far'),
    secret: secret('the secret shared with the SIP edge'),
    algorithm: v.optional(v.literal('sha256', 'must be "sha256"'), 'sha256'),
    ttlSeconds: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(30, 'must be 30 at least'),
        v.maxValue(3_600, 'must be 3600 at most: short-lived is the point'),
      ),
      600,
    ),
  }),
  revocation: v.optional(
    v.strictObject({
      kamailioRpcUrl: url("the edge's control port, for instance http://127.0.0.1:8090/RPC", 'https:', 'http:'),
      /** Sent as the `Authorization` header, as the edge expects it. */
      kamailioRpcToken: v.optional(givenSecret('what the control port wants in its Authorization header')),
    }),
  ),
});

const TurnSchema = v.strictObject({
  urls: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.regex(/^turns?:[^/]+$/, 'must be a TURN URL like "turns:turn.example.com:443?transport=tcp"'),
      ),
    ),
    v.minLength(1, 'needs at least one TURN URL'),
  ),
  secret: secret('the static-auth-secret of the TURN server'),
  ttlSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(86_400)), 600),
});

const webhookSecret = v.pipe(
  givenSecret('the signing secret'),
  v.regex(
    /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/,
    'must be a Standard Webhooks secret: "whsec_" and at least 24 bytes in base64',
  ),
);

const AgentSchema = v.strictObject({
  id: AgentIdSchema,
  name: text("the agent's name"),
  extension: v.pipe(
    text('the extension'),
    v.regex(/^[A-Za-z0-9._~!$&'()*+,;=-]{1,64}$/, 'must be a SIP user name without ":", "@" or spaces'),
  ),
  crmUserId: text('who the agent is in the CRM: a Salesforce user id (005…) or a HubSpot user id'),
  email: v.optional(v.string()),
});

const unique = <T>(key: (item: T) => string, what: string) =>
  v.check<T[], string>(
    (items) => new Set(items.map(key)).size === items.length,
    `has two entries with the same ${what}`,
  );

const country = v.pipe(
  v.string(),
  v.regex(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166-1 alpha-2), for instance "US"'),
);

const TenantSchema = v.strictObject({
  id: TenantIdSchema,
  name: text('what people call this customer'),
  /** Country of a number typed without a country code. */
  country,
  /** Further countries whose number formats the phone should know. */
  countries: v.optional(v.array(country), []),
  hostOrigins: v.pipe(v.array(hostOrigin), v.minLength(1, 'needs the origin of the page that may frame the phone')),
  crm: CrmSchema,
  sip: SipSchema,
  turn: v.optional(TurnSchema),
  iceTransportPolicy: v.optional(v.picklist(['all', 'relay']), 'all'),
  dispositions: v.optional(
    v.array(v.strictObject({ value: text('what the CRM stores'), label: text('what the agent reads') })),
    [],
  ),
  dispositionRequired: v.optional(v.boolean(), false),
  screenPop: v.optional(v.picklist(['ring', 'answer', 'never'], 'must be "ring", "answer" or "never"'), 'ring'),
  webhooks: v.optional(
    v.array(
      v.strictObject({
        url: v.pipe(url('where events go', 'https:', 'http:'), encryptedUnlessLoopback),
        secret: webhookSecret,
        /** While a secret is being changed: events carry a signature of each. */
        previousSecret: v.optional(webhookSecret),
        /** Event names to send, all when absent. */
        events: v.optional(v.array(v.string())),
      }),
    ),
    [],
  ),
  agents: v.pipe(
    v.array(AgentSchema),
    unique((agent) => agent.id, 'id'),
    unique((agent) => agent.extension, 'extension'),
    unique((agent) => agent.crmUserId, 'crmUserId'),
  ),
});

const ms = (least: number, most: number) =>
  v.pipe(v.number('must be a number of milliseconds'), v.integer(), v.minValue(least), v.maxValue(most));

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
  dataDir: v.optional(text('a folder for the database'), '.patchcord'),
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
  ),
});

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
