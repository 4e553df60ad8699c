import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { salesforceCommand } from '../../../scripts/salesforce/command.ts';
import { prepareSource } from '../../../scripts/salesforce/deployment.ts';
import { filesBelow, parseXmlFile, sourceFiles, textOf, textsOf } from '../../../scripts/salesforce/metadata-xml.ts';
import { ada, bob, installedOrg, mia, records, type StandInSf, standInSf, usualOrg } from './stand-in-sf.ts';

const root = resolve(import.meta.dirname, '../../..');
let sf: StandInSf;
let lines: string[];
let left: string;
beforeEach(() => {
  sf = standInSf();
  lines = [];
  left = mkdtempSync(join(tmpdir(), 'patchcord-left-'));
  usualOrg(sf);
});
afterEach(() => {
  sf.remove();
  rmSync(left, { recursive: true });
});

const surroundings = () => ({ root, folder: left, log: (line: string) => lines.push(line) });
/** With a real process for each question; for tests that change the stand-in's own script, and for what only a process shows. */
const runSpawned = (...args: string[]) => salesforceCommand([...args, '--sf', sf.command], surroundings());
const run = (...args: string[]) => salesforceCommand(args, { ...surroundings(), start: sf.start });
const toAcme = ['install', '--target-org', 'acme', '--relay', 'https://phone.acme.test'];
const install = (...more: string[]) => run(...toAcme, ...more);
const installSpawned = (...more: string[]) => runSpawned(...toAcme, ...more);
const told = () => lines.join('\n');
const refusedDeployment = (problems: readonly object[], tests: readonly object[] = []) => ({
  success: false,
  status: 'Failed',
  details: { componentFailures: problems, runTestResult: { numFailures: tests.length, failures: tests } },
});

