import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkApexCompiles, checkApexFormat, checkApexRules } from '../../../scripts/salesforce/apex-check.ts';
import { copySource, type SourceCopy } from './broken-source.ts';

/** The checks need Java. Where there is none, they must fail and say so: a check that passes because it could not run is worse than none. */
const java = spawnSync('java', ['-version']).error === undefined;
const said = (failure: string) => (java ? failure : 'Java 17 is missing');

/** Java takes five seconds alone, and a minute on a machine that does much else. */
const patienceMs = 240_000;

let source: SourceCopy;
beforeEach(() => {
  source = copySource();
});
afterEach(() => source.remove());

const meta =
  '<ApexClass xmlns="http://soap.sforce.com/2006/04/metadata"><apiVersion>66.0</apiVersion><status>Active</status></ApexClass>';

function write(name: string, body: string): void {
  source.write(`classes/${name}.cls`, body);
  source.write(`classes/${name}.cls-meta.xml`, meta);
}

test(
  'a field that the object does not have stops the compiler',
  () => {
    write(
      'Probe',
      'public with sharing class Probe { public String x(Patchcord_Call__c call) { return call.Result__c; } }',
    );
    expect(checkApexCompiles(source.root).failures.join('\n')).toContain(said('Result__c'));
  },
  patienceMs,
);

test(
  'a query built from text of others, and a class without sharing, break the rules',
  async () => {
    write(
      'Probe',
      "public class Probe { public static List<SObject> find(String name) { return Database.query('SELECT Id FROM Account WHERE Name = ' + name); } }",
    );
    const failures = (await checkApexRules(source.root)).failures.join('\n');
    expect(failures).toContain(said('ApexSOQLInjection'));
    expect(failures).toContain(said('ApexSharingViolations'));
  },
  patienceMs,
);

test('a class that prettier would change is named', async () => {
  write('Probe', 'public with sharing class Probe{Integer  a=1;}');
  expect((await checkApexFormat(source.root)).failures.join('\n')).toContain(
    'Probe.cls: not formatted: npm run format',
  );
});

test('a class that no parser reads is named', async () => {
  write('Probe', 'public with sharing class Probe { Integer = ; }');
  expect((await checkApexFormat(source.root)).failures.join('\n')).toContain('Probe.cls: ');
});
