/** The state of one call in a word or two. Pure. */
import type { CallState } from '@patchcord/phone-engine';
import { texts } from '../texts.ts';

/** What is going on with a call that is not simply being talked in; empty then. */
export function stateWords(call: CallState): string {
  if (call.recovering && call.phase !== 'ending')
    return call.phase === 'incoming' ? texts.takingUpRing : texts.takingUp;
  switch (call.phase) {
    case 'dialing':
      return texts.dialing;
    case 'ringing':
      return texts.ringing;
    case 'incoming':
      return texts.incoming;
    case 'answering':
      return texts.answering;
    case 'ending':
      return texts.ending;
    case 'ended':
      return call.end?.reason ?? '';
    case 'active':
      return activeWords(call);
  }
}

function activeWords(call: CallState): string {
  if (call.transfer !== null) return transferWords(call.transfer);
  if (call.hold === 'on') return texts.onHold;
  if (call.hold === 'placing') return texts.placingHold;
  if (call.hold === 'lifting') return texts.liftingHold;
  if (call.farHold) return texts.farHold;
  return call.muted ? texts.mutedNote : '';
}

function transferWords(transfer: NonNullable<CallState['transfer']>): string {
  if (transfer.status === 'cancelling') return texts.takingBack;
  switch (transfer.kind === 'blind' ? transfer.purpose : 'transfer') {
    case 'park':
      return texts.parking(transfer.to);
    case 'move':
      return texts.moving(transfer.to);
    case 'room':
      return texts.toRoomNow(transfer.to);
    case 'transfer':
      return texts.transferring(transfer.to);
  }
}
