import { spawn } from 'node:child_process';
import { generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSf, OrgFailure, type StartSf } from '../../../scripts/salesforce/sf-cli.ts';
import { smoke } from '../../../scripts/salesforce/smoke.ts';
import { agentSignsIn } from '../../../scripts/salesforce/smoke-network.ts';
import { ada, records, type StandInSf, standInSf, usualOrg } from './stand-in-sf.ts';

let sf: StandInSf;
let folder: string;
let lines: string[];
beforeEach(() => {
  sf = standInSf();
  folder = mkdtempSync(join(tmpdir(), 'patchcord-smoke-test-'));
  lines = [];
  soundOrg();
});
afterEach(() => {
  sf.remove();
  rmSync(folder, { recursive: true, force: true });
});

const created = (id: string) => ({ id, success: true, errors: [] });
const usage = (used: number) => ({ 'sforce-limit-info': `api-usage=${used}/15000` });
const node = (referenceId: string, id: string) => ({
  referenceId,
  httpStatusCode: 201,
  body: id === '' ? null : created(id),
});
const graph = (call: string, task: string) => ({
  isSuccessful: true,
  graphResponse: { compositeResponse: [node('call', call), node('task', task), node('link', '')] },
});
const stopped = {
  isSuccessful: false,
  graphResponse: {
    compositeResponse: [
      {
        referenceId: 'call',
        httpStatusCode: 400,
        body: [{ errorCode: 'DUPLICATE_VALUE', message: 'duplicate value found' }],
      },
    ],
  },
};

/** An org that does everything as documented. The rules of later calls stand first. */
function soundOrg(): void {
  usualOrg(sf);
  const agent = { Id: '0Pa000000000001', AssigneeId: ada.Id, Assignee: { Username: ada.Username } };
  sf.on(
    ['data', 'query', 'FROM PermissionSetAssignment'],
    records([{ ...agent, PermissionSet: { Name: 'Patchcord_Agent' } }]),
  );
  sf.on(['sobject', 'describe'], {
    fields: [{ name: 'Call_Key__c', externalId: true, unique: true, caseSensitive: false }, { name: 'Outcome__c' }],
  });
  sf.on(['apex', 'run'], { success: true, compiled: true, logs: '' });
  sf.rest(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 200, {
    ...created('a00000000000001AAA'),
    created: false,
  });
  answerOnce(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 201, {
    ...created('a00000000000001AAA'),
    created: true,
  });
  sf.rest(['sobjects/Task', 'POST'], 201, created('00T000000000001AAA'));
  sf.rest(['sobjects/Task', 'POST', 'WhatId'], 400, [
    { errorCode: 'FIELD_INTEGRITY_EXCEPTION', message: 'You cannot use a WhatId when WhoId refers to a lead.' },
  ]);
  sf.on(['data', 'query', 'FROM Task'], records([{ TaskSubtype: 'Call', CallType: 'Inbound', IsClosed: true }]));
  sf.rest(['sobjects/Lead', 'POST'], 201, created('00Q000000000001AAA'));
  sf.rest(['sobjects/Account', 'POST'], 201, created('001000000000001AAA'));
  sf.rest(['sobjects/Contact', 'POST'], 201, created('003000000000001AAA'));
  answerOnce(['sobjects/Contact', 'POST'], 201, created('003000000000002AAA'));
  sf.rest(['search/'], 200, { searchRecords: [{ Id: '003000000000001AAA' }, { Id: '003000000000002AAA' }] });
  sf.rest(['/composite', 'POST'], 200, {
    compositeResponse: ['DUPLICATE_VALUE', 'PROCESSING_HALTED', 'PROCESSING_HALTED'].map((errorCode) => ({
      httpStatusCode: 400,
      body: [{ errorCode, message: 'no' }],
    })),
  });
  answerOnce(['/composite', 'POST'], 200, {
    compositeResponse: [node('call', 'a00000000000006AAA'), node('task', '00T000000000006AAA'), node('link', '')],
  });
  sf.rest(['composite/graph'], 200, { graphs: [graph('a00000000000008AAA', '00T000000000008AAA')] }, usage(103));
  answerTimes(['composite/graph'], 2, 200, { graphs: [stopped, stopped] });
  answerOnce(['composite/graph'], 200, {
    graphs: [graph('a00000000000003AAA', '00T000000000003AAA'), graph('a00000000000004AAA', '00T000000000004AAA')],
  });
  sf.rest(['limits', 'GET'], 200, {}, usage(102));
  sf.rest(['sobjects/', 'DELETE'], 204, undefined);
}

function answerOnce(when: readonly string[], status: number, body: unknown): void {
  answerTimes(when, 1, status, body);
}
function answerTimes(when: readonly string[], times: number, status: number, body: unknown): void {
  sf.rest(when, status, body, {}, times);
}

const script = async () => new Response('/* opencti */ sforce.opencti = {};');
const options = (): Parameters<typeof smoke>[1] => ({
  targetOrg: 'acme',
  report: join(folder, 'report.md'),
  searchPatienceMs: 0,
  searchPauseMs: 1,
  fetcher: script,
  jwt: undefined,
  log: (line) => lines.push(line),
});
const run = (more: Partial<Parameters<typeof smoke>[1]> = {}) =>
  smoke(createSf(sf.command, 'acme', sf.start), { ...options(), ...more });
