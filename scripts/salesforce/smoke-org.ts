/**
 * Questions about an org that a script can answer by asking it: what is deployed, what the platform does with the requests the relay makes. Each
 * question makes its own records and hands them over for deletion. Must never touch a record it did not make.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { said } from './install.ts';
import { assignments, permissionSets } from './org.ts';
import { apiVersion, isRow, type RestAnswer, type Row, rows, type Sf, text } from './sf-cli.ts';

/** One answer of the report. */
export interface Finding {
  readonly question: string;
  /** `open`: the script could not find out. */
  readonly verdict: 'good' | 'bad' | 'open';
  /** What was seen, in the org's own words where there are any. */
  readonly seen: string;
}

export interface Trial {
  readonly sf: Sf;
  /** Deleted at the end, the last one first. */
  readonly made: { readonly object: string; readonly id: string }[];
  /** How long a search may be behind. */
  readonly searchPatienceMs: number;
  readonly searchPauseMs: number;
  /** Aborted when the trial is to end early. */
  readonly signal: AbortSignal;
}

const calls = 'Patchcord_Call__c';

/** Are object, fields and key as the relay needs them? */
export async function objectIsThere({ sf }: Trial): Promise<Finding> {
  const question = 'Patchcord_Call__c is there, with its fields and a unique key';
  const answer = await sf.run(['sobject', 'describe', '--sobject', calls]);
  if (!answer.ok || !isRow(answer.result)) return { question, verdict: 'bad', seen: answer.message };
  const fields = rows(answer.result.fields);
  const key = fields.find((field) => field.name === 'Call_Key__c');
  const good = key?.externalId === true && key.unique === true && key.caseSensitive !== true;
  const own = fields.map((field) => text(field.name)).filter((name) => name.endsWith('__c'));
  return {
    question,
    verdict: good ? 'good' : 'bad',
    seen: `${own.length} own fields; Call_Key__c externalId ${key?.externalId}, unique ${key?.unique}, caseSensitive ${key?.caseSensitive}`,
  };
}

export async function setsAreAssigned({ sf }: Trial): Promise<Finding> {
  const found = await assignments(sf);
  const counts = permissionSets.map((set) => `${set}: ${found.get(set)?.size ?? 0}`);
  const used = (found.get('Patchcord_Agent')?.size ?? 0) > 0;
  return { question: 'Permission sets are assigned', verdict: used ? 'good' : 'open', seen: counts.join(', ') };
}

/** Does the platform keep a repeated delivery from becoming a second record? */
export async function upsertIsIdempotent(trial: Trial): Promise<Finding> {
  const question = 'A second upsert with the same key changes the one record, also with other capitals';
  const key = randomUUID();
  const write = (value: string, outcome: string) =>
    trial.sf.rest('PATCH', `sobjects/${calls}/Call_Key__c/${value}`, { Outcome__c: outcome });
  const first = await write(key, 'missed');
  remember(trial, calls, idOf(first));
  const second = await write(key, 'answered');
  const third = await write(key.toUpperCase(), 'answered');
  if (idOf(third) !== '' && idOf(third) !== idOf(first)) remember(trial, calls, idOf(third));
  const good = first.status === 201 && second.status < 300 && third.status < 300 && createdIn(third) !== true;
  return { question, verdict: good ? 'good' : 'bad', seen: [first, second, third].map(shownAnswer).join(' · ') };
}

export async function callTaskIsTaken(trial: Trial): Promise<Finding> {
  const answer = await create(trial, 'Task', task());
  const id = idOf(answer);
  const seen =
    id === '' ? [] : await trial.sf.query(`SELECT TaskSubtype, CallType, IsClosed FROM Task WHERE Id = '${id}'`);
  const subtype = text(seen[0]?.TaskSubtype);
  return {
    question: 'A Task with TaskSubtype Call, call type, duration and result is created',
    verdict: subtype === 'Call' ? 'good' : 'bad',
    seen: `${shownAnswer(answer)}; TaskSubtype ${subtype || 'none'}, IsClosed ${String(seen[0]?.IsClosed)}`,
  };
}

/** We never send both; whether the platform would mind decides whether that care is needed. */
export async function leadWithAccount(trial: Trial): Promise<Finding> {
  const lead = idOf(await create(trial, 'Lead', { LastName: `Patchcord trial ${randomUUID()}`, Company: 'Patchcord' }));
  const account = idOf(await create(trial, 'Account', { Name: `Patchcord trial ${randomUUID()}` }));
  const answer = await create(trial, 'Task', { ...task(), WhoId: lead, WhatId: account });
  return {
    question: 'A Task for a lead takes no account beside it (so the relay sends only the lead)',
    verdict: lead === '' || account === '' ? 'open' : answer.status >= 400 ? 'good' : 'bad',
    seen: shownAnswer(answer),
  };
}

