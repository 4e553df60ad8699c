/** Which dial string an act of the office phone stands for, and what it does when the phone system has no way to do it. */
import { emptyPhone, type PhoneState, type Watched } from '@patchcord/phone-engine';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import { expect, it } from 'vitest';
import { createOffice, type Lamp } from '../../../packages/softphone-ui/src/office.ts';
import { officeFeatures, profile } from '../../panel/sample-profile.ts';
import { openLab, openReady, talk, until } from './panel-lab.ts';

function office(part: Partial<typeof officeFeatures> = {}, watched: readonly Watched[] = []) {
  const said: string[] = [];
  const sent: unknown[] = [];
  const phone = signal<PhoneState>({ ...emptyPhone, watched });
  const face = createOffice({
    profile: signal({ ...profile, features: { ...officeFeatures, ...part } }),
    phone,
    clock: new FakeClock(),
    notify: (_tone, text) => void said.push(text),
    send: (command) => {
      sent.push(command);
      return Promise.resolve({ ok: true });
    },
  });
  return { face, said, sent };
}

function watching(extension: string, status: Watched['status'], canTake = false): Watched {
  return { extension, status, canTake, farSide: null, direction: null };
}

const callId = '0190a0b0-0000-7000-8000-000000000001' as never;
const only = (lamps: readonly Lamp[]): Lamp => {
  const [lamp] = lamps;
  if (lamp === undefined) throw new Error('nothing is watched');
  return lamp;
};

it('a call is parked where the phone system finds a slot, else in the first slot where nothing waits', async () => {
  const finding = office();
  await finding.face.park(callId);
  expect(finding.sent).toMatchObject([{ to: '700', purpose: 'park' }]);
  const park = { to: null, slots: ['701', '702'] };
  const first = office({ park }, [watching('701', 'busy'), watching('702', 'unknown')]);
  await first.face.park(callId);
  expect(first.sent).toMatchObject([{ to: '702' }]);
  const full = office({ park }, [watching('701', 'busy'), watching('702', 'held')]);
  await full.face.park(callId);
  expect(full.sent).toEqual([]);
  expect(full.said).toEqual([expect.stringContaining('Every park slot is taken')]);
});

it('a ringing colleague is picked up by dialog or by code, a slot by dialling it, and nothing is done where neither is known', async () => {
  const both = office({}, [watching('203', 'ringing', true)]);
  await both.face.pickUp(only(both.face.lamps.value));
  expect(both.sent).toMatchObject([{ type: 'call.pick-up', extension: '203', code: '**203' }]);
  const byCode = office({}, [watching('203', 'ringing')]);
  await byCode.face.pickUp(only(byCode.face.lamps.value));
  expect(byCode.sent).toMatchObject([{ type: 'call.dial', target: '**203' }]);
  const slot = office({}, [watching('701', 'busy', true)]);
  await slot.face.pickUp(only(slot.face.lamps.value));
  expect(slot.sent).toMatchObject([{ type: 'call.dial', target: '701', farSide: { name: 'Slot 701' } }]);
  const neither = office({ pickup: { directed: null, group: null, byDialog: true } }, [watching('203', 'ringing')]);
  await neither.face.pickUp(only(neither.face.lamps.value));
  await neither.face.pickUpGroup();
  expect(neither.sent).toEqual([]);
  expect(neither.said).toHaveLength(1);
});

it('a third caller is brought into a conference that is on hold: it comes back first', async () => {
  const lab = openLab();
  lab.relay.profile = { ...lab.relay.profile, features: officeFeatures };
  const frame = await openReady(lab);
  const model = frame.model();
  const calls = () => model.phone.value.calls;
  const first = await talk(frame);
  const second = await talk(frame, '+4930901820');
  await model.merge(first);
  await until(() => calls().every(({ inConference, hold }) => inConference && hold === 'off'));
  const third = await talk(frame, '+442071838750');
  expect(calls().map(({ hold }) => hold)).toEqual(['on', 'on', 'off']);
  await model.merge(second);
  await until(() => calls().every(({ inConference, hold }) => inConference && hold === 'off'));
  expect(calls().map(({ id }) => id)).toEqual([first, second, third]);
  expect(model.notice.value).toBeNull();
});