const told = () => lines.join('\n');
const report = () => readFileSync(join(folder, 'report.md'), 'utf8');

test('an org that does as documented gets a report of good answers, and keeps no record of the trial', async () => {
  expect(await run()).toBe(true);
  expect(report()).not.toMatch(/\| [✘?] \| (?!The relay may sign in)/);
  expect(report()).toContain('You cannot use a WhatId when WhoId refers to a lead.');
  expect(report()).toContain('442079460958 → +44 20 7946 0958 and 020 7946 0958');
  expect(report()).toContain('api-usage=103/15000');
  const gone = sf.callsWith('DELETE').map((call) => /sobjects\/(\w+\/\w+)/.exec(call[3] ?? '')?.[1]);
  expect(gone.toSorted()).toEqual([
    'Account/001000000000001AAA',
    'Contact/003000000000001AAA',
    'Contact/003000000000002AAA',
    'Lead/00Q000000000001AAA',
    'Patchcord_Call__c/a00000000000001AAA',
    'Patchcord_Call__c/a00000000000003AAA',
    'Patchcord_Call__c/a00000000000004AAA',
    'Patchcord_Call__c/a00000000000006AAA',
    'Patchcord_Call__c/a00000000000008AAA',
    'Task/00T000000000001AAA',
    'Task/00T000000000003AAA',
    'Task/00T000000000004AAA',
    'Task/00T000000000006AAA',
    'Task/00T000000000008AAA',
  ]);
});

test('what an org does otherwise is a bad answer, in the words of the org', async () => {
  const twice = { ...created('a00000000000009AAA'), created: true };
  sf.rest(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 201, twice);
  sf.rest(['composite/graph'], 200, { graphs: [graph('a00000000000003AAA', '00T000000000005AAA')] });
  sf.rest(['search/'], 200, { searchRecords: [] });
  sf.rest(['v66.0/composite', 'allOrNone'], 200, {
    compositeResponse: [node('call', 'a00000000000006AAA'), node('task', '00T000000000006AAA'), node('link', '')],
  });
  sf.rest(['limits', 'GET'], 200, {});
  sf.refuse(['apex', 'run'], 'executeRuntimeFailure', 'failed', {
    success: false,
    exceptionMessage: 'System.NoDataFoundException: Data Not Available',
  });
  sf.on(['data', 'query', 'FROM CallCenter'], records([{ AdapterUrl: 'https://phone.example.com/salesforce/' }]));
  sf.on(['data', 'query', 'FROM Task'], records([{ TaskSubtype: 'Task' }]));
  sf.refuse(['sobject', 'describe'], 'NOT_FOUND', 'The requested resource does not exist');
  sf.rest(['sobjects/Task', 'POST', 'WhatId'], 201, created('00T000000000007AAA'));
  expect(await run({ fetcher: async () => new Response('<html><script>opencti</script></html>') })).toBe(false);
  for (const line of [
    /✘ \| A second upsert.*\| HTTP 201 · HTTP 201/,
    /✘ \| Composite Graph writes/,
    /✘ \| One Composite request writes/,
    /✘ \| Search finds.*→ nothing/,
    /✘ \| Every answer tells the API usage.*no header/,
    /✘ \| The Apex class signs.*Data Not Available/,
    /✘ \| The call centre is there.*phone\.example\.com/,
    /✘ \| A Task with TaskSubtype.*TaskSubtype Task/,
    /✘ \| Patchcord_Call__c is there.*does not exist/,
    /✘ \| A Task for a lead takes no account.*HTTP 201/,
    /✘ \| A host of the org serves.*https:\/\/acme\.my\.salesforce\.com: HTTP 200, no script/,
  ])
    expect(report()).toMatch(line);
});

test('a key that counts capitals is found out by the record it makes, and that record is deleted too', async () => {
  answerOnce(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 201, {
    ...created('a00000000000001AAA'),
    created: true,
  });
  sf.rest(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 201, {
    ...created('a00000000000009AAA'),
    created: true,
  });
  answerTimes(['sobjects/Patchcord_Call__c/Call_Key__c/', 'PATCH'], 2, 200, {
    ...created('a00000000000001AAA'),
    created: false,
  });
  expect(await run()).toBe(false);
  expect(sf.callsWith('DELETE', 'Patchcord_Call__c/a00000000000009AAA')).toHaveLength(1);
});

test('a record that can not be deleted is named, with its id and why', async () => {
  sf.rest(['sobjects/Lead/', 'DELETE'], 400, [{ errorCode: 'DELETE_FAILED', message: 'a trigger says no' }]);
  expect(await run()).toBe(false);
  expect(told()).toContain('not deleted: Lead 00Q000000000001AAA: DELETE_FAILED a trigger says no');
  expect(report()).toContain('- Lead 00Q000000000001AAA');
});

