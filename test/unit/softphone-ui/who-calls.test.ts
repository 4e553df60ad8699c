/** Whom the phone asks about, and what it makes of a name that is no record of the CRM. */
import type { Match } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { expect, it } from 'vitest';
import { recordsAmong } from '../../../packages/softphone-ui/src/later/ranked-matches.ts';
import { createNumbers } from '../../../packages/softphone-ui/src/numbers.ts';
import { nameOfCall } from '../../../packages/softphone-ui/src/softphone-model.ts';
import { profile } from '../../panel/sample-profile.ts';
import { ada, onlyCall, openLab, openReady, settle, sharers, until } from './panel-lab.ts';

const extension = '104' as Match['number'];
const colleague: Match = {
  record: { crm: 'salesforce', object: 'User', id: '005000000000002', name: 'Bob Moog' },
  number: extension,
  reason: 'Colleague',
  source: 'directory',
};
const named = (source: 'directory' | 'enrichment', number: Match['number']): Match => ({
  record: { crm: 'page', object: 'Caller', id: `by ${source}`, name: `By ${source}` },
  number,
  reason: `Name from the ${source}`,
  source,
});

it('asks who an extension is, shows the name, and takes a colleague for no record', async () => {
  const lab = openLab();
  lab.relay.matches = [colleague];
  const frame = await openReady(lab);
  const call = frame.sip.invite({ number: '104' });
  await until(() => frame.model().lookups.value.get(call) === 'found');
  await settle();
  expect(onlyCall(frame)).toMatchObject({ matches: [colleague], record: null });
  expect(nameOfCall(onlyCall(frame), frame.model().numbers.value)).toBe('Bob Moog');
  expect(frame.host.told('opened')).toEqual([]);
});

it('takes a colleague for no record either when their number was clicked on their page', async () => {
  const frame = await openReady(openLab());
  frame.host.clickNumber({ number: '104', record: colleague.record });
  await until(() => frame.model().phone.value.calls.length === 1);
  expect(onlyCall(frame)).toMatchObject({ record: null, farSide: { number: '104', name: 'Bob Moog' } });
});

it('shows a name from beside the CRM, and takes it for no record', async () => {
  const lab = openLab();
  lab.relay.matches = [named('enrichment', ada.number)];
  const frame = await openReady(lab);
  const call = frame.sip.invite({ number: ada.number });
  await until(() => frame.model().lookups.value.get(call) === 'found');
  await settle();
  expect(onlyCall(frame)).toMatchObject({ record: null, matches: [{ source: 'enrichment' }] });
  expect(frame.host.told('opened')).toEqual([]);
});

it('takes the only record of the CRM, whoever else is named', async () => {
  const lab = openLab();
  lab.relay.matches = [ada, named('directory', ada.number)];
  const frame = await openReady(lab);
  frame.sip.invite({ number: ada.number });
  await until(() => onlyCall(frame).record !== null);
  expect(onlyCall(frame).record).toEqual(ada.record);
});

it('counts for the page, for the eye and for the ear only what can be chosen', async () => {
  const [first, second] = sharers;
  if (first === undefined || second === undefined) throw new Error('nobody shares a number');
  const lab = openLab();
  lab.relay.matches = [first, second, named('directory', first.number)];
  const frame = await openReady(lab);
  frame.sip.invite({ number: first.number });
  await until(() => onlyCall(frame).matches.length === 3);
  lab.clock.advance(100);
  const state = frame.host.told('news').findLast(({ news }) => news.type === 'state')?.news;
  expect(state).toMatchObject({ calls: [{ matches: 2, recordId: '' }] });
  expect(frame.model().announcement.value?.text).toContain('2');
});

it('calls a caller by the only record of the CRM, else by the only name there is', () => {
  const numbers = createNumbers(profile.numbers);
  const call = (matches: readonly Match[]) =>
    ({ record: null, farSide: { number: ada.number }, matches }) as unknown as CallState;
  expect(nameOfCall(call([named('directory', ada.number), ada]), numbers)).toBe('Ada Lindqvist');
  expect(nameOfCall(call([named('directory', ada.number)]), numbers)).toBe('By directory');
  expect(nameOfCall(call([named('directory', ada.number), named('enrichment', ada.number)]), numbers)).toContain('555');
});

it('offers no record of another CRM, whatever says it is one', () => {
  const other: Match = { ...ada, record: { ...ada.record, crm: 'hubspot' } };
  expect(recordsAmong([ada, other, named('directory', ada.number)], 'salesforce')).toEqual([ada]);
});
