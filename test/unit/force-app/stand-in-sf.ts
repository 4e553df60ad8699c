/**
 * An executable that stands in for the Salesforce CLI: answers by rules a test writes, in the CLI's own JSON shapes (plugin-user, plugin-deploy-
 * retrieve, plugin-api of CLI 2.150), and keeps what it was asked. No network, no login.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StartSf } from '../../../scripts/salesforce/sf-cli.ts';

interface Rule {
  /** Words that the command holds, in this order. */
  readonly when: readonly string[];
  readonly stdout: string;
  readonly code: number;
  /** Answers only this often, then the next rule counts. */
  readonly times?: number;
}

export interface StandInSf {
  readonly command: string;
  /** The same answers without a process, for tests that ask much. */
  readonly start: StartSf;
  /** Every call so far, as its arguments. */
  calls(): readonly (readonly string[])[];
  /** Calls that hold these words. */
  callsWith(...words: string[]): readonly (readonly string[])[];
  /** The first rule that fits answers; rules given later come first. */
  on(when: readonly string[], result: unknown, more?: { readonly times?: number }): void;
  /** The CLI fails as a whole. */
  refuse(when: readonly string[], name: string, message: string, data?: unknown): void;
  /** A REST answer with `--include`. */
  rest(
    when: readonly string[],
    status: number,
    body: unknown,
    headers?: Readonly<Record<string, string>>,
    times?: number,
  ): void;
  remove(): void;
}

const script = `
const { appendFileSync, existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const args = process.argv.slice(2);
const rules = JSON.parse(readFileSync(join(__dirname, 'rules.json'), 'utf8'));
const seen = existsSync(join(__dirname, 'calls')) ? readFileSync(join(__dirname, 'calls'), 'utf8').trim().split('\\n').map((line) => JSON.parse(line)) : [];
const fits = (rule, call) => { let from = 0; return rule.when.every((word) => { const at = call.slice(from).findIndex((arg) => arg.includes(word)); if (at < 0) return false; from += at; return true; }); };
appendFileSync(join(__dirname, 'calls'), JSON.stringify(args) + '\\n');
const rule = rules.find((one) => fits(one, args) && (one.times === undefined || seen.filter((call) => fits(one, call)).length < one.times));
if (rule === undefined) { process.stdout.write(JSON.stringify({ name: 'NoRule', message: 'the test has no answer for: ' + args.join(' '), status: 1 })); process.exit(1); }
process.stdout.write(rule.stdout);
process.exitCode = rule.code;
`;

export function standInSf(): StandInSf {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-sf-'));
  const command = join(folder, 'sf');
  writeFileSync(command, `#!${process.execPath}\n${script}`);
  chmodSync(command, 0o700);
  const rules: Rule[] = [];
  const add = (rule: Rule) => {
    rules.unshift(rule);
    writeFileSync(join(folder, 'rules.json'), JSON.stringify(rules));
  };
  const inProcess: (readonly string[])[] = [];
  const calls = (): (readonly string[])[] => [...inProcess, ...spawned()];
  const spawned = (): string[][] =>
    existsSync(join(folder, 'calls'))
      ? readFileSync(join(folder, 'calls'), 'utf8')
          .trim()
          .split('\n')
          .map((line): string[] => JSON.parse(line))
      : [];
  add({ when: ['version'], stdout: JSON.stringify({ cliVersion: '@salesforce/cli/2.150.6' }), code: 0 });
  return {
    command,
    start: async (_, args) => {
      const asked = (one: Rule) => inProcess.filter((call) => fits(one, call)).length;
      const rule = rules.find((one) => fits(one, args) && (one.times === undefined || asked(one) < one.times));
      inProcess.push(args);
      if (rule === undefined) throw new Error(`the test has no answer for: ${args.join(' ')}`);
      return { stdout: rule.stdout, stderr: '' };
    },
    calls,
    callsWith: (...words) => calls().filter((call) => words.every((word) => call.some((arg) => arg.includes(word)))),
    on: (when, result, more) =>
      add({ when, stdout: JSON.stringify({ status: 0, result, warnings: [] }), code: 0, ...more }),
    refuse: (when, name, message, data) =>
      add({ when, stdout: JSON.stringify({ status: 1, name, message, exitCode: 1, data }), code: 1 }),
    rest: (when, status, body, headers = {}, times) =>
      add({
        when: ['api', 'request', 'rest', ...when],
        stdout: [
          `HTTP/1.1 ${status}`,
          ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
          body === undefined ? '' : JSON.stringify(body, null, 2),
        ].join('\n'),
        code: status >= 400 ? 1 : 0,
        ...(times === undefined ? {} : { times }),
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** As in the script above. */
function fits(rule: Rule, call: readonly string[]): boolean {
  let from = 0;
  return rule.when.every((word) => {
    const at = call.slice(from).findIndex((arg) => arg.includes(word));
    from += at;
    return at >= 0;
  });
}

/** An org with two agents, a manager and a relay user; nothing of ours is deployed, nobody has anything yet. */
export function usualOrg(sf: StandInSf): void {
  sf.on(['org', 'display'], {
    id: '00D5g000000abcdEAA',
    instanceUrl: 'https://acme.my.salesforce.com',
    username: 'admin@acme.test',
    connectedStatus: 'Connected',
  });
  sf.on(
    ['data', 'query', 'FROM Organization'],
    records([{ Id: '00D5g000000abcdEAA', Name: 'Acme', IsSandbox: false }]),
  );
  sf.on(['data', 'query', 'FROM User WHERE IsActive'], records([ada, bob, mia, relay]));
  sf.on(['data', 'query', 'FROM PermissionSetAssignment'], records([]));
  sf.on(
    ['data', 'query', 'FROM CallCenter'],
    records([{ Id: '04v000000000001AAA', AdapterUrl: 'https://phone.acme.test/salesforce/' }]),
  );
  sf.on(['data', 'query', 'FROM Certificate'], records([]));
  sf.on(
    ['data', 'query', 'FROM CspTrustedSite'],
    records([{ EndpointUrl: 'https://phone.acme.test', IsActive: true, CanAccessMicrophone: true }]),
  );
  sf.on(['data', 'query', 'FROM EntityDefinition'], records([]));
  sf.on(['project', 'deploy', 'start'], { success: true, status: 'Succeeded', id: '0Af000000000001AAA' });
  sf.on(['org', 'assign', 'permset'], { successes: [], failures: [] });
  sf.rest(['sobjects/User/', '--method', 'PATCH'], 204, undefined);
}

/** The org has the source already, with this sharing of the object. */
export function installedOrg(sf: StandInSf, internal: string, external: string | null): void {
  const row = { QualifiedApiName: 'Patchcord_Call__c', InternalSharingModel: internal, ExternalSharingModel: external };
  sf.on(['data', 'query', 'FROM EntityDefinition', '--use-tooling-api'], records([row]));
}

const user = (id: string, name: string) => ({
  Id: `005000000000${id}AAA`,
  Username: `${name}@acme.test`,
  Name: name,
  CallCenterId: null,
});
export const ada = user('001', 'ada');
export const bob = user('002', 'bob');
export const mia = user('003', 'mia');
export const relay = user('004', 'relay');

export function records(list: readonly unknown[]): unknown {
  return { records: list, totalSize: list.length, done: true };
}
