/**
 * What can only be learned by writing into an account: each question makes test calls that carry no person's data, and everything that was made is
 * in `made`, to be deleted by who asked. Numbers are from a range for fiction.
 */
import { randomUUID } from 'node:crypto';
import { type HubSpotApi, isObject, listOf, said, textOf } from './api.ts';
import type { Finding } from './smoke-portal.ts';

export interface WriteTrial {
  readonly portal: HubSpotApi;
  /** Ids of the calls that were made. */
  readonly made: Set<string>;
  readonly pause: (ms: number) => Promise<void>;
  /** How long a new call may stay unfound by a search. */
  readonly searchPatienceMs: number;
  readonly signal: AbortSignal;
}

const title = 'Patchcord smoke test (deleted at its end)';
const [from, to] = ['+12025550143', '+12025550144'];
const plain = (): Record<string, string> => ({
  hs_timestamp: String(Date.now()),
  hs_call_title: title,
  hs_call_direction: 'OUTBOUND',
  hs_call_status: 'COMPLETED',
  hs_call_duration: '1000',
  hs_call_from_number: from,
  hs_call_to_number: to,
});

/** Remembers what was made before anybody looks at the answer. */
function remember(trial: WriteTrial, body: unknown): readonly string[] {
  const ids = listOf(body)
    .map((one) => textOf(one.id))
    .filter((id) => /^\d+$/.test(id));
  for (const id of ids) trial.made.add(id);
  return ids;
}

const upserting = (trial: WriteTrial, inputs: readonly object[]) =>
  trial.portal.request('POST', '/crm/v3/objects/calls/batch/upsert', { inputs });

export async function upsertTwice(trial: WriteTrial): Promise<Finding> {
  const question = 'One key, one call: an upsert twice makes one object';
  const input = { idProperty: 'patchcord_call_id', id: randomUUID(), properties: plain() };
  const first = await upserting(trial, [input]);
  const [one] = remember(trial, first.body);
  if (first.status >= 400 || one === undefined)
    return {
      question,
      verdict: 'bad',
      seen: `${said(first)}. Run: npm run hubspot -- configure, with the account’s token`,
    };
  const second = await upserting(trial, [input]);
  const [other] = remember(trial, second.body);
  const flags = [first, second].map(({ body }) => String(listOf(body)[0]?.new)).join(', ');
  return {
    question,
    verdict: one === other ? 'good' : 'bad',
    seen: `${one === other ? 'the same object' : 'TWO objects'}; "new": ${flags}; answered ${first.status} and ${second.status}`,
  };
}

export async function ownTextComesBack(trial: WriteTrial): Promise<Finding> {
  const question = 'A body comes back as it was written';
  const body = 'a &lt; b<br>second line<br><br>From +1';
  const input = { idProperty: 'patchcord_call_id', id: randomUUID(), properties: { ...plain(), hs_call_body: body } };
  const [id] = remember(trial, (await upserting(trial, [input])).body);
  if (id === undefined) return { question, verdict: 'open', seen: 'the call was not made' };
  const read = await trial.portal.request('GET', `/crm/v3/objects/calls/${id}?properties=hs_call_body,hs_timestamp`);
  const properties = isObject(read.body) && isObject(read.body.properties) ? read.body.properties : {};
  const back = textOf(properties.hs_call_body);
  return {
    question,
    verdict: back === body ? 'good' : 'open',
    seen: `${back === body ? 'unchanged' : `re-shaped to: ${JSON.stringify(back)}`}; hs_timestamp comes back as ${textOf(properties.hs_timestamp).replaceAll(/\d/g, '9')}`,
    settles: 'README "Not verified": whether bodies are re-shaped',
  };
}

export async function ownKeyOfHubSpot(trial: WriteTrial): Promise<Finding> {
  const id = randomUUID();
  const answer = await upserting(trial, [{ idProperty: 'hs_call_unique_external_id', id, properties: plain() }]);
  remember(trial, answer.body);
  return {
    question: 'An upsert takes hs_call_unique_external_id',
    verdict: 'good',
    seen: answer.status < 300 ? `yes (${answer.status})` : `no: ${said(answer)}`,
    settles: '3: whether upsert accepts hs_call_unique_external_id',
  };
}

