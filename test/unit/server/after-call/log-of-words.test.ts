/** What was heard in a call, from its events to the words of its log. */
import { type AgentId, type CallLog, newCallId, type TenantId, type WireEvent } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { callProperties } from '../../../../packages/crm-adapters/src/hubspot/call.ts';
import { textOf } from '../../../../packages/crm-adapters/src/log-words.ts';
import { callFields, taskFields } from '../../../../packages/crm-adapters/src/salesforce/task.ts';
import { foldCall, relaySource } from '../../../../server/src/call-log/fold.ts';

const callId = newCallId();
const owner = { callId, tenant: 'acme' as TenantId, agent: 'ada' as AgentId, extension: '1001' };
const source = relaySource(owner.tenant);
const event = (name: string, mark: string | number, data: unknown, at = 5_000): WireEvent =>
  ({
    name,
    at,
    call: callId,
    data,
    id: `${callId}:${mark}`,
    source: typeof mark === 'number' ? '/device' : source,
  }) as WireEvent;

const call = [
  event('call.started', 1, { direction: 'inbound', farSide: { number: '+14155550101', e164: '+14155550101' } }, 1_000),
  event('call.answered', 2, {}, 2_000),
  event('call.ended', 3, { outcome: 'answered', reason: 'They hung up', by: 'far-side' }, 90_000),
];
const spotted = (rule: string, startMs: number, more: Record<string, unknown> = {}): WireEvent =>
  event('phrase.spotted', `phrase-${rule}-agent-${startMs}`, {
    ...{ rule, label: `Rule ${rule}`, severity: 'info', speaker: 'agent', phrase: 'x', line: 1, startMs },
    ...more,
  });
const missed = (rule: string, more: Record<string, unknown> = {}): WireEvent =>
  event('phrase.missed', `phrase-missed-${rule}`, {
    rule,
    label: `Rule ${rule}`,
    severity: 'critical',
    by: 'agent',
    ...more,
  });
const summed = (change: Record<string, unknown> = {}, mark = 'summary-1', at = 100_000): WireEvent =>
  event(
    'call.summarised',
    mark,
    {
      ...{ summary: 'They asked for a quote.', actionItems: ['Ada sends the quote by Friday'], sentiment: 'positive' },
      ...{ model: 'small', promptVersion: 1, disposition: { value: 'quote', label: 'Quote wanted' } },
      ...change,
    },
    at,
  );
function fold(...events: WireEvent[]): CallLog {
  const log = foldCall(owner, [...call, ...events]);
  if (log === null) throw new Error('no log');
  return log;
}
const linesOf = (log: CallLog): readonly string[] => textOf(log, 10_000).split('\n');

it('a call of which nothing was heard has a log as before', () => {
  expect(fold()).not.toHaveProperty('phrases');
  expect(fold()).not.toHaveProperty('summary');
});

it('the log tells each rule once, what was missed first, with the moments', () => {
  const events = [
    spotted('b', 83_000),
    spotted('b', 5_000),
    spotted('k', 4_000, { awaited: true }),
    missed('m', { withinSeconds: 30, unheardMs: 2_100 }),
    missed('n'),
  ];
  const log = fold(...events);
  expect(fold(...[...events].reverse(), ...events)).toEqual(log);
  expect(linesOf(log)).toEqual([
    'From +14155550101 to 1001',
    'Not heard: Rule m (agent, in the first 30 s; 3 s of it were not listened to)',
    'Not heard: Rule n (agent, until the end)',
    'Heard: Rule b (agent, 0:05, 1:23)',
    'Said: Rule k (agent, 0:04)',
  ]);
});

it('what was heard after all, in words that came late, was not missed', () => {
  const log = fold(missed('notice'), spotted('notice', 4_000, { awaited: true }));
  expect(log.phrases?.map(({ what }) => what)).toEqual(['kept']);
});

it('the summary stands under a heading that says who wrote it, below the note', () => {
  const note = event('wrap-up.submitted', 4, { note: 'Nice person' });
  expect(linesOf(fold(note, summed()))).toEqual([
    'Nice person',
    '',
    'From +14155550101 to 1001',
    'Summary by a machine (small):',
    'They asked for a quote.',
    'To do:',
    '- Ada sends the quote by Friday',
    'Sentiment: positive',
    'Suggested outcome: Quote wanted',
  ]);
});

it('an outcome that a person chose stays theirs, and hides the suggestion', () => {
  const log = fold(event('wrap-up.submitted', 4, { disposition: 'lost' }), summed());
  expect(log.disposition).toBe('lost');
  expect(linesOf(log).join()).not.toContain('Suggested');
  expect(fold(summed()).disposition).toBeNull();
});

it('the newest of several summaries counts', () => {
  expect(fold(summed({ model: 'large' }, 'summary-2', 200_000), summed()).summary?.model).toBe('large');
});

it('reaches HubSpot’s body and Salesforce’s description, and fields of their own where an account has them', () => {
  const log = fold(summed({ summary: 'They said 3 < 4.' }), missed('m'));
  const agent = { crmUserId: '005000000000001AAA', name: 'Ada' };
  const wording = { closedStatus: 'Completed', timeZone: 'UTC' };
  const properties = (...names: readonly string[]) =>
    callProperties(log, {
      properties: {
        groupName: 'call',
        names: new Set(names),
        editable: new Set(),
        statuses: new Set(),
        dispositions: new Map(),
      },
      ownerId: null,
      appId: null,
      dispositionIds: {},
    });
  expect(properties('hs_call_body')).toEqual({
    hs_call_body: expect.stringContaining('They said 3 &lt; 4.') as string,
  });
  expect(properties('patchcord_sentiment', 'patchcord_phrases')).toEqual({
    patchcord_sentiment: 'positive',
    patchcord_phrases: 'Not heard: Rule m (agent, until the end)',
  });
  expect(taskFields(log, agent, wording).Description).toContain('Summary by a machine (small):\nThey said 3 < 4.');
  expect(callFields(log, agent, 'acme__', wording)).toMatchObject({
    acme__Sentiment__c: 'positive',
    acme__Summary__c: 'They said 3 < 4.',
  });
  for (const name of Object.keys(callFields(fold(), agent, '', wording)))
    expect(name).not.toMatch(/Sentiment|Summary|Action|Phrases/);
});
