/**
 * Owns a call on its way to where its far side sent us: a second call under the same id, unheard and untold until it is answered, which then takes
 * the place of the first. Must never cost the agent the first call while its far side is still there.
 */
import type { Party } from '@patchcord/call-protocol';
import type { SipSignal } from '../state.ts';
import type { ActingSurroundings } from './call-acts.ts';
import type { Following, SentCall } from './call-surroundings.ts';
import { GatedSound } from './gated-sound.ts';
import { OutboundCall } from './outbound-call.ts';
import type { FollowedTarget } from './transfer-request.ts';

/** @param takeOver makes this call the one of its id; called once, when it is answered */
export function followTransfer(
  old: SentCall,
  target: FollowedTarget,
  around: ActingSurroundings,
  place: (call: OutboundCall) => void,
  takeOver: (call: OutboundCall) => void,
): Following {
  const sound = new GatedSound(around.sound);
  let farSide: Party = { number: target.uri.user ?? '' };
  let farSideLeft = false;
  let taken = false;
  const before = (signal: SipSignal): void => {
    if (signal.type === 'sip.ringing') target.report('180 Ringing', false);
    else if (signal.type === 'sip.identified') farSide = signal.farSide;
    else if (signal.type === 'sip.ended') {
      target.report(signal.code >= 300 ? `${signal.code} Not transferred` : '480 Temporarily Unavailable', true);
      if (farSideLeft) old.farSideGone('The far side sent the call on and hung up, but nobody answered there.');
    } else if (signal.type === 'sip.answered') {
      taken = true;
      target.report('200 OK', true);
      const { farHeld } = old;
      // What the agent did to the first call meanwhile holds for this one.
      call.mute(old.muted);
      const { held } = old;
      old.retire();
      sound.open();
      takeOver(call);
      around.signal({ type: 'sip.identified', call: old.id, farSide });
      if (farHeld) around.signal({ type: 'sip.far-resumed', call: old.id });
      if (held !== beganHeld) call.hold(held);
    }
  };
  const call = new OutboundCall(
    old.id,
    target.uri,
    {
      ...around,
      sound,
      signal: (signal) => (taken ? around.signal(signal) : before(signal)),
    },
    { headers: target.headers },
  );
  const beganHeld = old.held;
  if (beganHeld) call.beginHeld();
  call.mute(old.muted);
  place(call);
  return {
    farSideLeft: () => {
      farSideLeft = true;
    },
    giveUp: () => {
      // The agent ends the first call as well.
      farSideLeft = false;
      if (!taken) call.hangUp();
    },
  };
}
