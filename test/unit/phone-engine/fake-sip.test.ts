/** The fake port keeps the obligations every port has. */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import { FakeSip } from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';
// The suite imports vitest and so has a door of its own.
import { type FarEnd, sipPortContract } from '../../../packages/phone-engine/src/testing/sip-port-contract.ts';
import { account, credential } from './phone-fixture.ts';

/** @param ports the newest last: a far end stays where it is when another page takes its calls up */
function farEnd(ports: readonly FakeSip[], target: string): FarEnd {
  const legs: CallId[] = [];
  const newest = () => ports.at(-1) as FakeSip;
  /** The call this far end is on: the newest dialled to it, or its own. */
  const leg = (): CallId => {
    const sip = newest();
    const dialled = ports.flatMap((port) => port.sent('dial')).filter((it) => it.target === target);
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
      legs.push(newest().invite());
    },
    rings: async (earlyMedia) => newest().ring(leg(), earlyMedia),
    answers: async () => newest().answered(leg()),
    refuses: async (code) => newest().end(leg(), { code, reason: 'Refused' }),
    cancels: async (elsewhere) => newest().end(leg(), { elsewhere: elsewhere === true }),
    hangsUp: async () => newest().end(leg()),
    holds: async (on) => newest().farHold(leg(), on),
    refusesNextHold: () => {
      newest().holds = 'refuse';
    },
    acceptsTransfer: async () => {
      newest().transferRings(leg());
      newest().acceptTransfer(leg());
    },
    refusesTransfer: async (code) => newest().refuseTransfer(leg(), `${code} Refused`),
    heardDigits: () =>
      newest()
        .sent('send-digits')
        .filter((it) => it.call === leg())
        .map((it) => it.digits)
        .join(''),
  };
}

sipPortContract('the fake', async () => {
  const ports = [new FakeSip()];
  const newest = () => ports.at(-1) as FakeSip;
  return {
    port: newest(),
    account,
    credential,
    iceServers: [],
    far: [farEnd(ports, '1001'), farEnd(ports, '1002')],
    refusesRegistration: () => newest().rejectNext(),
    dropsSocket: async () => newest().lose(),
    restoresSocket: async () => newest().register(),
    successor: async () => {
      ports.push(new FakeSip());
      return newest();
    },
    close: () => newest().stop(),
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
