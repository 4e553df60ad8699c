import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAddresses } from '../../../scripts/salesforce/address-check.ts';
import { checkConversion } from '../../../scripts/salesforce/conversion-check.ts';
import { checkMetadataTypes } from '../../../scripts/salesforce/metadata-check.ts';
import { checkReferences } from '../../../scripts/salesforce/reference-check.ts';
import { copySource, type SourceCopy } from './broken-source.ts';

let source: SourceCopy;
beforeEach(() => {
  source = copySource();
});
afterEach(() => source.remove());

const types = () => checkMetadataTypes(source.root).failures.join('\n');
const references = () => checkReferences(source.root).failures.join('\n');
const addresses = () => checkAddresses(source.root).failures.join('\n');

const object = 'objects/Patchcord_Call__c';
const layout = 'layouts/Patchcord_Call__c-Patchcord Call Layout.layout-meta.xml';
const report = 'reports/Patchcord/Talk_Time_per_Agent.report-meta.xml';
const agentSet = 'permissionsets/Patchcord_Agent.permissionset-meta.xml';

test('the source as it is has the shape that Salesforce declares', () => {
  const { failures, detail } = checkMetadataTypes(source.root);
  expect(failures).toEqual([]);
  expect(Number.parseInt(detail, 10)).toBeGreaterThan(60);
});

test.each([
  ['an element Salesforce does not know', agentSet, '<label>', '<lable>x</lable><label>', 'PermissionSet.lable'],
  [
    'a value outside the enumeration',
    `${object}/fields/Agent__c.field-meta.xml`,
    'SetNull',
    'SetNothing',
    'CustomField.deleteConstraint: "SetNothing"',
  ],
  [
    'a missing required element',
    'cspTrustedSites/Patchcord_Relay.cspTrustedSite-meta.xml',
    '<isActive>true</isActive>',
    '',
    'isActive is missing',
  ],
  [
    'a word where a boolean belongs',
    `${object}/${'Patchcord_Call__c.object-meta.xml'}`,
    '<enableReports>true',
    '<enableReports>yes',
    '"yes" is no boolean',
  ],
  ['a number with a unit', `${object}/fields/Task_Id__c.field-meta.xml`, '>18<', '>18 chars<', 'is no number'],
  [
    'a mistake three levels down',
    layout,
    '<behavior>Edit</behavior>',
    '<behavior>Write</behavior>',
    'layoutItems.behavior: "Write"',
  ],
  [
    'repeated elements that do not stand together',
    'flexipages/Patchcord_UtilityBar.flexipage-meta.xml',
    '</FlexiPage>',
    '<flexiPageRegions><name>x</name><type>Region</type></flexiPageRegions></FlexiPage>',
    'do not stand together',
  ],
  ['a root of another type', report, /Report( |>)/g, 'Dashboard$1', 'this file must hold a Report'],
  ['broken XML', report, '</Report>', '', 'not well-formed'],
  [
    'a fullName that is not the file name',
    `${object}/fields/Note__c.field-meta.xml`,
    'Note__c<',
    'Notes__c<',
    'fullName is "Notes__c"',
  ],
])('%s is refused, with the file and the element', (_, file, from, to, expected) => {
  source.replace(file, from, to);
  expect(types()).toContain(expected);
  expect(types()).toContain(file);
});

test('the source as it is converts, and no file is left behind', async () => {
  expect((await checkConversion(source.root)).failures).toEqual([]);
});

test('a file that belongs to no component is named', async () => {
  source.write('classes/Notes.txt', 'left here by mistake');
  const { failures } = await checkConversion(source.root);
  expect(failures.join('\n')).toContain('classes/Notes.txt: belongs to no component');
});

test('a class whose definition has no code stops the conversion', async () => {
  source.write('classes/Ghost.cls-meta.xml', '<ApexClass xmlns="http://soap.sforce.com/2006/04/metadata"/>');
  expect((await checkConversion(source.root)).failures.join('\n')).toContain('Ghost.cls-meta.xml');
});

test('nothing in the source refers to what is not there', () => {
  expect(references()).toBe('');
});

