/**
 * The command line of `npm run hubspot`: reads and checks the options and secrets, runs one command, turns failures into words and an exit code.
 * A secret comes from the environment or a file, never from the command line, and is never shown.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { contentOf, interruptible, minutes, toldFailure, UsageError } from '../command-line.ts';
import { HubSpotFailure, hubSpotApi, type Secret } from './api.ts';
import { configure, report } from './configure.ts';
import { type ApiVersion, apiVersions, wantedSettings } from './settings.ts';
import { smoke } from './smoke.ts';

export interface CommandSurroundings {
  /** Folder of the checkout. */
  readonly root: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  /** Where files for the administrator are left; the working folder when it is not given. */
  readonly folder?: string;
  /** For tests: the network. */
  readonly fetcher?: typeof fetch;
  /** For tests: how time passes. */
  readonly pause?: (ms: number) => Promise<void>;
}

const help = `npm run hubspot -- <command> [options]

configure   brings the app's calling settings at HubSpot to what Patchcord needs, says what was different, and looks for the known traps
  --app-id <digits>                    the app's id, from its page in the developer account (required)
  --url https://phone.acme.example     public origin of the relay, or the whole address of the panel's page (required)
  --api-version v3                     v3, 2026-03 or 2026-09
  --auth hapikey                       hapikey: developer API key; bearer: a developer's token
  --name Patchcord  --width 400  --height 640
  --not-ready                          hides the app from the list of providers
  --no-recordings                      leaves the address of recordings alone
  --channel <https address>            also connects the help desk's channel
  --portal-token-file <file>           also makes the relay's properties on calls, with this account's token
  --dry-run                            asks, changes nothing
smoke       asks a real account what only it knows, and writes a report; reads only
  --write                              also makes a few test calls, and deletes them
  --app-id, --auth, --api-version      with a developer key: also looks at the calling settings
  --report <file>                      where to (patchcord-hubspot-smoke.md)
  --search-minutes 2                   how long a new call may stay unfound

Both      --json prints the result for a machine; --api-url names another API host
Secrets   --secret-file <file> or HUBSPOT_DEVELOPER_API_KEY (hapikey), HUBSPOT_DEVELOPER_TOKEN (bearer): the developer's
          --portal-token-file <file> or HUBSPOT_PORTAL_TOKEN: an access token of the account

All of it may be run again.`;

const options = {
  help: { type: 'boolean', short: 'h' },
  'app-id': { type: 'string' },
  url: { type: 'string' },
  'api-version': { type: 'string' },
  'api-url': { type: 'string' },
  auth: { type: 'string' },
  'secret-file': { type: 'string' },
  'portal-token-file': { type: 'string' },
  name: { type: 'string' },
  width: { type: 'string' },
  height: { type: 'string' },
  'not-ready': { type: 'boolean' },
  'no-recordings': { type: 'boolean' },
  channel: { type: 'string' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
  write: { type: 'boolean' },
  report: { type: 'string' },
  'search-minutes': { type: 'string' },
} as const;
type Values = ReturnType<typeof parseArgs<{ readonly options: typeof options }>>['values'];

/** @returns exit code: 0 done, 1 not all of it, 2 the command line is wrong */
export async function hubspotCommand(args: readonly string[], surroundings: CommandSurroundings): Promise<number> {
  const { log } = surroundings;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [command] = positionals;
    if (values.help === true || command === undefined) {
      log(help);
      return values.help === true ? 0 : 2;
    }
    if (positionals.length > 1 || !['configure', 'smoke'].includes(command))
      throw new UsageError(`"${positionals.join(' ')}" is not a command: configure or smoke`);
    return command === 'configure' ? await runConfigure(values, surroundings) : await runSmoke(values, surroundings);
  } catch (error) {
    return toldFailure(error, { help, log, isExpected: (one) => one instanceof HubSpotFailure });
  }
}

async function runConfigure(values: Values, surroundings: CommandSurroundings): Promise<number> {
  const { root, log, fetcher = fetch } = surroundings;
  const appId = appIdOf(values);
  if (appId === undefined) throw new UsageError('--app-id is missing: the id of the app, digits');
  const panel = panelUrl(values.url);
  const secret = developerSecret(values, surroundings);
  if (secret === undefined)
    throw new UsageError(
      'The developer’s key is missing: set HUBSPOT_DEVELOPER_API_KEY or HUBSPOT_DEVELOPER_TOKEN, or give --secret-file.',
    );
  const token = portalToken(values, surroundings);
  const apiUrl = apiUrlOf(values);
  const done = await configure({
    root,
    developer: hubSpotApi({ apiUrl, secret, fetcher }),
    portal: token === undefined ? undefined : hubSpotApi({ apiUrl, secret: { kind: 'bearer', value: token }, fetcher }),
    appId,
    version: versionOf(values),
    wanted: wantedSettings({
      panelUrl: panel.href,
      name: values.name ?? 'Patchcord',
      width: pixels('width', values.width ?? '400'),
      height: pixels('height', values.height ?? '640'),
      isReady: values['not-ready'] !== true,
    }),
    recordingUrl: values['no-recordings'] === true ? null : `${panel.origin}/v1/hubspot/recordings/%s`,
    channelUrl: values.channel === undefined ? null : webAddress('--channel', values.channel).href,
    dryRun: values['dry-run'] === true,
    fetcher,
  });
  if (values.json === true) log(JSON.stringify(done, null, 2));
  else for (const line of report(done)) log(line);
  return done.traps.some(({ id, verdict }) => verdict === 'bad' && !(id === 'ready' && values['not-ready'] === true))
    ? 1
    : 0;
}

