/** Before somebody is called: the relay is asked, not for long, and the agent decides where it says so. */
import type { MayCall } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { ada, adaNumber, officeFeatures } from '../../panel/sample-profile.ts';
import { type LabFrame, openLab, openReady, type PanelLab, passTime, until } from './panel-lab.ts';

async function phoneWith(mayCall: Readonly<Record<string, MayCall>>): Promise<{ lab: PanelLab; frame: LabFrame }> {
  const lab = openLab();
  lab.relay.profile = { ...lab.relay.profile, features: officeFeatures };
  lab.relay.mayCall = mayCall;
  return { lab, frame: await openReady(lab) };
}
const ask: MayCall = { verdict: 'ask', reason: 'Do not call', record: ada.record };
const dialled = ({ sip }: LabFrame) => sip.sent('dial').map(({ target }) => target);

it('a number is dialled although the relay does not answer: 0.7 s are the most', async () => {
  const { lab, frame } = await phoneWith({ [adaNumber]: { verdict: 'no', reason: 'No' } });
  lab.relay.mayCallGate = new Promise(() => undefined);
  const begun = lab.clock.now();
  const calling = frame.model().dial(adaNumber);
  // A second press is no second call.
  expect(await frame.model().dial(adaNumber)).toBe(false);
  await passTime(lab, () => dialled(frame).length > 0);
  expect(await calling).toBe(true);
  expect(lab.clock.now() - begun).toBeLessThanOrEqual(800);
  expect(dialled(frame)).toEqual([adaNumber]);
});

it('an inside number and a feature code are nobody’s wish: the relay is not asked', async () => {
  const { lab, frame } = await phoneWith({});
  expect(await frame.model().dial('204')).toBe(true);
  expect(lab.relay.requests.filter((request) => request.includes('may-call'))).toEqual([]);
});

it('a number that must not be called is refused with the reason, from the field, the history and the page', async () => {
  const { frame } = await phoneWith({ [adaNumber]: { verdict: 'no', reason: 'On the list.' } });
  const model = frame.model();
  model.typeNumber(adaNumber);
  expect(await model.dialTyped()).toBe(false);
  expect(model.dialProblem.value).toBe('On the list.');
  model.typeNumber('');
  await model.redial({ farSide: { number: adaNumber, e164: adaNumber }, record: null });
  expect(model.notice.value?.text).toBe('On the list.');
  expect(await model.dialFromHost({ number: adaNumber })).toEqual({ ok: false, reason: 'On the list.' });
  expect(model.dialText.value).toBe('');
  expect(dialled(frame)).toEqual([]);
});

it('who asked not to be called is called when the agent says so, with the record, and never by itself', async () => {
  const { frame } = await phoneWith({ [adaNumber]: ask });
  const model = frame.model();
  expect(await model.dialFromHost({ number: adaNumber, record: ada.record })).toEqual({
    ok: true,
    reason: 'Do not call',
  });
  expect(model.callQuestion.value).toMatchObject({ name: 'Ada Lindqvist', reason: 'Do not call' });
  model.callQuestion.value?.drop();
  expect(model.callQuestion.value).toBeNull();
  expect(dialled(frame)).toEqual([]);
  await model.dialFromHost({ number: adaNumber, record: ada.record });
  model.callQuestion.value?.go();
  await until(() => dialled(frame).length === 1);
  await until(() => model.phone.value.calls[0]?.record?.id === ada.record.id);
});

it('a number that is changed while the relay is asked is not called', async () => {
  const { lab, frame } = await phoneWith({});
  let open = (): void => undefined;
  lab.relay.mayCallGate = new Promise((resolve) => {
    open = resolve;
  });
  const model = frame.model();
  model.typeNumber(adaNumber);
  const calling = model.dialTyped();
  model.typeNumber('+4930901820');
  open();
  expect(await calling).toBe(false);
  expect(dialled(frame)).toEqual([]);
});
