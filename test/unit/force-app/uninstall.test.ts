import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sdr from '@salesforce/source-deploy-retrieve';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { salesforceCommand } from '../../../scripts/salesforce/command.ts';
import { childrenOf, parseXmlFile, textOf, textsOf } from '../../../scripts/salesforce/metadata-xml.ts';
import { ada, bob, records, type StandInSf, standInSf, usualOrg } from './stand-in-sf.ts';

const root = resolve(import.meta.dirname, '../../..');
let sf: StandInSf;
let lines: string[];
let folder: string;
beforeEach(() => {
  sf = standInSf();
  lines = [];
  folder = mkdtempSync(join(tmpdir(), 'patchcord-left-'));
  usualOrg(sf);
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
  sf.on(['data', 'query', 'FROM User WHERE CallCenterId'], records([ada, bob]));
  sf.on(['data', 'query', 'FROM Patchcord_Call__c'], records([{ calls: 4711 }]));
  sf.rest(['sobjects/PermissionSetAssignment/', '--method', 'DELETE'], 204, undefined);
});
afterEach(() => {
  sf.remove();
  rmSync(folder, { recursive: true });
});

const uninstall = (...more: string[]) =>
  salesforceCommand(['uninstall', '--target-org', 'acme', ...more], {
    start: sf.start,
    root,
    folder,
    log: (line) => lines.push(line),
  });
const told = () => lines.join('\n');

test('uninstall shows who has the phone, and takes it from them only when told', async () => {
  expect(await uninstall()).toBe(0);
  expect(told()).toContain('Patchcord_Agent: 1 users');
  expect(told()).toContain('Nothing was changed.');
  expect(sf.callsWith('api')).toEqual([]);
  expect(await uninstall('--yes')).toBe(0);
  expect(told()).toContain('The assignments are taken back.');
  expect(sf.callsWith('sobjects/PermissionSetAssignment/0Pa000000000001', 'DELETE')).toHaveLength(1);
  expect(sf.callsWith(`sobjects/User/${ada.Id}`, '{"CallCenterId":null}')).toHaveLength(1);
});

test('what was refused is not told as taken back', async () => {
  sf.rest([`sobjects/User/${bob.Id}`, 'PATCH'], 400, [{ errorCode: 'INSUFFICIENT_ACCESS', message: 'not yours' }]);
  expect(await uninstall('--yes')).toBe(1);
  expect(told()).toContain('✘ bob@acme.test: INSUFFICIENT_ACCESS not yours');
  expect(told()).toContain('Not all of them: 1 were refused');
  expect(told()).not.toContain('The assignments are taken back.');
});

test('the deletion of the metadata is written down with what it erases, and never run', async () => {
  expect(await uninstall('--yes')).toBe(0);
  const removal = join(folder, 'patchcord-removal');
  expect(told()).toContain(`cd ${removal}\n`);
  expect(told()).toContain(
    'sf project deploy start --manifest package.xml --post-destructive-changes destructiveChanges.xml',
  );
  expect(told()).toContain('every Patchcord Call (4711 that you may see)');
  expect(told()).not.toContain('project delete source');
  expect(sf.callsWith('project')).toEqual([]);
  // A project of its own, with nothing in it: what is deployed from there can't reach the checkout.
  expect(readdirSync(removal).toSorted()).toEqual([
    'destructiveChanges.xml',
    'force-app',
    'package.xml',
    'sfdx-project.json',
  ]);
  expect(readdirSync(join(removal, 'force-app'))).toEqual([]);
  expect(childrenOf(parseXmlFile(join(removal, 'package.xml')), 'types')).toEqual([]);
});

test('the list of what is deleted is what Salesforce finds in the source; the object takes its layout along', async () => {
  await uninstall();
  const manifest = parseXmlFile(join(folder, 'patchcord-removal/destructiveChanges.xml'));
  const named = childrenOf(manifest, 'types').flatMap((type) =>
    textsOf(type, 'members').map((member) => `${textOf(type, 'name')} ${member}`),
  );
  const source = await sdr.ComponentSet.fromSource(join(root, 'force-app/main')).getObject();
  const known = source.Package.types.flatMap(({ name, members }) =>
    members.map((member) => `${name} ${member.replace(/\/$/, '')}`),
  );
  const partsOfTheObject = /^(CustomField|ListView|CompactLayout|Layout) /;
  expect(named.toSorted()).toEqual(known.filter((one) => !partsOfTheObject.test(one)).toSorted());
  expect(readFileSync(join(folder, 'patchcord-removal/destructiveChanges.xml'), 'utf8')).toContain('66.0');
});

test('an org that does not count its calls is no reason to stop', async () => {
  sf.refuse(['data', 'query', 'FROM Patchcord_Call__c'], 'INVALID_TYPE', 'sObject type is not supported');
  expect(await uninstall()).toBe(0);
  expect(told()).toContain('how many, the org does not say');
});