async function runSmoke(values: Values, surroundings: CommandSurroundings): Promise<number> {
  const { log, folder = process.cwd(), fetcher = fetch, pause = delay as (ms: number) => Promise<void> } = surroundings;
  const token = portalToken(values, surroundings);
  if (token === undefined)
    throw new UsageError('The account’s token is missing: set HUBSPOT_PORTAL_TOKEN or give --portal-token-file.');
  const apiUrl = apiUrlOf(values);
  const secret = developerSecret(values, surroundings);
  const asJson = values.json === true;
  const searchMinutes = minutes('--search-minutes', values['search-minutes'] ?? '2');
  const result = await interruptible((signal) =>
    smoke({
      portal: hubSpotApi({ apiUrl, secret: { kind: 'bearer', value: token }, fetcher }),
      portalToken: token,
      developer:
        secret === undefined
          ? undefined
          : { api: hubSpotApi({ apiUrl, secret, fetcher }), kind: secret.kind, version: versionOf(values) },
      appId: appIdOf(values),
      write: values.write === true,
      report: values.report ?? join(folder, 'patchcord-hubspot-smoke.md'),
      searchPatienceMs: searchMinutes * 60_000,
      pause,
      signal,
      log: asJson ? () => {} : log,
    }),
  );
  if (asJson) log(JSON.stringify(result, null, 2));
  const isGood =
    !result.stopped && result.left.length === 0 && result.findings.every(({ verdict }) => verdict !== 'bad');
  return isGood ? 0 : 1;
}

function developerSecret(values: Values, { env }: CommandSurroundings): Secret | undefined {
  const { auth } = values;
  if (auth !== undefined && auth !== 'hapikey' && auth !== 'bearer')
    throw new UsageError(`--auth "${auth}" is neither hapikey nor bearer`);
  const file = values['secret-file'];
  if (file !== undefined) return { kind: auth ?? 'hapikey', value: secretIn('--secret-file', file) };
  const [key, token] = [env.HUBSPOT_DEVELOPER_API_KEY ?? '', env.HUBSPOT_DEVELOPER_TOKEN ?? ''];
  if (auth !== 'bearer' && key !== '') return { kind: 'hapikey', value: key };
  if (auth !== 'hapikey' && token !== '') return { kind: 'bearer', value: token };
  return undefined;
}

function portalToken(values: Values, { env }: CommandSurroundings): string | undefined {
  const file = values['portal-token-file'];
  if (file !== undefined) return secretIn('--portal-token-file', file);
  return env.HUBSPOT_PORTAL_TOKEN === '' ? undefined : env.HUBSPOT_PORTAL_TOKEN;
}

/** @throws UsageError when the file can't be read or holds no secret; shows none of it */
function secretIn(option: string, path: string): string {
  const content = contentOf(option, path).trim();
  if (!/^[\x21-\x7e]{8,4000}$/.test(content))
    throw new UsageError(`${option} ${path} does not hold one key or token on one line.`);
  return content;
}

function appIdOf(values: Values): string | undefined {
  const id = values['app-id'];
  if (id !== undefined && !/^\d{1,20}$/.test(id)) throw new UsageError(`--app-id must be digits, not "${id}"`);
  return id;
}

function versionOf(values: Values): ApiVersion {
  const given = values['api-version'] ?? 'v3';
  const known = apiVersions.find((one) => one === given);
  if (known === undefined)
    throw new UsageError(`--api-version must be one of ${apiVersions.join(', ')}, not "${given}"`);
  return known;
}

function apiUrlOf(values: Values): string {
  return webAddress('--api-url', values['api-url'] ?? 'https://api.hubapi.com').origin;
}

/** The panel's page for HubSpot: an origin alone gets its path. */
function panelUrl(given: string | undefined): URL {
  if (given === undefined)
    throw new UsageError("--url is missing: the relay's public address, for instance https://phone.acme.example");
  const url = webAddress('--url', given);
  if (url.hostname === 'phone.example.com') throw new UsageError('--url is the example address; give your own');
  if (url.pathname === '/') url.pathname = '/hubspot/';
  return url;
}

/** @throws UsageError unless it is https, or this machine */
function webAddress(option: string, given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const isLocal = url?.hostname === 'localhost' || url?.hostname === '127.0.0.1';
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLocal)) || url.username !== '')
    throw new UsageError(`${option} must be an https address, not "${given.slice(0, 200)}"`);
  return url;
}

function pixels(name: string, given: string): number {
  const value = Number(given);
  if (!Number.isInteger(value) || value < 100 || value > 2_000)
    throw new UsageError(`--${name} must be a whole number of pixels, 100 to 2000`);
  return value;
}
