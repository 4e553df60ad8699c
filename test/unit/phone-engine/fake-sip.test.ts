/** The fake port keeps the obligations every port has. */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import { FakeSip } from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';
// The suite imports vitest and so has a door of its own.
import { type FarEnd, sipPortContract } from '../../../packages/phone-engine/src/testing/sip-port-contract.ts';
import { account, credential } from './phone-fixture.ts';

function farEnd(sip: FakeSip, target: string): FarEnd {
  const legs: CallId[] = [];
  /** The call this far end is on: the newest dialled to it, or its own. */
  const leg = (): CallId => {
    const dialled = sip.sent('dial').filter((it) => it.target === target);
    const pickedUp = sip.sent('pick-up').filter((it) => it.code === target);
    const found = [...legs, ...[...dialled, ...pickedUp].map((it) => it.call)]
      .filter((it) => sip.live.includes(it))
      .at(-1);
    if (found === undefined) throw new Error('this far end is on no call');
    return found;
  };
  return {
    target,
    invites: async () => {
      legs.push(sip.invite());
    },
    rings: async (earlyMedia) => sip.ring(leg(), earlyMedia),
    answers: async () => sip.answered(leg()),
    refuses: async (code) => sip.end(leg(), { code, reason: 'Refused' }),
    cancels: async (elsewhere) => sip.end(leg(), { elsewhere: elsewhere === true }),
    hangsUp: async () => sip.end(leg()),
    holds: async (on) => sip.farHold(leg(), on),
    refusesNextHold: () => {
      sip.holds = 'refuse';
    },
    acceptsTransfer: async () => {
      sip.transferRings(leg());
      sip.acceptTransfer(leg());
    },
    refusesTransfer: async (code) => sip.refuseTransfer(leg(), `${code} Refused`),
    heardDigits: () =>
      sip
        .sent('send-digits')
        .filter((it) => it.call === leg())
        .map((it) => it.digits)
        .join(''),
  };
}

sipPortContract('the fake', async () => {
  const sip = new FakeSip();
  return {
    port: sip,
    account,
    credential,
    iceServers: [],
    far: [farEnd(sip, '1001'), farEnd(sip, '1002')],
    refusesRegistration: () => sip.rejectNext(),
    dropsSocket: async () => sip.lose(),
    restoresSocket: async () => sip.register(),
    close: () => sip.stop(),
  };
});

describe('the fake’s pedals', () => {
  it('throw when they are used on a call that is not there, or in another phase', () => {
    const sip = new FakeSip();
    expect(() => sip.answered(newCallId())).toThrow('no such call');
    const call = sip.invite();
    expect(() => sip.ring(call)).toThrow('the call is incoming, not dialing');
    sip.answer(call);
    expect(() => sip.holdDone(call)).toThrow('no hold was asked for');
    expect(() => sip.acceptTransfer(call)).toThrow('no transfer is under way');
  });
});
