import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { salesforceCommand } from '../../../scripts/salesforce/command.ts';
import { prepareSource } from '../../../scripts/salesforce/deployment.ts';
import { filesBelow } from '../../../scripts/salesforce/metadata-xml.ts';
import { ada, bob, records, type StandInSf, standInSf, usualOrg } from './stand-in-sf.ts';

const root = resolve(import.meta.dirname, '../../..');
let sf: StandInSf;
let lines: string[];
beforeEach(() => {
  sf = standInSf();
  lines = [];
  usualOrg(sf);
});
afterEach(() => sf.remove());

const run = (...args: string[]) =>
  salesforceCommand([...args, '--sf', sf.command], { root, log: (line) => lines.push(line) });
const install = (...more: string[]) =>
  run('install', '--target-org', 'acme', '--relay', 'https://phone.acme.test', ...more);
const told = () => lines.join('\n');
const refusedDeployment = (problems: readonly object[], tests: readonly object[] = []) => ({
  success: false,
  status: 'Failed',
  details: { componentFailures: problems, runTestResult: { numFailures: tests.length, failures: tests } },
});

test('an installation deploys with every Apex test, assigns, and tells the configuration of the relay', async () => {
  const people = ['--agents', 'ada@acme.test,bob@acme.test', '--managers', 'mia@acme.test'];
  expect(await install(...people, '--relay-user', 'relay@acme.test')).toBe(0);

  const [deployment] = sf.callsWith('project', 'deploy', 'start');
  expect(deployment).toEqual(
    expect.arrayContaining(['RunSpecifiedTests', 'PatchcordIdentityTest', '--target-org', 'acme']),
  );
  expect(deployment).not.toContain('--dry-run');
  const assigned = sf
    .callsWith('org', 'assign', 'permset')
    .map((call) => call.filter((arg) => /^Patchcord|@/.test(arg)));
  expect(assigned).toEqual([
    ['Patchcord_Agent', 'ada@acme.test', 'bob@acme.test'],
    ['Patchcord_Manager', 'mia@acme.test'],
    ['Patchcord_Relay', 'relay@acme.test'],
  ]);
  const joined = sf.callsWith('sobjects/User/', 'PATCH');
  expect(joined.map((call) => call[3])).toEqual([ada, bob].map(({ Id }) => `/services/data/v66.0/sobjects/User/${Id}`));
  expect(joined[0]).toContain('{"CallCenterId":"04v000000000001AAA"}');
  expect(told()).toContain('"orgId": "00D5g000000abcdEAA"');
  expect(told()).toContain('"https://acme.lightning.force.com"');
  expect(told()).toContain(`"crmUserId": "${ada.Id}"`);
  expect(told()).toContain('[ ] Setup > Certificate and Key Management');
  expect(told()).toContain('[x] Trusted URL https://phone.acme.test');
});

test('run again, it assigns only what is missing', async () => {
  sf.on(
    ['data', 'query', 'FROM PermissionSetAssignment'],
    records([
      {
        Id: '0Pa1',
        AssigneeId: ada.Id,
        Assignee: { Username: ada.Username },
        PermissionSet: { Name: 'Patchcord_Agent' },
      },
    ]),
  );
  sf.on(['data', 'query', 'FROM User WHERE IsActive'], records([{ ...ada, CallCenterId: '04v000000000001AAA' }, bob]));
  expect(await install('--agents', 'ada@acme.test bob@acme.test')).toBe(0);
  expect(sf.callsWith('org', 'assign', 'permset')).toHaveLength(1);
  expect(sf.callsWith('org', 'assign', 'permset')[0]).not.toContain('ada@acme.test');
  expect(sf.callsWith('sobjects/User/')).toHaveLength(1);
});

test('a CLI that is not signed in to the org is told how to sign in, and nothing is tried', async () => {
  sf.refuse(['org', 'display'], 'NamedOrgNotFoundError', 'No authorization information found for acme.');
  expect(await install('--agents', 'ada@acme.test')).toBe(1);
  expect(told()).toContain('sf org login web --alias acme');
  expect(sf.callsWith('project')).toEqual([]);
});

test('a CLI that is not there is told how to get it', async () => {
  const code = await salesforceCommand(['uninstall', '--target-org', 'acme', '--sf', join(tmpdir(), 'no-such-sf')], {
    root,
    log: (line) => lines.push(line),
  });
  expect(code).toBe(1);
  expect(told()).toContain('The Salesforce CLI did not start. Install it');
});