test('a deletion that breaks leaves only its own record behind, and the report is written', async () => {
  const { start } = sf;
  const breaking: StartSf = async (command, args, ...more) => {
    if (args.includes('DELETE') && args.join(' ').includes('sobjects/Lead/')) throw new OrgFailure('gave no answer');
    return start(command, args, ...more);
  };
  expect(await smoke(createSf(sf.command, 'acme', breaking), options())).toBe(false);
  expect(told()).toContain('not deleted: Lead 00Q000000000001AAA: gave no answer');
  expect(report()).toContain('- Lead 00Q000000000001AAA: gave no answer');
  expect(sf.callsWith('DELETE', 'Patchcord_Call__c/a00000000000001AAA')).toHaveLength(1);
});

test('a report that can not be written is shown, with what is left', async () => {
  sf.rest(['sobjects/Lead/', 'DELETE'], 400, [{ errorCode: 'DELETE_FAILED', message: 'no' }]);
  expect(await run({ report: join(folder, 'nowhere', 'report.md') })).toBe(false);
  expect(told()).toMatch(/can't be written \(ENOENT.*The report:\n\n# Patchcord/);
  expect(told()).toContain('- Lead 00Q000000000001AAA');
});

test('a question that fails for a reason of its own is a bad answer, and the others are asked', async () => {
  const { start } = sf;
  const breaking: StartSf = async (command, args, ...more) => {
    if (args.includes('describe')) throw new RangeError('out of range');
    return start(command, args, ...more);
  };
  expect(await smoke(createSf(sf.command, 'acme', breaking), options())).toBe(false);
  expect(report()).toContain('| ✘ | object | out of range |');
  expect(report()).toContain('A host of the org serves');
});

test.each(['SIGINT', 'SIGTERM'])(
  '%s ends the questions; what was made is deleted and the report says so',
  async (name) => {
    // The stand-in interrupts the script that started it while it makes the lead.
    const interrupt = `if (process.argv.join(' ').includes('sobjects/Lead') && process.argv.includes('POST')) process.kill(process.ppid, '${name}');\n`;
    const [first = '', ...rest] = readFileSync(sf.command, 'utf8').split('\n');
    writeFileSync(sf.command, [first, interrupt, ...rest].join('\n'));
    const path = join(folder, 'report.md');
    const script = resolve(import.meta.dirname, '../../../scripts/salesforce.ts');
    const args = ['smoke', '--target-org', 'acme', '--sf', sf.command, '--report', path, '--search-minutes', '0'];
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(said).toContain('Interrupted: no more questions');
    expect(report()).toContain('**Interrupted**');
    expect(report()).toContain('Nothing: every record of the trial is deleted.');
    const gone = sf.callsWith('DELETE').map((call) => /sobjects\/(\w+\/\w+)/.exec(call[3] ?? '')?.[1]);
    expect(gone).toEqual([
      'Lead/00Q000000000001AAA',
      'Task/00T000000000001AAA',
      'Patchcord_Call__c/a00000000000001AAA',
    ]);
    expect(sf.callsWith('sobjects/Account')).toEqual([]);
  },
);

test('a question that breaks leaves an open answer, and what was made before is still deleted', async () => {
  sf.refuse(['data', 'query', 'FROM Task'], 'INVALID_TYPE', 'sObject type Task is not supported');
  await run();
  expect(report()).toMatch(/\| \? \| call task \| The org refused a query/);
  expect(sf.callsWith('DELETE', 'Task/00T000000000001AAA')).toHaveLength(1);
});

test('the sign-in as an agent is signed for the app and the agent, and leaves no token anywhere', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  let asked = new URLSearchParams();
  const fetcher: typeof fetch = async (input, init) => {
    if (!String(input).endsWith('/services/oauth2/token')) return script();
    asked = new URLSearchParams(String(init?.body));
    return Response.json({ access_token: 'SECRET-TOKEN', instance_url: 'https://acme.my.salesforce.com' });
  };
  const jwt = {
    loginUrl: 'https://login.salesforce.com',
    clientId: 'CONSUMER',
    username: 'ada@acme.test',
    privateKeyPem,
  };
  expect(await run({ fetcher, jwt })).toBe(true);
  const [head = '', body = '', signature = ''] = (asked.get('assertion') ?? '').split('.');
  expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toMatchObject({
    iss: 'CONSUMER',
    sub: 'ada@acme.test',
    aud: 'https://login.salesforce.com',
  });
  expect(verify('RSA-SHA256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(
    true,
  );
  expect(report()).toContain('as ada@acme.test');
  expect(`${report()}${told()}`).not.toContain('SECRET-TOKEN');
});

test('an app that has not authorised the agent is told in its words', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const refuse = { error: 'invalid_grant', error_description: "user hasn't approved this consumer" };
  const finding = await agentSignsIn(
    {
      loginUrl: 'https://login.salesforce.com',
      clientId: 'CONSUMER',
      username: 'ada@acme.test',
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
    0,
    async () => Response.json(refuse, { status: 400 }),
  );
  expect(finding).toMatchObject({ verdict: 'bad', seen: "HTTP 400 invalid_grant user hasn't approved this consumer" });
});
