/** Records the host found for a caller by itself, beside those of the relay: one list without twins, and nothing chosen while two are possible. */
import type { RecordRef } from '@patchcord/call-protocol';
import { beforeEach, expect, it } from 'vitest';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';
import { ada, type LabFrame, openLab, openReady, type PanelLab, settle, until } from './panel-lab.ts';

const dora = { crm: 'salesforce', object: 'Contact', id: '003000000000777AAA', name: 'Dora Example' } as const;

let lab: PanelLab;
let frame: LabFrame;
let answerRelay: () => void;

beforeEach(async () => {
  lab = openLab();
  frame = await openReady(lab);
});

/** Ada's number rings; the relay's answer waits for `answerRelay`. */
async function ring(): Promise<string> {
  lab.relay.matchGate = new Promise((resolve) => {
    answerRelay = resolve;
  });
  const call = frame.sip.invite({ number: ada.number });
  await until(() => frame.model().lookups.value.get(call) === 'searching');
  return call;
}

const state = () => frame.model().phone.value.calls[0];
const found = (): readonly RecordRef[] => (state()?.matches ?? []).map(({ record }) => record);
const opened = () => frame.host.told('opened').map(({ record }) => record.id);

it('the same record is one match, with the relay’s evidence, whoever was first', async () => {
  const call = await ring();
  frame.host.find(call, [{ ...ada.record, object: ada.record.object.toLowerCase() }]);
  answerRelay();
  await until(() => state()?.record !== null);
  frame.host.find(call, [ada.record]);
  await settle();
  expect(state()?.matches).toEqual([ada]);
  expect(opened()).toEqual([ada.record.id]);
});

it('two that say different people are both shown, with their reasons, and none is chosen or opened', async () => {
  const call = await ring();
  frame.host.find(call, [dora]);
  await settle();
  expect(found()).toEqual([]);
  answerRelay();
  await until(() => found().length === 2);
  await settle();
  expect(state()?.matches.map(({ reason }) => reason)).toEqual([ada.reason, texts.matchFromHost]);
  expect([state()?.record, opened()]).toEqual([null, []]);
});

it('somebody else after the relay’s only match was chosen joins the list: the agent can change the choice', async () => {
  const call = await ring();
  answerRelay();
  await until(() => opened().length === 1);
  frame.host.find(call, [dora]);
  await until(() => found().length === 2);
  expect(state()?.record).toEqual(ada.record);
  await frame.model().chooseRecord(state()?.id as never, dora);
  expect(state()?.record).toEqual(dora);
});

it('alone it is chosen when the relay takes too long, and the relay’s late answer joins with the first word', async () => {
  const call = await ring();
  frame.host.find(call, [dora]);
  lab.clock.advance(2_900);
  await settle();
  expect(state()?.record).toBeNull();
  lab.clock.advance(200);
  await until(() => state()?.record !== null);
  expect(state()?.record).toEqual(dora);
  answerRelay();
  await until(() => found().length === 2);
  expect(found()).toEqual([ada.record, dora]);
  expect(state()?.record).toEqual(dora);
});

it('alone it is chosen when the relay can’t be asked, and the relay is asked again later', async () => {
  lab.relay.goAway();
  const call = frame.sip.invite({ number: ada.number });
  frame.host.find(call, [dora]);
  await until(() => state()?.record !== null);
  expect(state()?.record).toEqual(dora);
  await until(() => frame.model().lookups.value.get(state()?.id as never) === 'failed');
  lab.relay.comeBack();
  frame.panel.nudge();
  await until(() => found().length === 2);
});

it('nobody, or a call that is gone, changes nothing', async () => {
  const call = await ring();
  frame.host.find(call, []);
  frame.host.find('00000000-0000-4000-8000-000000000000', [dora]);
  answerRelay();
  await until(() => state()?.record !== null);
  expect(state()?.matches).toEqual([ada]);
});
