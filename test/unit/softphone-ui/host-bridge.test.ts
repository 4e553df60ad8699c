/** What a host hears of calls, from frames that hold the phone and from those that show it. */
import { newCallId, type PhoneEvent } from '@patchcord/call-protocol';
import { emptyPhone, type PhoneRole, type PhoneState, type SharedPhone } from '@patchcord/phone-engine';
import { expect, it } from 'vitest';
import { startHostBridge } from '../../../packages/softphone-ui/src/host-bridge.ts';
import { FakeHost } from '../../panel/fake-host.ts';
import { onlyCall, openLab, openReady, talk } from './panel-lab.ts';

/** A phone whose role and state are set by hand. */
function handPhone() {
  let role: PhoneRole = 'mirror';
  let state: PhoneState = emptyPhone;
  const onState = new Set<(state: PhoneState) => void>();
  const onRole = new Set<(role: PhoneRole) => void>();
  const phone: SharedPhone = {
    state: () => state,
    role: () => role,
    onState: (listener) => {
      onState.add(listener);
      return () => onState.delete(listener);
    },
    onRole: (listener) => {
      onRole.add(listener);
      return () => onRole.delete(listener);
    },
    onEvent: (_: (event: PhoneEvent) => void) => () => undefined,
    isForemost: () => true,
    isOpener: () => true,
    lookedAt: () => undefined,
    owned: () => null,
    where: () => null,
    isHead: () => false,
    takeHere: () => Promise.resolve({ ok: true }),
    inherited: () => null,
    keep: () => undefined,
    send: () => Promise.resolve({ ok: true }),
    close: () => Promise.resolve(),
  };
  return {
    phone,
    show(calls: PhoneState['calls']) {
      state = { ...state, calls };
      for (const listener of onState) listener(state);
    },
    become(next: PhoneRole) {
      role = next;
      for (const listener of onRole) listener(role);
    },
  };
}

it('a frame that shows the phone forgets the calls that are over', async () => {
  const frame = await openReady(openLab());
  await talk(frame);
  const call = onlyCall(frame);
  const { phone, show, become } = handPhone();
  const host = new FakeHost();
  const bridge = startHostBridge({
    host,
    phone,
    numbers: () => frame.model().numbers.value,
    nearNumber: () => '1001',
    dial: () => undefined,
    hangUp: () => undefined,
    recordShown: () => undefined,
    matchesFound: () => undefined,
    logCreator: () => Promise.reject(new Error('nobody asks')),
    logMade: () => undefined,
    keep: () => undefined,
  });
  const other = { ...call, id: newCallId() };
  for (const calls of [[call], [other], []]) show(calls);
  become('owner');
  // Remembered, it would count as told by an earlier owner.
  show([call]);
  expect(host.facts.filter(({ type }) => ['started', 'answered', 'completed'].includes(type))).toEqual([
    { type: 'started', call: call.id },
    { type: 'answered', call: call.id },
  ]);
  bridge.stop();
});
