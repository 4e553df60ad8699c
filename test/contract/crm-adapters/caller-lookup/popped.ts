/**
 * Owns one ringing call in the hands of the panel's own duties: who is asked for, and which record becomes the call's. The phone is as small as
 * the duties need it. Must never decide anything itself.
 */
import {
  type CallId,
  type E164,
  type Extension,
  type Match,
  newCallId,
  type RecordRef,
} from '@patchcord/call-protocol';
import type { CallState, ClockPort, Command, Phone, PhoneState } from '@patchcord/phone-engine';
import { createCallDuties } from '../../../../packages/softphone-ui/src/call-duties.ts';
import type { Numbers } from '../../../../packages/softphone-ui/src/numbers.ts';

/** The record that a call from `number` gets, which is the one that pops; null where it gets none. Rejects when the look-up failed. */
export async function poppedFor(
  number: string,
  numbers: Numbers,
  ask: (number: E164 | Extension) => Promise<readonly Match[]>,
): Promise<RecordRef | null> {
  let call = ringing(newCallId(), number);
  const listeners: (() => void)[] = [];
  const phone: Phone = {
    state: () => ({ calls: [call] }) as unknown as PhoneState,
    onState: (listener) => {
      listeners.push(() => listener(phone.state()));
      return () => {};
    },
    onEvent: () => () => {},
    async send(command: Command) {
      if (command.type === 'call.found') call = { ...call, matches: command.matches };
      if (command.type === 'call.choose-record') call = { ...call, record: command.record };
      return { ok: true };
    },
  };
  const clock: ClockPort = {
    now: () => 0,
    setTimeout: () => () => {},
    setInterval: () => () => {},
  } as unknown as ClockPort;
  let failure: unknown;
  const asked: Promise<unknown>[] = [];
  const duties = createCallDuties({
    phone,
    numbers: () => numbers,
    matches: (wanted) => {
      const answer = ask(wanted);
      asked.push(
        answer.catch((error: unknown) => {
          failure = error;
        }),
      );
      return answer;
    },
    clock,
  });
  duties.start();
  await Promise.all(asked);
  // What the duties do with an answer they do at once: everything has run when the next turn begins.
  await new Promise((resolve) => setImmediate(resolve));
  duties.stop();
  if (failure !== undefined) throw failure;
  return call.record;
}

function ringing(id: CallId, number: string): CallState {
  return {
    id,
    direction: 'inbound',
    farSide: { number },
    phase: 'incoming',
    consultFor: null,
    matches: [],
    record: null,
    about: null,
    note: '',
    disposition: null,
    startedAt: 0,
    answeredAt: null,
    endedAt: null,
  } as unknown as CallState;
}