/** Which spellings find a number, decided by the org's own index. */
export async function searchFindsSpellings(trial: Trial): Promise<Finding> {
  const question = 'Search finds +44 20 7946 0958 under the spellings the relay sends';
  const saved = ['+44 20 7946 0958', '020 7946 0958'];
  const ids = new Map<string, string>();
  for (const phone of saved) {
    const answer = await create(trial, 'Contact', { LastName: `Patchcord trial ${randomUUID()}`, Phone: phone });
    ids.set(idOf(answer), phone);
  }
  if (ids.has('')) return { question, verdict: 'open', seen: 'the org did not take the contacts for the trial' };
  const spellings = ['442079460958', '02079460958', '2079460958', '00442079460958'];
  const until = Date.now() + trial.searchPatienceMs;
  let table = new Map<string, readonly string[]>();
  for (;;) {
    table = new Map();
    for (const spelling of spellings) table.set(spelling, await foundBy(trial.sf, spelling, ids));
    const all = saved.every((phone) => [...table.values()].some((found) => found.includes(phone)));
    if (all || Date.now() >= until) break;
    await wait(trial.searchPauseMs, undefined, { signal: trial.signal });
  }
  const rest = saved.filter((phone) => ![...table.values()].some((found) => found.includes(phone)));
  const seen = [...table].map(([spelling, found]) => `${spelling} → ${found.join(' and ') || 'nothing'}`).join(' · ');
  return { question, verdict: rest.length === 0 ? 'good' : 'bad', seen };
}

/** The way in which the relay writes one log. */
export async function compositeIsTaken(trial: Trial): Promise<Finding> {
  const { compositeRequest } = graph(randomUUID());
  const write = () => trial.sf.rest('POST', 'composite', { allOrNone: true, compositeRequest });
  const answers = [await write(), await write()];
  const parts = answers.map((answer) => rows(isRow(answer.body) ? answer.body.compositeResponse : undefined));
  for (const [index, object] of [calls, 'Task'].entries())
    for (const list of parts) {
      const body = list[index]?.body;
      if (isRow(body)) remember(trial, object, text(body.id));
    }
  const [first = [], again = []] = parts;
  const written = first.length === 3 && first.every((part) => Number(part.httpStatusCode) < 300);
  const stopped = again.length === 3 && again.every((part) => Number(part.httpStatusCode) >= 400);
  const codes = again.map((part) => said(part.body).split(' ')[0]).join(', ');
  return {
    question: 'One Composite request writes call, Task and link, all or none; a repeat writes nothing',
    verdict: written && stopped ? 'good' : 'bad',
    seen: `first: HTTP ${answers[0]?.status}, ${written ? 'all three written' : text(JSON.stringify(answers[0]?.body)).slice(0, 300)}; repeat: ${codes || 'no answer'}`,
  };
}

/** The way in which the relay writes many logs. */
export async function graphIsTaken(trial: Trial): Promise<Finding> {
  const question = 'Composite Graph writes call and Task together, and a repeat is stopped without a second Task';
  const keys = [randomUUID(), randomUUID()];
  const first = await trial.sf.rest('POST', 'composite/graph', { graphs: keys.map((key) => graph(key)) });
  for (const result of graphResults(first)) {
    remember(trial, calls, result.get('call') ?? '');
    remember(trial, 'Task', result.get('task') ?? '');
  }
  const again = await trial.sf.rest('POST', 'composite/graph', { graphs: keys.map((key) => graph(key)) });
  for (const result of graphResults(again)) {
    remember(trial, calls, result.get('call') ?? '');
    remember(trial, 'Task', result.get('task') ?? '');
  }
  const written =
    graphResults(first).every((result) => result.has('task')) && graphResults(first).length === keys.length;
  const stopped =
    graphsOf(again).every((one) => one.isSuccessful === false) && JSON.stringify(again.body).includes('DUPLICATE');
  const left = graphResults(again).filter((result) => result.has('task')).length;
  return {
    question,
    verdict: written && stopped && left === 0 ? 'good' : 'bad',
    seen: `first: HTTP ${first.status}, ${graphsOf(first).filter((one) => one.isSuccessful === true).length} of ${keys.length} graphs written; repeat: ${stopped ? 'stopped by the unique key' : text(JSON.stringify(again.body)).slice(0, 300)}`,
  };
}

/** The daily allowance the relay budgets by. */
export async function usageIsTold(trial: Trial): Promise<Finding> {
  const before = await trial.sf.rest('GET', 'limits');
  const batch = await trial.sf.rest('POST', 'composite/graph', { graphs: [graph(randomUUID()), graph(randomUUID())] });
  for (const result of graphResults(batch)) {
    remember(trial, calls, result.get('call') ?? '');
    remember(trial, 'Task', result.get('task') ?? '');
  }
  const after = await trial.sf.rest('GET', 'limits');
  const usage = (answer: RestAnswer) => answer.headers.get('sforce-limit-info') ?? '';
  const counted = [before, batch, after].map((answer) =>
    Number(/api-usage=(\d+)/.exec(usage(answer))?.[1] ?? Number.NaN),
  );
  return {
    question: 'Every answer tells the API usage, and a graph request counts as one call',
    verdict: counted.some(Number.isNaN) ? 'bad' : (counted[1] ?? 0) - (counted[0] ?? 0) <= 1 ? 'good' : 'open',
    seen: `${[before, batch, after].map((answer) => usage(answer) || 'no header').join(' · ')} (before, two graphs, after; others use the org too)`,
  };
}

