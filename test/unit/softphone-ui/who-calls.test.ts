/** Whom the phone asks about, and what it makes of a name that is no record of the CRM. */
import type { Match } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { ada, onlyCall, openLab, openReady, settle, until } from './panel-lab.ts';

const extension = '104' as Match['number'];
const colleague: Match = {
  record: { crm: 'salesforce', object: 'User', id: '005000000000002', name: 'Bob Moog' },
  number: extension,
  reason: 'Colleague',
};
const named = (source: 'directory' | 'enrichment', number: Match['number']): Match => ({
  record: { crm: 'page', object: 'Caller', id: `by ${source}`, name: `By ${source}` },
  number,
  reason: `Name from the ${source}`,
  source,
});

it('asks who an extension is', async () => {
  const lab = openLab();
  lab.relay.matches = [colleague];
  const frame = await openReady(lab);
  const call = frame.sip.invite({ number: '104' });
  await until(() => frame.model().lookups.value.get(call) === 'found');
  expect(onlyCall(frame).matches).toEqual([colleague]);
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
