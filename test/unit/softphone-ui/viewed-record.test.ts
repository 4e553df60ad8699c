/** The record that was in front of the agent when they clicked a number: at most what the call is about, never whom it is with. */
import type { RecordRef } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { onlyCall, openLab, openReady, until } from './panel-lab.ts';

const number = '+4930901820';
const record = (object: string, id: string): RecordRef => ({ crm: 'hubspot', object, id });
const [dora, emil] = [record('contact', '51'), record('contact', '52')];
const [deal, company] = [record('deal', '9001'), record('company', '700')];

it.each<[string, RecordRef | undefined, RecordRef, RecordRef | null]>([
  ['a deal is what the call with its contact is about', dora, deal, deal],
  ['a deal is what a call with nobody known is about', undefined, deal, deal],
  ['a company is it as well, beside the contact who is called', dora, company, company],
  ['a company is not about itself', company, company, null],
  ['another contact has nothing to do with it', dora, emil, null],
  ['a deal that is called itself stays what it is about', deal, company, deal],
])('%s', async (_, called, viewed, about) => {
  const frame = await openReady(openLab());
  frame.host.clickNumber({ number, viewed, ...(called === undefined ? {} : { record: called }) });
  await until(() => frame.sip.sent('dial').length === 1);
  expect(onlyCall(frame).about).toEqual(about);
  expect(onlyCall(frame).record).toEqual(called === deal ? null : (called ?? null));
});

it('waits with the number in the field, and is gone with another number', async () => {
  const frame = await openReady(openLab());
  const click = { number, record: dora, viewed: deal };
  frame.sip.lose();
  await until(() => frame.model().phone.value.line.status !== 'ready');
  frame.host.clickNumber(click);
  await until(() => frame.model().dialText.value !== '');
  frame.sip.register();
  await until(() => frame.model().phone.value.line.status === 'ready');
  expect(await frame.model().dialTyped()).toBe(true);
  expect(onlyCall(frame)).toMatchObject({ record: dora, about: deal });
});
