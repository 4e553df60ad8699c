/**
 * The command line of `npm run salesforce`: reads and checks the options, builds the CLI, runs one command, turns failures into words and an exit
 * code. Knows no org.
 */
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { contentOf, interruptible, minutes, toldFailure, UsageError } from '../command-line.ts';
import { install } from './install.ts';
import { createSf, OrgFailure, type StartSf, startedApart } from './sf-cli.ts';
import { smoke } from './smoke.ts';
import { uninstall } from './uninstall.ts';

export interface CommandSurroundings {
  /** Folder of the checkout. */
  readonly root: string;
  /** Where files for the administrator are left; the working folder when it is not given. */
  readonly folder?: string;
  readonly log: (line: string) => void;
  /** For tests: the network. */
  readonly fetcher?: typeof fetch;
  /** For tests: how the CLI is run. */
  readonly start?: StartSf;
}

const help = `npm run salesforce -- <command> --target-org <alias> [options]

install     deploys the source with your relay's address, assigns permission sets and the call centre, says what is left to do
  --relay https://phone.acme.example   public origin of the relay (required)
  --tenant <id>                        its organisation on the relay, when it has several
  --agents a@x,b@y                     user names of agents; or --agents-file <file>, one a line
  --managers a@x  --admins a@x         who sees the board and reports; who may check the set-up
  --relay-user patchcord@x             the integration user
  --replace-call-center                takes agents out of another call centre
  --people-only                        deploys nothing: people, call centre and what is left to do
  --dry-run                            tries the deployment, changes nothing
smoke       answers what only an org knows, cleans up, writes a report
  --report <file>                      where to (patchcord-smoke.md)
  --client-id, --key-file, --agent     also tries the relay's sign-in as this agent; --login-url for a sandbox
  --search-minutes 5                   how long a new contact may stay unfound
uninstall   shows who uses the phone; writes a project that would delete the metadata and the calls, and never runs it
  --yes                                takes permission sets and call centre from them

All of it may be run again. install writes the whole source again (it says what that overwrites) unless you say --people-only. --sf <path> names another Salesforce CLI than "sf".
Sign in first: sf org login web --alias <alias>`;

const options = {
  help: { type: 'boolean', short: 'h' },
  'target-org': { type: 'string', short: 'o' },
  sf: { type: 'string' },
  relay: { type: 'string' },
  tenant: { type: 'string' },
  agents: { type: 'string', multiple: true },
  'agents-file': { type: 'string' },
  managers: { type: 'string', multiple: true },
  admins: { type: 'string', multiple: true },
  'relay-user': { type: 'string' },
  'replace-call-center': { type: 'boolean' },
  'people-only': { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  report: { type: 'string' },
  'client-id': { type: 'string' },
  'key-file': { type: 'string' },
  agent: { type: 'string' },
  'login-url': { type: 'string' },
  'search-minutes': { type: 'string' },
  yes: { type: 'boolean' },
} as const;

/** @returns exit code: 0 done, 1 not all of it, 2 the command line is wrong */
export async function salesforceCommand(
  args: readonly string[],
  { root, folder = process.cwd(), log, fetcher, start }: CommandSurroundings,
): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [command] = positionals;
    if (values.help === true || command === undefined) {
      log(help);
      return values.help === true ? 0 : 2;
    }
    if (positionals.length > 1 || !['install', 'smoke', 'uninstall'].includes(command))
      throw new UsageError(`"${positionals.join(' ')}" is not a command: install, smoke or uninstall`);
    const targetOrg = values['target-org'];
    if (targetOrg === undefined) throw new UsageError('--target-org is missing: the alias you signed in with');
    const sf = createSf(values.sf ?? 'sf', targetOrg, start ?? (command === 'smoke' ? startedApart : undefined));
    if (command === 'uninstall') {
      const good = await uninstall(sf, { root, targetOrg, yes: values.yes === true, folder, log });
      return good ? 0 : 1;
    }
    if (command === 'smoke') {
      const given = {
        targetOrg,
        report: values.report ?? join(folder, 'patchcord-smoke.md'),
        jwt: jwtOptions(values),
        searchPatienceMs: minutes('--search-minutes', values['search-minutes'] ?? '5') * 60_000,
        searchPauseMs: 10_000,
        ...(fetcher === undefined ? {} : { fetcher }),
        log,
      };
      const good = await interruptible((signal) => smoke(sf, { ...given, signal }));
      return good ? 0 : 1;
    }
    const file = values['agents-file'];
    const good = await install(sf, {
      root,
      targetOrg,
      relay: relayOrigin(values.relay),
      tenant: tenantId(values.tenant),
      agents: [...names(values.agents), ...(file === undefined ? [] : names([contentOf('--agents-file', file)]))],
      managers: names(values.managers),
      admins: names(values.admins),
      relayUser: names([values['relay-user'] ?? ''])[0],
      dryRun: values['dry-run'] === true,
      peopleOnly: values['people-only'] === true,
      folder,
      replaceCallCenter: values['replace-call-center'] === true,
      log,
    });
    return good ? 0 : 1;
  } catch (error) {
    return toldFailure(error, { help, log, isExpected: (one) => one instanceof OrgFailure });
  }
}

type Values = ReturnType<typeof parseArgs<{ readonly options: typeof options }>>['values'];

function jwtOptions(values: Values) {
  const { 'client-id': clientId, 'key-file': keyFile, agent: username, 'login-url': loginUrl } = values;
  const given = [clientId, keyFile, username].filter((value) => value !== undefined);
  if (given.length === 0) return undefined;
  if (clientId === undefined || keyFile === undefined || username === undefined)
    throw new UsageError('--client-id, --key-file and --agent belong together');
  const privateKeyPem = rsaKey(keyFile, contentOf('--key-file', keyFile));
  return { clientId, privateKeyPem, username, loginUrl: loginUrl ?? 'https://login.salesforce.com' };
}

/** @throws UsageError unless it is the key that signs; never shows any of it */
function rsaKey(path: string, pem: string): string {
  const type = () => {
    try {
      return createPrivateKey(pem).asymmetricKeyType;
    } catch {
      return undefined;
    }
  };
  if (type() !== 'rsa')
    throw new UsageError(
      `--key-file ${path} holds no unencrypted RSA private key in PEM. Give the relay's salesforce.key, not its certificate.`,
    );
  return pem;
}

/** @throws UsageError unless it is an https origin that is not the example */
function relayOrigin(given: string | undefined): string {
  if (given === undefined)
    throw new UsageError("--relay is missing: the relay's public address, for instance https://phone.acme.example");
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw new UsageError(`--relay must be an https address without a path, not "${given}"`);
  if (url.hostname === 'phone.example.com') throw new UsageError('--relay is the example address; give your own');
  return url.origin;
}

function tenantId(given: string | undefined): string | undefined {
  if (given !== undefined && !/^[\w-]{1,64}$/.test(given)) throw new UsageError(`--tenant "${given}" is not an id`);
  return given;
}

/** User names, however they are separated; `#` begins a comment in a file. */
function names(given: readonly string[] | undefined): readonly string[] {
  const all = (given ?? [])
    .flatMap((text) => text.replace(/#.*$/gm, '').split(/[\s,;]+/))
    .filter((name) => name !== '');
  for (const name of all)
    if (!/^[^\s'"\\@]+@[^\s'"\\@]+$/.test(name))
      throw new UsageError(`"${name}" is not a user name (they look like an e-mail address)`);
  return [...new Map(all.map((name) => [name.toLowerCase(), name])).values()];
}