test('a CLI that answers no JSON is named with what it said', async () => {
  writeFileSync(sf.command, `#!${process.execPath}\nconsole.log('Segmentation fault');\n`);
  expect(await install()).toBe(1);
  expect(told()).toContain('answered no JSON: Segmentation fault');
});

test('an agent the org does not know stops it before anything is deployed', async () => {
  expect(await install('--agents', 'ada@acme.test,eve@acme.test')).toBe(1);
  expect(told()).toContain('No active user of the org has this user name: eve@acme.test');
  expect(sf.callsWith('project')).toEqual([]);
});

test('a part the org refuses is told with what to do, and the rest gets there', async () => {
  const problem = {
    componentType: 'FlexiPage',
    fullName: 'Patchcord_UtilityBar',
    problem: "Component 'opencti:softPhone' isn't available.",
    lineNumber: 34,
  };
  sf.refuse(['project', 'deploy', 'start'], 'DeployFailed', 'Deploy failed.', refusedDeployment([problem]));
  sf.on(['project', 'deploy', 'start', 'main/default/'], { success: true });
  sf.refuse(
    ['project', 'deploy', 'start', 'flexipages/Patchcord_UtilityBar'],
    'DeployFailed',
    'Deploy failed.',
    refusedDeployment([problem]),
  );
  expect(await install('--agents', 'ada@acme.test')).toBe(1);
  expect(told()).toContain("FlexiPage Patchcord_UtilityBar:34: Component 'opencti:softPhone' isn't available.");
  expect(told()).toContain('✘ apps and utility bars');
  expect(told()).toContain('✔ reports');
  expect(told()).toContain('by hand, for apps and utility bars: Setup > App Manager');
  expect(sf.callsWith('org', 'assign', 'permset', 'Patchcord_Agent')).toHaveLength(1);
  expect(sf.callsWith('project', 'deploy', 'start')).toHaveLength(6);
});

test('a failing Apex test ends it: without the classes there is no phone', async () => {
  const failure = {
    name: 'PatchcordIdentityTest',
    methodName: 'signs',
    message: 'System.AssertException: Assertion Failed',
  };
  sf.on(['project', 'deploy', 'start'], refusedDeployment([], [failure]));
  expect(await install('--agents', 'ada@acme.test')).toBe(1);
  expect(told()).toContain('test PatchcordIdentityTest.signs: System.AssertException: Assertion Failed');
  expect(told()).toContain('without this part there is no phone');
  expect(sf.callsWith('org', 'assign')).toEqual([]);
});

test('in the first part the permission sets name no app, afterwards they do', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'patchcord-scratch-'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(scratch, { recursive: true });
  });
  vi.stubEnv('TMPDIR', scratch);
  sf.refuse(['project', 'deploy', 'start'], 'DeployFailed', 'no', refusedDeployment([]));
  sf.on(['project', 'deploy', 'start', 'main/default/'], { success: true });
  // The stand-in looks at the permission set when the first part is deployed.
  const look = `const at = process.argv.find((arg) => arg.endsWith('default/permissionsets')); if (at) require('node:fs').appendFileSync(require('node:path').join(__dirname, 'apps'), String(require('node:fs').readFileSync(at + '/Patchcord_Agent.permissionset-meta.xml', 'utf8').includes('applicationVisibilities')) + ' ');\n`;
  const [first = '', ...rest] = readFileSync(sf.command, 'utf8').split('\n');
  writeFileSync(sf.command, [first, look, ...rest].join('\n'));
  expect(await install()).toBe(0);
  expect(readFileSync(join(sf.command, '..', 'apps'), 'utf8')).toBe('false true ');
  expect(readdirSync(scratch)).toEqual([]);
});

test('who can not be given a permission set is named, everybody else gets it', async () => {
  sf.on(['org', 'assign', 'permset', 'Patchcord_Agent'], {
    successes: [{ name: 'ada@acme.test', value: 'Patchcord_Agent' }],
    failures: [{ name: 'bob@acme.test', message: 'The user license doesn’t allow the permission: Edit Tasks' }],
  });
  expect(await install('--agents', 'ada@acme.test,bob@acme.test')).toBe(1);
  expect(told()).toContain('✘ bob@acme.test: The user license doesn’t allow the permission: Edit Tasks');
  expect(told()).toContain('give the user another licence');
  expect(told()).toContain('run the same command again');
  expect(sf.callsWith('sobjects/User/')).toHaveLength(2);
});

