/**
 * How a call ended, in one word for the log and in plain words for the agent. Owns the reading of final SIP status codes; pure.
 */
import type { CallOutcome } from '@patchcord/call-protocol';
import type { CallState, SipSignal } from './state.ts';

type Ended = Pick<Extract<SipSignal, { type: 'sip.ended' }>, 'by' | 'code' | 'reason' | 'elsewhere'>;

/** The outcome of a call that ends now. `call` is as it was before it ended (RFC 3261 section 21 for the codes). */
export function outcomeOf(call: CallState, ended: Ended): CallOutcome {
  if (call.answeredAt !== null) return 'answered';
  return call.direction === 'inbound' ? inboundOutcome(call, ended) : outboundOutcome(call, ended);
}

function inboundOutcome(call: CallState, ended: Ended): CallOutcome {
  if (call.phase === 'ending') return 'declined';
  if (ended.elsewhere === true) return 'answered-elsewhere';
  // The agent had said yes: whatever kept the call from coming up is a fault, unless the caller gave up.
  if (call.phase === 'answering' && ended.by !== 'far-side') return 'failed';
  return 'missed';
}

function outboundOutcome(call: CallState, ended: Ended): CallOutcome {
  if (call.phase === 'ending') return 'cancelled';
  switch (ended.code) {
    case 486:
    case 600:
      return 'busy';
    case 408:
    case 480:
    case 487:
      return 'no-answer';
    case 603:
      return 'declined';
    case 0:
      if (ended.by === 'agent') return 'cancelled';
      return ended.by === 'far-side' ? 'no-answer' : 'failed';
    default:
      return 'failed';
  }
}

/** The end of a call in plain words: what happened, and why where the network said so. */
export function reasonOf(call: CallState, outcome: CallOutcome, ended: Ended): string {
  const interrupted = interruptedWords(call, outcome, ended);
  if (interrupted !== null) return interrupted;
  switch (outcome) {
    case 'answered':
      if (call.phase === 'ending' && call.transfer !== null) return transferWords(call.transfer);
      if (ended.by === 'agent') return 'You hung up.';
      return ended.by === 'far-side' ? 'The far side hung up.' : told('The connection was lost', ended.reason);
    case 'missed':
      // Sent on by the forwarding the agent set.
      if (ended.code === 302) return ended.reason;
      return ended.by === 'far-side'
        ? 'The caller gave up.'
        : told('The call was lost before you answered', ended.reason);
    case 'declined':
      if (call.direction === 'outbound') return 'The far side declined the call.';
      return call.transfer === null ? 'You declined the call.' : `You sent the call to ${call.transfer.to}.`;
    case 'busy':
      return 'The far side is busy.';
    case 'no-answer':
      return 'Nobody answered.';
    case 'cancelled':
      return 'You hung up before anyone answered.';
    case 'answered-elsewhere':
      return 'Answered on another device.';
    case 'failed':
      return told(failureWords(ended.code), ended.code === 0 ? ended.reason : `${ended.code} ${ended.reason}`.trim());
  }
}

/** The end of a call that could not be taken up again after its page went; null where nothing of that mattered. */
function interruptedWords(call: CallState, outcome: CallOutcome, ended: Ended): string | null {
  if (!call.recovering || call.recovery == null) return null;
  const { from, transfer } = call.recovery;
  if (outcome === 'cancelled' && from !== 'ending') return 'The page of the phone went away before anyone answered.';
  if (call.phase === 'ending' && outcome === 'answered' && call.transfer === null) return 'You hung up.';
  if (call.phase === 'ending' || ended.by !== 'network') return null;
  if (outcome === 'missed')
    return told('The page of the phone went away, and the call did not ring there again', ended.reason);
  const what =
    transfer === null
      ? 'The page of the phone went away, and the call could not be taken up again'
      : `The page of the phone went away while the call was being sent to ${transfer.to || 'the other call'}; whether that succeeded is not known`;
  return told(what, ended.reason);
}

function transferWords(transfer: NonNullable<CallState['transfer']>): string {
  const to = transfer.to || 'the other call';
  switch (transfer.kind === 'blind' ? transfer.purpose : 'transfer') {
    case 'park':
      return `Parked at ${to}.`;
    case 'move':
      return `Moved to your other phone (${to}).`;
    case 'room':
      return `Sent into the conference room ${to}.`;
    case 'transfer':
      return `Transferred to ${to}.`;
  }
}

function told(what: string, why: string): string {
  const reason = why.trim().replace(/\.$/, '');
  return reason === '' ? `${what}.` : `${what}: ${reason}.`;
}

function failureWords(code: number): string {
  if (code === 0) return 'The call could not be connected';
  if (code === 401 || code === 407) return 'The phone system did not accept this phone’s sign-in';
  if (code === 403) return 'The phone system does not allow this call';
  if (code === 404 || code === 410 || code === 604) return 'This number does not exist';
  if (code === 484 || code === 416) return 'This number is not complete';
  if (code === 488 || code === 606) return 'The two ends could not agree on how to send sound';
  if (code === 503) return 'The phone system is overloaded or being restarted';
  if (code >= 500 && code < 600) return 'The phone system had a fault';
  return 'The phone system refused the call';
}