test.each([
  ['a field in a layout', layout, 'Outcome__c', 'Outcom__c', 'Outcom__c is no field of Patchcord_Call__c'],
  ['a required field left out of the layout', layout, /<field>Call_Key__c/, '<field>Name', 'Call_Key__c is required'],
  ['a column of a list view', `${object}/listViews/All.listView-meta.xml`, '>Outcome__c', '>Outcome', 'Outcome is no'],
  [
    'a filter of a list view',
    `${object}/listViews/Missed_This_Week.listView-meta.xml`,
    '<field>Outcome__c',
    '<field>Result__c',
    'Result__c is no field',
  ],
  [
    'a field of the compact layout',
    `${object}/compactLayouts/Patchcord_Call.compactLayout-meta.xml`,
    'Outcome__c',
    'Result__c',
    'Result__c is no field',
  ],
  [
    'a search field',
    `${object}/Patchcord_Call__c.object-meta.xml`,
    '>Outcome__c',
    '>Result__c',
    'searchLayouts: Result__c',
  ],
  [
    'a class in a permission set',
    agentSet,
    '>PatchcordIdentity<',
    '>PatchcordIdentty<',
    'no ApexClass PatchcordIdentty',
  ],
  ['an app in a permission set', agentSet, '<application>Patchcord<', '<application>Phone<', 'CustomApplication Phone'],
  ['a tab in a permission set', agentSet, '<tab>Patchcord_Call__c', '<tab>Calls__c', 'no CustomTab Calls__c'],
  [
    'a field right for a required field',
    agentSet,
    'Patchcord_Call__c.Note__c',
    'Patchcord_Call__c.Call_Key__c',
    'no permission for a required',
  ],
  [
    'a field nobody with the set would see',
    agentSet,
    /<fieldPermissions>\s+<editable>true<\/editable>\s+<field>Patchcord_Call__c.Note__c[\s\S]+?<\/fieldPermissions>/,
    '',
    'says nothing about Note__c',
  ],
  [
    'an editable formula',
    agentSet,
    /<editable>false<\/editable>(\s+<field>Patchcord_Call__c.Hour_Started__c)/,
    '<editable>true</editable>$1',
    "a formula can't be editable",
  ],
  ['a column of a report', report, '$Duration_Seconds__c', '$Talk__c', 'Patchcord_Call__c$Talk__c is no column'],
  [
    'the type of a report',
    report,
    'Patchcord_Calls__c',
    'Patchcord_Call_Log__c',
    'no report type Patchcord_Call_Log__c',
  ],
  [
    'a column of the report type',
    'reportTypes/Patchcord_Calls.reportType-meta.xml',
    'Outcome__c',
    'Result__c',
    'Result__c is no field',
  ],
  [
    'a component on a page',
    'flexipages/Patchcord_Board.flexipage-meta.xml',
    '>patchcordBoard<',
    '>patchcordWall<',
    'no component patchcordWall',
  ],
  [
    'the page of a tab',
    'tabs/Patchcord_Board.tab-meta.xml',
    '<flexiPage>Patchcord_Board',
    '<flexiPage>Board',
    'there is no page Board',
  ],
  [
    'the utility bar of an app',
    'applications/Patchcord.app-meta.xml',
    '>Patchcord_UtilityBar<',
    '>Bar<',
    'no utility bar Bar',
  ],
  ['a tab of an app', 'applications/Patchcord.app-meta.xml', '<tabs>Patchcord_Board', '<tabs>Board', 'no tab Board'],
])('%s that leads nowhere is refused', (_, file, from, to, expected) => {
  source.replace(file, from, to);
  expect(references()).toContain(expected);
});

const rightsOf = (object: string) => new RegExp(`(<object>${object}</object>\\s*<viewAllRecords>)true`);

test.each([
  ['a user permission', 'Admin', '<name>ViewRoles<', '<name>RunReports<', 'ViewSetup depends on ViewRoles'],
  [
    'a user permission that is off',
    'Admin',
    /<enabled>true(<\/enabled>\s*<name>ViewRoles)/,
    '<enabled>false$1',
    'ViewRoles',
  ],
  [
    'a right on all records',
    'Relay',
    rightsOf('Patchcord_Call__c'),
    '$1false',
    'modifyAllRecords on Patchcord_Call__c depends on viewAllRecords',
  ],
  [
    'the right to delete',
    'Relay',
    '<allowDelete>true',
    '<allowDelete>false',
    'modifyAllRecords on Patchcord_Call__c depends on allowDelete',
  ],
  ['the right to read', 'Agent', '<allowRead>true', '<allowRead>false', 'allowEdit on Patchcord_Call__c depends on'],
  [
    'the object above',
    'Relay',
    '<object>Account<',
    '<object>Product2<',
    'allowRead on Contact depends on allowRead on Account',
  ],
])('a permission set that lacks %s another right depends on is refused', (_, set, from, to, expected) => {
  source.replace(`permissionsets/Patchcord_${set}.permissionset-meta.xml`, from, to);
  expect(references()).toContain(expected);
});

test.each([
  [
    "import x from '@salesforce/apex/PatchcordBoard.nothing';",
    'PatchcordBoard has no @AuraEnabled static method nothing',
  ],
  ["import x from '@salesforce/apex/PatchcordBord.today';", 'no Apex class PatchcordBord'],
  ["import x from '@salesforce/messageChannel/Phone__c';", 'no message channel Phone__c'],
  ["import x from '@salesforce/schema/Patchcord_Call__c.Result__c';", 'has no field Result__c'],
  ["import { x } from 'c/patchcordNothing';", 'no component patchcordNothing'],
])('a component that imports what is not there is refused: %s', (line, expected) => {
  mkdirSync(join(source.root, 'force-app/main/default/lwc/patchcordProbe'), { recursive: true });
  source.write('lwc/patchcordProbe/patchcordProbe.js', `${line}\nexport const probe = x;\n`);
  source.write(
    'lwc/patchcordProbe/patchcordProbe.js-meta.xml',
    '<LightningComponentBundle xmlns="http://soap.sforce.com/2006/04/metadata"><apiVersion>66.0</apiVersion></LightningComponentBundle>',
  );
  expect(references()).toContain(expected);
});

test('the example address is the only one, and both call centres say the same', () => {
  expect(addresses()).toBe('');
});

test.each([
  [
    'another address',
    'cspTrustedSites/Patchcord_Relay.cspTrustedSite-meta.xml',
    'phone.example.com',
    'phone.acme.com',
    'holds the address https://phone.acme.com',
  ],
  ['another API version', 'classes/PatchcordIdentity.cls-meta.xml', '66.0', '61.0', 'apiVersion is "61.0"'],
  [
    'a size that differs',
    'callCenters/Patchcord.callCenter-meta.xml',
    '<value>560',
    '<value>600',
    'reqSoftphoneHeight',
  ],
  [
    'an address that would redirect',
    'callCenters/Patchcord.callCenter-meta.xml',
    'salesforce/</adapterUrl>',
    'salesforce</adapterUrl>',
    'adapterUrl differs',
  ],
])('%s in the call centre or beside it is refused', (_, file, from, to, expected) => {
  source.replace(file, from, to);
  expect(addresses()).toContain(expected);
});