test('an agent of another call centre stays there until that is asked for', async () => {
  sf.on(['data', 'query', 'FROM User WHERE IsActive'], records([{ ...ada, CallCenterId: '04v000000000099AAA' }]));
  expect(await install('--agents', 'ada@acme.test')).toBe(1);
  expect(told()).toContain('ada@acme.test is in another call centre');
  expect(sf.callsWith('sobjects/User/')).toEqual([]);
  expect(await install('--agents', 'ada@acme.test', '--replace-call-center')).toBe(0);
  expect(sf.callsWith('sobjects/User/')).toHaveLength(1);
});

test('a trial deploys as a trial and changes nobody', async () => {
  expect(await install('--agents', 'ada@acme.test', '--dry-run')).toBe(0);
  expect(sf.callsWith('project', 'deploy', 'start')[0]).toContain('--dry-run');
  expect(sf.callsWith('org', 'assign')).toEqual([]);
  expect(sf.callsWith('PATCH')).toEqual([]);
  expect(told()).toContain('Patchcord_Agent: 1 to assign');
  expect(told()).toContain('A trial: nothing was changed.');
});

test('the copy that is deployed names the relay and its organisation, the checkout keeps the example', () => {
  const copy = prepareSource(root, 'https://phone.acme.test', 'north');
  try {
    const texts = filesBelow(join(copy.folder, 'force-app'))
      .filter((path) => path.endsWith('.xml'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    expect(texts).not.toContain('phone.example.com');
    expect(texts.match(/https:\/\/phone\.acme\.test\/t\/north\/salesforce\/</g)).toHaveLength(3);
    expect(texts).toContain('<endpointUrl>https://phone.acme.test</endpointUrl>');
  } finally {
    copy.remove();
  }
  expect(existsSync(copy.folder)).toBe(false);
  expect(readFileSync(join(root, 'force-app/import/patchcord-call-center.xml'), 'utf8')).toContain('phone.example.com');
});

test('agents come from a file as well, with comments and any separator', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-agents-'));
  writeFileSync(join(folder, 'agents'), '# sales\nada@acme.test; bob@acme.test\n\nada@acme.test # twice\n');
  expect(await install('--agents-file', join(folder, 'agents'))).toBe(0);
  expect(sf.callsWith('org', 'assign', 'permset', 'ada@acme.test', 'bob@acme.test')).toHaveLength(1);
  rmSync(folder, { recursive: true });
});

test.each([
  [['install', '--target-org', 'acme'], '--relay is missing'],
  [['install', '--relay', 'https://phone.acme.test'], '--target-org is missing'],
  [['install', '--target-org', 'acme', '--relay', 'http://phone.acme.test'], 'must be an https address'],
  [['install', '--target-org', 'acme', '--relay', 'https://phone.acme.test/salesforce'], 'without a path'],
  [['install', '--target-org', 'acme', '--relay', 'https://phone.example.com'], 'the example address'],
  [
    ['install', '--target-org', 'acme', '--relay', 'https://a.test', '--agents', "x' OR Name LIKE '%"],
    'is not a user name',
  ],
  [['smoke', '--target-org', 'acme', '--client-id', 'x'], 'belong together'],
  [['remove', '--target-org', 'acme'], 'is not a command'],
  [['install', '--target', 'acme'], "Unknown option '--target'"],
])('a wrong command line says so and asks the org nothing: %j', async (args, expected) => {
  expect(await run(...args)).toBe(2);
  expect(told()).toContain(expected);
  expect(sf.calls()).toEqual([]);
});

test('uninstall shows who has the phone, and takes it from them only when told', async () => {
  sf.on(
    ['data', 'query', 'FROM PermissionSetAssignment'],
    records([
      {
        Id: '0Pa000000000001',
        AssigneeId: ada.Id,
        Assignee: { Username: ada.Username },
        PermissionSet: { Name: 'Patchcord_Agent' },
      },
    ]),
  );
  sf.on(['data', 'query', 'FROM User WHERE CallCenterId'], records([ada]));
  sf.rest(['sobjects/PermissionSetAssignment/', '--method', 'DELETE'], 204, undefined);
  expect(await run('uninstall', '--target-org', 'acme')).toBe(0);
  expect(told()).toContain('Patchcord_Agent: 1 users');
  expect(sf.callsWith('api')).toEqual([]);
  expect(await run('uninstall', '--target-org', 'acme', '--yes')).toBe(0);
  expect(sf.callsWith('sobjects/PermissionSetAssignment/0Pa000000000001', 'DELETE')).toHaveLength(1);
  expect(sf.callsWith(`sobjects/User/${ada.Id}`, '{"CallCenterId":null}')).toHaveLength(1);
});
