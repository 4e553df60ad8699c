/** Owns which digits can be sent, in whatever way: those that RFC 4733 has events for. Pure. */

const sendable = /^[0-9*#A-D,]{1,128}$/;

/** The digits in the form RTCDTMFSender takes (letters large), or null when one of them has no event (RFC 4733 section 3.2). */
export function parseDigits(digits: string): string | null {
  const upper = digits.toUpperCase();
  return sendable.test(upper) ? upper : null;
}
