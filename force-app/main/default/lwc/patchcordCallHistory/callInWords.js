/** How one call reads in the list: what happened, in words and as an icon. Pure; must never draw. */

/**
 * @typedef {object} CallInWords
 * @property {string} what title, for example `Missed call`
 * @property {string} result how it ended
 * @property {string} icon
 * @property {'good' | 'bad' | 'plain'} tone
 * @property {boolean} spoken whether somebody talked
 */

const VOICEMAIL = /voice\s?-?mail|mailbox/i;

const OUTBOUND_RESULTS = {
  answered: 'Answered',
  busy: 'Busy',
  'no-answer': 'No answer',
  declined: 'Declined by the other side',
  cancelled: 'Cancelled before an answer',
  failed: 'Failed',
};

const INBOUND_RESULTS = {
  answered: 'Answered',
  missed: 'Missed',
  declined: 'Declined',
  'answered-elsewhere': 'Answered by somebody else',
  busy: 'Refused as busy',
  'no-answer': 'Missed',
  cancelled: 'Caller hung up',
  failed: 'Failed',
};

/**
 * @param {{ direction?: string, outcome?: string, transferredTo?: string, disposition?: string }} call
 * @returns {CallInWords}
 */
export function callInWords(call) {
  const outbound = call.direction === 'Outbound';
  const answered = call.outcome === 'answered';
  const voicemail = VOICEMAIL.test(call.transferredTo ?? '') || VOICEMAIL.test(call.disposition ?? '');
  const known = (outbound ? OUTBOUND_RESULTS : INBOUND_RESULTS)[call.outcome];
  // A log is written before its call has an outcome only when the phone was lost: it says so rather than guess.
  let result = known ?? (call.outcome || 'Outcome unknown');
  if (voicemail) result = outbound || answered ? 'Left a voicemail' : 'Went to voicemail';
  else if (call.transferredTo) result = `${answered ? 'Transferred' : 'Sent on'} to ${call.transferredTo}`;
  return {
    what: whatOf(call, outbound, voicemail),
    result,
    ...lookOf(call.outcome, outbound, answered, voicemail),
    spoken: answered,
  };
}

function whatOf(call, outbound, voicemail) {
  if (outbound) return 'Outgoing call';
  if (call.direction === 'Internal') return 'Internal call';
  if (voicemail && call.outcome !== 'answered') return 'Voicemail';
  if (call.outcome === 'missed' || call.outcome === 'no-answer') return 'Missed call';
  if (call.outcome === 'declined') return 'Declined call';
  return 'Incoming call';
}

function lookOf(outcome, outbound, answered, voicemail) {
  if (voicemail) return { icon: 'utility:voicemail_drop', tone: 'plain' };
  if (answered) return { icon: outbound ? 'utility:outbound_call' : 'utility:incoming_call', tone: 'good' };
  if (outcome === 'missed' || outcome === 'no-answer' || outcome === 'failed' || outcome === 'busy')
    return { icon: outbound ? 'utility:outbound_call' : 'utility:missed_call', tone: 'bad' };
  if (outcome === 'declined') return { icon: 'utility:end_call', tone: 'bad' };
  return { icon: outbound ? 'utility:outbound_call' : 'utility:incoming_call', tone: 'plain' };
}