export async function partOfBatchFails(trial: WriteTrial): Promise<Finding> {
  const question = 'How a batch of which one fails is answered';
  const [good, bad] = [randomUUID(), randomUUID()];
  const answer = await upserting(trial, [
    { idProperty: 'patchcord_call_id', id: good, properties: plain() },
    { idProperty: 'patchcord_call_id', id: bad, properties: { ...plain(), hs_call_duration: 'no number' } },
  ]);
  remember(trial, answer.body);
  const errors = listOf(answer.body, 'errors');
  const names = JSON.stringify(errors).includes(bad) || `${said(answer)}`.includes(bad);
  const keys = [...new Set(errors.flatMap((one) => Object.keys(one)))].join(', ');
  return {
    question,
    verdict: 'good',
    seen: `${said(answer)}; ${listOf(answer.body).length} made, ${errors.length} errors${keys === '' ? '' : ` with ${keys}`}; the failed input is ${names ? 'named' : 'NOT named'}`,
    settles: 'README "Not verified": how a real 207 names what failed',
  };
}

/** The call appears after a while, made by HubSpot itself: it is found by the id it was given. */
export async function inboundCallTwice(trial: WriteTrial): Promise<Finding> {
  const question = 'inbound-call with one externalCallId twice';
  const owners = await trial.portal.request('GET', '/crm/v3/owners?limit=1');
  const userId = Number(listOf(owners.body)[0]?.userId);
  if (!Number.isSafeInteger(userId)) return { question, verdict: 'open', seen: 'no owner with a user id' };
  const externalCallId = `patchcord-smoke-${randomUUID()}`;
  const number = (e164Number: string) => ({ e164Number, phoneNumberType: 'UNKNOWN' });
  const body = {
    externalCallId,
    createEngagement: true,
    engagementProperties: { hs_call_title: title },
    finalCallStatus: 'COMPLETED',
    fromNumber: number(from),
    toNumber: number(to),
    potentialRecipientUserIds: [userId],
    userId,
    callStartedTimestamp: new Date().toISOString(),
    durationSeconds: 1,
  };
  const statuses: string[] = [];
  for (let time = 1; time <= 2; time += 1) {
    const answer = await trial.portal.request('POST', '/crm/v3/extensions/calling/inbound-call', body);
    statuses.push(said(answer));
  }
  const found = await callsOf(trial, externalCallId);
  return {
    question,
    verdict: found.length === 0 ? 'open' : 'good',
    seen: `answered ${statuses.join(' and ')}; ${found.length === 0 ? 'no call was found in time: look for one titled as below, and delete it' : found.length === 1 ? 'one call: HubSpot de-duplicates' : `${found.length} calls: HubSpot does not de-duplicate`}`,
    settles: '3: whether inbound-call de-duplicates by externalCallId',
  };
}

/** Looks until the number of calls has not changed for two looks: the index lags. */
async function callsOf(trial: WriteTrial, externalCallId: string): Promise<readonly string[]> {
  const until = Date.now() + trial.searchPatienceMs;
  let found: readonly string[] = [];
  let same = 0;
  for (;;) {
    const looked = trial.portal.request('POST', '/crm/v3/objects/calls/search', {
      filterGroups: [{ filters: [{ propertyName: 'hs_call_external_id', operator: 'EQ', value: externalCallId }] }],
      properties: ['hs_call_external_id'],
      sorts: [],
      limit: 10,
      after: '0',
    });
    // Searches have a narrow limit of their own: a refused look is one that found nothing.
    const answer = await looked.catch(() => null);
    const ids = remember(trial, answer !== null && answer.status < 400 ? answer.body : undefined);
    same = ids.length > 0 && ids.length === found.length ? same + 1 : 0;
    found = ids;
    if (same >= 2 || trial.signal.aborted || Date.now() > until) return found;
    await trial.pause(2_000);
  }
}

/** @returns what is left, each with its id and why */
export async function cleanUp(portal: HubSpotApi, made: Set<string>): Promise<readonly string[]> {
  const left: string[] = [];
  for (const id of made) {
    try {
      const answer = await portal.request('DELETE', `/crm/v3/objects/calls/${id}`);
      if (answer.status >= 300 && answer.status !== 404) left.push(`call ${id}: ${said(answer)}`);
    } catch (error) {
      left.push(`call ${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  made.clear();
  return left;
}
