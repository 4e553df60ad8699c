/** The mailbox as the panel keeps it: what a refusal undoes, what a late answer must not bring back, what the badge counts. */
import { expect, it } from 'vitest';
import { messagesFor, officeFeatures, plainFeatures } from '../../panel/sample-profile.ts';
import { openLab, openReady, until } from './panel-lab.ts';

async function mailbox() {
  const lab = openLab();
  lab.relay.profile = { ...lab.relay.profile, features: officeFeatures };
  lab.relay.voicemails = messagesFor(lab.clock.now());
  const frame = await openReady(lab);
  const box = frame.model().voicemail;
  await until(() => box.status.value === 'ready');
  const [first] = box.messages.value;
  if (first === undefined) throw new Error('the mailbox is empty');
  return { lab, frame, box, first };
}

it('a deletion that is refused is taken back and said', async () => {
  const { lab, frame, box, first } = await mailbox();
  const message = 'The mailbox is full of other things.';
  lab.relay.failures.set(`/v1/voicemails/${first.id}`, { status: 409, code: 'request.invalid', message });
  await box.remove(first);
  expect(box.messages.value[0]?.id).toBe(first.id);
  expect(box.undo.value).toBeNull();
  expect(frame.model().notice.value?.text).toBe(message);
});

it('a deletion can be taken back for half a minute', async () => {
  const { lab, box, first } = await mailbox();
  await box.remove(first);
  expect(box.messages.value.map(({ id }) => id)).not.toContain(first.id);
  expect(box.undo.value?.id).toBe(first.id);
  await box.takeBack();
  expect(box.messages.value[0]?.id).toBe(first.id);
  await box.remove(first);
  lab.clock.advance(30_000);
  expect(box.undo.value).toBeNull();
});

it('a link that comes after the player was closed plays nothing', async () => {
  const { box, first } = await mailbox();
  const opening = box.play(first);
  expect(box.playing.value).toEqual({ id: first.id, url: '' });
  await box.play(first);
  await opening;
  expect(box.playing.value).toBeNull();
});

it('new messages are counted from the list, or as the phone system tells where there is none', async () => {
  const { lab, frame, box, first } = await mailbox();
  expect(box.unheard.value).toBe(1);
  await box.heard(first);
  expect(box.unheard.value).toBe(0);
  const voicemail = { number: '*97', deposit: null, watched: true, listed: false };
  lab.relay.profile = { ...lab.relay.profile, features: { ...plainFeatures, voicemail } };
  lab.relay.tell({ name: 'profile.changed', at: lab.clock.now(), data: {} });
  await until(() => !frame.model().features.value.voicemail?.listed);
  frame.sip.mailbox({ waiting: true, newMessages: 4, oldMessages: 0 });
  expect(box.unheard.value).toBe(4);
  frame.sip.mailbox({ waiting: true, newMessages: 0, oldMessages: 0 });
  expect(box.unheard.value).toBe(1);
  frame.sip.mailbox(null);
  expect(box.unheard.value).toBe(0);
});