/** Whether the call centre is there and what it says of the relay. */
export async function callCenterIsThere({ sf }: Trial): Promise<Finding> {
  const found = await sf.query(
    "SELECT Name, InternalName, AdapterUrl FROM CallCenter WHERE InternalName = 'Patchcord'",
  );
  const url = text(found[0]?.AdapterUrl);
  const good = /^https:\/\/.+\/salesforce\/$/.test(url) && !url.includes('phone.example.com');
  return {
    question: 'The call centre is there and names your relay',
    verdict: good ? 'good' : 'bad',
    seen: found.length === 0 ? 'none with the internal name Patchcord' : url || 'it has no adapter URL',
  };
}

/** Signs an assertion in the org. The assertion itself is never printed: for two minutes it is a key to the phone. */
export async function certificateSigns({ sf }: Trial, apexFile: string): Promise<Finding> {
  const answer = await sf.run(['apex', 'run', '--file', apexFile]);
  const result: Row = isRow(answer.result) ? answer.result : {};
  const good = answer.ok && result.success === true;
  const why = text(result.compileProblem) || text(result.exceptionMessage) || answer.message;
  return {
    question: 'The Apex class signs with the certificate "Patchcord"',
    verdict: good ? 'good' : 'bad',
    seen: good ? 'signed' : why || 'no reason given',
  };
}

/** What `certificateSigns` runs: asks, looks at the shape, prints nothing. */
export const signingApex =
  "String answer = PatchcordIdentity.mintAssertion('https://phone.example.com');\n" +
  'Map<String, Object> read = (Map<String, Object>) JSON.deserializeUntyped(answer);\n' +
  "System.assertEquals(3, String.valueOf(read.get('assertion')).split('\\\\.').size());\n";

function task(): Row {
  return {
    Subject: 'Patchcord trial',
    TaskSubtype: 'Call',
    CallType: 'Inbound',
    CallDurationInSeconds: 61,
    CallDisposition: 'Connected',
    Status: 'Completed',
    Description: 'Made by the smoke test, deleted by it.',
  };
}

function graph(key: string): Row {
  const at = (path: string) => `/services/data/v${apiVersion}/sobjects/${path}`;
  return {
    graphId: key,
    compositeRequest: [
      { method: 'POST', url: at(calls), referenceId: 'call', body: { Call_Key__c: key, Outcome__c: 'answered' } },
      { method: 'POST', url: at('Task'), referenceId: 'task', body: { ...task(), CallObject: key } },
      { method: 'PATCH', url: at(`${calls}/@{call.id}`), referenceId: 'link', body: { Task_Id__c: '@{task.id}' } },
    ],
  };
}

function graphsOf(answer: RestAnswer): readonly Row[] {
  return rows(isRow(answer.body) ? answer.body.graphs : undefined);
}

/** For each graph: reference id to the id of the record it made. */
function graphResults(answer: RestAnswer): readonly ReadonlyMap<string, string>[] {
  return graphsOf(answer).map((one) => {
    const parts = isRow(one.graphResponse) ? rows(one.graphResponse.compositeResponse) : [];
    return new Map(
      parts.flatMap((part) => {
        const id = isRow(part.body) ? text(part.body.id) : '';
        return id === '' ? [] : [[text(part.referenceId), id] as const];
      }),
    );
  });
}

async function foundBy(sf: Sf, spelling: string, ids: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const sosl = `FIND {${spelling}} IN PHONE FIELDS RETURNING Contact(Id)`;
  const answer = await sf.rest('GET', `search/?q=${encodeURIComponent(sosl)}`);
  const found = rows(isRow(answer.body) ? answer.body.searchRecords : undefined).map((row) => text(row.Id));
  return [...ids]
    .filter(([id]) => found.some((other) => other.slice(0, 15) === id.slice(0, 15)))
    .map(([, phone]) => phone);
}

async function create(trial: Trial, object: string, fields: Row): Promise<RestAnswer> {
  const answer = await trial.sf.rest('POST', `sobjects/${object}`, fields);
  remember(trial, object, idOf(answer));
  return answer;
}

function remember(trial: Trial, object: string, id: string): void {
  if (id !== '' && !trial.made.some((one) => one.id === id)) trial.made.push({ object, id });
}

function idOf(answer: RestAnswer): string {
  return isRow(answer.body) ? text(answer.body.id) : '';
}

function createdIn(answer: RestAnswer): unknown {
  return isRow(answer.body) ? answer.body.created : undefined;
}

function shownAnswer(answer: RestAnswer): string {
  return `HTTP ${answer.status}${answer.status >= 400 ? ` ${said(answer.body)}` : ''}`;
}