test('an installation deploys with every Apex test, assigns, and tells the configuration of the relay', async () => {
  const people = ['--agents', 'ada@acme.test,bob@acme.test', '--managers', 'mia@acme.test'];
  expect(await installSpawned(...people, '--relay-user', 'relay@acme.test')).toBe(0);

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
  expect(deployment).toContain('--ignore-conflicts');
  expect(told()).not.toContain("back to the source's state");
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
  expect(await installSpawned()).toBe(1);
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
  expect(await installSpawned()).toBe(0);
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

test('in a trial each part is sent with those it builds on, and with the tests of their classes', async () => {
  sf.refuse(['project', 'deploy', 'start'], 'DeployFailed', 'no', refusedDeployment([]));
  sf.on(['project', 'deploy', 'start', 'main/default/'], { success: true });
  expect(await install('--dry-run')).toBe(0);
  const sent = sf.callsWith('project', 'deploy', 'start').slice(1);
  const holds = (call: readonly string[], path: string) => call.some((arg) => arg.includes(`main/default/${path}`));
  expect(sent.every((call) => call.includes('--dry-run'))).toBe(true);
  expect(
    sent.map((call) => (['classes', 'applications', 'reports'] as const).filter((path) => holds(call, path))),
  ).toEqual([['classes'], [], ['classes', 'applications'], [], ['classes', 'reports']]);
  expect(sent.map((call) => call.includes('RunSpecifiedTests'))).toEqual([true, false, true, false, true]);
});

test('part by part, all of the source gets there, and nothing of it twice but the permission sets', async () => {
  sf.refuse(['project', 'deploy', 'start'], 'DeployFailed', 'no', refusedDeployment([]));
  sf.on(['project', 'deploy', 'start', 'main/default/'], { success: true });
  expect(await install()).toBe(0);
  const sent = sf
    .callsWith('project', 'deploy', 'start')
    .slice(1)
    .flatMap((call) => call.flatMap((arg) => /main\/default\/.*/.exec(arg) ?? []));
  const times = sourceFiles(root).map((file) => {
    const path = file.slice(file.indexOf('main/default/'));
    return [path, sent.filter((one) => path === one || path.startsWith(`${one}/`)).length] as const;
  });
  expect(times.filter(([path, count]) => count !== (path.includes('/permissionsets/') ? 2 : 1))).toEqual([]);
});

test.each([
  ['ReadWrite', 'Private'],
  ['Private', null],
])(
  'an org that has the object keeps its sharing (%s, %s) and is told what else is overwritten',
  async (internal, external) => {
    installedOrg(sf, internal, external);
    // The stand-in keeps the object as it is deployed.
    const look = `const at = process.argv.find((arg) => arg.endsWith('force-app/main')); if (at) require('node:fs').copyFileSync(at + '/default/objects/Patchcord_Call__c/Patchcord_Call__c.object-meta.xml', require('node:path').join(__dirname, 'object.xml'));\n`;
    const [first = '', ...rest] = readFileSync(sf.command, 'utf8').split('\n');
    writeFileSync(sf.command, [first, look, ...rest].join('\n'));
    expect(await installSpawned('--dry-run')).toBe(0);
    const deployed = parseXmlFile(join(sf.command, '..', 'object.xml'));
    expect(textsOf(deployed, 'sharingModel')).toEqual([internal]);
    expect(textsOf(deployed, 'externalSharingModel')).toEqual(external === null ? [] : [external]);
    expect(textOf(deployed, 'label')).toBe('Patchcord Call');
    expect(told()).toContain(`stays: ${internal} inside, ${external ?? 'no default'} outside`);
    for (const words of [
      'list views: All, Missed_This_Week',
      'page layout: Patchcord Call Layout',
      'reports: Calls_per',
      'call centre',
    ])
      expect(told()).toContain(words);
  },
);

test('an org that hides the sharing of its object is not deployed to', async () => {
  installedOrg(sf, '', null);
  expect(await install('--agents', 'ada@acme.test')).toBe(1);
  expect(told()).toContain('does not tell its sharing');
  expect(sf.callsWith('project')).toEqual([]);
  expect(sf.callsWith('org', 'assign')).toEqual([]);
});

test('for people only nothing is deployed; they get permission set and call centre', async () => {
  installedOrg(sf, 'Private', 'Private');
  expect(await install('--agents', 'ada@acme.test', '--people-only')).toBe(0);
  expect(sf.callsWith('project')).toEqual([]);
  expect(sf.callsWith('org', 'assign', 'permset', 'ada@acme.test')).toHaveLength(1);
  expect(sf.callsWith('sobjects/User/', 'PATCH')).toHaveLength(1);
  expect(told()).not.toContain("back to the source's state");
});

test('for people only, it does not matter whether the org tells the sharing', async () => {
  installedOrg(sf, '', null);
  expect(await install('--agents', 'ada@acme.test', '--people-only')).toBe(0);
  expect(sf.callsWith('org', 'assign', 'permset', 'ada@acme.test')).toHaveLength(1);
});

test('for people only, an org without the source is told so', async () => {
  expect(await install('--agents', 'ada@acme.test', '--people-only')).toBe(1);
  expect(told()).toContain('Patchcord is not in this org yet');
  expect(sf.callsWith('org', 'assign')).toEqual([]);
});

test.each([
  ['2999-01-31T00:00:00.000+0000', '[x] certificate "Patchcord", good until 2999-01-31'],
  ['2020-01-31T00:00:00.000+0000', '[ ] Setup > Certificate and Key Management: "Patchcord" expired on 2020-01-31'],
  [null, '[ ] Setup > Certificate and Key Management: "Patchcord" is there; see that it has not expired'],
])('a certificate that ends %s is ticked only while it is good', async (ExpirationDate, line) => {
  sf.on(['data', 'query', 'FROM Certificate'], records([{ DeveloperName: 'Patchcord', ExpirationDate }]));
  expect(await install()).toBe(0);
  expect(told()).toContain(line);
});

test.each([
  [{ IsActive: false, CanAccessMicrophone: true }, 'is there, but not active'],
  [{ IsActive: true, CanAccessMicrophone: false }, 'is there, without microphone'],
])('a Trusted URL that does not do its work is not ticked: %j', async (row, line) => {
  sf.on(['data', 'query', 'FROM CspTrustedSite'], records([{ EndpointUrl: 'https://phone.acme.test', ...row }]));
  expect(await install()).toBe(0);
  expect(told()).toContain(`[ ] Setup > Trusted URLs: https://phone.acme.test ${line}`);
});

test('agents whose user names begin alike get different ids, the same whatever their order', async () => {
  const list = [ada, { ...bob, Username: 'Ada@other.test' }, { ...mia, Username: 'mia+uat@acme.test' }];
  const idsFor = async (users: typeof list) => {
    lines = [];
    sf.on(['data', 'query', 'FROM User WHERE IsActive'], records(list));
    expect(await install('--agents', users.map((user) => user.Username).join())).toBe(0);
    return Object.fromEntries(
      users.map(({ Id }) => [
        Id,
        new RegExp(`"id": "([^"]*)",\\s+"name": "[^"]*",\\s+"extension": "[^"]*",\\s+"crmUserId": "${Id}"`).exec(
          told().replaceAll('\n', ' '),
        )?.[1],
      ]),
    );
  };
  const ids = { [ada.Id]: 'ada@acme.test', [bob.Id]: 'ada@other.test', [mia.Id]: 'mia-uat' };
  expect(await idsFor(list)).toEqual(ids);
  expect(await idsFor(list.toReversed())).toEqual(ids);
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

const jwt = ['smoke', '--target-org', 'acme', '--client-id', 'x', '--agent', 'ada@acme.test'];
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
  [[...jwt, '--key-file', '/nowhere/salesforce.key'], "--key-file /nowhere/salesforce.key can't be read (ENOENT)"],
  [[...jwt, '--key-file', join(root, 'package.json')], 'holds no unencrypted RSA private key in PEM'],
  [[...toAcme, '--agents-file', '/nowhere/agents'], "--agents-file /nowhere/agents can't be read (ENOENT)"],
  [['remove', '--target-org', 'acme'], 'is not a command'],
  [['install', '--target', 'acme'], "Unknown option '--target'"],
])('a wrong command line says so and asks the org nothing: %j', async (args, expected) => {
  expect(await run(...args)).toBe(2);
  expect(told()).toContain(expected);
  expect(sf.calls()).toEqual([]);
});
