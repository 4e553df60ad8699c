/** Two computers of one agent with the whole panel each: what a frame without the phone says and offers, and what both say when it changes hands. */
import { FakeLeases } from '@patchcord/phone-engine/testing';
import { describe, expect, test } from 'vitest';
import { ada, type LabFrame, openLab, openReady, type PanelLab, passTime, settle, talk, until } from './panel-lab.ts';

/** The phone is at the desk; the panel at home is open, too. */
async function deskAndHome() {
  const leases = new FakeLeases();
  const desk = openLab({ lease: leases.device('desk', 'Chrome on Windows') });
  const owner = await openReady(desk);
  const home = openLab({ lease: leases.device('home', 'Safari on macOS') });
  const remote = await openBeside(home);
  await until(() => remote.model().phone.value.line.status === 'ready');
  return { leases, desk, home, owner, remote };
}

async function openBeside(lab: PanelLab): Promise<LabFrame> {
  const frame = lab.frame();
  const started = frame.panel.start();
  await passTime(lab, () => frame.panel.stage.value.kind === 'ready');
  await started;
  await settle();
  return frame;
}

describe('a frame without the phone', () => {
  test('says on which device it is, or that it is in another window; the one that has it says nothing', async () => {
    const { desk, owner, remote } = await deskAndHome();
    const beside = await openBeside(desk);
    expect(owner.model().elsewhere.value).toBeNull();
    expect(beside.model().elsewhere.value).toBe('');
    expect(remote.model().elsewhere.value).toBe('Chrome on Windows');
  });

  test('brings it here with one click, and both sides say what happened', async () => {
    const { desk, home, owner, remote } = await deskAndHome();
    const call = await talk(owner);
    await settle();
    const moving = remote.model().takeHere();
    expect(remote.model().fetching.value).toBe(true);
    await moving;
    expect(remote.model().fetching.value).toBe(false);
    expect(remote.model().elsewhere.value).toBeNull();
    expect(remote.model().role.value).toBe('owner');
    expect(remote.model().notice.value).toMatchObject({ tone: 'info', text: 'The phone is here now.' });
    await passTime(desk, () => owner.model().elsewhere.value === 'Safari on macOS');
    expect(owner.model().notice.value).toMatchObject({
      tone: 'info',
      text: 'The phone is now used on Safari on macOS.',
    });
    expect(owner.sip.sent('hand-over')).toHaveLength(1);
    expect(owner.sip.sent('hang-up')).toEqual([]);
    // What the desk knew of the call came with it.
    await passTime(home, () => remote.sip.sent('take-up').length > 0);
    expect(remote.model().phone.value.calls.map(({ id }) => id)).toEqual([call]);
    expect(remote.sip.sent('take-up').flatMap(({ dialogs }) => dialogs.map((dialog) => dialog.call))).toEqual([call]);
    await passTime(desk, () => owner.model().phone.value.calls.some(({ id }) => id === call));
  });

  test('says why it does not come', async () => {
    const { leases, remote } = await deskAndHome();
    leases.reach('home', false);
    await settle();
    await remote.model().takeHere();
    expect(remote.model().notice.value?.tone).toBe('warning');
    expect(remote.model().notice.value?.text).toContain('relay');
    expect(remote.model().elsewhere.value).toBe('Chrome on Windows');
    expect(remote.model().fetching.value).toBe(false);
  });

  test('in the browser of the owner says that it went to another window', async () => {
    const { desk, owner } = await deskAndHome();
    const beside = await openBeside(desk);
    await beside.model().takeHere();
    await settle();
    expect(beside.model().role.value).toBe('owner');
    expect(owner.model().elsewhere.value).toBe('');
    expect(owner.model().notice.value?.text).toBe('The phone is now used in another window.');
  });
});

describe('the events of a call that went on at another device', () => {
  test('are sent by the device that has them, also when its relay was away as the phone went', async () => {
    const { desk, owner, remote } = await deskAndHome();
    desk.relay.acknowledges = false;
    const call = await talk(owner);
    await settle();
    await remote.model().takeHere();
    await settle();
    expect(owner.model().role.value).toBe('mirror');
    desk.relay.acknowledges = true;
    desk.relay.received.length = 0;
    await passTime(desk, () => desk.relay.received.some(({ subject }) => subject?.includes(call) === true));
    await passTime(desk, () => owner.panel.troubles.value.length === 0);
  });
});

test('a tab that nobody can see asks the relay for its lists only when it comes to the front', async () => {
  const { desk, owner } = await deskAndHome();
  const beside = await openBeside(desk);
  const asked = () => desk.relay.requests.filter((one) => one === 'GET /v1/calls').length;
  const before = asked();
  const call = await talk(owner);
  owner.look();
  beside.hide();
  desk.relay.tell({ name: 'log.saved', at: desk.clock.now(), call, data: { record: ada.record, logId: 'L1' } });
  await settle();
  expect(asked()).toBe(before + 1);
  beside.look();
  await settle();
  expect(asked()).toBe(before + 2);
});
